"""`countersign local`: an author's folder of workflows, loaded, changed, broken, killed, and told of on the terminal."""

import fcntl
import http.server
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest
from demo import BINARY, BOB, answer, fetch, wait_until
from local import ASK_BOB, PASS, Local, save

TOOLS = Path(sys.executable).parent


def program(*arguments: str, cwd=None, **variables: str) -> subprocess.CompletedProcess:
    environment = {"PATH": f"{TOOLS}:{os.environ['PATH']}", "NO_COLOR": "1", "AWS_PAGER": "", **variables}
    return subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=cwd, env=environment
    )


def test_a_folder_of_workflows_runs_and_its_progress_is_told(tmp_path):
    save(tmp_path, "release", ASK_BOB)
    save(tmp_path, "simple", PASS)
    (tmp_path / "notes.json").write_text("not a workflow")
    with Local(tmp_path) as local:
        local.find(r"(?m)^Workflows +release, simple$")
        assert local.run("simple") == "one"
        local.find(r"(?m)^\d\d:\d\d:\d\d  simple [0-9a-f]{8} +started$")
        local.find(r"(?m)^\d\d:\d\d:\d\d  simple [0-9a-f]{8} +SUCCEEDED after [\d.]+ s$")
        execution = local.start("release", {"document": "7"})
        local.find(r"(?m)^\S+  release [0-9a-f]{8} +Ask Bob$")
        local.find(r"(?m)^\S+  release [0-9a-f]{8} +Ask Bob: waits for an answer to its token$")
        local.find(r"(?m)^\S+  release [0-9a-f]{8} +Bob is asked: Approve document 7$")
        # Alone on its line, to be clicked: what Bob's mail says, whose address is in no file.
        assert re.search(rf"(?m)^ +{re.escape(local.link_about('7'))}$", local.output)
        assert answer(local.link_about("7"), "reject", "Not yet.").status == 200
        assert local.ended(execution)["error"] == "Approval.Rejected"
        local.find(r"(?m)^\S+  release [0-9a-f]{8} +Ask Bob: Approval.Rejected: Not yet\.$")
        local.find(r"(?m)^\S+  release [0-9a-f]{8} +FAILED after [\d.]+ s: Approval.Rejected$")
        assert "\x1b" not in local.output
        assert local.interrupt() == 0
        assert local.errors == []


def test_what_is_printed_can_be_pasted(tmp_path):
    save(tmp_path, "release", ASK_BOB)
    with Local(tmp_path) as local:
        variables = local.variables
        for page in ("Executions", "Mailbox"):
            address = local.find(rf"(?m)^{page} +(http://\S+)$").group(1)
            assert fetch(address, headers={"accept": "text/html"}).status == 200
        assert variables["AWS_ENDPOINT_URL"] == local.aws and variables["COUNTERSIGN_URL"] == local.pages
        start = "stepfunctions start-execution --query executionArn --output text --input {\"document\":\"8\"}"
        started = program("aws", *start.split(), "--state-machine-arn", local.arn("release"), **variables)
        assert started.returncode == 0, started.stderr
        local.link_about("8")
        pending = program(BINARY, "pending", "--json", **variables)
        assert pending.returncode == 0, pending.stderr
        (request,) = json.loads(pending.stdout)["requests"]
        assert request["title"] == "Approve document 8"
        completed = program(BINARY, "complete", request["requestId"], "--comment", "By telephone.", **variables)
        assert completed.returncode == 0, completed.stderr
        assert local.ended(started.stdout.strip())["status"] == "SUCCEEDED"
        refused = program(BINARY, "pending", **(variables | {"COUNTERSIGN_API_KEY": "csk_wrong"}))
        assert refused.returncode != 0


BROKEN = '{\n  "StartAt": "A",\n  "States": {\n    "A": {"Type": "Pass", "Nxt": "B", "End": true},\n    "B": {"Type": "Wait", "Seconds": ${Secnds}, "End": true}\n  }\n}\n'
UNKNOWN = '{\n  "StartAt": "A",\n  "States": {\n    "A": {"Type": "Pass", "Next": "C"},\n    "B": {"Type": "Wait", "Seconds": 1, "Next": "D"}\n  }\n}\n'


