"""The permissions in infra/template.yaml against what is asked of AWS: an approval's whole life in every way that there is,
each call noted (tests/iam.py) and held to the policies as CloudFormation fills them in. What is called is allowed, and what
is allowed is called."""

import json
import re
import time

import pytest

from demo import BOB, answer, fetch, link_in, wait_until
from iam import Call, Recorder, allowing, arn, asked, granted, matches
from serve import Serve, create_table
from stack import Stack

CONTAINERS = {
    "Service": "container", "PublicUrl": "https://sign.example.com", "Image": "example.com/countersign:1",
    "Activities": "legal-*", "StartableStateMachines": "orders-*",
}


@pytest.fixture(scope="module")
def contained(aws, client, packaged):
    return Stack(aws, client, packaged, "contained", **CONTAINERS)


class Workflows:
    """Machines in the demo's AWS that hand their token to a queue, an activity, or this test."""

    def __init__(self, demo):
        self.demo, self.sfn, self.sqs = demo, demo.client("stepfunctions"), demo.client("sqs")

    def machine(self, name: str, state: dict) -> str:
        definition = {"StartAt": "Ask", "States": {"Ask": state | {"Type": "Task", "End": True, "TimeoutSeconds": 300}}}
        role = "arn:aws:iam::123456789012:role/any"
        made = self.sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)
        return made["stateMachineArn"]

    def start(self, machine: str) -> str:
        return self.sfn.start_execution(stateMachineArn=machine)["executionArn"]

    def by_queue(self, name: str, url: str, asked: dict) -> dict:
        body = {"taskToken.$": "$$.Task.Token", "execution": {"arn.$": "$$.Execution.Id"}} | asked
        return {"Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Parameters": {"QueueUrl": url, "MessageBody": body}}


def request(title: str, **more) -> dict:
    return {"title": title, "signers": [{"name": "Bob", "email": BOB}]} | more


def link_to(demo, serve, thing: str) -> str:
    def mail():
        return next((it for it in demo.mails() if thing in it["subject"] and f"{serve.url}/s/" in it["text"]), None)

    return link_in(wait_until(f"a mail about {thing}", mail))


@pytest.fixture(scope="module")
def walked(aws, client, contained, demo, tmp_path_factory):
    """Everything that `serve` does, over a recorder, as ServiceRole."""
    flows = Workflows(demo)
    create_table(demo.client("dynamodb"), "contained")
    url = flows.sqs.create_queue(QueueName="contained-requests")["QueueUrl"]
    dead = flows.sqs.create_queue(QueueName="contained-requests-dead")["QueueUrl"]
    activity = flows.sfn.create_activity(name="legal-review")["activityArn"]
    more = (
        f'intake_queues = ["{url}"]\ndead_letter_queue = "{dead}"\n'
        f'[activities."{activity}"]\ntitle = "Approve case four"\nsigners = [{{name = "Bob", email = "{BOB}"}}]\n'
    )
    given = contained.variables()
    keys = "\n".join(f'{name} = "{given[f"COUNTERSIGN_{name.upper()}"]}"' for name in ("master_key", "evidence_key"))
    with Recorder(demo.aws, secretsmanager=aws) as recorder:
        variables = {"AWS_ACCESS_KEY_ID": "ServiceRole", "RUST_LOG": "warn"}
        with Serve(tmp_path_factory.mktemp("serve"), recorder.url, "contained", more, keys, **variables) as serve:
            walk(flows, serve, recorder, url, activity)
        yield recorder


