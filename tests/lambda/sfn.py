"""What stands between the function and Step Functions, where a test wants a decision's callback to fail."""

import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler

from demo import PATIENCE
from runtime import Server


class StepFunctionsBetween:
    """Hands every call on to `endpoint`, but asks `on_send` before one that answers a task: what it gives is the status."""

    def __init__(self, endpoint: str):
        self.on_send = None
        self._server = Server(self._handler(endpoint))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop()

    def _handler(between, endpoint: str):  # noqa: N805 - the handler's own `self` is another
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                target = self.headers.get("x-amz-target", "")
                answers = target.endswith(("SendTaskSuccess", "SendTaskFailure"))
                if answers and between.on_send is not None:
                    self._say(between.on_send(), b'{"__type": "InternalFailure"}')
                    return
                headers = {name: text for name, text in self.headers.items() if name.lower() != "host"}
                request = urllib.request.Request(endpoint, data=body, headers=headers)
                try:
                    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                        self._say(answer.status, answer.read())
                except urllib.error.HTTPError as error:
                    self._say(error.code, error.read())

            def _say(self, status: int, body: bytes):
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/x-amz-json-1.0")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    # Whoever asked was killed.
                    pass

            def log_message(self, *_):
                pass

        return Handler
