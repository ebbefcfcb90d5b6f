"""The stack's functions, as CloudFormation made them, with the program in them (account.py): a workflow asks by invoking, and
by a message; Bob answers on the page behind API Gateway; the operations function completes; the tick does what is left."""

import json

import pytest

from account import Account, keys_by_reference
from demo import BOB, answer, link_in, wait_until
from stack import Stack, package

pytestmark = keys_by_reference


@pytest.fixture(scope="module")
def account(aws, client, tmp_path_factory):
    client("s3").create_bucket(Bucket="code")
    folder = tmp_path_factory.mktemp("checkout")
    stack = Stack(aws, client, package(aws, folder), "approvals")
    with Account(stack, aws, tmp_path_factory.mktemp("account")) as account:
        yield account


def request(title: str, **more) -> dict:
    return {
        "taskToken.$": "$$.Task.Token", "title": title, "signers": [{"name": "Bob", "email": BOB}],
        "execution": {"arn.$": "$$.Execution.Id", "stateName.$": "$$.State.Name"},
    } | more


@pytest.fixture
def run(account, request):  # noqa: F811
    """Starts a machine of one state; gives the execution."""

    def run(state: dict) -> str:
        sfn, name = account.client("stepfunctions"), f"orders-{request.node.name[5:70]}"
        definition = {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "TimeoutSeconds": 300, "End": True} | state}}
        role = "arn:aws:iam::123456789012:role/any"
        machine = sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
        return sfn.start_execution(stateMachineArn=machine)["executionArn"]

    return run


def by_invoke(account, asked: dict) -> dict:
    parameters = {"FunctionName": account.functions["Function"], "Payload": asked}
    return {"Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": parameters}


def link_about(account, thing: str) -> str:
    mail = wait_until(f"a mail about {thing}", lambda: next((it for it in account.local.mails() if thing in it["subject"]), None))
    return account.front.reach(link_in(mail))


def test_a_state_that_invokes_it_is_answered(account, run):
    execution = run(by_invoke(account, request("Approve release 1.4")))
    assert answer(link_about(account, "release 1.4"), "approve").status == 200
    ended = account.local.ended(execution)
    assert ended["status"] == "SUCCEEDED" and json.loads(ended["output"])["approved"] is True
