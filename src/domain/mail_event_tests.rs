//! Every kind of event in the shape that AWS documents it in, and what isn't one.

use super::*;
use serde_json::json;

const MESSAGE: &str = "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000";

fn label() -> MailLabel {
    MailLabel {
        approval: ApprovalId::from_bytes([7; 16]),
        signer: 3,
    }
}

/// An event with the parts that AWS's examples have around what differs.
fn event(kind: &str, part: &str, content: Value) -> Value {
    let id = label().approval.to_string();
    let mut event = json!({
        "eventType": kind,
        "mail": {
            "timestamp": "2026-11-21T09:00:02.012Z",
            "source": "Sender Name <sender@example.com>",
            "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/sender@example.com",
            "sendingAccountId": "123456789012",
            "messageId": MESSAGE,
            "destination": ["recipient@example.com"],
            "headersTruncated": false,
            "headers": [{"name": "From", "value": "Sender Name <sender@example.com>"}],
            "commonHeaders": {"from": ["Sender Name <sender@example.com>"], "messageId": MESSAGE},
            "tags": {
                "ses:configuration-set": ["ConfigSet"],
                "ses:source-ip": ["192.0.2.0"],
                "countersign-request": [id],
                "countersign-signer": ["3"],
                "countersign-mail": ["invitation"],
            },
        },
    });
    event[part] = content;
    event
}

fn bounce(kind: &str, why: &str) -> Value {
    event(
        "Bounce",
        "bounce",
        json!({
            "bounceType": kind,
            "bounceSubType": why,
            "bouncedRecipients": [{
                "emailAddress": "recipient@example.com",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 <recipient@example.com>: user\nunknown",
            }],
            "timestamp": "2026-11-21T09:00:05.669Z",
            "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
            "reportingMTA": "dsn; mta.example.com",
        }),
    )
}

