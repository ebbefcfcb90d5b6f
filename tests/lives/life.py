"""One approval's life, with a service that dies in it once: a workflow that asks, the service, and the signers with their
browsers. Whoever gets no answer tries again, as people and workflows do. How the service runs, its sub-classes say."""

import json
import re
import time
import urllib.parse
from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

from demo import FORM, Demo, form_of, link_in
from lives.checks import check
from lives.grid import POINT, Call, Case, Form
from lives.wire import Fate, Line, Wire
from serve import create_table

EVIDENCE_SEED = bytes([8] * 32)
# Longer than any lease, so that one that isn't skipped passes by itself.
PATIENCE = 90
# Between two looks, in seconds.
POLL = 0.15
# When a reminder is sent or a request expires, where a life is about that.
SECONDS_UNTIL = 60
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
FATES = {
    Form.BEFORE: Fate.DIES_BEFORE,
    Form.NO_ANSWER: Fate.DIES_UNANSWERED,
    Form.AFTER: Fate.DIES_AFTER,
}
# What the pages and the API call the decisions.
PAST = {"approve": "approved", "reject": "rejected"}
# By which mails are told from each other: what their subjects begin with.
KINDS = {
    "Please ": "invitation",
    "Still waiting ": "reminder",
    "You approved": "receipt",
    "You rejected": "receipt",
    "No longer needed": "closed",
}


class World(NamedTuple):
    """What all lives share."""

    program: Path
    """What runs as the service."""
    demo: Demo
    """Its AWS; its own service has another table."""
    wire: Wire
    machine: str
    """The ARN of a machine that waits for a token."""
    clock_ahead: Path
    """The library that puts a process's clock ahead."""
    key: str
    """An API key."""
    key_known: str
    """What makes it known to a configuration."""
    clients: dict
    """boto3's clients for the AWS, by service."""


class Entry(NamedTuple):
    """What AWS took, and the number of the process that it came from."""

    process: int
    what: str


