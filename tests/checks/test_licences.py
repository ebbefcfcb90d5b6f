"""The dependency tree follows deny.toml; and the check that says so can say no."""

import shutil
import subprocess
from pathlib import Path

import pytest

from licences import Package, all_faults, alternatives, duplicate_faults, licence_faults, source_faults

ROOT = Path(__file__).parents[2]


def test_all_dependencies_follow_deny_toml():
    assert all_faults(ROOT) == []


# Where it isn't installed, the check above has read the same rules. Advisories are left out: they
# need a database from the network.
if shutil.which("cargo-deny"):

    def test_cargo_deny_agrees():
        subprocess.run(["cargo", "deny", "--all-features", "check", "licenses", "bans", "sources"], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("expression", "ways"),
    [
        ("MIT", [{"MIT"}]),
        ("MIT OR Apache-2.0", [{"MIT"}, {"Apache-2.0"}]),
        ("MIT/Apache-2.0", [{"MIT"}, {"Apache-2.0"}]),
        ("Apache-2.0 WITH LLVM-exception", [{"Apache-2.0 WITH LLVM-exception"}]),
        ("(MIT OR ISC) AND Unicode-3.0", [{"MIT", "Unicode-3.0"}, {"ISC", "Unicode-3.0"}]),
        ("MIT OR ISC AND Zlib", [{"MIT"}, {"ISC", "Zlib"}]),
    ],
)
def test_expressions_are_read_as_spdx_says(expression, ways):
    assert sorted(map(sorted, alternatives(expression))) == sorted(map(sorted, ways))


@pytest.mark.parametrize("expression", ["", "MIT OR", "(MIT", "MIT ISC", "AND MIT", "MIT)"])
def test_unreadable_expressions_are_refused(expression):
    with pytest.raises(ValueError):
        alternatives(expression)


RULES = {"allow": ["MIT", "ISC"], "exceptions": [{"crate": "css", "allow": ["MPL-2.0"]}]}
FINE = {Package("a", "1.0.0", "MIT AND ISC"), Package("css", "1.0.0", "MPL-2.0")}


def test_allowed_licences_pass():
    assert licence_faults(FINE, RULES) == []


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MPL-2.0", ""])
def test_other_licences_are_named(licence):
    (fault,) = licence_faults(FINE | {Package("planted", "0.1.0", licence)}, RULES)
    assert "planted 0.1.0" in fault


def test_rules_nobody_needs_are_named():
    faults = licence_faults({Package("a", "1.0.0", "MIT")}, RULES)
    assert faults == ["deny.toml allows ISC, which no crate has", "deny.toml makes an exception for css, which isn't there"]


def test_duplicates_are_named_unless_reviewed():
    two = {Package("a", "1.0.0", "MIT"), Package("a", "2.0.0", "MIT")}
    assert duplicate_faults(two, {}) == ["a is there in several versions: 1.0.0, 2.0.0"]
    assert duplicate_faults(two, {"skip": [{"crate": "a@1.0.0"}]}) == []
    assert duplicate_faults(set(), {"skip": [{"crate": "a@1.0.0"}]}) == ["deny.toml skips a@1.0.0, which is no duplicate"]


def test_sources_other_than_the_registry_are_named():
    lock = {"package": [
        {"name": "own", "version": "0.1.0"},
        {"name": "good", "version": "1.0.0", "source": "registry+https://registry.example/index"},
        {"name": "bad", "version": "1.0.0", "source": "git+https://example.com/bad#0"},
    ]}
    rules = {"allow-registry": ["https://registry.example/index"]}
    assert source_faults(lock, rules) == ["bad 1.0.0 comes from git+https://example.com/bad#0"]
