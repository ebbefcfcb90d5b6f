"""What a program asks of AWS, as IAM sees it: a proxy before an AWS that notes every call, and a reading of policies that
says whether a call is allowed. Who calls is told by the access key's id."""

import json
import re
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from demo import PATIENCE

ACCOUNT, REGION = "123456789012", "us-east-1"


class Call(NamedTuple):
    """One thing that is asked for: an action on each of the resources."""

    who: str
    action: str
    resources: tuple[str, ...]
    context: tuple[tuple[str, str], ...] = ()

    def __str__(self):
        return f"{self.who}: {self.action} on {', '.join(self.resources)} {dict(self.context)}"


def arn(service: str, rest: str, region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{region}:{account}:{rest}"


# ---- what a request asks for -------------------------------------------------------------------


def table(name: str) -> str:
    return name if name.startswith("arn:") else arn("dynamodb", f"table/{name}")


def dynamodb(operation: str, body: dict) -> list[tuple[str, tuple[str, ...]]]:
    """A transaction is what is in it; of a query, the index where it goes to one."""
    if operation == "TransactWriteItems":
        kinds = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
        return [(kinds[kind], (table(it["TableName"]),)) for part in body["TransactItems"] for kind, it in part.items()]
    if operation in ("BatchWriteItem", "BatchGetItem"):
        return [(operation, tuple(table(name) for name in body["RequestItems"]))]
    where = table(body["TableName"])
    return [(operation, (f"{where}/index/{body['IndexName']}" if "IndexName" in body else where,))]


def states(operation: str, body: dict) -> list[tuple[str, tuple[str, ...]]]:
    if operation.startswith("SendTask") or operation == "ListStateMachines":
        return [(operation, ("*",))]
    named = [body[name] for name in ("executionArn", "stateMachineArn", "activityArn") if name in body]
    return [(operation, tuple(named))]


def sqs(operation: str, body: dict) -> list[tuple[str, tuple[str, ...]]]:
    """A batch is asked for as what it is many of."""
    operation = operation.removesuffix("Batch")
    queue = body.get("QueueUrl", body.get("QueueName", "")).rpartition("/")[2]
    return [(operation, (arn("sqs", queue),))]


def secret(operation: str, body: dict) -> list[tuple[str, tuple[str, ...]]]:
    return [(operation, (body["SecretId"],))]


def parameter(operation: str, body: dict) -> list[tuple[str, tuple[str, ...]]]:
    return [(operation, (arn("ssm", f"parameter{body['Name']}"),))]


BY_TARGET = {
    "dynamodb": ("dynamodb", dynamodb), "states": ("states", states), "sqs": ("sqs", sqs),
    "secretsmanager": ("secretsmanager", secret), "ssm": ("ssm", parameter),
}
# An execution of a durable function that the tests' stacks allow.
EXECUTION = arn("lambda", "function:legal-publish:1/durable-execution/any/any")
DURABLE = {"succeed": "Success", "fail": "Failure", "heartbeat": "Heartbeat"}


def mail(body: dict) -> tuple[list, dict[str, str]]:
    """SendEmail asks for the sender's identity, and for the configuration set where one is named."""
    address = re.sub(r".*<(.*)>", r"\1", body["FromEmailAddress"])
    asked = [arn("ses", f"identity/{address}")]
    if "ConfigurationSetName" in body:
        asked.append(arn("ses", f"configuration-set/{body['ConfigurationSetName']}"))
    return [("SendEmail", tuple(asked))], {"ses:FromAddress": address}


def in_s3(method: str, path: str) -> list[tuple[str, tuple[str, ...]]]:
    bucket, _, key = path.lstrip("/").partition("/")
    if not key:
        return [("ListBucket", (f"arn:aws:s3:::{bucket}",))]
    action = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[method]
    return [(action, (f"arn:aws:s3:::{bucket}/{key}",))]


def asked(method: str, path: str, headers: dict[str, str], body: bytes) -> list[Call]:
    """What one HTTP request asks of AWS. `headers` are by names in small letters."""
    scope = re.search(r"Credential=([^/]+)/\d+/([\w-]+)/([\w-]+)/", headers.get("authorization", ""))
    if scope is None:
        return []
    who, region, service = scope.groups()
    path = urllib.parse.unquote(path.partition("?")[0])
    context = {"aws:RequestedRegion": region}
    if service in BY_TARGET:
        prefix, parts = BY_TARGET[service]
        found = parts(headers["x-amz-target"].rpartition(".")[2], json.loads(body or b"{}"))
    elif service == "ses" and path == "/v2/email/outbound-emails":
        prefix = "ses"
        found, of_mail = mail(json.loads(body))
        context |= of_mail
    elif service == "s3":
        prefix, found = "s3", in_s3(method, path)
    elif service == "lambda" and (invoked := re.fullmatch(r"/[\d-]+/functions/([^/]+)/invocations", path)):
        name = invoked[1]
        prefix, found = "lambda", [("InvokeFunction", (name if name.startswith("arn:") else arn("lambda", f"function:{name}"),))]
    elif service == "lambda" and (told := re.fullmatch(r"/[\d-]+/durable-execution-callbacks/.+/(\w+)", path)):
        # Lambda knows from the id which execution it is.
        prefix, found = "lambda", [(f"SendDurableExecutionCallback{DURABLE[told[1]]}", (EXECUTION,))]
    elif service == "lambda" and (about := re.fullmatch(r"/[\d-]+/durable-executions/(.+?)(/history)?", path)):
        # AWS's testing SDK gives executions names that are no ARNs.
        execution = about[1] if about[1].startswith("arn:") else EXECUTION
        prefix, found = "lambda", [("GetDurableExecutionHistory" if about[2] else "GetDurableExecution", (execution,))]
    else:
        raise AssertionError(f"a call that isn't understood: {service} {method} {path}")
    return [Call(who, f"{prefix}:{action}", resources, tuple(sorted(context.items()))) for action, resources in found]


# ---- whether it is allowed ---------------------------------------------------------------------


def several(given) -> list:
    return given if isinstance(given, list) else [given]


def holds(condition: dict, context: dict[str, str]) -> bool:
    """Whether all of a statement's conditions hold. A key that the call doesn't have fails, as with IAM."""
    for operator, keys in condition.items():
        assert operator == "StringEquals", f"{operator} isn't understood"
        for key, allowed in keys.items():
            if context.get(key) not in several(allowed):
                return False
    return True


def matches(pattern: str, text: str) -> bool:
    """`*` and `?` as in IAM, where brackets mean nothing."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def statements(documents: list[dict]) -> list[dict]:
    found = [statement for document in documents for statement in document["Statement"]]
    assert all(statement["Effect"] == "Allow" for statement in found), "a policy that denies isn't understood"
    return found


def allowing(documents: list[dict], call: Call) -> list[tuple[str, str]] | None:
    """The pairs of an action and a resource in the policies by which the call is allowed, or None where it isn't: there has
    to be one for each of its resources."""
    pairs = []
    for resource in call.resources:
        found = [
            (action, pattern)
            for statement in statements(documents)
            if holds(statement.get("Condition", {}), dict(call.context))
            for action in several(statement["Action"])
            if matches(action.lower(), call.action.lower())
            for pattern in several(statement["Resource"])
            if matches(pattern, resource)
        ]
        if not found:
            return None
        pairs += found
    return pairs


def granted(documents: list[dict]) -> set[str]:
    return {action for statement in statements(documents) for action in several(statement["Action"])}


# ---- the proxy ---------------------------------------------------------------------------------


class Recorder:
    """A proxy before an AWS at `endpoint`, with other endpoints for single services (as signatures name them). It notes
    what is asked for, and the requests themselves. Use as a context manager."""

    def __init__(self, endpoint: str, **others: str):
        self.calls: list[Call] = []
        # Actions whose next answer is lost: it takes effect, and the caller doesn't hear of it.
        self.lose: list[str] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): text for name, text in self.headers.items()}
                calls = asked(self.command, self.path, headers, body)
                recorder.calls += calls
                service = re.search(r"Credential=[^/]+/\d+/[\w-]+/([\w-]+)/", headers.get("authorization", ""))
                there = others.get(service[1] if service else "", endpoint)
                passed = {name: text for name, text in headers.items() if name not in ("host", "connection", "content-length")}
                request = urllib.request.Request(there + self.path, data=body or None, headers=passed, method=self.command)
                try:
                    answer = urllib.request.urlopen(request, timeout=2 * PATIENCE)
                except urllib.error.HTTPError as error:
                    answer = error
                except OSError as error:
                    # Said, and not taken for a caller that went away.
                    return self.send_error(502, f"{service and service[1]} at {there} doesn't answer: {error}")
                with answer:
                    text = answer.read()
                    lost = next((call.action for call in calls if call.action in recorder.lose), None)
                    if lost:
                        recorder.lose.remove(lost)
                        self.close_connection = True
                        return
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                            self.send_header(name, value)
                    self.send_header("content-length", str(len(text)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                """A caller that was killed leaves its connection."""
                if not isinstance(sys.exc_info()[1], OSError):
                    super().handle_error(request, client_address)

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def of(self, who: str) -> list[Call]:
        return [call for call in self.calls if call.who == who]
