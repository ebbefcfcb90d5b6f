"""What the guide for workflow authors says is so: its commands work, its tables name every field and limit."""

import json
import re
import sys
import urllib.error
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import BotoCoreError
from demo import BOB, answer, fetch, link_in, wait_until
from guide import GUIDE, ROOT, SAMPLE_ID, Reader, chapters
from serve import Serve, create_table, free_port
from test_serve import machine, token_of  # noqa: F401 (a fixture)

TOOLS = [Path(sys.executable).parent]
LAPTOP = [
    "Try it", "Your own workflow on your laptop", "A function of your own", "Write it, and check it", "Complete it from a program",
]
WAYS = ["Ask by a queue, or by an activity"]
RECIPES = ["Recipes"]
ACCOUNT = ["In your own account"]
OPERATORS = ["Without Lambda", "Look after it"]


def test_every_chapter_with_commands_is_run_by_a_test():
    assert [heading for heading, steps in chapters().items() if steps] == LAPTOP + WAYS + RECIPES + ACCOUNT + OPERATORS


def test_a_promise_that_is_not_kept_fails(tmp_path):
    with Reader(tmp_path, {}, {}, TOOLS) as reader:
        reader.run("set_here=1\nprintf '{\"status\": \"approved\", \"at\": \"2026-11-21T09:00:00Z\"}'")
        reader.compare("json", '{"at": "2027-01-01T00:00:00Z", "status": "approved"}')
        assert reader.variable("set_here") == "1"
        with pytest.raises(AssertionError):
            reader.compare("json", '{"at": "2027-01-01T00:00:00Z", "status": "rejected"}')
        with pytest.raises(AssertionError, match="no-such-command"):
            reader.run("no-such-command | cat")


def mail_about(aws: str, thing: str) -> dict:
    def mail():
        try:
            mails = json.loads(fetch(f"{aws}/mailbox/{BOB}.json").text)["mails"]
        except urllib.error.URLError:
            return None
        return next((mail for mail in mails if mail["subject"].endswith(thing) or f"{thing} " in mail["subject"]), None)

    return wait_until(f"a mail about {thing}", mail)


def test_on_a_laptop(tmp_path):
    ports = {"8085": str(free_port()), "8086": str(free_port())}
    aws = f"http://127.0.0.1:{ports['8086']}"

    def client(service: str):
        return boto3.client(
            service, endpoint_url=aws, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
        )

    def ended(reader):
        execution = reader.variable("execution")
        wait_until(
            "the execution ends",
            lambda: client("stepfunctions").describe_execution(executionArn=execution)["status"] != "RUNNING",
        )

    def bob_answers(thing: str, outcome: str, comment: str = ""):
        def do(reader):
            assert answer(link_in(mail_about(aws, thing)), outcome, comment).status == 200
            ended(reader)

        return do

    links = []

    def has_a_mail(_):
        links.append(link_in(mail_about(aws, "release 1.6")))

    def nobody_answers(reader):
        ended(reader)
        wait_until("the page says that it is too late", lambda: "It is too late to answer" in fetch(links[0]).text)

    def loaded_again(reader):
        machine = reader.variable("machine")
        wait_until(
            "the workflow is loaded again",
            lambda: "Bob did not answer"
            in client("stepfunctions").describe_state_machine(stateMachineArn=machine)["definition"],
        )

    def publish_is_loaded(_):
        def names():
            return [machine["name"] for machine in client("stepfunctions").list_state_machines()["stateMachines"]]

        wait_until("publish is loaded", lambda: "publish" in names())

    others = {
        "the workflow is loaded again": loaded_again,
        "publish is loaded": publish_is_loaded,
        "it has ended": ended,
        "Bob: approve release 1.4": bob_answers("release 1.4", "approve"),
        "Bob: reject release 1.5": bob_answers("release 1.5", "reject", "The changelog is empty."),
        "Bob: waits until release 1.6 has ended": nobody_answers,
        "Bob: has a mail about release 1.6": has_a_mail,
        "Bob: has a mail about release 1.7": lambda _: mail_about(aws, "release 1.7") and None,
    }

    def is_up():
        try:
            return fetch(f"{aws}/mailbox/{BOB}.json").status == 200
        except urllib.error.URLError:
            return False

    with Reader(tmp_path, others, ports, TOOLS, is_up, PAGES=ports["8085"], AWS=ports["8086"]) as reader:
        reader.follow(*LAPTOP)
        ended(reader)


