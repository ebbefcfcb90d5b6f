"""The packaged function end to end: each way in, answered over each kind of HTTP event; what is left for later comes by wakes
and ticks; and nothing depends on anything running in between."""

import itertools
import json
import re
import time
import urllib.parse

import pytest

import events
from demo import BOB, FORM, form_of, wait_until
from events import PUBLIC
from lives.grid import CALLBACK_LEASE
from runtime import Died, FunctionError, read_answer
from sfn import StepFunctionsBetween

NUMBERS = itertools.count(1)
SENDERS = itertools.cycle(events.HTTP)


@pytest.fixture
def start(aws, request):
    """Starts a machine of one waiting state; gives the execution, and the request that its queue got."""

    def start(title: str, seconds: int = 300, **more) -> tuple[str, str]:
        name = f"{re.sub('[^a-z0-9]+', '-', request.node.name.lower())[:50]}-{next(NUMBERS)}"
        queue = aws.queue(name)
        message = {
            "taskToken.$": "$$.Task.Token", "title": title, "signers": [{"name": "Bob", "email": BOB}],
            "execution": {"arn.$": "$$.Execution.Id"},
        } | more
        state = {
            "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "TimeoutSeconds": seconds,
            "Parameters": {"QueueUrl": queue, "MessageBody": message},
            "Catch": [{"ErrorEquals": ["Approval.Rejected", "Approval.Expired"], "Next": "Refused"}], "End": True,
        }
        definition = {"StartAt": "Ask", "States": {"Ask": state, "Refused": {"Type": "Pass", "End": True}}}
        sfn = aws.client("stepfunctions")
        machine = sfn.create_state_machine(
            name=name, definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/any"
        )["stateMachineArn"]
        execution = sfn.start_execution(stateMachineArn=machine, name=name)["executionArn"]
        (body,) = wait_until("the request is in the queue", lambda: aws.received(queue))
        return execution, body

    return start


def direct(function, api_key, body: str) -> str:
    return function.invoke(json.loads(body))["requestId"]


def by_http(function, api_key, body: str) -> str:
    headers = {"content-type": "application/json", "authorization": f"Bearer {api_key[0]}"}
    event = events.HTTP[next(SENDERS)]("POST", f"{PUBLIC}/api/v1/requests", body, headers)
    answer = read_answer(function.invoke(event))
    assert answer.status == 201, answer
    return json.loads(answer.text)["requestId"]


def by_queue(function, api_key, body: str) -> None:
    assert function.invoke(events.messages(body)) == {"batchItemFailures": []}


WAYS = {"direct": direct, "http": by_http, "queue": by_queue}


def link_about(aws, title: str) -> str:
    # moto's HTML, or the mailbox's text. It is there when the function has answered: nothing sends it later.
    (mail, *_) = aws.bodies(title)
    return re.search(rf"{re.escape(PUBLIC)}/s/[\w-]{{47}}", mail).group()


def get(function, sender: str, url: str):
    return read_answer(function.invoke(events.HTTP[sender]("GET", url, "", {"user-agent": "Mozilla/5.0 Firefox/140.0"})))


def answer_page(function, sender: str, link: str, outcome: str, comment: str = ""):
    """Opens the page and sends its form, as a browser does."""
    page = get(function, sender, link)
    assert page.status == 200, page
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["cache-control"] == "no-store" and "set-cookie" not in page.headers
    fields = form_of(page.text) | {"outcome": outcome, "comment": comment, "name": "Bob"}
    headers = FORM | {"origin": PUBLIC, "user-agent": "Mozilla/5.0 Firefox/140.0"}
    return read_answer(function.invoke(events.HTTP[sender]("POST", link, urllib.parse.urlencode(fields), headers)))


def wake(aws, function, wakes: str, done, patience: float = 40):
    """Hands the function each wake when it comes, as its event source mapping would, until `done()`."""

    def step():
        for body in aws.received(wakes):
            assert set(json.loads(body)) == {"countersign", "requestId"}, body
            assert function.invoke(events.messages(body, queue="countersign-wake")) == {"batchItemFailures": []}
        return done()

    return wait_until("the wakes have done it", step, patience)


def new_title(aws) -> str:
    """A title that no other mail has."""
    return f"Approve release {type(aws).__name__.lower()}{next(NUMBERS)}{time.time_ns()}"


def about(title: str) -> str:
    return title.rpartition(" ")[2]


@pytest.mark.parametrize("sender", events.HTTP)
@pytest.mark.parametrize("way", WAYS)
def test_an_approval_reaches_the_execution(aws, function, operations, api_key, start, wakes, way, sender):
    title = new_title(aws)
    execution, body = start(title)
    WAYS[way](function, api_key, body)
    link = link_about(aws, about(title))
    answer = answer_page(function, sender, link, "approve")
    assert answer.status == 200, answer
    # Told before Bob was answered: the function has been frozen since.
    described = aws.ended(execution)
    assert described["status"] == "SUCCEEDED"
    output = json.loads(described["output"])
    assert output["approved"] is True
    shown = operations.invoke({"action": "show", "requestId": output["requestId"]})
    assert shown["callback"]["state"] == "delivered"
    events_of = operations.invoke({"action": "list", "status": "done", "limit": 100})["requests"]
    assert output["requestId"] in [request["requestId"] for request in events_of]
    # The receipt is due three seconds later, when nothing runs: a wake brings it.
    wake(aws, function, wakes, lambda: len(aws.bodies(about(title))) >= 2)


