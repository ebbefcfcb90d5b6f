"""infra/workflows/ is complete: its configuration names what the definitions and the functions ask for, and the functions
need the versions that are tested."""

import json
import re
import tomllib

import pytest

from template import ROOT

WORKFLOWS = ROOT / "infra/workflows"
CONFIG = tomllib.loads((WORKFLOWS / "countersign.toml").read_text())
# They are always there.
OURS = {"countersign", "countersign-operations", "countersign-task-tools"}


def test_every_placeholder_has_a_value_and_every_value_a_placeholder():
    texts = [file.read_text() for file in WORKFLOWS.glob("*.asl.json")]
    assert len(texts) >= 7
    assert {name for text in texts for name in re.findall(r"\$\{(\w+)\}", text)} == set(CONFIG["substitutions"])


def test_every_arn_leads_to_something():
    values = [value for value in CONFIG["substitutions"].values() if isinstance(value, str)]
    values += [value for it in CONFIG["functions"].values() for value in it.get("environment", {}).values()]
    arns = [value for value in values if value.startswith("arn:")]
    assert len(arns) >= 10
    for arn in arns:
        kind, name = arn.split(":")[5:7]
        known = {
            "function": OURS | set(CONFIG["functions"]),
            "activity": set(CONFIG["activities"]),
            "stateMachine": {file.name.removesuffix(".asl.json") for file in WORKFLOWS.glob("*.asl.json")},
        }
        assert name in known[kind], arn


@pytest.mark.parametrize("name", [name for name, it in CONFIG["functions"].items() if "command" in it])
def test_every_command_has_its_handler(name):
    function = CONFIG["functions"][name]
    module, handler = function["command"][-1].split(".")
    (source,) = [file for file in (WORKFLOWS / function["directory"]).iterdir() if file.stem == module]
    assert re.search(rf"(?m)^(def|export async function) {handler}\(", source.read_text())


def test_the_functions_need_the_versions_that_are_tested():
    ours = (ROOT / "tests/requirements.txt").read_text().splitlines()
    for line in (WORKFLOWS / "share-data/requirements.txt").read_text().splitlines():
        assert line in ours
    tested = json.loads((ROOT / "tests/node/package.json").read_text())["dependencies"]
    needed = json.loads((WORKFLOWS / "fetch-process-save/package.json").read_text())["dependencies"]
    assert needed.items() <= tested.items()
