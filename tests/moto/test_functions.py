"""The stack's functions, as CloudFormation made them, with the program in them (account.py): workflows ask by invoking and by
messages; Bob answers on the page behind API Gateway; what falls due comes by the wake queue and the tick; the operations
function completes; programs use the API. At the end, what all that asked of AWS is held to the policies."""

import itertools
import json
import subprocess

import pytest

from account import Account
from demo import BINARY, BOB, PATIENCE, answer, fetch, link_in, wait_until
from iam import Call, allowing, arn, granted
from serve import SCOPES, environment
from stack import Stack

numbers = itertools.count(1)
OPTIONS = {"StartableStateMachines": "orders-*", "StoppableStateMachines": "orders-*", "DurableFunctions": "legal-*"}
# Asked for by AWS itself, with a role of ours, where no test can see it.
BY_AWS = {"logs:CreateLogStream", "logs:PutLogEvents"}


@pytest.fixture(scope="module")
def api_key() -> tuple[str, str]:
    """A key, and what the template's ApiKeys takes for it."""
    options = [option for scope in SCOPES for option in ("--scope", scope)]
    made = subprocess.run([BINARY, "keys", "new", *options], capture_output=True, text=True, check=True, env=environment()).stdout
    lines = made.splitlines()
    return next(line for line in lines if line.startswith("csk_")), next(line for line in lines if line.startswith("[{"))


@pytest.fixture(scope="module")
def account(aws, client, api_key, packaged, tmp_path_factory):
    stack = Stack(aws, client, packaged, "approvals", ApiKeys=api_key[1], **OPTIONS)
    with Account(stack, aws, tmp_path_factory.mktemp("account")) as account:
        yield account


def request_of(title: str, **more) -> dict:
    return {
        "taskToken.$": "$$.Task.Token", "title": title, "signers": [{"name": "Bob", "email": BOB}],
        "execution": {"arn.$": "$$.Execution.Id", "stateName.$": "$$.State.Name"},
    } | more


def run(account, state: dict) -> str:
    """Starts a machine of one state; gives the execution."""
    sfn = account.client("stepfunctions")
    definition = {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "TimeoutSeconds": 300, "End": True} | state}}
    role = "arn:aws:iam::123456789012:role/any"
    machine = sfn.create_state_machine(name=f"orders-{next(numbers)}", definition=json.dumps(definition), roleArn=role)
    return sfn.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]


def by_invoke(account, asked: dict) -> dict:
    parameters = {"FunctionName": account.functions["Function"], "Payload": asked}
    return {"Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": parameters}


def by_message(account, asked: dict) -> dict:
    parameters = {"QueueUrl": account.queue("requests"), "MessageBody": asked}
    return {"Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Parameters": parameters}


def link_about(account, thing: str) -> str:
    mail = wait_until(f"a mail about {thing}", lambda: next((it for it in account.local.mails() if thing in it["subject"]), None))
    return account.front.reach(link_in(mail))


@pytest.mark.parametrize("way", [by_invoke, by_message])
def test_a_workflow_asks_and_goes_on(account, way):
    thing = f"release {way.__name__}"
    execution = run(account, way(account, request_of(f"Approve {thing}")))
    assert answer(link_about(account, thing), "approve").status == 200
    ended = account.local.ended(execution)
    assert ended["status"] == "SUCCEEDED" and json.loads(ended["output"])["approved"] is True


@pytest.mark.parametrize("way", [by_invoke, by_message])
def test_a_rejection_is_an_error_of_its_own(account, way):
    thing = f"contract {way.__name__}"
    execution = run(account, way(account, request_of(f"Approve {thing}")))
    assert answer(link_about(account, thing), "reject", "Not yet.").status == 200
    assert account.local.ended(execution)["error"] == "Approval.Rejected"


def test_nobody_answers_and_the_workflow_hears_of_it(account):
    """By the wake that was sent along; else a tick finds it."""
    execution = run(account, by_invoke(account, request_of("Approve case late", timeoutSeconds=2)))
    assert account.local.ended(execution)["error"] == "Approval.Expired"
    account.tick()


def test_a_message_that_is_no_request_is_put_away_with_the_reason(account):
    sqs = account.client("sqs")
    sqs.send_message(QueueUrl=account.queue("requests"), MessageBody="no request")

    def dead():
        asked = sqs.receive_message(QueueUrl=account.queue("requests-dead"), MessageAttributeNames=["All"])
        return asked.get("Messages", [])

    (message,) = wait_until("it is in the dead-letter queue", dead)
    assert message["Body"] == "no request" and message["MessageAttributes"]["CountersignReason"]["StringValue"]


