"""`countersign local` and `countersign serve` take requests from queues and from activities, as another program fills them."""

import json
import signal
import time

import pytest
from demo import BOB, PATIENCE, answer, link_in, wait_until
from local import Local, save
from samples import Samples, copy
from serve import Serve, create_table

CONFIG = """
intake_queues = ["approvals", "orders.fifo"]

[activities.validation]
title = "Validate {}"
signers = [{ name = "Bob", email = "bob@example.com" }]
heartbeat_seconds = 60
"""
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:validation"


def request(title: str) -> dict:
    return {"taskToken.$": "$$.Task.Token", "title": title, "signers": [{"name": "Bob", "email": BOB}]}


def by_queue(queue: str, title: str) -> dict:
    message = {"QueueUrl": f"http://localhost/123456789012/{queue}", "MessageBody": request(title)}
    if queue.endswith(".fifo"):
        message |= {"MessageGroupId": "one", "MessageDeduplicationId.$": "States.UUID()"}
    resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
    ask = {"Type": "Task", "Resource": resource, "Parameters": message, "TimeoutSeconds": 600, "End": True}
    return {"StartAt": "Ask", "States": {"Ask": ask}}


BY_ACTIVITY = {
    "StartAt": "Ask",
    "States": {"Ask": {"Type": "Task", "Resource": ACTIVITY, "TimeoutSeconds": 600, "HeartbeatSeconds": 60, "End": True}},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "countersign.toml").write_text(CONFIG)
    save(tmp_path, "plain", by_queue("approvals", "Approve document 1"))
    save(tmp_path, "ordered", by_queue("orders.fifo", "Approve document 2"))
    save(tmp_path, "wrong", by_queue("approvals", ""))
    save(tmp_path, "task", BY_ACTIVITY)
    return tmp_path


def test_local_makes_queues_and_activities_and_takes_requests_from_them(folder):
    with Local(folder).ready() as local:
        local.find(r"(?m)^Asked by +queue approvals, queue orders\.fifo, activity validation$")
        for machine, document, outcome, expected in [
            ("plain", "1", "approve", "SUCCEEDED"),
            ("ordered", "2", "approve", "SUCCEEDED"),
            ("task", "3", "reject", "FAILED"),
        ]:
            execution = local.start(machine, f"document {document}")
            assert answer(local.link_about(document), outcome, "Because.").status == 200
            assert local.ended(execution)["status"] == expected
        assert local.ended(local.start("wrong"))["error"] == "Approval.InvalidRequest"
        sqs = local.client("sqs")
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="approvals")["QueueUrl"], MessageBody="approve this, please")
        dead = sqs.get_queue_url(QueueName="approvals-dead")["QueueUrl"]

        def put_away():
            return sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"]).get("Messages")

        (letter,) = wait_until("the message is put away", put_away)
        assert "no JSON" in letter["MessageAttributes"]["CountersignReason"]["StringValue"]
        assert local.interrupt() == 0
        assert [line for line in local.errors if "dead-letter" not in line] == []


def test_local_goes_on_with_what_came_while_it_was_away(folder):
    options = ("--data", str(folder / "data"))
    with Local(folder, *options).ready() as local:
        execution = local.start("plain")
        _, _, link = local.link_about("1").partition("/s/")
        local.kill()
    with Local(folder, *options).ready() as local:
        # On another port than before.
        assert answer(f"{local.pages}/s/{link}", "approve").status == 200
        assert local.ended(execution)["status"] == "SUCCEEDED"
        wait_until("Bob has a receipt", lambda: len(local.mails()) == 2)


def test_serve_stops_only_after_the_tokens_that_it_was_given_are_taken_in(demo, tmp_path):
    states, sqs = demo.client("stepfunctions"), demo.client("sqs")
    activity = states.create_activity(name="stopping")["activityArn"]
    sqs.create_queue(QueueName="stopping-dead")
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:stopping-dead", "maxReceiveCount": 5}
    queue = sqs.create_queue(QueueName="stopping", Attributes={"RedrivePolicy": json.dumps(policy)})["QueueUrl"]
    create_table(demo.client("dynamodb"), "stopping")
    more = f'intake_queues = ["{queue}"]\n[activities."{activity}"]\ntitle = "Approve {{}}"\nsigners = [{{ name = "Bob", email = "{BOB}" }}]\n'
    definition = {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": activity, "TimeoutSeconds": 600, "End": True}}}
    role = "arn:aws:iam::123456789012:role/any"
    machine = states.create_state_machine(name="stopping", definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
    with Serve(tmp_path, demo.aws, "stopping", more) as serve:
        asked = {"taskToken": "queued", "title": "Approve document 10", "signers": [{"name": "Bob", "email": BOB}]}
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(asked))
        demo.link_about("10")
        serve.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        # The polls of the activity are open still: one of them is given this task's token.
        execution = states.start_execution(stateMachineArn=machine, input='"document 11"')["executionArn"]
        assert serve.process.wait(PATIENCE + 30) == 0
    waiting = states.get_execution_history(executionArn=execution)["events"]
    assert [event["type"] for event in waiting][-1] == "ActivityStarted"
    # It is in the table: the next process mails.
    with Serve(tmp_path, demo.aws, "stopping", more) as serve:
        assert answer(link_in(demo.mail_about("11")), "approve").status == 200
        assert demo.ended(execution)["status"] == "SUCCEEDED"
        serve.process.kill()


def test_share_data_validated_by_a_person(tmp_path):
    """The sample with Countersign as the outside service: what people comment are the messages of the validation."""
    workflows = copy(tmp_path)
    config = workflows / "countersign.toml"
    people = """
[activities.validation]
title = "Validate {}"
message = "Say in a comment what is wrong with it, if anything is."
signers = [{ name = "Bob" }, { name = "Carol", email = "carol@example.com" }]
"""
    config.write_text(config.read_text().replace('activities = ["validation"]\n', "") + people)
    sample = workflows / "share-data.asl.json"
    selected = '"ResultSelector": {"validationMessages.$": "$.responses[*].comment"},\n      "ResultPath": "$.validationOutput",'
    text = sample.read_text()
    assert text.count('"ResultPath": "$.validationOutput",') == 1
    sample.write_text(text.replace('"ResultPath": "$.validationOutput",', selected))
    with Samples(workflows).ready() as local:
        execution = local.start_with("share-data", '{"executionId": "some:special:id", "email": "ann@example.com"}')

        def asked(address: str) -> str:
            return link_in(wait_until(f"{address} is asked", lambda: local.mails(address))[-1])

        assert answer(asked(BOB), "approve", "The price is missing.").status == 200
        assert answer(asked("carol@example.com"), "approve", "", "Carol").status == 200
        ended = json.loads(local.result_of(execution))
        assert ended["validationOutput"] == {"validationMessages": ["The price is missing."]}
        assert "<li>The price is missing.</li>" in local.mails("ann@example.com")[0]["html"]
        # Nobody else takes the task: the message to the outside service is left.
        assert local.client("stepfunctions").list_activities()["activities"][0]["name"] == "validation"
