"""Executions recorded from AWS, run again on the embedded Step Functions: status, output, error, cause and the
sequence of events must be AWS's. `passing.txt` lists the cases that hold; one that no longer does fails, and so does
one that holds and isn't listed, so that the list says how far the engine is.

The recordings are not part of this repository; they lie beside the checkout, where there are any."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from demo import Demo

HERE = Path(__file__).parent
RECORDED = HERE.parents[1].parent / "shared/asl-cases"
LISTED = (HERE / "passing.txt").read_text().splitlines()
# Those that need nothing the stand-ins don't have.
GROUPS = "core,callback,nested,sync,validation,api_error,api_script"


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> dict[str, list[str]]:
    """What is wrong with each case; nothing, when it holds."""
    out = tmp_path_factory.mktemp("cases") / "results.json"
    with Demo("--timeout", "3600") as demo:
        command = [sys.executable, RECORDED / "run_cases.py", demo.aws, RECORDED, "--group", GROUPS, "--jobs", "8"]
        environment = os.environ | {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
        done = subprocess.run(
            [*command, "--timeout", "15", "--json", out], capture_output=True, text=True, timeout=900, env=environment
        )
    assert out.exists(), done.stdout + done.stderr
    return {case["name"]: case["problems"] for case in json.loads(out.read_text())}


@pytest.mark.parametrize("name", LISTED)
def test_recorded_on_aws(results, name):
    assert results[name] == []


def test_the_list_is_complete(results):
    unlisted = sorted(name for name, problems in results.items() if not problems and name not in LISTED)
    assert unlisted == [], "these hold now: add them to tests/cases/passing.txt"
