"""The program as a user starts it: exit statuses, what it prints, and what survives a power cut."""

import json
import subprocess

import pytest
from demo import BINARY, Demo, answer, fetch, wait_until


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env={"NO_COLOR": "1"}
    )


def walk(*options: str) -> subprocess.CompletedProcess:
    return run("demo", "--port", "0", "--aws-port", "0", "--walk", *options)


def last_json(output: str):
    """The JSON that the output ends with."""
    lines = output.rstrip().splitlines()
    for start in range(len(lines) - 1, -1, -1):
        try:
            value = json.loads("\n".join(lines[start:]))
        except ValueError:
            continue
        if isinstance(value, (dict, list)) and (start == 0 or lines[start][0] in "[{"):
            return value
    raise AssertionError(f"no JSON at the end of:\n{output}")


def test_walking_through_ends_with_the_result():
    done = walk()
    assert done.returncode == 0, done.stdout + done.stderr
    alice, bob = last_json(done.stdout)
    assert alice == {"result": "Alice signed 3"}
    assert bob["signature"] == "Bob signed 3"
    assert bob["status"] == "approved"
    assert bob["approved"] is True
    assert bob["evidence"]["head"].startswith("sha256:")
    assert '"signature": "Bob signed 3"' in done.stdout
    assert "\x1b" not in done.stdout, "colour although nobody looks at a terminal"


def test_walking_through_a_rejection_ends_failed():
    done = walk("--reject")
    assert "FAILED" in done.stdout
    assert "Approval.Rejected" in done.stdout
    cause = last_json(done.stdout)
    text = json.dumps(cause)
    assert "comment" in text and "Bob" in text


def test_what_runs_where_is_printed_first():
    with Demo() as demo:
        demo.find("/mailbox/")
        first, second = demo.lines[:2]
        assert "http://127.0.0.1:" in first + demo.lines[1]
        assert demo.aws in demo.output
        assert first != second


def test_nobody_signing_ends_timed_out():
    with Demo("--timeout", "5") as demo:
        link = demo.link_about("3")
        assert fetch(link).status == 200
        status = demo.end()
        assert "TIMED_OUT" in demo.output
        assert status != 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["demo", "--prot", "1"], "--prot"),
        (["demo", "--port", "http"], "http"),
        (["demo", "--port", "70000"], "70000"),
        (["demo", "--timeout", "soon"], "soon"),
        (["demo", "--timeout", "0"], "0"),
        (["demo", "--reject"], "--walk"),
        (["dmeo"], "dmeo"),
        ([], "Usage"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else None,
)
def test_wrong_arguments_are_named(arguments, named):
    done = run(*arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert "panicked" not in done.stderr


def test_a_taken_port_is_named():
    with Demo() as demo:
        port = demo.aws.rpartition(":")[2]
        done = run("demo", "--walk", "--port", "0", "--aws-port", port)
        assert done.returncode not in (0, 101)
        assert port in done.stderr
        assert "panicked" not in done.stderr


def executions(demo: Demo) -> list[dict]:
    return demo.client("stepfunctions").list_executions(stateMachineArn=demo.state_machine())["executions"]


def test_killed_while_bob_is_asked_it_goes_on(tmp_path):
    ports = []
    with Demo("--data", str(tmp_path)) as demo:
        link = demo.link_about("3")
        (execution,) = executions(demo)
        ports = [link.split(":")[2].split("/")[0], demo.aws.rpartition(":")[2]]
    # The same ports, as with the default ones: the mail's link names them.
    with Demo("--data", str(tmp_path), "--port", ports[0], "--aws-port", ports[1]) as demo:
        demo.find("/mailbox/")
        wait_until("the page answers again", lambda: fetch(link).status == 200)
        assert "Thank you, Bob" in answer(link, "approve").text
        demo.ended(execution["executionArn"])
        assert len([mail for mail in demo.mails() if "sign" in mail["subject"].lower()]) == 1
        assert demo.end() == 0
        assert '"signature": "Bob signed 3"' in demo.output


def test_killed_right_after_the_answer_it_keeps_the_answer(tmp_path):
    with Demo("--data", str(tmp_path)) as demo:
        link = demo.link_about("3")
        port = link.split(":")[2].split("/")[0]
        aws_port = demo.aws.rpartition(":")[2]
        assert "Thank you, Bob" in answer(link, "approve", comment="Before the lights went out").text
        demo.kill()
    with Demo("--data", str(tmp_path), "--port", port, "--aws-port", aws_port) as demo:
        assert demo.end() == 0
        alice, bob = last_json(demo.output)
        assert alice == {"result": "Alice signed 3"}
        assert bob["signature"] == "Bob signed 3"
        assert bob["responses"][0]["comment"] == "Before the lights went out"
