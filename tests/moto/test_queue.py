"""`serve` polls a queue of moto's AWS: the machine's message is the request, nobody in between. moto has no GetActivityTask,
so activities are tried on the embedded AWS alone (`tests/it/activities.rs`, `tests/cli/test_ways.py`)."""

import json
import time

import pytest

from demo import BOB, answer, fetch, wait_until
from serve import Serve, create_table
from waiting import ended, link_about, mails_about

DEAD = "requests-dead"


@pytest.fixture(scope="module")
def requests(client):
    """The queue that is polled."""
    sqs = client("sqs")
    dead = sqs.create_queue(QueueName=DEAD)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    return sqs.create_queue(QueueName="requests", Attributes={"RedrivePolicy": policy})["QueueUrl"]


@pytest.fixture(scope="module")
def serve(aws, client, requests, tmp_path_factory):
    create_table(client("dynamodb"), "countersign-queue")
    folder = tmp_path_factory.mktemp("serve")
    with Serve(folder, aws, "countersign-queue", f'intake_queues = ["{requests}"]\n') as running:
        yield running
        assert running.terminate() == 0


@pytest.fixture
def ask(client, requests, request):
    """Starts a machine of one state that asks Bob by the queue; gives the execution."""

    def ask(thing: str, more: dict, seconds: int = 300) -> str:
        body = {
            "taskToken.$": "$$.Task.Token",
            "title": f"Approve {thing}",
            "signers": [{"name": "Bob", "email": BOB}],
            "execution": {"arn.$": "$$.Execution.Id"},
        }
        state = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": requests, "MessageBody": body | more},
            "TimeoutSeconds": seconds,
            "Catch": [{"ErrorEquals": ["Approval.Rejected", "Approval.InvalidRequest"], "Next": "Caught"}],
            "End": True,
        }
        definition = {"StartAt": "Ask", "States": {"Ask": state, "Caught": {"Type": "Pass", "End": True}}}
        sfn = client("stepfunctions")
        name = request.node.name.replace("_", "-")[:60]
        machine = sfn.create_state_machine(
            name=name, definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/any"
        )["stateMachineArn"]
        return sfn.start_execution(stateMachineArn=machine, name=name)["executionArn"]

    return ask


def left(client, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counted = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(count) for count in counted.values())


def test_an_approval_by_a_queue(serve, aws, client, requests, ask):
    execution = ask("queued one", {})
    assert answer(link_about(serve, aws, "queued one"), "approve").status == 200
    described = ended(client, execution)
    assert (described["status"], json.loads(described["output"])["approved"]) == ("SUCCEEDED", True)
    wait_until("the message is deleted", lambda: left(client, requests) == 0)


def test_a_rejection_by_a_queue(serve, aws, client, ask):
    execution = ask("queued two", {})
    assert answer(link_about(serve, aws, "queued two"), "reject", "Not yet.").status == 200
    assert json.loads(ended(client, execution)["output"])["Error"] == "Approval.Rejected"


def test_a_workflow_that_timed_out_closes_the_request_from_its_queue(serve, aws, client, ask):
    execution = ask("queued three", {}, seconds=3)
    link = link_about(serve, aws, "queued three")
    assert ended(client, execution)["status"] in ("TIMED_OUT", "FAILED")
    assert "csrf" not in fetch(link).text


def test_a_refused_request_is_an_error_in_the_workflow(serve, client, requests, ask):
    execution = ask("queued four", {"colour": "blue"})
    assert json.loads(ended(client, execution)["output"])["Error"] == "Approval.InvalidRequest"
    wait_until("the message is deleted", lambda: left(client, requests) == 0)


def test_what_is_no_request_lies_with_the_dead_letters_and_says_why(serve, client, requests):
    sqs = client("sqs")
    sqs.send_message(QueueUrl=requests, MessageBody="approve this, please")
    dead = sqs.get_queue_url(QueueName=DEAD)["QueueUrl"]

    def put_away():
        return sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"]).get("Messages")

    (letter,) = wait_until("the message is put away", put_away)
    assert letter["Body"] == "approve this, please"
    assert letter["MessageAttributes"]["CountersignReason"]["StringValue"].startswith("the message is no JSON")
    assert left(client, requests) == 0


def test_the_same_message_twice_is_one_mail(serve, aws, client, requests):
    body = json.dumps({"taskToken": "twice", "title": "Approve queued five", "signers": [{"name": "Bob", "email": BOB}]})
    envelope = {"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:123456789012:any", "Message": body}
    for text in (body, json.dumps(envelope), body):
        client("sqs").send_message(QueueUrl=requests, MessageBody=text)
    wait_until("all are deleted", lambda: left(client, requests) == 0)
    wait_until("the mail is sent", lambda: mails_about(aws, "queued five"))
    time.sleep(1)
    assert len(mails_about(aws, "queued five")) == 1
