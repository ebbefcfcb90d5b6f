"""The program as a user starts it: exit statuses, what it prints, and what survives a power cut."""

import json
import re
import subprocess

import pytest
from demo import BINARY, FORM, Demo, answer, fetch, wait_until


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
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"(?m)^Result +FAILED$", done.stdout)
    failure = last_json(done.stdout)
    assert failure["error"] == "Approval.Rejected"
    (response,) = failure["cause"]["responses"]
    assert response["signer"]["name"] == "Bob"
    assert "price" in response["comment"]


def test_what_runs_where_is_printed_first_and_stays_until_ctrl_c():
    with Demo() as demo:
        mailbox = demo.mailbox
        pages = demo.link_about("3").partition("/s/")[0]
        assert pages in demo.lines[0]
        assert demo.aws in demo.lines[1]
        # Alone on its line, to be clicked or copied.
        assert mailbox in [line.strip() for line in demo.lines]
        assert demo.interrupt() == 0


def test_nobody_signing_times_out_and_the_page_says_so():
    with Demo("--timeout", "5") as demo:
        link = demo.link_about("3")
        assert "Your answer" in fetch(link).text
        status, _ = demo.result()
        assert status == "TIMED_OUT"

        def too_late():
            return "It is too late to answer" in fetch(link).text

        # The workflow is asked at most once in ten seconds.
        wait_until("the page says that it is too late", too_late)
        assert "Thank you" not in answer_anyway(link)
        assert demo.interrupt() == 0


def answer_anyway(link: str) -> str:
    """What somebody is told who sends a form that isn't there any more."""
    return fetch(link, "POST", b"csrf=x&outcome=approve&comment=&name=Bob", FORM | {"origin": link.partition("/s/")[0]}).text


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
        assert done.returncode == 2
        assert port in done.stderr and "--aws-port" in done.stderr


def executions(demo: Demo) -> list[str]:
    listed = demo.client("stepfunctions").list_executions(stateMachineArn=demo.state_machine())["executions"]
    return [execution["executionArn"] for execution in listed]


def again(demo: Demo, link: str, folder) -> Demo:
    """The same demo started again, on the same ports, as it would be with the default ones: the mail names them."""
    port, aws_port = link.split(":")[2].partition("/")[0], demo.aws.rpartition(":")[2]
    return Demo("--data", str(folder), port=port, aws_port=aws_port)


def test_killed_while_bob_is_asked_it_goes_on(tmp_path):
    with Demo("--data", str(tmp_path)) as demo:
        link = demo.link_about("3")
        (execution,) = executions(demo)
    with again(demo, link, tmp_path) as demo:
        demo.find("/mailbox/")
        assert executions(demo) == [execution]
        assert "Your answer" in fetch(link).text
        assert "Thank you" in answer(link, "approve").text
        status, (alice, bob) = demo.result()
        assert (status, alice, bob["signature"]) == ("SUCCEEDED", {"result": "Alice signed 3"}, "Bob signed 3")
        assert [mail["subject"].split(":")[0] for mail in demo.mails()].count("Please sign") == 1


def test_killed_right_after_the_answer_it_keeps_the_answer(tmp_path):
    with Demo("--data", str(tmp_path)) as demo:
        link = demo.link_about("3")
        (execution,) = executions(demo)
        # Alice takes a second: with Bob's answer given at once, the workflow is cut off in between.
        assert "Thank you" in answer(link, "approve", comment="Before the lights went out").text
        demo.kill()
    with again(demo, link, tmp_path) as demo:
        ended = demo.ended(execution)
        assert ended["status"] == "SUCCEEDED"
        alice, bob = json.loads(ended["output"])
        assert alice == {"result": "Alice signed 3"}
        assert bob["signature"] == "Bob signed 3"
        assert bob["responses"][0]["comment"] == "Before the lights went out"
        assert "already signed" in fetch(link).text
