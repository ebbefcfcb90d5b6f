"""`countersign lint` and `countersign new approval` as programs: exit statuses, files, folders, standard input, JSON."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from demo import BINARY, PATIENCE

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / "infra/workflows"
SHAPES = ROOT / "tests/it/lint"


def run(*arguments, given: str = "", folder: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BINARY, *map(str, arguments)], input=given, capture_output=True, text=True, timeout=PATIENCE, cwd=folder, env={}
    )


def approval(*arguments) -> subprocess.CompletedProcess:
    return run("new", "approval", "--signer", "Bob <bob@example.com>", *arguments)


def found(*arguments, **options) -> list[tuple[str, int, int, str]]:
    done = run("lint", "--json", *arguments, **options)
    return [(Path(f["file"]).name, f["line"], f["column"], f["rule"]) for f in json.loads(done.stdout)["findings"]]


def test_advice_alone_is_no_failure():
    done = run("lint", WORKFLOWS)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"(?m) in \d+ files?$", done.stdout.strip())


def test_errors_and_warnings_are():
    for name, line, rule in [("sqs", 5, "no-timeout"), ("forgotten", 11, "no-token")]:
        file = SHAPES / f"{name}.asl.json"
        done = run("lint", file)
        assert (done.returncode, done.stderr) == (1, "")
        assert re.match(rf"{re.escape(str(file))}:{line}:\d+ (error|warning) {rule} in ", done.stdout)
        assert run("lint", "--allow", rule, file).returncode == 0


def test_as_json():
    done = run("lint", "--json", SHAPES / "forgotten.asl.json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    (finding,) = answer.pop("findings")
    assert answer == {"files": 1, "errors": 1, "warnings": 0, "advice": 0}
    assert finding["file"].endswith("forgotten.asl.json")
    assert (finding["line"], finding["column"], finding["rule"], finding["severity"]) == (11, 9, "no-token", "error")
    assert finding["state"] == "Send"
    assert finding["message"].endswith(".")
    assert "$$.Task.Token" in finding["help"]


def test_a_folder_and_standard_input():
    folder = found(SHAPES)
    assert {name for name, *_ in folder} >= {"sqs.asl.json", "nested.asl.json", "heartbeat.asl.json"}
    text = (SHAPES / "sqs.asl.json").read_text()
    assert found("-", given=text) == [("standard input", 5, 5, "no-timeout")]
    assert found("-", given=text[:-3]) == [("standard input", 1, 1, "json")]


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "latin.asl.json").write_bytes(b'{"Comment": "\xfc"}')
    (tmp_path / "empty").mkdir()
    for path, why in [("none.asl.json", "No such file"), ("latin.asl.json", "not UTF-8"), ("empty", r"no \*.asl.json")]:
        done = run("lint", tmp_path / path, SHAPES / "sqs.asl.json")
        assert done.returncode == 2
        assert re.search(f"{path}.*{why}", done.stderr), done.stderr
        assert "no-timeout" in done.stdout, "the others are read all the same"
    assert run("lint", tmp_path / "none.asl.json").stdout == "", "nothing was looked at, so nothing is said of it"
    assert run("lint").returncode == 2
    done = run("lint", "--allow", "no-such-rule", WORKFLOWS)
    assert done.returncode == 2
    assert "retry-asks-again" in done.stderr, "the rules are named"


def test_the_type_stands_beside_the_workflows(tmp_path):
    name = "quick.asl.json"
    (tmp_path / name).write_text((SHAPES / "forgotten.asl.json").read_text())
    standard, express = [(name, 11, 9, "no-token")], [(name, 7, 7, "express"), (name, 11, 9, "no-token")]
    assert found(tmp_path) == standard
    assert found("--type", "express", tmp_path) == express
    configuration = tmp_path / "countersign.toml"
    configuration.write_text('[workflows.quick]\ntype = "EXPRESS"\n')
    assert found(tmp_path / name) == express
    assert found(name, folder=tmp_path) == express
    assert found("--type", "STANDARD", tmp_path) == standard
    for wrong, why in [('[workflows.quick]\ntype = "FAST"\n', "STANDARD or EXPRESS"), ("[workflows", "isn't TOML")]:
        configuration.write_text(wrong)
        done = run("lint", tmp_path)
        assert done.returncode == 2
        assert "countersign.toml" in done.stderr and why in done.stderr


def test_colour_only_in_a_terminal():
    file = SHAPES / "sqs.asl.json"
    assert "\x1b" not in run("lint", file).stdout
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen([BINARY, "lint", file], stdout=theirs, env={"TERM": "xterm"})
        os.close(theirs)
        shown = b""
        try:
            while part := terminal.read(65536):
                shown += part
        except OSError:  # how a terminal ends on Linux
            pass
        assert process.wait(PATIENCE) == 1
    assert b"\x1b[" in shown
    assert b"no-timeout" in shown


@pytest.mark.parametrize("language", [[], ["--jsonata"]])
@pytest.mark.parametrize("reject", ["fail", "catch"])
def test_in_what_it_writes_nothing_is_found(language, reject, tmp_path):
    file = tmp_path / "ask.asl.json"
    done = approval("--workflow", "--reject", reject, *language, "--out", file, "--timeout", "1d 12h")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run("lint", file).stdout == "Nothing found in 1 file\n"
    arguments = json.loads(file.read_text())["States"]["Ask for approval"]["Arguments" if language else "Parameters"]
    assert arguments["Payload"]["timeoutSeconds"] == 36 * 3600
    # The states alone, in somebody's machine.
    states = json.loads(approval("--reject", reject, *language, "--next", "Done").stdout)
    states["Done"] = {"Type": "Succeed"}
    machine = {"StartAt": "Ask for approval", "States": states}
    assert found("-", given=json.dumps(machine)) == []


def test_it_overwrites_nothing(tmp_path):
    file = tmp_path / "ask.asl.json"
    file.write_text("mine")
    done = approval("--out", file)
    assert done.returncode == 2
    assert "exists" in done.stderr
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--name", "n" * 81], "80 characters"),
        (["--name", ""], "80 characters"),
        (["--next", "a\nb"], "80 characters"),
        (["--title", "t" * 201], "title.*at most 200"),
        (["--signer", "bob@example.com"], "name"),
        (["--signer", "Bob <bob>"], "mail address"),
        (["--signer", "Bob <bob@example.com"], "end the address"),
        (["--signer", "B <BOB@example.com>"], "earlier signer"),
        (["--timeout", "soon"], "3d, 12h"),
        (["--timeout", "2y"], "no length"),
        (["--timeout", "-3d"], "negative"),
        (["--timeout", "5s"], "60 to"),
        (["--timeout", "365d"], "a year"),
        (["--via", "pigeon"], "lambda"),
        (["--reject", "shrug"], "fail, catch"),
        (["--workflow", "--next", "Done"], "cannot be used"),
    ],
)
def test_what_it_refuses(arguments, why):
    # With =, so that a value may begin with a hyphen.
    arguments = [f"{arguments[0]}={arguments[1]}", *arguments[2:]] if len(arguments) == 2 else arguments
    done = approval(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert re.search(why, done.stderr), done.stderr
