"""The guide's way to one's own account, as it stands there: CloudFormation and what it makes are moto's, the functions and
the workflow run (account.py), Bob gets the mail and signs behind the stack's address."""

import json
from pathlib import Path

from account import Account
from demo import answer, link_in, wait_until
from guide import Reader, chapters
from stack import TOOLS, Stack, make_package
from waiting import run_machines

CHAPTER = "In your own account"
# In the embedded AWS the function `countersign` is its own service: so the stack's has another name here.
INSTEAD = {
    "--stack-name countersign": "--stack-name approvals", "'Organisation=Example Ltd'": "'Organisation=Example Ltd' Name=approvals",
    "countersign-operations": "approvals-operations",
    # tests/run has a stage of its own for it.
    "infra/package\n": "[ -e target/lambda/countersign-x86_64.zip ]\n",
}


def test_in_your_own_account(aws, client, tmp_path):
    variables = {
        "AWS_ENDPOINT_URL": aws, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
    }
    run_machines(aws, False)
    folder = tmp_path / "reader"
    folder.mkdir()
    make_package(folder)
    accounts = []

    def has_functions(reader):
        stack = Stack.made(aws, client, "approvals")
        (tmp_path / "account").mkdir()
        account = Account(stack, aws, tmp_path / "account")
        accounts.append(account)
        account.__enter__()
        # What workflows, functions and mails are asked about.
        for service in ("SFN", "LAMBDA"):
            reader.set(f"AWS_ENDPOINT_URL_{service}", account.recorder.url)

    def mail_about(thing: str) -> dict:
        return wait_until(f"a mail about {thing}", lambda: next((it for it in accounts[0].local.mails() if thing in it["subject"]), None))

    def ended(reader):
        assert accounts[0].local.ended(reader.variable("execution"))["status"] == "SUCCEEDED"

    def approves(reader):
        mail = mail_about("release 1.4")
        assert mail["from"].endswith("approvals@example.com")
        assert answer(accounts[0].front.reach(link_in(mail)), "approve").status == 200
        ended(reader)

    def status_and_answer(reader):
        status, _, reader.printed = reader.printed.partition("\t")
        assert status == "SUCCEEDED"
        return "answers"

    others = {
        "the account has its functions": has_functions,
        "Bob: approve release 1.4 in the account": approves,
        "answers, and the status": status_and_answer,
        "Bob: has a mail about release 1.7 in the account": lambda _: mail_about("release 1.7") and None,
    }
    try:
        with Reader(folder, others, INSTEAD, [TOOLS], **variables) as reader:
            reader.put_on_path()
            saved_before(folder)
            reader.follow(CHAPTER)
    finally:
        for account in accounts:
            account.__exit__()
    # What the guide says of the end.
    tables = client("dynamodb").list_tables()["TableNames"]
    assert {"approvals", "approvals-state-data"} <= set(tables)
    assert client("lambda").list_functions()["Functions"] == []


def saved_before(folder: Path):
    """What the reader has from the chapters before: the workflow, which here invokes the stack's function, and an answer."""
    for heading in ("Your own workflow on your laptop", "Complete it from a program"):
        for step in chapters()[heading]:
            if step.file:
                (folder / step.file).parent.mkdir(exist_ok=True)
                text = step.text.replace('"FunctionName": "countersign"', '"FunctionName": "approvals"')
                (folder / step.file).write_text(text)
    assert json.loads((folder / "workflows/release.asl.json").read_text())["StartAt"] == "Ask Bob"
