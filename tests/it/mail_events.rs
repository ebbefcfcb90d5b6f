//! What SES tells about mails: a bounce is looked at by somebody, whatever the order in which things come.

use super::harness::{Fault, Harness, ask_bob};
use super::sns::{SNS, TOPIC};
use aws_sdk_sesv2::types::{EventBridgeDestination, EventDestinationDefinition, EventType};
use countersign::domain::approval::Approval;
use countersign::domain::explain::{attention, explain};
use countersign::domain::ids::ApprovalId;
use countersign::domain::signer::SignerRecord;
use countersign::domain::timeline::timeline;
use countersign::flow::list::{self, Wanted};
use countersign::flow::mail_event::{MailEventError, Taken, take};
use countersign::flow::operate;
use countersign::intake::Ways;
use countersign::store::Listed;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The message id of the signer's newest mail.
pub(crate) fn message_of(signer: &SignerRecord) -> String {
    signer.posted.last().expect("a mail").message.clone()
}

fn event(approval: &Approval, signer: u8, kind: &str, message: &str) -> Value {
    let part = match kind {
        "Bounce" => json!({
            "bounceType": "Permanent", "bounceSubType": "NoEmail", "timestamp": "2026-11-21T09:00:20.000Z",
            "bouncedRecipients": [{
                "emailAddress": "bob@example.com", "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 <bob@example.com> user unknown",
            }],
        }),
        "Complaint" => json!({"complaintFeedbackType": "abuse", "timestamp": "2026-11-21T09:00:30.000Z"}),
        _ => json!({"timestamp": "2026-11-21T09:00:10.000Z"}),
    };
    json!({
        "eventType": kind,
        kind.to_lowercase(): part,
        "mail": {
            "timestamp": "2026-11-21T09:00:00.000Z",
            "messageId": message,
            "tags": {
                "countersign-request": [approval.id.to_string()],
                "countersign-signer": [signer.to_string()],
            },
        },
    })
}

/// The approvals that need somebody.
async fn listed(harness: &Harness) -> Vec<ApprovalId> {
    let wanted = Wanted {
        list: Listed::Attention,
        known: Vec::new(),
        created_before: None,
        created_after: None,
    };
    let page = list::page(&harness.flow, &wanted, None, 10)
        .await
        .expect("readable");
    page.approvals.iter().map(|approval| approval.id).collect()
}

/// How many items stand in the index of what needs somebody, whether or not they still do.
async fn in_index(harness: &Harness) -> usize {
    let items = harness.dump().await;
    let of_attention = |item: &&Value| {
        item["list"]
            .as_str()
            .is_some_and(|list| list.starts_with("attention#"))
    };
    items.iter().filter(of_attention).count()
}

/// Bob is asked by a workflow, and has his mail.
pub(crate) async fn asked(harness: &Harness) -> Approval {
    harness.start_workflow(&ask_bob()).await;
    harness.first_mail("bob@example.com").await;
    harness.settle().await;
    harness.only_approval().await
}