def test_files_that_are_wrong_are_told_by_line_and_column_and_the_others_go_on(tmp_path):
    save(tmp_path, "comma", '{\n  "StartAt": "A",\n  "States": {},\n}\n')
    save(tmp_path, "name", BROKEN)
    save(tmp_path, "states", UNKNOWN)
    save(tmp_path, "right", PASS)
    with Local(tmp_path).ready() as local:
        local.find(r"(?m)^Workflows +right \(and 3 that can't be loaded; see above\)$")
        path = re.escape(str(tmp_path))
        local.complains(rf"{path}/comma\.asl\.json:4:1: a comma stands before this closing brace")
        local.complains(rf"{path}/name\.asl\.json:5:38: \$\{{Secnds\}} stands for nothing; .*\[substitutions\], write Secnds = ")
        assert len(re.findall(r"states\.asl\.json:4:\d+: ", "\n".join(local.errors))) >= 1
        assert len(re.findall(r"states\.asl\.json:5:\d+: ", "\n".join(local.errors))) >= 1
        assert local.machines() == ["right"]
        assert local.run("right") == "one"
        # With what it lacked, the next fault shows, at its place in the author's text.
        (tmp_path / "countersign.toml").write_text("[substitutions]\nSecnds = 12345\n")
        local.complains(rf"{path}/name\.asl\.json:4:27: .*Nxt")
        save(tmp_path, "name", BROKEN.replace('"Nxt": "B", "End": true', '"Next": "B"'))
        local.find(r"(?m)^name  is there now$")
        assert local.definition("name")["States"]["B"]["Seconds"] == 12345
        save(tmp_path, "comma", PASS)
        local.find(r"(?m)^comma  is there now$")


def test_a_change_is_loaded_and_a_broken_one_keeps_what_there_was(tmp_path):
    path = save(tmp_path, "flow", PASS)
    with Local(tmp_path).ready() as local:
        two = json.loads(json.dumps(PASS).replace("one", "two"))
        save(tmp_path, "flow", two)
        local.find(r"(?m)^flow  is loaded again; executions that run keep what they began with$")
        assert local.run("flow") == "two"
        save(tmp_path, "flow", json.dumps(two, indent=2).replace('"End": true', '"End": tru'))
        local.complains(re.escape(str(path)) + r":7:14: tru is no value")
        local.find(r"(?m)^flow  stays as it was$")
        assert local.run("flow") == "two"
        save(tmp_path, "flow", two)
        local.find(r"(?m)^flow  is as it was before$")

        # Saved as many editors do: another file is put in its place.
        three = json.dumps(PASS).replace("one", "three")
        (tmp_path / "flow.tmp").write_text(three)
        (tmp_path / "flow.tmp").rename(path)
        wait_until("the third is loaded", lambda: local.definition("flow")["States"]["Only"]["Result"] == "three")
        path.unlink()
        local.find(r"(?m)^flow  its file is gone; the machine stays")
        assert local.run("flow") == "three"
        save(tmp_path, "other", PASS)
        local.find(r"(?m)^other  is there now$")
        assert local.machines() == ["flow", "other"]


