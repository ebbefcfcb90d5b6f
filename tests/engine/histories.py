"""What a history has to be, and what it comes to apart from numbers, times and tokens."""

import json
from collections import Counter

ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}
# Differ from run to run by their nature.
VOLATILE = {
    "SdkHttpMetadata", "SdkResponseMetadata", "MessageId", "MD5OfMessageBody", "token", "taskToken", "TaskToken", "StartDate",
    "StopDate", "startDate", "stopDate", "mapRunArn",
}
# Whoever comes first or last among branches and iterations is a matter of time.
JOINED = {"ParallelStateSucceeded", "ParallelStateFailed", "MapStateSucceeded", "MapIterationStarted"}

# Who was quick to answer, or to kill, closes a task that nobody has seen submitted; an activity's task that is lost on
# its way to the worker is done again.
SOMETIMES = {"TaskSubmitted", "ActivityScheduled", "ActivityStarted", "ActivityTimedOut"}


def faults(events: list[dict]) -> list[str]:
    """What is wrong with a history taken by itself."""
    found = []
    if [event["id"] for event in events] != list(range(1, len(events) + 1)):
        found.append("the ids have gaps")
    by_id = {event["id"]: event for event in events}
    for event in events:
        before = by_id.get(event["previousEventId"])
        if event["previousEventId"] >= event["id"] or (event["previousEventId"] and not before):
            found.append(f"event {event['id']} points to {event['previousEventId']}")
        elif before and before["timestamp"] > event["timestamp"]:
            found.append(f"event {event['id']} is older than the one before it")
    ends = [event["id"] for event in events if event["type"] in ENDS]
    if ends != [len(events)]:
        found.append(f"it ends at {ends} of {len(events)}")
    # What is said of a task once, and what follows a state's entry.
    followed = Counter((event["previousEventId"], event["type"]) for event in events if event["type"] not in JOINED)
    twice = [kind for (_, kind), count in followed.items() if count > 1 and not kind.endswith("StateEntered")]
    return found + [f"{kind} twice after the same event" for kind in twice]


def plain(value):
    """`value` without what differs from run to run; text that holds JSON is read."""
    if isinstance(value, str):
        try:
            read = json.loads(value)
        except ValueError:
            return value
        return plain(read) if isinstance(read, (dict, list)) else value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if name not in VOLATILE}
    return value


def events_of(history: list[dict]) -> Counter:
    """How often each event is there that always is, together with the type of such a one before it."""
    by_id = {event["id"]: event for event in history}
    found = Counter()
    for event in history:
        if event["type"] in SOMETIMES:
            continue
        before = by_id.get(event["previousEventId"])
        while before and before["type"] in SOMETIMES:
            before = by_id[before["previousEventId"]]
        if event["type"] in JOINED or event["type"].endswith("StateExited"):
            before = None
        details = {name: item for name, item in event.items() if name not in ("id", "previousEventId", "timestamp")}
        found[json.dumps([before and before["type"], plain(details)], sort_keys=True, ensure_ascii=False)] += 1
    return found


def difference(reference: list[dict], history: list[dict]) -> list[str]:
    """Events that one of two histories has and the other has not."""
    wanted, found = events_of(reference), events_of(history)
    lost = [f"lost {count} × {event}" for event, count in (wanted - found).items()]
    return lost + [f"too many, {count} × {event}" for event, count in (found - wanted).items()]
