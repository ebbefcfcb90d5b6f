"""State data beside the Python package that its layout comes from: py2sfn-task-tools, as it is on PyPI, against the same
table and bucket. Each reads what the other wrote; the workflow `state-data` runs with functions of both."""

import asyncio
import importlib
import json
import time
from typing import NamedTuple

import pytest
from demo import fetch, wait_until
from local import ASK_BOB, save
from samples import WORKFLOWS, Samples

TABLE, OTHER, BUCKET = "shared", "other-project", "shared-data"
NAMESPACE = "run-7"
MOST_IN_THE_TABLE = 390_000
DAY = 86_400

# Everything that JSON holds, and what is easily got wrong.
VALUES = {
    "small": {"name": "jerry"},
    "non-ascii": {"ключ": "Zoë 😀 \x7f\u2028", "control": "\x00\x1f\t\r\n\"\\/"},
    "floats": [0.1, -0.0, 1.0, 1e15, 1e16, 1e22, 1.5e300, 1e-4, 1e-5, 1.25e-7, 5e-324, 1.7976931348623157e308, 1 / 3],
    "integers": [0, -1, 2**53 + 1, 2**63, 2**64, -(2**64), 2**70, 10**40],
    "nothing": None,
    "empty list": [],
    "empty object": {},
    "empty text": "",
    "nested null": [[None, [None]], {"a": None}],
    "truth": [True, False],
    "deep": [[[[[[[[[[{"a": [1]}]]]]]]]]]],
    "text that is JSON": '{"a": 1}',
    "all that the table takes": "x" * (MOST_IN_THE_TABLE - 2),
    "a byte more": "x" * (MOST_IN_THE_TABLE - 1),
    "all that it takes, escaped": "é" * ((MOST_IN_THE_TABLE - 2) // 6),
    "a character more, escaped": "é" * ((MOST_IN_THE_TABLE - 2) // 6 + 1),
    "a megabyte": {"text": "x" * 2**20},
    "a megabyte of emoji": "😀" * 2**16,
}
LIST = [VALUES[name] for name in ("small", "non-ascii", "a megabyte", "nothing", "integers")] + [{"n": n} for n in range(60)]

CONFIG = f"""
state_data_table = "{TABLE}"
state_data_bucket = "{BUCKET}"
state_data_tables = ["{OTHER}"]

[substitutions]
PutItemsFunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:countersign-task-tools"
GetItemFunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:countersign-task-tools"
StopFunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:countersign-task-tools"

[workflows.python-puts.substitutions]
PutItemsFunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:python-puts"

[workflows.python-gets.substitutions]
GetItemFunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:python-gets"

[functions.python-puts]
command = ["python3", "-m", "awslambdaric", "functions.put_items"]
timeout_seconds = 60

[functions.python-gets]
command = ["python3", "-m", "awslambdaric", "functions.get_item_for_map_iteration"]
timeout_seconds = 60
"""

# Tasks as a user of the package writes them.
FUNCTIONS = f"""
from py2sfn_task_tools.state_data_client import StateDataClient

def client(event):
    return StateDataClient("{TABLE}", event["namespace"], s3_bucket="{BUCKET}")

def put_items(event, context):
    return client(event).put_items(event["key"], event["items"])

def get_item_for_map_iteration(event, context):
    return {{"data": client(event).get_item_for_map_iteration(event["event"])}}
"""


class Ours:
    """The same calls as the package's, of Countersign's API."""

    def __init__(self, local: Samples):
        self.local = local

    def call(self, name: str, **given) -> dict:
        answer = self.answer(name, **given)
        assert answer.status == 200, answer
        return json.loads(answer.text)

    def answer(self, name: str, **given):
        headers = {"authorization": f"Bearer {self.local.key}", "content-type": "application/json"}
        # In UTF-8, not in escapes: what is written is for the service to say.
        body = json.dumps(given, ensure_ascii=False).encode()
        return fetch(f"{self.local.pages}/api/v1/state-data/{name}", "POST", body, headers)

    def put_item(self, key, data, index=0):
        return self.call("put_item", namespace=NAMESPACE, key=key, data=data, index=index)

    def put_items(self, key, items):
        return self.call("put_items", namespace=NAMESPACE, key=key, items=items)

    def get_item(self, key, index=0):
        return self.call("get_item", namespace=NAMESPACE, key=key, index=index)["data"]

    def get_items(self, key):
        return self.call("get_items", namespace=NAMESPACE, key=key)["items"]

    def put_global_item(self, table_name, partition_key, data, index=0):
        return self.call("put_global_item", table_name=table_name, partition_key=partition_key, data=data, index=index)

    def get_global_item(self, table_name, partition_key, index=0):
        return self.call("get_global_item", table_name=table_name, partition_key=partition_key, index=index)["data"]

    def put_global_items(self, table_name, partition_key, items):
        return self.call("put_global_items", table_name=table_name, partition_key=partition_key, items=items)

    def get_global_items(self, table_name, partition_key):
        return self.call("get_global_items", table_name=table_name, partition_key=partition_key)["items"]

    def get_item_for_map_iteration(self, event):
        return self.call("get_item_for_map_iteration", namespace=NAMESPACE, event=event)["data"]

    def get_global_item_for_map_iteration(self, event):
        return self.call("get_global_item_for_map_iteration", event=event)["data"]

    def put_item_for_map_iteration(self, event, item):
        return self.call("put_item_for_map_iteration", namespace=NAMESPACE, event=event, data=item)

    def put_global_item_for_map_iteration(self, event, item):
        return self.call("put_global_item_for_map_iteration", event=event, data=item)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state-data")
    definition = (WORKFLOWS / "state-data.asl.json").read_text()
    for name in ("state-data", "python-puts", "python-gets"):
        save(folder, name, definition)
    (folder / "functions.py").write_text(FUNCTIONS)
    (folder / "countersign.toml").write_text(CONFIG)
    with Samples(folder) as running:
        running.ready()
        yield running


class Package(NamedTuple):
    """The package, imported."""

    client: object
    stop_execution: object
    NoItemFound: type


@pytest.fixture(scope="module")
def package(local):
    with pytest.MonkeyPatch.context() as patch:
        # It reads them when it is imported, and later too.
        for service in ("DYNAMODB", "S3", "STEPFUNCTIONS"):
            patch.setenv(f"{service}_ENDPOINT_URL", local.aws)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCOUNT_ID": "123456789012",
        }.items():
            patch.setenv(name, value)
        module = importlib.import_module("py2sfn_task_tools.state_data_client")
        stop = importlib.import_module("py2sfn_task_tools.stop_execution").stop_execution
        yield Package(module.StateDataClient(TABLE, NAMESPACE, s3_bucket=BUCKET), stop, module.NoItemFound)


@pytest.fixture
def theirs(package):
    return package.client


@pytest.fixture
def ours(local):
    return Ours(local)


@pytest.fixture(params=["we write, theirs reads", "theirs writes, we read"])
def pair(request, ours, theirs):
    """Who writes, and who reads."""
    return (ours, theirs) if request.param.startswith("we") else (theirs, ours)


def same(one, other) -> bool:
    """Whether two values are the same to the last digit, and of the same types."""
    return repr(one) == repr(other)


def item(local, partition_key: str, index: int = 0, table: str = TABLE) -> dict:
    """An item as it is in the table, without the time when it expires."""
    key = {"partition_key": {"S": partition_key}, "sort_key": {"N": str(index)}}
    found = local.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    assert set(found.pop("expires_at")) == {"N"}
    return found


@pytest.mark.parametrize("name", VALUES)
def test_each_reads_what_the_other_wrote(pair, name):
    writer, reader = pair
    written = writer.put_item(f"one {name}", VALUES[name])
    assert written == {"table_name": TABLE, "partition_key": f"{NAMESPACE}:one {name}", "key": f"one {name}"}
    assert same(reader.get_item(f"one {name}"), VALUES[name])
    assert same(reader.get_global_item(TABLE, written["partition_key"]), VALUES[name])


@pytest.mark.parametrize("name", VALUES)
def test_both_store_the_same_bytes_in_the_same_place(local, ours, theirs, name):
    s3 = local.client("s3")

    def stored():
        found = item(local, f"{NAMESPACE}:same {name}", 3)
        key = found.get("s3_key", {}).get("S")
        return found, key and s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    theirs.put_item(f"same {name}", VALUES[name], 3)
    from_theirs = stored()
    ours.put_item(f"same {name}", VALUES[name], 3)
    assert stored() == from_theirs
    assert ("s3_key" in from_theirs[0]) == (len(json.dumps(VALUES[name])) > MOST_IN_THE_TABLE)


def test_an_index_is_an_item_of_its_own(pair):
    writer, reader = pair
    for index in (0, 24, 2**40):
        writer.put_item("indexed", {"index": index}, index=index)
    assert [reader.get_item("indexed", index=index) for index in (24, 0, 2**40)] == [{"index": i} for i in (24, 0, 2**40)]
    assert [it["index"] for it in reader.get_items("indexed")] == [0, 24, 2**40]


def test_a_list_comes_back_in_its_order(pair):
    writer, reader = pair
    written = writer.put_items("list", LIST)
    assert written == {
        "table_name": TABLE, "partition_key": f"{NAMESPACE}:list", "key": "list", "items": [1] * len(LIST),
    }
    assert same(reader.get_items("list"), LIST)
    assert same(reader.get_global_items(TABLE, f"{NAMESPACE}:list"), LIST)
    assert same(reader.get_item("list", index=2), LIST[2])


def test_an_empty_list_is_an_empty_list(pair):
    writer, reader = pair
    assert writer.put_items("none", [])["items"] == []
    assert reader.get_items("none") == []


def test_an_item_of_another_project_is_found_by_its_full_name(pair):
    writer, reader = pair
    for name in ("small", "a megabyte"):
        written = writer.put_global_item(OTHER, f"their-run:{name}", VALUES[name], 1)
        assert written == {"table_name": OTHER, "partition_key": f"their-run:{name}"}
        assert same(reader.get_global_item(OTHER, f"their-run:{name}", 1), VALUES[name])


def test_we_put_a_list_into_the_table_that_we_are_told(ours, theirs):
    ours.put_global_items(OTHER, "their-run:list", LIST)
    assert same(theirs.get_global_items(OTHER, "their-run:list"), LIST)
    # The package puts it into its own table, and says so.
    written = theirs.put_global_items(OTHER, "their-run:other", [1, 2])
    assert written["table_name"] == TABLE
    assert ours.get_global_items(TABLE, "their-run:other") == [1, 2]


@pytest.mark.parametrize("scope", ["local", "global"])
def test_an_iteration_finds_and_replaces_its_item(pair, scope):
    writer, reader = pair
    written = writer.put_items(f"iterated {scope}", [{"name": "jerry"}, {"name": "elaine"}])
    part = "_global" if scope == "global" else ""
    for index, value in enumerate(written["items"]):
        event = {
            "items_result_table_name": written["table_name"],
            "items_result_partition_key": written["partition_key"],
            "items_result_key": written["key"],
            "context_index": index,
            "context_value": value,
        }
        got = getattr(reader, f"get{part}_item_for_map_iteration")(event)
        assert got == [{"name": "jerry"}, {"name": "elaine"}][index]
        put = getattr(writer, f"put{part}_item_for_map_iteration")(event, {"done": index})
        assert put["partition_key"] == written["partition_key"] and ("key" in put) == (scope == "local")
        assert getattr(reader, f"get{part}_item_for_map_iteration")(event) == {"done": index}


def test_we_take_an_index_as_text_too(ours, theirs):
    written = theirs.put_items("by text", ["a", "b"])
    event = {"items_result_key": written["key"], "context_index": "1", "context_value": 1}
    assert ours.get_item_for_map_iteration(event) == "b"


def test_what_is_not_there_is_nowhere_there(ours, package):
    with pytest.raises(package.NoItemFound):
        package.client.get_item("nowhere")
    answer = ours.answer("get_item", namespace=NAMESPACE, key="nowhere")
    assert (answer.status, json.loads(answer.text)["code"]) == (404, "NoItemFound")


def test_what_is_no_json_is_told_apart(ours, theirs):
    theirs.put_item("not a number", [float("nan"), float("inf")])
    answer = ours.answer("get_item", namespace=NAMESPACE, key="not a number")
    assert answer.status == 422 and "can't be read" in json.loads(answer.text)["detail"]


def test_items_expire(local, ours, theirs):
    now = time.time()
    for writer, days in ((theirs, 7), (ours, 30)):
        writer.put_item("expires", 1)
        key = {"partition_key": {"S": f"{NAMESPACE}:expires"}, "sort_key": {"N": "0"}}
        found = local.client("dynamodb").get_item(TableName=TABLE, Key=key)["Item"]
        assert abs(int(found["expires_at"]["N"]) - now - days * DAY) < DAY / 2
    described = local.client("dynamodb").describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
    assert described == {"AttributeName": "expires_at", "TimeToLiveStatus": "ENABLED"}


# ---- results that are too long ---------------------------------------------------------------------


def test_the_package_reads_a_result_that_is_too_long_for_the_state(local, theirs):
    people = [{"name": f"Person {n}", "email": f"p{n}@example.com"} for n in range(100)]
    ask = {
        "StartAt": "Ask",
        "States": {
            "Ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {
                    "FunctionName": "countersign",
                    "Payload": {"taskToken.$": "$$.Task.Token", "title": "Approve the budget", "signers": people, "externalId": "budget"},
                },
                "End": True,
            }
        },
    }
    save(local.folder, "budget", ask)
    wait_until("the workflow is loaded", lambda: "budget" in local.machines())
    execution = local.start_with("budget", "{}")
    event = {"action": "complete", "externalId": "budget", "comment": "é" * 4_000}

    def completed():
        invoke = local.client("lambda").invoke(FunctionName="countersign-operations", Payload=json.dumps(event))
        return "FunctionError" not in invoke and json.load(invoke["Payload"])

    done = wait_until("the request is there and is completed", completed)
    assert done["callback"] == "delivered"
    result = json.loads(local.result_of(execution))
    pointer = result["stateData"]
    assert set(pointer) == {"table_name", "partition_key", "key"} and "responses" not in result
    whole = theirs.get_global_item(pointer["table_name"], pointer["partition_key"])
    assert [response["comment"] for response in whole["responses"]] == ["é" * 4_000] * 100
    assert {**result, "responses": whole["responses"]} == {**whole, "stateData": pointer}


