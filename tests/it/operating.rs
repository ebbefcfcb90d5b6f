//! Completing and withdrawing from code: by the operations function alone.

use super::harness::{Harness, ask_bob};
use countersign::intake::invoke::Function;
use http::StatusCode;
use serde_json::{Value, json};

fn for_document(document: &str) -> Value {
    json!({"signer": "Bob", "documentId": document})
}

/// What a program does: a Lambda invoke over the wire.
async fn invoke(harness: &Harness, function: &str, event: Value) -> (bool, Value) {
    let request = http::Request::post(format!(
        "http://lambda/2015-03-31/functions/{function}/invocations"
    ))
    .body(event.to_string().into())
    .unwrap();
    let response = harness.aws.handle(request).await;
    let failed = response.headers().contains_key("x-amz-function-error");
    (failed, serde_json::from_slice(response.body()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_document_s_own_complete_call_finishes_bob_s_part() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&for_document("3")).await;
    let path = harness.link("bob@example.com").await;
    let call = json!({"action": "complete", "documentId": "3"});

    let (failed, refused) = invoke(&harness, "countersign", call.clone()).await;
    assert!(failed);
    assert_eq!(refused["errorType"], "Approval.InvalidRequest");
    assert!(
        refused["errorMessage"]
            .as_str()
            .unwrap()
            .contains("operations function"),
        "{refused}"
    );
    assert_eq!(harness.result(&execution).await.0, "RUNNING");

    let (failed, done) = invoke(&harness, "countersign-operations", call.clone()).await;
    assert!(!failed, "{done}");
    assert_eq!(
        (&done["status"], &done["callback"]),
        (&json!("approved"), &json!("delivered"))
    );
    let (status, output) = harness.ended(&execution).await;
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(output["signature"], "Bob signed 3");
    assert_eq!(output["responses"][0]["answeredBy"], "operations");

    let page = harness.get(&path).await;
    assert!(page.text().contains("on your behalf"), "{}", page.text());
    let (failed, again) = invoke(&harness, "countersign-operations", call).await;
    assert!(
        failed
            && again["errorMessage"]
                .as_str()
                .unwrap()
                .contains("no pending request"),
        "{again}"
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn several_matches_are_answered_with_their_ids() {
    let harness = Harness::start().await;
    let first = harness.start_workflow(&for_document("3")).await;
    let second = harness.start_workflow(&for_document("3")).await;
    harness.first_mail("bob@example.com").await;
    harness.settle().await;
    let complete = |event: Value| harness.invoke(Function::Operations, event);
    let (error_type, message) = complete(json!({"action": "complete", "documentId": 3}))
        .await
        .expect_err("two");
    assert_eq!(error_type, "Approval.InvalidRequest");
    let ids: Vec<&str> = message
        .split([' ', ','])
        .filter(|word| word.starts_with("req_"))
        .collect();
    assert_eq!(ids.len(), 2, "{message}");

    complete(json!({"action": "complete", "requestId": ids[0], "outcome": "reject", "comment": "No."}))
        .await
        .expect("one");
    complete(json!({"action": "complete", "documentId": "3"}))
        .await
        .expect("only one is left");
    let mut statuses = [harness.ended(&first).await.0, harness.ended(&second).await.0];
    statuses.sort();
    assert_eq!(statuses, ["FAILED", "SUCCEEDED"]);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_request_says_by_whom_and_why() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    let token = harness.get(&path).await.form_token();
    let id = harness.only_approval().await.id;
    let event =
        json!({"action": "cancel", "requestId": id, "by": "Legal", "reason": "Superseded by version 4."});
    assert!(harness.invoke(Function::Intake, event.clone()).await.is_err());
    harness
        .invoke(Function::Operations, event.clone())
        .await
        .expect("withdrawn");

    let (status, result) = harness.ended(&execution).await;
    assert_eq!(
        (status.as_str(), &result["error"]),
        ("FAILED", &json!("Approval.Cancelled"))
    );
    assert_eq!(result["cause"]["reason"], "Superseded by version 4.");
    for page in [
        harness.get(&path).await,
        harness.post(&path, &token, "approve", "", "Bob").await,
    ] {
        let text = page.text();
        assert!(
            text.contains("Legal") && text.contains("Superseded by version 4."),
            "{text}"
        );
    }
    let (_, message) = harness
        .invoke(Function::Operations, event)
        .await
        .expect_err("ended");
    assert!(message.contains("cancelled already"), "{message}");
    harness.settle().await;
    assert!(
        harness.aws.mails_to("bob@example.com")[0]
            .subject
            .starts_with("Withdrawn")
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn completing_answers_for_all_who_have_not() {
    let harness = Harness::start().await;
    let signers = json!([{"name": "Bob"}, {"name": "Alice"}]);
    let payload = json!({"title": "Approve it", "signers": signers, "externalId": "x-1"});
    let execution = harness.start_workflow(&payload).await;
    harness
        .answer(&harness.link("bob@example.com").await, "approve", "Mine.", "Bob")
        .await;
    harness
        .invoke(
            Function::Operations,
            json!({"action": "complete", "externalId": "x-1"}),
        )
        .await
        .expect("done");
    let (status, output) = harness.ended(&execution).await;
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(output["responses"][0].get("answeredBy"), None);
    assert_eq!(output["responses"][1]["answeredBy"], "operations");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn wrong_calls_say_what_to_do() {
    let harness = Harness::start().await;
    harness.start_workflow(&for_document("3")).await;
    let path = harness.link("bob@example.com").await;
    let cases = [
        (
            json!({"action": "complete"}),
            "requestId: or documentId must be given",
        ),
        (
            json!({"action": "complete", "requestId": "x"}),
            "requestId: must be an id of the form req_",
        ),
        (
            json!({"action": "complete", "documentId": "3", "outcome": "maybe"}),
            "one of \"approve\", \"reject\"",
        ),
        (
            json!({"action": "complete", "documentId": "3", "colour": 1}),
            "colour: is not a field",
        ),
        (
            json!({"action": "complete", "documentId": "4"}),
            "no pending request matches",
        ),
    ];
    for (event, expected) in cases {
        let (_, message) = harness
            .invoke(Function::Operations, event)
            .await
            .expect_err(expected);
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(
        harness.answer(&path, "approve", "", "Bob").await.status,
        StatusCode::OK
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_operations_function_looks_after_requests_in_the_api_s_words() {
    let harness = Harness::start().await;
    let id = harness
        .open(json!({
            "taskToken": "a-token", "title": "Sign it", "externalId": "7", "tags": {"team": "legal"},
            "signers": [{"name": "Bob", "email": "bob@example.com"}],
        }))
        .await;
    harness.first_mail("bob@example.com").await;
    harness.settle().await;
    let ask = |event: Value| harness.invoke(Function::Operations, event);

    let listed = ask(json!({"action": "list", "tag": ["team=legal"], "limit": 5}))
        .await
        .expect("a list");
    assert_eq!(listed["requests"][0]["requestId"], json!(id));
    assert_eq!(listed["requests"][0]["waitingFor"], json!(["Bob"]));
    let none = ask(json!({"action": "list", "tag": "team=sales"}))
        .await
        .expect("a list");
    assert_eq!(none["requests"], json!([]));
    let (error_type, message) = ask(json!({"action": "list", "status": "open"}))
        .await
        .expect_err("no such status");
    assert_eq!(error_type, "Approval.InvalidRequest");
    assert!(message.starts_with("status: must be pending"), "{message}");

    let shown = ask(json!({"action": "show", "externalId": "7"}))
        .await
        .expect("shown");
    assert_eq!(shown["requestId"], json!(id));
    assert!(shown["explanation"].is_array(), "{shown}");
    assert!(!shown.to_string().contains("a-token"), "{shown}");

    let again = ask(json!({"action": "resend", "requestId": id, "signer": "bob@example.com"}))
        .await
        .expect("mailed");
    assert_eq!(again["mailedAgain"], json!(["Bob"]));
    harness.settle().await;
    assert_eq!(harness.aws.mails_to("bob@example.com").len(), 2);
    let (_, message) = ask(json!({"action": "retry", "requestId": id}))
        .await
        .expect_err("nothing is parked");
    assert!(message.contains("not parked"), "{message}");

    for action in ["list", "show", "resend", "retry", "complete", "cancel"] {
        let (error_type, message) = harness
            .invoke(Function::Intake, json!({"action": action, "requestId": id}))
            .await
            .expect_err("not by this function");
        assert_eq!(error_type, "Approval.InvalidRequest", "{action}");
        assert!(message.contains("operations function"), "{action}: {message}");
    }
    harness.finish().await;
}
