//! Starting workflows over the API: once for each key, with the input as it was written, and what AWS refuses by its name.

use super::api::key;
use super::harness::{Fault, Harness};
use countersign::domain::api_key::Scope;
use countersign::domain::execution::ExecutionName;
use http::{Method, header};
use jiff::SignedDuration;
use serde_json::{Value, json};

const PLACE: &str = "arn:aws:states:us-east-1:123456789012";
const EXECUTIONS: &str = "/api/v1/executions";

impl Harness {
    /// Makes the machine `name`, which waits for so many seconds and hands its input on.
    async fn waiting_machine(&self, name: &str, seconds: u32) -> String {
        let wait = json!({"Type": "Wait", "Seconds": seconds, "End": true});
        let definition = json!({"StartAt": "Wait", "States": {"Wait": wait}}).to_string();
        let create = self
            .sfn()
            .create_state_machine()
            .name(name)
            .definition(definition);
        let made = create
            .role_arn("arn:aws:iam::123456789012:role/test")
            .send()
            .await;
        made.expect("valid").state_machine_arn
    }

    /// Asks for a start with a body that is written out.
    async fn ask_to_start(&self, body: &str) -> (u16, Value) {
        let key = key(Scope::Start);
        let answer = self
            .call_with(Some(key.expose()), Method::POST, EXECUTIONS, body.to_owned())
            .await;
        let status = answer.status.as_u16();
        let kind = if status < 300 {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(answer.headers[header::CONTENT_TYPE], kind);
        assert_eq!(answer.headers.contains_key(header::RETRY_AFTER), status == 503);
        (status, serde_json::from_str(&answer.body).expect("JSON"))
    }

    /// What the API shows of an execution, as it is written.
    async fn follow(&self, arn: &str) -> (u16, String) {
        let key = key(Scope::Follow);
        let path = format!("{EXECUTIONS}/{arn}");
        let answer = self
            .call_with(Some(key.expose()), Method::GET, &path, String::new())
            .await;
        (answer.status.as_u16(), answer.body)
    }

    async fn executions(&self, machine: &str) -> usize {
        let list = self.sfn().list_executions().state_machine_arn(machine).send();
        list.await.expect("a list").executions.len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_workflow_is_started_by_its_arn_or_name_and_shown_as_it_goes() {
    let harness = Harness::start().await;
    let machine = harness.waiting_machine("orders", 10).await;
    let input = r#"{"dataId": 1, "price": 1.10, "big": 12345678901234567890123}"#;
    let body = format!(r#"{{"stateMachine": "{machine}", "input": {input}, "name": "first"}}"#);
    let (status, started) = harness.ask_to_start(&body).await;
    let arn = format!("{PLACE}:execution:orders:first");
    assert_eq!(status, 201);
    assert_eq!(
        (&started["executionArn"], &started["name"], &started["status"]),
        (&json!(arn), &json!("first"), &json!("RUNNING"))
    );
    let (status, shown) = harness.follow(&arn).await;
    assert_eq!(status, 200);
    assert!(shown.contains(&format!(r#""input":{input}"#)), "{shown}");
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(
        (&shown["status"], &shown["stoppedAt"]),
        (&json!("RUNNING"), &Value::Null)
    );

    harness.pass(SignedDuration::from_secs(11)).await;
    let shown: Value = serde_json::from_str(&harness.follow(&arn).await.1).expect("JSON");
    assert_eq!(
        (&shown["status"], &shown["output"]["dataId"]),
        (&json!("SUCCEEDED"), &json!(1))
    );
    let lasted = |shown: &Value| {
        let time = |name: &str| shown[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        time("stoppedAt").duration_since(time("startedAt"))
    };
    assert_eq!(lasted(&shown), SignedDuration::from_secs(10));

    // By its name, and with no input.
    let (status, started) = harness.ask_to_start(r#"{"stateMachine": "orders"}"#).await;
    assert_eq!(status, 201);
    let (_, shown) = harness.follow(started["executionArn"].as_str().unwrap()).await;
    assert!(shown.contains(r#""input":{}"#), "{shown}");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_starts_one_execution_while_it_runs_and_afterwards() {
    let harness = Harness::start().await;
    let machine = harness.waiting_machine("orders", 60).await;
    let body = r#"{"stateMachine": "orders", "idempotencyKey": "invoice 42", "input": {"a": 1, "b": 2}}"#;
    let (status, first) = harness.ask_to_start(body).await;
    assert_eq!(
        (status, &first["name"]),
        (201, &json!(ExecutionName::of_key("invoice 42").as_str()))
    );

    for wait in [5, 100] {
        harness.pass(SignedDuration::from_secs(wait)).await;
        let (status, again) = harness.ask_to_start(body).await;
        assert_eq!((status, &again["executionArn"]), (200, &first["executionArn"]));
        assert_eq!(again["startedAt"], first["startedAt"]);
        // The same input, written otherwise.
        let otherwise = body.replace(r#"{"a": 1, "b": 2}"#, r#"{"b":2,"a":1}"#);
        assert_eq!(harness.ask_to_start(&otherwise).await, (200, again));
        let (status, refused) = harness.ask_to_start(&body.replace("\"a\": 1", "\"a\": 9")).await;
        assert_eq!(
            (status, &refused["code"]),
            (409, &json!("ExecutionAlreadyExists"))
        );
        let detail = refused["detail"].as_str().unwrap();
        assert!(
            detail.contains(first["executionArn"].as_str().unwrap()),
            "{detail}"
        );
    }
    let another = body.replace("invoice 42", "invoice 43");
    assert_eq!(harness.ask_to_start(&another).await.0, 201);
    assert_eq!(harness.executions(&machine).await, 2);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_gets_lost_starts_nothing_twice() {
    let harness = Harness::start().await;
    let machine = harness.waiting_machine("orders", 60).await;
    // The SDK asks again by itself: under the name that was made for the call.
    for body in [
        r#"{"stateMachine": "orders"}"#,
        r#"{"stateMachine": "orders", "idempotencyKey": "k"}"#,
    ] {
        harness.faults.next("StartExecution", 1, Fault::AnswerLost);
        assert_eq!(harness.ask_to_start(body).await.0, 201, "{body}");
        assert_eq!(harness.faults.left(), 0);
    }
    assert_eq!(harness.executions(&machine).await, 2);

    // It has even ended by the time that the SDK asks again.
    let machine = harness.waiting_machine("quick", 0).await;
    harness.faults.next("StartExecution", 1, Fault::AnswerLost);
    let (status, started) = harness.ask_to_start(r#"{"stateMachine": "quick"}"#).await;
    assert_eq!((status, &started["status"]), (201, &json!("SUCCEEDED")));
    assert_eq!(harness.executions(&machine).await, 1);

    // All answers get lost: with a key one may ask again.
    harness.faults.next("StartExecution", 3, Fault::AnswerLost);
    let body = r#"{"stateMachine": "quick", "idempotencyKey": "k"}"#;
    let (status, told) = harness.ask_to_start(body).await;
    assert_eq!(status, 503);
    assert!(told["detail"].as_str().unwrap().contains("counts once"), "{told}");
    assert_eq!(harness.ask_to_start(body).await.0, 200);
    assert_eq!(harness.executions(&machine).await, 2);
    harness.faults.next("StartExecution", 3, Fault::Lost);
    let (status, told) = harness.ask_to_start(r#"{"stateMachine": "quick"}"#).await;
    assert_eq!(status, 503);
    assert!(told["detail"].as_str().unwrap().contains("isn't known"), "{told}");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_aws_refuses_is_told_by_its_name_with_what_to_do() {
    let harness = Harness::start().await;
    let (status, told) = harness.ask_to_start(r#"{"stateMachine": "orders"}"#).await;
    assert_eq!((status, &told["code"]), (404, &json!("StateMachineDoesNotExist")));
    let machine = harness.waiting_machine("orders", 1).await;
    let other = format!(r#"{{"stateMachine": "{PLACE}:stateMachine:others"}}"#);
    assert_eq!(harness.ask_to_start(&other).await.0, 404);
    assert_eq!(harness.ask_to_start(r#"{"stateMachine": "others"}"#).await.0, 404);

    for (refused, status, advice) in [
        ("AccessDeniedException", 403, "StartableStateMachines"),
        ("StateMachineDeleting", 409, "once it is there again"),
        ("ExecutionLimitExceeded", 503, "quota"),
        ("InvalidExecutionInput", 422, "says the test"),
        ("KmsAccessDeniedException", 403, "KMS key"),
        ("SomethingNewException", 422, "says the test"),
        ("ExecutionAlreadyExists", 409, "Take another one"),
    ] {
        harness
            .faults
            .next("StartExecution", 1, Fault::Refused(400, refused));
        let (answered, told) = harness
            .ask_to_start(r#"{"stateMachine": "orders", "name": "n"}"#)
            .await;
        let detail = told["detail"].as_str().unwrap();
        assert_eq!((answered, &told["code"]), (status, &json!(refused)), "{told}");
        assert!(detail.starts_with(refused) && detail.contains(advice), "{detail}");
    }
    // The SDK asks again when it is throttled, and when AWS has a fault.
    for (code, status) in [("ThrottlingException", 400), ("InternalServerError", 500)] {
        harness
            .faults
            .next("StartExecution", 2, Fault::Refused(status, code));
        assert_eq!(harness.ask_to_start(r#"{"stateMachine": "orders"}"#).await.0, 201);
    }
    assert_eq!(harness.executions(&machine).await, 2);

    let nothing = format!("{PLACE}:execution:orders:none");
    for arn in [nothing.as_str(), "orders", "%20"] {
        let (status, told) = harness.follow(arn).await;
        assert!(status == 404 || status == 422, "{arn}: {status} {told}");
    }
    harness.finish().await;
}
