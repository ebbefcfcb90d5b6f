//! The workflows in `infra/workflows/` that need nothing but the embedded AWS, to their ends and byte for byte.

use super::harness::Harness;
use aws_local::{Function, FunctionError, function};
use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType, StateEnteredEventDetails};
use countersign::samples;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LOOP_INPUT: &str = r#"{"key1": "value1", "key2": "value2", "key3": "value3"}"#;
const LOOP_OUTPUT: &str = r#"{"key1":"value1","key2":"value2","key3":"value3","taskresult":{"value1":"value1","value2":"value2","count":5}}"#;

impl Harness {
    /// The execution's output, as the text that it is, once it has succeeded.
    async fn output(&self, execution: &str) -> String {
        self.ended(execution).await;
        let described = self.sfn().describe_execution().execution_arn(execution).send();
        let output = described.await.expect("it exists").output;
        output.expect("it has succeeded")
    }

    async fn history(&self, execution: &str) -> Vec<HistoryEvent> {
        let pages = self.sfn().get_execution_history().execution_arn(execution);
        let events = pages.into_paginator().items().send().try_collect().await;
        events.expect("a history")
    }

    /// Makes `function` the loop's, and notes when it is called.
    fn register_noting(&self, function: Function) -> Arc<Mutex<Vec<Timestamp>>> {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (noted, clock) = (Arc::clone(&calls), self.clock.clone());
        let noting: Function = Arc::new(move |invocation| {
            noted.lock().expect("no panic").push(clock.now());
            function(invocation)
        });
        self.aws.register_function("lambda-loop", noting);
        calls
    }
}

/// A workflow as it stands in its file.
fn workflow(text: &str, substitutions: &[(&str, &str)]) -> Value {
    let with = |text: String, (name, value): &(&str, &str)| text.replace(&format!("${{{name}}}"), value);
    let text = substitutions.iter().fold(text.to_owned(), with);
    serde_json::from_str(&text).expect("JSON")
}

fn lambda_loop() -> Value {
    workflow(
        include_str!("../../infra/workflows/lambda-loop.asl.json"),
        &[(
            "LambdaLoopFunctionArn",
            "arn:aws:lambda:us-east-1:123456789012:function:lambda-loop",
        )],
    )
}

/// The loop's own function.
fn sample() -> Function {
    samples::builtin("lambda-loop").expect("it is one")
}

