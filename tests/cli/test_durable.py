"""The durable function of infra/workflows/durable-approval/, run by the server of AWS's own testing SDK. Its code is a
function of `countersign local`, which asks Bob, and whose calls about the callback reach the runner."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import boto3
import pytest
from demo import PATIENCE, answer, fetch, wait_until
from local import Local
from serve import environment, free_port

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "infra/workflows/durable-approval"
RUNNER = Path(sys.executable).parent / "dex-local-runner"


class Runner:
    """AWS's runner of durable functions, which has the functions' code run by the Lambda at `endpoint`."""

    def __init__(self, port: int, endpoint: str):
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [RUNNER, "start-server", "--host", "127.0.0.1", "--port", str(port), "--lambda-endpoint", endpoint,
             "--local-runner-region", "us-east-1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment(AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any", AWS_REGION="us-east-1"),
        )
        self.client = boto3.client(
            "lambda", endpoint_url=self.url, region_name="us-east-1",
            aws_access_key_id="any", aws_secret_access_key="any",
        )

    def __enter__(self):
        wait_until("the runner answers", self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the runner has ended"
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as healthy:
                return healthy.status == 200
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)

    def start(self, name: str, given: dict) -> str:
        """Starts an execution of the sample; gives its ARN."""
        body = {
            "AccountId": "123456789012", "FunctionName": "publish", "FunctionQualifier": "$LATEST",
            "ExecutionName": name, "ExecutionTimeoutSeconds": 3600, "ExecutionRetentionPeriodDays": 1,
            "InvocationId": name, "Input": json.dumps(given),
        }
        request = urllib.request.Request(
            f"{self.url}/start-durable-execution", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as started:
            return json.load(started)["ExecutionArn"]

    def ended(self, arn: str) -> dict:
        """The execution once it has ended."""

        def found():
            execution = self.client.get_durable_execution(DurableExecutionArn=arn)
            return execution if execution["Status"] != "RUNNING" else None

        return wait_until(f"{arn} ends", found)

    def result(self, arn: str) -> dict:
        ended = self.ended(arn)
        assert ended["Status"] == "SUCCEEDED", ended
        return json.loads(ended["Result"])

    def events(self, arn: str) -> list[str]:
        history = self.client.get_durable_execution_history(DurableExecutionArn=arn)
        return [event["EventType"] for event in history["Events"]]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """`countersign local` over a copy of the sample, and the runner beside it."""
    folder = shutil.copytree(SAMPLE, tmp_path_factory.mktemp("durable") / "sample")
    port = free_port()
    config = folder / "countersign.toml"
    config.write_text(config.read_text().replace("http://127.0.0.1:5000", f"http://127.0.0.1:{port}"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with Local(folder, PATH=path) as running:
        running.ready()
        with Runner(port, running.aws) as runner:
            running.runner = runner
            yield running


def test_an_approval_lets_the_function_go_on(local):
    execution = local.runner.start("approved", {"documentId": "31"})
    answer(local.link_about("31"), "approve")
    result = local.runner.result(execution)
    assert result["published"] and result["receipt"] == "31 published"
    assert result["signature"] == "Bob signed document 31" and result["requestId"].startswith("req_")
    events = local.runner.events(execution)
    assert events.count("CallbackStarted") == events.count("CallbackSucceeded") == 1


def test_a_rejection_reaches_it_with_its_reason(local):
    execution = local.runner.start("rejected", {"documentId": "32"})
    answer(local.link_about("32"), "reject", "Not on a Friday")
    result = local.runner.result(execution)
    assert (result["published"], result["status"]) == (False, "rejected")
    assert result["because"].endswith("Rejected by Bob: Not on a Friday")
    assert "CallbackFailed" in local.runner.events(execution)


def test_a_deadline_that_passes_reaches_it_too(local):
    execution = local.runner.start("expired", {"documentId": "33", "timeoutSeconds": 5})
    local.link_about("33")
    result = local.runner.result(execution)
    assert (result["published"], result["status"]) == (False, "expired")
    assert "Not answered in time by Bob" in result["because"]


def test_bob_reads_that_it_is_too_late_when_the_function_no_longer_waits(local):
    execution = local.runner.start("timed-out", {"documentId": "34", "callbackTimeoutSeconds": 4})
    link = local.link_about("34")
    ended = local.runner.ended(execution)
    assert ended["Status"] == "FAILED", ended
    assert "imed out" in json.dumps(ended["Error"]), ended
    wait_until("the page says that it is too late", lambda: "too late" in fetch(link).text)
