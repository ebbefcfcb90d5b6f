"""The crash grid as a Lambda function: at each point of an approval's life at which tests/crashes kills `countersign serve`
the packaged function is killed, and Lambda starts another process for the next event. Each is frozen after its answer, and
where a case is about that, never thawed again. The workflow ends as Bob decided all the same."""

import pytest
from lives.grid import CASES_OF_LAMBDA
from lives.table import result_of


@pytest.mark.crash_case
@pytest.mark.parametrize("case", CASES_OF_LAMBDA, ids=str)
def test_the_workflow_ends_as_decided(case, lives, record_property):
    result_of(case, lives, record_property)
