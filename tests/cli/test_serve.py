"""`countersign serve` with another AWS behind it, through the environment alone: requests over HTTP, pages, and the
operators' commands. The AWS is the demo's, in a process of its own; the service has its own table there."""

import itertools
import json
import subprocess
import threading
import time

import pytest
from demo import BINARY, PATIENCE, answer, link_in, wait_until
from serve import Serve, create_table, environment, free_port, new_key

CAROL = "carol@example.com"


@pytest.fixture(scope="module")
def serve(demo, tmp_path_factory):
    create_table(demo.client("dynamodb"), "served")
    with Serve(tmp_path_factory.mktemp("serve"), demo.aws, "served") as running:
        yield running


def test_a_container_can_ask_whether_it_is_ready(serve):
    def health(listen: str) -> tuple[int, str]:
        asked = subprocess.run(
            [BINARY, "health"], capture_output=True, text=True, env=environment(COUNTERSIGN_LISTEN=listen), timeout=PATIENCE
        )
        return asked.returncode, asked.stdout + asked.stderr

    port = serve.url.rpartition(":")[2]
    assert health(f"0.0.0.0:{port}") == (0, "ready\n")
    status, told = health(f"127.0.0.1:{free_port()}")
    assert (status, "doesn't answer" in told) == (1, True), told
    status, told = health("8080")
    assert (status, "--listen" in told) == (2, True), told


@pytest.fixture(scope="module")
def machine(demo):
    """A machine that waits for a token; the token is read from its history."""
    definition = {
        "StartAt": "Wait",
        "States": {
            "Wait": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {
                    "FunctionName": "sign-document",
                    "Payload": {"signer": "Alice", "documentId": "1", "taskToken.$": "$$.Task.Token"},
                },
                "TimeoutSeconds": 300,
                "End": True,
            }
        },
    }
    return demo.client("stepfunctions").create_state_machine(
        name="served", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/any"
    )["stateMachineArn"]


def token_of(demo, execution: str) -> str:
    client = demo.client("stepfunctions")

    def token():
        for event in client.get_execution_history(executionArn=execution)["events"]:
            details = event.get("taskScheduledEventDetails")
            if details:
                return json.loads(details["parameters"])["Payload"]["taskToken"]
        return None

    return wait_until("the task is scheduled", token)


def ask(demo, serve, machine, title: str) -> tuple[str, str, str]:
    """An execution, the request that asks Carol for it, and her link."""
    execution = demo.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
    request = {
        "taskToken": token_of(demo, execution),
        "title": title,
        "signers": [{"name": "Carol", "email": CAROL}],
        "execution": {"arn": execution},
        "tags": {"team": title.split()[-1]},
    }
    opened = serve.open(request)
    assert opened.status == 201, opened.text
    assert serve.open(request).status == 200
    # "Approve release one" is "Please approve: release one" in the subject.
    thing = title.partition(" ")[2]
    mail = wait_until("Carol gets her mail", lambda: next((m for m in demo.mails(CAROL) if thing in m["subject"]), None))
    return execution, json.loads(opened.text)["requestId"], link_in(mail)


def test_what_is_asked_over_http_is_signed_on_the_page_and_reaches_the_workflow(demo, serve, machine):
    execution, request, link = ask(demo, serve, machine, "Approve release one")
    assert link.startswith(serve.url)
    shown = serve.run("show", request)
    assert shown.returncode == 0, shown.stderr
    assert "Waiting for Carol: mail sent" in shown.stdout
    listed = serve.run("pending", "--assignee", CAROL.upper(), "--tag", "team=one")
    assert request in listed.stdout, listed
    assert answer(link, "approve", name="Carol").status == 200
    ended = demo.ended(execution)
    assert ended["status"] == "SUCCEEDED"
    output = json.loads(ended["output"])
    assert (output["requestId"], output["approved"]) == (request, True)
    assert serve.show(request)["callback"]["state"] == "delivered"
    assert request not in serve.run("pending").stdout
    month = time.strftime("%Y-%m", time.gmtime())
    assert request in serve.run("pending", "--done", month, "--tag", "team=one").stdout


