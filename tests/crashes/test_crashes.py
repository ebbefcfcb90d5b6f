"""The crash grid: at each of fourteen points of an approval's life a real `countersign serve` dies by SIGKILL, and is
started again; the workflow ends as Bob decided all the same. See grid.py for the points and checks.py for what is
asserted."""

import pytest
from grid import CASES


@pytest.mark.crash_case
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_workflow_ends_as_decided(case, lives, record_property):
    record_property("point", str(case.point))
    record_property("form", case.form.value)
    life = lives[str(case)].result()
    record_property("mailed again", life.mailed_again)