@pytest.mark.parametrize("way", WAYS)
def test_a_rejection_is_caught_by_its_name(aws, function, api_key, start, way):
    title = new_title(aws)
    execution, body = start(title)
    WAYS[way](function, api_key, body)
    answer = answer_page(function, next(SENDERS), link_about(aws, about(title)), "reject", "Not yet.")
    assert answer.status == 200, answer
    described = aws.ended(execution)
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"])["Error"] == "Approval.Rejected"


@pytest.mark.parametrize("way", WAYS)
def test_a_deadline_comes_by_a_wake(aws, function, api_key, start, wakes, way):
    title = new_title(aws)
    execution, body = start(title, timeoutSeconds=2)
    WAYS[way](function, api_key, body)
    link = link_about(aws, about(title))
    wake(aws, function, wakes, lambda: aws.status(execution) != "RUNNING")
    assert json.loads(aws.ended(execution)["output"])["Error"] == "Approval.Expired"
    assert "csrf" not in get(function, next(SENDERS), link).text


@pytest.mark.parametrize("way", WAYS)
def test_a_deadline_comes_by_a_tick_where_no_wake_does(aws, make, api_key, start, way):
    title = new_title(aws)
    with make(COUNTERSIGN_WAKE_QUEUE="") as function:
        execution, body = start(title, timeoutSeconds=1)
        WAYS[way](function, api_key, body)
        # A new process has nothing in its memory.
        function.kill()
        time.sleep(1.1)
        wait_until("a tick ends it", lambda: function.invoke(events.tick()) and aws.status(execution) != "RUNNING")
    assert json.loads(aws.ended(execution)["output"])["Error"] == "Approval.Expired"


@pytest.mark.parametrize("way", WAYS)
def test_a_workflow_that_timed_out_closes_its_request(aws, function, operations, api_key, start, way):
    title = new_title(aws)
    execution, body = start(title, seconds=2)
    WAYS[way](function, api_key, body)
    link = link_about(aws, about(title))
    assert aws.ended(execution)["status"] in ("TIMED_OUT", "FAILED")
    page = get(function, next(SENDERS), link)
    assert "csrf" not in page.text, page.text
    done = operations.invoke({"action": "list", "status": "done", "limit": 100})["requests"]
    (mine,) = [request for request in done if request["title"] == title]
    assert mine["status"] == "orphaned"


def test_the_same_request_by_all_ways_is_one(aws, function, api_key, start):
    title = new_title(aws)
    _, body = start(title)
    for way in ("direct", "queue", "direct", "queue"):
        WAYS[way](function, api_key, body)
    assert len(aws.bodies(about(title))) == 1


def test_a_refusal_is_a_function_error_that_says_why(function, operations):
    for event, why in [
        ({"title": "Sign"}, "taskToken"),
        ({"taskToken": "x" * 40, "title": "Sign", "signers": [{"name": "Bob", "email": BOB}], "colour": 1}, "colour"),
        (
            {"taskToken": "x" * 40, "title": "Sign", "signers": [{"name": "Bob", "email": BOB}], "heartbeatSeconds": 179},
            "at least 180",
        ),
        ({"action": "list"}, "operations function"),
        ({"action": "complete", "requestId": "req_1"}, "operations function"),
        ({"Records": [{"eventSource": "aws:s3", "s3": {}}]}, "Records"),
        ({"source": "aws.events", "detail-type": "Anything"}, "source"),
        ([1, 2], "must be a JSON object"),
        ("text", "must be a JSON object"),
        (None, "must be a JSON object"),
    ]:
        with pytest.raises(FunctionError) as refused:
            function.invoke(event)
        assert refused.value.type == "Approval.InvalidRequest", refused.value
        assert why in refused.value.message, refused.value
    with pytest.raises(FunctionError) as refused:
        operations.invoke({"action": "show", "requestId": "req_aaaaaaaaaaaaaaaaaaaaaaaaaa"})
    assert refused.value.type == "Approval.InvalidRequest"


@pytest.mark.parametrize("sender", events.HTTP)
def test_what_an_event_says_of_its_sender_grants_nothing(function, operations, sender):
    event = events.HTTP[sender]("GET", f"{PUBLIC}/api/v1/requests?status=pending&limit=3", "", {"accept": "application/json"})
    event["requestContext"]["authorizer"] = {"iam": {"userArn": "arn:aws:iam::123456789012:root"}, "role": "admin"}
    for either in (function, operations):
        assert read_answer(either.invoke(event)).status == 401
        assert read_answer(either.invoke(event | {"action": "list"})).status == 401


