"""What the README promises is so: its options exist, and its state does what it says."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from demo import BINARY, answer

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_options_it_names_exist():
    options = set(re.findall(r"`(--[a-z-]+)", README.partition("| option |")[2].partition("\n\n")[0]))
    assert len(options) >= 5
    shown = subprocess.run([BINARY, "demo", "--help"], capture_output=True, text=True, check=True).stdout
    assert {option for option in options if option not in shown} == set()


@pytest.fixture
def machine(demo):
    """The README's state, with the states that it goes on to."""
    (state,) = [block for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL) if "waitForTaskToken" in block]
    definition = {
        "StartAt": "Bob signs",
        "States": json.loads("{" + state + "}") | {"Publish": {"Type": "Succeed"}, "Tell the author": {"Type": "Succeed"}},
    }
    client = demo.client("stepfunctions")
    arn = client.create_state_machine(
        name="from-the-readme", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/any"
    )["stateMachineArn"]
    yield arn
    client.delete_state_machine(stateMachineArn=arn)


@pytest.mark.parametrize(
    ("outcome", "comment", "end"), [("approve", "", "Publish"), ("reject", "Not like this.", "Tell the author")]
)
def test_its_state_asks_and_goes_on(demo, machine, document_numbers, outcome, comment, end):
    document = str(next(document_numbers))
    client = demo.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps({"documentId": document}))["executionArn"]
    assert answer(demo.link_about(document), outcome, comment).status == 200
    output = json.loads(demo.ended(execution)["output"])
    events = client.get_execution_history(executionArn=execution)["events"]
    assert end in [event.get("stateEnteredEventDetails", {}).get("name") for event in events]
    if outcome == "approve":
        assert output["approved"] is True
    else:
        assert output["Error"] == "Approval.Rejected"
        assert comment in output["Cause"]
