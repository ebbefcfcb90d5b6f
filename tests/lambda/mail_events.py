"""What SES tells of a mail, in the shapes of its documentation: by event publishing, which carries the mail's tags, and by an
identity's feedback notifications, which carry its headers.
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html"""

import uuid
from typing import NamedTuple

from demo import BOB

SENDER = "countersign@example.com"
IDENTITY = "arn:aws:ses:us-east-1:123456789012:identity/example.com"
SET = "arn:aws:ses:us-east-1:123456789012:configuration-set/countersign"
# What happened, as SES says it, by the type of the event.
BOUNCE = {
    "bounceType": "Permanent", "bounceSubType": "General", "timestamp": "2026-11-21T09:00:20.669Z",
    "bouncedRecipients": [
        {"emailAddress": BOB, "action": "failed", "status": "5.1.1", "diagnosticCode": f"smtp; 550 5.1.1 <{BOB}> unknown user"}
    ],
    "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000", "reportingMTA": "dsn; mta.example.com",
}
COMPLAINT = {
    "complainedRecipients": [{"emailAddress": BOB}], "timestamp": "2026-11-21T09:00:25.123Z",
    "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000", "userAgent": "Example Feedback Loop (V0.01)",
    "complaintFeedbackType": "abuse", "arrivalDate": "2026-11-21T09:00:22.000Z",
}
DELIVERY = {
    "timestamp": "2026-11-21T09:00:10.540Z", "processingTimeMillis": 3540, "recipients": [BOB],
    "smtpResponse": "250 2.6.0 Message received", "reportingMTA": "mta.example.com",
}
HAPPENED = {"Bounce": BOUNCE, "Complaint": COMPLAINT, "Delivery": DELIVERY}
# What EventBridge calls each.
DETAIL_TYPES = {"Bounce": "Email Bounced", "Complaint": "Email Complaint Received", "Delivery": "Email Delivered"}


class Mail(NamedTuple):
    """The mail to the first signer of a request, and the id that SES gave it."""

    request: str
    message: str


def mail_of(mail: Mail, headers: list[dict], **more) -> dict:
    """The part about the mail that every event has."""
    return {
        "timestamp": "2026-11-21T09:00:07.000Z", "source": f"Countersign <{SENDER}>", "sourceArn": IDENTITY,
        "sendingAccountId": "123456789012", "messageId": mail.message, "destination": [BOB], "headersTruncated": False,
        "headers": [{"name": "From", "value": SENDER}, {"name": "To", "value": BOB}, *headers],
        "commonHeaders": {"from": [SENDER], "to": [BOB], "messageId": mail.message, "subject": "Please approve"},
    } | more


def published(kind: str, mail: Mail) -> dict:
    """An event that a configuration set publishes."""
    tags = {
        "ses:configuration-set": ["countersign"], "ses:from-domain": ["example.com"],
        "countersign-request": [mail.request], "countersign-signer": ["0"], "countersign-mail": ["invitation"],
    }
    return {"eventType": kind, kind.lower(): HAPPENED[kind], "mail": mail_of(mail, [], tags=tags)}


def notified(kind: str, mail: Mail) -> dict:
    """An identity's notification of the same."""
    headers = [{"name": "X-Countersign-Mail", "value": f"{mail.request} 0"}]
    return {"notificationType": kind, kind.lower(): HAPPENED[kind], "mail": mail_of(mail, headers)}


def by_event_bridge(event: dict) -> dict:
    """What a rule of EventBridge hands to a function."""
    return {
        "version": "0", "id": str(uuid.uuid4()), "detail-type": DETAIL_TYPES[event["eventType"]], "source": "aws.ses",
        "account": "123456789012", "time": "2026-11-21T09:00:31Z", "region": "us-east-1", "resources": [SET], "detail": event,
    }
