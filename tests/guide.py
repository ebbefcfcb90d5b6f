"""docs/GUIDE.md as something that can be run: its fenced blocks in order, in a scratch folder, as a reader would.

A block of `sh` is run. Any other is a file that the text before it says to save, or stands after `<!-- answers -->` and
is what the block before printed. `<!-- in the background -->` stands before a command that goes on. Every other comment
says what somebody else does at that point; the test that runs the chapter knows how."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from demo import BINARY, PATIENCE, wait_until
from serve import environment

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs/GUIDE.md"
# The request id that stands in the guide.
SAMPLE_ID = "req_k3v7q2m5x4n6p2r7t2w3y4z5aq"
ANSWERS, BACKGROUND = "answers", "in the background"


class Step(NamedTuple):
    """Something to do: `kind` is a block's language, or `comment`."""

    kind: str
    text: str
    file: str | None = None


def chapters() -> dict[str, list[Step]]:
    """The steps of each chapter, by its heading."""
    found: dict[str, list[Step]] = {}
    for part in re.split(r"(?m)^## ", GUIDE.read_text())[1:]:
        heading, _, text = part.partition("\n")
        steps, prose = found.setdefault(heading, []), ""
        for match in re.finditer(r"(?m)^<!-- (?P<comment>.+) -->$|^```(?P<kind>\w+)\n(?P<block>(?s:.*?))^```$|^(?P<prose>.*)$", text):
            if match["comment"]:
                steps.append(Step("comment", match["comment"]))
            elif match["kind"]:
                saved = re.findall(r"[Ss]ave (?:it )?as\s`([^`]+)`", prose)
                steps.append(Step(match["kind"], match["block"], saved[-1] if saved else None))
                prose = ""
            else:
                prose += match["prose"] + "\n"
    return found


def values(text: str) -> list:
    """All JSON values in what was printed."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while True:
        at = next((i for i in range(at, len(text)) if text[i] in "[{"), None)
        if at is None:
            return found
        value, at = decoder.raw_decode(text, at)
        found.append(value)


def plain(text: str) -> str:
    """With what differs each time made the same."""
    text = re.sub(r"\breq_[a-z2-7]{26}\b", "req_…", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", "(time)", text)
    return re.sub(r"\bsha256:(?:[0-9a-f]{64}|…)", "sha256:…", text)


class Reader:
    """Somebody with a terminal who follows the guide. `others` says what to do at a comment, by its text; `instead` what
    to put in place of addresses and ids that differ here, `is_up` whether what was started in the background is there.
    Use as a context manager: what was left running is killed."""

    def __init__(self, folder: Path, others: dict, instead: dict[str, str], tools: list[Path], is_up=None, **variables: str):
        self.folder, self.others, self.instead, self.is_up = folder, others, dict(instead), is_up
        self.printed, self.answer = "", None
        self.running: list[subprocess.Popen] = []
        (folder / "infra").symlink_to(ROOT / "infra")
        path = os.pathsep.join(str(tool) for tool in [folder / "bin", *tools])
        self.variables = environment(**variables) | {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "AWS_PAGER": ""}
        self._commands()

    def _commands(self):
        """`cargo` as the guide uses it, and `countersign` on ports that are free."""
        program = self.folder / "countersign.sh"
        ports = " ".join(f"{option} {port}" for option, port in [("--port", "$PAGES"), ("--aws-port", "$AWS")])
        program.write_text(
            f'#!/bin/sh\ncase "$1" in demo|local) command=$1; shift; set -- "$command" {ports} "$@";; esac\nexec {BINARY} "$@"\n'
        )
        cargo = self.folder / "bin/cargo"
        cargo.parent.mkdir()
        cargo.write_text(
            '#!/bin/sh\ncase "$*" in\n'
            '"run --release -- "*) shift 3; exec ./countersign.sh "$@";;\n'
            '"build --release") mkdir -p target/release; ln -sf ../../countersign.sh target/release/countersign;;\n'
            '*) echo "no such cargo: $*" >&2; exit 2;;\nesac\n'
        )
        for script in (program, cargo):
            script.chmod(0o755)

    def put_on_path(self):
        """As an earlier chapter did."""
        (self.folder / "bin/countersign").symlink_to("../countersign.sh")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.kill()
            process.wait(PATIENCE)

    def follow(self, *headings: str):
        """Does what these chapters say, and holds them to it."""
        awaited = None
        for heading in headings:
            for step in chapters()[heading]:
                if step.kind == "comment":
                    awaited = step.text if step.text in (ANSWERS, BACKGROUND) else self.others[step.text](self)
                    continue
                text = step.text
                for there, here in self.instead.items():
                    text = text.replace(there, here)
                if step.kind == "sh" and awaited == BACKGROUND:
                    self.start(text)
                elif step.kind == "sh":
                    self.run(text)
                elif step.file:
                    (self.folder / step.file).write_text(text)
                elif awaited == ANSWERS:
                    self.compare(step.kind, text)
                else:
                    raise AssertionError(f"nobody knows what this block is for:\n{text}")
                awaited = None

    def run(self, text: str):
        """Runs a block as the lines of one terminal: what was set before is still set."""
        script = f"set -aeu -o pipefail\n[ ! -e .variables ] || . ./.variables\n{text}\ndeclare -px > .variables\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.variables, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=4 * PATIENCE,
        )
        assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        self.printed = done.stdout

    def start(self, text: str):
        """Starts what goes on; a reader sees that it is up before they go on themselves."""
        self.running.append(
            subprocess.Popen(
                ["bash", "-c", f". ./.variables\nexec {text}"], cwd=self.folder, env=self.variables,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )
        wait_until(f"{text.strip()} is up", self.is_up)

    def compare(self, kind: str, promised: str):
        """What was printed is what the guide says."""
        if kind == "json":
            self.answer = values(self.printed)[-1]
            given = json.dumps(self.answer, indent=1, sort_keys=True, ensure_ascii=False)
            promised = json.dumps(json.loads(promised), indent=1, sort_keys=True, ensure_ascii=False)
        else:
            given = self.printed
        assert plain(given).strip() == plain(promised).strip()

    def variable(self, name: str) -> str:
        """What a variable of the terminal holds."""
        script = f'. ./.variables; printf %s "${name}"'
        return subprocess.run(["bash", "-c", script], cwd=self.folder, capture_output=True, text=True, check=True).stdout

    def set(self, name: str, text: str):
        self.variables[name] = text
        with (self.folder / ".variables").open("a") as file:
            file.write(f"declare -x {name}='{text}'\n")
