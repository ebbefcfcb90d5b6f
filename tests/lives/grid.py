"""The crash grid: fourteen points of an approval's life, how each is recognised on the way to AWS, and the cases that
are made of them."""

import json
from collections.abc import Callable
from enum import Enum
from functools import cached_property
from typing import NamedTuple

# How long a claim keeps others off (`MAIL_LEASE` in src/domain/schedule.rs, `LEASE` in src/domain/callback.rs), and a
# second more. A process that takes over is started with its clock so far ahead.
MAIL_LEASE = 61
CALLBACK_LEASE = 31


class Form(Enum):
    """When the process dies."""

    BEFORE = "before"
    """The call never arrives."""
    NO_ANSWER = "no answer"
    """The call takes effect, and the process dies without its answer."""
    AFTER = "after"
    """The process hears the answer, and dies before its next call arrives, or a moment later."""


class Call:
    """A call of the service to AWS."""

    def __init__(self, operation: str, body: bytes):
        self.operation = operation
        self._body = body

    @cached_property
    def body(self) -> dict:
        return json.loads(self._body)

    @cached_property
    def items(self) -> dict[str, dict]:
        """What is written to the table: what each item means, by its sort key."""
        match self.operation:
            case "PutItem":
                written = [self.body["Item"]]
            case "TransactWriteItems":
                written = [change["Put"]["Item"] for change in self.body["TransactItems"] if "Put" in change]
            case _:
                written = []
        return {item["sk"]["S"]: json.loads(item["json"]["S"]) for item in written}

    @property
    def state(self) -> dict:
        """The request's state, if this writes it; `is` says which."""
        return self.items.get("S", {}).get("state", {"is": None})

    @property
    def bob(self) -> dict:
        """Bob's record, if this writes it."""
        return self.items.get("R#000", {})


def is_claim(call: Call, kind: str) -> bool:
    """Whether this claims a mail of a kind to Bob for the first time."""
    mail = call.bob.get("mail")
    return call.operation == "PutItem" and mail is not None and (mail["kind"]["is"], mail["attempts"]) == (kind, 1)


def ends(call: Call, *how: str) -> bool:
    """Whether this is the transaction that ends the request in one of these ways."""
    return call.operation == "TransactWriteItems" and call.state["is"] == "ended" and call.state["ending"]["is"] in how


def callback(call: Call) -> dict:
    """How far the callback is, where this writes only that."""
    return call.state["callback"] if call.operation == "PutItem" and call.state["is"] == "ended" else {"is": None}


class Point(NamedTuple):
    """A point of an approval's life."""

    id: str
    name: str
    is_it: Callable[[Call], bool] | None
    """Whether a call is the one; `None` where the point is no call to AWS."""
    leases: dict[Form, int] = {}
    """The seconds after which a claim that the dead process leaves may be taken over."""
    forms: tuple[Form, ...] = tuple(Form)
    """The forms that there are of it."""

    def __str__(self):
        return self.id