def test_the_right_to_ask_is_not_the_right_to_answer(account):
    execution = run(account, by_invoke(account, request_of("Approve case seven", externalId="seven")))
    link_about(account, "case seven")
    complete = {"action": "complete", "externalId": "seven", "outcome": "approve", "comment": "By telephone."}
    with pytest.raises(AssertionError, match=r"Approval\.InvalidRequest"):
        account.invoke(complete)
    done = account.invoke(complete, "OperationsFunction")
    assert (done["status"], done["callback"]) == ("approved", "delivered")
    assert account.local.ended(execution)["status"] == "SUCCEEDED"


def test_what_is_withdrawn_with_a_stop_ends_its_execution(account):
    execution = run(account, by_invoke(account, request_of("Approve case eight", externalId="eight")))
    link_about(account, "case eight")
    account.invoke({"action": "cancel", "externalId": "eight", "reason": "Enough.", "stop": True}, "OperationsFunction")
    assert account.local.ended(execution)["status"] == "ABORTED"


def test_a_program_uses_the_api_behind_api_gateway(account, api_key):
    variables = environment(COUNTERSIGN_URL=account.front.url, COUNTERSIGN_API_KEY=api_key[0])

    def program(*arguments: str) -> str:
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, env=variables, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(account, by_invoke(account, request_of("Approve case nine", tags={"team": "legal"})))
    link_about(account, "case nine")
    (pending,) = json.loads(program("pending", "--tag", "team=legal", "--json"))["requests"]
    program("cancel", pending["requestId"], "--reason", "Enough.")
    assert json.loads(program("show", pending["requestId"], "--json"))["status"] == "cancelled"
    program("start", "orders-1", "--idempotency-key", "one")


def test_what_becomes_of_a_mail_is_known(account):
    """SES's event comes over EventBridge, by the rule that the stack makes."""
    nobody = {"name": "Carol", "email": "bounce@simulator.amazonses.com"}
    run(account, by_invoke(account, request_of("Approve case ten", signers=[nobody], externalId="ten")))

    def bounced():
        listed = account.invoke({"action": "list", "status": "attention"}, "OperationsFunction")["requests"]
        return [it for it in listed if it.get("externalId") == "ten"]

    wait_until("the bounce is noticed", bounced)


@pytest.mark.parametrize(("outcome", "published"), [("approve", True), ("reject", False)])
def test_a_durable_function_asks_and_goes_on(account, outcome, published):
    """The answer's own answer is lost, so that the execution's history is looked at."""
    if outcome == "approve":
        account.recorder.lose.append("lambda:SendDurableExecutionCallbackSuccess")
    execution = account.runner.start(outcome, {"documentId": f"9{len(outcome)}"})
    assert answer(link_about(account, f"document 9{len(outcome)}"), outcome, "Not yet.").status == 200
    result = account.runner.result(execution)
    assert result["published"] == published, result

    def is_settled():
        shown = account.invoke({"action": "show", "requestId": result["requestId"]}, "OperationsFunction")
        return shown["callback"]["state"] == "delivered"

    wait_until("the callback is settled", is_settled)
    assert account.recorder.lose == []


def test_state_data_is_put_down_and_read(account):
    """Small items in the table, one that it can't hold in the bucket."""
    asked = {"namespace": "run-7", "key": "characters"}

    def tools(action: str, **more):
        return account.invoke({"action": action} | asked | more, "TaskToolsFunction")

    pointer = tools("put_items", items=[{"name": "jerry"}, {"name": "elaine"}])
    assert len(pointer["items"]) == 2
    assert tools("get_items")["items"] == [{"name": "jerry"}, {"name": "elaine"}]
    tools("put_item", key="long", data="x" * 500_000)
    assert tools("get_item", key="long")["data"] == "x" * 500_000
    with pytest.raises(AssertionError, match="NoItemFound"):
        tools("get_item", key="none")
    with pytest.raises(AssertionError, match="not allowed here"):
        account.invoke({"action": "put_item"} | asked | {"data": 1})


