"""A process of the service that can be stopped and killed."""

import signal
import subprocess


class Process:
    """The `number`th process of a life."""

    def __init__(self, number: int, process: subprocess.Popen):
        self.number = number
        self._process = process
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
        assert ended in (None, -signal.SIGKILL), f"ended by itself, {ended}"
        return ended is not None

    def wait(self):
        self._process.wait(30)
