"""An account that the stack of infra/template.yaml runs in, without AWS: moto has what CloudFormation made (tables, secrets,
bucket, parameters), the embedded AWS of `countersign local` runs workflows and functions, has the queues and takes the
mails. The functions are this program, with the variables that CloudFormation gives them. What Lambda, API Gateway and the
scheduler do between them is done here. Everything passes a recorder; each caller is known by its role's name. A durable
function asks as well, whose executions AWS's own runner keeps."""

import base64
import json
import shutil
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from demo import BINARY, PATIENCE, wait_until
from durable import SAMPLE, Runner, path_with_tools
from iam import ACCOUNT, REGION, Recorder, arn
from local import Local
from serve import free_port
from stack import Stack
from template import resources

# The durable function, by a name that the stack's DurableFunctions allows.
DURABLE = "legal-publish"
OF_MOTO = ("dynamodb", "secretsmanager", "ssm", "s3")


class Account:
    """Use as a context manager: everything is ended with it."""

    def __init__(self, stack: Stack, moto: str, folder: Path):
        self.stack, self.folder, self.name = stack, folder, stack.name
        self.functions = {"Function": f"{self.name}", "OperationsFunction": f"{self.name}-operations", "TaskToolsFunction": f"{self.name}-task-tools"}
        (folder / "workflows").mkdir()
        shutil.copy(SAMPLE / "publish.py", folder)
        runner_port = free_port()
        self.durable_runner = f"http://127.0.0.1:{runner_port}"
        self._write_configuration("http://127.0.0.1:9")
        self.local = Local(folder / "workflows", "--config", str(folder / "local.toml"), PATH=path_with_tools())
        self.recorder = Recorder(self.local.ready().aws, **dict.fromkeys(OF_MOTO, moto))
        self.runner = Runner(runner_port, self.local.aws, DURABLE)
        self._write_configuration(self.recorder.url)
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._deliver, args=(queue,), daemon=True) for queue in ("requests", "wake")]
        self.front = Front(self)

    def _write_configuration(self, endpoint: str):
        """What `countersign local` is to have: the functions as CloudFormation made them, and the queues."""
        lines = [
            f'durable_runner = "{self.durable_runner}"', 'mail_identities = ["example.com"]',
            f'queues = ["{self.name}-requests", "{self.name}-requests-dead", "{self.name}-wake"]', "",
        ]
        for logical, name in self.functions.items():
            variables = self.stack.variables(logical) | {
                "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": f"{logical}Role", "AWS_SECRET_ACCESS_KEY": "any", "NO_COLOR": "1",
            }
            # What names the program to these tests isn't for the program.
            command = json.dumps(["/usr/bin/env", "-u", "COUNTERSIGN_BINARY", BINARY])
            lines += [f"[functions.{name}]", f"command = {command}", "timeout_seconds = 60", f"[functions.{name}.environment]"]
            lines += [f"{key} = {json.dumps(text)}" for key, text in variables.items()] + [""]
        lines += [f"[functions.{self.name}-sign-document]", 'builtin = "sign-document"']
        lines += [f"[functions.{DURABLE}]", 'command = ["python3", "-m", "awslambdaric", "publish.handler"]', "timeout_seconds = 60"]
        lines += [f"[functions.{DURABLE}.environment]", f"COUNTERSIGN_FUNCTION = {json.dumps(self.name)}"]
        (self.folder / "local.toml").write_text("\n".join(lines))

    def __enter__(self):
        self.recorder.__enter__()
        self.front.start()
        self.runner.__enter__()
        self.refused = None
        try:
            wait_until("the functions are there", self._has_functions)
        except AssertionError:
            told = "\n".join([*self.local.lines, *self.local.errors])
            self.__exit__()
            raise AssertionError(f"no function: {self.refused}\n{told}") from None
        self.publish_mail_events()
        for thread in self.threads:
            thread.start()
        return self

    def publish_mail_events(self):
        """SES tells of mails as the stack has it: by its configuration set, over EventBridge, to the function."""
        (events,) = resources("AWS::SES::ConfigurationSetEventDestination").values()
        destination = {key: it for key, it in events["EventDestination"].items() if key not in ("Name", "EventBridgeDestination")}
        destination["EventBridgeDestination"] = {"EventBusArn": arn("events", "event-bus/default")}
        ses, bus = self.local.client("sesv2"), self.local.client("events")
        ses.create_configuration_set(ConfigurationSetName=self.stack.resources["MailConfigurationSet"])
        ses.create_configuration_set_event_destination(
            ConfigurationSetName=self.stack.resources["MailConfigurationSet"], EventDestinationName="countersign", EventDestination=destination
        )
        made = self.stack.client("events").describe_rule(Name=f"{self.name}-mail")
        bus.put_rule(Name=made["Name"], EventPattern=made["EventPattern"])
        bus.put_targets(Rule=made["Name"], Targets=[{"Id": "function", "Arn": arn("lambda", f"function:{self.name}")}])

    def _has_functions(self) -> bool:
        try:
            self.invoke({"countersign": "tick"})
        except (AssertionError, ClientError) as error:
            self.refused = error
            return False
        return True

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join(PATIENCE)
        self.front.stop()
        self.runner.__exit__()
        self.local.kill()
        self.recorder.__exit__()

    def client(self, service: str, who: str = "any"):
        """A client for the account, as somebody with that role."""
        return boto3.client(
            service, endpoint_url=self.recorder.url, region_name=REGION, aws_access_key_id=who, aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE),
        )

    def invoke(self, event: dict, function: str = "Function", who: str = "any") -> object:
        """Invokes a function; gives its answer."""
        answer = self.client("lambda", who).invoke(FunctionName=arn("lambda", f"function:{self.functions[function]}"), Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def queue(self, name: str) -> str:
        """The address of a queue."""
        return f"{self.local.aws}/{ACCOUNT}/{self.name}-{name}"

    def tick(self):
        """As the scheduler does every minute."""
        self.invoke({"countersign": "tick"}, who="TickRole")

    def _deliver(self, queue: str):
        """As Lambda's event source mapping does, with the function's role."""
        sqs, name, url = self.client("sqs", "FunctionRole"), f"{self.name}-{queue}", self.queue(queue)
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        while not self.stopping.is_set():
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            if not messages:
                continue
            records = [
                {
                    "messageId": it["MessageId"], "receiptHandle": it["ReceiptHandle"], "body": it["Body"], "attributes": {},
                    "messageAttributes": {}, "md5OfBody": it["MD5OfBody"], "eventSource": "aws:sqs",
                    "eventSourceARN": arn("sqs", name), "awsRegion": REGION,
                }
                for it in messages
            ]
            try:
                answer = self.invoke({"Records": records}) or {}
            except AssertionError as error:
                # They come again.
                print(f"{name}: {error}")
                continue
            failed = {it["itemIdentifier"] for it in answer.get("batchItemFailures", [])}
            done = [it for it in messages if it["MessageId"] not in failed]
            if done:
                entries = [{"Id": str(n), "ReceiptHandle": it["ReceiptHandle"]} for n, it in enumerate(done)]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)


