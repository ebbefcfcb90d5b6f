"""Asks an outside service to validate. It is sent what it needs to do so and to answer, and nothing else of what the
workflow knows."""

import hashlib
import json
import os

import boto3

from addresses import addresses

sqs = boto3.client("sqs")


class InvalidInput(Exception):
    """The workflow was started with something that can't be worked with."""


def handler(event, context):
    """`event` has the workflow's `input` and the ARN of its `execution`; what is answered, the next steps share."""
    shared, execution = event["input"], event["execution"]
    if not isinstance(shared, dict):
        raise InvalidInput("the input must be an object, with email and, to be validated, someOtherData")
    # Better known now than once the service has answered.
    addresses(shared)
    shared = {"executionId": execution.rpartition(":")[2]} | shared
    message = {
        "executionId": shared["executionId"],
        "someOtherData": shared.get("someOtherData"),
        "activity": os.environ["ACTIVITY"],
    }
    # One group for each execution, so that none waits for another; and where this is tried again, one message.
    once = hashlib.sha256(execution.encode()).hexdigest()
    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName=os.environ["QUEUE"])["QueueUrl"],
        MessageBody=json.dumps(message),
        MessageGroupId=once,
        MessageDeduplicationId=once,
    )
    return shared
