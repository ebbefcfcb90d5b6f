"""Executions recorded from AWS, run again on the embedded Step Functions over its API: status, output, error, cause
and every field of every event must be AWS's. `passing.txt` lists the cases that hold; one that no longer does fails, and so does
one that holds and isn't listed, so that the list says how far the engine is.

The recordings are not part of this repository; they lie beside the checkout, where there are any."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from demo import BINARY

HERE = Path(__file__).parent
RECORDED = HERE.parents[1].parent / "shared/asl-cases"
LISTED = (HERE / "passing.txt").read_text().splitlines()
GROUPS = "core,callback,distributed,nested,sync,validation,api_error,api_script"
# The embedded AWS alone.
SERVER = Path(BINARY).parent / "examples/serve"


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> dict[str, list[str]]:
    """What is wrong with each case; nothing, when it holds."""
    out = tmp_path_factory.mktemp("cases") / "results.json"
    with subprocess.Popen([SERVER, "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            endpoint = server.stdout.readline().strip()
            done = subprocess.run(
                [sys.executable, RECORDED / "run_cases.py", endpoint, RECORDED, "--group", GROUPS, "--details"]
                + ["--jobs", "8", "--timeout", "15", "--json", out],
                env=os.environ | {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"},
                capture_output=True, text=True, timeout=600,
            )
        finally:
            server.kill()
    assert out.exists(), done.stdout + done.stderr
    return {case["name"]: case["problems"] for case in json.loads(out.read_text())}


@pytest.mark.parametrize("name", LISTED)
def test_recorded_on_aws(results, name):
    assert results[name] == []


def test_the_list_is_complete(results):
    unlisted = sorted(name for name, problems in results.items() if not problems and name not in LISTED)
    assert unlisted == [], "these hold now: add them to tests/cases/passing.txt"
