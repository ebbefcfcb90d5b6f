"""The workflows of infra/workflows/ as a reader runs them: a copy with what their functions need beside it, under
`countersign local`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from demo import BINARY, PATIENCE
from local import Local
from serve import environment

ROOT = Path(__file__).parents[1]
WORKFLOWS = ROOT / "infra/workflows"
NODE_MODULES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute() / "node/node_modules"
# Where `pip install -r share-data/requirements.txt` has put what it says.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def has_node() -> bool:
    return (NODE_MODULES / "aws-lambda-ric").is_dir() and shutil.which("node") is not None


def copy(folder: Path) -> Path:
    """The workflows in a folder of the reader's own, after `npm install`."""
    copied = shutil.copytree(WORKFLOWS, folder / "workflows", ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    if has_node():
        (copied / "fetch-process-save/node_modules").symlink_to(NODE_MODULES)
    return copied


class Samples(Local):
    """`countersign local` over a copy of the samples. Use as a context manager: it is killed at the end."""

    def __init__(self, workflows: Path, *options: str):
        super().__init__(workflows, *options, PATH=PATH)

    @property
    def key(self) -> str:
        """The API key with every scope, as printed."""
        return self.variables["COUNTERSIGN_API_KEY"]

    def start_with(self, name: str, text: str) -> str:
        """Starts a workflow with an input as it is written; gives the execution's ARN."""
        start = self.client("stepfunctions").start_execution
        return start(stateMachineArn=self.arn(name), input=text)["executionArn"]

    def entered(self, execution: str) -> list[tuple[str, str]]:
        """The states that were entered, in order, each with its input."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
        events = [event for page in pages for event in page["events"]]
        details = [event["stateEnteredEventDetails"] for event in events if "stateEnteredEventDetails" in event]
        return [(state["name"], state["input"]) for state in details]

    def result_of(self, execution: str) -> str:
        """What an execution ended with, as it is written; waits for it."""
        ended = self.ended(execution)
        assert ended["status"] == "SUCCEEDED", ended
        return ended["output"]

    def failure_of(self, execution: str) -> tuple[str, str]:
        """The error that an execution ended with, and what its cause says; waits for it."""
        ended = self.ended(execution)
        assert ended["status"] == "FAILED", ended
        try:
            return ended["error"], json.loads(ended["cause"])["errorMessage"]
        except ValueError:
            return ended["error"], ended["cause"]

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        """Runs one of the commands that speak to the service."""
        variables = environment(COUNTERSIGN_URL=self.pages, COUNTERSIGN_API_KEY=self.key)
        return subprocess.run([BINARY, *arguments], capture_output=True, text=True, env=variables, timeout=PATIENCE)