def test_operators_withdraw_complete_and_mail_again(demo, serve, machine):
    execution, request, _ = ask(demo, serve, machine, "Approve release two")
    again = serve.run("resend", request, "--signer", "carol")
    assert (again.returncode, "Mailed again: Carol" in again.stdout) == (0, True), again
    wait_until(
        "the mail comes again", lambda: len([m for m in demo.mails(CAROL) if "release two" in m["subject"]]) == 2
    )
    done = serve.run("complete", request, "--comment", "By telephone.")
    assert (done.returncode, "approved" in done.stdout) == (0, True), done
    assert demo.ended(execution)["status"] == "SUCCEEDED"

    execution, request, _ = ask(demo, serve, machine, "Approve release three")
    assert "release three" in serve.run("pending", "--newer-than", "1h30m").stdout
    assert serve.run("pending", "--older-than", "1h30m").stdout == "Nothing.\n"
    done = serve.run("cancel", request, "--reason", "A mistake.", "--by", "Legal", "--json")
    assert json.loads(done.stdout)["status"] == "cancelled"
    ended = demo.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "Approval.Cancelled")
    told = [line.split("  ", 1)[1] for line in serve.run("events", request).stdout.splitlines()]
    assert (told[0], told[1], told[2]) == ("Asked.", "Carol was mailed.", "Withdrawn by Legal: “A mistake.”"), told
    assert json.loads(serve.run("events", request, "--json").stdout)["events"][1]["type"] == "cancelled"
    late = serve.run("cancel", request)
    assert (late.returncode, "cancelled already" in late.stderr) == (1, True), late


def test_a_callback_that_cannot_be_delivered_is_parked_and_says_why(demo, serve):
    opened = serve.open({"taskToken": "no-such-token", "title": "Approve four", "signers": [{"name": "Carol", "email": CAROL}]})
    request = json.loads(opened.text)["requestId"]
    done = serve.run("complete", request)
    assert done.returncode == 1, done
    assert serve.show(request)["callback"]["state"] == "parked"
    assert request in serve.run("pending", "--attention").stdout
    retried = serve.run("retry", request)
    assert (retried.returncode, "could not be told" in retried.stderr) == (1, True), retried
    assert "no-such-token" not in retried.stdout + retried.stderr + json.dumps(serve.show(request))


def test_wrong_use_has_status_2_and_says_what_to_do(serve):
    for arguments, key, said in [
        (("show", "req_nonsense"), None, "req_ and 26"),
        (("events", "req_nonsense"), None, "req_ and 26"),
        (("pending", "--tag", "legal"), None, "tag"),
        (("pending", "--older-than", "long"), None, "2d"),
        (("pending",), new_key("requests:read")[0], "isn't known"),
        (("pending", "--url", "not an address"), None, "can't be sent"),
    ]:
        ended = serve.run(*arguments, key=key)
        assert (ended.returncode, said in ended.stderr) == (2, True), ended
    ended = serve.run("show", "req_aaaaaaaaaaaaaaaaaaaaaaaaaa")
    assert (ended.returncode, ended.stderr.strip()) == (1, "error: No request has this id.")
    ended = serve.run("pending", "--url", "http://127.0.0.1:1")
    assert (ended.returncode, "doesn't answer" in ended.stderr) == (1, True), ended


def test_a_stop_under_load_answers_everything_that_was_taken(demo, tmp_path):
    client = demo.client("dynamodb")
    create_table(client, "stopped")
    answers = []

    def ask_until_it_is_gone(number: int):
        for n in itertools.count():
            request = {"taskToken": f"token-{number}-{n}", "title": "x", "signers": [{"name": "Dan", "email": "dan@example.com"}]}
            try:
                answers.append(serve.open(request).status)
            except OSError:
                return

    with Serve(tmp_path, demo.aws, "stopped") as serve:
        callers = [threading.Thread(target=ask_until_it_is_gone, args=(number,)) for number in range(8)]
        for caller in callers:
            caller.start()
        wait_until("there is load", lambda: len(answers) > 20)
        assert serve.terminate() == 0
        for caller in callers:
            caller.join()
        assert "Stops" in serve.process.stdout.read().decode()
    assert set(answers) == {201}
    pages = client.get_paginator("scan").paginate(
        TableName="stopped", FilterExpression="sk = :state", ExpressionAttributeValues={":state": {"S": "S"}}
    )
    assert sum(page["Count"] for page in pages) == len(answers)
