//! A table that was restored from a copy of yesterday: callbacks have been delivered since, people have answered, and the
//! table knows nothing of it. Nothing is asked again, and nobody is told what isn't so.

use super::harness::{Fault, Harness, approval_machine, ask_bob};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use countersign::domain::callback::Callback;
use countersign::domain::decision::{RequestState, WorkflowEnd};
use countersign::intake::Ways;
use countersign::store::{DueItem, DueWhat};
use countersign::worker;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::HashMap;

type Items = Vec<HashMap<String, AttributeValue>>;

impl Harness {
    /// A copy of the table, as DynamoDB's backups make it.
    async fn backup(&self) -> Items {
        let client = aws_sdk_dynamodb::Client::new(&self.sdk);
        let scan = client.scan().table_name("countersign").into_paginator().items();
        scan.send().collect::<Result<_, _>>().await.unwrap()
    }

    /// The table as it was.
    async fn restore(&self, copy: Items) {
        let client = aws_sdk_dynamodb::Client::new(&self.sdk);
        for item in self.backup().await {
            client
                .delete_item()
                .table_name("countersign")
                .key("pk", item["pk"].clone())
                .key("sk", item["sk"].clone())
                .send()
                .await
                .unwrap();
        }
        for chunk in copy.chunks(25) {
            let puts = chunk.iter().map(|item| {
                let put = PutRequest::builder()
                    .set_item(Some(item.clone()))
                    .build()
                    .unwrap();
                WriteRequest::builder().put_request(put).build()
            });
            let batch = client
                .batch_write_item()
                .request_items("countersign", puts.collect());
            batch.send().await.unwrap();
        }
    }

    fn mails_to_bob(&self) -> usize {
        self.aws.mails_to("bob@example.com").len()
    }

    async fn state(&self) -> RequestState {
        self.only_approval().await.record.state
    }

    async fn ended_callback(&self) -> Callback {
        match self.state().await {
            RequestState::Ended(ended) => ended.callback,
            other => panic!("not ended: {other:?}"),
        }
    }

    /// Bob is asked by a workflow that goes on for two days after his answer: so it runs, but no longer waits for him.
    async fn start_long_workflow(&self, more: Value, known: bool) -> String {
        let mut request = ask_bob();
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let mut machine = approval_machine(&request, json!({}));
        if !known {
            let payload = &mut machine["States"]["Ask"]["Parameters"]["Payload"];
            payload.as_object_mut().unwrap().remove("execution");
        }
        let ask = machine["States"]["Ask"].as_object_mut().unwrap();
        ask.remove("End");
        ask.insert("Next".into(), json!("Go on"));
        ask.insert(
            "Catch".into(),
            json!([{"ErrorEquals": ["States.ALL"], "Next": "Go on"}]),
        );
        machine["States"]["Go on"] = json!({"Type": "Wait", "Seconds": 172_800, "End": true});
        self.start_machine(&machine, "{}").await
    }
}

fn day() -> SignedDuration {
    SignedDuration::from_hours(24)
}

