"""AWS's own runner of durable functions, from its testing SDK: it keeps their executions, and has their code run by a Lambda."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import boto3

from demo import BINARY, PATIENCE, wait_until
from serve import environment

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "infra/workflows/durable-approval"
# Where tests/run puts the runner, and what the sample's code needs.
TOOLS = Path(BINARY).parents[1] / "venv/bin"


def path_with_tools() -> str:
    """The PATH with which the sample's code is run."""
    return f"{TOOLS}{os.pathsep}{os.environ['PATH']}"


class Runner:
    """The runner, which has the function's code run by the Lambda at `endpoint`. Use as a context manager."""

    def __init__(self, port: int, endpoint: str, function: str = "publish"):
        self.url, self.function = f"http://127.0.0.1:{port}", function
        self.process = subprocess.Popen(
            [TOOLS / "dex-local-runner", "start-server", "--host", "127.0.0.1", "--port", str(port),
             "--lambda-endpoint", endpoint, "--local-runner-region", "us-east-1"],
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
        """Starts an execution; gives its ARN."""
        body = {
            "AccountId": "123456789012", "FunctionName": self.function, "FunctionQualifier": "$LATEST",
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