class Life(ABC):
    """One case, from the workflow's start to where nothing is due."""

    url: str
    """Where signers and programs find the service."""

    def __init__(self, world: World, case: Case, folder: Path):
        self.world = world
        self.case = case
        self.past = PAST[case.decision]
        self.evidence_seed = EVIDENCE_SEED
        self.table = "crash-" + re.sub(r"\W+", "-", str(case)).strip("-")
        names = ["Bob", "Carol"][: case.signers]
        self.addresses = {name: f"{name.lower()}+{self.table}@example.com".lower() for name in names}
        self._folder = folder
        # How many processes there were so far, and which of them was killed at the point.
        self._starts = 0
        self._struck: int | None = None
        self._throttled = False
        self.journal: list[Entry] = []
        self._line = Line(world.wire, world.demo.aws, self._fate_of, self._done)

    def run(self):
        create_table(self.world.clients["dynamodb"], self.table)
        self._begin()
        try:
            self._live()
            check(self)
        except Exception as failure:
            failure.add_note(f"{self.journal}\n{self._said()[-4000:]}")
            raise
        finally:
            self._end()
            self._line.close()

    # ---- the service, however it runs

    @abstractmethod
    def _begin(self):
        """Prepares it."""

    @abstractmethod
    def _end(self):
        """Ends it, and gives back what it had."""

    @abstractmethod
    def _skip(self, seconds: int):
        """Lets so much time pass for it, in which its process ends."""

    @abstractmethod
    def _keep_up(self):
        """Sees to it that it goes on, when it was killed. Is called before each look at it."""

    @abstractmethod
    def _take_in(self, request: dict) -> str | None:
        """Asks as the workflow does; the request's id, or `None` when that has to be tried again."""

    @abstractmethod
    def _http(self, method: str, path: str, body: str = "", headers: dict | None = None, strike: Form | None = None):
        """Status and text of an answer of the service; `None` when there is none, because it died, or when the answer
        is to try again. With `strike` it dies as it answers."""

    @abstractmethod
    def _said(self) -> str:
        """What it has printed."""

    # ---- its line to AWS

    def _fate_of(self, call: Call) -> Fate:
        point, form = self.case.point, self.case.form
        if self.case.throttles and not self._throttled and call.operation in ("SendTaskSuccess", "SendTaskFailure"):
            self._throttled = True
            return Fate.THROTTLED
        if self._struck is not None:
            return Fate.PASS
        if point.is_it is None:
            # Before the answer is sent to the browser: all is done, and the process gets no further.
            strikes = form is Form.BEFORE and POINT["P10"].is_it(call)
            fate = Fate.DIES_HEARING
        else:
            strikes, fate = point.is_it(call), FATES[form]
        if not strikes:
            return Fate.PASS
        self._struck = self._starts
        return fate

    def _done(self, call: Call, process):
        if call.operation == "SendEmail":
            (address,) = call.body["Destination"]["ToAddresses"]
            kind = kind_of(call.body["Content"]["Simple"]["Subject"]["Data"])
            self.journal.append(Entry(process.number, f"{kind} to {address}"))
        elif call.operation in ("SendTaskSuccess", "SendTaskFailure"):
            self.journal.append(Entry(process.number, "callback"))
        elif call.operation == "PutItem":
            for number, address in enumerate(self.addresses.values()):
                record = call.items.get(f"R#{number:03}")
                if record and record["revision"] > 1 and (record["mail"] is None or record["mail"]["attempts"] == 0):
                    self.journal.append(Entry(process.number, f"mark of {address}"))

    # ---- the life

    def _live(self):
        self._arn = self.world.clients["stepfunctions"].start_execution(
            stateMachineArn=self.world.machine, input=json.dumps({"case": str(self.case)})
        )["executionArn"]
        self.request = self._ask()
        self._links = {name: self._link(name) for name in self.addresses}
        if self.case.reminds or self.case.expires:
            self._wait("the first mails are marked", self._is_everybody_mailed)
            self._skip(SECONDS_UNTIL + 1)
        if self.case.reminds:
            for name in self.addresses:
                self._wait(f"{name} is reminded", lambda: "reminder" in self.mails(name))
        if not self.case.expires:
            for name in reversed(self.addresses):
                self._answer(name, self._links[name])
        self._wait("the execution has ended", lambda: self.execution()["status"] != "RUNNING")
        self._wait("nothing is due", lambda: self._count_due() == 0)
        if self.case.dies:
            assert self._struck is not None, f"{self.case.point} was never reached"
            # On a busy machine the process may do all this before it is killed.
            self._wait("the service is there again", lambda: self._starts > self._struck)

    def _ask(self) -> str:
        """Asks, as the workflow's function does, until it is taken in; gives the request's id."""
        request = {
            "taskToken": self._wait("the task is scheduled", self._token),
            "title": "Approve release one",
            "signers": [{"name": name, "email": address} for name, address in self.addresses.items()],
            "execution": {"arn": self._arn},
        }
        if self.case.reminds:
            request["reminders"] = {"afterSeconds": SECONDS_UNTIL, "max": 1}
        if self.case.expires:
            request["timeoutSeconds"] = SECONDS_UNTIL
            request["onTimeout"] = "approve" if self.case.decision == "approve" else "fail"
        return self._wait("the request is taken in", lambda: self._take_in(request))

    def _token(self) -> str | None:
        for event in self.history():
            details = event.get("taskScheduledEventDetails")
            if details:
                return json.loads(details["parameters"])["Payload"]["taskToken"]
        return None

    def _link(self, name: str) -> str:
        """The path of the link in a signer's first mail; waits for it."""
        mails = self._wait(f"{name} gets a mail", lambda: self.mails(name))
        (link,) = {link_in(mail) for mail in mails["invitation"]}
        assert link.startswith(f"{self.url}/s/"), link
        return urllib.parse.urlsplit(link).path

    def _answer(self, name: str, link: str):
        """Opens the page, and answers if it asks; until a page says that the answer is there."""
        is_bob = name == "Bob"
        outcome = self.case.decision if is_bob else "approve"

        def is_answered() -> bool:
            opened = self._http("GET", link)
            if opened is None:
                return False
            status, page = opened
            assert status == 200, (status, page)
            if 'name="csrf"' not in page:
                assert f"you have already {PAST[outcome]}" in page, page
                return True
            fields = form_of(page) | {"outcome": outcome, "comment": f"Says {name}.", "name": name}
            self._sent = urllib.parse.urlencode(fields)
            strike = self.case.form if is_bob and self.case.point.is_it is None and self._struck is None else None
            answered = self._http("POST", link, self._sent, self._form_headers(), strike)
            if answered is None:
                return False
            status, page = answered
            assert status == 200 and f"Thank you, <bdi>{name}" in page, (status, page)
            return True

        self._wait(f"{name} is told that the answer is there", is_answered)

    def _authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.world.key}"}

    def _form_headers(self) -> dict[str, str]:
        return FORM | {"origin": self.url}

    def _strike(self):
        self._struck = self._starts
        self._line.process.die()

    # ---- what is seen from outside

    def _wait(self, what: str, condition):
        """The first true value of `condition()`. Meanwhile the service is started again when it was killed."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self._keep_up()
            if self._line.failure is not None:
                raise self._line.failure
            value = condition()
            if value:
                return value
            time.sleep(POLL)
        raise AssertionError(f"waited {PATIENCE} s in vain: {what}")

    def execution(self) -> dict:
        return self.world.clients["stepfunctions"].describe_execution(executionArn=self._arn)

    def history(self) -> list[dict]:
        return self.world.clients["stepfunctions"].get_execution_history(executionArn=self._arn)["events"]

    def approvals(self) -> list[str]:
        """The ids of all approvals in the table: there should be one."""
        return [item["pk"]["S"].removeprefix("A#") for item in self._scan() if item["sk"]["S"] == "S"]

    def items(self) -> dict[str, dict]:
        """What the items of the approval mean, by their sort keys and in their order."""
        found = {item["sk"]["S"]: json.loads(item["json"]["S"]) for item in self._scan() if item["pk"]["S"].startswith("A#")}
        return dict(sorted(found.items()))

    def _scan(self) -> list[dict]:
        pages = self.world.clients["dynamodb"].get_paginator("scan").paginate(TableName=self.table)
        return [item for page in pages for item in page["Items"]]

    def _is_everybody_mailed(self) -> bool:
        return all(item["state"]["is"] == "sent" for sk, item in self.items().items() if sk.startswith("R#"))

    def show(self) -> dict:
        """The request as the API shows it."""
        path = f"/api/v1/requests/{self.request}"
        status, text = self._wait("the API answers", lambda: self._http("GET", path, headers=self._authorization()))
        assert status == 200, (status, text)
        return json.loads(text)

    def page(self, name: str) -> tuple[int, str]:
        return self._wait("the page is there", lambda: self._http("GET", self._links[name]))

    def send_again(self) -> tuple[int, str]:
        """Sends the form that Bob sent last once more."""
        form = self._sent, self._form_headers()
        return self._wait("the form is taken", lambda: self._http("POST", self._links["Bob"], *form))

    def _count_due(self) -> int:
        return self.world.clients["dynamodb"].scan(TableName=self.table, IndexName="due", Select="COUNT")["Count"]

    def mails(self, name: str) -> dict[str, list[dict]]:
        """A signer's mails, by their kind."""
        mails: dict[str, list[dict]] = {}
        for mail in self.world.demo.mails(urllib.parse.quote(self.addresses[name])):
            mails.setdefault(kind_of(mail["subject"]), []).append(mail)
        return mails


def kind_of(subject: str) -> str:
    return next((kind for beginning, kind in KINDS.items() if subject.startswith(beginning)), subject)
