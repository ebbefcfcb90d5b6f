"""The embedded Step Functions is killed by SIGKILL again and again while executions of every kind run. Each must end as it would
have without that, with the same events, each once; nothing that was acknowledged may be lost.

`ENGINE_KILLS`, `ENGINE_EXECUTIONS` and `ENGINE_SEED` say how often, over how many, and by which numbers drawn. A function or a
message may come twice: what a process was doing when it was killed is done again (at least once)."""

import os
import random
import time

import pytest
from actor import World, arn
from histories import difference, faults, plain
from lives import Client, Server
from machines import MACHINES, STATES

KILLS = int(os.environ.get("ENGINE_KILLS", "60"))
EXECUTIONS = int(os.environ.get("ENGINE_EXECUTIONS", "200"))
SEED = int(os.environ.get("ENGINE_SEED", "1"))
# Seconds until all have to have ended after the last kill.
PATIENCE = 120
# How a life ends: while it begins, or so many seconds after it answers; now and then one is long enough for slow functions.
SHORT, LONG_LIFE, ONE_LONG_IN = 0.2, 1.5, 50


def names() -> list[str]:
    kinds = list(MACHINES)
    return [f"{kinds[number % len(kinds)]}-{number}" for number in range(EXECUTIONS)]


def until_all_ended(server: Server, world: World):
    client, end = Client(server), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        running = [
            execution["name"] for kind in [*MACHINES, "child"]
            for execution in client.surely(
                "states", "ListExecutions", stateMachineArn=f"{STATES}:stateMachine:{kind}", statusFilter="RUNNING"
            )["executions"]
        ]
        if not running and len(world.begun) == EXECUTIONS:
            return
        time.sleep(0.1)
    raise AssertionError(f"{len(world.begun)} begun, and these never ended: {running}")


def everything(server: Server) -> dict[str, tuple[dict, list[dict]]]:
    """Each execution there is, with its history."""
    client, found = Client(server), {}
    for kind in [*MACHINES, "child"]:
        listed = client.surely("states", "ListExecutions", stateMachineArn=f"{STATES}:stateMachine:{kind}", maxResults=1000)
        for execution in listed["executions"]:
            described = client.surely("states", "DescribeExecution", executionArn=execution["executionArn"])
            history = client.surely(
                "states", "GetExecutionHistory", executionArn=execution["executionArn"], maxResults=1000
            )
            assert "nextToken" not in history
            found[execution["executionArn"]] = described, history["events"]
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """All executions, in a life without a kill."""
    with Server(tmp_path_factory.mktemp("engine") / "undisturbed") as server:
        server.begin()
        assert server.comes_up()
        world = World(server, names())
        world.prepare()
        world.started = EXECUTIONS
        with world:
            until_all_ended(server, world)
        found = everything(server)
    assert world.faults == []
    return found


def many_lives(server: Server, world: World) -> float:
    """Kills it as often as asked for; answers how many seconds that took. A new process is there at the end."""
    draw, begin = random.Random(SEED), time.monotonic()
    for kill in range(KILLS):
        world.started = min(EXECUTIONS, 1 + EXECUTIONS * kill * 10 // (KILLS * 9))
        life = LONG_LIFE if kill % ONE_LONG_IN == ONE_LONG_IN - 1 else draw.uniform(0, SHORT)
        if kill and draw.random() < 0.25:
            # Perhaps while it begins.
            time.sleep(life)
            world.count["kills before it answered"] += not server.comes_up(0)
        else:
            assert kill == 0 or server.comes_up(), f"it doesn't come up: {server.said()}"
            time.sleep(life)
        server.kill()
        server.begin()
    return time.monotonic() - begin


@pytest.fixture(scope="module")
def killed(tmp_path_factory, request):
    """All executions, through many lives; and the world around them."""
    with Server(tmp_path_factory.mktemp("engine") / "killed") as server:
        server.begin()
        assert server.comes_up()
        world = World(server, names())
        world.prepare()
        with world:
            seconds = many_lives(server, world)
            world.started = EXECUTIONS
            assert server.comes_up(), f"it doesn't come up: {server.said()}"
            until_all_ended(server, world)
        # What it says must be on the disk, not only in its memory.
        server.kill()
        server.begin()
        assert server.comes_up()
        found = everything(server)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(world.count.items()))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nKILLS seed {SEED}: {KILLS} in {seconds:.0f} s over {EXECUTIONS} executions; {counts}")
    return found, world


def test_what_was_acknowledged_holds(killed):
    found, world = killed
    assert world.faults == []
    for name, started in world.begun.items():
        assert found[arn(name)][0]["startDate"] == started


def test_none_is_lost_and_none_begun_twice(reference, killed):
    assert sorted(killed[0]) == sorted(reference)


def test_every_execution_ends_as_without_a_kill(reference, killed):
    def ends(found):
        return {
            name: [plain(described.get(field)) for field in ("status", "input", "output", "error", "cause")]
            for name, (described, _) in found.items()
        }

    assert ends(killed[0]) == ends(reference)


def test_every_kind_of_end_is_there(reference):
    assert {described["status"] for described, _ in reference.values()} == {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}


def test_every_history_is_well_formed(reference, killed):
    for found in (reference, killed[0]):
        assert {name: wrong for name, (_, events) in found.items() if (wrong := faults(events))} == {}


def test_every_event_is_there_once(reference, killed):
    differing = {
        name: wrong for name, (_, events) in killed[0].items() if (wrong := difference(reference[name][1], events))
    }
    assert differing == {}
