"""Functions by the author under `countersign local`, with Lambda's own runtime clients for Python and Node.js as they come
from their registries."""

import base64
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from demo import wait_until
from local import Local, save

ROOT = Path(__file__).parents[2]
# Where tests/run puts what functions in Node need.
NODE_CLIENT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "node/node_modules/aws-lambda-ric"

PYTHON = '''
import logging, os
import boto3

def handler(event, context):
    print("hello from", event["who"])
    logging.getLogger().warning("a warning")
    if event["who"] == "nobody":
        raise ValueError("nobody is there")
    if event["who"] == "leave":
        os._exit(5)
    machines = boto3.client("stepfunctions").list_state_machines()["stateMachines"]
    return {
        "hello": event["who"],
        "function": [context.function_name, context.function_version, context.memory_limit_in_mb],
        "remaining": 0 < context.get_remaining_time_in_millis() <= 30_000,
        "machines": sorted(machine["name"] for machine in machines),
        "pid": os.getpid(),
    }
'''

NODE = '''
export const handler = async (event, context) => {
  console.log("hello from %s", event.who);
  if (event.who === "nobody") throw new TypeError("nobody is there");
  return {
    hello: event.who,
    function: [context.functionName, context.functionVersion, context.memoryLimitInMB],
    remaining: context.getRemainingTimeInMillis() > 0,
    endpoint: process.env.AWS_ENDPOINT_URL,
    id: context.awsRequestId,
  };
};
'''


def machine(function: str) -> dict:
    return {"StartAt": "Call", "States": {"Call": {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload", "End": True,
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
    }}}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("functions")
    (folder / "greet.py").write_text(PYTHON)
    (folder / "broken.py").write_text("import nothing_of_that_name\n")
    (folder / "greet.mjs").write_text(NODE)
    commands = {
        "python": [sys.executable, "-m", "awslambdaric", "greet.handler"],
        "broken": [sys.executable, "-m", "awslambdaric", "broken.handler"],
        "node": ["node", str(NODE_CLIENT / "index.mjs"), "greet.handler"],
    }
    tables = [
        f'[functions.{name}]\ncommand = {json.dumps(command)}\ndirectory = "."\ntimeout_seconds = 30\n'
        for name, command in commands.items()
    ]
    (folder / "countersign.toml").write_text("\n".join(tables))
    for name in commands:
        save(folder, name, machine(name))
    with Local(folder) as running:
        yield running.ready()


def test_a_function_in_python_runs_unchanged(local):
    answer = local.run("python", {"who": "Alice"})
    assert answer["pid"] == local.run("python", {"who": "Bob"})["pid"]
    del answer["pid"]
    assert answer == {
        "hello": "Alice", "function": ["python", "$LATEST", "128"], "remaining": True,
        "machines": ["broken", "node", "python"],
    }


def test_a_function_in_python_that_fails_tells_why(local):
    failed = local.ended(local.start("python", {"who": "nobody"}))
    cause = json.loads(failed["cause"])
    assert (failed["error"], cause["errorType"], cause["errorMessage"]) == ("ValueError", "ValueError", "nobody is there")
    (line,) = cause["stackTrace"]
    assert "greet.py" in line and 'raise ValueError("nobody is there")' in line
    left = local.ended(local.start("python", {"who": "leave"}))
    assert left["error"] == "Runtime.ExitError"
    assert json.loads(left["cause"])["errorMessage"].endswith("Runtime exited with error: exit status 5")
    assert local.run("python", {"who": "again"})["hello"] == "again"
    broken = local.ended(local.start("broken"))
    assert broken["error"] == "Runtime.ImportModuleError"
    assert "No module named 'nothing_of_that_name'" in json.loads(broken["cause"])["errorMessage"]


def test_invoke_gives_the_end_of_the_log(local):
    client = local.client("lambda")
    answer = client.invoke(FunctionName="python", Payload=b'{"who": "Alice"}', LogType="Tail")
    assert json.load(answer["Payload"])["hello"] == "Alice"
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines[0].startswith("START RequestId: ") and lines[-1].startswith("REPORT RequestId: ")
    assert "hello from Alice" in lines
    assert any(line.startswith("[WARNING]") and line.endswith("a warning") for line in lines)
    configuration = client.get_function_configuration(FunctionName="python")
    assert configuration["Timeout"] == 30
    assert configuration["ImageConfigResponse"]["ImageConfig"]["Command"][-1] == "greet.handler"


def test_a_function_in_node_runs_unchanged(local):
    if not (NODE_CLIENT / "rapid-client.node").is_file() or not shutil.which("node"):
        pytest.skip("no Node here, or nothing to compile its runtime client with")
    answer = local.run("node", {"who": "Alice"})
    assert answer.pop("id")
    assert answer == {
        "hello": "Alice", "function": ["node", "$LATEST", "128"], "remaining": True, "endpoint": local.aws,
    }
    failed = local.ended(local.start("node", {"who": "nobody"}))
    cause = json.loads(failed["cause"])
    assert (failed["error"], cause["errorType"], cause["errorMessage"]) == ("TypeError", "TypeError", "nobody is there")
    assert "greet.mjs" in cause["trace"][1]


# The last: it ends the program that the others need.
def test_a_kill_leaves_no_function_behind(local):
    pid = local.run("python", {"who": "Alice"})["pid"]
    assert Path(f"/proc/{pid}").exists()
    local.kill()
    wait_until("the function's process is gone", lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except OSError:
        return False
    return not state.startswith("Z")
