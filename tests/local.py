"""`countersign local` as a process: a folder of workflows, watched and driven from outside."""

import json
import re
from pathlib import Path

from demo import Demo, wait_until

PASS = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "Result": "one", "End": True}}}
ASK_BOB = {
    "StartAt": "Ask Bob",
    "States": {
        "Ask Bob": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {
                "FunctionName": "${CountersignFunctionArn}",
                "Payload": {
                    "taskToken.$": "$$.Task.Token",
                    "title.$": "States.Format('Approve document {}', $.document)",
                    "signers": [{"name": "Bob"}],
                    "execution": {"arn.$": "$$.Execution.Id", "stateName.$": "$$.State.Name"},
                },
            },
            "End": True,
        }
    },
}


def save(folder: Path, name: str, definition) -> Path:
    """Saves a definition, or text that may be none, as a workflow's file."""
    path = folder / f"{name}.asl.json"
    path.write_text(definition if isinstance(definition, str) else json.dumps(definition, indent=2))
    return path


class Local(Demo):
    """`countersign local` over a folder of workflows, on free ports unless told which; killed at the end."""

    COMMAND = "local"

    def __init__(self, folder: Path, *options: str, **ports: str):
        super().__init__("--workflows", str(folder), *options, **ports)
        self.folder = folder

    def ready(self):
        """Waits until everything is loaded."""
        self.find(r"Ctrl-C ends it")
        return self

    @property
    def pages(self) -> str:
        return self.find(r"(?m)^Pages +(http://127\.0\.0\.1:\d+)$").group(1)

    @property
    def aws(self) -> str:
        return self.find(r"(?m)^AWS +(http://127\.0\.0\.1:\d+)$").group(1)

    @property
    def variables(self) -> dict[str, str]:
        """What the printed lines would export."""
        self.ready()
        lines = [line.removeprefix("export ") for line in self.lines if line.startswith("export ")]
        return dict(pair.split("=", 1) for line in lines for pair in line.split())

    def arn(self, name: str) -> str:
        return f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"

    def definition(self, name: str) -> dict:
        machine = self.client("stepfunctions").describe_state_machine(stateMachineArn=self.arn(name))
        return json.loads(machine["definition"])

    def machines(self) -> list[str]:
        return sorted(machine["name"] for machine in self.client("stepfunctions").list_state_machines()["stateMachines"])

    def start(self, name: str, given=None) -> str:
        """Starts an execution; answers with its ARN."""
        client = self.client("stepfunctions")
        return client.start_execution(stateMachineArn=self.arn(name), input=json.dumps(given or {}))["executionArn"]

    def run(self, name: str, given=None):
        """Runs an execution to its end; answers with its output."""
        ended = self.ended(self.start(name, given))
        assert ended["status"] == "SUCCEEDED", ended
        return json.loads(ended["output"])

    def complains(self, pattern: str) -> str:
        """The first match on standard error; waits for it."""

        def found():
            return re.search(pattern, "\n".join(self.errors))

        return wait_until(f"local complains {pattern}; so far: {self.errors}", found).group()
