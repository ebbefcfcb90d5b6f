"""Lambda itself, as far as a function sees it: the runtime API on a local port, one event at a time, and a process that is
frozen from each answer to the next event."""

import json
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from demo import PATIENCE, Answer
from events import PUBLIC
from serve import environment

# What the function is given to answer an event, in seconds.
TIMEOUT = 30


class Died(Exception):
    """The process ended before it answered."""


class FunctionError(Exception):
    """The function answered with an error: its type and its message."""

    def __init__(self, error: dict):
        super().__init__(f"{error.get('errorType')}: {error.get('errorMessage')}")
        self.type = error.get("errorType")
        self.message = error.get("errorMessage")


class Server(ThreadingHTTPServer):
    """A server whose callers may be killed at any time, on a free port of this machine."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]):
        super().__init__(("127.0.0.1", 0), handler)

    def start(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Function:
    """A function whose process is `program`. Use as a context manager: it is killed at the end."""

    def __init__(self, program: Path, folder: Path, **variables: str):
        self._program, self._folder = program, folder
        self._variables = variables
        self._events: queue.Queue = queue.Queue()
        self._answers: queue.Queue = queue.Queue()
        self._server = Server(self._handler())
        self._server.start()
        self._ready = threading.Event()
        self.log = folder / "log"
        self.process: subprocess.Popen | None = None
        # How long the process took from its start to its first question for an event, in seconds, newest last.
        self.starts: list[float] = []
        # By how many seconds the clock of what is started next is ahead, with lives/clock_ahead.c preloaded.
        self.ahead = 0
        self._left: list[subprocess.Popen] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._server.stop()

    def invoke(self, event):
        """What the function answers. Its process is started where there is none, and frozen again after the answer."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        self._thaw()
        self._events.put((str(uuid.uuid4()), json.dumps(event).encode()))
        end = time.monotonic() + TIMEOUT + 5
        while True:
            try:
                kind, body = self._answers.get(timeout=0.05)
                break
            except queue.Empty:
                if self.process.poll() is not None:
                    raise Died(f"status {self.process.returncode}:\n{self.log.read_text()}") from None
                assert time.monotonic() < end, f"no answer in time:\n{self.log.read_text()}"
        self._freeze()
        value = json.loads(body) if body else None
        if kind == "error":
            raise FunctionError(value)
        return value

    def leave(self):
        """Leaves the process frozen, for good: the next event has another one."""
        self._left.append(self.process)
        self.process = None

    def kill(self):
        """Ends the process as Lambda does: at once, frozen or not. Those that were left end too."""
        for process in (*self._left, self.process):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(PATIENCE)
        self._release()

    def start(self):
        """Starts a process, and waits until it asks for an event."""
        self._ready.clear()
        # An event that a dead process had taken isn't given to the next one: the caller has been told.
        self._release()
        self._events, self._answers = queue.Queue(), queue.Queue()
        host, port = self._server.server_address
        began = time.monotonic()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [self._program], cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=environment(
                    AWS_LAMBDA_RUNTIME_API=f"{host}:{port}", AWS_LAMBDA_FUNCTION_NAME="countersign",
                    AWS_LAMBDA_FUNCTION_VERSION="$LATEST", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="256", _HANDLER="bootstrap",
                    LAMBDA_TASK_ROOT=str(self._folder), CLOCK_AHEAD_SECONDS=str(self.ahead), **self._variables,
                ),
            )
        while not self._ready.wait(0.005):
            if self.process.poll() is not None:
                error = self._answers.get_nowait() if not self._answers.empty() else ("none", b"")
                raise Died(f"{error[1].decode()}\n{self.log.read_text()}")
            assert time.monotonic() < began + PATIENCE, "it never asked for an event"
        self.starts.append(time.monotonic() - began)

    def _release(self):
        """Lets go of the connection on which a process has asked for an event that it won't get."""
        self._events.put(None)

    def _freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def _thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def _handler(function):  # noqa: N805 - the handler's own `self` is another
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                assert self.path == "/2018-06-01/runtime/invocation/next", self.path
                function._ready.set()
                given = function._events.get()
                if given is None:
                    self.close_connection = True
                    return
                number, event = given
                self._say(200, event, {
                    "Lambda-Runtime-Aws-Request-Id": number,
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + function.ahead + TIMEOUT) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:countersign",
                    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
                })

            def do_POST(self):
                body = self._body()
                kind = self.path.rpartition("/")[2]
                # Frozen before it is told that the answer was taken: whoever waits for that waits till the next event.
                function._answers.put((kind, body))
                time.sleep(0.01)
                self._say(202, b'{"status":"OK"}', {})

            def _body(self) -> bytes:
                if self.headers.get("transfer-encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                # Trailers may follow; an empty line ends them.
                while self.rfile.readline().strip():
                    pass
                return body

            def _say(self, status: int, body: bytes, headers: dict):
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    # It was killed.
                    pass

            def log_message(self, *_):
                pass

        return Handler


def variables(endpoint: str, table: str, api_keys: str, wakes: str) -> dict[str, str]:
    """The variables that the template gives a function, and those by which it finds the AWS at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
        "COUNTERSIGN_PUBLIC_URL": PUBLIC, "COUNTERSIGN_ORGANISATION": "Example Ltd", "COUNTERSIGN_TABLE": table,
        "COUNTERSIGN_MAIL_FROM": "Countersign <countersign@example.com>", "COUNTERSIGN_MASTER_KEY": "07" * 32,
        "COUNTERSIGN_EVIDENCE_KEY": "08" * 32, "COUNTERSIGN_API_KEYS": api_keys, "COUNTERSIGN_WAKE_QUEUE": wakes,
    }


def read_answer(answer: dict) -> Answer:
    """An HTTP answer, out of what a function gives API Gateway or a load balancer."""
    headers = answer.get("headers") or {name: ", ".join(all) for name, all in answer["multiValueHeaders"].items()}
    return Answer(answer["statusCode"], answer["body"], headers)
