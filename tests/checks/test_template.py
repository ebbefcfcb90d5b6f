"""infra/template.yaml against the code: the permissions are those of the calls that are made, and what stands in it
word for word is so in its own file too."""

import re
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from template import ROOT, resources, template

# Where the service calls AWS, and which AWS. What else calls it belongs to the embedded AWS of `demo` and `local`.
CALLS = {
    "src/store": "dynamodb", "src/mail": "sesv2", "src/step_functions.rs": "stepfunctions", "src/step_functions": "stepfunctions",
    "src/state_data.rs": "dynamodb",
}
EMBEDDED = ("src/cli/demo/", "src/cli/embedded", "src/cli/local/")
# IAM's prefix of each.
PREFIX = {"dynamodb": "dynamodb", "sesv2": "ses", "stepfunctions": "states"}
# A transaction has no permission of its own: what is in it has.
IN_A_TRANSACTION = {
    "put": "PutItem", "update": "UpdateItem", "delete": "DeleteItem", "condition_check": "ConditionCheckItem",
}
# Only where it may start workflows.
START = {"states:StartExecution", "states:ListStateMachines"}
# Only where it may stop them.
STOP = {"states:StopExecution"}
# Made by the template; the program makes its table only in the embedded AWS.
NOT_IN_PRODUCTION = {"CreateTable"}


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
            names = called(text, service) - NOT_IN_PRODUCTION - {"TransactWriteItems"}
            names |= {IN_A_TRANSACTION[part] for part in parts_of_transactions(text)}
            actions |= {f"{PREFIX[service]}:{name}" for name in names}
    return actions


def granted(policy: dict) -> set[str]:
    actions = set()
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        named = statement["Action"]
        actions |= {named} if isinstance(named, str) else set(named)
    return actions


def test_the_service_may_do_what_it_does_and_nothing_else():
    policies = resources("AWS::IAM::ManagedPolicy")
    assert granted(policies["ServicePolicy"]["PolicyDocument"]) == used() - START - STOP
    assert STOP <= used()
    assert granted(policies["StartPolicy"]["PolicyDocument"]) == START <= used()
    assert "dynamodb:Query" in used() and "states:SendTaskHeartbeat" in used()


def test_it_starts_no_state_machine_unless_it_is_told_which():
    whole = template()
    assert whole["Parameters"]["StartableStateMachines"]["Default"] == ""
    assert whole["Conditions"]["Starts"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "StartableStateMachines"}, ""]}]}
    assert whole["Resources"]["StartPolicy"]["Condition"] == "Starts"
    policy = resources("AWS::IAM::ManagedPolicy")["StartPolicy"]
    assert policy["Roles"] == [{"Ref": "ServiceRole"}]
    (start,) = [it for it in policy["PolicyDocument"]["Statement"] if it["Action"] == "states:StartExecution"]
    assert start["Resource"]["Fn::Sub"].endswith(":stateMachine:${StartableStateMachines}")


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
        if ours or place.startswith(EMBEDDED) or place == "src/app.rs":
            continue
        assert not re.search(r"\baws_sdk_\w+", source.read_text()), place
    callers = [place for place in sources("src") if re.search(r"\.create_table\(\)", place.read_text())]
    assert [str(place.relative_to(ROOT)) for place in callers] == ["src/cli/embedded.rs", "src/store/schema.rs"]


def test_no_policy_is_wider_than_it_has_to_be():
    """`*` as a resource stands only where IAM knows no narrower one."""
    unlimited = {
        "states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat", "states:ListStateMachines",
        "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
    }
    documents = [it["PolicyDocument"] for it in resources("AWS::IAM::ManagedPolicy").values()]
    for role in resources("AWS::IAM::Role").values():
        documents += [policy["PolicyDocument"] for policy in role.get("Policies", [])]
    assert len(documents) >= 6
    for document in documents:
        for statement in document["Statement"]:
            actions = granted({"Statement": [statement]})
            assert not any("*" in action for action in actions)
            if statement["Resource"] == "*":
                assert actions <= unlimited


def test_the_sample_is_the_one_that_the_demo_runs():
    text, substitutions = resources("AWS::StepFunctions::StateMachine")["DocumentSigning"]["DefinitionString"]["Fn::Sub"]
    assert text == (ROOT / "infra/workflows/document-signing.asl.json").read_text()
    assert set(substitutions) == set(re.findall(r"\$\{(\w+)\}", text))


@pytest.mark.parametrize("function", ["CountersignFunction", "OperationsFunction"])
def test_the_functions_have_the_code_that_is_tested(function):
    code = resources("AWS::Lambda::Function")[function]["Code"]["ZipFile"]
    assert code == (ROOT / "infra/functions/over_http.py").read_text()


def test_only_the_operations_function_operates():
    functions = resources("AWS::Lambda::Function")
    operating = {
        name for name, it in functions.items()
        if it.get("Environment", {}).get("Variables", {}).get("COUNTERSIGN_OPERATIONS") == "on"
    }
    assert operating == {"OperationsFunction"}
    policies = resources("AWS::IAM::ManagedPolicy")
    invoked = {name: str(policies[name]["PolicyDocument"]) for name in ("MayAsk", "MayOperate")}
    assert "OperationsFunction" not in invoked["MayAsk"] and "OperationsFunction" in invoked["MayOperate"]


def test_each_role_has_what_it_is_for():
    roles = resources("AWS::IAM::Role")
    attached = {name: it["ManagedPolicyArns"] for name, it in roles.items() if "ManagedPolicyArns" in it}
    assert attached == {"ServiceRole": [{"Ref": "ServicePolicy"}], "DocumentSigningRole": [{"Ref": "MayAsk"}]}


def test_every_log_group_forgets():
    groups = resources("AWS::Logs::LogGroup")
    assert len(groups) >= 4
    assert all(it["RetentionInDays"] == {"Ref": "LogRetentionDays"} for it in groups.values())


def test_what_is_kept_is_protected():
    table = template()["Resources"]["Table"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = table["Properties"]
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"]["SSEEnabled"] is True
    assert properties["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
