"""All lives of a grid at once."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from demo import Demo
from lives.grid import Case
from lives.life import Life, World
from lives.wire import Wire

# Lives at the same time. Most of a life is waiting.
AT_ONCE = 16


@contextmanager
def running(
    kind: Callable[[World, Case, Path], Life], program: Path, key: tuple[str, str], demo: Demo, cases: list[Case], folder: Path
) -> Iterator[dict[str, Future]]:
    """The lives of all cases, begun: what each comes to. `key` is an API key, and what makes it known."""
    clients = {service: demo.client(service) for service in ("dynamodb", "stepfunctions", "sqs")}
    with Wire() as wire, ThreadPoolExecutor(AT_ONCE) as pool:
        world = World(program, demo, wire, machine(clients["stepfunctions"]), clock_ahead(folder), *key, clients)
        begun = {str(case): pool.submit(live, kind, world, case, folder / str(number)) for number, case in enumerate(cases)}
        yield begun
        for future in begun.values():
            future.cancel()


def live(kind: Callable[[World, Case, Path], Life], world: World, case: Case, folder: Path) -> Life:
    folder.mkdir()
    life = kind(world, case, folder)
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
