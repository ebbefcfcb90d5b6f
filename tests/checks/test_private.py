"""Nothing private is in the repository; and the check that says so can say no."""

from pathlib import Path

import pytest

from private import PLACES, SECRETS, faults, faults_in_files, faults_in_messages, of_this_machine, tracked_files

ROOT = Path(__file__).parents[2]


def test_no_file_holds_anything_private():
    assert faults_in_files(ROOT) == []


def test_no_commit_message_holds_anything_private():
    assert faults_in_messages(ROOT) == [], "reword these commits before anybody else gets them"


def test_it_looks_at_the_files_that_matter():
    names = {str(file.relative_to(ROOT)) for file in tracked_files(ROOT)}
    assert {"Cargo.toml", "Cargo.lock", "README.md", "tests/run", "src/main.rs"} <= names


# Put together here, so that this file itself passes.
@pytest.mark.parametrize(
    "planted",
    [
        "aws_access_key_id = AKIA" + "ABCDEFGHIJKLMNOP",
        "-----BEGIN EC PRIVATE KEY" + "-----",
        "token: ghp_" + "a" * 36,
        "xoxb-" + "1234567890-abc",
        "see /home" + "/somebody/notes",
        "cd /wor" + "k/somewhere",
        "http://10.1" + ".2.3:8080/simple",
        "https://packages.example.inter" + "nal/simple",
        "--extra-index-" + "url https://packages.example",
    ],
)
def test_planted_things_are_found(planted):
    assert len(faults("planted", f"fine\n{planted}\nfine", SECRETS | PLACES)) >= 1


def test_the_checkout_s_own_path_is_found():
    (fault,) = faults("notes", f"built in {ROOT}/target", {"path": of_this_machine(ROOT)["the path of this checkout"]})
    assert fault == "notes:1: path"


@pytest.mark.parametrize("fine", ["AKIAIOSFODNN7EXAMPLE", "http://127.0.0.1:8085/", "./work/it", "https://docs.aws.amazon.com/"])
def test_ordinary_lines_pass(fine):
    assert faults("fine", fine, SECRETS | PLACES) == []
