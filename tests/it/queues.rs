//! Requests that come in a queue: each is taken in once or refused where its workflow hears of it; what can't be taken
//! in is put away with the reason; and nothing is lost, whatever happens on the way.

use super::events::wrapped;
use super::harness::{Fault, Harness, ask_bob, request};
use super::ways::{machine_over, reason};
use aws_sdk_sqs::types::QueueAttributeName;
use countersign::intake::Ways;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_workflow_asks_by_a_queue_and_goes_on_as_was_decided() {
    for (outcome, expected) in [
        ("approve", ("SUCCEEDED", "approved")),
        ("reject", ("FAILED", "Approval.Rejected")),
    ] {
        let harness = Harness::start().await;
        let queue = harness.queue("approvals").await;
        let polling = harness.poll_queue(&queue);
        let machine = machine_over(&queue, &ask_bob(), json!({}));
        let execution = harness.start_machine(&machine, "{}").await;
        let path = harness.link("bob@example.com").await;
        assert_eq!(
            harness.answer(&path, outcome, "Because.", "Bob").await.status,
            200
        );
        let (status, result) = harness.ended(&execution).await;
        let told = result["status"].as_str().or(result["error"].as_str()).unwrap();
        assert_eq!((status.as_str(), told), expected, "{result}");
        assert_eq!(harness.count(&queue.url).await, 0);
        polling.stop().await;
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_and_a_workflow_s_own_time_out_are_as_for_every_other_way() {
    let harness = Harness::start().await;
    let queue = harness.queue("approvals").await;
    let polling = harness.poll_queue(&queue);
    let mut asked = ask_bob();
    asked["timeoutSeconds"] = json!(600);
    let expires = harness
        .start_machine(&machine_over(&queue, &asked, json!({})), "{}")
        .await;
    let dies = machine_over(&queue, &ask_bob(), json!({"TimeoutSeconds": 300}));
    let dies = harness.start_machine(&dies, "{}").await;
    harness.pass(SignedDuration::from_mins(11)).await;
    assert_eq!(harness.ended(&expires).await.1["error"], "Approval.Expired");
    assert_eq!(harness.ended(&dies).await.1["error"], "States.Timeout");
    let mails = harness.aws.mails_to("bob@example.com");
    let path = super::harness::path_of_link(mails.last().unwrap());
    assert!(!harness.get(&path).await.body.contains("name=\"outcome\""));
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_wraps_it_the_same_request_is_one_approval() {
    let harness = Harness::start().await;
    let queue = harness.queue("approvals").await;
    let asked = request("token");
    let event = wrapped("eventbridge", &asked);
    let notification = wrapped("sns-notification", &asked);
    for body in [
        &asked,
        &wrapped("eventbridge", &notification),
        &notification,
        &wrapped("sns-notification", &event),
        &event,
        &asked,
    ] {
        harness.send_to(&queue.url, &body.to_string()).await;
    }
    let polling = harness.poll_queue(&queue);
    harness.settle().await;
    assert_eq!(
        harness.only_approval().await.body.terms.title,
        "Release to production"
    );
    assert_eq!(harness.aws.mails().len(), 1);
    assert_eq!(harness.left(&queue).await, (0, 0));
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_fails_the_state_that_asked() {
    let harness = Harness::start().await;
    let queue = harness.queue("approvals").await;
    let polling = harness.poll_queue(&queue);
    let mut asked = ask_bob();
    asked["colour"] = json!("blue");
    asked["signers"] = json!([{"name": "Bob", "email": "bob at example"}]);
    let execution = harness
        .start_machine(&machine_over(&queue, &asked, json!({})), "{}")
        .await;
    let (status, result) = harness.ended(&execution).await;
    assert_eq!(
        (status.as_str(), &result["error"]),
        ("FAILED", &json!("Approval.InvalidRequest"))
    );
    let cause = &result["cause"];
    assert_eq!(cause["status"], "refused");
    let fields: Vec<&str> = cause["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["signers[0].email", "colour"], "{cause}");
    assert!(
        cause["message"]
            .as_str()
            .unwrap()
            .contains("is not a mail address"),
        "{cause}"
    );
    assert_eq!(harness.left(&queue).await, (0, 0));
    // Delivered once more, it finds the state gone.
    harness
        .faults
        .next("SendTaskFailure", 1, Fault::Refused(400, "ThrottlingException"));
    let machine = machine_over(&queue, &asked, json!({"TimeoutSeconds": 1}));
    let execution = harness.start_machine(&machine, "{}").await;
    assert_eq!(harness.ended(&execution).await.1["error"], "States.Timeout");
    harness.pass(SignedDuration::from_mins(2)).await;
    assert_eq!(harness.left(&queue).await, (0, 0));
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_can_be_told_of_is_put_away_with_the_reason() {
    let harness = Harness::start().await;
    let queue = harness.queue("approvals").await;
    let dead = [
        (
            "approve this, please",
            "the message is no JSON: see line 1, column 1",
        ),
        ("[1, 2]", "must be an object, not a list"),
        (r#"{"title": "Approve"}"#, "taskToken: is missing"),
        (
            r#"{"taskToken": "", "title": "Approve"}"#,
            "taskToken: must not be empty",
        ),
        (
            r#"{"taskToken": "a", "stepFunctionToken": "b"}"#,
            "can't be given beside taskToken",
        ),
        (
            r#"{"taskToken": "not-a-token-of-aws", "title": "Approve"}"#,
            "its workflow can't be told: InvalidToken",
        ),
        (r#"{"countersign": "wake"}"#, "taskToken: is missing"),
    ];
    for (body, _) in dead {
        harness.send_to(&queue.url, body).await;
    }
    let polling = harness.poll_queue(&queue);
    harness.settle().await;
    assert_eq!(harness.count(&queue.url).await, 0);
    let letters = harness.received(&queue.dead).await;
    assert_eq!(letters.len(), dead.len());
    for (body, expected) in dead {
        let letter = letters
            .iter()
            .find(|letter| letter.body() == Some(body))
            .expect("it is put away");
        assert!(reason(letter).contains(expected), "{body}: {}", reason(letter));
        assert!(!reason(letter).contains("not-a-token-of-aws"));
        let attributes = letter.message_attributes.as_ref().unwrap();
        assert_eq!(
            attributes["CountersignQueue"].string_value(),
            Some(queue.url.as_str())
        );
    }
    assert!(harness.dump().await.is_empty());
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_known_is_never_failed_by_a_bad_duplicate() {
    let harness = Harness::start().await;
    let queue = harness.queue("approvals").await;
    let execution = harness
        .start_machine(&machine_over(&queue, &ask_bob(), json!({})), "{}")
        .await;
    let message = harness.received(&queue.url).await.pop().expect("the request");
    let asked: Value = serde_json::from_str(message.body().unwrap()).unwrap();
    let bad = json!({"taskToken": asked["taskToken"], "title": 5}).to_string();
    // The request is being taken in, and breaks off before it is an approval; then the bad one comes.
    harness.faults.next("BatchWriteItem", 3, Fault::Lost);
    let first = harness
        .invoke(countersign::intake::invoke::Function::Intake, asked.clone())
        .await;
    assert_eq!(first.expect_err("cut off").0, "Approval.Unavailable");
    harness.send_to(&queue.url, &bad).await;
    let polling = harness.poll_queue(&queue);
    // The first delivery becomes visible again after half a minute.
    harness.pass(SignedDuration::from_mins(2)).await;
    harness.send_to(&queue.url, &bad).await;
    harness.pass(SignedDuration::from_mins(2)).await;
    assert_eq!(harness.left(&queue).await, (0, 0));
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    let path = harness.link("bob@example.com").await;
    harness.answer(&path, "approve", "", "Bob").await;
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_table_uses_up_no_receives() {
    let harness = Harness::start().await;
    let queue = harness.queue("approvals").await;
    let polling = harness.poll_queue(&queue);
    tokio::time::sleep(Duration::from_secs(30)).await;
    for operation in ["PutItem", "GetItem", "Query"] {
        harness.faults.next(
            operation,
            usize::MAX / 4,
            Fault::Refused(400, "ResourceNotFoundException"),
        );
    }
    harness.send_to(&queue.url, &request("token").to_string()).await;
    tokio::time::sleep(Duration::from_hours(3)).await;
    harness.faults.clear();
    harness.pass(SignedDuration::from_mins(3)).await;
    assert_eq!(harness.left(&queue).await, (0, 0));
    assert_eq!(harness.aws.mails().len(), 1);
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_sqs_delays_and_loses_nothing() {
    for (operation, fault) in [
        ("ReceiveMessage", Fault::Lost),
        ("ReceiveMessage", Fault::AnswerLost),
        ("ReceiveMessage", Fault::Refused(400, "RequestThrottled")),
        ("ReceiveMessage", Fault::Refused(403, "AccessDenied")),
        ("GetQueueAttributes", Fault::Refused(500, "InternalError")),
        ("DeleteMessageBatch", Fault::Lost),
        ("DeleteMessageBatch", Fault::AnswerLost),
        ("SendMessage", Fault::Refused(403, "AccessDenied")),
        ("SendMessage", Fault::Lost),
    ] {
        let harness = Harness::start().await;
        let queue = harness.queue("approvals").await;
        harness.send_to(&queue.url, &request("token").to_string()).await;
        harness.send_to(&queue.url, "poison").await;
        harness.faults.next(operation, 3, fault);
        let polling = harness.poll_queue(&queue);
        harness.pass(SignedDuration::from_mins(10)).await;
        assert_eq!(harness.faults.left(), 0, "{operation} {fault:?}");
        assert_eq!(harness.count(&queue.url).await, 0, "{operation} {fault:?}");
        let letters = harness.received(&queue.dead).await;
        assert!(letters.iter().all(|letter| reason(letter).contains("no JSON")));
        assert!(!letters.is_empty(), "{operation} {fault:?}");
        assert_eq!(harness.aws.mails().len(), 1, "{operation} {fault:?}");
        polling.stop().await;
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_fifo_queue_nothing_overtakes_what_has_to_come_again() {
    let harness = Harness::start().await;
    let queue = harness.queue("approvals.fifo").await;
    for token in ["first", "second", "third"] {
        let mut asked = request(token);
        asked["title"] = json!(format!("Approve {token}"));
        harness.send_to(&queue.url, &asked.to_string()).await;
    }
    harness.send_to(&queue.url, "poison").await;
    // The first message's body can't be written.
    harness
        .faults
        .next("PutItem", 3, Fault::Refused(500, "InternalServerError"));
    let polling = harness.poll_queue(&queue);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(harness.dump().await.is_empty(), "the second waits for the first");
    harness.pass(SignedDuration::from_mins(2)).await;
    let subjects = harness.subjects();
    let place = |token: &str| {
        subjects
            .iter()
            .position(|subject| subject.contains(token))
            .expect("a mail")
    };
    // The newest mail stands first.
    let places = [place("first"), place("second"), place("third")];
    assert!(
        places.is_sorted() || places.iter().rev().is_sorted(),
        "{subjects:?}"
    );
    assert_eq!(harness.count(&queue.url).await, 0);
    let letters = harness.received(&queue.dead).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].body(), Some("poison"));
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_received_is_finished_before_the_process_ends() {
    for after in [0, 1, 2, 3, 5, 8, 13, 21] {
        let harness = Harness::start().await;
        let queue = harness.queue("approvals").await;
        for n in 0..25 {
            harness
                .send_to(&queue.url, &request(&format!("token-{n}")).to_string())
                .await;
        }
        let polling = harness.poll_queue(&queue);
        tokio::time::sleep(Duration::from_millis(after)).await;
        polling.stop().await;
        assert_eq!(
            harness.approval_ids().await.len() + harness.count(&queue.url).await,
            25,
            "after {after} ms"
        );
        // The next process takes what is left, once it is visible again.
        let polling = harness.poll_queue(&queue);
        harness.pass(SignedDuration::from_mins(1)).await;
        assert_eq!(harness.aws.mails().len(), 25, "after {after} ms");
        assert_eq!(harness.left(&queue).await, (0, 0));
        polling.stop().await;
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_without_dead_letters_is_left_alone_until_it_has_some() {
    let harness = Harness::start().await;
    let url = harness.plain_queue("approvals", false).await;
    harness.send_to(&url, &request("token").to_string()).await;
    let ways = |dead: Option<&str>| Ways {
        queues: vec![url.clone()],
        dead_letter_queue: dead.map(str::to_owned),
        ..Ways::default()
    };
    let polling = harness.poll(ways(None));
    harness.pass(SignedDuration::from_mins(5)).await;
    assert_eq!(harness.count(&url).await, 1);
    harness.plain_queue("graves", false).await;
    let policy =
        json!({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:graves", "maxReceiveCount": 3});
    let set = harness.sqs().set_queue_attributes().queue_url(&url);
    let set = set.attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
    set.send().await.unwrap();
    harness.pass(SignedDuration::from_mins(2)).await;
    assert_eq!(harness.count(&url).await, 0);
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_long_for_the_dead_letters_is_cut() {
    let harness = Harness::start().await;
    let queue = harness.queue("approvals").await;
    let set = harness.sqs().set_queue_attributes().queue_url(&queue.dead);
    let set = set.attributes(QueueAttributeName::MaximumMessageSize, "100000");
    set.send().await.unwrap();
    let long = "ü".repeat(100_000);
    harness.send_to(&queue.url, &long).await;
    let polling = harness.poll_queue(&queue);
    harness.settle().await;
    let letters = harness.received(&queue.dead).await;
    assert_eq!(letters.len(), 1);
    assert!(long.starts_with(letters[0].body().unwrap()));
    let attributes = letters[0].message_attributes.as_ref().unwrap();
    assert_eq!(attributes["CountersignBodyBytes"].string_value(), Some("200000"));
    assert_eq!(harness.count(&queue.url).await, 0);
    polling.stop().await;
    harness.finish().await;
}

/// Ten of each request; `DELIVERIES=10000` for a longer queue.
#[tokio::test(start_paused = true)]
async fn of_thousands_of_deliveries_each_request_is_one_approval_and_one_mail() {
    let deliveries = std::env::var("DELIVERIES").map_or(2_000, |count| count.parse().expect("a number"));
    let requests = deliveries / 10;
    let harness = Harness::start().await;
    let queue = harness.queue("approvals").await;
    for delivery in 0..deliveries {
        let body = request(&format!("token-{}", delivery % requests));
        harness.send_to(&queue.url, &body.to_string()).await;
    }
    let polling = harness.poll_queue(&queue);
    while harness.count(&queue.url).await > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    harness.settle().await;
    let approvals = harness.approval_ids().await.len();
    assert_eq!((approvals, harness.aws.mails().len()), (requests, requests));
    assert_eq!(harness.count(&queue.dead).await, 0);
    polling.stop().await;
    harness.finish().await;
}
