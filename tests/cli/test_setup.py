"""`countersign setup`, `doctor` and `serve` one after the other in the account of a `countersign local`, as somebody tries
them on a laptop."""

import re
import shlex
import subprocess

import pytest
from demo import BINARY, BOB, PATIENCE, answer, wait_until
from local import Local, save
from serve import environment, free_port

ASK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {
        "QueueUrl": "http://localhost/123456789012/countersign-requests",
        "MessageBody": {"taskToken.$": "$$.Task.Token", "title": "Approve document 1", "signers": [{"name": "Bob", "email": BOB}]},
    },
    "TimeoutSeconds": 600,
    "End": True,
}


@pytest.fixture
def local(tmp_path):
    folder = tmp_path / "workflows"
    folder.mkdir()
    save(folder, "ask", {"StartAt": "Ask", "States": {"Ask": ASK}})
    with Local(folder, "--data", str(tmp_path / "data")).ready() as local:
        yield local


def test_setup_makes_what_serve_needs(local, tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    variables = environment(**local.variables | {"COUNTERSIGN_LISTEN": f"127.0.0.1:{port}"})
    variables = {name: text for name, text in variables.items() if name not in ("COUNTERSIGN_URL", "COUNTERSIGN_API_KEY")}

    def run(place: str, *arguments: str) -> subprocess.CompletedProcess:
        (tmp_path / place).mkdir(exist_ok=True)
        return subprocess.run(
            [BINARY, *arguments], cwd=tmp_path / place, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE, env=variables,
        )

    asked = ("setup", "--public-url", url, "--organisation", "Example Ltd", "--mail-from", "ada@example.com", "--queue", "--yes")
    made = run("here", *asked)
    assert made.returncode == 0, made.stdout + made.stderr
    # It is verified at once, so nobody has to open a link.
    assert "table countersign, with its indexes" in made.stdout and "Open the link" not in made.stdout, made.stdout
    commands = [shlex.split(line) for line in re.findall(r"(?m)^ +(aws events .*)$", made.stdout)]
    assert [command[2] for command in commands] == ["put-rule", "put-targets"], made.stdout
    lead_mail_events(local, *commands)
    assert "Nothing is missing." in run("here", *asked).stdout

    process = subprocess.Popen([BINARY, "serve"], cwd=tmp_path / "here", env=variables, stdout=subprocess.DEVNULL)
    try:
        wait_until("the doctor has no complaint but of DKIM", lambda: complaints(run("here", "doctor")) == ["DKIM"])
        execution = local.start("ask")
        link = local.link_about("1")
        assert link.startswith(url), "local's own service took it"
        said = run("here", "doctor").stdout
        assert re.search(r"ok +keys +open the newest of the requests that wait \(1 tried\)", said), said

        # Elsewhere, without the keys: neither is a second pair of keys made for what is there, nor can one be used.
        refused = run("elsewhere", *asked)
        assert (refused.returncode, "holds requests already" in refused.stderr) == (1, True), refused
        assert list((tmp_path / "elsewhere").iterdir()) == []
        wrong_key = (tmp_path / "here/countersign.toml").read_text().replace("master.key", "other.key")
        (tmp_path / "elsewhere/countersign.toml").write_text(wrong_key)
        (tmp_path / "elsewhere/other.key").write_text("09" * 32)
        (tmp_path / "elsewhere/evidence.key").write_text("08" * 32)
        assert "keys" in complaints(run("elsewhere", "doctor"))

        assert answer(link, "approve").status == 200
        assert local.ended(execution)["status"] == "SUCCEEDED"
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def complaints(doctor: subprocess.CompletedProcess) -> list[str]:
    return re.findall(r"(?m)^(?:wrong|warning) +(\S+)", doctor.stdout)


def lead_mail_events(local: Local, rule: list[str], targets: list[str]):
    """Does what `setup` leaves to a person, as it words it for the AWS CLI."""
    option = {name: text for command in (rule, targets) for name, text in zip(command[3::2], command[4::2], strict=True)}
    events = local.client("events")
    assert option["--name"] == option["--rule"]
    events.put_rule(Name=option["--name"], EventPattern=option["--event-pattern"])
    target = dict(pair.split("=", 1) for pair in option["--targets"].split(","))
    assert events.put_targets(Rule=option["--rule"], Targets=[target])["FailedEntryCount"] == 0
