"""The sample workflows under `countersign local`, with their functions in Python and Node over the runtime clients that
AWS publishes, to their ends and byte for byte."""

import json
import urllib.request
import uuid

import pytest
from demo import answer, link_in, wait_until
from samples import WORKFLOWS, Samples, copy, has_node

ORDERS = [{"name": name, "net": net} for name, net in [("Ann", 1000), ("Ben", 2500), ("Cem", 333), ("Dee", 0), ("Eve", 99)]]
# With 19 percent of tax, in whole cents.
WORKED_OUT = [
    {"name": "Ann", "net": 1000, "tax": 190, "gross": 1190},
    {"name": "Ben", "net": 2500, "tax": 475, "gross": 2975},
    {"name": "Cem", "net": 333, "tax": 63, "gross": 396},
    {"name": "Dee", "net": 0, "tax": 0, "gross": 0},
    {"name": "Eve", "net": 99, "tax": 19, "gross": 118},
]
SAVED = '{"dataId":1,"saved":5,"where":"s3://records/saved/1.json"}'

node = pytest.mark.skipif(not has_node(), reason="there is no Node, or aws-lambda-ric isn't installed for it")


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    with Samples(copy(tmp_path_factory.mktemp("samples"))) as running:
        running.ready()
        put(running, "1", ORDERS)
        yield running


def names() -> list[str]:
    return sorted(file.name.removesuffix(".asl.json") for file in WORKFLOWS.glob("*.asl.json"))


def test_there_are_those_of_the_folder(local):
    assert local.machines() == names()
    assert len(names()) >= 7 and local.errors == []


def test_lambda_loop(local):
    execution = local.start_with("lambda-loop", '{"key1": "value1", "key2": "value2", "key3": "value3"}')
    result = '"taskresult":{"value1":"value1","value2":"value2","count":5}'
    assert local.result_of(execution) == f'{{"key1":"value1","key2":"value2","key3":"value3",{result}}}'
    assert [name for name, _ in local.entered(execution)].count("LambdaFunction") == 6
    another = local.start_with("lambda-loop", '{"key1": "other", "key2": "value2", "key3": "value3"}')
    assert local.failure_of(another) == ("ErrorA", "Invalid response.")


# ---- share-data ------------------------------------------------------------------------------------

SHARED = '"executionId":"some:special:id","data":{},"someOtherData":{"value":"key"}'
FOUND = '"validationOutput":{"validationMessages":["a","b"]}'


def test_share_data_of_pass_states(local):
    execution = local.start_with("share-data-pass", "{}")
    assert local.entered(execution)[-1] == ("Complete", f"{{{SHARED},{FOUND}}}")
    assert local.result_of(execution) == f"{{{SHARED},{FOUND}}}"


class Service:
    """The outside service: takes a message from the queue, and answers by the activity that it names."""

    def __init__(self, local):
        self.sqs, self.activities = local.client("sqs"), local.client("stepfunctions")
        self.queue = self.sqs.get_queue_url(QueueName="validation.fifo")["QueueUrl"]

    def message(self) -> str:
        def received():
            return self.sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=2).get("Messages")

        (message,) = wait_until("the service has a message", received)
        self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return message["Body"]

    def answers(self, activity: str, answer: str) -> str:
        """Answers the activity's next task; gives the task's input."""
        task = self.activities.get_activity_task(activityArn=activity, workerName="service")
        self.activities.send_task_success(taskToken=task["taskToken"], output=answer)
        return task["input"]

    def is_idle(self) -> bool:
        return "Messages" not in self.sqs.receive_message(QueueUrl=self.queue)