/// How often each kind of event is in a history.
fn count(history: &[HistoryEvent], kind: &HistoryEventType) -> usize {
    history.iter().filter(|event| event.r#type == *kind).count()
}

/// The names of the states that were entered, in order.
fn entered(history: &[HistoryEvent]) -> Vec<&str> {
    history
        .iter()
        .filter_map(|event| {
            event
                .state_entered_event_details()
                .map(StateEnteredEventDetails::name)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn share_data_of_pass_states_hands_each_step_what_it_needs() {
    let harness = Harness::start().await;
    let machine = workflow(
        include_str!("../../infra/workflows/share-data-pass.asl.json"),
        &[],
    );
    let execution = harness.start_machine(&machine, "{}").await;
    let shared = r#"{"executionId":"some:special:id","data":{},"someOtherData":{"value":"key"},"validationOutput":{"validationMessages":["a","b"]}}"#;
    assert_eq!(harness.output(&execution).await, shared);
    let history = harness.history(&execution).await;
    assert_eq!(entered(&history), ["initStep", "ValidationWaiting", "Complete"]);
    let complete = history
        .iter()
        .filter_map(HistoryEvent::state_entered_event_details)
        .find(|details| details.name() == "Complete")
        .expect("entered");
    assert_eq!(complete.input(), Some(shared));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_loop_calls_six_times_and_loops_back_five_times() {
    let harness = Harness::start().await;
    let calls = harness.register_noting(sample());
    let execution = harness.start_machine(&lambda_loop(), LOOP_INPUT).await;
    assert_eq!(harness.output(&execution).await, LOOP_OUTPUT);

    let history = harness.history(&execution).await;
    assert_eq!(calls.lock().expect("no panic").len(), 6);
    assert_eq!(count(&history, &HistoryEventType::LambdaFunctionSucceeded), 6);
    let loop_once = ["LambdaFunction", "ChoiceState"];
    let states = [loop_once.repeat(6), vec!["SuccessState"]].concat();
    assert_eq!(entered(&history), states);
    // Looped back: a function's state that follows a choice.
    let back = entered(&history)
        .windows(2)
        .filter(|pair| *pair == ["ChoiceState", "LambdaFunction"])
        .count();
    assert_eq!(back, 5);
    let inputs: Vec<&str> = history
        .iter()
        .filter_map(|event| event.lambda_function_scheduled_event_details()?.input())
        .collect();
    assert_eq!(inputs[0], LOOP_INPUT.replace(": ", ":").replace(", ", ","));
    assert!(
        inputs[5].ends_with(r#""taskresult":{"count":4,"value1":"ThereIsNoSpoon"}}"#),
        "{}",
        inputs[5]
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_loop_fails_where_the_answer_never_comes() {
    let harness = Harness::start().await;
    harness.register_noting(sample());
    let input = r#"{"key1": "another", "key2": "value2", "key3": "value3"}"#;
    let execution = harness.start_machine(&lambda_loop(), input).await;
    let failed = json!({"error": "ErrorA", "cause": "Invalid response."});
    assert_eq!(harness.ended(&execution).await, ("FAILED".to_owned(), failed));
    let history = harness.history(&execution).await;
    assert_eq!(count(&history, &HistoryEventType::LambdaFunctionSucceeded), 6);
    assert_eq!(entered(&history).last(), Some(&"FailState"));
    harness.finish().await;
}

/// The seconds between calls.
fn pauses(calls: &Mutex<Vec<Timestamp>>) -> Vec<f64> {
    let calls = calls.lock().expect("no panic");
    let between = |pair: &[Timestamp]| pair[1].duration_since(pair[0]).as_secs_f64();
    calls.windows(2).map(between).collect()
}

/// Lets time pass until the execution has ended, however long it takes.
async fn ended_some_time(harness: &Harness, execution: &str) -> (String, Value) {
    loop {
        let (status, result) = harness.result(execution).await;
        if status != "RUNNING" {
            return (status, result);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_retry_rule_of_the_loop_waits_as_it_says_and_then_gives_up() {
    let harness = Harness::start().await;
    // The first rule that names the error decides. States.TaskFailed is every error but States.Timeout, which is all
    // that is left to States.ALL.
    for (error, expected) in [
        ("CustomError", &[1.0, 2.0][..]),
        ("SomethingElse", &[30.0, 60.0]),
        ("Lambda.TooManyRequestsException", &[30.0, 60.0]),
        ("States.TaskFailed", &[30.0, 60.0]),
        ("States.Timeout", &[5.0, 10.0, 20.0, 40.0, 80.0]),
    ] {
        let calls = harness.register_noting(function(move |_| async move {
            Err(FunctionError::new(error, "as the test wants it"))
        }));
        let execution = harness.start_machine(&lambda_loop(), LOOP_INPUT).await;
        let (status, result) = ended_some_time(&harness, &execution).await;
        assert_eq!(
            (status.as_str(), &result["error"]),
            ("FAILED", &json!(error)),
            "{result}"
        );
        assert_eq!(pauses(&calls), expected, "{error}");
    }
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_loop_whose_calls_take_too_long_retries_by_its_last_rule() {
    const PATIENCE: u64 = 3;
    let harness = Harness::start().await;
    let calls = harness.register_noting(function(|_| async {
        tokio::time::sleep(Duration::from_secs(PATIENCE + 1)).await;
        Ok(json!("too late"))
    }));
    let mut machine = lambda_loop();
    machine["States"]["LambdaFunction"]["TimeoutSeconds"] = json!(PATIENCE);
    let execution = harness.start_machine(&machine, LOOP_INPUT).await;
    let (status, result) = ended_some_time(&harness, &execution).await;
    assert_eq!(
        (status.as_str(), &result["error"]),
        ("FAILED", &json!("States.Timeout")),
        "{result}"
    );
    assert_eq!(
        pauses(&calls),
        [5.0, 10.0, 20.0, 40.0, 80.0].map(|pause| pause + 3.0)
    );
    let history = harness.history(&execution).await;
    assert_eq!(count(&history, &HistoryEventType::LambdaFunctionTimedOut), 6);
    harness.pass(jiff::SignedDuration::from_secs(5)).await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_retried_in_time_ends_as_without_faults() {
    let harness = Harness::start().await;
    let (sample, number) = (sample(), AtomicUsize::new(1));
    let calls = harness.register_noting(function(move |invocation| {
        let answer = sample(invocation);
        let number = number.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                1 | 2 | 6 | 7 => Err(FunctionError::new("CustomError", "once more")),
                3 => Err(FunctionError::new("SomethingElse", "once more")),
                _ => answer.await,
            }
        }
    }));
    let execution = harness.start_machine(&lambda_loop(), LOOP_INPUT).await;
    let (status, _) = ended_some_time(&harness, &execution).await;
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(harness.output(&execution).await, LOOP_OUTPUT);
    // The rules count apart, and anew each time that the state is entered.
    let expected = [1.0, 2.0, 30.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0];
    assert_eq!(pauses(&calls), expected);
    let history = harness.history(&execution).await;
    assert_eq!(count(&history, &HistoryEventType::LambdaFunctionFailed), 5);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_starts_one_execution_of_the_loop() {
    let harness = Harness::start().await;
    // Slow enough to be still running when it is started again.
    harness.register_noting(function(|invocation| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        sample()(invocation).await
    }));
    let sfn = harness.sfn();
    let machine = sfn
        .create_state_machine()
        .name("lambda-loop")
        .definition(lambda_loop().to_string())
        .role_arn("arn:aws:iam::123456789012:role/test");
    let machine = machine.send().await.expect("valid").state_machine_arn;
    let start = async |input: &str| {
        let start = sfn
            .start_execution()
            .state_machine_arn(&machine)
            .name("once")
            .input(input);
        start
            .send()
            .await
            .map(|started| started.execution_arn)
            .map_err(|error| error.code().unwrap_or_default().to_owned())
    };
    let first = start(LOOP_INPUT).await.expect("started");
    assert_eq!(start(LOOP_INPUT).await.as_ref(), Ok(&first));
    let refused = Err("ExecutionAlreadyExists".to_owned());
    let another = LOOP_INPUT.replace("value3", "value4");
    assert_eq!(start(&another).await, refused);
    assert_eq!(harness.output(&first).await, LOOP_OUTPUT);
    // Once it has ended, the name is used up.
    assert_eq!(start(LOOP_INPUT).await, refused);
    assert_eq!(start(&another).await, refused);
    harness.finish().await;
}
