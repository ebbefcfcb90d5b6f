"""moto as an AWS that nobody here wrote, and a machine on it that waits."""

import json
import os
import subprocess
import sys
import urllib.error
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from demo import PATIENCE, fetch, wait_until
from serve import free_port
from stack import package
from waiting import run_machines

# Where each moto notes what it lacks, by its endpoint.
LEFT_OUT: dict[str, Path] = {}


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """moto's endpoint, of a moto of the module's own."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    folder = tmp_path_factory.mktemp("moto")
    log = (folder / "log").open("w")
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("server.py"), "-H", "127.0.0.1", "-p", endpoint.rpartition(":")[2]],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "LEFT_OUT": str(folder / "left-out")},
    )
    LEFT_OUT[endpoint] = folder / "left-out"

    def is_up() -> bool:
        try:
            return fetch(f"{endpoint}/moto-api/data.json").status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    try:
        wait_until("moto answers", is_up)
        run_machines(endpoint, True)
        yield endpoint
    finally:
        server.kill()
        server.wait(PATIENCE)


@pytest.fixture(scope="module")
def left_out(aws):
    """What moto's CloudFormation lacks, as it was noted so far."""

    def left_out() -> list[dict]:
        path = LEFT_OUT[aws]
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return left_out


def pytest_terminal_summary(terminalreporter):
    """Says which types of resources moto made nothing of, and were held to CloudFormation's schemas instead."""
    noted = {json.loads(line)["type"] for path in LEFT_OUT.values() if path.exists() for line in path.read_text().splitlines()}
    real = {"AWS::SecretsManager::Secret", "AWS::SES::ConfigurationSet"}
    if noted:
        terminalreporter.write_line(f"NOTED  moto makes no {', '.join(sorted(noted - real))}")


@pytest.fixture(scope="module")
def client(aws):
    def make(service: str):
        return boto3.client(
            service, endpoint_url=aws, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE),
        )

    make("sesv2").create_email_identity(EmailIdentity="countersign@example.com")
    return make


@pytest.fixture(scope="module")
def packaged(aws, client, tmp_path_factory):
    """infra/template.yaml, packaged in a bucket of moto's."""
    client("s3").create_bucket(Bucket="code")
    return package(aws, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def queue(client):
    return client("sqs").create_queue(QueueName="approvals")["QueueUrl"]


@pytest.fixture
def start(aws, client, queue, request):
    """Starts a machine of one waiting state; gives the execution, and the token as the queue got it."""

    def start(seconds: int) -> tuple[str, str]:
        run_machines(aws, True)
        state = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}},
            "TimeoutSeconds": seconds,
            "Catch": [{"ErrorEquals": ["Approval.Rejected"], "Next": "Rejected"}],
            "End": True,
        }
        definition = {"StartAt": "Ask", "States": {"Ask": state, "Rejected": {"Type": "Pass", "End": True}}}
        sfn = client("stepfunctions")
        name = request.node.name.replace("_", "-")[:60]
        machine = sfn.create_state_machine(
            name=name, definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/any"
        )["stateMachineArn"]
        execution = sfn.start_execution(stateMachineArn=machine, name=name)["executionArn"]
        message = wait_until(
            "the token is in the queue",
            lambda: next(iter(client("sqs").receive_message(QueueUrl=queue).get("Messages", [])), None),
        )
        client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return execution, json.loads(message["Body"])["token"]

    return start