def walk(flows: Workflows, serve: Serve, recorder: Recorder, url: str, activity: str):
    demo = flows.demo
    # By queue: approved, rejected, and one that nobody answers.
    ends = {"approve": "SUCCEEDED", "reject": "FAILED"}
    for outcome, status in ends.items():
        thing = f"{outcome} by queue"
        machine = flows.machine(f"orders-{outcome}", flows.by_queue(outcome, url, request(f"Approve {thing}")))
        execution = flows.start(machine)
        assert answer(link_to(demo, serve, thing), outcome, "So it is.").status == 200
        assert demo.ended(execution)["status"] == status
    late = request("Approve case late", timeoutSeconds=2, reminders={"afterSeconds": 60}, heartbeatSeconds=15)
    execution = flows.start(flows.machine("orders-late", flows.by_queue("late", url, late)))
    assert demo.ended(execution)["error"] == "Approval.Expired"
    # What can't be taken in.
    flows.sqs.send_message(QueueUrl=url, MessageBody="no request")
    # By activity.
    execution = flows.start(flows.machine("orders-activity", {"Resource": activity}))
    assert answer(link_to(demo, serve, "case four"), "approve").status == 200
    assert demo.ended(execution)["status"] == "SUCCEEDED"
    # Over HTTP, with heartbeats; the answer's own answer is lost, so that the history is looked at.
    machine = flows.machine("orders-token", flows.by_queue("token", flows.sqs.create_queue(QueueName="tokens")["QueueUrl"], {}))
    started = json.loads(serve.run("start", machine, "--json").stdout)["executionArn"]
    tokens = flows.sqs.get_queue_url(QueueName="tokens")["QueueUrl"]
    message = wait_until("a token", lambda: flows.sqs.receive_message(QueueUrl=tokens, WaitTimeSeconds=5).get("Messages"))[0]
    token = json.loads(message["Body"])["taskToken"]
    opened = serve.open(request("Approve case five", taskToken=token, heartbeatSeconds=15, execution={"arn": started}))
    recorder.lose.append("states:SendTaskSuccess")
    assert answer(link_to(demo, serve, "case five"), "approve").status == 200
    assert demo.ended(started)["status"] == "SUCCEEDED"
    number = json.loads(opened.text)["requestId"]
    wait_until("the callback is settled", lambda: serve.show(number)["callback"]["state"] == "delivered")
    # Whether a workflow still waits, where its execution isn't known, a heartbeat says.
    opened = serve.open(request("Approve case six", taskToken="t" * 40, reminders={"afterSeconds": 60}))
    fetch(link_to(demo, serve, "case six"))
    number = json.loads(opened.text)["requestId"]
    # Looked after.
    for command in (["pending"], ["show", number], ["events", number], ["resend", number], ["cancel", number, "--reason", "Enough."]):
        serve.run(*command)
    serve.run("start", "orders-approve", "--idempotency-key", "one")
    # An intake that was cut off long ago: another request takes its place, and no mail stays due for it.
    token = {"taskToken": "s" * 40}
    first = json.loads(serve.open(request("Approve case seven", **token)).text)["requestId"]
    link_to(demo, serve, "case seven")
    cut_off(demo, first)
    assert json.loads(serve.open(request("Approve case eight", **token)).text)["requestId"] == first
    second = serve.open(request("Approve case nine", taskToken="n" * 40, reminders={"afterSeconds": 60}))
    link_to(demo, serve, "case nine")
    cut_off(demo, json.loads(second.text)["requestId"])
    forgotten(demo, json.loads(second.text)["requestId"])


def key_of(number: str, part: str) -> dict:
    return {"pk": {"S": f"A#{number}"}, "sk": {"S": part}}


def cut_off(demo, number: str):
    """As if the process had died between the body and the state, an hour ago."""
    table = demo.client("dynamodb")
    signer = lambda: table.get_item(TableName="contained", Key=key_of(number, "R#000"))["Item"]["json"]["S"]  # noqa: E731
    wait_until("the mail is marked as sent", lambda: '"is":"sent"' in signer())
    table.delete_item(TableName="contained", Key=key_of(number, "S"))
    body = table.get_item(TableName="contained", Key=key_of(number, "B"))["Item"]
    long_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    body["json"]["S"] = re.sub('"created":"[^"]+"', f'"created":"{long_ago}"', body["json"]["S"], count=1)
    table.put_item(TableName="contained", Item=body)