def test_the_configuration_is_read_again(tmp_path):
    waits = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": "SECONDS", "Next": "Loop"}, "Loop": {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "looped"},
        "End": True,
    }}}
    save(tmp_path, "flow", json.dumps(waits).replace('"SECONDS"', "${Seconds}"))
    config = tmp_path / "countersign.toml"
    config.write_text("[substitutions]\nSeconds = 3600\n")
    with Local(tmp_path).ready() as local:
        assert local.definition("flow")["States"]["W"]["Seconds"] == 3600
        config.write_text("[substitutions\nSeconds = 0\n")
        local.complains(r"countersign\.toml: the configuration can't be used:\n  line \d: isn't TOML")
        local.find(r"What it said before still holds\.")
        config.write_text("qeues = []\n[substitutions]\nSeconds = 0\n")
        local.complains(r"qeues: isn't a key that I know; did you mean queues\?")
        assert local.definition("flow")["States"]["W"]["Seconds"] == 3600
        config.write_text(
            'organisation = "Another"\nqueues = ["later"]\n[substitutions]\nSeconds = 0\n'
            '[functions.looped]\nbuiltin = "sign-document"\n[workflows.strange]\ntype = "EXPRESS"\n'
        )
        local.find(r"(?m)^flow  is loaded again")
        local.find(r"take effect at the next start")
        local.complains(r"workflows\.strange: there is no strange\.asl\.json")
        assert local.definition("flow")["States"]["W"]["Seconds"] == 0
        assert local.client("sqs").get_queue_url(QueueName="later")
        assert local.ended(local.start("flow"))["error"] != "Lambda.ResourceNotFoundException"


def test_what_workflows_stand_on_is_made_once(tmp_path):
    data = tmp_path / "data"
    (tmp_path / "countersign.toml").write_text(
        'queues = ["plain", "ordered.fifo"]\nactivities = ["validation"]\nbuckets = ["documents"]\n'
        'mail_identities = ["reports@example.com", "example.org"]\nmail_from = "Legal <legal@example.com>"\n'
        '[workflows.quick]\ntype = "EXPRESS"\n'
    )
    save(tmp_path, "quick", PASS)
    for again in range(2):
        with Local(tmp_path, "--data", str(data)).ready() as local:
            sqs = local.client("sqs")
            url = sqs.get_queue_url(QueueName="ordered.fifo")["QueueUrl"]
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            assert attributes["FifoQueue"] == "true"
            # What somebody has set since isn't set back.
            assert attributes.get("VisibilityTimeout") == ("77" if again else "30")
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "77"})
            assert sqs.get_queue_url(QueueName="plain")
            activities = local.client("stepfunctions").list_activities()["activities"]
            assert [activity["name"] for activity in activities] == ["validation"]
            buckets = [bucket["Name"] for bucket in local.client("s3").list_buckets()["Buckets"]]
            assert buckets == ["countersign-state-data", "documents"]
            identities = local.client("sesv2").list_email_identities()["EmailIdentities"]
            names = {identity["IdentityName"] for identity in identities}
            assert names == {"legal@example.com", "reports@example.com", "example.org"}
            quick = local.client("stepfunctions").describe_state_machine(stateMachineArn=local.arn("quick"))
            assert quick["type"] == "EXPRESS"
            assert local.errors == []


def test_everything_is_kept_when_it_is_killed(tmp_path):
    data = tmp_path / "kept"
    save(tmp_path, "release", ASK_BOB)
    later = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3, "Next": "F"}, "F": {
        "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:signs", "End": True}}}
    save(tmp_path, "later", later)
    (tmp_path / "countersign.toml").write_text('[functions.signs]\nbuiltin = "sign-document"\n')
    with Local(tmp_path, "--data", str(data)).ready() as local:
        key = local.variables["COUNTERSIGN_API_KEY"]
        execution = local.start("release", {"document": "9"})
        waiting = local.start("later", {"signer": "Alice", "documentId": "4"})
        link = local.link_about("9")
        ports = {"port": local.pages.rpartition(":")[2], "aws_port": local.aws.rpartition(":")[2]}
        local.kill()
    assert (data / "api.key").read_text().strip() == key
    assert (data / "api.key").stat().st_mode & 0o777 == 0o600
    with Local(tmp_path, "--data", str(data), **ports).ready() as local:
        assert local.variables["COUNTERSIGN_API_KEY"] == key
        assert "Your answer" in fetch(link).text
        assert answer(link, "approve").status == 200
        assert local.ended(execution)["status"] == "SUCCEEDED"
        # Its function was there before its timer fired.
        assert json.loads(local.ended(waiting)["output"]) == {"result": "Alice signed 4"}
        assert len(local.mails(BOB)) >= 1
        pending = program(BINARY, "pending", "--key-file", str(data / "api.key"), "--url", local.pages)
        assert pending.returncode == 0, pending.stderr


