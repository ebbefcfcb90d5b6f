//! The promise: a decision that a person saw acknowledged reaches Step Functions or is proven moot, and is made once,
//! whatever happens to the calls.

use super::harness::{Fault, Harness, ask_bob};
use countersign::domain::callback::Callback;
use countersign::domain::decision::RequestState;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

async fn callback(harness: &Harness) -> Callback {
    match harness.only_approval().await.record.state {
        RequestState::Ended(ended) => ended.callback,
        other => panic!("not ended: {other:?}"),
    }
}

/// Bob approves while `fault` meets the next `calls` SendTaskSuccess.
async fn approve_under(fault: Fault, calls: usize) -> (Harness, String, String) {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    harness.faults.next("SendTaskSuccess", calls, fault);
    let page = harness.answer(&path, "approve", "", "Bob").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("approval was recorded"), "{}", page.text());
    (harness, execution, path)
}

#[tokio::test(start_paused = true)]
async fn step_functions_down_for_72_hours_delays_the_decision_and_loses_nothing() {
    let (harness, execution, _) =
        approve_under(Fault::Refused(503, "ServiceUnavailable"), usize::MAX / 2).await;
    harness.pass(SignedDuration::from_hours(72)).await;
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    assert!(matches!(callback(&harness).await, Callback::Queued(queued) if queued.attempts > 70));
    harness.faults.clear();
    harness.pass(SignedDuration::from_mins(90)).await;
    assert_eq!(harness.result(&execution).await.0, "SUCCEEDED");
    assert!(matches!(callback(&harness).await, Callback::Delivered { .. }));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_arrived_is_made_again() {
    let (harness, execution, _) = approve_under(Fault::Lost, 3).await;
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_from_the_history() {
    let (harness, execution, path) = approve_under(Fault::AnswerLost, 1).await;
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.settle().await;
    assert!(
        matches!(callback(&harness).await, Callback::Delivered { .. }),
        "{:?}",
        callback(&harness).await
    );
    assert!(harness.get(&path).await.text().contains("already approved"));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out() {
    let (harness, execution, _) = approve_under(Fault::Refused(400, "ThrottlingException"), 4).await;
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_has_to_mend_is_parked_with_its_reason() {
    for code in [
        "AccessDeniedException",
        "InvalidToken",
        "KmsAccessDeniedException",
        "InvalidOutput",
    ] {
        let (harness, execution, path) = approve_under(Fault::Refused(400, code), 1).await;
        harness.settle().await;
        let Callback::Parked(parked) = callback(&harness).await else {
            panic!("{code}: not parked")
        };
        assert!(parked.reason.contains(code), "{}", parked.reason);
        let state = harness
            .dump()
            .await
            .into_iter()
            .find(|item| item["sk"] == "S")
            .unwrap();
        assert!(
            state["list"].as_str().unwrap().starts_with("attention#"),
            "{state}"
        );
        assert!(harness.get(&path).await.text().contains("already approved"));
        harness.pass(SignedDuration::from_hours(2)).await;
        assert_eq!(
            harness.faults.left(),
            0,
            "{code}: it is not tried again by itself"
        );
        assert_eq!(harness.result(&execution).await.0, "RUNNING");
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_workflow_that_just_ended_is_moot_and_the_signer_is_told() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    // The page asks whether the workflow waits; within the next ten seconds nobody asks again.
    let token = harness.get(&path).await.form_token();
    harness
        .sfn()
        .stop_execution()
        .execution_arn(&execution)
        .send()
        .await
        .unwrap();
    let page = harness.post(&path, &token, "approve", "", "Bob").await;
    assert!(page.text().contains("too late"), "{}", page.text());
    assert!(matches!(callback(&harness).await, Callback::Moot { .. }));
    harness.settle().await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    harness.settle().await;
    let mails = harness.aws.mails_to("bob@example.com");
    assert_eq!(
        mails.len(),
        2,
        "{:?}",
        mails.iter().map(|mail| &mail.subject).collect::<Vec<_>>()
    );
    assert!(mails[0].subject.contains("too late"), "{}", mails[0].subject);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_workflow_that_ended_after_a_lost_call_is_told_apart_from_one_that_took_it() {
    // The call is lost on its way, then the execution is stopped: our next call meets a closed token.
    let (harness, execution, _) = approve_under(Fault::Lost, 2).await;
    harness
        .sfn()
        .stop_execution()
        .execution_arn(&execution)
        .send()
        .await
        .unwrap();
    harness.pass(SignedDuration::from_mins(10)).await;
    let Callback::Moot { because, .. } = callback(&harness).await else {
        panic!("{:?}", callback(&harness).await)
    };
    assert_eq!(because, "the waiting state ended with ExecutionAborted");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_is_not_kept_waiting_while_a_history_is_read() {
    let harness = Harness::start().await;
    harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    let closed = Fault::Refused(400, "TaskTimedOut");
    harness.faults.next("SendTaskSuccess", 1, closed);
    harness
        .faults
        .next("GetExecutionHistory", usize::MAX / 2, Fault::Slow);
    let sent = tokio::time::Instant::now();
    let page = harness.post(&path, &token, "approve", "", "Bob").await;
    assert!(page.text().contains("approval was recorded"), "{}", page.text());
    assert!(sent.elapsed().as_secs() < 3, "{:?}", sent.elapsed());
    assert!(matches!(callback(&harness).await, Callback::Queued(_)));
    harness.faults.clear();
    harness.settle().await;
    assert!(matches!(callback(&harness).await, Callback::Delivered { .. }));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_could_not_be_written_down_is_found_out() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    // The decision is a transaction; the callback's mark is the next PutItem.
    harness.faults.next("PutItem", 3, Fault::Lost);
    let page = harness.post(&path, &token, "approve", "", "Bob").await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.pass(SignedDuration::from_mins(2)).await;
    assert!(matches!(callback(&harness).await, Callback::Delivered { .. }));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn when_the_decision_can_t_be_written_nobody_is_told_that_it_was() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    harness.faults.next("TransactWriteItems", 3, Fault::Lost);
    let page = harness
        .post(&path, &token, "approve", "What I typed", "Bob")
        .await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("What I typed"), "{}", page.body);
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    assert!(harness.only_approval().await.is_pending());
    assert_eq!(
        harness
            .post(&path, &token, "approve", "What I typed", "Bob")
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_decision_whose_own_answer_was_lost_is_still_one_decision() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    harness.faults.next("TransactWriteItems", 1, Fault::AnswerLost);
    let page = harness.answer(&path, "approve", "", "Bob").await;
    assert!(
        page.text().contains("approved") || page.text().contains("approval"),
        "{}",
        page.text()
    );
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    assert_eq!(harness.only_approval().await.events.len(), 2);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_long_comments_fit_into_the_output() {
    let harness = Harness::start().await;
    let signers: Vec<Value> = (0..100)
        .map(|n| json!({"name": format!("S{n}"), "email": format!("s{n}@example.com")}))
        .collect();
    let execution = harness
        .start_workflow(&json!({"title": "Long", "signers": signers}))
        .await;
    for n in 0..100 {
        let path = harness.link(&format!("s{n}@example.com")).await;
        harness
            .answer(&path, "approve", &"ü".repeat(2000), &format!("S{n}"))
            .await;
    }
    let (status, output) = harness.ended(&execution).await;
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(output["commentsOmitted"], true);
    assert_eq!(output["responses"].as_array().unwrap().len(), 100);
    harness.finish().await;
}
