"""Finds what belongs to one machine or one person and not into a public repository: secrets, paths
and hosts of the place where the code was written."""

import os
import re
import socket
import subprocess
from pathlib import Path

# Each pattern is written so that it doesn't find itself: this file is searched as well.
SECRETS = {
    "an AWS access key": r"\b(?:AKI[A]|ASI[A])(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY[-]----",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat[_][A-Za-z0-9_]{20,})",
    "a Slack token": r"\bxox[bapr]-[A-Za-z0-9-]{10,}",
}
PLACES = {
    "a home directory": r"(?<![\w.])/(?:hom[e]|User[s])/[a-z][\w.-]*/",
    "a build machine's path": r"(?<![\w.$}])/(?:wor[k]|build[s])/\w",
    "an address inside a private network": r"https?://(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+",
    "a host inside a company": r"https?://[\w.-]+\.(?:interna[l]|cor[p]|la[n]|intrane[t])\b",
    "a package mirror": r"(?:index-url|extra-index-ur[l]|find-link[s])\s*[ =:]",
}


def of_this_machine(root: Path) -> dict[str, str]:
    """Patterns for what only this machine has: its name, this checkout's path, its package mirrors."""
    patterns = {"the path of this checkout": re.escape(str(root)) + r"(?![\w-])"}
    host = socket.gethostname()
    # A name such as "build" or "debian" would find ordinary words.
    if len(host) >= 8 and re.search(r"\d", host):
        patterns["the name of this machine"] = rf"\b{re.escape(host)}\b"
    settings = "\n".join(f"{name}={value}" for name, value in os.environ.items())
    for file in (".cargo/config.toml", ".cargo/config", ".pip/pip.conf", ".config/pip/pip.conf", ".npmrc"):
        path = Path.home() / file
        settings += path.read_text() if path.is_file() else ""
    public = {"localhost", "github.com", "crates.io"}
    for found in set(re.findall(r"https?://(?:[^/@\s\"']*@)?([A-Za-z0-9][\w.-]+)", settings)):
        if found not in public and not found.startswith("127."):
            patterns.setdefault("a host from this machine's settings", re.escape(found))
            patterns["a host from this machine's settings"] += "|" + re.escape(found)
    return patterns


def faults(name: str, text: str, patterns: dict[str, str]) -> list[str]:
    """One line `name:line: what` for each thing in `text` that is private."""
    return [
        f"{name}:{number}: {what}"
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in patterns.items()
        if re.search(pattern, line)
    ]


def tracked_files(root: Path) -> list[Path]:
    """What git has, or would have after `git add .`."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    return [root / name for name in names if name and (root / name).is_file()]


def messages(root: Path) -> str:
    """All commit messages."""
    return subprocess.run(["git", "log", "--format=%B"], cwd=root, check=True, capture_output=True, text=True).stdout


def faults_in_messages(root: Path) -> list[str]:
    """Everything private in the history's messages, each as the line that holds it."""
    patterns = SECRETS | PLACES | of_this_machine(root)
    lines = messages(root).splitlines()
    return sorted({lines[int(fault.split(":")[1]) - 1] for fault in faults("messages", "\n".join(lines), patterns)})


def faults_in_files(root: Path) -> list[str]:
    """Everything private in the files."""
    patterns = SECRETS | PLACES | of_this_machine(root)
    return [
        fault
        for file in tracked_files(root)
        for fault in faults(str(file.relative_to(root)), file.read_text(errors="replace"), patterns)
    ]
