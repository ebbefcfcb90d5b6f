"""infra/template.yaml: cfn-lint has nothing to say, moto's CloudFormation makes it, and `serve` works on its table."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from demo import answer
from serve import Serve, new_key
from template import ROOT, TEMPLATE
from waiting import ask, ended, run_machines

PARAMETERS = {"MailFrom": "countersign@example.com"}


def make_stack(client, name: str, **parameters: str) -> dict[str, str]:
    """Makes the stack; gives its outputs."""
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": text} for key, text in (PARAMETERS | parameters).items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


@pytest.fixture(scope="module")
def serve(aws, client, tmp_path_factory):
    """`serve` on the table that the template makes."""
    made = make_stack(client, "alone", Name="made-by-template", StartableStateMachines="orders-*")
    assert "StartPolicyArn" in made
    with Serve(tmp_path_factory.mktemp("serve"), aws, made["TableName"]) as running:
        yield running


def test_cfn_lint_has_nothing_to_say():
    # With its informational rules too, but for I3042: the sample's definition, which is the file's word for word, names
    # AWS's common partition.
    command = ["cfn-lint", "--include-checks", "I", "--ignore-checks", "I3042", "--format", "parseable", "--", TEMPLATE]
    command[0] = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_an_approval_goes_through_on_the_table_that_the_template_makes(serve, aws, client, start):
    execution, token = start(300)
    request, link = ask(serve, aws, execution, token, "Approve release one")
    assert [listed["requestId"] for listed in listing(serve)] == [request]
    assert answer(link, "approve").status == 200
    described = ended(client, execution)
    assert described["status"] == "SUCCEEDED"
    output = json.loads(described["output"])
    assert (output["requestId"], output["approved"]) == (request, True)
    assert listing(serve) == []
    assert serve.show(request)["callback"]["state"] == "delivered"


def listing(serve) -> list[dict]:
    return json.loads(serve.run("pending", "--json").stdout)["requests"]


def test_its_table_is_the_one_that_the_program_makes(serve, client, demo):
    ours = client("dynamodb").describe_table(TableName="made-by-template")["Table"]
    theirs = demo.client("dynamodb").describe_table(TableName="countersign")["Table"]

    def shape(table: dict) -> tuple:
        attributes = sorted((it["AttributeName"], it["AttributeType"]) for it in table["AttributeDefinitions"])
        indexes = sorted(
            (it["IndexName"], str(it["KeySchema"]), it["Projection"]["ProjectionType"])
            for it in table["GlobalSecondaryIndexes"]
        )
        return attributes, table["KeySchema"], indexes, table["BillingModeSummary"]["BillingMode"]

    assert shape(ours) == shape(theirs)
    # moto passes a parameter on as text.
    assert str(ours["DeletionProtectionEnabled"]).lower() == "true"


@pytest.fixture(scope="module")
def functions(serve, client):
    """infra/functions/over_http.py as Lambda would load it, once for each function; its keys in Secrets Manager."""
    secrets = client("secretsmanager")
    loaded = {}
    for name, key in [("countersign", serve.key), ("countersign-operations", serve.key)]:
        secrets.create_secret(Name=name, SecretString=key)
        spec = importlib.util.spec_from_file_location(name.replace("-", "_"), ROOT / "infra/functions/over_http.py")
        loaded[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    return loaded


@pytest.fixture
def invoke(functions, serve, aws, monkeypatch):
    def invoke(name: str, event, url: str = serve.url):
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        monkeypatch.setenv("PUBLIC_URL", url)
        monkeypatch.setenv("API_KEY_SECRET", name)
        monkeypatch.setenv("COUNTERSIGN_OPERATIONS", "on" if name == "countersign-operations" else "")
        return functions[name].handler(event, None)

    return invoke


def request_of(token: str, **more) -> dict:
    return {"taskToken": token, "title": "Approve it", "signers": [{"name": "Bob", "email": "bob@example.com"}]} | more


def refused(invoke, *arguments, **more) -> tuple[str, str]:
    """The error as Lambda reports it: the class's name, and the text."""
    with pytest.raises(Exception) as raised:
        invoke(*arguments, **more)
    return raised.type.__name__, str(raised.value)


