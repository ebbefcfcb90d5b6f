"""What the tests on moto's AWS share: a request for Bob, and how its execution ended."""

import json
import re

from demo import BOB, fetch, wait_until


def ask(serve, aws, execution: str, token: str, title: str) -> tuple[str, str]:
    """The request, and the link in Bob's mail."""
    opened = serve.open(
        {
            "taskToken": token,
            "title": title,
            "signers": [{"name": "Bob", "email": BOB}],
            "execution": {"arn": execution},
        }
    )
    assert opened.status == 201, opened.text
    return json.loads(opened.text)["requestId"], link_about(serve, aws, title.partition(" ")[2])


def mails_about(aws, thing: str) -> list[dict]:
    data = json.loads(fetch(f"{aws}/moto-api/data.json").text)
    sent = [m for service in ("ses", "sesv2") for m in data.get(service, {}).get("Message", [])]
    return [m for m in sent if thing in str(m.get("subject"))]


def link_about(serve, aws, thing: str) -> str:
    """The link in Bob's mail about a thing; waits for it."""
    sent = wait_until(f"Bob's mail about {thing} is sent", lambda: mails_about(aws, thing))
    # moto keeps the HTML part alone.
    return re.search(rf"{re.escape(serve.url)}/s/[\w-]{{47}}", sent[0]["body"]).group()


def ended(client, execution: str) -> dict:
    def has_ended():
        described = client("stepfunctions").describe_execution(executionArn=execution)
        return described if described["status"] != "RUNNING" else None

    return wait_until("the execution ends", has_ended)


def run_machines(endpoint: str, run: bool):
    """Whether moto runs state machines. It knows those that CloudFormation made only while it doesn't."""
    settings = json.dumps({"stepfunctions": {"execute_state_machine": run}}).encode()
    fetch(f"{endpoint}/moto-api/config", "POST", settings, {"content-type": "application/json"})
