"""The embedded AWS as a process over a folder: started, killed, started again."""

import http.client
import json
import os
import select
import subprocess
import time
from pathlib import Path

from demo import BINARY

SERVER = Path(BINARY).parent / "examples/serve"
# How long one answer may take on a machine that is busy; how long to come up.
ANSWER, START = 20, 30
SERVICES = {"states": "AWSStepFunctions", "sqs": "AmazonSQS"}


class Unanswered(Exception):
    """No answer came: the process died before, during or after the call, or could not do its work then."""


class Refused(Exception):
    """The answer is an error of the caller's."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code


class Server:
    """One after the other, at most one at a time."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = None
        self._log = folder.with_suffix(".log").open("ab")
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def begin(self):
        """Starts a process, and does not wait until it answers."""
        self._process = subprocess.Popen(
            [SERVER, "0", self.folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log
        )
        os.set_blocking(self._process.stdout.fileno(), False)

    def comes_up(self, patience: float = START) -> bool:
        """Waits so long for it to answer; says whether it does."""
        said, end = b"", time.monotonic() + patience
        while not said.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return False
            more = self._process.stdout.read()
            assert more, f"it ended by itself, {self._process.wait()}: {self.said()}"
            said += more
        self.port = int(said.decode().strip().rsplit(":", 1)[1])
        return True

    def kill(self):
        """As a power cut would. It must still have been there."""
        self.port = None
        assert self._process.poll() is None, f"it ended by itself, {self._process.returncode}: {self.said()}"
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def said(self) -> str:
        return self.folder.with_suffix(".log").read_text()[-4000:]


class Client:
    """Calls whichever process there is. For one thread."""

    def __init__(self, server: Server, patience: float = ANSWER):
        self._server, self._patience = server, patience
        self._connection, self._port = None, None

    def __call__(self, service: str, operation: str, **fields) -> dict:
        """The answer to one call, made once."""
        if self._server.port is None:
            raise Unanswered
        try:
            if self._port != self._server.port:
                self._port = self._server.port
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._patience)
            headers = {
                "X-Amz-Target": f"{SERVICES[service]}.{operation}", "Content-Type": "application/x-amz-json-1.0"
            }
            self._connection.request("POST", "/", json.dumps(fields), headers)
            response = self._connection.getresponse()
            status, body = response.status, response.read()
        except (OSError, TypeError, http.client.HTTPException) as error:
            self._port = None
            raise Unanswered from error
        answer = json.loads(body or b"{}")
        if status == 200:
            return answer
        if status >= 500:
            raise Unanswered(answer)
        raise Refused(answer.get("__type", "").rsplit("#", 1)[-1], answer.get("message", ""))

    def surely(self, service: str, operation: str, **fields) -> dict:
        """The answer to a call that may be made as often as need be."""
        end = time.monotonic() + START
        while True:
            try:
                return self(service, operation, **fields)
            except Unanswered:
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)