def test_share_data_sends_what_is_needed_and_mails_what_comes_back(local):
    service = Service(local)
    execution = local.start_with("share-data", f'{{{SHARED},"email":" ann@example.com ,ben@example.com,ann@example.com"}}')

    message = service.message()
    activity = "arn:aws:states:us-east-1:123456789012:activity:validation"
    assert json.loads(message) == {"executionId": "some:special:id", "someOtherData": {"value": "key"}, "activity": activity}
    assert "email" not in message and "data" not in json.loads(message)
    assert service.answers(activity, '{"validationMessages": ["a", "b"]}') == '"some:special:id"'

    ended = json.loads(local.result_of(execution))
    email = '"email":" ann@example.com ,ben@example.com,ann@example.com"'
    assert local.entered(execution)[-1] == ("Complete", f"{{{SHARED},{email},{FOUND}}}")
    assert ended["mail"]["to"] == ["ann@example.com", "ben@example.com"]
    for address in ended["mail"]["to"]:
        (mail,) = local.mails(address)
        assert (mail["id"], mail["from"]) == (ended["mail"]["messageId"], "Reports <reports@example.com>")
        assert mail["subject"] == "Validation of some:special:id"
        assert "<li>a</li><li>b</li>" in mail["html"] and "- a\n- b\n" in mail["text"]
    assert service.is_idle()


def test_share_data_makes_no_markup_of_what_it_is_given(local):
    service = Service(local)
    shared = {"email": "carl@example.com", "executionId": "<i>\n1", "data": {"offer": "<b>12 & 13</b>"}}
    execution = local.start_with("share-data", json.dumps(shared))
    message = json.loads(service.message())
    assert service.answers(message["activity"], json.dumps({"validationMessages": ["<script>"]})) == '"<i>\\n1"'
    local.result_of(execution)
    (mail,) = local.mails("carl@example.com")
    assert mail["subject"] == "Validation of <i> 1"
    for markup, shown in [("<i>", "&lt;i&gt;"), ("<b>", "&lt;b&gt;12 &amp; 13"), ("<script>", "&lt;script&gt;")]:
        assert markup not in mail["html"] and shown in mail["html"] and markup in mail["text"]


def test_share_data_goes_by_the_executions_name_where_there_is_no_id(local):
    service = Service(local)
    execution = local.start_with("share-data", '{"email": "dora@example.com"}')
    message = json.loads(service.message())
    name = execution.rpartition(":")[2]
    assert message["executionId"] == name
    assert service.answers(message["activity"], '{"validationMessages": []}') == f'"{name}"'
    local.result_of(execution)
    assert "Nothing was found." in local.mails("dora@example.com")[0]["html"]


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ("{}", "NoAddress", "names nobody"),
        ('{"email": " , "}', "NoAddress", "names nobody"),
        ('{"email": "ann@example.com, ben at example.com"}', "InvalidAddress", "'ben at example.com' is no mail address"),
        ('{"email": ["ann@example.com"]}', "InvalidAddress", "must be one text"),
        ('"some:special:id"', "InvalidInput", "must be an object"),
    ],
)
def test_share_data_says_what_is_wrong_before_it_asks_anybody(local, given, error, told):
    named, cause = local.failure_of(local.start_with("share-data", given))
    assert (named, told in cause) == (error, True), cause
    assert Service(local).is_idle()


def test_share_data_takes_no_answer_of_another_kind(local):
    service = Service(local)
    execution = local.start_with("share-data", '{"email": "ann@example.com"}')
    service.answers(json.loads(service.message())["activity"], '"fine"')
    named, cause = local.failure_of(execution)
    assert (named, "validationMessages" in cause) == ("InvalidAnswer", True), cause


# ---- fetch-process-save ----------------------------------------------------------------------------


def put(local, data: str, records: object):
    local.client("s3").put_object(Bucket="records", Key=f"{data}.json", Body=json.dumps(records))


def saved(local, data: str) -> object:
    """What was saved, or None."""
    client = local.client("s3")
    try:
        return json.load(client.get_object(Bucket="records", Key=f"saved/{data}.json")["Body"])
    except client.exceptions.NoSuchKey:
        return None


@pytest.fixture
def nothing_saved(local):
    local.client("s3").delete_object(Bucket="records", Key="saved/1.json")


def check(local, execution: str):
    """It was started with the text, went round until all was processed, and has saved everything."""
    ended = local.ended(execution)
    assert (ended["status"], ended.get("output"), ended.get("cause")) == ("SUCCEEDED", SAVED, None)
    states = [name for name, _ in local.entered(execution)]
    once = ["Process My Data", "Do I have more data?"]
    assert states == ["Fetch All My Data", *once, *once, *once, "Save My Data"]
    assert saved(local, "1") == WORKED_OUT