def test_the_function_asks_once_however_often_it_is_invoked(invoke, serve, start):
    _, token = start(300)
    opened = invoke("countersign", request_of(token))
    assert opened["status"] == "pending"
    assert invoke("countersign", request_of(token, action="open")) == opened
    assert serve.show(opened["requestId"])["title"] == "Approve it"


def test_the_function_says_what_is_wrong_by_the_names_that_retry_and_catch_see(invoke):
    name, said = refused(invoke, "countersign", request_of("t", signers=[]))
    assert (name, "signers: must name at least one person" in said) == ("Approval.InvalidRequest", True), said
    assert refused(invoke, "countersign", ["not an object"])[0] == "Approval.InvalidRequest"
    name, said = refused(invoke, "countersign", request_of("t"), url="http://127.0.0.1:1")
    assert (name, "can't be reached" in said) == ("Approval.Unavailable", True), said


def test_a_key_that_was_changed_is_read_anew(invoke, functions):
    functions["countersign"].known_key = new_key("requests:write")[0]
    name, said = refused(invoke, "countersign", request_of("other"))
    assert (name, "401" in said) == ("Approval.Unavailable", True), said
    assert invoke("countersign", request_of("other"))["status"] == "pending"


def test_asking_is_not_answering(invoke, start):
    _, token = start(300)
    opened = invoke("countersign", request_of(token))
    for action in ("complete", "cancel"):
        name, said = refused(invoke, "countersign", {"action": action, "requestId": opened["requestId"]})
        assert (name, "not allowed here" in said) == ("Approval.InvalidRequest", True), said


def test_the_operations_function_completes_and_withdraws(invoke, client, start):
    execution, token = start(300)
    opened = invoke("countersign", request_of(token, externalId="contract-7"))
    done = invoke("countersign-operations", {"action": "complete", "documentId": "contract-7", "comment": "By telephone."})
    assert done == {"requestId": opened["requestId"], "status": "approved", "callback": "delivered"}
    assert ended(client, execution)["status"] == "SUCCEEDED"
    again = {"action": "cancel", "requestId": opened["requestId"]}
    assert refused(invoke, "countersign-operations", again) == ("Approval.InvalidRequest", f"{opened['requestId']} is approved already")


def test_a_document_must_name_one_pending_request(invoke):
    assert refused(invoke, "countersign-operations", {"action": "complete", "documentId": 8})[1] == "no pending request matches"
    opened = [invoke("countersign", request_of(f"twice-{n}", externalId="8"))["requestId"] for n in range(2)]
    name, said = refused(invoke, "countersign-operations", {"action": "complete", "documentId": 8})
    assert name == "Approval.InvalidRequest" and all(request in said for request in opened), said
    both = {"action": "complete", "documentId": 8, "requestId": opened[0]}
    assert "one of them" in refused(invoke, "countersign-operations", both)[1]
    assert "one of them" in refused(invoke, "countersign-operations", {"action": "complete"})[1]
    for request in opened:
        invoke("countersign-operations", {"action": "cancel", "requestId": request, "reason": "Asked twice."})


def test_with_an_address_and_keys_there_are_functions_and_the_sample(aws, client):
    """The last one: moto's SES is of no use once there is a function."""
    secrets = [client("secretsmanager").create_secret(Name=name, SecretString="x")["ARN"] for name in ("ask", "operate")]
    made = make_stack(
        client, "whole", Name="whole", PublicUrl="https://sign.example.com", ApiKeySecretArn=secrets[0], OperationsKeySecretArn=secrets[1]
    )
    names = [it["FunctionName"] for it in client("lambda").list_functions()["Functions"]]
    assert sorted(names) == ["whole", "whole-operations", "whole-sign-document"]
    run_machines(aws, False)
    machine = client("stepfunctions").describe_state_machine(stateMachineArn=made["DocumentSigningArn"])
    # Every placeholder was filled in, and what came out is a machine.
    definition = json.loads(machine["definition"])
    assert definition["TimeoutSeconds"] == 259200
    bob = definition["States"]["Signatures"]["Branches"][1]["States"]["Bob"]
    assert bob["Parameters"]["FunctionName"] == made["CountersignFunctionArn"]
    # Inline policies are made; that managed ones are attached, moto doesn't show.
    role = machine["roleArn"].rpartition("/")[2]
    run = client("iam").get_role_policy(RoleName=role, PolicyName="run")["PolicyDocument"]
    assert ":function:whole-sign-document" in str(run)
