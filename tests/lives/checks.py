"""What must be so at the end of a life, whatever died on the way: as people and programs outside see it."""

import json
import re

from lives import evidence

def check(life):
    """Fails unless the workflow has ended as Bob decided (or as is due at the deadline), once, with evidence of it, and
    everybody was told."""
    before = life.items()
    written = without_observations(before)
    if life.case.expires:
        check_page(life, "It is too late to answer")
    else:
        check_page(life, f"you have already {life.past}")
        # Somebody who never saw an answer sends the form again.
        status, page = life.send_again()
        assert (status, "Thank you, <bdi>Bob</bdi>" in page) == (200, True), (status, page)
    assert without_observations(life.items()) == written, "what came afterwards has changed something"
    events = check_evidence(before, life.request, life.evidence_seed)
    check_decision(life, before, events)
    check_execution(life, events[-1])
    check_mails(life)


def without_observations(items: dict[str, dict]) -> dict[str, dict]:
    """The items without the notes that a mail was sent, which come after all that counts."""
    return {sk: item for sk, item in items.items() if not sk.startswith("O#")}


def check_page(life, said: str):
    status, page = life.page("Bob")
    assert (status, said in page) == (200, True), (status, page)


def check_evidence(items: dict[str, dict], request: str, seed: bytes) -> list[dict]:
    """Fails unless the evidence verifies; gives the events."""
    events = [item for sk, item in items.items() if sk.startswith("E#")]
    evidence.verify(request, events, items["S"]["evidence"], seed)
    assert events[0]["body"] == evidence.digest(items["B"]["body"]), "the evidence is of another request"
    return events


def check_decision(life, items: dict[str, dict], events: list[dict]):
    """One decision, by the state and by the evidence, and the workflow knows."""
    expired = life.case.expires
    assert life.approvals() == [life.request]
    state = items["S"]["state"]
    assert (state["is"], state["ending"]["is"]) == ("ended", "expired" if expired else life.past), state
    assert (state["callback"]["is"], state["notices"]) == ("delivered", None), state
    happened = [(event["type"], event.get("signer"), event.get("outcome"), event.get("decides")) for event in events]
    asked, others, decision = happened[:1], happened[1:-1], happened[-1]
    assert asked == [("requested", None, None, None)], happened
    if expired:
        assert (others, decision) == ([], ("expired", None, None, None)), happened
    else:
        first = [("answered", 1, "approve", None)] * (life.case.signers - 1)
        assert (others, decision) == (first, ("answered", 0, life.case.decision, life.past)), happened
    shown = life.show()
    assert (shown["status"], shown["callback"]["state"]) == (state["ending"]["is"], "delivered"), shown
    assert not any("nextMail" in signer for signer in shown["signers"]), shown


def check_execution(life, decision: dict):
    """The workflow has ended, by one callback, with what was decided."""
    execution = life.execution()
    ends = [event["type"] for event in life.history() if re.fullmatch("Task(Succeeded|Failed|TimedOut)", event["type"])]
    expired, approves = life.case.expires, life.case.decision == "approve"
    if approves:
        assert (execution["status"], ends) == ("SUCCEEDED", ["TaskSucceeded"]), (execution, ends)
        result = json.loads(execution["output"])
        assert (result["outcome"], result["approved"]) == ("approve", True), result
    else:
        assert (execution["status"], ends) == ("FAILED", ["TaskFailed"]), (execution, ends)
        assert execution["error"] == ("Approval.Expired" if expired else "Approval.Rejected"), execution
        result = json.loads(execution["cause"])
    assert (result["requestId"], result["status"]) == (life.request, "expired" if expired else life.past), result
    assert result["evidence"]["head"] == evidence.digest(decision), "the workflow was told of another event"
    callbacks = [entry for entry in life.journal if entry.what == "callback"]
    assert len(callbacks) == 1, f"Step Functions took {len(callbacks)} callbacks"
    if not expired:
        said = [(response["signer"]["name"], response["outcome"], response["comment"]) for response in result["responses"]]
        first = [("Carol", "approve", "Says Carol.")] * (life.case.signers - 1)
        assert said == [*first, ("Bob", life.case.decision, "Says Bob.")], result


def check_mails(life):
    """Everybody got each mail, and the same one again only where SES has no way not to: the process died after SES had
    taken the mail and before that was on record."""
    expected = {"invitation"}
    expected |= {"reminder"} if life.case.reminds else set()
    expected |= {"closed"} if life.case.expires else {"receipt"}
    life.mailed_again = 0
    for name, address in life.addresses.items():
        mails = life.mails(name)
        assert mails.keys() == expected, (name, mails.keys())
        for kind, sent in mails.items():
            by = [entry.process for entry in life.journal if entry.what == f"{kind} to {address}"]
            assert len(sent) == len(by), f"{name} has {len(sent)} mails where SES took {len(by)}: {kind}"
            assert len(set(by)) == len(by), f"{name} got the {kind} twice from one process"
            for process in by[:-1]:
                told = [entry.what for entry in life.journal if entry.process == process]
                told = told[told.index(f"{kind} to {address}") :]
                assert f"mark of {address}" not in told, f"{name} got the {kind} twice, although it was on record"
            life.mailed_again += len(sent) - 1
            assert len({mail["subject"] for mail in sent}) == 1, f"the two mails differ: {[m['subject'] for m in sent]}"
