"""What deny.toml asks for, checked with nothing but cargo: licences, duplicates and sources of all
dependencies. Where `cargo deny` is installed it checks the same file; a fresh machine doesn't have
it, and building it takes minutes."""

import re
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    """One crate of the dependency tree. `licence` is its SPDX expression, as its author wrote it."""

    name: str
    version: str
    licence: str


def read_tree(root: Path, targets: list[str]) -> set[Package]:
    """Every crate that is compiled for one of the targets, features resolved as the build does."""
    found = set()
    for target in targets:
        tree = subprocess.run(
            ["cargo", "tree", "--workspace", "--all-features", "--locked", "--target", target]
            + ["--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}|{l}"],
            cwd=root, check=True, capture_output=True, text=True,
        ).stdout
        for line in filter(None, tree.splitlines()):
            crate, _, licence = line.partition("|")
            name, version = crate.split()[:2]
            found.add(Package(name, version.removeprefix("v"), licence.removesuffix(" (*)").strip()))
    return found


def alternatives(expression: str) -> list[set[str]]:
    """The ways to satisfy an SPDX expression, each the set of licences that it needs together.

    >>> [sorted(way) for way in alternatives("MIT OR (ISC AND Zlib)")]
    [['MIT'], ['ISC', 'Zlib']]
    """
    # Before SPDX expressions, crates wrote "MIT/Apache-2.0" for a choice.
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def peek() -> str | None:
        return words[position] if position < len(words) else None

    def take() -> str:
        nonlocal position
        if position == len(words):
            raise ValueError(f"the licence expression ends too early: {expression!r}")
        position += 1
        return words[position - 1]

    def either() -> list[set[str]]:
        ways = both()
        while peek() == "OR":
            take()
            ways = ways + both()
        return ways

    def both() -> list[set[str]]:
        ways = one()
        while peek() == "AND":
            take()
            ways = [left | right for right in one() for left in ways]
        return ways

    def one() -> list[set[str]]:
        word = take()
        if word == "(":
            inner = either()
            if take() != ")":
                raise ValueError(f"a bracket is missing: {expression!r}")
            return inner
        if word in (")", "OR", "AND", "WITH"):
            raise ValueError(f"a licence is missing before {word!r}: {expression!r}")
        if peek() == "WITH":
            take()
            word = f"{word} WITH {take()}"
        return [{word}]

    ways = either()
    if peek() is not None:
        raise ValueError(f"can't read {peek()!r}: {expression!r}")
    return ways


def licence_faults(packages: set[Package], rules: dict) -> list[str]:
    """One sentence for each crate whose licence isn't allowed, and for each rule nobody needs."""
    allowed = set(rules["allow"])
    exceptions = {entry["crate"]: set(entry["allow"]) for entry in rules.get("exceptions", [])}
    used: set[str] = set()
    faults = []
    for package in sorted(packages):
        own = allowed | exceptions.get(package.name, set())
        try:
            ways = alternatives(package.licence)
        except ValueError as error:
            faults.append(f"{package.name} {package.version}: {error}")
            continue
        # A licence counts as used if any way open to us names it, so that the list may hold
        # both halves of "MIT OR Apache-2.0".
        open_ways = [way for way in ways if way <= own]
        used.update(*open_ways)
        if not open_ways:
            faults.append(f"{package.name} {package.version}: licence not allowed: {package.licence}")
    faults += [f"deny.toml allows {name}, which no crate has" for name in sorted(allowed - used)]
    names = {package.name for package in packages}
    faults += [f"deny.toml makes an exception for {name}, which isn't there" for name in exceptions if name not in names]
    return faults


def duplicate_faults(packages: set[Package], rules: dict) -> list[str]:
    """One sentence for each crate present in several versions, and for each skip nobody needs."""
    versions = defaultdict(set)
    for package in packages:
        versions[package.name].add(package.version)
    skipped = {entry["crate"] for entry in rules.get("skip", [])}
    faults, used = [], set()
    for name, all_of_it in sorted(versions.items()):
        listed = {version for version in all_of_it if f"{name}@{version}" in skipped}
        if len(all_of_it) > 1:
            used |= {f"{name}@{version}" for version in listed}
        if len(all_of_it - listed) > 1:
            faults.append(f"{name} is there in several versions: {', '.join(sorted(all_of_it))}")
    faults += [f"deny.toml skips {crate}, which is no duplicate" for crate in sorted(skipped - used)]
    return faults


def source_faults(lock: dict, rules: dict) -> list[str]:
    """One sentence for each locked crate that comes neither from here nor from an allowed registry."""
    allowed = {f"registry+{url}" for url in rules["allow-registry"]}
    return [
        f"{package['name']} {package['version']} comes from {package['source']}"
        for package in lock["package"]
        if "source" in package and package["source"] not in allowed
    ]


def all_faults(root: Path) -> list[str]:
    """Everything deny.toml objects to in the workspace at `root`."""
    rules = tomllib.loads((root / "deny.toml").read_text())
    packages = read_tree(root, rules["graph"]["targets"])
    lock = tomllib.loads((root / "Cargo.lock").read_text())
    return (
        licence_faults(packages, rules["licenses"])
        + duplicate_faults(packages, rules["bans"])
        + source_faults(lock, rules["sources"])
    )
