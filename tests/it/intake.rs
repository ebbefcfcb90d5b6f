//! What is taken in, what is refused, and that a repeat makes nothing new.

use super::harness::{Fault, Harness, approval_machine, ask_bob, request};
use countersign::intake::invoke::Function;
use countersign::store::StoreError;
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn the_same_request_twice_is_one_approval_and_one_mail() {
    let harness = Harness::start().await;
    let first = harness.open(request("token")).await;
    assert_eq!(harness.open(request("token")).await, first);
    harness.settle().await;
    // With another body, the first stands, whether that body is right or wrong.
    let mut other = request("token");
    other["title"] = json!("Something else");
    assert_eq!(harness.open(other).await, first);
    assert_eq!(
        harness.open(json!({"taskToken": "token", "title": "\n"})).await,
        first
    );
    harness.settle().await;
    assert_eq!(
        harness.only_approval().await.body.terms.title,
        "Release to production"
    );
    assert_eq!(harness.aws.mails().len(), 1);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn sixteen_deliveries_at_the_same_moment_are_one_approval_and_one_mail() {
    let harness = Harness::start().await;
    let deliveries = (0..16).map(|_| {
        let flow = std::sync::Arc::clone(&harness.flow);
        tokio::spawn(async move {
            countersign::intake::invoke::direct_invoke(&flow, Function::Intake, &request("token")).await
        })
    });
    let mut ids = std::collections::BTreeSet::new();
    for delivery in deliveries.collect::<Vec<_>>() {
        ids.insert(delivery.await.unwrap().expect("taken in")["requestId"].to_string());
    }
    assert_eq!(ids.len(), 1);
    harness.settle().await;
    assert_eq!(harness.only_approval().await.signers.len(), 1);
    assert_eq!(harness.aws.mails().len(), 1);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_intake_that_was_cut_off_is_finished_by_the_next_delivery() {
    for operation in ["PutItem", "BatchWriteItem"] {
        for fault in [Fault::Lost, Fault::AnswerLost] {
            // The SDK tries three times; body, signer and state are a PutItem each.
            for calls in [3, 4, 5, 6] {
                let harness = Harness::start().await;
                harness.faults.next(operation, calls, fault);
                let first = harness.invoke(Function::Intake, request("token")).await;
                if let Err((error_type, message)) = &first {
                    assert_eq!(error_type, "Approval.Unavailable", "{message}");
                    assert!(!message.contains("token"), "{message}");
                }
                harness.faults.clear();
                let id = harness.open(request("token")).await;
                assert!(first.is_err() || first.unwrap()["requestId"] == json!(id));
                harness.settle().await;
                assert_eq!(harness.aws.mails().len(), 1, "{operation} {fault:?} {calls}");
                harness.finish().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_request_takes_the_place_of_one_that_was_cut_off_long_ago() {
    let harness = Harness::start().await;
    // The body is written; the signer's item is not.
    harness.faults.next("BatchWriteItem", 3, Fault::Lost);
    let cut_off = harness.invoke(Function::Intake, request("token")).await;
    assert_eq!(cut_off.expect_err("cut off").0, "Approval.Unavailable");
    let mut other = request("token");
    other["title"] = json!("Another title");
    let too_soon = harness.invoke(Function::Intake, other.clone()).await;
    assert_eq!(
        too_soon.expect_err("the first may still be at it").0,
        "Approval.Unavailable"
    );
    harness.pass(jiff::SignedDuration::from_mins(16)).await;
    harness.open(other).await;
    harness.settle().await;
    assert_eq!(harness.only_approval().await.body.terms.title, "Another title");
    assert_eq!(harness.aws.mails().len(), 1);
    assert!(harness.aws.mails()[0].subject.contains("Another title"));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_intake_that_is_never_finished_leaves_nothing_due() {
    let harness = Harness::start().await;
    harness.faults.next("BatchWriteItem", 3, Fault::Lost);
    harness
        .invoke(Function::Intake, request("token"))
        .await
        .expect_err("cut off");
    harness.pass(jiff::SignedDuration::from_mins(16)).await;
    assert!(harness.dump().await.iter().all(|item| item.get("due").is_none()));
    assert!(harness.aws.mails().is_empty());
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_whom_only_the_request_before_asked() {
    let harness = Harness::start().await;
    let mut first = request("token");
    first["signers"] = json!([
        {"name": "Bob", "email": "bob@example.com"},
        {"name": "Carol", "email": "carol@example.com"}
    ]);
    // Body and signers are written; people, event and state are not.
    harness.faults.next("BatchWriteItem", 3, Fault::Lost);
    let cut_off = harness.invoke(Function::Intake, first).await;
    assert_eq!(cut_off.expect_err("cut off").0, "Approval.Unavailable");
    let carol = |items: &[Value]| items.iter().any(|item| item["sk"] == "R#001");
    assert!(carol(&harness.dump().await), "Carol's item is there");

    harness.pass(jiff::SignedDuration::from_mins(16)).await;
    let id = harness.open(request("token")).await;
    assert!(!carol(&harness.dump().await), "Carol is not asked any more");
    let path = harness.link("bob@example.com").await;
    harness.answer(&path, "approve", "", "Bob").await;
    assert_eq!(harness.approval(id).await.record.state.status(), "approved");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_given_up_is_due_again_once_it_is_finished() {
    let harness = Harness::start().await;
    harness.faults.next("BatchWriteItem", 3, Fault::Lost);
    let cut_off = harness.invoke(Function::Intake, request("token")).await;
    assert_eq!(cut_off.expect_err("cut off").0, "Approval.Unavailable");
    harness.pass(jiff::SignedDuration::from_mins(16)).await;
    let due = |items: Vec<Value>| {
        items
            .iter()
            .any(|item| item["sk"] == "R#000" && item.get("due").is_some())
    };
    assert!(!due(harness.dump().await), "given up");

    // As a process does that dies before it mails: what is due has to stand in the table.
    let id = harness.open(request("token")).await;
    assert!(due(harness.dump().await), "the first mail is due");
    // Whoever gives up too late changes nothing.
    let late = harness.flow.store.forget_due(id, 0).await;
    assert_eq!(late, Err(StoreError::Conflict));
    assert!(due(harness.dump().await), "the first mail is still due");
    harness.settle().await;
    assert_eq!(harness.aws.mails().len(), 1);
    harness.finish().await;
}

/// Wrong input of each kind: what is sent, and the field that the refusal names.
fn wrong_requests() -> Vec<(Value, &'static str)> {
    let with = |field: &str, value: Value| {
        let mut request = request("token");
        request[field] = value;
        request
    };
    let without = |field: &str| {
        let mut request = request("token");
        request.as_object_mut().unwrap().remove(field);
        request
    };
    vec![
        (without("taskToken"), "taskToken: is missing"),
        (
            with("taskToken", json!("x".repeat(2049))),
            "taskToken: has 2049 characters",
        ),
        (without("signers"), "signers: is missing"),
        (
            with("signers", json!([])),
            "signers: must name at least one person",
        ),
        (with("colour", json!("blue")), "colour: is not a field"),
        (
            with("signers", json!([{"name": "Bob", "email": "bob at example"}])),
            "signers[0].email: is not a mail address",
        ),
        (
            with("title", json!("Hello\r\nBcc: all@example.com")),
            "title: must be on one line",
        ),
        (
            with("message", json!("x".repeat(300 * 1024))),
            "message: has 307200 bytes",
        ),
        (json!("text"), "must be a JSON object"),
        (json!({"action": 5}), "action: must be text"),
        (json!({"action": "destroy"}), "action: must be"),
    ]
}

#[tokio::test(start_paused = true)]
async fn wrong_input_is_refused_by_the_field_s_name_and_leaves_nothing() {
    let harness = Harness::start().await;
    for (request, expected) in wrong_requests() {
        let (error_type, message) = harness
            .invoke(Function::Intake, request)
            .await
            .expect_err(expected);
        assert_eq!(error_type, "Approval.InvalidRequest");
        assert!(message.contains(expected), "{message}");
    }
    harness.settle().await;
    assert_eq!(harness.dump().await, Vec::<Value>::new());
    assert!(harness.aws.mails().is_empty());
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn to_a_workflow_wrong_input_is_the_error_invalid_request() {
    let harness = Harness::start().await;
    let mut payload = ask_bob();
    payload["colour"] = json!("blue");
    let caught = json!({"Catch": [{"ErrorEquals": ["Approval.InvalidRequest"], "Next": "Refused"}]});
    let mut machine = approval_machine(&payload, caught);
    machine["States"]["Refused"] = json!({"Type": "Pass", "End": true});
    let execution = harness.start_machine(&machine, "{}").await;
    let (status, output) = harness.ended(&execution).await;
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(output["Error"], "Approval.InvalidRequest");
    assert!(
        output["Cause"]
            .as_str()
            .unwrap()
            .contains("colour: is not a field"),
        "{output}"
    );
    harness.finish().await;
}
