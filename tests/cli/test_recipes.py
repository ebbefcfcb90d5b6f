"""The guide's recipes, as somebody who reads it would run them."""

import json
import urllib.error

import boto3
import pytest
from demo import answer, fetch, link_in, wait_until
from guide import Reader
from samples import NODE_MODULES, has_node
from serve import free_port
from test_guide import RECIPES, TOOLS, mail_about


@pytest.mark.skipif(not has_node(), reason="there is no Node, or aws-lambda-ric isn't installed for it")
def test_the_recipes(tmp_path):
    ports = {"8085": str(free_port()), "8086": str(free_port())}
    aws = f"http://127.0.0.1:{ports['8086']}"
    states = boto3.client(
        "stepfunctions", endpoint_url=aws, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    )

    def is_up():
        try:
            return fetch(f"{aws}/mailbox").status == 200
        except urllib.error.URLError:
            return False

    def ended(reader):
        execution = reader.variable("execution")
        wait_until("the execution ends", lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING")

    def bob(thing: str, outcome: str, comment: str = ""):
        def answers(reader):
            assert answer(link_in(mail_about(aws, thing)), outcome, comment).status == 200
            ended(reader)

        return answers

    def ann_has_a_mail(reader):
        ended(reader)
        (mail,) = json.loads(fetch(f"{aws}/mailbox/ann@example.com.json").text)["mails"]
        assert mail["subject"] == "Validation of some:special:id"
        assert "<li>a</li><li>b</li>" in mail["html"] and "offer" in mail["text"]

    others = {
        "Bob: sign document 3": bob("document 3", "approve"),
        "it is stopped": ended,
        "Ann: has a mail about some:special:id": ann_has_a_mail,
        "Bob: approve data 2": bob("data 2", "approve"),
        "Bob: reject data 1": bob("data 1", "reject", "Cem bought nothing."),
    }
    with Reader(tmp_path, others, ports, TOOLS, is_up, PAGES=ports["8085"], AWS=ports["8086"]) as reader:
        reader.put_on_path()
        # What it would put there has been fetched and built already.
        npm = tmp_path / "bin/npm"
        npm.write_text(f'#!/bin/sh\n[ "$*" = "install --silent" ] && ln -s "{NODE_MODULES}" node_modules\n')
        npm.chmod(0o755)
        reader.follow(*RECIPES)