def test_by_a_queue_and_by_an_activity(tmp_path):
    ports = {"8085": str(free_port()), "8086": str(free_port())}
    aws = f"http://127.0.0.1:{ports['8086']}"
    states = boto3.client(
        "stepfunctions", endpoint_url=aws, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    )

    def bob(thing: str, outcome: str, comment: str = ""):
        def answers(reader):
            assert answer(link_in(mail_about(aws, thing)), outcome, comment).status == 200
            execution = reader.variable("execution")
            wait_until("it ends", lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING")

        return answers

    def is_up():
        try:
            return len(states.list_state_machines()["stateMachines"]) == 2
        except BotoCoreError:
            return False

    others = {
        "Bob: approve the offer": bob("the offer", "approve"),
        "Bob: reject release 1.8": bob("release 1.8", "reject", "The changelog is empty."),
    }
    with Reader(tmp_path, others, ports, TOOLS, is_up, PAGES=ports["8085"], AWS=ports["8086"]) as reader:
        reader.put_on_path()
        reader.follow(*WAYS)


@pytest.fixture(scope="module")
def serve(demo, tmp_path_factory):
    create_table(demo.client("dynamodb"), "guide")
    with Serve(tmp_path_factory.mktemp("serve"), demo.aws, "guide") as running:
        yield running


def test_asking_and_looking_after(demo, serve, machine, tmp_path):  # noqa: F811
    executions = {}

    def waits(version: str) -> str:
        executions[version] = demo.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
        return token_of(demo, executions[version])

    def service(reader):
        reader.set("COUNTERSIGN_API_KEY", serve.key)
        reader.set("token", waits("2.0"))

    def another(reader):
        request = {"taskToken": waits("2.1"), "title": "Approve release 2.1", "signers": [{"name": "Bob", "email": BOB}]}
        reader.instead[SAMPLE_ID] = json.loads(serve.open(request).text)["requestId"]

    others = {
        "the operators' service; release 2.0 waits, its token in $token": service,
        "the id of release 2.0": lambda reader: reader.instead.update({SAMPLE_ID: reader.answer["requestId"]}),
        "release 2.1 waits; its id": another,
    }
    with Reader(tmp_path, others, {"https://sign.example.com": serve.url}, TOOLS) as reader:
        reader.put_on_path()
        reader.follow(*OPERATORS)
    assert demo.ended(executions["2.0"])["status"] == "SUCCEEDED"
    ended = demo.ended(executions["2.1"])
    assert (ended["status"], ended["error"]) == ("FAILED", "Approval.Cancelled")
    assert "Superseded by 2.2." in ended["cause"]


def rows() -> dict[str, str]:
    """The table of what to send: each row by its field."""
    table = GUIDE.read_text().partition("## What to send")[2].partition("\n## ")[0]
    return dict(re.findall(r"(?m)^\| `(\w+)` \| (.*) \|$", table))


def test_every_field_that_the_code_reads_is_named():
    code = "".join((ROOT / f"src/domain/{name}.rs").read_text() for name in ("request", "request_terms"))
    read = set(re.findall(r'\.(?:line|lines|text|id|number|flag|object|list|value)\(\s*"(\w+)"', code))
    assert len(read) > 40
    # The recipes show outputs of all kinds.
    text = re.sub(r"(?s)\n## Recipes\n.*?(?=\n## )", "", GUIDE.read_text())
    named = set(re.findall(r"[`\"](\w+)[`\"]", text))
    # What isn't there yet, under names that only a wrong request has.
    refused = {"group", "s3", "sha256", "allowDelegation", "count"}
    assert read - named == refused
    top = set(re.findall(r'\bf\s*\.(?:line|lines|text|id|number|flag|object|list|value)\(\s*"(\w+)"', code))
    not_yet = {"callbackId", "form", "escalate", "allowDelegation", "undoSeconds", "identify", "group"}
    assert set(rows()) >= top - not_yet - {"stepFunctionToken", "name", "role", "locale", "email"}


SEVERAL = [{"name": f"n{n}", "email": f"n{n}@example.com"} for n in range(101)]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("taskToken", "t" * 2049),
        ("title", "t" * 201),
        ("signers", SEVERAL),
        ("signers", [{"name": "n" * 101, "email": "n@example.com"}]),
        ("signers", [{"name": "n", "email": "n@example.com", "locale": "l" * 36}]),
        ("documentId", "d" * 201),
        ("message", "m" * 16_385),
        ("documents", [{"name": "d", "text": "t"}] * 21),
        ("documents", [{"name": "d" * 201, "text": "t"}]),
        ("documents", [{"name": "d", "text": "t" * 65_537}]),
        ("documents", [{"name": f"d{n}", "text": "t" * 65_536} for n in range(3)]),
        ("outcomes", [{"id": f"o{n}", "kind": "approve"} for n in range(11)]),
        ("outcomes", [{"id": "o" * 65, "kind": "approve"}]),
        ("outcomes", [{"id": "o", "label": "l" * 81, "kind": "approve"}]),
        ("timeoutSeconds", 31_536_001),
        ("reminders", {"afterSeconds": 59}),
        ("reminders", {"max": 101}),
        ("heartbeatSeconds", 14),
        ("execution", {"name": "n" * 201}),
        ("requester", {"name": "n" * 101}),
        ("externalId", "e" * 201),
        ("tags", {f"t{n}": "v" for n in range(21)}),
        ("tags", {"t" * 65: "v"}),
        ("tags", {"t": "v" * 201}),
        ("metadata", {"m": "m" * 16_384}),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_the_limits_are_those_of_the_guide(serve, field, wrong):
    right = {"taskToken": "limits", "title": "t", "signers": SEVERAL[:1]}
    refused = serve.open(right | {field: wrong})
    assert refused.status == 422, refused.text
    error = json.loads(refused.text)["errors"][0]
    assert error["field"].startswith(field)
    limits = re.search(r"at most (\d+)|from (\d+) to (\d+)", error["message"])
    assert limits, error
    for limit in filter(None, limits.groups()):
        assert re.search(rf"\b{int(limit):,}\b", rows()[field]), f"{error} is not what the guide says: {rows()[field]}"


def test_every_key_of_the_configuration_is_explained():
    source = (ROOT / "src/config/source.rs").read_text()
    keys = re.findall(r'"(\w+)"', source.partition("const KEYS: &[&str] =")[2].partition("];")[0])
    assert len(keys) >= 15
    table = (ROOT / "docs/OPERATIONS.md").read_text().partition("## Configuration")[2].partition("```")[0]
    assert sorted(re.findall(r"(?m)^\| `(\w+)` \|", table)) == sorted(keys)
