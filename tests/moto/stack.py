"""infra/template.yaml as a stack in moto: packaged and deployed by the AWS CLI, as those who use it do."""

import ast
import json
import subprocess
import zipfile
from pathlib import Path

from demo import BINARY, PATIENCE
from iam import REGION
from serve import environment
from template import ROOT
from waiting import run_machines

# Where tests/run puts the AWS CLI.
TOOLS = Path(BINARY).parents[1] / "venv/bin"
# What has no default.
NEEDED = {"Organisation": "Example Ltd", "MailFrom": "countersign@example.com"}


def make_package(folder: Path, program: bytes = b"#!/bin/sh\n") -> Path:
    """The zip where infra/package leaves it, with `program` in it."""
    path = folder / "target/lambda/countersign-x86_64.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("bootstrap", program)
    return path


def package(aws: str, folder: Path, bucket: str = "code") -> Path:
    """What `aws cloudformation package` makes of the template, in a folder that looks like a checkout."""
    if not (folder / "infra").exists():
        (folder / "infra").symlink_to(ROOT / "infra")
        make_package(folder)
    out = folder / "packaged.yaml"
    run(
        aws, folder, "cloudformation", "package", "--template-file", "infra/template.yaml", "--s3-bucket", bucket,
        "--output-template-file", str(out),
    )
    return out


def run(aws: str, folder: Path, *arguments: str) -> str:
    """Runs the AWS CLI against moto; gives what it printed."""
    variables = environment(
        AWS_ENDPOINT_URL=aws, AWS_DEFAULT_REGION=REGION, AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any", AWS_PAGER=""
    )
    done = subprocess.run(
        [TOOLS / "aws", *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{arguments}:\n{done.stdout}{done.stderr}"
    return done.stdout


class Stack:
    """A stack of that name, which is its parameter Name too."""

    def __init__(self, aws: str, client, packaged: Path, name: str, **parameters: str):
        self.aws, self.client, self.packaged, self.name = aws, client, packaged, name
        self.deploy(**parameters)

    @classmethod
    def made(cls, aws: str, client, name: str):
        """One that is there already."""
        stack = cls.__new__(cls)
        stack.aws, stack.client, stack.packaged, stack.name = aws, client, None, name
        return stack

    def deploy(self, **parameters: str):
        """Makes or changes it."""
        given = NEEDED | {"Name": self.name} | parameters
        run_machines(self.aws, False)
        run(
            self.aws, self.packaged.parent, "cloudformation", "deploy", "--stack-name", self.name, "--s3-bucket", "code",
            "--template-file", str(self.packaged), "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset",
            "--parameter-overrides", *(f"{key}={text}" for key, text in given.items()),
        )

    def delete(self):
        run(self.aws, self.packaged.parent, "cloudformation", "delete-stack", "--stack-name", self.name)

    @property
    def outputs(self) -> dict[str, str]:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), stack
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    @property
    def resources(self) -> dict[str, str]:
        """What each resource is called in AWS, by its name in the template."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {it["LogicalResourceId"]: it.get("PhysicalResourceId") for page in pages for it in page["StackResourceSummaries"]}

    def variables(self, function: str = "Function") -> dict[str, str]:
        """A function's environment."""
        made = self.client("lambda").get_function_configuration(FunctionName=self.resources[function])
        return made["Environment"]["Variables"]

    def policy(self, name: str) -> dict:
        """A managed policy's document, with everything filled in."""
        return document(self.client("iam").get_policy_version(PolicyArn=self.resources[name], VersionId="v1")["PolicyVersion"]["Document"])

    def documents(self, role: str, *managed: str) -> list[dict]:
        """All policies of a role: its own, and the managed ones, which moto doesn't say of it."""
        return [self.policy(name) for name in managed] + list(self.inline(role).values())

    def inline(self, role: str) -> dict[str, dict]:
        """The documents of a role's own policies, by their names."""
        iam, name = self.client("iam"), self.resources[role]
        names = iam.list_role_policies(RoleName=name)["PolicyNames"]
        return {it: document(iam.get_role_policy(RoleName=name, PolicyName=it)["PolicyDocument"]) for it in names}


def document(given) -> dict:
    """A policy, as moto gives it: of a role's own, as Python would write it."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except json.JSONDecodeError:
        return ast.literal_eval(given)