def test_a_result_that_is_too_long_goes_to_state_data(account):
    """The workflow gets a pointer in place of it. Each comment has 8,000 bytes."""
    many = [{"name": f"Person {n}", "email": f"person{n}@example.com"} for n in range(36)]
    execution = run(account, by_invoke(account, request_of("Approve case twelve", signers=many, externalId="twelve")))
    listed = {"action": "list", "externalId": "twelve"}
    wait_until("it is pending", lambda: account.invoke(listed, "OperationsFunction")["requests"])
    complete = {"action": "complete", "externalId": "twelve", "outcome": "approve", "comment": "\U0001f58a" * 2_000}
    assert account.invoke(complete, "OperationsFunction")["status"] == "approved"
    output = account.local.ended(execution)["output"]
    assert "approvals-state-data" in output and len(output) < 262_144


def test_a_link_that_is_none_and_a_page_that_is_none(account):
    assert fetch(f"{account.front.url}/s/{'x' * 47}").status == 404
    assert fetch(f"{account.front.url}/nothing").status == 404
    assert fetch(f"{account.front.url}/readyz").status == 200


# ---- the policies: these stand last, after everything that is recorded --------------------------


def of_role(account, role: str) -> list[dict]:
    managed = {
        "FunctionRole": ["ServicePolicy", "StateDataPolicy", "StartPolicy", "StopPolicy"],
        "OperationsFunctionRole": ["ServicePolicy", "StateDataPolicy", "StopPolicy"],
        "TaskToolsFunctionRole": ["StateDataPolicy", "StopPolicy"],
    }
    return account.stack.documents(role, *managed[role])


@pytest.mark.parametrize("role", ["FunctionRole", "OperationsFunctionRole", "TaskToolsFunctionRole"])
def test_what_a_function_asks_is_allowed(account, role):
    calls = account.recorder.of(role)
    assert len(calls) > (100 if role == "FunctionRole" else 5)
    documents = of_role(account, role)
    refused = {str(call) for call in calls if allowing(documents, call) is None}
    assert not refused, refused


@pytest.mark.parametrize("role", ["FunctionRole", "OperationsFunctionRole"])
def test_what_only_a_function_may_is_asked(account, role):
    """Its own policies; those that the container's role has as well, test_permissions.py holds to calls."""
    own = list(account.stack.inline(role).values())
    used = {pair for call in account.recorder.of(role) for pair in allowing(own, call) or []}
    assert granted(own) - {action for action, _ in used} <= BY_AWS | ({"sqs:SendMessage"} if role != "FunctionRole" else set())


def test_what_durable_functions_need_is_asked(account):
    service = [account.stack.policy("ServicePolicy")]
    needed = {action for action in granted(service) if action.startswith("lambda:")}
    assert len(needed) == 5, needed
    used = {action for call in account.recorder.of("FunctionRole") for action, _ in allowing(service, call) or []}
    assert needed - used == set()


def test_what_stops_executions_is_asked(account):
    documents = [account.stack.policy("StopPolicy")]
    used = {action for call in account.recorder.of("OperationsFunctionRole") for action, _ in allowing(documents, call) or []}
    assert granted(documents) == used == {"states:StopExecution"}


def test_what_state_data_needs_is_asked(account):
    documents = account.stack.documents("TaskToolsFunctionRole", "StateDataPolicy")
    used = {action for call in account.recorder.of("TaskToolsFunctionRole") for action, _ in allowing(documents, call) or []}
    # S3 asks for it by itself, where an object isn't there.
    assert granted(documents) - used <= BY_AWS | {"s3:ListBucket"}


def test_the_scheduler_may_tick_and_nothing_else(account):
    documents = account.stack.documents("TickRole")
    calls = account.recorder.of("TickRole")
    assert calls and all(allowing(documents, call) for call in calls)
    assert granted(documents) == {"lambda:InvokeFunction"}
    operations = Call("TickRole", "lambda:InvokeFunction", (arn("lambda", "function:approvals-operations"),))
    assert allowing(documents, operations) is None


def test_a_workflows_role_may_ask_in_both_ways_and_not_operate(account):
    documents = [account.stack.policy("MayAsk")]
    for call, may in [
        (("lambda:InvokeFunction", arn("lambda", "function:approvals")), True),
        (("sqs:SendMessage", arn("sqs", "approvals-requests")), True),
        (("lambda:InvokeFunction", arn("lambda", "function:approvals-operations")), False),
        (("sqs:ReceiveMessage", arn("sqs", "approvals-requests")), False),
        (("sqs:SendMessage", arn("sqs", "approvals-wake")), False),
    ]:
        assert (allowing(documents, Call("workflow", call[0], (call[1],))) is not None) == may, call