@node
def test_fetch_process_save_started_from_the_terminal(local, nothing_saved):
    done = local.command("start", "fetch-process-save", "--input", '{"dataId": 1}', "--wait")
    assert (done.returncode, done.stdout) == (0, f"{SAVED}\n"), done
    (execution,) = [word for word in done.stderr.split() if word.startswith("arn:")]
    assert local.execution(execution)["input"] == '{"dataId": 1}'
    check(local, execution)


@node
def test_fetch_process_save_started_by_the_api(local, nothing_saved):
    body = f'{{"stateMachine": "{local.arn("fetch-process-save")}", "input": {{"dataId": 1}}}}'
    headers = {"authorization": f"Bearer {local.key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{local.pages}/api/v1/executions", body.encode(), headers)
    with urllib.request.urlopen(request) as answered:
        assert answered.status == 201
        execution = json.load(answered)["executionArn"]
    assert local.execution(execution)["input"] == '{"dataId": 1}'
    check(local, execution)


@node
def test_fetch_process_save_started_by_a_task(local, nothing_saved):
    execution = local.start_with("fetch-process-save-started", '{"dataId": 1}')
    assert local.result_of(execution) == SAVED
    listed = local.client("stepfunctions").list_executions(stateMachineArn=local.arn("fetch-process-save"))["executions"]
    child = next(
        it["executionArn"] for it in listed if execution in local.execution(it["executionArn"])["input"]
    )
    check(local, child)


@node
def test_fetch_process_save_started_from_a_functions_code(local, nothing_saved):
    invoked = local.client("lambda").invoke(FunctionName="start-fetch-process-save", Payload='{"dataId": 1}')
    assert "FunctionError" not in invoked, invoked["Payload"].read()
    execution = json.load(invoked["Payload"])["executionArn"]
    assert local.execution(execution)["input"] == '{"dataId":1}'
    check(local, execution)


@node
@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ('{"dataId": 404}', "NoSuchData", "there is no list of records 404"),
        ('{"dataId": "../1"}', "InvalidInput", "dataId: must be a whole number"),
        ("{}", "InvalidInput", "dataId: must be a whole number"),
    ],
)
def test_fetch_process_save_says_what_it_cannot_work_with(local, given, error, told):
    named, cause = local.failure_of(local.start_with("fetch-process-save", given))
    assert (named, told in cause) == (error, True), cause


@node
def test_fetch_process_save_of_nothing_saves_nothing(local):
    put(local, "empty", [])
    execution = local.start_with("fetch-process-save", '{"dataId": "empty"}')
    assert local.result_of(execution) == '{"dataId":"empty","saved":0,"where":"s3://records/saved/empty.json"}'
    assert saved(local, "empty") == []


def approval(local, data: str) -> str:
    """Bob's link for data that wait for him."""
    about = f"data {data}"
    mail = wait_until(f"Bob has a mail about {about}", lambda: next((m for m in local.mails() if about in m["subject"]), None))
    return link_in(mail)


@node
def test_fetch_process_save_saves_what_is_approved(local):
    data = f"approve-{uuid.uuid4().hex[:8]}"
    put(local, data, ORDERS)
    execution = local.start_with("fetch-process-save-approved", json.dumps({"dataId": data}))
    link = approval(local, data)
    # Until somebody has looked at them, nothing is saved.
    assert saved(local, data) is None
    assert answer(link, "approve").status == 200
    assert json.loads(local.result_of(execution)) == {"dataId": data, "saved": 5, "where": f"s3://records/saved/{data}.json"}
    assert saved(local, data) == WORKED_OUT


@node
def test_fetch_process_save_does_not_save_what_is_rejected(local):
    data = f"reject-{uuid.uuid4().hex[:8]}"
    put(local, data, ORDERS)
    execution = local.start_with("fetch-process-save-approved", json.dumps({"dataId": data}))
    assert answer(approval(local, data), "reject", "Dee bought nothing.").status == 200
    ended = json.loads(local.result_of(execution))
    why = ended.pop("why")
    assert ended == {"dataId": data, "saved": 0}
    assert (why["status"], why["rejectedBy"], why["comment"]) == ("rejected", "Bob", "Dee bought nothing.")
    assert [name for name, _ in local.entered(execution)][-1] == "Say Why Not"
    assert saved(local, data) is None
