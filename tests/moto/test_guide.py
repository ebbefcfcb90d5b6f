"""The guide's way to an AWS account, with moto as the account. moto can't mail once there is a function, so mails go to
the demo's SES; and it runs no function, so this test does what Lambda would."""

import importlib.util
import json
import re
from pathlib import Path

from demo import BINARY, BOB, fetch, link_in, wait_until
from guide import ROOT, Reader
from serve import free_port
from waiting import run_machines

# Where tests/run puts the AWS CLI.
TOOLS = [Path(BINARY).parents[1] / "venv/bin"]
PUBLIC = "https://sign.example.com"


def test_on_an_account(aws, client, demo, tmp_path, monkeypatch):
    port = str(free_port())
    variables = {
        "AWS_ENDPOINT_URL": aws, "AWS_ENDPOINT_URL_SESV2": demo.aws, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
    }

    def invoked(reader):
        (machine,) = [it["stateMachineArn"] for it in client("stepfunctions").list_state_machines()["stateMachines"]]
        described = client("stepfunctions").describe_state_machine(stateMachineArn=machine)
        bob = json.loads(described["definition"])["States"]["Signatures"]["Branches"][1]["States"]["Bob"]
        function = client("lambda").get_function(FunctionName=bob["Parameters"]["FunctionName"])
        set_there = function["Configuration"]["Environment"]["Variables"]
        assert set_there["PUBLIC_URL"] == PUBLIC
        for name, text in (variables | set_there | {"PUBLIC_URL": f"http://127.0.0.1:{port}"}).items():
            monkeypatch.setenv(name, text)
        spec = importlib.util.spec_from_file_location("over_http", ROOT / "infra/functions/over_http.py")
        code = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(code)
        # The payload as the state makes it.
        payload = dict(bob["Parameters"]["Payload"])
        given = {"stepFunctionToken": "a-token", "documentId": "3", "execution": {"name": "any"}}
        made = {name.removesuffix(".$"): text for name, text in payload.items()} | given
        made["documents"] = [{"name": "document-3.txt", "text": "Document 3"}]
        assert code.handler(made, None)["status"] == "pending"
        mail = wait_until(
            "Bob has a mail with the service's address",
            lambda: next((mail for mail in demo.mails(BOB) if f"{PUBLIC}/s/" in mail["text"]), None),
        )
        assert "document 3" in mail["subject"] and mail["from"].endswith("<approvals@example.com>")
        here = link_in(mail).replace(PUBLIC, f"http://127.0.0.1:{port}")
        assert "Your answer" in fetch(here).text

    def is_ready():
        try:
            return fetch(f"http://127.0.0.1:{port}/readyz").status == 200
        except OSError:
            return False

    others = {
        "moto: knows the sample": lambda _: run_machines(aws, False),
        "the function is invoked for Bob and document 3": invoked,
    }
    with Reader(tmp_path, others, {"8080": port}, TOOLS, is_ready, **variables) as reader:
        reader.put_on_path()
        reader.follow("On your AWS account")
    assert re.search(r"csk_[\w-]{43}", (tmp_path / "workflows.key").read_text())
    assert "csk_" not in (tmp_path / "countersign.toml").read_text()