fn complaint(more: Value) -> Value {
    let mut complaint = json!({
        "complainedRecipients": [{"emailAddress": "recipient@example.com"}],
        "timestamp": "2026-11-21T09:00:05.669Z",
        "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
        "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
        "arrivalDate": "2026-11-21T09:00:05.669Z",
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut complaint, more) {
        all.extend(more);
    }
    event("Complaint", "complaint", complaint)
}

fn bounced(kind: BounceKind, why: &str) -> Fate {
    Fate::Bounced {
        kind,
        why: why.to_owned(),
        status: Some("5.1.1".to_owned()),
    }
}

#[test]
fn every_kind_that_aws_documents_is_read() {
    let complained = |why: Option<&str>| {
        Some(Fate::Complained {
            why: why.map(str::to_owned),
        })
    };
    for (event, fate) in [
        (
            event(
                "Delivery",
                "delivery",
                json!({
                    "timestamp": "2026-11-21T09:00:05.669Z",
                    "processingTimeMillis": 11893,
                    "recipients": ["recipient@example.com"],
                    "smtpResponse": "250 2.6.0 Message received",
                    "remoteMtaIp": "123.456.789.012",
                    "reportingMTA": "mta.example.com",
                }),
            ),
            Some(Fate::Delivered),
        ),
        (
            bounce("Permanent", "General"),
            Some(bounced(BounceKind::Permanent, "General")),
        ),
        (
            bounce("Permanent", "NoEmail"),
            Some(bounced(BounceKind::Permanent, "NoEmail")),
        ),
        (
            bounce("Permanent", "OnAccountSuppressionList"),
            Some(bounced(BounceKind::Permanent, "OnAccountSuppressionList")),
        ),
        (
            bounce("Transient", "MailboxFull"),
            Some(bounced(BounceKind::Transient, "MailboxFull")),
        ),
        (
            bounce("Undetermined", "Undetermined"),
            Some(bounced(BounceKind::Undetermined, "Undetermined")),
        ),
        (
            complaint(json!({"complaintFeedbackType": "abuse"})),
            complained(Some("abuse")),
        ),
        (
            complaint(json!({"complaintSubType": null, "complaintFeedbackType": "not-spam"})),
            complained(Some("not-spam")),
        ),
        (
            complaint(json!({"complaintSubType": "OnAccountSuppressionList"})),
            complained(Some("OnAccountSuppressionList")),
        ),
        (complaint(json!({})), complained(None)),
        (
            event(
                "DeliveryDelay",
                "deliveryDelay",
                json!({
                    "timestamp": "2026-11-21T09:00:05.669Z",
                    "delayType": "TransientCommunicationFailure",
                    "expirationTime": "2026-11-21T23:25:59.000Z",
                    "delayedRecipients": [{
                        "emailAddress": "recipient@example.com",
                        "status": "4.4.1",
                        "diagnosticCode": "smtp; 421 4.4.1 Unable to connect to remote host",
                    }],
                }),
            ),
            Some(Fate::Delayed {
                why: "TransientCommunicationFailure".to_owned(),
            }),
        ),
        (
            event("Reject", "reject", json!({"reason": "Bad content"})),
            Some(Fate::Rejected),
        ),
        (
            event(
                "Rendering Failure",
                "failure",
                json!({"errorMessage": "Attribute 'attributeName' is not present in the rendering data.", "templateName": "MyTemplate"}),
            ),
            Some(Fate::NotRendered),
        ),
        (event("Send", "send", json!({})), None),
        (
            event(
                "Open",
                "open",
                json!({"timestamp": "2026-11-21T09:00:05.669Z", "ipAddress": "192.0.2.1"}),
            ),
            None,
        ),
        (
            event("Click", "click", json!({"link": "http://example.com/"})),
            None,
        ),
        (
            event(
                "Subscription",
                "subscription",
                json!({"contactList": "ContactListName"}),
            ),
            None,
        ),
        (event("SomethingNew", "somethingNew", json!({"a": 1})), None),
    ] {
        let of_bus = json!({
            "version": "0", "id": "12345678-1234-1234-1234-111111111111", "detail-type": "Email …",
            "source": "aws.ses", "account": "123456789012", "time": "2026-11-21T09:00:06Z", "region": "us-east-1",
            "resources": ["arn:aws:ses:us-east-1:123456789012:configuration-set/ConfigSet"],
            "detail": event,
        });
        for event in [&event, &of_bus] {
            let read = read(event).expect("an event");
            assert_eq!(read.message, MESSAGE);
            assert_eq!(read.label, Some(label()));
            assert_eq!(read.fate, fate, "{event}");
            assert!(read.at.is_some());
        }
    }
}

#[test]
fn an_identitys_notification_is_known_by_the_mails_own_header() {
    let mut notification = bounce("Permanent", "General");
    let kind = notification["eventType"].take();
    notification["notificationType"] = kind;
    notification["mail"]["tags"] = Value::Null;
    assert_eq!(read(&notification).expect("an event").label, None);
    notification["mail"]["headers"] = json!([
        {"name": "From", "value": "sender@example.com"},
        {"name": "x-countersign-mail", "value": label().header()},
    ]);
    assert_eq!(read(&notification).expect("an event").label, Some(label()));
}

#[test]
fn no_address_stays_in_what_a_server_said() {
    let read = read(&bounce("Permanent", "General")).expect("an event");
    assert_eq!(read.said.as_deref(), Some("smtp; 550 5.1.1 … user unknown"));
    let mut long = bounce("Permanent", "General");
    long["bounce"]["bouncedRecipients"][0]["diagnosticCode"] = json!("no ".repeat(5000));
    let said = super::read(&long).expect("an event").said.expect("words");
    assert_eq!(said.chars().count(), MAX_SAID_CHARS);
}

#[test]
fn words_and_codes_that_ses_would_not_write_are_left_out() {
    let mut odd = bounce("Permanent", "No<b>Email");
    odd["bounce"]["bouncedRecipients"][0]["status"] = json!("5.1.1; drop");
    assert_eq!(
        read(&odd).expect("an event").fate,
        Some(Fate::Bounced {
            kind: BounceKind::Permanent,
            why: "General".to_owned(),
            status: None,
        })
    );
}

#[test]
fn what_is_no_event_is_refused() {
    let mut no_message = bounce("Permanent", "General");
    no_message["mail"]["messageId"] = Value::Null;
    let mut long_id = bounce("Permanent", "General");
    long_id["mail"]["messageId"] = json!("x".repeat(MAX_MESSAGE_ID_BYTES + 1));
    for (value, why) in [
        (Value::Null, NotAnEvent::NoType),
        (json!([]), NotAnEvent::NoType),
        (json!("Bounce"), NotAnEvent::NoType),
        (
            json!({"source": "aws.s3", "detail": bounce("Permanent", "General")}),
            NotAnEvent::NoType,
        ),
        (no_message, NotAnEvent::Field("mail.messageId")),
        (long_id, NotAnEvent::Field("mail.messageId")),
        (bounce("Soft", "General"), NotAnEvent::Field("bounce.bounceType")),
        (event("Complaint", "x", json!({})), NotAnEvent::Field("complaint")),
        (
            event("DeliveryDelay", "x", json!({})),
            NotAnEvent::Field("deliveryDelay"),
        ),
    ] {
        assert_eq!(read(&value), Err(why), "{value}");
    }
}

#[test]
fn tags_are_of_letters_that_ses_takes() {
    for kind in [
        MailKind::Invitation,
        MailKind::Reminder { nth: 2 },
        MailKind::Receipt,
        MailKind::Closed,
    ] {
        for (name, value) in label().tags(kind) {
            let fits = |text: &str| {
                text.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            };
            assert!(fits(name) && fits(&value) && !value.is_empty(), "{name}={value}");
        }
    }
}
