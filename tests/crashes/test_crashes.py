"""The crash grid: at each of fourteen points of an approval's life a real `countersign serve` dies by SIGKILL, and is
started again; the workflow ends as Bob decided all the same. See tests/lives/grid.py for the points and
tests/lives/checks.py for what is asserted."""

import pytest
from lives.grid import CASES
from lives.table import result_of


@pytest.mark.crash_case
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_workflow_ends_as_decided(case, lives, record_property):
    result_of(case, lives, record_property)
