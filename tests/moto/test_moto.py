"""The whole way against an AWS that nobody here wrote: moto's Step Functions, DynamoDB, SQS and SES behind `serve`. The
machine sends its token to a queue, this test posts it to the API, Bob answers on the page, the execution goes on."""

import json
import time

import pytest

from demo import answer, fetch
from serve import Serve, create_table
from waiting import ask, ended


@pytest.fixture(scope="module")
def serve(aws, client, tmp_path_factory):
    create_table(client("dynamodb"), "countersign")
    with Serve(tmp_path_factory.mktemp("serve"), aws, "countersign") as running:
        yield running


def test_an_approval_reaches_the_execution(serve, aws, client, start):
    execution, token = start(300)
    request, link = ask(serve, aws, execution, token, "Approve release one")
    assert answer(link, "approve").status == 200
    described = ended(client, execution)
    assert described["status"] == "SUCCEEDED"
    output = json.loads(described["output"])
    assert (output["requestId"], output["approved"]) == (request, True)
    assert serve.show(request)["callback"]["state"] == "delivered"


def test_a_rejection_is_caught_by_its_name(serve, aws, client, start):
    execution, token = start(300)
    request, link = ask(serve, aws, execution, token, "Approve release two")
    assert answer(link, "reject", "Not yet.").status == 200
    described = ended(client, execution)
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"])["Error"] == "Approval.Rejected"
    assert serve.show(request)["status"] == "rejected"


def test_a_workflow_that_timed_out_closes_its_request(serve, aws, client, start):
    execution, token = start(3)
    request, link = ask(serve, aws, execution, token, "Approve release three")
    assert ended(client, execution)["status"] in ("TIMED_OUT", "FAILED")
    # A page that was opened just now asks again after ten seconds.
    time.sleep(0.1)
    page = fetch(link)
    assert "csrf" not in page.text, page.text
    assert serve.show(request)["status"] == "orphaned"