def test_quiet_leaves_the_progress_out(tmp_path):
    save(tmp_path, "simple", PASS)
    with Local(tmp_path, "--quiet").ready() as local:
        local.run("simple")
        save(tmp_path, "another", PASS)
        local.find("another  is there now")
        assert "SUCCEEDED" not in local.output


def test_many_events_are_counted_rather_than_told(tmp_path):
    items = [{"n": n} for n in range(1000)]
    child = {"StartAt": "A", "States": {name: {"Type": "Pass", "Next": after} if after else {"Type": "Pass", "End": True}
                                         for name, after in [("A", "B"), ("B", "C"), ("C", None)]}}
    child |= {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    many = {"StartAt": "All", "States": {"All": {
        "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": child, "ResultPath": None, "OutputPath": "$.done",
        "End": True}}}
    save(tmp_path, "many", many)
    with Local(tmp_path).ready() as local:
        begun = len(local.lines)
        assert local.run("many", {"items": items, "done": "all"}) == "all"
        local.find(r"(?m)^ +… [\d,]+ more events; executions: .*started, .*succeeded")
        assert len(local.lines) - begun < 1500
        told = [re.search(r"… ([\d,]+) more events", line) for line in local.lines]
        assert sum(int(match.group(1).replace(",", "")) for match in told if match) > 5000


def on_a_terminal(folder: Path, columns: int, **variables: str) -> list[str]:
    """What a terminal of so many columns is shown while a workflow with a long name runs."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", **variables}
    process = subprocess.Popen(
        [BINARY, "local", "--workflows", str(folder), "--port", "0", "--aws-port", "0"],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env=environment,
    )
    os.close(theirs)
    shown = ""
    try:
        while "Ctrl-C ends it" not in shown:
            shown += os.read(ours, 65536).decode()
        aws = re.search(r"AWS +(?:\x1b\[\w+m)?(http://127\.0\.0\.1:\d+)", shown).group(1)
        started = program(
            "aws", "stepfunctions", "start-execution", "--endpoint-url", aws, "--state-machine-arn",
            "arn:aws:states:us-east-1:123456789012:stateMachine:long", AWS_DEFAULT_REGION="us-east-1",
            AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any",
        )
        assert started.returncode == 0, started.stderr
        while "SUCCEEDED" not in shown:
            shown += os.read(ours, 65536).decode()
    finally:
        process.kill()
        process.wait(60)
        os.close(ours)
    return shown.splitlines()


def test_colour_and_width_are_the_terminals(tmp_path):
    name = "A state whose name is longer than any line " * 2
    save(tmp_path, "long", json.dumps(PASS).replace("Only", name.strip()[:80]))
    lines = on_a_terminal(tmp_path, 60)
    progress = [line for line in lines if re.match(r"(\x1b\[\w+m)*\d\d:\d\d:\d\d", line)]
    assert len(progress) == 3 and all("\x1b[" in line for line in progress)
    plain = [re.sub(r"\x1b\[\w+m", "", line) for line in progress]
    assert all(len(line) <= 60 for line in plain), plain
    assert plain[1].endswith("…")
    assert not any("\x1b[" in line for line in on_a_terminal(tmp_path, 200, NO_COLOR="1"))


@pytest.mark.parametrize(
    ("options", "toml", "named"),
    [
        (["--workflows", "nowhere"], None, ["--workflows nowhere: there is no such folder"]),
        (["--workflows", "flows/simple.asl.json"], None, ["there is no such folder"]),
        (["--config", "other.toml"], None, ["other.toml can't be read"]),
        ([], "queues = 5 5", ["countersign.toml: the configuration can't be used", "line 1: isn't TOML"]),
        ([], "quues = []\nqueues = 7", ["quues: isn't a key that I know; did you mean queues?", "queues: must be a list"]),
        ([], "[functions.f]\nbuiltin = 'x'", ["functions.f.builtin: must be one of the samples: sign-document"]),
        (["--data", "flows/simple.asl.json"], None, ["--data flows/simple.asl.json"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_at_the_start_ends_it_with_status_2(tmp_path, options, toml, named):
    flows = tmp_path / "flows"
    flows.mkdir()
    save(flows, "simple", PASS)
    if toml is not None:
        (flows / "countersign.toml").write_text(toml)
    start = ["local", "--port", "0", "--aws-port", "0"]
    folder = [] if "--workflows" in options else ["--workflows", "flows"]
    done = program(BINARY, *start, *folder, *options, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    for text in named:
        assert text in done.stderr
    assert "panicked" not in done.stderr


def test_a_taken_port_is_named(tmp_path):
    with Local(tmp_path).ready() as local:
        local.find(r"(?m)^Workflows +none yet; save one as NAME\.asl\.json in ")
        for option, port in [("--port", local.pages), ("--aws-port", local.aws)]:
            port = port.rpartition(":")[2]
            ports = {"--port": "0", "--aws-port": "0"} | {option: port}
            done = program(BINARY, "local", "--workflows", str(tmp_path), *[word for pair in ports.items() for word in pair])
            assert done.returncode == 2
            assert f"127.0.0.1:{port}" in done.stderr and option in done.stderr


RUNTIME = """
import json, os, urllib.request
GREETING = "Hello"
invocation = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{invocation}/next") as told:
        event, request = json.load(told), told.headers["Lambda-Runtime-Aws-Request-Id"]
    print("greets", event["name"], flush=True)
    answer = {"text": f"{GREETING}, {event['name']}", "mark": os.environ.get("MARK"), "endpoint": os.environ["AWS_ENDPOINT_URL"]}
    urllib.request.urlopen(urllib.request.Request(f"{invocation}/{request}/response", data=json.dumps(answer).encode()))
"""
GREETS = {"StartAt": "Greet", "States": {"Greet": {
    "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:greet", "End": True}}}


def test_functions_are_the_authors_programs_and_start_afresh_when_their_code_changes(tmp_path):
    save(tmp_path, "greets", GREETS)
    code, config = tmp_path / "code", tmp_path / "countersign.toml"
    code.mkdir()
    (code / "greet.py").write_text(RUNTIME)
    function = f'[functions.greet]\ncommand = ["{sys.executable}", "greet.py"]\ndirectory = "code"\ntimeout_seconds = 20\n'
    config.write_text(function)
    with Local(tmp_path).ready() as local:
        local.find(r"(?m)^Functions +greet$")
        told = local.run("greets", {"name": "Ann"})
        assert told == {"text": "Hello, Ann", "mark": None, "endpoint": local.aws}
        local.find(r"(?m)^\S+  \[greet\] +greets Ann$")
        (code / "greet.py").write_text(RUNTIME.replace("Hello", "Good morning"))
        local.find(r"(?m)^greet  is started afresh: its code has changed$")
        assert local.run("greets", {"name": "Ann"})["text"] == "Good morning, Ann"
        config.write_text(function + 'environment = { MARK = "x" }\n')
        wait_until("the variable is there", lambda: local.run("greets", {"name": "Ann"})["mark"] == "x")
        config.write_text("")
        local.find(r"(?s)is read again.*is read again")
        assert local.ended(local.start("greets"))["error"] == "Lambda.ResourceNotFoundException"


def test_a_function_may_be_an_address(tmp_path):
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            event = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps({"text": f"From afar, {event['name']}"}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    save(tmp_path, "greets", GREETS)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "countersign.toml").write_text(
            f'[functions.greet]\nurl = "http://127.0.0.1:{server.server_port}/greet"\n'
        )
        with Local(tmp_path).ready() as local:
            assert local.run("greets", {"name": "Ann"}) == {"text": "From afar, Ann"}
        server.shutdown()
