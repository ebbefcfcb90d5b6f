"""What a workflow asks of this function, asked of `countersign serve` over its API."""

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore.exceptions

# Lambda gives the class's name as the error's type: these are the names that Retry and Catch see.
Invalid = type("Approval.InvalidRequest", (Exception,), {})
Unavailable = type("Approval.Unavailable", (Exception,), {})
UNREACHABLE = (
    OSError,
    ValueError,
    http.client.HTTPException,
    botocore.exceptions.BotoCoreError,
    botocore.exceptions.ClientError,
)
known_key = None


def handler(event, context):
    if not isinstance(event, dict):
        raise Invalid("the event must be a JSON object")
    action = event.pop("action", "open")
    if action == "open":
        return call("", event)
    if action not in ("complete", "cancel"):
        raise Invalid('action: must be "open", "complete" or "cancel"')
    if os.environ.get("COUNTERSIGN_OPERATIONS") != "on":
        raise Invalid(f'action: "{action}" is not allowed here; invoke the operations function')
    done = call(f"/{request_id(event)}/{action}", event)
    return {"requestId": done["requestId"], "status": done["status"], "callback": done["callback"]["state"]}


def request_id(event):
    given = [event.pop(name, None) for name in ("requestId", "documentId", "externalId")]
    if sum(value is not None for value in given) != 1:
        raise Invalid("requestId: or documentId must be given, one of them")
    if given[0] is not None:
        return urllib.parse.quote(str(given[0]), safe="")
    asked = {"externalId": given[1] if given[1] is not None else given[2], "limit": 20}
    found = [request["requestId"] for request in call("?" + urllib.parse.urlencode(asked))["requests"]]
    if not found:
        raise Invalid("no pending request matches")
    if len(found) > 1:
        raise Invalid(f"{len(found)} pending requests match; name one by its requestId: {', '.join(found)}")
    return found[0]


def call(path, body=None):
    global known_key
    try:
        if known_key is None:
            secrets = boto3.client("secretsmanager")
            known_key = secrets.get_secret_value(SecretId=os.environ["API_KEY_SECRET"])["SecretString"].strip()
        request = urllib.request.Request(
            f"{os.environ['PUBLIC_URL'].rstrip('/')}/api/v1/requests{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {known_key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            told = json.load(error)["detail"]
        except (ValueError, KeyError, TypeError):
            told = "no reason was given"
        if error.code in (400, 404, 409, 413, 422):
            raise Invalid(told) from None
        # A key that was changed is read anew by the next try.
        known_key = None
        raise Unavailable(f"the service answered {error.code}: {told}") from None
    except UNREACHABLE as error:
        raise Unavailable(f"the service can't be reached: {type(error).__name__}") from None