def forgotten(demo, number: str):
    """Has the signer's reminder fall due, and waits until it isn't any more."""
    table, key = demo.client("dynamodb"), key_of(number, "R#000")
    table.update_item(
        TableName="contained", Key=key, UpdateExpression="SET due_at = :now",
        ExpressionAttributeValues={":now": {"N": str(int(time.time() * 1000))}},
    )
    wait_until("nothing is due", lambda: "due" not in table.get_item(TableName="contained", Key=key)["Item"])


def test_what_is_called_is_allowed(walked, contained):
    documents = contained.documents("ServiceRole", "ServicePolicy", "StartPolicy")
    calls = walked.of("ServiceRole")
    assert len(calls) > 100
    refused = {str(call) for call in calls if allowing(documents, call) is None}
    assert not refused, refused


def test_what_is_allowed_is_called(walked, contained):
    documents = contained.documents("ServiceRole", "ServicePolicy", "StartPolicy")
    used = {action for call in walked.of("ServiceRole") for action, _ in allowing(documents, call) or []}
    assert granted(documents) - used == set()


def test_a_call_that_no_policy_names_is_refused(contained):
    documents = contained.documents("ServiceRole", "ServicePolicy", "StartPolicy")
    region = (("aws:RequestedRegion", "us-east-1"),)
    mail = region + (("ses:FromAddress", "countersign@example.com"),)
    sender = arn("ses", "identity/countersign@example.com")
    for call, may in [
        (Call("x", "dynamodb:PutItem", (arn("dynamodb", "table/contained"),), region), True),
        (Call("x", "dynamodb:PutItem", (arn("dynamodb", "table/other"),), region), False),
        (Call("x", "dynamodb:Scan", (arn("dynamodb", "table/contained"),), region), False),
        (Call("x", "dynamodb:Query", (arn("dynamodb", "table/contained/index/due"),), region), True),
        (Call("x", "ses:SendEmail", (sender,), mail), True),
        (Call("x", "ses:SendEmail", (sender, arn("ses", "configuration-set/other")), mail), False),
        (Call("x", "ses:SendEmail", (sender,), region + (("ses:FromAddress", "ceo@example.com"),)), False),
        (Call("x", "states:SendTaskSuccess", ("*",), region), True),
        (Call("x", "states:SendTaskSuccess", ("*",), (("aws:RequestedRegion", "eu-west-1"),)), False),
        (Call("x", "states:StartExecution", (arn("states", "stateMachine:orders-1"),), region), True),
        (Call("x", "states:StartExecution", (arn("states", "stateMachine:payroll"),), region), False),
    ]:
        assert (allowing(documents, call) is not None) == may, call


def test_requests_are_understood_as_iam_does():
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=Role/20261121/us-east-1/{}/aws4_request, Signature=0"}

    def of(service: str, target: str, body: dict, method: str = "POST", path: str = "/") -> list:
        headers = {name: text.format(service) for name, text in signed.items()} | {"x-amz-target": target}
        return [(call.action, call.resources) for call in asked(method, path, headers, json.dumps(body).encode())]

    table = arn("dynamodb", "table/t")
    transaction = {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "t"}}]}
    assert of("dynamodb", "DynamoDB_20120810.TransactWriteItems", transaction) == [
        ("dynamodb:PutItem", (table,)), ("dynamodb:ConditionCheckItem", (table,))
    ]
    query = {"TableName": "t", "IndexName": "due"}
    assert of("dynamodb", "DynamoDB_20120810.Query", query) == [("dynamodb:Query", (f"{table}/index/due",))]
    mail = {"FromEmailAddress": "A <a@example.com>", "ConfigurationSetName": "c"}
    assert of("ses", "", mail, path="/v2/email/outbound-emails") == [
        ("ses:SendEmail", (arn("ses", "identity/a@example.com"), arn("ses", "configuration-set/c")))
    ]
    with pytest.raises(AssertionError, match="isn't understood"):
        of("ses", "", {}, path="/v2/email/account", method="GET")
    assert matches("arn:aws:s3:::b/*", "arn:aws:s3:::b/k") and not matches("a[b]", "ab")
