"""The world around the executions: it starts them, answers their tokens and stops those that are to be stopped. Each thing is done
until it is acknowledged, as often as it takes; what was acknowledged is remembered, and held against what comes after."""

import json
import threading
import time
from collections import Counter

from lives import ANSWER, Client, Refused, Server, Unanswered
from machines import ACTIVITY, ANSWERED, CHILD, IGNORED, MACHINES, QUEUES, REJECTED, STATES, given

PAUSE = 0.01
# Seconds for a poll, which is answered when there is something to do.
POLL = 3


def answer_to(asked: dict) -> str:
    """What is answered to a message of a workflow."""
    return json.dumps({"to": asked["execution"], "in": asked["state"]})


class World:
    """`started` says how many of the executions may have been started by now."""

    def __init__(self, server: Server, names: list[str]):
        self.server, self.names = server, names
        self.started = 0
        self.count = Counter()
        self.faults: list[str] = []
        # What was acknowledged: the start by execution, the answer by token.
        self.begun: dict[str, float] = {}
        self.answered: dict[str, str] = {}
        self._tried: Counter = Counter()
        self._over = threading.Event()
        roles = [self._start, self._answer, self._answer_echoed, self._work, self._stop]
        self._threads = [threading.Thread(target=self._play, args=[role], daemon=True) for role in roles]

    def prepare(self):
        client = Client(self.server)
        for queue in (ANSWERED, REJECTED, IGNORED):
            client.surely("sqs", "CreateQueue", QueueName=queue)
        for name, definition in (MACHINES | {"child": CHILD}).items():
            client.surely(
                "states", "CreateStateMachine", name=name, definition=json.dumps(definition),
                roleArn=f"arn:aws:iam::{STATES.split(':')[4]}:role/any",
            )

        client.surely("states", "CreateActivity", name=ACTIVITY.rsplit(":", 1)[1])

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _play(self, role):
        client = Client(self.server, POLL if role == self._work else ANSWER)
        while not self._over.is_set():
            try:
                if not role(client):
                    time.sleep(PAUSE)
            except Unanswered:
                self.count["calls without an answer"] += 1
                time.sleep(PAUSE)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test has to hear of it
                self.faults.append(f"{role.__name__}: {error!r}")
                time.sleep(PAUSE)

    # Each role does one thing, and says whether there was something to do.

    def _start(self, client: Client) -> bool:
        todo = [name for name in self.names[: self.started] if name not in self.begun]
        # The same again is the same, for as long as it runs.
        name = todo[0] if todo else self.names[self.count["starts"] % len(self.names)]
        if not todo and name not in self.begun:
            return False
        self.count["starts"] += 1
        kind, number = name.rsplit("-", 1)
        try:
            answer = client(
                "states", "StartExecution", name=name, input=given(int(number)),
                stateMachineArn=f"{STATES}:stateMachine:{kind}",
            )
        except Refused as refused:
            # Ended since: the name is taken. That is an acknowledgement too, of a start whose answer was lost.
            if refused.code != "ExecutionAlreadyExists":
                raise
            answer = client("states", "DescribeExecution", executionArn=arn(name))
            if answer["status"] == "RUNNING":
                self.faults.append(f"{name} runs and refuses its own start")
        if self.begun.setdefault(name, answer["startDate"]) != answer["startDate"]:
            self.faults.append(f"{name} was started at {self.begun[name]} and at {answer['startDate']}")
        return bool(todo)

    def _answer(self, client: Client) -> bool:
        busy = False
        for queue in (ANSWERED, REJECTED):
            received = client(
                "sqs", "ReceiveMessage", QueueUrl=f"{QUEUES}/{queue}", MaxNumberOfMessages=10, VisibilityTimeout=1
            )
            for message in received.get("Messages", []):
                busy = True
                asked = json.loads(message["Body"])
                if queue == ANSWERED:
                    self._tell(client, asked["token"], "SendTaskSuccess", output=answer_to(asked))
                else:
                    self._tell(client, asked["token"], "SendTaskFailure", error="Approval.Rejected", cause=answer_to(asked))
                client(
                    "sqs", "DeleteMessage", QueueUrl=f"{QUEUES}/{queue}", ReceiptHandle=message["ReceiptHandle"]
                )
                self.count["messages"] += 1
        return busy

    def _answer_echoed(self, client: Client) -> bool:
        """Answers the tokens that a function was given, which are in the history."""
        todo = [name for name in self.begun if name.startswith("token-") and name not in self.answered]
        for name in todo:
            events = client("states", "GetExecutionHistory", executionArn=arn(name), maxResults=20)["events"]
            for event in events:
                scheduled = event.get("taskScheduledEventDetails")
                if scheduled:
                    token = json.loads(scheduled["parameters"])["Payload"]["token"]
                    self._tell(client, token, "SendTaskSuccess", output=json.dumps({"to": name}))
                    self.answered[name] = token
        return bool(todo)

    def _work(self, client: Client) -> bool:
        """Does the tasks of the activity."""
        task = client("states", "GetActivityTask", activityArn=ACTIVITY)
        if task.get("taskToken"):
            asked = json.loads(task["input"])
            self._tell(client, task["taskToken"], "SendTaskSuccess", late=True, output=answer_to(asked))
        return True

    def _stop(self, client: Client) -> bool:
        todo = [name for name in self.begun if name.startswith("stopped-") and name not in self.answered]
        for name in todo:
            client("states", "StopExecution", executionArn=arn(name), error="Stopped", cause=name)
            self.answered[name] = "stopped"
        return bool(todo)

    def _tell(self, client: Client, token: str, operation: str, late: bool = False, **answer):
        """Answers a token once; that it is closed is right only where an answer of ours may have closed it, or it may be `late`."""
        earlier, self._tried[token] = self._tried[token], self._tried[token] + 1
        try:
            client("states", operation, taskToken=token, **answer)
        except Refused as refused:
            if refused.code != "TaskTimedOut" or not (earlier or late):
                self.faults.append(f"a token's answer {earlier + 1} was refused: {refused}")
            return
        if token in self.answered:
            self.faults.append("a token took two answers")
        self.answered[token] = json.dumps(answer)
        self.count["answers"] += 1


def arn(name: str) -> str:
    return f"{STATES}:execution:{name.rsplit('-', 1)[0]}:{name}"
