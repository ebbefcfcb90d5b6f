"""The embedded AWS under clients that nobody here wrote: boto3 and the AWS CLI, unmodified."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from demo import BOB, fetch


def invoke(demo, function: str, payload: dict) -> tuple[dict, str | None]:
    """The function's answer, and its error's kind if it failed."""
    answer = demo.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def test_step_functions_by_boto3(demo, approval):
    client = demo.client("stepfunctions")
    machine = client.describe_state_machine(stateMachineArn=demo.state_machine())
    assert set(json.loads(machine["definition"])) >= {"StartAt", "States"}
    execution = client.describe_execution(executionArn=approval.execution)
    assert execution["status"] == "RUNNING"
    assert json.loads(execution["input"])["documentId"] == approval.document
    events = client.get_execution_history(executionArn=approval.execution)["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    types = [event["type"] for event in events]
    assert types[0] == "ExecutionStarted"
    assert {"ParallelStateEntered", "TaskScheduled", "TaskStarted"} <= set(types)
    with pytest.raises(client.exceptions.ExecutionDoesNotExist):
        client.describe_execution(executionArn=approval.execution + "x")


def test_completing_from_code_is_for_the_operations_function_alone(demo, approval):
    request = {"action": "complete", "documentId": approval.document}
    refusal, error = invoke(demo, "countersign", request)
    assert error is not None, refusal
    assert refusal["errorType"] == "Approval.InvalidRequest"
    assert demo.execution(approval.execution)["status"] == "RUNNING"

    done, error = invoke(demo, "countersign-operations", request)
    assert error is None, done
    execution = demo.ended(approval.execution)
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"])[1]["signature"] == f"Bob signed {approval.document}"
    # Nothing is pending any more.
    _, error = invoke(demo, "countersign-operations", request)
    assert error is not None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"taskToken": None}, "taskToken"),
        ({"taskToken": "a" * 2049}, "taskToken"),
        ({"signers": []}, "signers"),
        ({"signers": [{"name": "Bob", "email": "nowhere"}]}, "email"),
        ({"titel": "x"}, "titel"),
        ({"title": "Sign\r\nBcc: all@example.com"}, "title"),
        ({"message": "x" * 300_000}, "message"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_wrong_requests_are_refused_by_the_field_s_name(demo, change, named):
    request = {"taskToken": "t" * 100, "title": "Sign document 0", "signers": [{"name": "Eve", "email": "eve@example.com"}]}
    request = {name: value for name, value in (request | change).items() if value is not None}
    refusal, error = invoke(demo, "countersign", request)
    assert error is not None
    assert refusal["errorType"] == "Approval.InvalidRequest"
    assert named in refusal["errorMessage"]
    assert demo.mails("eve@example.com") == []


def test_mails_and_tables_by_boto3(demo, approval):
    assert demo.client("sesv2").list_email_identities()["EmailIdentities"]
    tables = demo.client("dynamodb").list_tables()["TableNames"]
    assert tables == ["countersign-local", "countersign-state-data"]
    # What is in the table opens no page and ends no wait.
    dump = json.dumps(demo.client("dynamodb").scan(TableName=tables[0])["Items"], default=repr)
    assert approval.document in dump
    assert approval.link.rpartition("/")[2] not in dump


ROLE = "arn:aws:iam::123456789012:role/workflow"


@pytest.fixture
def activity(demo, document_numbers):
    """A state machine of one activity's task, as its workers and its callers see it."""
    client = demo.client("stepfunctions")
    name = f"worker-{next(document_numbers)}"
    arn = client.create_activity(name=name)["activityArn"]
    task = {"Type": "Task", "Resource": arn, "HeartbeatSeconds": 2, "TimeoutSeconds": 60, "End": True}
    machine = client.create_state_machine(
        name=name, roleArn=ROLE, definition=json.dumps({"StartAt": "Work", "States": {"Work": task}})
    )["stateMachineArn"]

    def run(job: int) -> str:
        return client.start_execution(stateMachineArn=machine, input=json.dumps({"job": job}))["executionArn"]

    yield client, arn, run
    client.delete_state_machine(stateMachineArn=machine)
    client.delete_activity(activityArn=arn)


