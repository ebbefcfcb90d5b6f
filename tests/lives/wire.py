"""The wire between the service and its AWS. Each life has a line of its own, a small forwarding proxy; at the point
that a life is about, the line kills the service's process."""

import asyncio
import json
import threading
from collections.abc import Callable
from enum import Enum
from urllib.parse import urlsplit

from lives.grid import Call

# How long a process that has heard an answer goes on, when it makes no call to AWS.
LAST_MOMENT = 0.3


class Fate(Enum):
    """What becomes of a call."""

    PASS = "passed on, and its answer too"
    THROTTLED = "turned away, as Step Functions turns away too many"
    DIES_BEFORE = "never passed on"
    DIES_UNANSWERED = "passed on, its answer not"
    DIES_AFTER = "answered; the next call is not passed on"
    DIES_HEARING = "answered, while the process is held still: it gets no further"


class Wire:
    """A thread in which the lines of all lives are served."""

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()


class Line:
    """One service's line to the AWS at `endpoint`. `fate_of` is asked about each call, `done` is told of each that AWS
    has taken, and of the process that made it. `process` has `hold()` and `die()`; another one is put there when the service is started again."""

    def __init__(self, wire: Wire, endpoint: str, fate_of: Callable[[Call], Fate], done: Callable[[Call, object], None]):
        self.process = None
        self.failure: Exception | None = None
        """What went wrong on the line itself."""
        self._wire = wire
        self._aws = urlsplit(endpoint)
        self._fate_of = fate_of
        self._done = done
        self._dying = None
        # Python keeps no hold of a connection's task once the service is gone: a call whose answer is still to come
        # from AWS would be forgotten with it.
        self._serving: set[asyncio.Task] = set()
        self._server = wire.run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = "http://127.0.0.1:{}".format(self._server.sockets[0].getsockname()[1])

    def close(self):
        self._wire.loop.call_soon_threadsafe(self._server.close)

    async def _serve(self, service: asyncio.StreamReader, back: asyncio.StreamWriter):
        process = self.process
        to_aws = None
        self._serving.add(asyncio.current_task())
        try:
            aws, to_aws = await asyncio.open_connection(self._aws.hostname, self._aws.port)
            while True:
                head, body = await read_message(service)
                if process.is_dead:
                    return
                if self._dying is process:
                    process.die()
                    return
                call = Call(operation(head), body)
                fate = self._fate_of(call)
                if fate is Fate.DIES_BEFORE:
                    process.die()
                    return
                if fate is Fate.THROTTLED:
                    back.write(throttled())
                    continue
                to_aws.write(head + body)
                head, body = await read_message(aws)
                if is_success(head):
                    self._done(call, process)
                if fate is Fate.DIES_UNANSWERED:
                    process.die()
                if process.is_dead:
                    return
                if fate is Fate.DIES_HEARING:
                    process.hold()
                back.write(head + body)
                await back.drain()
                if fate is Fate.DIES_HEARING:
                    process.die()
                if fate is Fate.DIES_AFTER:
                    self._dying = process
                    self._wire.loop.call_later(LAST_MOMENT, process.die)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The process has died, or no longer needs this connection.
        except Exception as failure:
            self.failure = failure
        finally:
            self._serving.discard(asyncio.current_task())
            back.close()
            if to_aws is not None:
                to_aws.close()


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of an HTTP message whose length is given."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = header(head, b"content-length")
    assert length is not None or header(head, b"transfer-encoding") is None, head
    return head, await reader.readexactly(int(length or 0))


def header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return None


def operation(head: bytes) -> str:
    """The operation's name, of the services that say it in a header; else as SES's path says it."""
    target = header(head, b"x-amz-target")
    if target is not None:
        return target.decode().rpartition(".")[2]
    return "SendEmail" if head.startswith(b"POST /v2/email/outbound-emails") else head.split(b"\r\n")[0].decode()


def is_success(head: bytes) -> bool:
    return head.split(b" ", 2)[1] == b"200"


def throttled() -> bytes:
    body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()
    head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
