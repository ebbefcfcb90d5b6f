//! A loop over a function by its ARN, with three Retry rules.

use asl::{Happened, Resource};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::driver::Driver;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:loop";

fn definition() -> Value {
    json!({
        "Comment": "Calls a function until it has counted to five",
        "StartAt": "LambdaFunction",
        "States": {
            "LambdaFunction": {
                "Type": "Task",
                "Resource": FUNCTION,
                "ResultPath": "$.taskresult",
                "Retry": [
                    {"ErrorEquals": ["CustomError"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2.0},
                    {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 30, "MaxAttempts": 2, "BackoffRate": 2.0},
                    {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 5, "MaxAttempts": 5, "BackoffRate": 2.0}
                ],
                "Next": "ChoiceState"
            },
            "ChoiceState": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.taskresult.value1", "StringEquals": "value1", "Next": "SuccessState"},
                    {"Variable": "$.taskresult.count", "NumericLessThan": 5, "Next": "LambdaFunction"}
                ],
                "Default": "FailState"
            },
            "SuccessState": {"Type": "Succeed"},
            "FailState": {"Type": "Fail", "Cause": "Invalid response.", "Error": "ErrorA"}
        }
    })
}

/// The function of the loop.
fn count(event: &Value) -> Value {
    let count = event["taskresult"]["count"].as_i64().map_or(0, |count| count + 1);
    if count < 5 {
        json!({"count": count, "value1": "ThereIsNoSpoon"})
    } else {
        json!({"value1": event["key1"], "value2": event["key2"], "count": count})
    }
}

fn run(driver: &mut Driver) -> usize {
    let mut calls = 0;
    while let Some(task) = driver.tasks.pop_front() {
        calls += 1;
        assert_eq!(task.resource, Resource::Function { arn: FUNCTION.into() });
        let output = count(&task.arguments);
        driver.tell(Happened::TaskSucceeded {
            task: task.task,
            output,
        });
        driver.restart();
    }
    calls
}

#[test]
fn six_calls_five_of_them_looped_back() {
    let mut driver = Driver::start(
        &definition(),
        r#"{"key1": "value1", "key2": "value2", "key3": "value3"}"#,
    );
    assert_eq!(run(&mut driver), 6);
    let result = json!({"value1": "value1", "value2": "value2", "count": 5});
    assert_eq!(
        driver.output(),
        &json!({"key1": "value1", "key2": "value2", "key3": "value3", "taskresult": result})
    );
    let events = driver.events();
    assert_eq!(
        events[1..8],
        [
            "TaskStateEntered LambdaFunction",
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionSucceeded",
            "TaskStateExited LambdaFunction",
            "ChoiceStateEntered ChoiceState",
            "ChoiceStateExited ChoiceState",
        ]
    );
    assert_eq!(
        events
            .iter()
            .filter(|event| *event == "LambdaFunctionSucceeded")
            .count(),
        6
    );
    let history = driver.history();
    assert_eq!(
        history[2]["lambdaFunctionScheduledEventDetails"],
        json!({
            "resource": FUNCTION,
            "input": r#"{"key1":"value1","key2":"value2","key3":"value3"}"#,
            "inputDetails": {"truncated": false}
        })
    );
    assert_eq!(history[3].get("lambdaFunctionStartedEventDetails"), None);
}

#[test]
fn another_key_ends_in_failure() {
    let mut driver = Driver::start(
        &definition(),
        r#"{"key1": "other", "key2": "value2", "key3": "value3"}"#,
    );
    assert_eq!(run(&mut driver), 6);
    assert_eq!(driver.failure(), ("ErrorA".into(), "Invalid response.".into()));
}

/// Fails every call with `error`; gives the waits between them in seconds.
fn waits(driver: &mut Driver, error: &str) -> Vec<i64> {
    let mut waits = Vec::new();
    loop {
        driver.fail(error);
        let Some(at) = driver.execution.next_timer() else {
            return waits;
        };
        waits.push(at.duration_since(driver.now).as_secs());
        driver.pass(waits[waits.len() - 1] - 1);
        assert!(driver.tasks.is_empty(), "not a second too early");
        driver.restart();
        driver.pass(1);
    }
}

#[test]
fn each_retry_rule_waits_as_it_says() {
    let start = || Driver::start(&definition(), r#"{"key1": "value1"}"#);
    assert_eq!(waits(&mut start(), "CustomError"), [1, 2]);
    assert_eq!(waits(&mut start(), "SomethingElse"), [30, 60]);
    assert_eq!(waits(&mut start(), "States.Timeout"), [5, 10, 20, 40, 80]);
}

#[test]
fn rules_count_apart_and_anew_in_each_visit() {
    let mut driver = Driver::start(&definition(), r#"{"key1": "value1"}"#);
    for (error, seconds) in [
        ("CustomError", 1),
        ("SomethingElse", 30),
        ("CustomError", 2),
        ("SomethingElse", 60),
    ] {
        driver.fail(error);
        let at = driver.execution.next_timer().unwrap();
        assert_eq!(at.duration_since(driver.now), SignedDuration::from_secs(seconds));
        driver.pass(seconds);
    }
    driver.succeed(json!({"count": 0, "value1": "ThereIsNoSpoon"}));
    assert_eq!(waits(&mut driver, "CustomError"), [1, 2]);
    assert_eq!(driver.failure().0, "CustomError");
}

#[test]
fn a_failed_call_shows_in_the_history_and_its_retry_follows_it() {
    let mut driver = Driver::start(&definition(), r#"{"key1": "value1"}"#);
    driver.fail("CustomError");
    driver.pass(1);
    let history = driver.history();
    assert_eq!(
        history[4]["lambdaFunctionFailedEventDetails"],
        json!({"error": "CustomError", "cause": "the cause"})
    );
    assert_eq!(history[5]["type"], "LambdaFunctionScheduled");
    assert_eq!(history[5]["previousEventId"], 5);
}
