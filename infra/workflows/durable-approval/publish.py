"""A durable function that asks a person before it publishes a document. While Bob thinks it over, nothing of it runs."""

import json
import os

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.exceptions import CallbackExternalError

COUNTERSIGN = os.environ.get("COUNTERSIGN_FUNCTION", "countersign")
LAMBDA = boto3.client("lambda")


def ask(callback_id: str, document: str, seconds: int, execution: str) -> None:
    """Asks for the approval. The same callback twice is one request, so the SDK may repeat this step."""
    request = {
        "callbackId": callback_id,
        "title": f"Approve document {document}",
        "message": f"Document **{document}** is ready to be published. Shall it go out?",
        "signers": [{"name": "Bob", "email": "bob@example.com"}],
        "externalId": document,
        "timeoutSeconds": seconds,
        "execution": {"arn": execution},
    }
    answer = LAMBDA.invoke(FunctionName=COUNTERSIGN, Payload=json.dumps(request))
    if "FunctionError" in answer:
        raise RuntimeError(answer["Payload"].read().decode())


@durable_execution
def handler(event: dict, context: DurableContext) -> dict:
    document, seconds = event["documentId"], event.get("timeoutSeconds", 86_400)
    execution = context.execution_context.durable_execution_arn
    # A little longer than Countersign's own deadline, so that it is Countersign who says what happened.
    patience = Duration.from_seconds(event.get("callbackTimeoutSeconds", seconds + 300))
    try:
        answer = context.wait_for_callback(
            lambda callback_id, _: ask(callback_id, document, seconds, execution),
            name="approval",
            config=WaitForCallbackConfig(timeout=patience),
        )
    except CallbackExternalError as refused:
        # The data is the JSON that a state machine would find in the error's Cause.
        said = json.loads(refused.data)
        return {"published": False, "status": said["status"], "because": str(refused), "requestId": said["requestId"]}
    approval = json.loads(answer)
    receipt = context.step(lambda _: f"{document} published", name="publish")
    return {"published": True, "receipt": receipt, "signature": approval["signature"], "requestId": approval["requestId"]}