def test_an_activity_worker(demo, activity):
    client, arn, run = activity

    def work(stop: threading.Event):
        while not stop.is_set():
            task = client.get_activity_task(activityArn=arn, workerName="python")
            if not task.get("taskToken"):
                continue
            job = json.loads(task["input"])["job"]
            if job == 2:
                client.send_task_failure(taskToken=task["taskToken"], error="Job.Refused", cause="no two")
            else:
                for _ in range(job):
                    client.send_task_heartbeat(taskToken=task["taskToken"])
                client.send_task_success(taskToken=task["taskToken"], output=json.dumps(job * 10))

    stop = threading.Event()
    worker = threading.Thread(target=work, args=(stop,), daemon=True)
    worker.start()
    first, second, third = run(1), run(2), run(3)
    assert json.loads(demo.ended(first)["output"]) == 10
    failed = demo.ended(second)
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "Job.Refused", "no two")
    assert json.loads(demo.ended(third)["output"]) == 30
    events = client.get_execution_history(executionArn=third)["events"]
    started = next(event for event in events if event["type"] == "ActivityStarted")
    assert started["activityStartedEventDetails"]["workerName"] == "python"
    # A poll under way ends at once when there is work, so the last one here tells the worker to stop.
    stop.set()
    run(4)
    worker.join(timeout=30)
    assert not worker.is_alive()


def test_an_activity_worker_that_dies_is_noticed(demo, activity):
    client, arn, run = activity
    execution = run(1)
    token = client.get_activity_task(activityArn=arn)["taskToken"]
    client.send_task_heartbeat(taskToken=token)
    ended = demo.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken=token, output="1")
    types = [event["type"] for event in client.get_execution_history(executionArn=execution)["events"]]
    assert types[2:5] == ["ActivityScheduled", "ActivityStarted", "ActivityTimedOut"]


def test_versions_and_aliases_by_boto3(demo, document_numbers):
    client = demo.client("stepfunctions")
    definition = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    made = client.create_state_machine(
        name=f"aliased-{next(document_numbers)}", roleArn=ROLE, definition=definition, publish=True, tags=[{"key": "k", "value": "v"}]
    )
    version = made["stateMachineVersionArn"]
    alias = client.create_state_machine_alias(
        name="LIVE", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
    )["stateMachineAliasArn"]
    execution = client.start_execution(stateMachineArn=alias)["executionArn"]
    assert demo.ended(execution)["stateMachineVersionArn"] == version
    assert client.list_tags_for_resource(resourceArn=made["stateMachineArn"])["tags"] == [{"key": "k", "value": "v"}]
    with pytest.raises(client.exceptions.ConflictException):
        client.delete_state_machine_version(stateMachineVersionArn=version)
    # AWS has a host of its own for this one, which is no name for a loopback address.
    plain = Config(inject_host_prefix=False)
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    direct = boto3.client("stepfunctions", endpoint_url=demo.aws, region_name="us-east-1", config=plain, **keys)
    tried = direct.test_state(definition=json.dumps({"Type": "Pass", "End": True}), input='{"a": 1}', inspectionLevel="DEBUG")
    assert (tried["status"], json.loads(tried["inspectionData"]["afterInputPath"])) == ("SUCCEEDED", {"a": 1})
    client.delete_state_machine(stateMachineArn=made["stateMachineArn"])


def test_what_is_not_embedded_is_refused_by_name(demo):
    with pytest.raises(ClientError) as refused:
        demo.client("kms").list_keys()
    assert "ListKeys" in str(refused.value)


def test_the_mailbox_page_is_for_people_and_for_programs(demo, approval):
    page = fetch(demo.mailbox).text
    assert f"document {approval.document}" in page
    assert any(approval.document in mail["subject"] for mail in demo.mails(BOB))


def test_the_aws_cli(demo, approval):
    done = subprocess.run(
        [Path(sys.executable).with_name("aws"), "--endpoint-url", demo.aws, "--region", "us-east-1"]
        + ["stepfunctions", "list-executions", "--state-machine-arn", demo.state_machine()],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"},
    )
    assert done.returncode == 0, done.stderr
    assert approval.execution in {execution["executionArn"] for execution in json.loads(done.stdout)["executions"]}
