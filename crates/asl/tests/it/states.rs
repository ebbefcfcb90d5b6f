//! The states that do their work alone: Pass, Wait, Choice, Succeed, Fail; and the data's way through them.

use asl::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::driver::{Driver, begin};

fn one(state: &Value) -> Value {
    json!({"StartAt": "S", "States": {"S": state}})
}

fn output(state: &Value, input: &Value) -> Value {
    let driver = Driver::start(&one(state), &input.to_string());
    driver.output().clone()
}

#[test]
fn a_pass_carries_its_data_through_every_field() {
    let input = json!({"a": {"b": 1}, "c": 2});
    let pass = |fields: Value| {
        let mut state = json!({"Type": "Pass", "End": true});
        state
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        output(&state, &input)
    };
    assert_eq!(pass(json!({})), input);
    assert_eq!(pass(json!({"InputPath": "$.a"})), json!({"b": 1}));
    assert_eq!(pass(json!({"InputPath": null})), json!({}));
    assert_eq!(pass(json!({"OutputPath": null})), json!({}));
    assert_eq!(pass(json!({"ResultPath": null, "Result": 3})), input);
    assert_eq!(
        pass(json!({"Result": 3, "ResultPath": "$.a.d"})),
        json!({"a": {"b": 1, "d": 3}, "c": 2})
    );
    assert_eq!(
        pass(
            json!({"InputPath": "$.a", "Parameters": {"x.$": "$.b"}, "ResultPath": "$.y", "OutputPath": "$.y"})
        ),
        json!({"x": 1})
    );
    assert_eq!(
        pass(json!({"InputPath": "$.a", "ResultPath": "$.z"})),
        json!({"a": {"b": 1}, "c": 2, "z": {"b": 1}})
    );
}

#[test]
fn the_context_object_says_where_it_is() {
    let state = json!({"Type": "Pass", "End": true, "Parameters": {"c.$": "$$"}});
    assert_eq!(
        output(&state, &json!({"i": 1}))["c"],
        json!({
            "Execution": {
                "Id": "arn:aws:states:us-east-1:111111111111:execution:machine:one",
                "Input": {"i": 1},
                "StartTime": "2026-11-21T09:00:00.000Z",
                "Name": "one",
                "RoleArn": "arn:aws:iam::111111111111:role/snf_role_arn",
                "RedriveCount": 0
            },
            "StateMachine": {"Id": "arn:aws:states:us-east-1:111111111111:stateMachine:machine", "Name": "machine"},
            "State": {"Name": "S", "EnteredTime": "2026-11-21T09:00:00.000Z"}
        })
    );
}

#[test]
fn the_input_stands_in_the_history_as_it_was_given() {
    let driver = Driver::start(&one(&json!({"Type": "Succeed"})), "{\n \"a\" : 1.0\n}");
    assert_eq!(
        driver.history()[0]["executionStartedEventDetails"]["input"],
        "{\n \"a\" : 1.0\n}"
    );
    assert_eq!(
        driver.history()[3]["executionSucceededEventDetails"]["output"],
        r#"{"a":1.0}"#
    );
}

#[test]
fn input_that_is_no_json_starts_nothing() {
    let definition =
        std::sync::Arc::new(asl::Definition::parse(&one(&json!({"Type": "Succeed"})).to_string()).unwrap());
    let mut random = crate::driver::Counter(0);
    assert!(
        asl::Execution::start(definition, crate::driver::identity(), "{a", begin(), &mut random).is_err()
    );
}

#[test]
fn a_wait_waits() {
    for (fields, seconds) in [
        (json!({"Seconds": 90}), 90),
        (json!({"SecondsPath": "$.s"}), 5),
        (json!({"Timestamp": "2026-11-21T10:00:00Z"}), 3600),
        (json!({"TimestampPath": "$.t"}), 60),
    ] {
        let mut state = json!({"Type": "Wait", "End": true});
        state
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let mut driver = Driver::start(&one(&state), r#"{"s": 5, "t": "2026-11-21T10:01:00+01:00"}"#);
        assert_eq!(
            driver.execution.next_timer(),
            Some(begin() + SignedDuration::from_secs(seconds))
        );
        driver.restart();
        driver.pass(seconds - 1);
        assert_eq!(driver.execution.status(), &Status::Running);
        driver.pass(1);
        assert_eq!(driver.output()["s"], 5);
        assert_eq!(driver.events()[1..3], ["WaitStateEntered S", "WaitStateExited S"]);
    }
}

#[test]
fn waits_in_branches_share_one_timer() {
    let wait = |name: &str, seconds: i64| json!({"StartAt": name, "States": {name: {"Type": "Wait", "Seconds": seconds, "End": true}}});
    let parallel =
        json!({"Type": "Parallel", "Branches": [wait("A", 30), wait("B", 10), wait("C", 20)], "End": true});
    let mut driver = Driver::start(&one(&parallel), "1");
    let mut exits = Vec::new();
    while let Some(at) = driver.execution.next_timer() {
        exits.push(at.duration_since(begin()).as_secs());
        driver.pass(at.duration_since(driver.now).as_secs());
    }
    assert_eq!(exits, [10, 20, 30]);
    assert_eq!(driver.output(), &json!([1, 1, 1]));
}

#[test]
fn a_timer_that_is_late_fires_all_that_is_due() {
    let states = json!({
        "A": {"Type": "Wait", "Seconds": 10, "Next": "B"},
        "B": {"Type": "Wait", "Timestamp": "2026-11-21T09:00:20Z", "Next": "C"},
        "C": {"Type": "Succeed"}
    });
    let mut driver = Driver::start(&json!({"StartAt": "A", "States": states}), "{}");
    driver.now += SignedDuration::from_secs(1000);
    driver.tell(asl::Happened::TimerFired);
    assert_eq!(driver.execution.status().name(), "SUCCEEDED");
}

#[test]
fn a_timer_that_is_early_does_nothing() {
    let mut driver = Driver::start(&one(&json!({"Type": "Wait", "Seconds": 10, "End": true})), "{}");
    let before = driver.journal.len();
    driver.tell(asl::Happened::TimerFired);
    assert_eq!(driver.journal.len(), before);
}

#[test]
fn no_choice_and_no_default() {
    let choice = json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": true, "Next": "E"}]});
    let driver = Driver::start(
        &json!({"StartAt": "C", "States": {"C": choice, "E": {"Type": "Succeed"}}}),
        "{}",
    );
    assert_eq!(driver.failure().0, "States.NoChoiceMatched");
}

#[test]
fn a_fail_may_take_its_words_from_the_data() {
    let state =
        json!({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('{} failed', $.what)"});
    let driver = Driver::start(&one(&state), r#"{"e": "Mine", "what": "it"}"#);
    assert_eq!(driver.failure(), ("Mine".into(), "it failed".into()));
}
