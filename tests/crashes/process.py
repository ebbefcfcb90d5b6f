"""`countersign serve` as a process that can be killed."""

import signal
import subprocess
from pathlib import Path

from serve import environment


class Process:
    """The service as a process, the `number`th of its life."""

    def __init__(self, program: Path, number: int, folder: Path, aws: str, clock_ahead: Path, seconds_ahead: int):
        self.number = number
        variables = environment(
            AWS_ENDPOINT_URL=aws, AWS_REGION="us-east-1", AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any",
            LD_PRELOAD=str(clock_ahead), CLOCK_AHEAD_SECONDS=str(seconds_ahead),
        )
        self._output = folder / f"serve-{number}.log"
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [program, "serve"], cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.is_dead = False

    def hold(self):
        """Stops it where it is."""
        if not self.is_dead:
            self._process.send_signal(signal.SIGSTOP)

    def die(self):
        """Kills it as a power cut would."""
        if not self.is_dead:
            self.is_dead = True
            self._process.kill()

    def is_gone(self) -> bool:
        """Whether it was killed, and is gone; fails when it has ended by itself."""
        ended = self._process.poll()
        assert ended in (None, -signal.SIGKILL), f"ended by itself, {ended}: {self.said()}"
        return ended is not None

    def wait(self):
        self._process.wait(30)

    def said(self) -> str:
        return self._output.read_text()
