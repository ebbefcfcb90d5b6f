//! The workflow this is all for: Alice signs by a function, Bob by a token, under one timeout.

use asl::{Happened, Refused, Status, TokenState};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::driver::{Driver, begin};

fn definition() -> Value {
    let invoke = |name: &str, resource: &str, payload: Value| {
        json!({
            "StartAt": name,
            "States": {name: {
                "Type": "Task",
                "Resource": resource,
                "Parameters": {"FunctionName": name.to_lowercase(), "Payload": payload},
                "End": true
            }}
        })
    };
    json!({
        "StartAt": "Sign",
        "TimeoutSeconds": 60,
        "States": {"Sign": {
            "Type": "Parallel",
            "Branches": [
                invoke("Alice", "arn:aws:states:::lambda:invoke", json!({"documentId.$": "$.documentId"})),
                invoke(
                    "Bob",
                    "arn:aws:states:::lambda:invoke.waitForTaskToken",
                    json!({"stepFunctionToken.$": "$$.Task.Token", "signer": "Bob", "documentId.$": "$.documentId"}),
                ),
            ],
            "End": true
        }}
    })
}

/// Both tasks are asked for; Alice has signed, Bob has his mail.
fn with_bob_asked() -> (Driver, String) {
    let mut driver = Driver::start(&definition(), r#"{"documentId": "3"}"#);
    let (alice, bob) = (driver.task(), driver.task());
    assert_eq!(
        alice.arguments,
        json!({"FunctionName": "alice", "Payload": {"documentId": "3"}})
    );
    let token = bob.token.unwrap();
    assert_eq!(
        bob.arguments["Payload"],
        json!({"stepFunctionToken": token, "signer": "Bob", "documentId": "3"})
    );
    driver.tell(Happened::TaskStarted { task: alice.task });
    driver.tell(Happened::TaskStarted { task: bob.task });
    driver.tell(Happened::TaskSubmitted {
        task: bob.task,
        output: json!({"StatusCode": 200, "Payload": null}),
    });
    driver.pass(1);
    driver.tell(Happened::TaskSucceeded {
        task: alice.task,
        output: json!({"Payload": {"result": "Alice signed 3"}}),
    });
    (driver, token)
}

#[test]
fn both_sign() {
    let (mut driver, token) = with_bob_asked();
    assert_eq!(driver.execution.status(), &Status::Running);
    assert_eq!(driver.execution.token_state(&token, driver.now), TokenState::Open);
    assert_eq!(
        driver.execution.next_timer(),
        Some(begin() + SignedDuration::from_secs(60))
    );
    driver.pass(30);
    driver.restart();
    let output = json!({"signature": "Bob signed 3"});
    assert_eq!(
        driver.tell(Happened::TokenSucceeded {
            token: token.clone(),
            output
        }),
        None
    );
    assert_eq!(
        driver.output(),
        &json!([{"Payload": {"result": "Alice signed 3"}}, {"signature": "Bob signed 3"}])
    );
    assert_eq!(
        driver.execution.token_state(&token, driver.now),
        TokenState::Closed
    );
    assert_eq!(
        driver.execution.token_state("another", driver.now),
        TokenState::Unknown
    );
    assert_eq!(
        driver.tell(Happened::TokenSucceeded {
            token,
            output: json!(1)
        }),
        Some(Refused::Closed)
    );
    assert_eq!(
        driver.events(),
        [
            "ExecutionStarted",
            "ParallelStateEntered Sign",
            "ParallelStateStarted",
            "TaskStateEntered Alice",
            "TaskScheduled",
            "TaskStateEntered Bob",
            "TaskScheduled",
            "TaskStarted",
            "TaskStarted",
            "TaskSubmitted",
            "TaskSucceeded",
            "TaskStateExited Alice",
            "TaskSucceeded",
            "TaskStateExited Bob",
            "ParallelStateSucceeded",
            "ParallelStateExited Sign",
            "ExecutionSucceeded",
        ]
    );
    let previous: Vec<_> = driver
        .history()
        .iter()
        .map(|event| event["previousEventId"].as_u64().unwrap())
        .collect();
    assert_eq!(
        previous,
        [0, 0, 2, 3, 4, 3, 6, 5, 7, 9, 8, 11, 10, 13, 14, 14, 16]
    );
}

#[test]
fn the_history_shows_what_aws_shows() {
    let (driver, token) = with_bob_asked();
    let history = driver.history();
    let mut scheduled = history[6].clone();
    let parameters = scheduled["taskScheduledEventDetails"]["parameters"].take();
    let parameters: Value = serde_json::from_str(parameters.as_str().unwrap()).unwrap();
    assert_eq!(parameters["Payload"]["stepFunctionToken"], token);
    assert_eq!(
        scheduled,
        json!({
            "timestamp": 1_795_251_600.0,
            "type": "TaskScheduled",
            "id": 7,
            "previousEventId": 6,
            "taskScheduledEventDetails": {
                "resourceType": "lambda",
                "resource": "invoke.waitForTaskToken",
                "region": "us-east-1",
                "parameters": null,
            }
        })
    );
    assert_eq!(
        history[9]["taskSubmittedEventDetails"],
        json!({
            "resourceType": "lambda",
            "resource": "invoke.waitForTaskToken",
            "output": r#"{"StatusCode":200,"Payload":null}"#,
            "outputDetails": {"truncated": false}
        })
    );
    let bare: Vec<_> = asl::history(&driver.journal, false).collect();
    assert_eq!(bare[1]["stateEnteredEventDetails"], json!({"name": "Sign"}));
    assert!(!serde_json::to_string(&bare).unwrap().contains(&token));
}

#[test]
fn bob_rejects() {
    let (mut driver, token) = with_bob_asked();
    let (error, cause) = (
        Some("Approval.Rejected".to_owned()),
        Some(r#"{"comment":"no"}"#.to_owned()),
    );
    assert_eq!(driver.tell(Happened::TokenFailed { token, error, cause }), None);
    assert_eq!(
        driver.failure(),
        ("Approval.Rejected".into(), r#"{"comment":"no"}"#.into())
    );
    assert_eq!(
        driver.events()[12..],
        [
            "TaskFailed",
            "TaskStateAborted",
            "ParallelStateFailed",
            "ExecutionFailed"
        ]
    );
}

#[test]
fn alice_fails_and_bobs_task_is_given_up() {
    let mut driver = Driver::start(&definition(), r#"{"documentId": "3"}"#);
    let (alice, bob) = (driver.task(), driver.task());
    let token = bob.token.unwrap();
    let error = Some("Error".to_owned());
    driver.tell(Happened::TaskFailed {
        task: alice.task,
        error,
        cause: None,
    });
    assert_eq!(driver.cancelled, [bob.task]);
    assert_eq!(
        driver.execution.token_state(&token, driver.now),
        TokenState::Closed
    );
    assert_eq!(
        driver.events()[7..],
        [
            "TaskStarted",
            "TaskFailed",
            "TaskStateAborted",
            "TaskStateAborted",
            "ParallelStateFailed",
            "ExecutionFailed"
        ]
    );
}

#[test]
fn nobody_signs_in_time() {
    let (mut driver, token) = with_bob_asked();
    driver.pass(58);
    assert_eq!(driver.execution.status(), &Status::Running);
    driver.pass(1);
    assert_eq!(driver.execution.status(), &Status::TimedOut);
    assert_eq!(
        driver.history().last().unwrap()["executionTimedOutEventDetails"],
        json!({})
    );
    assert_eq!(driver.cancelled.len(), 1);
    driver.restart();
    assert_eq!(
        driver.tell(Happened::TokenSucceeded {
            token,
            output: json!(1)
        }),
        Some(Refused::Closed)
    );
    assert_eq!(driver.tell(Happened::TimerFired), None);
}

#[test]
fn an_answer_after_the_timeout_is_too_late_even_when_the_timer_is_late() {
    let (mut driver, token) = with_bob_asked();
    driver.now = begin() + SignedDuration::from_secs(60);
    assert_eq!(
        driver.execution.token_state(&token, driver.now),
        TokenState::Closed
    );
    assert_eq!(
        driver.tell(Happened::TokenSucceeded {
            token,
            output: json!(1)
        }),
        Some(Refused::Closed)
    );
    assert_eq!(driver.execution.status(), &Status::TimedOut);
}

#[test]
fn stopped() {
    let (mut driver, token) = with_bob_asked();
    let stop = || Happened::Stopped {
        error: Some("E".into()),
        cause: None,
    };
    assert_eq!(driver.tell(stop()), None);
    assert_eq!(
        driver.execution.status(),
        &Status::Aborted {
            error: Some("E".into()),
            cause: None
        }
    );
    assert_eq!(driver.history().last().unwrap()["previousEventId"], 0);
    assert_eq!(driver.tell(stop()), Some(Refused::Ended));
    assert_eq!(
        driver.tell(Happened::TokenHeartbeat { token }),
        Some(Refused::Closed)
    );
}

#[test]
fn a_journal_keeps_its_form() {
    // The names in a journal are for ever: this text must stay readable, and be written just so.
    let (driver, token) = with_bob_asked();
    let text = driver
        .journal
        .iter()
        .map(|entry| serde_json::to_string(entry).unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    let text = text.replace(&token, "TOKEN");
    let expected = include_str!("document_signing.journal").trim_end();
    assert_eq!(text, expected);
}
