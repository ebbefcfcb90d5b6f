"""`countersign start` and the API under it, against a real service."""

import json
import subprocess
import threading

import pytest
from demo import BINARY, PATIENCE, fetch, wait_until
from local import Local, save
from serve import Serve, create_table, environment, free_port, new_key

INPUT = '{"dataId": 1}'
# What only a program that keeps the text as it is hands on: blanks, the order of fields, all the digits.
ODD = '{ "b": 1.10,  "a": 123456789012345678901234567890 }'


@pytest.fixture(scope="module")
def serve(demo, tmp_path_factory):
    create_table(demo.client("dynamodb"), "starting")
    with Serve(tmp_path_factory.mktemp("serve"), demo.aws, "starting") as running:
        yield running


@pytest.fixture(scope="module")
def machines(demo):
    """Machines by their names: their ARNs."""

    def make(name: str, **state) -> str:
        definition = {"StartAt": "Only", "States": {"Only": {**state}}}
        return demo.client("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/any"
        )["stateMachineArn"]

    return {
        "hand-on": make("hand-on", Type="Pass", End=True),
        "slow": make("slow", Type="Wait", Seconds=2, End=True),
        "fail": make("fail", Type="Fail", Error="ErrorA", Cause="Invalid response."),
    }


def executions(demo, machine: str) -> list[str]:
    listed = demo.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return [execution["executionArn"] for execution in listed]


def test_prints_the_arn_and_nothing_else(demo, serve, machines):
    for named in ("hand-on", machines["hand-on"]):
        done = serve.run("start", named, "--input", INPUT)
        assert (done.returncode, done.stderr) == (0, ""), done
        described = demo.ended(done.stdout.strip())
        assert (described["input"], json.loads(described["output"])) == (INPUT, {"dataId": 1})
    shown = json.loads(serve.run("start", "hand-on", "--name", "named", "--json").stdout)
    assert (shown["name"], shown["status"]) == ("named", "RUNNING")
    assert demo.ended(shown["executionArn"])["input"] == "{}"


def test_the_input_arrives_as_it_is_written(demo, serve, machines, tmp_path):
    file = tmp_path / "input.json"
    file.write_text(f"\n{ODD}\n")
    arn = serve.run("start", "hand-on", "--input-file", str(file)).stdout.strip()
    assert demo.ended(arn)["input"] == ODD
    variables = environment(COUNTERSIGN_URL=serve.url, COUNTERSIGN_API_KEY=serve.key)
    done = subprocess.run(
        [BINARY, "start", "hand-on", "--input-file", "-", "--wait"], input=ODD, capture_output=True, text=True, env=variables,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done
    (arn,) = [word for word in done.stderr.split() if word.startswith("arn:")]
    assert demo.execution(arn)["input"] == ODD
    assert done.stdout == demo.execution(arn)["output"] + "\n"


def test_waiting_prints_the_output_and_its_status_says_how_it_ended(serve, machines):
    done = serve.run("start", "slow", "--input", INPUT, "--wait")
    assert (done.returncode, done.stdout) == (0, '{"dataId":1}\n'), done
    failed = serve.run("start", "fail", "--wait")
    assert (failed.returncode, failed.stdout) == (1, ""), failed
    assert "the execution ended FAILED: ErrorA: Invalid response." in failed.stderr
    shown = serve.run("start", "fail", "--wait", "--json")
    assert (shown.returncode, json.loads(shown.stdout)["error"]) == (1, "ErrorA")


def test_waiting_outlives_a_restart_of_the_service(tmp_path):
    save(tmp_path, "slow", {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3, "End": True}}})
    ports = {"port": str(free_port()), "aws_port": str(free_port())}
    with Local(tmp_path, "--data", str(tmp_path / "data"), **ports) as first:
        command = [BINARY, "start", "slow", "--input", INPUT, "--wait"]
        given = {name: value for name, value in first.variables.items() if name.startswith("COUNTERSIGN_")}
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(**given))
        wait_until("it has begun", lambda: executions(first, first.arn("slow")))
    with Local(tmp_path, "--data", str(tmp_path / "data"), **ports):
        assert waiting.communicate(timeout=PATIENCE)[0] == '{"dataId":1}\n'
        assert waiting.returncode == 0


def test_a_key_starts_once(demo, serve, machines):
    asked = ["start", "slow", "--input", INPUT, "--idempotency-key", "data 1"]
    done = []
    at_once = [threading.Thread(target=lambda: done.append(serve.run(*asked))) for _ in range(5)]
    for thread in at_once:
        thread.start()
    for thread in at_once:
        thread.join()
    (arn,) = {run.stdout.strip() for run in done}
    assert arn in executions(demo, machines["slow"])
    demo.ended(arn)
    assert serve.run(*asked).stdout.strip() == arn
    assert serve.run(*asked, "--wait").stdout == '{"dataId":1}\n'
    other = serve.run("start", "slow", "--input", '{"dataId": 2}', "--idempotency-key", "data 1")
    assert (other.returncode, other.stdout) == (1, "")
    assert "ExecutionAlreadyExists" in other.stderr and arn in other.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--input", '{"dataId": }'], "--input is no JSON: line 1, column 12: expected value"),
        (["--input", '{"dataId": 1}', "--input-file", "-"], "cannot be used with"),
        (["--name", "n", "--idempotency-key", "k"], "cannot be used with"),
        (["--input-file", "no-such-file.json"], "no-such-file.json can't be read"),
        (["--name", "a/b"], "name: must not contain /"),
        (["--idempotency-key", " "], "idempotencyKey: must not be empty"),
    ],
)
def test_wrong_use_has_status_2_and_says_why(serve, options, told):
    done = serve.run("start", "hand-on", *options)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert told in done.stderr


def test_an_input_of_several_lines_is_wrong_in_one_of_them(serve, tmp_path):
    file = tmp_path / "input.json"
    file.write_text('{\n  "dataId": 1,\n  dataId: 2\n}\n')
    done = serve.run("start", "hand-on", "--input-file", str(file))
    assert done.returncode == 2
    assert f"{file} is no JSON: line 3, column 3: key must be a string" in done.stderr


def test_what_is_not_there_or_not_allowed_is_told_by_its_name(serve, machines):
    missing = serve.run("start", "no-such-machine")
    assert (missing.returncode, "StateMachineDoesNotExist: " in missing.stderr) == (1, True), missing
    wrong = serve.run("start", "arn:aws:states:us-east-1:123456789012:execution:a:b")
    assert (wrong.returncode, "stateMachine: must be the ARN of a state machine" in wrong.stderr) == (2, True), wrong
    denied = serve.run("start", "hand-on", key=new_key("executions:start")[0])
    assert (denied.returncode, "isn't known here" in denied.stderr) == (2, True), denied


def test_an_execution_that_is_not_there_is_not_shown(serve):
    headers = {"authorization": f"Bearer {serve.key}"}
    arn = "arn:aws:states:us-east-1:123456789012:execution:hand-on:none"
    answered = fetch(f"{serve.url}/api/v1/executions/{arn}", headers=headers)
    problem = json.loads(answered.text)
    assert (answered.status, problem["code"]) == (404, "ExecutionDoesNotExist")
    assert answered.headers["content-type"] == "application/problem+json"
