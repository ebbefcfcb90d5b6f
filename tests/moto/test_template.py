"""infra/template.yaml: cfn-lint has nothing to say, moto's CloudFormation makes, changes and deletes it, what moto lacks
(tests/moto/server.py) is as CloudFormation's schemas want it, and `serve` works on its table."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from jsonschema import Draft7Validator

from demo import BOB, answer, link_in, wait_until
from iam import REGION
from serve import Serve
from stack import Stack
from template import TEMPLATE
from waiting import ended, run_machines

PEOPLE = '[{"name": "Bob", "email": "bob@example.com"}]'
DOMAIN = {"Domain": "sign.example.com", "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/c"}
EVERYTHING = DOMAIN | {
    "Samples": "yes", "People": PEOPLE, "AlarmMail": "ops@example.com", "MailDomain": "example.com", "MailVdm": "yes",
    "StartableStateMachines": "orders-*", "StoppableStateMachines": "orders-*", "DurableFunctions": "legal-*",
    "ConfigParameter": "/countersign/config", "KeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
}
CONTAINERS = {
    "Service": "container", "PublicUrl": "https://sign.example.com", "Image": "example.com/countersign:1",
    "Activities": "legal-*", "StartableStateMachines": "orders-*", "StoppableStateMachines": "orders-*",
}


@pytest.fixture(scope="module")
def plain(aws, client, packaged):
    return Stack(aws, client, packaged, "plain")


@pytest.fixture(scope="module")
def whole(aws, client, packaged):
    zone = client("route53").create_hosted_zone(Name="example.com", CallerReference="any")["HostedZone"]["Id"]
    return Stack(aws, client, packaged, "whole", HostedZoneId=zone.rpartition("/")[2], **EVERYTHING)


@pytest.fixture(scope="module")
def contained(aws, client, packaged):
    return Stack(aws, client, packaged, "contained", **CONTAINERS)


def lint(path: Path, *ignored: str) -> str:
    # With its informational rules. I3042: two definitions, which are the files' word for word, name AWS's common partition.
    command = [Path(sys.executable).with_name("cfn-lint"), "--include-checks", "I", "--ignore-checks", "I3042", *ignored]
    done = subprocess.run([*command, "--format", "parseable", "--", path], capture_output=True, text=True)
    return done.stdout + done.stderr


def test_cfn_lint_has_nothing_to_say(packaged):
    # But that `package` has to see to paths, aliases and merges.
    assert lint(TEMPLATE, "W1100", "W1101", "W3002") == ""
    assert lint(packaged) == ""


def test_package_leaves_no_path_behind(packaged):
    assert not re.search(r"target/lambda|workflows/", packaged.read_text())
    assert len(packaged.read_bytes()) < 1_000_000, "more than CloudFormation takes from S3"


def fitting(schema: dict, root: dict, given):
    """As CloudFormation takes it: text for numbers and truth values, which moto leaves as it is."""
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    kinds = schema.get("type", [])
    if isinstance(given, str) and "boolean" in kinds and given in ("true", "false"):
        return given == "true"
    if isinstance(given, str) and ("number" in kinds or "integer" in kinds) and "string" not in kinds:
        return json.loads(given)
    if isinstance(given, dict):
        known = schema.get("properties", {})
        return {name: fitting(known.get(name, {}), root, it) for name, it in given.items()}
    if isinstance(given, list):
        return [fitting(schema.get("items", {}), root, it) for it in given]
    return given


def test_what_moto_lacks_is_as_the_schemas_want_it(plain, whole, contained, left_out):
    made = [it for it in left_out() if it["what"] == "made"]
    assert len({it["type"] for it in made}) >= 15
    for it in made:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, it["type"]).schema
        problems = list(Draft7Validator(schema).iter_errors(fitting(schema, schema, it["properties"])))
        assert not problems, f"{it['type']}: {[problem.message for problem in problems]} in {it['properties']}"


def test_every_placeholder_of_a_sample_is_filled_in(aws, whole, client, packaged):
    run_machines(aws, False)
    machines = {it["name"]: it["stateMachineArn"] for it in client("stepfunctions").list_state_machines()["stateMachines"]}
    resources = yaml.safe_load(packaged.read_text())["Resources"]
    for logical, physical in whole.resources.items():
        if resources.get(logical, {}).get("Type") != "AWS::StepFunctions::StateMachine":
            continue
        properties = resources[logical]["Properties"]
        if "DefinitionString" in properties:
            arn = machines[physical.rpartition(":")[2]]
            text = client("stepfunctions").describe_state_machine(stateMachineArn=arn)["definition"]
        else:
            # moto doesn't fetch these.
            place, given = properties["DefinitionS3Location"], properties["DefinitionSubstitutions"]
            text = client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"])["Body"].read().decode()
            json.loads(text)  # CloudFormation reads it before it fills it in
            assert set(re.findall(r"\$\{(\w+)\}", text)) == set(given), logical
            text = re.sub(r"\$\{\w+\}", "arn", text)
        assert "${" not in text and json.loads(text)["StartAt"], logical


def test_nothing_moves_when_it_is_deployed_again(whole, client, left_out):
    before, noted = whole.resources, len(left_out())
    zone = client("route53").list_hosted_zones()["HostedZones"][0]["Id"].rpartition("/")[2]
    whole.deploy(HostedZoneId=zone, **EVERYTHING)
    assert whole.resources == before
    assert {it["what"] for it in left_out()[noted:]} <= {"changed"}


def test_a_change_reaches_the_functions(aws, client, packaged):
    stack = Stack(aws, client, packaged, "changing", Samples="yes", People=PEOPLE)
    before = stack.variables()
    stack.deploy(Organisation="Another Ltd")
    assert stack.variables() == before | {"COUNTERSIGN_ORGANISATION": "Another Ltd"}
    # What was given at first stays.
    assert "DocumentSigningArn" in stack.outputs


def test_what_is_kept_outlives_the_stack(aws, client, packaged):
    stack = Stack(aws, client, packaged, "leaving", Samples="yes", People=PEOPLE)
    names = stack.resources
    key = client("secretsmanager").get_secret_value(SecretId=names["MasterKey"])["SecretString"]
    stack.delete()
    tables = client("dynamodb").list_tables()["TableNames"]
    assert {"leaving", "leaving-state-data"} <= set(tables)
    assert client("secretsmanager").get_secret_value(SecretId=names["MasterKey"])["SecretString"] == key
    assert client("secretsmanager").get_secret_value(SecretId=names["EvidenceKey"])["SecretString"] != key
    assert names["StateDataBucket"] in [it["Name"] for it in client("s3").list_buckets()["Buckets"]]
    gone = client("lambda").list_functions()["Functions"]
    assert not [it for it in gone if it["FunctionName"].startswith("leaving")]
    assert not [url for url in client("sqs").list_queues().get("QueueUrls", []) if "/leaving" in url]


def test_a_generated_key_is_32_bytes_in_hexadecimal(plain, client):
    for name in ("MasterKey", "EvidenceKey"):
        text = client("secretsmanager").get_secret_value(SecretId=plain.resources[name])["SecretString"]
        assert re.fullmatch(r"[0-9a-f]{64}", text)


def test_links_have_the_address_that_is_asked_for(plain, whole, contained):
    own = plain.variables()["COUNTERSIGN_PUBLIC_URL"]
    assert own == plain.outputs["PublicUrl"] and own.endswith(".execute-api.us-east-1.amazonaws.com")
    # With a signer's path, in the region with the longest name, a link has less than 120 characters.
    longest = own.replace("us-east-1", "ap-southeast-1")
    assert len(f"{longest}/s/") + 47 < 120
    for stack in (whole, contained):
        assert stack.variables()["COUNTERSIGN_PUBLIC_URL"] == stack.outputs["PublicUrl"] == "https://sign.example.com"


def test_both_functions_know_the_same(whole):
    asks, operates = whole.variables(), whole.variables("OperationsFunction")
    assert operates == asks | {"COUNTERSIGN_OPERATIONS": "on"}
    assert asks["COUNTERSIGN_CONFIG"] == "ssm:/countersign/config"


def test_without_an_address_alarms_tell_nobody(plain, whole, left_out):
    alarms = {it["name"]: it["properties"] for it in left_out() if it["type"] == "AWS::CloudWatch::Alarm"}
    assert alarms["plain-parked"]["AlarmActions"] == []
    assert alarms["whole-parked"]["AlarmActions"] == [f"arn:aws:sns:{REGION}:123456789012:whole-alarms"]


def test_a_lambda_deployment_has_no_container_and_the_other_way_round(plain, contained):
    here, there = plain.resources, contained.resources
    only_here = {"Http", "HttpStage", "Tick", "WakeQueue", "RequestsToFunction", "WakesToFunction"}
    only_there = {"ServiceRole", "Task", "TaskExecutionRole", "ServiceLogs"}
    made = lambda resources: {name for name, physical in resources.items() if physical}  # noqa: E731
    assert only_here <= made(here) and not only_here & made(there)
    assert only_there <= made(there) and not only_there & made(here)


@pytest.fixture(scope="module")
def serve(aws, contained, demo, tmp_path_factory):
    """`serve` on the table that the template makes. Mails go to the demo: moto can't show its own once it has a function."""
    folder = tmp_path_factory.mktemp("serve")
    with Serve(folder, aws, contained.outputs["TableName"], AWS_ENDPOINT_URL_SESV2=demo.aws) as running:
        yield running


def test_an_approval_goes_through_on_the_table_that_the_template_makes(serve, client, demo, start):
    execution, token = start(300)
    asked = {"taskToken": token, "title": "Approve release one", "signers": [{"name": "Bob", "email": BOB}], "execution": {"arn": execution}}
    request = json.loads(serve.open(asked).text)["requestId"]
    mail = wait_until("Bob has a mail", lambda: next((it for it in demo.mails() if f"{serve.url}/s/" in it["text"]), None))
    assert answer(link_in(mail), "approve").status == 200
    described = ended(client, execution)
    assert described["status"] == "SUCCEEDED"
    output = json.loads(described["output"])
    assert (output["requestId"], output["approved"]) == (request, True)
    assert serve.show(request)["callback"]["state"] == "delivered"


def test_its_table_is_the_one_that_the_program_makes(plain, client, demo):
    ours = client("dynamodb").describe_table(TableName="plain")["Table"]
    theirs = demo.client("dynamodb").describe_table(TableName="countersign-local")["Table"]

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
