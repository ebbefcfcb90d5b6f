"""moto's server, for templates that hold more than moto's CloudFormation makes: whatever it lacks is noted instead. Each
such resource has a name, an ARN and what else of it the template reads, so that what refers to it can be made; with
LEFT_OUT in the environment its properties go there, a line of JSON for each, as they were once all references were filled
in. A secret and a configuration set are made in moto's own Secrets Manager and SES."""

import json
import os
import re
import secrets
import string

import moto.server
from moto.cloudformation import models, parsing, responses
from moto.core.common_models import CloudFormationModel
from moto.secretsmanager.models import secretsmanager_backends
from moto.ses.models import ses_backends

# Its type; the property with its name, and what an ARN of it looks like or what `Ref` gives where that isn't the name.
LACKING = {
    "AWS::ApiGatewayV2::Api": ("", "api0123456"),
    "AWS::ApiGatewayV2::ApiMapping": ("", ""),
    "AWS::ApiGatewayV2::DomainName": ("DomainName", ""),
    "AWS::ApiGatewayV2::Integration": ("", "integration"),
    "AWS::ApiGatewayV2::Route": ("", ""),
    "AWS::ApiGatewayV2::Stage": ("StageName", ""),
    "AWS::CloudWatch::Alarm": ("AlarmName", ""),
    "AWS::Logs::MetricFilter": ("", ""),
    "AWS::S3::BucketPolicy": ("", ""),
    "AWS::SES::ConfigurationSet": ("Name", ""),
    "AWS::SES::ConfigurationSetEventDestination": ("", ""),
    "AWS::SES::EmailIdentity": ("EmailIdentity", ""),
    "AWS::SQS::QueuePolicy": ("", ""),
    "AWS::Scheduler::Schedule": ("Name", ""),
    "AWS::Scheduler::ScheduleGroup": ("Name", ""),
    "AWS::SecretsManager::Secret": ("Name", "arn:aws:secretsmanager:{region}:{account}:secret:{name}"),
    "AWS::StepFunctions::Activity": ("Name", "arn:aws:states:{region}:{account}:activity:{name}"),
}
# What the template reads of them.
ATTRIBUTES = {
    "ApiEndpoint": "https://api0123456.execute-api.us-east-1.amazonaws.com",
    "RegionalDomainName": "d-0123456789.execute-api.us-east-1.amazonaws.com",
    "RegionalHostedZoneId": "Z1UJRXOUMOOFQ8",
    **{f"DkimDNSToken{part}{n}": f"{part.lower()}{n}.example.com" for part in ("Name", "Value") for n in (1, 2, 3)},
}


class Lacking(CloudFormationModel):
    """A resource that is noted."""

    # moto keeps its models by the second part of this.
    __module__ = "moto.lacking"

    def __init__(self, kind: str, name: str, account: str, region: str):
        _, physical = LACKING[kind]
        self.physical_resource_id = physical.format(region=region, account=account, name=name) or name

    @staticmethod
    def has_cfn_attr(attribute: str) -> bool:
        return attribute in ATTRIBUTES

    def get_cfn_attribute(self, attribute: str) -> str:
        return ATTRIBUTES[attribute]

    def is_created(self) -> bool:
        return True


def note(what: str, kind: str, name: str, properties: dict):
    if "LEFT_OUT" in os.environ:
        with open(os.environ["LEFT_OUT"], "a") as file:
            print(json.dumps({"what": what, "type": kind, "name": name, "properties": properties}), file=file)


def generated(asked: dict) -> str:
    """A secret as Secrets Manager makes it."""
    given = string.ascii_lowercase + string.digits
    given += "" if asked.get("ExcludeUppercase") else string.ascii_uppercase
    given += "" if asked.get("ExcludePunctuation") else string.punctuation
    letters = [letter for letter in given if letter not in asked.get("ExcludeCharacters", "")]
    return "".join(secrets.choice(letters) for _ in range(int(asked.get("PasswordLength", 32))))


def make_for_real(kind: str, made: Lacking, name: str, properties: dict, account: str, region: str):
    if kind == "AWS::SecretsManager::Secret":
        backend = secretsmanager_backends[account][region]
        text = generated(properties["GenerateSecretString"])
        answer = backend.create_secret(name, text, None, properties.get("Description"), [], None, None, [], False)
        made.physical_resource_id = json.loads(answer)["ARN"]
    elif kind == "AWS::SES::ConfigurationSet":
        ses_backends[account][region].create_configuration_set(name)


def model(kind: str) -> type[CloudFormationModel]:
    """A model of moto's for resources of that type."""

    def create(cls, name, given, account, region, **_):
        properties = given.get("Properties", {})
        name = properties.get(LACKING[kind][0], name)
        note("made", kind, name, properties)
        made = cls(kind, name, account, region)
        make_for_real(kind, made, name, properties, account, region)
        return made

    def update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
        note("changed", kind, new_resource_name, cloudformation_json.get("Properties", {}))
        return original_resource

    def delete(cls, name, given, account, region):
        note("deleted", kind, str(name), given.get("Properties", {}))
        if kind == "AWS::SES::ConfigurationSet":
            ses_backends[account][region].config_sets.pop(name, None)

    return type(
        kind.replace("::", ""),
        (Lacking,),
        {
            "__module__": Lacking.__module__,
            "cloudformation_type": staticmethod(lambda: kind),
            "cloudformation_name_type": staticmethod(lambda: LACKING[kind][0]),
            "create_from_cloudformation_json": classmethod(create),
            "update_from_cloudformation_json": classmethod(update),
            "delete_from_cloudformation_json": classmethod(delete),
        },
    )


def fill_in_gaps():
    """Has moto's CloudFormation know the types that it lacks, leave out what is AWS::NoValue in lists too, find
    templates in its own S3, and know the outputs of what `deploy` makes."""
    known = parsing.get_model_map()
    assert not LACKING.keys() & known.keys(), "moto makes these by itself now"
    known.update({kind: model(kind) for kind in LACKING})
    parsing.get_name_type_map().update({kind: name for kind, (name, _) in LACKING.items()})
    clean = parsing.clean_json

    def clean_json(resource_json, resources_map):
        cleaned = clean(resource_json, resources_map)
        return [it for it in cleaned if it is not None] if isinstance(cleaned, list) else cleaned

    parsing.clean_json = clean_json

    # It changes what isn't there because of its condition, and falls over what it can't change.
    update = parsing.parse_and_update_resource

    def parse_and_update_resource(logical_id, resource_json, resources_map, **where):
        condition = resource_json.get("Condition")
        if condition and not resources_map.lazy_condition_map[condition]:
            return None
        before = resources_map[logical_id]
        try:
            return update(logical_id, resource_json, resources_map, **where) or before
        except AttributeError:
            return before

    parsing.parse_and_update_resource = parse_and_update_resource

    # Where a template is in S3, moto looks for the bucket's name in the host's.
    read = responses.get_stack_from_s3_url

    def get_stack_from_s3_url(template_url, **where):
        return read(re.sub("^http://[^/]+/", "https://s3.amazonaws.com/", template_url), **where)

    responses.get_stack_from_s3_url = get_stack_from_s3_url

    # After a change set it doesn't know what the stack is now.
    apply = models.ChangeSet.apply

    def apply_and_remember(change_set):
        apply(change_set)
        stack = change_set.stack
        stack.template, stack.template_dict = change_set.template, change_set.template_dict
        stack.output_map = stack._create_output_map()

    models.ChangeSet.apply = apply_and_remember


if __name__ == "__main__":
    fill_in_gaps()
    moto.server.main()