CLAIMED = (Form.NO_ANSWER, Form.AFTER)
POINTS = [
    Point("P1", "the body written", lambda call: "B" in call.items),
    Point("P2", "the state written", lambda call: call.items.get("S", {}).get("version") == 1),
    Point("P3", "the mail claimed", lambda call: is_claim(call, "invitation"), dict.fromkeys(CLAIMED, MAIL_LEASE)),
    Point("P4", "SES accepted", lambda call: call.operation == "SendEmail", dict.fromkeys(Form, MAIL_LEASE)),
    Point(
        "P5",
        "the mail marked",
        lambda call: call.operation == "PutItem" and call.bob.get("state", {}).get("is") == "sent",
        {Form.BEFORE: MAIL_LEASE},
    ),
    Point(
        "P6",
        "the opening observed",
        lambda call: any(
            sk.startswith("O#") and sk.endswith("#000") and seen["seen"] == "opened" for sk, seen in call.items.items()
        ),
    ),
    # The decision and the record of its first attempt are one write.
    Point(
        "P7",
        "the decision written",
        lambda call: ends(call, "approved", "rejected"),
        dict.fromkeys(CLAIMED, CALLBACK_LEASE),
    ),
    # The second attempt's: Step Functions throttles the first one here.
    Point(
        "P8",
        "the callback's attempt recorded",
        lambda call: callback(call).get("attempts") == 2,
        dict.fromkeys(CLAIMED, CALLBACK_LEASE),
    ),
    Point(
        "P9",
        "Step Functions accepted",
        lambda call: call.operation in ("SendTaskSuccess", "SendTaskFailure"),
        dict.fromkeys(Form, CALLBACK_LEASE),
    ),
    Point("P10", "the callback marked", lambda call: callback(call)["is"] == "delivered", {Form.BEFORE: CALLBACK_LEASE}),
    Point("P11", "the answer sent to the browser", None),
    Point("P12", "the reminder claimed", lambda call: is_claim(call, "reminder"), dict.fromkeys(CLAIMED, MAIL_LEASE)),
    Point("P13", "the expiry claimed", lambda call: ends(call, "expired"), dict.fromkeys(CLAIMED, CALLBACK_LEASE)),
    # A head is signed in the same write as its event: in P2, P7 and P13 too. This is the one write that is left, the
    # answer of a signer after whom others are still asked.
    Point(
        "P14",
        "the evidence head signed",
        lambda call: call.operation == "TransactWriteItems" and call.state["is"] == "pending",
    ),
]
# Not of the grid, and calls of a life too.
BESIDES = [
    Point("B1", "a signer written", lambda call: call.bob.get("revision") == 1),
    Point("B2", "people, first event and lookups written", lambda call: call.operation == "BatchWriteItem"),
    Point(
        "B3",
        "the end of a throttled attempt recorded",
        lambda call: callback(call).get("attempts") == 1 and callback(call)["last_error"] is not None,
        {Form.BEFORE: CALLBACK_LEASE},
    ),
    Point("B4", "the receipt claimed", lambda call: is_claim(call, "receipt"), dict.fromkeys(CLAIMED, MAIL_LEASE)),
    Point(
        "B5",
        "the receipt marked",
        lambda call: call.bob.get("state", {}).get("is") == "answered" and call.bob["mail"] is None,
        {Form.BEFORE: MAIL_LEASE},
    ),
    # The callback may be under way at the same moment.
    Point("B6", "word of the expiry owed to Bob", lambda call: call.bob.get("told"), dict.fromkeys(Form, CALLBACK_LEASE)),
    Point(
        "B7",
        "word of the expiry owed to all",
        lambda call: callback(call)["is"] is not None and call.state["notices"] is None,
        dict.fromkeys(Form, CALLBACK_LEASE),
    ),
]
# Of Lambda alone, where nothing runs after an answer, and what a process knew is gone when it is frozen for good.
WAKE_SENT = Point("L1", "the wake sent", lambda call: call.operation == "SendMessage")
BY_WAKES = Point("L2", "frozen for good after each answer; wakes alone", lambda _: False, forms=(Form.AFTER,))
BY_TICKS = Point("L3", "frozen for good after each answer; ticks alone", lambda _: False, forms=(Form.AFTER,))
OF_LAMBDA = [WAKE_SENT, BY_WAKES, BY_TICKS]
POINT = {point.id: point for point in POINTS + BESIDES}


class Case(NamedTuple):
    """One life with one crash."""

    point: Point
    form: Form
    decision: str
    """What Bob decides, `approve` or `reject`. At the deadline, where nobody answers: what the request says shall
    become of it then."""
    signers: int
    waits: bool = False
    """Whether the lease is waited for, rather than a process started with its clock ahead."""

    @property
    def dies(self) -> bool:
        """Whether the process is killed; else it is frozen for good, as often as it answers."""
        return self.point not in (BY_WAKES, BY_TICKS)

    @property
    def throttles(self) -> bool:
        """Whether Step Functions turns the first attempt away."""
        return self.point.id in ("P8", "B3") or self.point in (BY_WAKES, BY_TICKS)

    @property
    def reminds(self) -> bool:
        """Whether Bob is reminded before he answers."""
        return self.point.id == "P12"

    @property
    def expires(self) -> bool:
        """Whether nobody answers."""
        return self.point.id in ("P13", "B6", "B7")

    def lease(self) -> int:
        """The seconds by which the clock of the process that takes over is ahead."""
        if self.waits:
            return 0
        # The mail to another signer may be under way at the same moment, in any form.
        forms = [self.form] if self.signers == 1 else Form
        return max(self.point.leases.get(form, 0) for form in forms)

    def __str__(self):
        waits = ", waiting" if self.waits else ""
        return f"{self.point} {self.form.value}, {self.decision}, {self.signers} of {self.signers}{waits}"


CASES = [
    Case(point, form, decision, signers)
    for signers in (1, 2)
    for point in POINTS
    for form in Form
    for decision in ("approve", "reject")
    # With one signer every answer decides.
    if point.id != "P14" or signers > 1
]
CASES += [Case(point, form, "approve", 1) for point in BESIDES for form in Form]
# First, because it takes longest.
CASES.insert(0, Case(POINT["P9"], Form.NO_ANSWER, "approve", 1, waits=True))
CASES_OF_LAMBDA = CASES + [
    Case(point, form, decision, signers)
    for signers in (1, 2)
    for point in OF_LAMBDA
    for form in point.forms
    for decision in ("approve", "reject")
]
