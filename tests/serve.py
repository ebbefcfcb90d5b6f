"""`countersign serve` as a process, and the operators' commands against it."""

import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from demo import BINARY, PATIENCE, Answer, fetch, wait_until

SCOPES = ("requests:write", "requests:read", "requests:operate", "executions:start", "executions:read")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what would configure the program, and with `variables`."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("COUNTERSIGN_", "AWS_"))}
    return kept | {"NO_COLOR": "1"} | variables


def new_key(*scopes: str) -> tuple[str, str]:
    """A fresh API key, and the lines of the configuration that make it known."""
    options = [option for scope in scopes for option in ("--scope", scope)]
    said = subprocess.run(
        [BINARY, "keys", "new", "--id", "tests", *options], capture_output=True, text=True, check=True, env=environment()
    ).stdout
    (key,) = [line for line in said.splitlines() if line.startswith("csk_")]
    return key, said[said.index("[[api_keys]]") :]


def create_table(client, name: str):
    """The table as docs/OPERATIONS.md describes it."""

    def keys(partition: str, sort: str) -> list[dict]:
        return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]

    def index(name: str, partition: str, sort: str) -> dict:
        return {"IndexName": name, "KeySchema": keys(partition, sort), "Projection": {"ProjectionType": "KEYS_ONLY"}}

    kinds = {"pk": "S", "sk": "S", "due": "S", "due_at": "N", "list": "S", "created": "N"}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": kind} for n, kind in kinds.items()],
        KeySchema=keys("pk", "sk"),
        GlobalSecondaryIndexes=[index("due", "due", "due_at"), index("list", "list", "created")],
    )


KEYS_IN_FILES = 'master_key_file = "master.key"\nevidence_key_file = "evidence.key"'


class Serve:
    """A running service over the AWS at `endpoint`, with more lines in its configuration if need be, keys from elsewhere, and
    variables. Use as a context manager: it is killed at the end."""

    def __init__(self, folder: Path, endpoint: str, table: str, more: str = "", keys: str = KEYS_IN_FILES, **variables: str):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.key, lines = new_key(*SCOPES)
        (folder / "master.key").write_text("07" * 32)
        (folder / "evidence.key").write_text("08" * 32)
        (folder / "countersign.toml").write_text(
            f'public_url = "{self.url}"\nlisten = "{self.url.removeprefix("http://")}"\norganisation = "Example Ltd"\n'
            f'table = "{table}"\nmail_from = "Countersign <countersign@example.com>"\nlook_every_seconds = 1\n'
            f"{keys}\n{more}\n{lines}"
        )
        self.process = subprocess.Popen(
            [BINARY, "serve"], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment(
                **{"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
                | variables
            ),
        )

    def __enter__(self):
        wait_until("serve is ready", self._is_ready)
        return self

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.process.stdout.read().decode()
        try:
            return fetch(f"{self.url}/readyz").status == 200
        except urllib.error.URLError:
            return False

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)

    def open(self, request: dict) -> Answer:
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
        return fetch(f"{self.url}/api/v1/requests", "POST", json.dumps(request).encode(), headers)

    def run(self, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess:
        """Runs an operator's command."""
        variables = environment(COUNTERSIGN_URL=self.url, COUNTERSIGN_API_KEY=key or self.key)
        return subprocess.run([BINARY, *arguments], capture_output=True, text=True, env=variables, timeout=PATIENCE)

    def show(self, request: str) -> dict:
        return json.loads(self.run("show", request, "--json").stdout)

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)
