"""A life under `countersign serve`: a process that is started again as often as it dies."""

import contextlib
import http.client
import json
import select
import socket
import subprocess

from lives.grid import Form
from lives.life import BROWSER, EVIDENCE_SEED, Life
from lives.process import Process
from serve import environment


class Served(Life):
    """One case. Its service listens on a port of its own."""

    def _begin(self):
        # A port that no other program gets while the service is down.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        self._host = "127.0.0.1:{}".format(self._port.getsockname()[1])
        self.url = f"http://{self._host}"
        self._ahead = 0
        self._configure()
        self._start()

    def _configure(self):
        (self._folder / "master.key").write_text("07" * 32)
        (self._folder / "evidence.key").write_text(EVIDENCE_SEED.hex())
        (self._folder / "countersign.toml").write_text(
            f'public_url = "{self.url}"\nlisten = "{self._host}"\norganisation = "Example Ltd"\n'
            f'table = "{self.table}"\nmail_from = "Countersign <countersign@example.com>"\nlook_every_seconds = 2\n'
            f'master_key_file = "master.key"\nevidence_key_file = "evidence.key"\n\n{self.world.key_known}'
        )

    def _start(self, seconds_later: int = 0):
        self._ahead += seconds_later
        self._starts += 1
        variables = environment(
            AWS_ENDPOINT_URL=self._line.url, AWS_REGION="us-east-1", AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any",
            LD_PRELOAD=str(self.world.clock_ahead), CLOCK_AHEAD_SECONDS=str(self._ahead),
        )
        self._log = self._folder / f"serve-{self._starts}.log"
        with self._log.open("ab") as log:
            started = subprocess.Popen(
                [self.world.program, "serve"], cwd=self._folder, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._line.process = Process(self._starts, started)

    def _end(self):
        self._line.process.die()
        self._line.process.wait()
        self._port.close()

    def _skip(self, seconds: int):
        self._line.process.die()
        self._line.process.wait()
        self._start(seconds)

    def _keep_up(self):
        """Starts the service again if it was killed: when its claims may be taken over."""
        if self._line.process.is_gone():
            self._start(self.case.lease())

    def _take_in(self, request: dict) -> str | None:
        headers = {"content-type": "application/json"} | self._authorization()
        answered = self._http("POST", "/api/v1/requests", json.dumps(request), headers)
        if answered is None:
            return None
        status, text = answered
        assert status in (200, 201), answered
        return json.loads(text)["requestId"]

    def _http(self, method: str, path: str, body: str = "", headers: dict | None = None, strike: Form | None = None):
        connection = http.client.HTTPConnection(self._host, timeout=30)
        try:
            with contextlib.closing(connection):
                connection.request(method, path, body, BROWSER | (headers or {}))
                if strike is Form.NO_ANSWER:
                    # The answer has been sent, and nobody reads it.
                    select.select([connection.sock], [], [], 30)
                    self._strike()
                    return None
                response = connection.getresponse()
                answered = response.status, response.read().decode()
                if strike is Form.AFTER:
                    self._strike()
                return None if response.status in (408, 503) else answered
        except (ConnectionError, http.client.HTTPException):
            return None

    def _said(self) -> str:
        return self._log.read_text()
