"""Mails what the outside service found, with the data that never left the workflow."""

import json
import os
from html import escape

import boto3

from addresses import addresses

ses = boto3.client("sesv2")


class InvalidAnswer(Exception):
    """What the outside service answered isn't what was agreed on."""


def handler(event, context):
    """`event` is all that the workflow's steps share; answers whom it wrote to."""
    to = addresses(event)
    subject = " ".join(f"Validation of {event['executionId']}".split())
    found = messages(event["validationOutput"])
    data = json.dumps(event.get("data"), indent=2, ensure_ascii=False)
    sent = ses.send_email(
        FromEmailAddress=os.environ["MAIL_FROM"],
        Destination={"ToAddresses": to},
        Content={
            "Simple": {
                "Subject": part(subject),
                "Body": {"Text": part(as_text(subject, found, data)), "Html": part(as_html(subject, found, data))},
            }
        },
    )
    return {"to": to, "messageId": sent["MessageId"]}


def messages(answer) -> list[str]:
    """What the service found: the texts of its `validationMessages`."""
    found = answer.get("validationMessages") if isinstance(answer, dict) else None
    if not isinstance(found, list) or not all(isinstance(message, str) for message in found):
        raise InvalidAnswer('validationOutput: must be like {"validationMessages": ["a", "b"]}')
    return found


def part(text: str) -> dict:
    return {"Charset": "UTF-8", "Data": text}


def as_text(subject: str, found: list[str], data: str) -> str:
    lines = [subject, "", *(f"- {message}" for message in found or ["Nothing was found."]), "", data]
    return "\n".join(lines) + "\n"


def as_html(subject: str, found: list[str], data: str) -> str:
    # Everything comes from elsewhere: none of it may become markup.
    items = "".join(f"<li>{escape(message)}</li>" for message in found or ["Nothing was found."])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(subject)}</title></head>'
        f"<body><h1>{escape(subject)}</h1><ul>{items}</ul><pre>{escape(data)}</pre></body></html>"
    )
