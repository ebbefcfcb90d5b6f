"""infra/template.yaml against the code and the documents: what the code calls is allowed, what stands in it word for word is
so in its own file too, nothing is open that needn't be. tests/moto/test_permissions.py holds the policies to calls that
were recorded; tests/moto/test_template.py makes it."""

import json
import re
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from template import ROOT, resources, template

# Where the service calls AWS, and which AWS. What else calls it belongs to the embedded AWS of `demo` and `local`.
CALLS = {
    "src/store": "dynamodb", "src/mail": "sesv2", "src/step_functions.rs": "stepfunctions", "src/step_functions": "stepfunctions",
    "src/state_data.rs": "dynamodb", "src/queues.rs": "sqs", "src/durable_functions.rs": "lambda",
}
# What is read once at the start, where the configuration refers to it: OPERATIONS.md says which permission each needs.
AT_THE_START = ("src/config/secrets.rs",)
# Run by a person, with the permissions of that person.
BY_A_PERSON = ("src/cli/doctor/", "src/cli/setup/")
EMBEDDED = ("src/cli/demo/", "src/cli/embedded", "src/cli/local/")
# IAM's prefix of each.
PREFIX = {"dynamodb": "dynamodb", "lambda": "lambda", "sesv2": "ses", "stepfunctions": "states", "sqs": "sqs"}
# The names of permissions that aren't those of their calls.
ANOTHER_NAME = {"sqs:DeleteMessageBatch": "sqs:DeleteMessage"}
# A transaction has no permission of its own: what is in it has.
IN_A_TRANSACTION = {
    "put": "PutItem", "update": "UpdateItem", "delete": "DeleteItem", "condition_check": "ConditionCheckItem",
}
# The program makes its table only in the embedded AWS; and the template says which queue is for dead letters.
NOT_IN_PRODUCTION = {"dynamodb:CreateTable", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"}


def sources(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.is_file() else sorted(path.rglob("*.rs"))


def operations(service: str) -> dict[str, str]:
    """Every operation of a service, by the name of its method in the Rust SDK."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


def called(text: str, service: str) -> set[str]:
    """The operations that a source file names as methods."""
    code = re.sub(r"//.*", "", text)
    return {name for method, name in operations(service).items() if re.search(rf"\.\s*{method}\s*\(\s*\)", code)}


def parts_of_transactions(text: str) -> set[str]:
    """The parts that transactions are made of, by the names of their methods in the Rust SDK."""
    return set(re.findall(r"TransactWriteItem::builder\(\)\s*\.(\w+)\(", text))


def used() -> set[str]:
    """The permissions that the code needs."""
    actions = set()
    for place, service in CALLS.items():
        for source in sources(place):
            text = source.read_text()
            names = called(text, service) - {"TransactWriteItems"}
            names |= {IN_A_TRANSACTION[part] for part in parts_of_transactions(text)}
            actions |= {f"{PREFIX[service]}:{name}" for name in names}
    return {ANOTHER_NAME.get(action, action) for action in actions} - NOT_IN_PRODUCTION


def granted(policy: dict) -> set[str]:
    actions = set()
    for statement in policy["Statement"]:
        for it in several(statement):
            assert it["Effect"] == "Allow"
            named = it["Action"]
            actions |= {named} if isinstance(named, str) else set(named)
    return actions


def several(statement: dict) -> list[dict]:
    """A statement, or those of `Fn::If`."""
    return [it for it in statement["Fn::If"][1:] if it != {"Ref": "AWS::NoValue"}] if "Fn::If" in statement else [statement]


def of_role(name: str) -> list[dict]:
    """The documents of a role's policies: its own, and those that are attached."""
    managed = resources("AWS::IAM::ManagedPolicy")
    role = resources("AWS::IAM::Role")[name]
    attached = [it["Ref"] for it in role.get("ManagedPolicyArns", [])]
    attached += [policy for policy, it in managed.items() if f"'Ref': '{name}'" in str(it.get("Roles"))]
    own = [policy["Fn::If"][1] if "Fn::If" in policy else policy for policy in role.get("Policies", [])]
    return [managed[it]["PolicyDocument"] for it in attached] + [it["PolicyDocument"] for it in own]


@pytest.mark.parametrize("role", ["ServiceRole"])
def test_what_the_code_calls_is_allowed(role):
    allowed = set().union(*map(granted, of_role(role)))
    assert used() - allowed == set()
    assert "dynamodb:Query" in used() and "states:SendTaskHeartbeat" in used()


def test_it_starts_and_stops_no_state_machine_unless_it_is_told_which():
    whole = template()
    for name, parameter, action in [
        ("StartPolicy", "StartableStateMachines", "states:StartExecution"),
        ("StopPolicy", "StoppableStateMachines", "states:StopExecution"),
    ]:
        assert whole["Parameters"][parameter]["Default"] == ""
        resource = whole["Resources"][name]
        assert whole["Conditions"][resource["Condition"]] == {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}
        (statement,) = [it for it in resource["Properties"]["PolicyDocument"]["Statement"] if it["Action"] == action]
        assert f"${{{parameter}}}" in statement["Resource"]["Fn::Sub"]


def test_calls_are_found_as_they_are_written():
    assert called("self\n    .client\n    .put_item()\n // .get_item()", "dynamodb") == {"PutItem"}
    assert called("self.client.send_task_success().task_token(t)", "stepfunctions") == {"SendTaskSuccess"}


def test_parts_of_transactions_are_found_as_they_are_written():
    text = "TransactWriteItem::builder().put(put).build(); TransactWriteItem::builder()\n    .delete(it)\n    .build()"
    assert parts_of_transactions(text) == {"put", "delete"}
    assert {"dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"} <= used()


def test_nothing_else_calls_aws():
    for source in sources("src"):
        place = str(source.relative_to(ROOT))
        ours = any(place == known or place.startswith(f"{known}/") for known in CALLS)
        if ours or place.startswith(EMBEDDED + AT_THE_START + BY_A_PERSON) or place == "src/app.rs":
            continue
        without_tests = source.read_text().partition("#[cfg(test)]\nmod ")[0]
        assert not re.search(r"\baws_sdk_\w+", without_tests), place
    callers = [place for place in sources("src") if re.search(r"\.create_table\(\)", place.read_text())]
    assert [str(place.relative_to(ROOT)) for place in callers] == [
        "src/cli/embedded.rs", "src/cli/setup/table.rs", "src/store/schema.rs",
    ]


def test_no_policy_is_wider_than_it_has_to_be():
    """`*` as a resource stands only where IAM knows no narrower one."""
    unlimited = {
        "states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat", "states:ListStateMachines",
        "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
        "ecr:GetAuthorizationToken",
    }
    documents = [it["PolicyDocument"] for it in resources("AWS::IAM::ManagedPolicy").values()]
    for role in resources("AWS::IAM::Role"):
        documents += of_role(role)
    assert len(documents) >= 15
    for document in documents:
        for statement in (it for maybe in document["Statement"] for it in several(maybe)):
            actions = granted({"Statement": [statement]})
            assert not any("*" in action for action in actions)
            if statement["Resource"] == "*":
                assert actions <= unlimited


def test_whoever_takes_a_role_is_of_this_account():
    """But a function's: Lambda takes those of functions alone, which are the account's own."""
    for name, role in resources("AWS::IAM::Role").items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"]["Service"] != "lambda.amazonaws.com":
            assert "aws:SourceAccount" in str(statement["Condition"]), name


WORKFLOWS = {
    "DocumentSigning": "document-signing", "ShareData": "share-data", "LambdaLoop": "lambda-loop",
    "FetchProcessSave": "fetch-process-save", "FetchProcessSaveApproved": "fetch-process-save-approved",
    "FetchProcessSaveStarted": "fetch-process-save-started", "StateData": "state-data",
}


def test_the_samples_are_those_that_are_tested():
    machines = resources("AWS::StepFunctions::StateMachine")
    assert set(machines) == set(WORKFLOWS)
    for name, file in WORKFLOWS.items():
        path = ROOT / f"infra/workflows/{file}.asl.json"
        if "DefinitionString" in machines[name]:
            text, substitutions = machines[name]["DefinitionString"]["Fn::Sub"]
            assert text == path.read_text()
        else:
            assert ROOT / "infra" / machines[name]["DefinitionS3Location"] == path
            text, substitutions = path.read_text(), machines[name]["DefinitionSubstitutions"]
        assert set(substitutions) == set(re.findall(r"\$\{(\w+)\}", text)), name
        assert machines[name]["LoggingConfiguration"]["IncludeExecutionData"] is False


def functions_of_role(role: str, action: str) -> set[str]:
    """The functions that a role may invoke, or the machines that it may start, by their names in the template."""
    return {
        name
        for document in of_role(role)
        for statement in document["Statement"]
        if action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
        for name in re.findall(r"'Fn::GetAtt': '(\w+)\.Arn'", str(statement["Resource"]))
    }


def test_the_samples_may_invoke_what_they_invoke():
    """And nothing else: what each definition is filled in with is what their role names."""
    machines, invoked = resources("AWS::StepFunctions::StateMachine"), set()
    for name, file in WORKFLOWS.items():
        text = (ROOT / f"infra/workflows/{file}.asl.json").read_text()
        filled = machines[name].get("DefinitionSubstitutions") or machines[name]["DefinitionString"]["Fn::Sub"][1]
        for placeholder in re.findall(r'"(?:FunctionName|Resource)": "\$\{(\w+)\}"', text):
            if "Fn::GetAtt" in filled[placeholder]:
                invoked.add(filled[placeholder]["Fn::GetAtt"].removesuffix(".Arn"))
    # Those by which they ask and put down data are the policies' that every workflow's role may have.
    assert functions_of_role("SamplesRole", "lambda:InvokeFunction") == invoked
    # The one that starts another needs what `.sync` needs: docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
    started = (ROOT / "infra/workflows/fetch-process-save-started.asl.json").read_text()
    assert "states:startExecution.sync:2" in started
    allowed = set().union(*map(granted, of_role("SamplesRole")))
    assert {"states:StartExecution", "states:DescribeExecution", "states:StopExecution"} <= allowed
    assert {"events:PutTargets", "events:PutRule", "events:DescribeRule"} <= allowed


def test_every_workflow_of_the_folder_is_a_sample():
    """But share-data-pass, which is share-data without its services."""
    files = {path.name.removesuffix(".asl.json") for path in (ROOT / "infra/workflows").glob("*.asl.json")}
    assert files - {"share-data-pass"} == set(WORKFLOWS.values())


def test_what_package_uploads_is_there():
    for name, function in resources("AWS::Lambda::Function").items():
        code = function["Code"]
        if isinstance(code, str) and code.startswith("workflows/"):
            folder, module = ROOT / "infra" / code, function["Handler"].partition(".")[0]
            assert any((folder / f"{module}.{suffix}").is_file() for suffix in ("py", "mjs")), name


def test_what_the_samples_functions_have_in_line_is_right():
    """As src/samples/ has it in Rust."""

    def handler(name: str):
        scope: dict = {}
        exec(resources("AWS::Lambda::Function")[name]["Code"]["ZipFile"], scope)
        return scope["handler"]

    assert handler("SignDocument")({"signer": "Alice", "documentId": "3"}, None) == {"result": "Alice signed 3"}
    event = {"key1": "a", "key2": "b", "key3": "c"}
    for count in range(5):
        event["taskresult"] = handler("CountCalls")(event, None)
        assert event["taskresult"] == {"count": count, "value1": "ThereIsNoSpoon"}
    assert handler("CountCalls")(event, None) == {"value1": "a", "value2": "b", "count": 5}


def test_only_the_operations_function_operates():
    functions = resources("AWS::Lambda::Function")
    operating = {
        name for name, it in functions.items()
        if it.get("Environment", {}).get("Variables", {}).get("COUNTERSIGN_OPERATIONS") == "on"
    }
    assert operating == {"OperationsFunction"}
    tools = functions["TaskToolsFunction"]["Environment"]["Variables"]
    assert tools == functions["Function"]["Environment"]["Variables"] | {"COUNTERSIGN_OPERATIONS": "task-tools"}
    policies = resources("AWS::IAM::ManagedPolicy")
    invoked = {name: str(policies[name]["PolicyDocument"]) for name in ("MayAsk", "MayOperate", "MayUseTaskTools")}
    assert [name for name, document in invoked.items() if "OperationsFunction" in document] == ["MayOperate"]
    # Nothing but its own policy lets anybody invoke it.
    whole = str({name: it for name, it in template()["Resources"].items() if it["Type"] == "AWS::Lambda::Permission"})
    assert "OperationsFunction" not in whole


def test_each_role_has_what_it_is_for():
    roles = resources("AWS::IAM::Role")
    attached = {name: [it["Ref"] for it in role["ManagedPolicyArns"]] for name, role in roles.items() if "ManagedPolicyArns" in role}
    assert attached == {
        "FunctionRole": ["ServicePolicy", "StateDataPolicy"], "OperationsFunctionRole": ["ServicePolicy", "StateDataPolicy"],
        "ServiceRole": ["ServicePolicy", "StateDataPolicy"], "TaskToolsFunctionRole": ["StateDataPolicy"],
        "SamplesRole": ["MayAsk", "MayUseTaskTools"],
    }


def test_a_key_of_ones_own_is_used_by_whoever_meets_it_and_through_those_services_alone():
    policy = resources("AWS::IAM::ManagedPolicy")["KeyPolicy"]
    roles = {it["Ref"] if "Ref" in it else it["Fn::If"][1]["Ref"] for it in policy["Roles"]}
    assert roles == {name for name in resources("AWS::IAM::Role") if "StateDataPolicy" in str(resources("AWS::IAM::Role")[name])}
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Resource"] == {"Ref": "KeyArn"} and "kms:CreateGrant" not in statement["Action"]
    through = statement["Condition"]["StringEquals"]["kms:ViaService"]
    services = {it["Fn::Sub"].partition(".")[0] for it in through}
    # What is encrypted with it.
    encrypted = {name for name, it in template()["Resources"].items() if "KeyArn" in str(it) and name != "KeyPolicy"}
    assert encrypted == {"Table", "StateDataTable", "StateDataBucket", "MasterKey", "EvidenceKey"}
    assert services == {"dynamodb", "s3", "secretsmanager"}


def test_a_container_is_only_made_where_it_would_start():
    """`serve` starts with no API key only as a function: src/config/read.rs."""
    rule = template()["Rules"]["ContainersHaveAnAddress"]
    (needs,) = [it["Assert"]["Fn::Or"] for it in rule["Assertions"] if "API key" in it["AssertDescription"]]
    assert {"Fn::Equals": [{"Ref": "Image"}, ""]} in needs
    assert {"Fn::Not": [{"Fn::Equals": [{"Ref": "ApiKeys"}, "[]"]}]} in needs
    assert {"Fn::Not": [{"Fn::Equals": [{"Ref": "ConfigParameter"}, ""]}]} in needs


def test_every_log_group_forgets():
    groups = resources("AWS::Logs::LogGroup")
    assert len(groups) >= 6
    assert all(it["RetentionInDays"] == {"Ref": "LogRetentionDays"} for it in groups.values())
    # And every function has one of them.
    assert all("LogGroup" in it["LoggingConfig"] for it in resources("AWS::Lambda::Function").values())


def test_what_is_kept_is_protected():
    everything = template()["Resources"]
    kept = {name for name, it in everything.items() if it.get("DeletionPolicy") == "Retain"}
    assert kept == {"Table", "StateDataTable", "StateDataBucket", "MasterKey", "EvidenceKey", "MailIdentity"}
    assert all(everything[name]["UpdateReplacePolicy"] == "Retain" for name in kept)
    for name in ("Table", "StateDataTable"):
        properties = everything[name]["Properties"]
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert properties["SSESpecification"]["SSEEnabled"] is True
        assert properties["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}


def test_nothing_is_open_to_the_public():
    for name, bucket in resources("AWS::S3::Bucket").items():
        assert all(bucket["PublicAccessBlockConfiguration"].values()), name
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
        for it in resources(kind).values():
            (statement,) = it["PolicyDocument"]["Statement"]
            assert statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    buckets = {it["Bucket"]["Ref"] for it in resources("AWS::S3::BucketPolicy").values()}
    assert buckets == set(resources("AWS::S3::Bucket"))
    (queues,) = resources("AWS::SQS::QueuePolicy").values()
    named = {it["Ref"] if "Ref" in it else it["Fn::If"][1]["Ref"] for it in queues["Queues"]}
    assert named == set(resources("AWS::SQS::Queue"))
    assert all(it.get("SqsManagedSseEnabled") for it in resources("AWS::SQS::Queue").values())


def test_no_log_has_a_path():
    """A signer's link is a secret. Routes stand for paths; nothing else of a request but its size and its end."""
    (stage,) = resources("AWS::ApiGatewayV2::Stage").values()
    logged = set(re.findall(r"\$context\.([\w.]+)", stage["AccessLogSettings"]["Format"]))
    assert logged == {
        "requestId", "requestTime", "routeKey", "status", "responseLength", "responseLatency", "integration.status"
    }
    assert json.loads(stage["AccessLogSettings"]["Format"])


def test_no_mail_has_its_links_rewritten():
    (events,) = resources("AWS::SES::ConfigurationSetEventDestination").values()
    assert not {"OPEN", "CLICK"} & set(events["EventDestination"]["MatchingEventTypes"])
    (mails,) = resources("AWS::SES::ConfigurationSet").values()
    assert "TrackingOptions" not in mails


def test_a_message_has_as_long_as_lambda_wants():
    """Six times the function's timeout, says AWS's guide on queues as event sources."""
    functions, queues = resources("AWS::Lambda::Function"), resources("AWS::SQS::Queue")
    for name in ("Requests", "WakeQueue"):
        assert queues[name]["VisibilityTimeout"] >= 6 * functions["Function"]["Timeout"]
    mappings = resources("AWS::Lambda::EventSourceMapping").values()
    assert len(mappings) == 2 and all(it["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for it in mappings)
    # What somebody waits for at API Gateway, at the most 30 seconds, the function has the time to do.
    (integration,) = resources("AWS::ApiGatewayV2::Integration").values()
    assert integration["TimeoutInMillis"] == 30_000 < 1000 * functions["Function"]["Timeout"]


def test_what_is_counted_as_parked_is_what_is_logged():
    patterns = {it["FilterPattern"] for it in resources("AWS::Logs::MetricFilter").values()}
    assert patterns == {'"callback parked"'}
    assert re.search(r'tracing::error!\([^;]*"callback parked', (ROOT / "src/flow/call_back.rs").read_text())


def test_an_alarm_is_silent_where_nothing_is_counted_but_for_the_one_that_is_about_that():
    alarms = {name: it["TreatMissingData"] for name, it in resources("AWS::CloudWatch::Alarm").items()}
    assert {name for name, it in alarms.items() if it != "notBreaching"} == {"SilenceAlarm", "BouncesAlarm"}
    assert (alarms["SilenceAlarm"], alarms["BouncesAlarm"]) == ("breaching", "ignore")


def test_there_is_something_to_do_for_every_alarm():
    table = (ROOT / "docs/OPERATIONS.md").read_text().partition("## Alarms")[2].partition("\n## ")[0]
    told = re.findall(r"(?m)^\| `([\w-]+)` \|", table)
    alarms = {it["AlarmName"]["Fn::Sub"].removeprefix("${Name}-") for it in resources("AWS::CloudWatch::Alarm").values()}
    assert sorted(told) == sorted(alarms)


def test_what_the_documents_say_of_the_stack_is_there():
    whole = template()
    documents = "".join((ROOT / name).read_text() for name in ("README.md", "docs/GUIDE.md", "docs/OPERATIONS.md", "docs/SECURITY.md"))
    outputs = set(re.findall(r"\b\w+(?:Policy|Role)Arn\b", documents))
    assert {"MayAskPolicyArn", "ServiceRoleArn"} <= outputs <= set(whole["Outputs"])
    overridden = set(re.findall(r"(?m)\b([A-Z]\w+)=(?=\S)", "".join(re.findall(r"--parameter-overrides((?:.*\\\n)*.*)", documents))))
    assert {"Organisation", "AlarmMail", "People"} <= overridden <= set(whole["Parameters"])


def test_every_parameter_has_its_place_and_its_words():
    whole = template()
    groups = whole["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    placed = [name for group in groups for name in group["Parameters"]]
    assert sorted(placed) == sorted(whole["Parameters"])
    assert all(it["Description"].endswith(".") for it in whole["Parameters"].values())
    assert [name for name, it in whole["Parameters"].items() if "Default" not in it] == ["Organisation", "MailFrom"]


def test_the_task_knows_what_the_functions_know():
    """But how it listens, and that it takes from the queue by itself."""
    functions = resources("AWS::Lambda::Function")["Function"]["Environment"]["Variables"]
    (container,) = resources("AWS::ECS::TaskDefinition")["Task"]["ContainerDefinitions"]
    listed = [it["Fn::If"][1] if "Fn::If" in it else it for it in container["Environment"]]
    assert {it["Name"] for it in listed} ^ set(functions) == {
        "COUNTERSIGN_LISTEN", "COUNTERSIGN_INTAKE_QUEUES", "COUNTERSIGN_WAKE_QUEUE"
    }