# ---- the workflow ----------------------------------------------------------------------------------

CHARACTERS = '[{"name":"jerry"},{"name":"elaine"}]'


@pytest.mark.parametrize("name", ["state-data", "python-puts", "python-gets"])
def test_the_workflow_hands_each_item_to_its_iteration(local, name):
    execution = local.start_with(name, '{"featureOn": true}')
    assert json.loads(local.result_of(execution)) == json.loads(CHARACTERS)
    run = execution.rpartition(":")[2]
    entered = local.entered(execution)
    given = [json.loads(text) for state, text in entered if state == "Read Character"]
    assert sorted(given, key=lambda it: it["context_index"]) == [
        {
            "items_result_table_name": TABLE,
            "items_result_partition_key": f"{run}:characters",
            "items_result_key": "characters",
            "context_index": index,
            "context_value": 1,
        }
        for index in (0, 1)
    ]
    # The list itself never was in the state.
    assert not any("jerry" in text for _, text in entered)


def test_the_workflow_stops_itself_while_the_feature_is_off(local):
    execution = local.start_with("state-data", '{"featureOn": false}')
    ended = local.ended(execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "FeatureOff", "featureOn is false.")
    assert [name for name, _ in local.entered(execution)] == ["Is the feature on?", "Stop"]


def test_the_package_stops_an_execution_too(local, package):
    waits = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    save(local.folder, "waits", waits)
    wait_until("the workflow is loaded", lambda: "waits" in local.machines())
    execution = local.start_with("waits", "{}")
    asyncio.run(package.stop_execution("waits", execution.rpartition(":")[2], error="FeatureOff", cause="By the package."))
    ended = local.ended(execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "FeatureOff", "By the package.")


def test_an_operator_withdraws_a_request_and_stops_its_execution(local):
    save(local.folder, "ask-bob", ASK_BOB)
    wait_until("the workflow is loaded", lambda: "ask-bob" in local.machines())
    execution = local.start_with("ask-bob", '{"document": "9"}')

    def request():
        asked = local.command("pending", "--workflow", local.arn("ask-bob"), "--json")
        listed = json.loads(asked.stdout)["requests"]
        return listed and listed[0]["requestId"]

    id = wait_until("Bob is asked", request)
    done = local.command("cancel", id, "--stop", "--reason", "A mistake.")
    assert (done.returncode, "cancelled" in done.stdout, "delivered" in done.stdout) == (0, True, True), done
    ended = local.ended(execution)
    assert (ended["status"], ended["error"]) == ("ABORTED", "Approval.Cancelled")
    assert json.loads(ended["cause"])["reason"] == "A mistake."
    assert "The workflow was stopped" in local.command("show", id).stdout