#[tokio::test(start_paused = true)]
async fn a_bounce_is_told_and_goes_away_when_the_mail_sent_again_arrives() {
    let harness = Harness::start().await;
    let approval = asked(&harness).await;
    let first = message_of(&approval.signers[0]);
    assert!(listed(&harness).await.is_empty());
    let delivered = event(&approval, 0, "Delivery", &first);
    assert_eq!(take(&harness.flow, &delivered).await, Ok(Taken::Noted));
    let told = explain(&harness.only_approval().await, harness.clock.now(), "UTC").join(" ");
    assert!(told.contains("delivered "), "{told}");
    assert!(listed(&harness).await.is_empty());

    let bounce = event(&approval, 0, "Bounce", &first);
    assert_eq!(take(&harness.flow, &bounce).await, Ok(Taken::Noted));
    assert_eq!(take(&harness.flow, &bounce).await, Ok(Taken::Known));
    assert_eq!(listed(&harness).await, [approval.id]);
    let now = harness.only_approval().await;
    let told = explain(&now, harness.clock.now(), "UTC").join(" ");
    assert!(
        told.contains("The mail to Bob bounced: there is no such mailbox (5.1.1)"),
        "{told}"
    );
    assert!(!told.contains("bob@example.com"), "{told}");
    let happened: Vec<String> = timeline(&now).into_iter().map(|one| one.what).collect();
    assert!(
        happened
            .iter()
            .any(|what| what.starts_with("The mail to Bob bounced")),
        "{happened:?}"
    );
    assert_eq!(
        attention(&now),
        ["the mail to Bob bounced: there is no such mailbox (5.1.1)"]
    );

    operate::resend(&harness.flow, approval.id, None)
        .await
        .expect("mailed again");
    harness.settle().await;
    assert_eq!(
        listed(&harness).await,
        [approval.id],
        "nothing is known of the new mail yet"
    );
    let now = harness.only_approval().await;
    let second = message_of(&now.signers[0]);
    assert_ne!(first, second);
    let delivered = event(&now, 0, "Delivery", &second);
    assert_eq!(take(&harness.flow, &delivered).await, Ok(Taken::Noted));
    assert!(listed(&harness).await.is_empty());
    assert_eq!(in_index(&harness).await, 0);

    harness
        .answer(&harness.link("bob@example.com").await, "approve", "", "Bob")
        .await;
    let now = harness.only_approval().await;
    let told: usize = now.events.iter().map(|event| event.mails.len()).sum();
    assert_eq!(told, 3, "the evidence says it: two deliveries and a bounce");
    let evidence = serde_json::to_string(&now.events).expect("JSON");
    assert!(
        !evidence.contains("user unknown"),
        "no words of strangers are in the chain"
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_answers_or_withdraws_ends_it() {
    for answered in [true, false] {
        let harness = Harness::start().await;
        let approval = asked(&harness).await;
        let message = message_of(&approval.signers[0]);
        for kind in ["Bounce", "Complaint"] {
            let taken = take(&harness.flow, &event(&approval, 0, kind, &message)).await;
            assert_eq!(taken, Ok(Taken::Noted));
        }
        assert_eq!(
            listed(&harness).await,
            [approval.id],
            "once, whatever the number of reasons"
        );
        assert_eq!(in_index(&harness).await, 2);
        if answered {
            harness
                .answer(&harness.link("bob@example.com").await, "approve", "", "Bob")
                .await;
        } else {
            let which = operate::Which::Id(approval.id);
            operate::cancel(&harness.flow, &which, "Carol", None, false)
                .await
                .expect("withdrawn");
        }
        harness.settle().await;
        assert_eq!((listed(&harness).await.len(), in_index(&harness).await), (0, 0));
        // A bounce that comes now is noted, and troubles nobody.
        let late = event(&approval, 0, "Delivery", &message);
        assert_eq!(take(&harness.flow, &late).await, Ok(Taken::Noted));
        assert_eq!(in_index(&harness).await, 0);
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_made_up_by_somebody_changes_nothing() {
    let harness = Harness::start().await;
    let approval = asked(&harness).await;
    let message = message_of(&approval.signers[0]);
    let before = harness.dump().await;
    let mut of_another = event(&approval, 0, "Bounce", &message);
    of_another["mail"]["tags"]["countersign-request"] = json!([ApprovalId::from_bytes([1; 16]).to_string()]);
    let mut untagged = event(&approval, 0, "Bounce", &message);
    untagged["mail"]["tags"] = Value::Null;
    for forged in [
        event(&approval, 0, "Bounce", "0100018f-guessed-000000"),
        event(&approval, 0, "Complaint", ""),
        event(&approval, 1, "Bounce", &message),
        event(&approval, 255, "Bounce", &message),
        of_another,
        untagged,
    ] {
        let taken = take(&harness.flow, &forged).await;
        let nothing = matches!(taken, Ok(Taken::NotOurs) | Err(MailEventError::Malformed(_)));
        assert!(nothing, "{taken:?}: {forged}");
    }
    // In an SNS message nothing counts without a signature, and a topic of ours.
    let inside = event(&approval, 0, "Bounce", &message).to_string();
    let message = |topic: &str, version: &str| {
        json!({
            "Type": "Notification", "MessageId": "m", "TopicArn": topic, "Message": inside,
            "Timestamp": "2026-11-21T09:00:00.000Z", "SignatureVersion": version, "Signature": "AAAA",
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        })
    };
    for (sns, why) in [
        (
            message("arn:aws:sns:eu-central-1:666666666666:mails", "2"),
            "mail_topics",
        ),
        (message(TOPIC, "1"), "SignatureVersion to 2"),
        (message(TOPIC, "2"), "SNS's own host"),
    ] {
        let Err(MailEventError::Malformed(told)) = take(&harness.flow, &sns).await else {
            panic!("believed: {sns}");
        };
        assert!(told.contains(why), "{told}");
    }
    assert_eq!(harness.dump().await, before);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_sns_signs_counts_by_every_way_in() {
    let harness = Harness::start().await;
    let approval = asked(&harness).await;
    let message = message_of(&approval.signers[0]);
    let wrapped = |kind: &str| {
        let inside = event(&approval, 0, kind, &message).to_string();
        SNS.message(
            "Notification",
            &json!({"Message": inside, "Subject": "Amazon SES Email Event Notification"}),
        )
    };
    assert_eq!(take(&harness.flow, &wrapped("Bounce")).await, Ok(Taken::Noted));
    let record = json!({"EventSource": "aws:sns", "Sns": wrapped("Complaint")});
    assert_eq!(take(&harness.flow, &record).await, Ok(Taken::Noted));
    assert_eq!(take(&harness.flow, &record).await, Ok(Taken::Known), "again");

    let router = countersign::web::router::router(Arc::clone(&harness.flow));
    let post = async |message: &Value| {
        let request = http::Request::post("/hooks/sns").header("content-type", "text/plain; charset=UTF-8");
        let request = request
            .body(axum::body::Body::from(message.to_string()))
            .expect("a request");
        let answer = tower::ServiceExt::oneshot(router.clone(), request).await;
        answer.expect("an answer").status().as_u16()
    };
    assert_eq!(post(&wrapped("Delivery")).await, 200);
    assert_eq!(harness.only_approval().await.mail_notes.len(), 3);
    let confirmation = |url: &str| {
        SNS.message(
            "SubscriptionConfirmation",
            &json!({"Token": "t", "SubscribeURL": url}),
        )
    };
    let at_sns = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=t";
    assert_eq!(post(&confirmation(at_sns)).await, 200);
    assert_eq!(
        post(&confirmation(
            "https://evil.example/?Action=ConfirmSubscription&Token=t"
        ))
        .await,
        400
    );
    let mut changed = wrapped("Bounce");
    changed["MessageId"] = json!("another");
    let elsewhere = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-fedcba9876543210.pem";
    let unknown = SNS.message("Notification", &json!({"SigningCertURL": elsewhere}));
    for (message, status) in [
        (&changed, 400),
        (&unknown, 503),
        (&json!({}), 400),
        (&Value::Null, 400),
    ] {
        assert_eq!(post(message).await, status, "{message}");
    }
    let validated = json!({"Message": "Successfully validated SNS topic for Amazon SES event publishing."});
    assert_eq!(post(&SNS.message("Notification", &validated)).await, 200);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_mail_that_cannot_be_sent_is_looked_at_by_somebody() {
    for (code, word) in [
        ("MessageRejected", "was refused"),
        ("SendingPausedException", "can't be sent: sending is paused"),
    ] {
        let harness = Harness::start().await;
        harness.faults.next("SendEmail", 2, Fault::Refused(400, code));
        harness.start_workflow(&ask_bob()).await;
        harness.pass(SignedDuration::from_secs(2)).await;
        let approval = harness.only_approval().await;
        assert_eq!(listed(&harness).await, [approval.id], "{code}");
        let told = explain(&approval, harness.clock.now(), "UTC").join(" ");
        assert!(told.contains(&format!("The mail to Bob {word}")), "{told}");
        harness.faults.clear();
        operate::resend(&harness.flow, approval.id, None)
            .await
            .expect("mailed again");
        harness.settle().await;
        assert_eq!(
            (listed(&harness).await.len(), in_index(&harness).await),
            (0, 0),
            "{code}: it is sent"
        );
        harness
            .answer(&harness.link("bob@example.com").await, "approve", "", "Bob")
            .await;
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_is_tried_in_vain_again_and_again_is_looked_at_by_somebody() {
    let harness = Harness::start().await;
    harness
        .faults
        .next("SendEmail", 100, Fault::Refused(500, "InternalServiceError"));
    harness.start_workflow(&ask_bob()).await;
    harness.pass(SignedDuration::from_mins(5)).await;
    assert!(listed(&harness).await.is_empty(), "it may mend itself");
    harness.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(listed(&harness).await.len(), 1);
    harness.pass(SignedDuration::from_hours(24)).await;
    assert_eq!(in_index(&harness).await, 1, "said once");
    harness.faults.clear();
    harness.pass(SignedDuration::from_hours(8)).await;
    assert_eq!((listed(&harness).await.len(), in_index(&harness).await), (0, 0));
    assert_eq!(harness.aws.mails().len(), 1);
    harness
        .answer(&harness.link("bob@example.com").await, "approve", "", "Bob")
        .await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn events_and_answers_at_the_same_moment_leave_nothing_behind() {
    for round in 0..8_u64 {
        let harness = Harness::start().await;
        let approval = asked(&harness).await;
        let message = message_of(&approval.signers[0]);
        let events =
            ["Bounce", "Delivery", "Complaint", "Bounce"].map(|kind| event(&approval, 0, kind, &message));
        let flow = Arc::clone(&harness.flow);
        let told = async move {
            tokio::time::sleep(Duration::from_millis(round)).await;
            let all = events.iter().map(|event| take(&flow, event));
            futures_util::future::join_all(all).await
        };
        let which = operate::Which::Id(approval.id);
        let (taken, completed) = tokio::join!(told, operate::complete(&harness.flow, &which, None, None));
        assert!(taken.iter().all(Result::is_ok), "{taken:?}");
        completed.expect("a bounce keeps nobody from answering");
        harness.settle().await;
        assert_eq!(
            (listed(&harness).await.len(), in_index(&harness).await),
            (0, 0),
            "round {round}"
        );
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bouncing_address_is_told_from_ses_to_the_operator() {
    let harness = Harness::start().await;
    let queue = bus_to_queue(&harness).await;
    let polling = harness.poll(Ways {
        mail_events: vec![queue],
        ..Ways::default()
    });
    let signer = |name: &str| json!({"name": name, "email": format!("{name}@simulator.amazonses.com")});
    let ask = json!({
        "title": "Release", "signers": [signer("bounce"), signer("success"), signer("complaint")],
    });
    harness.start_workflow(&ask).await;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if harness.only_approval().await.mail_notes.len() == 4 {
            break;
        }
    }
    let approval = harness.only_approval().await;
    assert_eq!(
        attention(&approval),
        [
            "the mail to bounce bounced: the mail server doesn't take mail for this address (5.1.1)",
            "the mail to complaint was called spam by the recipient",
        ]
    );
    assert_eq!(listed(&harness).await, [approval.id]);
    let told = explain(&approval, harness.clock.now(), "UTC").join(" ");
    assert!(told.contains("Waiting for success: mail sent"), "{told}");
    polling.stop().await;
    let which = operate::Which::Id(approval.id);
    operate::complete(&harness.flow, &which, None, None)
        .await
        .expect("completed");
    harness.settle().await;
    assert_eq!(in_index(&harness).await, 0);
    harness.finish().await;
}

/// SES tells of mails with the configuration set `countersign`; a rule of the bus puts it into a queue, which has one for
/// what can't be taken. Gives its address.
async fn bus_to_queue(harness: &Harness) -> String {
    let ses = aws_sdk_sesv2::Client::new(&harness.sdk);
    let made = ses
        .create_configuration_set()
        .configuration_set_name("countersign");
    made.send().await.expect("a configuration set");
    let bus = EventBridgeDestination::builder()
        .event_bus_arn("arn:aws:events:us-east-1:123456789012:event-bus/default")
        .build()
        .expect("a bus");
    let destination = EventDestinationDefinition::builder()
        .enabled(true)
        .set_matching_event_types(Some(vec![
            EventType::Delivery,
            EventType::Bounce,
            EventType::Complaint,
        ]))
        .event_bridge_destination(bus)
        .build();
    ses.create_configuration_set_event_destination()
        .configuration_set_name("countersign")
        .event_destination_name("bus")
        .event_destination(destination)
        .send()
        .await
        .expect("a destination");
    let queue = harness.queue("mails").await;
    for (operation, body) in [
        (
            "PutRule",
            json!({"Name": "mails", "EventPattern": json!({"source": ["aws.ses"]}).to_string()}),
        ),
        (
            "PutTargets",
            json!({"Rule": "mails", "Targets": [{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:mails"}]}),
        ),
    ] {
        let request = http::Request::post("/")
            .header("x-amz-target", format!("AWSEvents.{operation}"))
            .body(body.to_string().into())
            .expect("a request");
        assert_eq!(harness.aws.handle(request).await.status(), 200, "{operation}");
    }
    queue.url
}
