"""What SES tells of mails, handed to the packaged function by EventBridge and by SNS: an operator reads it. What nobody of AWS
has said changes nothing."""

import json
import re

import pytest

from demo import BOB
from events import PUBLIC
from mail_events import BOUNCE, Mail, by_event_bridge, notified, published
from runtime import Function, FunctionError
from sns import TOPIC, Sns

# How a signer is shown after each: the status, and what is said of the mail.
SHOWN = {
    "Bounce": ("bounced", "bounced: the mail server doesn't take mail for this address (5.1.1)"),
    "Complaint": ("bounced", "was called spam by the recipient"),
    "Delivery": ("delivered", "was delivered"),
}


@pytest.fixture(scope="module")
def sns(tmp_path_factory):
    with Sns(tmp_path_factory.mktemp("sns")) as running:
        yield running


@pytest.fixture(scope="module")
def told(make, sns):
    """A function that hears of mails by SNS's topic too."""
    with make(**sns.variables) as running:
        yield running


@pytest.fixture
def mail(aws, function, request) -> Mail:
    """A mail to Bob that SES has taken."""
    asked = {
        # No workflow waits for it: nothing here answers.
        "taskToken": f"{type(aws).__name__} {request.node.name}".ljust(40, "."), "title": "Approve release one",
        "signers": [{"name": "Bob", "email": BOB}],
    }
    number = function.invoke(asked)["requestId"]
    (posted,) = record_of(aws, number)["posted"]
    return Mail(number, posted["message"])


def record_of(aws, number: str) -> dict:
    key = {"pk": {"S": f"A#{number}"}, "sk": {"S": "R#000"}}
    return json.loads(aws.client("dynamodb").get_item(TableName="approvals-of-lambda", Key=key)["Item"]["json"]["S"])


def shown(operations: Function, mail: Mail) -> dict:
    """The signer, as the operations function shows her."""
    (signer,) = operations.invoke({"action": "show", "requestId": mail.request})["signers"]
    return signer


def items(aws, mail: Mail) -> list[dict]:
    found = aws.client("dynamodb").query(
        TableName="approvals-of-lambda", KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"A#{mail.request}"}},
    )
    return found["Items"]


def needs_somebody(operations: Function, mail: Mail) -> bool:
    listed = operations.invoke({"action": "list", "status": "attention", "limit": 100})["requests"]
    return mail.request in [request["requestId"] for request in listed]


def event_bridge(sns: Sns, kind: str, mail: Mail) -> dict:
    return by_event_bridge(published(kind, mail))


def topic_of_set(sns: Sns, kind: str, mail: Mail) -> dict:
    return sns.event(published(kind, mail))


def topic_of_identity(sns: Sns, kind: str, mail: Mail) -> dict:
    return sns.event(notified(kind, mail))


WAYS = [event_bridge, topic_of_set, topic_of_identity]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", SHOWN)
def test_what_became_of_a_mail_is_shown(told, operations, sns, mail, kind, way):
    assert (shown(operations, mail)["status"], shown(operations, mail).get("mail")) == ("sent", None)
    event = way(sns, kind, mail)
    # Delivered at least once: the second time tells nothing new.
    for _ in range(2):
        assert told.invoke(event) == {"status": "done"}
        signer = shown(operations, mail)
        assert (signer["status"], signer["mail"]["explanation"]) == SHOWN[kind], signer
    assert BOB not in (signer["mail"]["said"] or ""), signer
    assert needs_somebody(operations, mail) == (kind != "Delivery")


def test_several_records_come_at_once(told, operations, sns, mail):
    told.invoke(sns.event({"eventType": "Send", "mail": {"messageId": mail.message}}, published("Delivery", mail)))
    assert shown(operations, mail)["status"] == "delivered"
    # SES says by a topic, once, that it is there.
    assert told.invoke(sns.event("Successfully validated SNS topic for Amazon SES event publishing.")) == {"status": "done"}


def forged(sns: Sns, mail: Mail) -> dict[str, dict]:
    """What somebody might hand over who may publish or invoke, but isn't SES; and what SES never says."""
    bounce, other = published("Bounce", mail), Mail(mail.request, "0100000000000000-00000000-0000-0000-0000-000000000000-000000")
    no_signature = sns.event(bounce)
    del no_signature["Records"][0]["Sns"]["Signature"]
    return {
        "a mail that SES never took": by_event_bridge(published("Bounce", other)),
        "another request": by_event_bridge(published("Bounce", Mail("req_" + "a" * 26, mail.message))),
        "no such type of bounce": by_event_bridge(bounce | {"bounce": BOUNCE | {"bounceType": "Forever"}}),
        "nothing in it": by_event_bridge(bounce) | {"detail": {}},
        "a mail that SES never took, signed": sns.event(published("Bounce", other)),
        "changed after it was signed": sns.event(published("Delivery", mail), Message=json.dumps(bounce)),
        "no signature": no_signature,
        "a signature of version 1": sns.event(bounce, SignatureVersion="1"),
        "another topic": sns.event(bounce, TopicArn=TOPIC.replace("mails", "others")),
        "a certificate elsewhere": sns.event(bounce, SigningCertUrl="https://sns.us-east-1.amazonaws.com.example.com/a.pem"),
        "a certificate of this host": sns.event(bounce, SigningCertUrl=f"{PUBLIC}/SimpleNotificationService-0123456789abcdef.pem"),
    }


def test_a_forged_event_changes_nothing(aws, told, operations, sns, mail):
    before = items(aws, mail)
    for why, event in forged(sns, mail).items():
        assert told.invoke(event) == {"status": "done"}, why
        assert items(aws, mail) == before, why
    assert shown(operations, mail)["status"] == "sent" and not needs_somebody(operations, mail)
    # SNS was asked for its certificate, and nobody else for anything.
    assert all(re.fullmatch(r"/SimpleNotificationService-\w+\.pem", path) for path in sns.asked), sns.asked
    # SES's own word, and it counts.
    told.invoke(sns.event(published("Bounce", mail)))
    assert shown(operations, mail)["status"] == "bounced" and items(aws, mail) != before


def test_without_a_topic_nobodys_word_by_sns_counts(aws, function, operations, sns, mail):
    before = items(aws, mail)
    assert function.invoke(sns.event(published("Bounce", mail))) == {"status": "done"}
    assert items(aws, mail) == before and shown(operations, mail)["status"] == "sent"


def test_an_event_comes_again_while_snss_certificate_cannot_be_had(make, operations, sns, mail):
    """Lambda delivers again what is answered with an error."""
    event = sns.event(published("Bounce", mail))
    with make(**sns.variables | {"SNS_PORT": "9"}) as cut_off, pytest.raises(FunctionError) as error:
        cut_off.invoke(event)
    assert error.value.type == "Approval.Unavailable", error.value
    assert shown(operations, mail)["status"] == "sent"
    with make(**sns.variables) as function:
        function.invoke(event)
    assert shown(operations, mail)["status"] == "bounced"
