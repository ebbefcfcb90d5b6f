"""`countersign local --time-travel` and `countersign skip`: days that pass in seconds, in their order."""

import json
import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path

from demo import BINARY, FORM, fetch, wait_until
from local import Local, save

SAMPLES = Path(__file__).parents[2] / "infra/workflows"
DAY, HOUR = 86_400, 3_600


def skip(local: Local, *arguments: str) -> subprocess.CompletedProcess:
    return run("skip", *arguments, "--aws-url", local.aws)


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


def skipped(local: Local, *arguments: str) -> dict:
    done = skip(local, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def came(answer: dict) -> list[str]:
    return [due["what"].partition(" in ")[0] for due in answer["came"]]


def lasted(local: Local, execution: str) -> timedelta:
    described = local.client("stepfunctions").describe_execution(executionArn=execution)
    return described["stopDate"] - described["startDate"]


def wait_state(seconds: int) -> dict:
    return {"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": seconds, "End": True}}}


def test_a_signature_that_nobody_gives_is_too_late_in_seconds(tmp_path):
    save(tmp_path, "document-signing", (SAMPLES / "document-signing.asl.json").read_text())
    (tmp_path / "countersign.toml").write_text(
        "[substitutions]\nTimeoutSeconds = 3600\n"
        'SignDocumentFunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:sign-document"\n'
        '[functions.sign-document]\nbuiltin = "sign-document"\n'
    )
    with Local(tmp_path, "--time-travel").ready() as local:
        execution = local.start("document-signing", {"documentId": "3"})
        link = local.link_about("3")
        assert fetch(link).status == 200
        answer = skipped(local, "--next")
        assert came(answer) == ["the time-out"], answer
        assert local.ended(execution)["status"] == "TIMED_OUT"
        assert timedelta(hours=1) <= lasted(local, execution) < timedelta(hours=1, seconds=5)
        assert "too late" in fetch(link).text.lower()


def test_waits_retries_reminders_and_a_deadline_come_in_their_order(tmp_path):
    caught = [{"ErrorEquals": ["Approval.Expired"], "Next": "Expired"}]
    payload = {
        "taskToken.$": "$$.Task.Token",
        "title": "Approve document 5",
        "signers": [{"name": "Bob"}],
        "timeoutSeconds": 3 * DAY,
        "reminders": {"afterSeconds": DAY, "everySeconds": DAY, "max": 2},
        "execution": {"arn.$": "$$.Execution.Id"},
    }
    states = {
        "Sleep": {"Type": "Wait", "Seconds": DAY, "Next": "Missing"},
        "Missing": {
            "Type": "Task",
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:missing",
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": HOUR, "BackoffRate": 1, "MaxAttempts": 2}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Ask"}],
            "Next": "Ask",
        },
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": "${CountersignFunctionArn}", "Payload": payload},
            "Catch": caught,
            "End": True,
        },
        "Expired": {"Type": "Pass", "Result": "expired", "End": True},
    }
    save(tmp_path, "long", {"StartAt": "Sleep", "States": states})
    with Local(tmp_path, "--time-travel").ready() as local:
        execution = local.start("long")
        began = time.monotonic()
        answer = skipped(local, "--by", "7d")
        assert time.monotonic() - began < 60
        ended = local.ended(execution)
        assert json.loads(ended["output"]) == "expired", ended
        expected = timedelta(days=4, hours=2)
        assert expected <= lasted(local, execution) < expected + timedelta(seconds=20)
        assert came(answer) == [
            "the end of “Sleep”",
            "another try of “Missing”",
            "another try of “Missing”",
            "reminder 1 to Bob for “Approve document 5”",
            "reminder 2 to Bob for “Approve document 5”",
            "the deadline of “Approve document 5”",
        ], answer
        # The rest is real time.
        assert 7 * DAY - 60 <= answer["skippedSeconds"] <= 7 * DAY
        mails = [mail for mail in reversed(local.mails()) if "document 5" in mail["subject"]]
        times = [datetime.fromisoformat(mail["received"]) for mail in mails[:3]]
        for earlier, later in zip(times, times[1:]):
            assert abs(later - earlier - timedelta(days=1)) < timedelta(seconds=20), times


