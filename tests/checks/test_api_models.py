"""What services answer, as TestState checks mocked results against it: read off AWS's own models of its APIs, which
botocore carries. `python tests/checks/test_api_models.py` writes the file anew; as a test it says whether that is due."""

import json
from pathlib import Path

from botocore import session

FILE = Path(__file__).parents[2] / "crates/aws-local/src/step_functions/test_state/models.json"

# Service as a Resource names it, as botocore does, and operations.
SERVICES = {
    "lambda": ("lambda", ["Invoke", "GetFunction", "ListFunctions"]),
    "states": ("stepfunctions", ["StartExecution", "StartSyncExecution", "DescribeExecution"]),
    "sfn": ("stepfunctions", ["StartExecution", "StartSyncExecution", "DescribeExecution"]),
    "events": ("events", ["PutEvents"]),
    "eventbridge": ("events", ["PutEvents"]),
    "dynamodb": ("dynamodb", ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"]),
    "sqs": ("sqs", ["SendMessage", "ReceiveMessage"]),
    "sns": ("sns", ["Publish"]),
    "s3": ("s3", ["GetObject", "PutObject", "HeadObject", "ListObjectsV2"]),
    "kms": ("kms", ["Encrypt", "Decrypt", "GenerateDataKey"]),
    "secretsmanager": ("secretsmanager", ["GetSecretValue"]),
    "ssm": ("ssm", ["GetParameter"]),
    "sesv2": ("sesv2", ["SendEmail"]),
}
KINDS = {"string": "string", "character": "string", "timestamp": "string", "blob": "string", "boolean": "boolean",
         "integer": "number", "long": "number", "float": "number", "double": "number"}


def upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def shape(found, key: str, shapes: dict) -> None:
    """Adds the shape, and those within it, by their names."""
    name = f"{key}.{found.name}"
    if name in shapes:
        return
    shapes[name] = told = {}
    model = found.metadata
    if found.type_name == "structure":
        told["is"] = "object"
        told["fields"] = {upper(field): f"{key}.{member.name}" for field, member in found.members.items()}
        if found.required_members:
            told["required"] = [upper(field) for field in found.required_members]
        for member in found.members.values():
            shape(member, key, shapes)
    elif found.type_name == "list":
        told |= {"is": "array", "of": f"{key}.{found.member.name}"}
        shape(found.member, key, shapes)
    elif found.type_name == "map":
        told |= {"is": "map", "of": f"{key}.{found.value.name}"}
        shape(found.value, key, shapes)
    else:
        told["is"] = KINDS[found.type_name]
        if found.type_name in ("string", "blob") and getattr(found, "enum", None):
            told["one of"] = found.enum
    for bound in ("min", "max"):
        if bound in model and told["is"] in ("string", "number", "array"):
            told[bound] = model[bound]


def models() -> dict:
    shapes, operations = {}, {}
    loader = session.get_session()
    for service, (key, names) in SERVICES.items():
        model = loader.get_service_model(key)
        for name in names:
            output = model.operation_model(name).output_shape
            operations[f"{service}:{name[:1].lower() + name[1:]}"] = f"{key}.{output.name}"
            shape(output, key, shapes)
    return {"operations": operations, "shapes": shapes}


def written() -> str:
    found = models()
    lines = [f"  {json.dumps(name)}: {json.dumps(told, sort_keys=True)}" for name, told in sorted(found["shapes"].items())]
    operations = json.dumps(found["operations"], indent=1, sort_keys=True)
    return '{"operations": ' + operations + ',\n"shapes": {\n' + ",\n".join(lines) + "\n}}\n"


def test_the_models_are_awss():
    assert json.loads(FILE.read_text()) == models()


if __name__ == "__main__":
    FILE.write_text(written())