@pytest.mark.parametrize("sender", events.HTTP)
def test_pages_of_no_one_and_health(function, sender):
    missing = get(function, sender, f"{PUBLIC}/s/{'A' * 47}")
    assert missing.status == 404 and missing.headers["content-type"].startswith("text/html")
    assert get(function, sender, f"{PUBLIC}/healthz").text == "ok\n"
    assert get(function, sender, f"{PUBLIC}/readyz").status == 200
    strange = events.HTTP[sender]("GET", f"{PUBLIC}/s/%00%ff<>", "", {"host": "a b", "x-forwarded-proto": "java script"})
    assert read_answer(function.invoke(strange)).status == 400


@pytest.mark.parametrize("sender", [events.http_api, events.rest_api])
def test_pages_below_a_stage(aws, make, start, api_key, sender):
    title = new_title(aws)
    with make(COUNTERSIGN_PUBLIC_URL=f"{PUBLIC}/prod") as function:
        execution, body = start(title)
        direct(function, api_key, body)
        (mail, *_) = aws.bodies(about(title))
        path = re.search(rf"{re.escape(PUBLIC)}/prod(/s/[\w-]{{47}})", mail).group(1)
        page = read_answer(function.invoke(sender("GET", PUBLIC + path, "", {"user-agent": "Firefox"}, stage="prod")))
        style = re.search(r'href="(/prod/assets/[^"]+\.css)"', page.text).group(1).removeprefix("/prod")
        assert read_answer(function.invoke(sender("GET", PUBLIC + style, stage="prod"))).status == 200
        fields = form_of(page.text) | {"outcome": "approve", "comment": "", "name": "Bob"}
        form = sender("POST", PUBLIC + path, urllib.parse.urlencode(fields), FORM | {"origin": PUBLIC}, stage="prod")
        assert read_answer(function.invoke(form)).status == 200
    assert aws.ended(execution)["status"] == "SUCCEEDED"


def test_the_evidence_has_the_address_that_aws_saw(aws, function, start, api_key):
    title = new_title(aws)
    _, body = start(title)
    request = direct(function, api_key, body)
    answer_page(function, "load_balancer", link_about(aws, about(title)), "approve")
    items = aws.client("dynamodb").query(
        TableName="approvals-of-lambda", KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"A#{request}"}},
    )["Items"]
    assert events.CLIENT in json.dumps(items)


def test_a_callback_that_fails_comes_back_as_a_wake(aws, make, start, api_key, wakes):
    title = new_title(aws)
    with StepFunctionsBetween(aws.endpoint) as between, make(AWS_ENDPOINT_URL_SFN=between.url) as function:
        execution, body = start(title)
        direct(function, api_key, body)
        between.on_send = lambda: 503
        answer = answer_page(function, "http_api", link_about(aws, about(title)), "approve")
        assert answer.status == 200, answer
        assert aws.status(execution) == "RUNNING"
        between.on_send = None
        # Whoever takes the wake may be another process.
        function.kill()
        wake(aws, function, wakes, lambda: aws.status(execution) != "RUNNING")
    assert json.loads(aws.ended(execution)["output"])["approved"] is True


@pytest.mark.parametrize("outcome", ["approve", "reject"])
def test_killed_between_decision_and_callback(aws, make, start, api_key, clock_library, outcome):
    title = new_title(aws)
    with (
        StepFunctionsBetween(aws.endpoint) as between,
        make(AWS_ENDPOINT_URL_SFN=between.url, LD_PRELOAD=str(clock_library)) as function,
    ):
        execution, body = start(title)
        direct(function, api_key, body)

        def kill():
            function.kill()
            return 503

        between.on_send = kill
        with pytest.raises(Died):
            answer_page(function, "http_api", link_about(aws, about(title)), outcome, "Because.")
        between.on_send = None
        assert aws.status(execution) == "RUNNING"
        # The attempt that was begun is taken for lost after half a minute.
        function.ahead += CALLBACK_LEASE
        wait_until("a tick finishes it", lambda: function.invoke(events.tick()) and aws.status(execution) != "RUNNING")
    ended = json.loads(aws.ended(execution)["output"])
    assert ended.get("approved") is True if outcome == "approve" else ended["Error"] == "Approval.Rejected"


def test_a_function_starts_quickly(make):
    with make() as function:
        for _ in range(5):
            function.invoke(events.tick())
            function.kill()
        starts = sorted(function.starts)
        print(f"\nINIT {', '.join(f'{seconds * 1000:.0f} ms' for seconds in starts)}")
        assert starts[0] < 0.1, starts


def test_a_wrong_configuration_is_told_to_lambda(make):
    with make(COUNTERSIGN_TABLE="", COUNTERSIGN_OPERATIONS="perhaps") as function:
        with pytest.raises(Died) as told:
            function.invoke(events.tick())
    error = json.loads(str(told.value).partition("\n")[0])
    assert error["errorType"] == "Runtime.ConfigurationInvalid"
    assert "table: is missing" in error["errorMessage"] and 'operations: must be "on", "off" or "task-tools"' in error["errorMessage"]
