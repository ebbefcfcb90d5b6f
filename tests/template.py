"""infra/template.yaml as data."""

import functools
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "infra/template.yaml"


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms: `!Ref x` is {"Ref": "x"}, `!GetAtt a.b` is {"Fn::GetAtt": "a.b"}."""


def _short_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    return {name: loader.construct_sequence(node, deep=True)}


Loader.add_multi_constructor("!", _short_form)


@functools.cache
def template() -> dict:
    return yaml.load(TEMPLATE.read_text(), Loader)


def resources(kind: str) -> dict[str, dict]:
    """The properties of all resources of that type, by name."""
    return {name: it["Properties"] for name, it in template()["Resources"].items() if it["Type"] == kind}
