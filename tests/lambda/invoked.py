"""A life as a Lambda function: a process that is frozen after each answer. Whoever gets none asks again: the workflow or its
queue with the same request, the signer with the same form, the queue of wakes with the same message. The scheduler ticks."""

import json
import subprocess
import time
from pathlib import Path

import events
from lives.grid import BY_TICKS, BY_WAKES, Case, Form
from lives.life import BROWSER, Life, World
from lives.process import Process
from runtime import Died, Function, FunctionError, read_answer, variables

# Between two ticks, in seconds, so that nobody has to wait for the scheduler's minute.
TICK = 5
# How long after a crash the next one comes, at the soonest: whoever got no answer is quicker.
TICK_AFTER_CRASH = 1


class Dying(Function):
    """A function that has its life told of each process that it starts."""

    def __init__(self, life: "Invoked", *given, **variables: str):
        super().__init__(*given, **variables)
        self._life = life

    def start(self):
        self.ahead += self._life.passed()
        super().start()
        self._life.has_started(self.process)


class Invoked(Life):
    """One case. What is to be approved is asked for by a direct invoke, what is to be rejected by a queue."""

    url = events.PUBLIC

    def __init__(self, world: World, case: Case, folder: Path):
        super().__init__(world, case, folder)
        self._has_wakes, self._has_ticks = case.point is not BY_TICKS, case.point is not BY_WAKES
        # When the wakes come that were sent, and those that the queue has handed out.
        self._wakes_at: list[float] = []
        self._wakes: list[dict] = []
        self._next_tick = time.monotonic() + TICK

    # ---- the service

    def _begin(self):
        sqs = self.world.clients["sqs"]
        self._queue = sqs.create_queue(QueueName=self.table)["QueueUrl"] if self._has_wakes else ""
        self._function = Dying(
            self, self.world.program, self._folder, LD_PRELOAD=str(self.world.clock_ahead),
            **variables(self._line.url, self.table, self.world.key_known, self._queue),
        )

    def passed(self) -> int:
        """The seconds that have passed when the next process starts: it may take over what the one that was killed at
        the point had claimed."""
        return self.case.lease() if self._struck == self._starts else 0

    def has_started(self, process: subprocess.Popen):
        self._starts += 1
        self._line.process = Process(self._starts, process)

    def _end(self):
        self._function.__exit__()

    def _skip(self, seconds: int):
        self._function.kill()
        self._function.ahead += seconds
        self._next_tick = time.monotonic()

    def _said(self) -> str:
        return self._function.log.read_text()

    def _done(self, call, process):
        super()._done(call, process)
        if call.operation == "SendMessage":
            self._wakes_at.append(time.monotonic() + call.body.get("DelaySeconds", 0))

    # ---- its events

    def _invoke(self, event):
        """What the function answers; `None` when it was killed, and has to be asked again."""
        try:
            answer = self._function.invoke(event)
        except Died:
            if not self._line.process.is_dead:
                raise
            self._next_tick = time.monotonic() + TICK_AFTER_CRASH
            return None
        if not self.case.dies:
            self._function.leave()
        return answer

    def _keep_up(self):
        """Hands over the wakes that have come, or else a tick, when it is time for one."""
        now = time.monotonic()
        if self._wakes or any(at <= now for at in self._wakes_at):
            self._wake()
        elif self._has_ticks and now >= self._next_tick:
            self._next_tick = now + TICK
            self._invoke(events.tick())

    def _wake(self):
        sqs = self.world.clients["sqs"]
        if not self._wakes:
            self._wakes = sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        if not self._wakes:
            return
        bodies = [message["Body"] for message in self._wakes]
        answer = self._invoke(events.messages(*bodies, queue="countersign-wake"))
        if answer is None:
            return
        assert answer == {"batchItemFailures": []}, answer
        for message in self._wakes:
            sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        self._wakes_at = sorted(self._wakes_at)[len(self._wakes) :]
        self._wakes = []

    def _take_in(self, request: dict) -> str | None:
        if self.case.decision == "reject":
            answer = self._invoke(events.messages(json.dumps(request)))
            if answer is None or answer["batchItemFailures"]:
                return None
            (number,) = self.approvals()
            return number
        try:
            answer = self._invoke(request)
        except FunctionError as error:
            assert error.type == "Approval.Unavailable", error
            return None
        return answer and answer["requestId"]

    def _http(self, method: str, path: str, body: str = "", headers: dict | None = None, strike: Form | None = None):
        answer = self._invoke(events.http_api(method, self.url + path, body, BROWSER | (headers or {})))
        if strike is not None:
            self._strike()
        if answer is None or strike is Form.NO_ANSWER:
            return None
        answer = read_answer(answer)
        return None if answer.status == 503 else (answer.status, answer.text)
