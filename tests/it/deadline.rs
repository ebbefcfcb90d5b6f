//! Time: deadlines, reminders, heartbeats, and noticing that a workflow has ended.

use super::harness::{Harness, approval_machine, ask_bob};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

fn with(more: Value) -> Value {
    let mut request = ask_bob();
    request
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    request
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_workflow_gets_expired() {
    let harness = Harness::start().await;
    let execution = harness
        .start_workflow(&with(json!({"timeoutSeconds": 3600})))
        .await;
    let path = harness.link("bob@example.com").await;
    let page = harness.get(&path).await;
    assert!(
        page.text().contains("10:00"),
        "the deadline is shown: {}",
        page.text()
    );
    harness.pass(SignedDuration::from_mins(61)).await;
    let (status, result) = harness.result(&execution).await;
    assert_eq!(
        (status.as_str(), &result["error"]),
        ("FAILED", &json!("Approval.Expired"))
    );
    assert_eq!(result["cause"]["notAnswered"], json!(["Bob"]));
    let late = harness
        .post(&path, &page.form_token(), "approve", "", "Bob")
        .await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.text().contains("too late"), "{}", late.text());
    assert!(
        harness.aws.mails_to("bob@example.com")[0]
            .subject
            .starts_with("No longer needed")
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_the_deadline_itself_comes_too_late_even_before_the_timer() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&with(json!({"timeoutSeconds": 60}))).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    let late = harness.post(&path, &token, "approve", "", "Bob").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert_eq!(harness.ended(&execution).await.1["error"], "Approval.Expired");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_may_have_an_outcome_of_its_own() {
    let harness = Harness::start().await;
    let execution = harness
        .start_workflow(&with(json!({"timeoutSeconds": 60, "onTimeout": "approve"})))
        .await;
    harness.pass(SignedDuration::from_mins(2)).await;
    let (status, output) = harness.result(&execution).await;
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(
        (&output["status"], &output["outcome"]),
        (&json!("expired"), &json!("approve"))
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn people_are_reminded_as_often_as_asked_and_not_after_they_answered() {
    let harness = Harness::start().await;
    let reminders = json!({"reminders": {"afterSeconds": 3600, "everySeconds": 600, "max": 3}});
    harness.start_workflow(&with(reminders)).await;
    let path = harness.link("bob@example.com").await;
    harness.pass(SignedDuration::from_mins(65)).await;
    assert_eq!(harness.aws.mails().len(), 2);
    let reminder = &harness.aws.mails()[0];
    assert!(
        reminder.subject.starts_with("Still waiting for you"),
        "{}",
        reminder.subject
    );
    assert!(reminder.text.as_deref().unwrap().contains(&path), "the same link");
    harness.pass(SignedDuration::from_mins(10)).await;
    assert_eq!(harness.aws.mails().len(), 3);
    harness.answer(&path, "approve", "", "Bob").await;
    harness.pass(SignedDuration::from_hours(24)).await;
    assert_eq!(
        harness.aws.mails().len(),
        4,
        "two reminders, then a receipt and no more"
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn reminders_end() {
    let harness = Harness::start().await;
    harness
        .start_workflow(&with(json!({"reminders": {"everySeconds": 60, "max": 2}})))
        .await;
    harness.pass(SignedDuration::from_hours(5)).await;
    assert_eq!(harness.aws.mails().len(), 3);
    harness
        .answer(&harness.link("bob@example.com").await, "approve", "", "Bob")
        .await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_the_workflow_waiting() {
    let harness = Harness::start().await;
    let machine = approval_machine(
        &with(json!({"heartbeatSeconds": 60})),
        json!({"HeartbeatSeconds": 60}),
    );
    let execution = harness.start_machine(&machine, "{}").await;
    harness.pass(SignedDuration::from_mins(30)).await;
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    harness
        .answer(&harness.link("bob@example.com").await, "approve", "", "Bob")
        .await;
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_on_a_closed_token_closes_the_request() {
    let harness = Harness::start().await;
    let machine = approval_machine(
        &with(json!({"heartbeatSeconds": 60})),
        json!({"TimeoutSeconds": 90}),
    );
    harness.start_machine(&machine, "{}").await;
    harness.pass(SignedDuration::from_mins(3)).await;
    assert_eq!(harness.only_approval().await.record.state.status(), "orphaned");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_workflow_that_ends_closes_its_request_within_the_hour_by_itself() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    harness.first_mail("bob@example.com").await;
    harness
        .sfn()
        .stop_execution()
        .execution_arn(&execution)
        .send()
        .await
        .unwrap();
    assert!(harness.only_approval().await.is_pending());
    harness.pass(SignedDuration::from_mins(61)).await;
    assert_eq!(harness.only_approval().await.record.state.status(), "orphaned");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_an_execution_s_arn_the_token_itself_is_asked() {
    let harness = Harness::start().await;
    let mut machine = approval_machine(&ask_bob(), json!({"TimeoutSeconds": 60}));
    machine["States"]["Ask"]["Parameters"]["Payload"]
        .as_object_mut()
        .unwrap()
        .remove("execution");
    harness.start_machine(&machine, "{}").await;
    let path = harness.link("bob@example.com").await;
    assert_eq!(harness.get(&path).await.status, StatusCode::OK);
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    assert!(harness.get(&path).await.text().contains("too late"));
    assert_eq!(harness.only_approval().await.record.state.status(), "orphaned");
    harness.finish().await;
}