class Front:
    """API Gateway before the function: an address on this machine that stands for the stack's."""

    def __init__(self, account: Account):
        public = account.stack.variables()["COUNTERSIGN_PUBLIC_URL"]
        front = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): text for name, text in self.headers.items()}
                headers |= {"host": urllib.parse.urlsplit(public).netloc, "x-forwarded-proto": "https"}
                if headers.get("origin") == front.url:
                    headers["origin"] = public
                path, _, query = self.path.partition("?")
                about = {"method": self.command, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": ""}
                answer = account.invoke(
                    {
                        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
                        "requestContext": {"http": about, "stage": "$default", "requestId": "any", "accountId": ACCOUNT},
                        "body": base64.b64encode(body).decode() if body else None, "isBase64Encoded": bool(body),
                    }
                )
                text = answer.get("body") or ""
                content = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
                self.send_response(answer["statusCode"])
                for name, value in answer.get("headers", {}).items():
                    self.send_header(name, value.replace(public, front.url))
                if "content-length" not in answer.get("headers", {}):
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_POST = do_HEAD = handle_any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url, self.public = f"http://127.0.0.1:{self.server.server_port}", public

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def reach(self, link: str) -> str:
        """Where a link of a mail leads here."""
        assert link.startswith(f"{self.public}/"), link
        return link.replace(self.public, self.url)
