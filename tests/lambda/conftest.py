"""The packaged function, and the two AWS that it is run against: moto, and the embedded one. The lives of the crash grid have
an AWS of their own."""

import json
import os
import platform
import re
import subprocess
import sys
import urllib.error
import zipfile
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from demo import BOB, PATIENCE, fetch, wait_until
from invoked import Invoked
from lives.grid import BESIDES, OF_LAMBDA, POINTS
from lives.running import clock_ahead, running
from lives.table import add_mark, cases_of, print_grid
from local import Local
from runtime import Function, variables
from serve import create_table, free_port, new_key

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[2] / "target"))
ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), "x86_64")
PACKAGE = TARGET / f"lambda/countersign-{ARCHITECTURE}.zip"


def pytest_configure(config):
    add_mark(config)


def pytest_terminal_summary(terminalreporter):
    print_grid(terminalreporter, "as a Lambda function", {"points": POINTS, "other points": BESIDES + OF_LAMBDA})


class Aws:
    """What both have in common."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint

    def client(self, service: str):
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="any",
            aws_secret_access_key="any", config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE),
        )

    def prepare(self):
        create_table(self.client("dynamodb"), "approvals-of-lambda")

    def queue(self, name: str) -> str:
        return self.client("sqs").create_queue(QueueName=name)["QueueUrl"]

    def received(self, url: str) -> list[str]:
        """The messages that can be had now, taken out of the queue."""
        sqs, bodies = self.client("sqs"), []
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            bodies.append(message["Body"])
        return bodies

    def ended(self, execution: str) -> dict:
        def has_ended():
            described = self.client("stepfunctions").describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        return wait_until("the execution ends", has_ended)

    def status(self, execution: str) -> str:
        return self.client("stepfunctions").describe_execution(executionArn=execution)["status"]


class Moto(Aws):
    """moto, whose mails are read from its own page."""

    def prepare(self):
        super().prepare()
        self.client("sesv2").create_email_identity(EmailIdentity="countersign@example.com")

    def bodies(self, title: str) -> list[str]:
        data = json.loads(fetch(f"{self.endpoint}/moto-api/data.json").text)
        sent = [mail for service in ("ses", "sesv2") for mail in data.get(service, {}).get("Message", [])]
        return [mail["body"] for mail in sent if title in str(mail.get("subject"))]


class Embedded(Aws):
    """The embedded AWS, with a mailbox. It has an identity to send from."""

    def bodies(self, title: str) -> list[str]:
        mails = json.loads(fetch(f"{self.endpoint}/mailbox/{BOB}.json").text)["mails"]
        return [mail["text"] for mail in reversed(mails) if title in mail["subject"]]


def moto(folder: Path):
    endpoint = f"http://127.0.0.1:{free_port()}"
    log = (folder / "moto.log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", endpoint.rpartition(":")[2]],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )

    def is_up() -> bool:
        try:
            return fetch(f"{endpoint}/moto-api/data.json").status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    try:
        wait_until("moto answers", is_up)
        settings = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        fetch(f"{endpoint}/moto-api/config", "POST", settings, {"content-type": "application/json"})
        yield Moto(endpoint)
    finally:
        server.kill()
        server.wait(PATIENCE)


def embedded(folder: Path):
    machines = folder / "machines"
    machines.mkdir()
    with Local(machines) as local:
        local.ready()
        yield Embedded(local.aws)


@pytest.fixture(scope="session", params=[moto, embedded], ids=["moto", "embedded"])
def aws(request, tmp_path_factory):
    running = request.param(tmp_path_factory.mktemp("aws"))
    made = next(running)
    made.prepare()
    yield made
    running.close()


@pytest.fixture(scope="session")
def program(tmp_path_factory) -> Path:
    """The program in the package, unpacked as Lambda does."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(PACKAGE) as package:
        assert package.namelist() == ["bootstrap"]
        assert package.getinfo("bootstrap").external_attr >> 16 & 0o777 == 0o755
        path = Path(package.extract("bootstrap", folder))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def api_key() -> tuple[str, str]:
    """A key for the API, and the configuration's list with it, as JSON."""
    key, lines = new_key("requests:write", "requests:read", "requests:operate")
    digest = re.search(r'sha256 = "(\w+)"', lines).group(1)
    scopes = ["requests:write", "requests:read", "requests:operate"]
    return key, json.dumps([{"id": "tests", "sha256": digest, "scopes": scopes}])


@pytest.fixture(scope="session")
def wakes(aws) -> str:
    """The address of the queue of wakes."""
    return aws.queue("countersign-wake")


@pytest.fixture(scope="session")
def make(aws, program, api_key, wakes, tmp_path_factory):
    """Makes functions, each with the variables that the template gives it, and more."""

    def make(**more: str) -> Function:
        usual = variables(aws.endpoint, "approvals-of-lambda", api_key[1], wakes)
        return Function(program, tmp_path_factory.mktemp("function"), **(usual | more))

    return make


@pytest.fixture(scope="session")
def function(make):
    with make() as running:
        yield running


@pytest.fixture(scope="session")
def operations(make):
    with make(COUNTERSIGN_OPERATIONS="on") as running:
        yield running


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory) -> Path:
    """The library by which a function's `ahead` counts."""
    return clock_ahead(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="session")
def lives(request, demo, program, api_key, tmp_path_factory):
    """The lives of all cases that are to be tested, begun: what each comes to."""
    folder = tmp_path_factory.mktemp("crashes")
    with running(Invoked, program, api_key, demo, cases_of(request.session), folder) as begun:
        yield begun
