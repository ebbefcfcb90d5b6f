"""Executions recorded from AWS, run again on the embedded Step Functions over its API: status, output, error, cause
and every field of every event must be AWS's. `passing.txt` lists the cases that hold; one that no longer does fails, and so does
one that holds and isn't listed, so that the list says how far the engine is.

The recordings are not part of this repository; they lie beside the checkout, where there are any.

Some recordings are older than members that AWS's answers have had since; those are added to them first."""

import datetime
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demo import BINARY

HERE = Path(__file__).parent
RECORDED = HERE.parents[1].parent / "shared/asl-cases"
LISTED = (HERE / "passing.txt").read_text().splitlines()
# Each with how many at once: some calls are answered with everything that is there, so those want a server of their own.
GROUPS = {"core,callback,distributed,nested,sync,validation,test_state": 8, "api_error,api_script": 1}
# What AWS's answers have had since a day, and older recordings lack.
ENCRYPTION = {"encryptionConfiguration": {"type": "AWS_OWNED_KEY"}}
SINCE = [
    (datetime.date(2023, 11, 15), "list_executions", {"redriveCount": 0}),
    (datetime.date(2024, 7, 25), "describe_state_machine", ENCRYPTION),
    (datetime.date(2024, 7, 25), "describe_state_machine_for_execution", ENCRYPTION),
]
# The embedded AWS alone.
SERVER = Path(BINARY).parent / "examples/serve"


def up_to_date(folder: Path) -> Path:
    """A copy of the recordings in which the older ones have what AWS has answered since, and calls the roles that
    their answers tell apart."""
    shutil.copytree(RECORDED, folder)
    for file in folder.glob("api_script/*.json"):
        case = json.loads(file.read_text())
        role = None
        for call in reversed(case["calls"]):
            role = call.get("expect", {}).get("roleArn", role)
            if role and "roleArn" in call["kwargs"]:
                call["kwargs"]["roleArn"] = f"arn:aws:iam::111111111111:role/{role}"
        day, _, _ = case["source"]["recorded"].partition(",")
        recorded = datetime.datetime.strptime(day, "%d-%m-%Y").date()
        for since, operation, members in SINCE:
            for call in case["calls"]:
                if recorded < since and call["op"] == operation and "expect" in call:
                    for answer in call["expect"].get("executions", [call["expect"]]):
                        answer.update(members | answer)
        file.write_text(json.dumps(case))
    return folder


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> dict[str, list[str]]:
    """What is wrong with each case; nothing, when it holds."""
    folder = tmp_path_factory.mktemp("cases")
    recorded = up_to_date(folder / "recorded")
    found = {}
    for groups, jobs in GROUPS.items():
        out = folder / f"{jobs}.json"
        with subprocess.Popen([SERVER, "0"], stdout=subprocess.PIPE, text=True) as server:
            try:
                endpoint = server.stdout.readline().strip()
                done = subprocess.run(
                    [sys.executable, recorded / "run_cases.py", endpoint, recorded, "--group", groups, "--details"]
                    + ["--jobs", str(jobs), "--timeout", "15", "--json", out],
                    env=os.environ | {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"},
                    capture_output=True, text=True, timeout=600,
                )
            finally:
                server.kill()
        assert out.exists(), done.stdout + done.stderr
        found |= {case["name"]: case["problems"] for case in json.loads(out.read_text())}
    return found


@pytest.mark.parametrize("name", LISTED)
def test_recorded_on_aws(results, name):
    assert results[name] == []


def test_the_list_is_complete(results):
    unlisted = sorted(name for name, problems in results.items() if not problems and name not in LISTED)
    assert unlisted == [], "these hold now: add them to tests/cases/passing.txt"
