"""What stands before moto where moto has nothing to say: SES's account, identities, configuration sets and their event
destinations, as a test wants them; and what a test wants to go wrong. Everything else is handed on."""

import http.client
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DURABLE = "/2025-12-01/durable-execution-callbacks/"


class Front:
    """A proxy before moto. Use as a context manager; what it says is changed by its members."""

    def __init__(self, moto: str):
        self.moto = urllib.parse.urlsplit(moto)
        self.reset()
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                front.answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do

            def log_message(self, *_):
                pass

            def date_time_string(self, timestamp=None):
                return super().date_time_string(time.time() + front.clock_seconds)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def reset(self):
        self.account = {
            "SendingEnabled": True, "ProductionAccessEnabled": True, "EnforcementStatus": "HEALTHY",
            "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 10.0},
        }
        self.identities = {}
        self.sets = {}
        # Seconds by which its clock is ahead.
        self.clock_seconds = 0
        # What a call is refused with: the text that its target or path has, and (status, code).
        self.refusals = {}
        # How long nothing is answered.
        self.silence = 0

    def verified(self, identity: str):
        self.identities[identity] = {
            "VerifiedForSendingStatus": True, "VerificationStatus": "SUCCESS", "IdentityType": "DOMAIN",
            "DkimAttributes": {"SigningEnabled": True, "Status": "SUCCESS", "Tokens": ["one", "two", "three"]},
        }

    def with_set(self, name: str, *events: str):
        destination = {"Name": "countersign", "Enabled": True, "MatchingEventTypes": list(events)}
        self.sets[name] = {"SendingEnabled": True, "Destinations": [destination] if events else []}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()

    def answer(self, handler):
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        time.sleep(self.silence)
        named = f"{handler.headers.get('x-amz-target', '')} {handler.path} {body[:200].decode(errors='replace')}"
        refusal = next((it for text, it in self.refusals.items() if text in named), None)
        path = urllib.parse.unquote(handler.path.partition("?")[0])
        if refusal:
            return refuse(handler, *refusal, xml="Action=" in named)
        if path.startswith(DURABLE):
            return refuse(handler, 400, "InvalidParameterValueException")
        if path.startswith("/v2/email/") and "outbound" not in path:
            return self.ses(handler, path.removeprefix("/v2/email/").split("/"), json.loads(body or b"{}"))
        return self.hand_on(handler, body)

    def ses(self, handler, path: list[str], body: dict):
        match (handler.command, path):
            case "GET", ["account"]:
                reply(handler, self.account)
            case "POST", ["identities"]:
                name = body["EmailIdentity"]
                self.identities[name] = {
                    "VerifiedForSendingStatus": False, "VerificationStatus": "PENDING",
                    "DkimAttributes": {"SigningEnabled": True, "Status": "PENDING", "Tokens": ["one", "two", "three"]},
                }
                reply(handler, self.identities[name])
            case "GET", ["identities", name] if name in self.identities:
                reply(handler, self.identities[name])
            case "POST", ["configuration-sets"]:
                self.sets[body["ConfigurationSetName"]] = {"SendingEnabled": True, "Destinations": []}
                reply(handler, {})
            case "GET", ["configuration-sets", name] if name in self.sets:
                reply(handler, {"ConfigurationSetName": name, "SendingOptions": {"SendingEnabled": self.sets[name]["SendingEnabled"]}})
            case "GET", ["configuration-sets", name, "event-destinations"] if name in self.sets:
                reply(handler, {"EventDestinations": self.sets[name]["Destinations"]})
            case "POST", ["configuration-sets", name, "event-destinations"] if name in self.sets:
                self.sets[name]["Destinations"].append({"Name": body["EventDestinationName"]} | body["EventDestination"])
                reply(handler, {})
            case _:
                refuse(handler, 404, "NotFoundException")

    def hand_on(self, handler, body: bytes):
        connection = http.client.HTTPConnection(self.moto.hostname, self.moto.port, timeout=60)
        connection.request(handler.command, handler.path, body, dict(handler.headers))
        answer = connection.getresponse()
        text = answer.read()
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("date", "server", "content-length", "transfer-encoding", "connection"):
                handler.send_header(name, value)
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(text)


def reply(handler, answer: dict, status: int = 200, headers: dict | None = None):
    send(handler, status, json.dumps(answer), {"content-type": "application/json"} | (headers or {}))


def refuse(handler, status: int, code: str, xml: bool = False):
    if xml:
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>says the test</Message></Error></ErrorResponse>"
        send(handler, status, text, {"content-type": "text/xml"})
    else:
        reply(handler, {"__type": code, "message": "says the test"}, status, {"x-amzn-errortype": code})


def send(handler, status: int, text: str, headers: dict):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text.encode())
