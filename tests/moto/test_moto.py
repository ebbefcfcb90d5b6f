"""The whole way against an AWS that nobody here wrote: moto's Step Functions, DynamoDB, SQS and SES behind `serve`. The
machine sends its token to a queue, this test posts it to the API, Bob answers on the page, the execution goes on."""

import json
import re
import subprocess
import sys
import time
import urllib.error

import boto3
import pytest
from botocore.config import Config

from demo import BOB, PATIENCE, answer, fetch, wait_until
from serve import Serve, create_table, free_port


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """moto's endpoint, with the table, the mail identity and the queue."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", endpoint.rpartition(":")[2]],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )

    def is_up() -> bool:
        try:
            return fetch(f"{endpoint}/moto-api/data.json").status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    try:
        wait_until("moto answers", is_up)
        settings = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        fetch(f"{endpoint}/moto-api/config", "POST", settings, {"content-type": "application/json"})
        yield endpoint
    finally:
        server.kill()
        server.wait(PATIENCE)


@pytest.fixture(scope="module")
def client(aws):
    def make(service: str):
        return boto3.client(
            service, endpoint_url=aws, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE),
        )

    create_table(make("dynamodb"), "countersign")
    make("sesv2").create_email_identity(EmailIdentity="countersign@example.com")
    return make


@pytest.fixture(scope="module")
def serve(aws, client, tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve"), aws, "countersign") as running:
        yield running


@pytest.fixture(scope="module")
def queue(client):
    return client("sqs").create_queue(QueueName="approvals")["QueueUrl"]


@pytest.fixture
def start(client, queue, request):
    """Starts a machine of one waiting state; gives the execution, and the token as the queue got it."""

    def start(seconds: int) -> tuple[str, str]:
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


def ask(serve, aws, execution: str, token: str, title: str) -> tuple[str, str]:
    """The request, and the link in Bob's mail."""
    opened = serve.open(
        {
            "taskToken": token,
            "title": title,
            "signers": [{"name": "Bob", "email": BOB}],
            "execution": {"arn": execution},
        }
    )
    assert opened.status == 201, opened.text
    thing = title.partition(" ")[2]

    def mail():
        data = json.loads(fetch(f"{aws}/moto-api/data.json").text)
        sent = [m for service in ("ses", "sesv2") for m in data.get(service, {}).get("Message", [])]
        return next((m for m in sent if thing in str(m.get("subject"))), None)

    sent = wait_until("Bob's mail is sent", mail)
    # moto keeps the HTML part alone.
    link = re.search(rf"{re.escape(serve.url)}/s/[\w-]{{47}}", sent["body"]).group()
    return json.loads(opened.text)["requestId"], link


def ended(client, execution: str) -> dict:
    def has_ended():
        described = client("stepfunctions").describe_execution(executionArn=execution)
        return described if described["status"] != "RUNNING" else None

    return wait_until("the execution ends", has_ended)


def test_an_approval_reaches_the_execution(serve, aws, client, start):
    execution, token = start(300)
    request, link = ask(serve, aws, execution, token, "Approve release one")
    assert answer(link, "approve").status == 200
    described = ended(client, execution)
    assert described["status"] == "SUCCEEDED"
    output = json.loads(described["output"])
    assert (output["requestId"], output["approved"]) == (request, True)
    assert serve.show(request)["callback"]["state"] == "delivered"


def test_a_rejection_is_caught_by_its_name(serve, aws, client, start):
    execution, token = start(300)
    request, link = ask(serve, aws, execution, token, "Approve release two")
    assert answer(link, "reject", "Not yet.").status == 200
    described = ended(client, execution)
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"])["Error"] == "Approval.Rejected"
    assert serve.show(request)["status"] == "rejected"


def test_a_workflow_that_timed_out_closes_its_request(serve, aws, client, start):
    execution, token = start(3)
    request, link = ask(serve, aws, execution, token, "Approve release three")
    assert ended(client, execution)["status"] in ("TIMED_OUT", "FAILED")
    # A page that was opened just now asks again after ten seconds.
    time.sleep(0.1)
    page = fetch(link)
    assert "csrf" not in page.text, page.text
    assert serve.show(request)["status"] == "orphaned"
