"""tests/run itself: what fails in a stage fails the run, and is counted and shown."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A crate of its own with a copy of tests/run."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "tests").mkdir()
    (folder / "src").mkdir()
    shutil.copy(ROOT / "tests/run", folder / "tests/run")
    (folder / "Cargo.toml").write_text('[package]\nname = "planted"\nversion = "0.1.0"\nedition = "2024"\n')
    (folder / "Cargo.lock").write_text('version = 4\n\n[[package]]\nname = "planted"\nversion = "0.1.0"\n')
    return folder


def run(project: Path, source: str, *stages: str) -> tuple[int, str]:
    """The exit status, and what was printed, of tests/run over a crate of this one source file."""
    (project / "src/lib.rs").write_text(source)
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    done = subprocess.run(["tests/run", *stages], cwd=project, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


FINE = "/// Adds.\npub fn add(a: u8, b: u8) -> u8 {\n    a + b\n}\n"
TESTED = FINE + "\n#[test]\nfn adds() {\n    assert_eq!(add(1, 2), 3);\n}\n"
FAILING = TESTED + "\n#[test]\nfn planted_fault() {\n    assert_eq!(add(1, 2), 4);\n}\n"


@pytest.mark.parametrize(
    ("source", "stage", "status", "closing", "shown"),
    [
        (FINE, "format", 0, "1 passed, 0 failed", "1 passed"),
        (FINE.replace("    a", "a"), "format", 1, "0 passed, 1 failed", "src/lib.rs"),
        (FINE, "clippy", 0, "1 passed, 0 failed", "1 passed"),
        (FINE.replace("a + b", "return a + b;"), "clippy", 1, "0 passed, 1 failed", "needless_return"),
        (FINE.replace("a + b", "a + c"), "build", 1, "0 passed, 1 failed", "cannot find value"),
        (TESTED, "rust", 0, "1 passed, 0 failed", "1 passed"),
        (FAILING, "rust", 1, "1 passed, 1 failed", "planted_fault"),
        (TESTED + "\n#[test]\n#[ignore]\nfn left() {}\n", "rust", 0, "1 passed, 0 failed, 1 skipped", "1 skipped"),
        # A stage that finds nothing to run has not passed.
        (FINE, "rust", 1, "0 passed, 1 failed", "FAILED"),
    ],
)
def test_stages_are_counted_and_faults_shown(project, source, stage, status, closing, shown):
    found, printed = run(project, source, stage)
    assert (found, printed.splitlines()[-1]) == (status, closing), printed
    assert shown in printed


def test_an_unknown_stage_is_refused(project):
    status, printed = run(project, FINE, "browsre")
    assert status == 2
    assert "browsre" in printed
