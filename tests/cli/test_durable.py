"""The durable function of infra/workflows/durable-approval/, run by the server of AWS's own testing SDK. Its code is a
function of `countersign local`, which asks Bob, and whose calls about the callback reach the runner."""

import json
import shutil

import pytest
from demo import answer, fetch, wait_until
from durable import SAMPLE, Runner, path_with_tools
from local import Local
from serve import free_port


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """`countersign local` over a copy of the sample, and the runner beside it."""
    folder = shutil.copytree(SAMPLE, tmp_path_factory.mktemp("durable") / "sample")
    port = free_port()
    config = folder / "countersign.toml"
    config.write_text(config.read_text().replace("http://127.0.0.1:5000", f"http://127.0.0.1:{port}"))
    with Local(folder, PATH=path_with_tools()) as running:
        running.ready()
        with Runner(port, running.aws) as runner:
            running.runner = runner
            yield running


def test_an_approval_lets_the_function_go_on(local):
    execution = local.runner.start("approved", {"documentId": "31"})
    answer(local.link_about("31"), "approve")
    result = local.runner.result(execution)
    assert result["published"] and result["receipt"] == "31 published"
    assert result["signature"] == "Bob signed document 31" and result["requestId"].startswith("req_")
    events = local.runner.events(execution)
    assert events.count("CallbackStarted") == events.count("CallbackSucceeded") == 1


def test_a_rejection_reaches_it_with_its_reason(local):
    execution = local.runner.start("rejected", {"documentId": "32"})
    answer(local.link_about("32"), "reject", "Not on a Friday")
    result = local.runner.result(execution)
    assert (result["published"], result["status"]) == (False, "rejected")
    assert result["because"].endswith("Rejected by Bob: Not on a Friday")
    assert "CallbackFailed" in local.runner.events(execution)


def test_a_deadline_that_passes_reaches_it_too(local):
    execution = local.runner.start("expired", {"documentId": "33", "timeoutSeconds": 5})
    local.link_about("33")
    result = local.runner.result(execution)
    assert (result["published"], result["status"]) == (False, "expired")
    assert "Not answered in time by Bob" in result["because"]


def test_bob_reads_that_it_is_too_late_when_the_function_no_longer_waits(local):
    execution = local.runner.start("timed-out", {"documentId": "34", "callbackTimeoutSeconds": 4})
    link = local.link_about("34")
    ended = local.runner.ended(execution)
    assert ended["Status"] == "FAILED", ended
    assert "imed out" in json.dumps(ended["Error"]), ended
    wait_until("the page says that it is too late", lambda: "too late" in fetch(link).text)
