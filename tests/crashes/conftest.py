"""All lives of the crash grid at once, and the grid at the end."""

import json
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from grid import BESIDES, POINTS, Case, Form
from life import Life, World
from serve import SCOPES, new_key
from wire import Wire

# Lives at the same time. Most of a life is waiting.
AT_ONCE = 16


def pytest_configure(config):
    config.addinivalue_line("markers", "crash_case: a life with a crash, begun together with all others")


@pytest.fixture(scope="session")
def lives(request, demo, tmp_path_factory):
    """The lives of all cases that are to be tested, begun: what each comes to."""
    cases = [item.callspec.params["case"] for item in request.session.items if item.get_closest_marker("crash_case")]
    folder = tmp_path_factory.mktemp("crashes")
    key, lines = new_key(*SCOPES)
    clients = {service: demo.client(service) for service in ("dynamodb", "stepfunctions")}
    with Wire() as wire, ThreadPoolExecutor(AT_ONCE) as pool:
        world = World(demo, wire, machine(clients["stepfunctions"]), clock_ahead(folder), key, lines, clients)
        begun = {str(case): pool.submit(live, world, case, folder / str(number)) for number, case in enumerate(cases)}
        yield begun
        for future in begun.values():
            future.cancel()


def live(world: World, case: Case, folder: Path) -> Life:
    folder.mkdir()
    life = Life(world, case, folder)
    life.run()
    return life


def machine(client) -> str:
    """A machine that waits for a token; the token is read from its history."""
    wait = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {
            "FunctionName": "sign-document",
            "Payload": {"signer": "Alice", "documentId": "1", "taskToken.$": "$$.Task.Token"},
        },
        "TimeoutSeconds": 3600,
        "End": True,
    }
    return client.create_state_machine(
        name="crashes",
        definition=json.dumps({"StartAt": "Wait", "States": {"Wait": wait}}),
        roleArn="arn:aws:iam::123456789012:role/any",
    )["stateMachineArn"]


def clock_ahead(folder: Path) -> Path:
    library = folder / "clock_ahead.so"
    source = Path(__file__).with_name("clock_ahead.c")
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def pytest_terminal_summary(terminalreporter):
    """Prints the grid: at how many of the lives each point ended as decided."""
    lived, good, twice = Counter(), Counter(), set()
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        told = dict(report.user_properties)
        if report.when == "call" and "point" in told:
            place = told["point"], told["form"]
            lived[place] += 1
            good[place] += report.passed
            if told.get("mailed again"):
                twice.add(place)
    if not lived:
        return
    say = terminalreporter.write_line
    say("")
    say(row("GRID", "lives that ended as decided, by where the process died", [form.value for form in Form]))
    for points, called in ((POINTS, "points"), (BESIDES, "other points")):
        whole = 0
        all_lived = all_good = 0
        for point in points:
            places = [(point.id, form.value) for form in Form]
            whole += all(lived[place] and good[place] == lived[place] for place in places)
            all_lived += sum(lived[place] for place in places)
            all_good += sum(good[place] for place in places)
            cells = [f"{good[place]} of {lived[place]}{' *' if place in twice else ''}" for place in places]
            say(row(f"GRID {point}", point.name, cells))
        say(f"GRID {whole} of {len(points)} {called}: {all_good} of {all_lived} lives ended as decided")
    if twice:
        say("GRID * a mail came twice: SES had taken it, and the process died before that was on record")


def row(beginning: str, name: str, cells: list[str]) -> str:
    return f"{beginning:8} {name:55}" + "".join(f" {cell:10}" for cell in cells).rstrip()