#[tokio::test(start_paused = true)]
async fn who_has_answered_is_asked_nothing_more() {
    for known in [true, false] {
        let harness = Harness::start().await;
        // A reminder and the deadline lie between the copy and now.
        let more = json!({
            "timeoutSeconds": 40_000,
            "reminders": {"afterSeconds": 7200, "everySeconds": 7200, "max": 3},
        });
        let execution = harness.start_long_workflow(more, known).await;
        let path = harness.link("bob@example.com").await;
        harness.settle().await;
        let copy = harness.backup().await;
        harness.answer(&path, "approve", "", "Bob").await;
        harness.pass(day()).await;
        let before = harness.mails_to_bob();
        assert_eq!(before, 2, "the invitation and the receipt");

        harness.restore(copy).await;
        assert!(harness.only_approval().await.is_pending());
        harness.pass(SignedDuration::from_hours(2)).await;
        assert_eq!(harness.result(&execution).await.0, "RUNNING");
        let RequestState::Orphaned { because, .. } = harness.state().await else {
            panic!("{known}: {:?}", harness.state().await)
        };
        let page = harness.get(&path).await;
        if known {
            let status = Some("approved".to_owned());
            assert_eq!(because, WorkflowEnd::Answered { status });
            assert!(
                page.text().contains("This was answered before"),
                "{}",
                page.text()
            );
        } else {
            assert_eq!(because, WorkflowEnd::TokenClosed);
        }
        assert!(page.text().contains("too late"), "{}", page.text());
        assert_eq!(harness.mails_to_bob(), before, "{known}: mailed again");
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_opened_before_the_worker_came_by_asks_the_workflow_first() {
    let harness = Harness::start().await;
    harness.start_long_workflow(json!({}), true).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    harness.settle().await;
    let copy = harness.backup().await;
    harness.post(&path, &token, "approve", "", "Bob").await;
    // A workflow is asked once in ten seconds at most.
    harness.pass(SignedDuration::from_mins(1)).await;
    harness.restore(copy).await;
    let page = harness
        .post(&path, &token, "reject", "I changed my mind", "Bob")
        .await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(
        page.text().contains("This was answered before"),
        "{}",
        page.text()
    );
    assert!(matches!(harness.state().await, RequestState::Orphaned { .. }));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_still_open_goes_on_as_if_nothing_had_been() {
    let harness = Harness::start().await;
    let request = json!({"reminders": {"afterSeconds": 90_000, "everySeconds": 90_000, "max": 1}});
    let execution = harness.start_long_workflow(request, true).await;
    let path = harness.link("bob@example.com").await;
    harness.settle().await;
    let copy = harness.backup().await;
    harness.pass(day()).await;
    harness.restore(copy).await;
    harness.pass(SignedDuration::from_hours(2)).await;
    assert!(harness.only_approval().await.is_pending());
    assert_eq!(harness.mails_to_bob(), 2, "the invitation and its reminder");
    let page = harness.answer(&path, "approve", "", "Bob").await;
    assert!(page.text().contains("approval was recorded"), "{}", page.text());
    assert!(matches!(
        harness.ended_callback().await,
        Callback::Delivered { .. }
    ));
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn mails_wait_until_the_workflow_can_be_asked() {
    let harness = Harness::start().await;
    harness.faults.next(
        "SendEmail",
        usize::MAX / 2,
        Fault::Refused(503, "ServiceUnavailable"),
    );
    harness.start_long_workflow(json!({}), true).await;
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    let copy = harness.backup().await;
    harness.pass(day()).await;
    harness.restore(copy).await;
    harness.faults.clear();
    let down = Fault::Refused(503, "ServiceUnavailable");
    harness.faults.next("SendTaskHeartbeat", usize::MAX / 2, down);
    tokio::time::sleep(std::time::Duration::from_hours(3)).await;
    assert_eq!(harness.mails_to_bob(), 0, "mailed before the workflow was asked");
    harness.faults.clear();
    harness.pass(SignedDuration::from_mins(30)).await;
    assert_eq!(harness.mails_to_bob(), 1);
    harness.finish().await;
}

/// Bob's approval is written and throttled on its way; a copy is made; then it is delivered, and time passes.
async fn delivered_since(harness: &Harness, known: bool, ago: SignedDuration) -> Items {
    harness.start_long_workflow(json!({}), known).await;
    let path = harness.link("bob@example.com").await;
    let throttled = Fault::Refused(400, "ThrottlingException");
    harness.faults.next("SendTaskSuccess", 3, throttled);
    harness.answer(&path, "approve", "", "Bob").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(matches!(harness.ended_callback().await, Callback::Queued(_)));
    let copy = harness.backup().await;
    harness.pass(ago).await;
    assert!(matches!(
        harness.ended_callback().await,
        Callback::Delivered { .. }
    ));
    copy
}

#[tokio::test(start_paused = true)]
async fn a_callback_delivered_since_is_found_out() {
    let harness = Harness::start().await;
    let copy = delivered_since(&harness, true, day()).await;
    harness.restore(copy).await;
    harness.pass(SignedDuration::from_hours(1)).await;
    let callback = harness.ended_callback().await;
    assert!(matches!(callback, Callback::Delivered { .. }), "{callback:?}");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_history_an_operator_is_asked_rather_than_bob_told_that_he_was_late() {
    let harness = Harness::start().await;
    let copy = delivered_since(&harness, false, day()).await;
    harness.restore(copy).await;
    harness.pass(SignedDuration::from_hours(1)).await;
    let Callback::Parked(parked) = harness.ended_callback().await else {
        panic!("{:?}", harness.ended_callback().await)
    };
    assert!(parked.reason.contains("restored"), "{}", parked.reason);
    let subjects: Vec<String> = harness
        .aws
        .mails_to("bob@example.com")
        .into_iter()
        .map(|mail| mail.subject)
        .collect();
    assert!(
        !subjects.iter().any(|subject| subject.contains("too late")),
        "{subjects:?}"
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_fell_due_just_before_the_processes_began_again_may_have_been_delivered_too() {
    let harness = Harness::start().await;
    let copy = delivered_since(&harness, false, SignedDuration::from_mins(1)).await;
    harness.restore(copy).await;
    let id = harness.only_approval().await.id;
    let what = DueWhat::Request;
    let begun_again = harness.another_app(Ways::default()).flow();
    worker::step(&begun_again, DueItem { id, what }).await.unwrap();
    let callback = harness.ended_callback().await;
    assert!(matches!(callback, Callback::Parked(_)), "{callback:?}");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passed_since_expires_nothing_that_was_answered_before_it() {
    let harness = Harness::start().await;
    let execution = harness
        .start_long_workflow(json!({"timeoutSeconds": 3600}), true)
        .await;
    let path = harness.link("bob@example.com").await;
    harness.settle().await;
    let copy = harness.backup().await;
    harness.answer(&path, "approve", "", "Bob").await;
    harness.pass(day()).await;
    harness.restore(copy).await;
    harness.pass(SignedDuration::from_hours(1)).await;
    let state = harness.state().await;
    assert!(matches!(state, RequestState::Orphaned { .. }), "{state:?}");
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    harness.finish().await;
}
