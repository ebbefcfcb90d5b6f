"""The demo as a process: started, watched, asked for more approvals, ended."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NamedTuple

import boto3
from botocore.config import Config

BINARY = os.environ.get("COUNTERSIGN_BINARY", str(Path(__file__).parents[1] / "target/debug/countersign"))
BOB = "bob@example.com"
FORM = {"content-type": "application/x-www-form-urlencoded"}
# Long enough for a machine that also compiles; every wait ends as soon as what it waits for is there.
PATIENCE = 60


def wait_until(what: str, condition, patience: float = PATIENCE):
    """Answers with the first true value of `condition()`; fails after `patience` seconds, saying what was missing."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {patience} s in vain: {what}")


class Answer(NamedTuple):
    """What a GET, HEAD or POST was answered with. Redirects have been followed."""

    status: int
    text: str
    headers: dict


def fetch(url: str, method: str = "GET", body: bytes | None = None, headers: dict | None = None) -> Answer:
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return Answer(response.status, response.read().decode(), dict(response.headers))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(), dict(error.headers))


class Approval(NamedTuple):
    """One execution of the document-signing workflow, and the link in the mail that Bob got for it."""

    document: str
    execution: str
    link: str


class Demo:
    """`countersign demo` with options, on free ports unless told which. Use as a context manager: it is killed at the
    end."""

    COMMAND = "demo"

    def __init__(self, *options: str, port: str = "0", aws_port: str = "0", **variables: str):
        self.process = subprocess.Popen(
            [BINARY, self.COMMAND, "--port", port, "--aws-port", aws_port, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "NO_COLOR": "1"} | variables,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, into), daemon=True)
            for pipe, into in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(pipe, into: list[str]):
        for line in pipe:
            into.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def find(self, pattern: str) -> re.Match:
        """The first match in what was printed; waits for it."""

        def found():
            match = re.search(pattern, self.output)
            if match is None and self.process.poll() is not None:
                for reader in self._readers:
                    reader.join(PATIENCE)
                match = re.search(pattern, self.output)
                assert match, f"ended without printing {pattern}:\n{self.output}\n{chr(10).join(self.errors)}"
            return match

        return wait_until(f"{self.COMMAND} prints {pattern}; so far:\n{self.output}", found)

    @property
    def mailbox(self) -> str:
        """The address of Bob's mailbox, as printed."""
        return self.find(rf"http://127\.0\.0\.1:\d+/mailbox/{re.escape(BOB)}").group()

    @property
    def aws(self) -> str:
        """The embedded AWS's endpoint: the mailbox is served by it."""
        return self.mailbox.partition("/mailbox")[0]

    def client(self, service: str):
        """A boto3 client for the embedded AWS, as anybody would make it."""
        return boto3.client(
            service,
            endpoint_url=self.aws,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE),
        )

    def mails(self, to: str = BOB) -> list[dict]:
        """All mails to an address, newest first."""
        return json.loads(fetch(f"{self.aws}/mailbox/{to}.json").text)["mails"]

    def mail_about(self, document: str) -> dict:
        """The mail that asks Bob to sign a document; waits for it."""
        about = re.compile(rf"\bdocument {re.escape(document)}\b")
        return wait_until(
            f"a mail about document {document}; there are {[mail['subject'] for mail in self.mails()]}",
            lambda: next((mail for mail in self.mails() if about.search(mail["subject"])), None),
        )

    def link_about(self, document: str) -> str:
        return link_in(self.mail_about(document))

    def state_machine(self) -> str:
        """The ARN of the document-signing state machine."""
        (arn,) = [
            machine["stateMachineArn"]
            for machine in self.client("stepfunctions").list_state_machines()["stateMachines"]
            if machine["name"] == "document-signing"
        ]
        return arn

    def ask(self, document: str) -> Approval:
        """Starts one more execution, and waits for the mail to Bob."""
        execution = self.client("stepfunctions").start_execution(
            stateMachineArn=self.state_machine(), input=json.dumps({"documentId": document})
        )["executionArn"]
        return Approval(document, execution, self.link_about(document))

    def execution(self, arn: str) -> dict:
        return self.client("stepfunctions").describe_execution(executionArn=arn)

    def ended(self, arn: str) -> dict:
        """The execution once it has ended; waits for it."""

        def has_ended():
            execution = self.execution(arn)
            return execution if execution["status"] != "RUNNING" else None

        return wait_until(f"{arn} ends", has_ended)

    def result(self) -> tuple[str, object]:
        """How the demo's own execution ended and with what, as printed; waits for it."""
        self.find(r"(?m)^Result +[A-Z_]+$")

        def printed():
            status, _, text = self.output.rpartition("Result ")[2].partition("\n")
            try:
                return status.strip(), json.loads(text or "{}")
            except ValueError:
                return None

        return wait_until("the result is printed in full", printed)

    def interrupt(self) -> int:
        """Ends it as Ctrl-C does; answers with its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self._joined()

    def _joined(self) -> int:
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    def kill(self):
        """Ends it as a power cut would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self._joined()


def link_in(mail: dict) -> str:
    """The signer's link, which stands alone on its line in the plain text."""
    (link,) = [line for line in mail["text"].splitlines() if re.fullmatch(r"https?://\S+/s/[\w-]{47}", line)]
    return link


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of a review page."""
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    assert "csrf" in fields, f"no decision form on this page:\n{page}"
    return fields


def answer(link: str, outcome: str, comment: str = "", name: str = "Bob") -> Answer:
    """Answers as a browser without scripts would."""
    fields = form_of(fetch(link).text) | {"outcome": outcome, "comment": comment, "name": name}
    host = re.match(r"https?://[^/]+", link).group()
    return fetch(link, "POST", urllib.parse.urlencode(fields).encode(), FORM | {"origin": host})
