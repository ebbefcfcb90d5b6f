//! Stopping executions: for a request that is withdrawn, where the execution is proven to be the one that waits for it;
//! and for tasks, by key or by the task tools' function.

use super::harness::{Fault, Harness, approval_machine, ask_bob};
use countersign::domain::api_key::Scope;
use countersign::domain::ids::ApprovalId;
use countersign::intake::invoke::Function;
use http::Method;
use serde_json::{Value, json};

impl Harness {
    async fn cancel(&self, id: ApprovalId, body: Value) -> (u16, Value) {
        let path = format!("/api/v1/requests/{id}/cancel");
        self.call(Scope::Operate, Method::POST, &path, &body).await
    }

    async fn explained(&self, id: ApprovalId) -> String {
        let path = format!("/api/v1/requests/{id}");
        let (_, shown) = self.call(Scope::Read, Method::GET, &path, &json!({})).await;
        shown["explanation"].to_string()
    }
}

/// A machine that goes on after a withdrawal: only a stop ends it.
fn goes_on() -> Value {
    let mut machine = approval_machine(
        &ask_bob(),
        json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "On"}]}),
    );
    machine["States"]["On"] = json!({"Type": "Wait", "Seconds": 3600, "End": true});
    machine
}

#[tokio::test(start_paused = true)]
async fn a_request_is_withdrawn_and_its_execution_stopped() {
    let harness = Harness::start().await;
    let execution = harness.start_machine(&goes_on(), "{}").await;
    let path = harness.link("bob@example.com").await;
    let id = harness.only_approval().await.id;
    let body = json!({"stop": true, "by": "Legal", "reason": "A mistake."});
    let (status, done) = harness.cancel(id, body).await;
    assert_eq!(
        (status, &done["callback"]["state"]),
        (200, &json!("delivered")),
        "{done}"
    );

    let (status, result) = harness.result(&execution).await;
    assert_eq!(
        (status.as_str(), &result["error"]),
        ("ABORTED", &json!("Approval.Cancelled"))
    );
    assert_eq!(
        (
            &result["cause"]["reason"],
            &result["cause"]["cancelledBy"],
            &result["cause"]["requestId"]
        ),
        (&json!("A mistake."), &json!("Legal"), &json!(id))
    );
    assert!(harness.get(&path).await.text().contains("Legal withdrew it"));
    assert!(harness.explained(id).await.contains("The workflow was stopped"));
    let evidence = json!(harness.only_approval().await.events.last().expect("events").what);
    assert_eq!(
        evidence,
        json!({"type": "cancelled", "by": "Legal", "reason": "A mistake.", "stop": true})
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_someone_merely_names_is_left_alone() {
    let harness = Harness::start().await;
    // Theirs waits for a request of its own.
    let theirs = harness.start_machine(&goes_on(), "{}").await;
    harness.first_mail("bob@example.com").await;
    let victim = harness.only_approval().await.id;

    // A request of another workflow that names it; and ones with a token that nobody gave out, a word of its history
    // among them.
    let mut machine = goes_on();
    machine["States"]["Ask"]["Parameters"]["Payload"]["execution"] = json!({"arn": theirs});
    machine["States"]["Ask"]["Parameters"]["Payload"]["title"] = json!("Mine");
    harness.start_machine(&machine, "{}").await;
    let mut names = vec!["Mine".to_owned()];
    for (n, token) in ["countersign", "Release to production", "no token at all"]
        .iter()
        .enumerate()
    {
        let title = format!("Request {n}");
        let request = json!({"taskToken": token, "title": title, "execution": {"arn": theirs},
            "signers": [{"name": "Alice"}]});
        harness.open(request).await;
        names.push(title);
    }
    harness.settle().await;
    let page = harness
        .call(
            Scope::Read,
            Method::GET,
            "/api/v1/requests?status=pending",
            &json!({}),
        )
        .await
        .1;
    let mut refused = 0;
    for request in page["requests"].as_array().expect("a list") {
        if !names.contains(&request["title"].as_str().expect("text").to_owned()) {
            continue;
        }
        let id = ApprovalId::parse(request["requestId"].as_str().expect("text")).expect("an id");
        let (status, told) = harness.cancel(id, json!({"stop": true})).await;
        assert_eq!(status, 409, "{told}");
        let told = told["detail"].as_str().expect("text").to_owned();
        assert!(told.ends_with("nothing was withdrawn"), "{told}");
        let mine = request["title"] == "Mine";
        let why = if mine {
            "doesn't show that it waits"
        } else {
            "doesn't say whether the workflow waits (InvalidToken"
        };
        assert!(told.contains(why), "{told}");
        assert!(harness.approval(id).await.is_pending());
        refused += 1;
    }
    assert_eq!(refused, names.len());
    assert_eq!(harness.result(&theirs).await.0, "RUNNING");
    assert!(harness.approval(victim).await.is_pending());

    let mut without = ask_bob();
    without["taskToken"] = json!("token");
    let id = harness.open(without).await;
    let (status, told) = harness.cancel(id, json!({"stop": true})).await;
    assert_eq!(status, 409);
    assert!(
        told["detail"]
            .as_str()
            .expect("text")
            .contains("doesn't say which execution"),
        "{told}"
    );
    let (status, _) = harness.cancel(id, json!({"stop": "yes"})).await;
    assert_eq!(status, 422);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_made_again_until_it_lands() {
    for fault in [
        Fault::Refused(400, "ThrottlingException"),
        Fault::Refused(503, "ServiceUnavailable"),
        Fault::Lost,
        Fault::AnswerLost,
    ] {
        let harness = Harness::start().await;
        let execution = harness.start_machine(&goes_on(), "{}").await;
        harness.first_mail("bob@example.com").await;
        let id = harness.only_approval().await.id;
        harness.faults.next("StopExecution", 9, fault);
        let (status, _) = harness.cancel(id, json!({"stop": true})).await;
        assert_eq!(status, 200);
        harness.pass(jiff::SignedDuration::from_mins(10)).await;
        harness.faults.clear();
        harness.pass(jiff::SignedDuration::from_hours(1)).await;
        assert_eq!(harness.result(&execution).await.0, "ABORTED", "{fault:?}");
        assert!(
            harness.explained(id).await.contains("The workflow was stopped"),
            "{fault:?}"
        );
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_not_permitted_is_parked_and_can_be_retried() {
    let harness = Harness::start().await;
    let execution = harness.start_machine(&goes_on(), "{}").await;
    harness.first_mail("bob@example.com").await;
    let id = harness.only_approval().await.id;
    harness
        .faults
        .next("StopExecution", 1, Fault::Refused(400, "AccessDeniedException"));
    let (status, done) = harness.cancel(id, json!({"stop": true})).await;
    assert_eq!(
        (status, &done["callback"]["state"]),
        (200, &json!("parked")),
        "{done}"
    );
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    let path = format!("/api/v1/requests/{id}/retry");
    let (_, done) = harness
        .call(Scope::Operate, Method::POST, &path, &json!({}))
        .await;
    assert_eq!(done["callback"]["state"], "delivered", "{done}");
    assert_eq!(harness.result(&execution).await.0, "ABORTED");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn tasks_stop_an_execution_by_key_and_by_invoking() {
    let harness = Harness::start().await;
    let waiting =
        json!({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let by_http = harness.start_machine(&waiting, "{}").await;
    let words = json!({"error": "FeatureOff", "cause": "The flag is false."});
    let path = format!("/api/v1/executions/{by_http}/stop");
    let (status, done) = harness.call(Scope::Stop, Method::POST, &path, &words).await;
    assert_eq!((status, done), (200, json!({"executionArn": by_http})));
    let by_invoke = harness.start_machine(&waiting, "{}").await;
    let mut event = words.clone();
    event["action"] = json!("stop_execution");
    event["execution_arn"] = json!(by_invoke);
    assert!(harness.invoke(Function::Intake, event.clone()).await.is_err());
    let done = harness.invoke(Function::TaskTools, event).await.expect("stopped");
    assert_eq!(done, json!({"execution_arn": by_invoke}));
    for execution in [&by_http, &by_invoke] {
        let (status, result) = harness.result(execution).await;
        assert_eq!((status.as_str(), result), ("ABORTED", words.clone()));
    }

    let long = json!({"error": "e".repeat(257), "cause": "c".repeat(32_769)});
    let (status, told) = harness.call(Scope::Stop, Method::POST, &path, &long).await;
    let fields: Vec<_> = told["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|e| &e["field"])
        .collect();
    assert_eq!((status, fields), (422, vec![&json!("error"), &json!("cause")]));
    let none = "/api/v1/executions/arn:aws:states:us-east-1:123456789012:execution:none:none/stop";
    let (status, told) = harness.call(Scope::Stop, Method::POST, none, &json!({})).await;
    assert_eq!((status, &told["code"]), (404, &json!("ExecutionDoesNotExist")));
    let missing = harness
        .invoke(Function::TaskTools, json!({"action": "stop_execution"}))
        .await;
    assert!(
        missing
            .expect_err("no ARN")
            .1
            .contains("execution_arn: is missing")
    );
    harness.finish().await;
}