def test_the_clock_stays_ahead_through_a_kill_and_only_goes_forwards(tmp_path):
    data = tmp_path / "data"
    workflows = tmp_path / "workflows"
    workflows.mkdir()
    save(workflows, "ten-days", wait_state(10 * DAY))
    options = ("--data", str(data))
    with Local(workflows, *options, "--time-travel").ready() as local:
        execution = local.start("ten-days")
        first = skipped(local, "--by", "2d")
        assert first["came"] == [] and first["next"]["what"].startswith("the end of “Sleep”")
        second = skipped(local, "--by", "90m")
        assert second["skippedSeconds"] >= 2 * DAY + 90 * 60 - 10
        local.kill()
    with Local(workflows, *options).ready() as local:
        refused = skip(local, "--next")
        assert refused.returncode == 1 and "--time-travel" in refused.stderr, refused
        described = local.client("stepfunctions").describe_execution(executionArn=local.start("ten-days"))
        assert described["startDate"] >= datetime.fromisoformat(second["now"])
    with Local(workflows, *options, "--time-travel").ready() as local:
        stands = json.loads(fetch(f"{local.aws}/clock").text)
        assert stands["skippedSeconds"] == second["skippedSeconds"]
        assert came(skipped(local, "--next")) == ["the end of “Sleep”"]
        assert local.ended(execution)["status"] == "SUCCEEDED"
        assert timedelta(days=10) <= lasted(local, execution) < timedelta(days=10, seconds=5)
        assert came(skipped(local, "--next")) == ["the end of “Sleep”"]


def test_what_a_person_sees_in_the_terminal_and_in_the_browser(tmp_path):
    save(tmp_path, "hour", wait_state(HOUR))
    with Local(tmp_path, "--time-travel").ready() as local:
        assert f"{local.aws}/clock" in local.output
        execution = local.start("hour")
        page = fetch(f"{local.aws}/clock", headers={"accept": "text/html"})
        assert page.status == 200 and "the real time." in page.text and "the end of “Sleep”" in page.text
        done = skip(local, "--next")
        assert done.returncode == 0, done.stderr
        first, due, nothing = done.stdout.splitlines()
        assert first.startswith("It is ") and first.endswith(" ahead of the real time.")
        assert "the end of “Sleep” in hour/" in due
        assert nothing == "Nothing further is known to fall due."
        assert local.ended(execution)["status"] == "SUCCEEDED"
        page = fetch(f"{local.aws}/clock", "POST", b"skip=by&by=2h", {**FORM, "accept": "text/html"})
        assert page.status == 200 and "Nothing fell due." in page.text


def test_wrong_arguments_and_nothing_to_skip_to(tmp_path):
    with Local(tmp_path, "--time-travel").ready() as local:
        for arguments in ([], ["--next", "--by", "3d"], ["--by", "soon"], ["--by", "-3d"], ["--by", "1mo"], ["--to", "x"]):
            refused = skip(local, *arguments)
            assert refused.returncode == 2 and refused.stderr, refused
        past = skip(local, "--to", "2020-01-01T00:00:00Z")
        assert past.returncode == 2 and "can't go back" in past.stderr, past
        far = skip(local, "--by", "50000d")
        assert far.returncode == 2 and "hundred years" in far.stderr, far
        nothing = skip(local, "--next")
        assert nothing.returncode == 1 and "nothing falls due" in nothing.stderr, nothing
        later = skipped(local, "--to", "2100-01-01T00:00:00Z")
        assert later["now"].startswith("2100-01-01T00:00:0")
    nobody = run("skip", "--next", "--aws-url", "http://127.0.0.1:9")
    assert nobody.returncode == 1 and "doesn't answer" in nobody.stderr, nobody
