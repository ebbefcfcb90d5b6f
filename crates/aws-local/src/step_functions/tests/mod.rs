//! The Step Functions API, as an SDK would call it: here what starts and ends, beside it the wire and crashes.

mod activities;
mod api;
mod durability;
mod express;
mod functions;
mod map_redrives;
mod map_runs;
mod redrive;
mod revisions;
mod soup;
mod telling;
mod trial;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{AwsLocal, FunctionError, Options, function};

const ROLE: &str = "arn:aws:iam::123456789012:role/workflow";

/// A clock that follows tokio's, as the service's does.
fn options(data: Option<&std::path::Path>) -> Options {
    let (begin, epoch) = (
        tokio::time::Instant::now(),
        "2026-11-21T09:00:00Z".parse::<Timestamp>().expect("a time"),
    );
    let clock = move || epoch + jiff::SignedDuration::try_from(begin.elapsed()).expect("a duration");
    Options {
        data: data.map(Into::into),
        ..Options::in_memory(clock)
    }
}

async fn call(aws: &AwsLocal, operation: &str, body: Value) -> Result<Value, String> {
    let request = http::Request::post("/")
        .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
        .body(body.to_string().into())
        .expect("a request");
    let response = aws.handle(request).await;
    let body: Value = serde_json::from_slice(response.body()).expect("JSON");
    if response.status().is_success() {
        return Ok(body);
    }
    assert_eq!(response.status(), 400, "{body}");
    Err(format!(
        "{}: {}",
        body["__type"].as_str().unwrap_or("?"),
        body["message"].as_str().unwrap_or("?")
    ))
}

async fn ok(aws: &AwsLocal, operation: &str, body: Value) -> Value {
    call(aws, operation, body)
        .await
        .unwrap_or_else(|error| panic!("{operation}: {error}"))
}

async fn refused(aws: &AwsLocal, operation: &str, body: Value) -> String {
    match call(aws, operation, body).await {
        Ok(answer) => panic!("{operation} was taken: {answer}"),
        Err(error) => error,
    }
}

async fn create(aws: &AwsLocal, name: &str, definition: &Value) -> Value {
    let body = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE});
    ok(aws, "CreateStateMachine", body).await["stateMachineArn"].clone()
}

async fn start(aws: &AwsLocal, machine: &Value, input: &Value) -> Value {
    let body = json!({"stateMachineArn": machine, "input": input.to_string()});
    ok(aws, "StartExecution", body).await["executionArn"].clone()
}

/// Waits until it has ended.
async fn ended(aws: &AwsLocal, execution: &Value) -> Value {
    for _ in 0..10_000 {
        let described = ok(aws, "DescribeExecution", json!({"executionArn": execution})).await;
        if described["status"] != "RUNNING" {
            return described;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not end");
}

async fn events(aws: &AwsLocal, execution: &Value) -> Vec<String> {
    let history = ok(aws, "GetExecutionHistory", json!({"executionArn": execution})).await;
    let events = history["events"].as_array().expect("events");
    events
        .iter()
        .map(|event| event["type"].as_str().expect("a type").to_owned())
        .collect()
}

fn pass() -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}})
}

/// Alice signs by a function, Bob by his token.
fn document_signing() -> Value {
    let task = |resource: &str, payload: &Value| {
        json!({
            "Type": "Task",
            "Resource": resource,
            "Parameters": {"FunctionName": if resource.contains("Token") { "ask" } else { "alice" }, "Payload": payload},
            "TimeoutSeconds": 60,
            "End": true,
        })
    };
    let branch = |name: &str, task: Value| json!({"StartAt": name, "States": {name: task}});
    json!({"StartAt": "Sign", "States": {"Sign": {"Type": "Parallel", "End": true, "Branches": [
        branch("Alice", task("arn:aws:states:::lambda:invoke", &json!({"document.$": "$.document"}))),
        branch("Bob", task("arn:aws:states:::lambda:invoke.waitForTaskToken", &json!({"token.$": "$$.Task.Token"}))),
    ]}}})
}

/// The functions of [`document_signing`]; the token ends in the channel.
fn register(aws: &AwsLocal, invocations: &Arc<AtomicUsize>) -> tokio::sync::mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let count = Arc::clone(invocations);
    aws.register_function(
        "alice",
        function(move |invocation| {
            count.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(json!({"signature": format!("Alice signed {}", invocation.payload["document"])}))
            }
        }),
    );
    aws.register_function(
        "ask",
        function(move |invocation| {
            let token = invocation.payload["token"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let sent = sender.send(token);
            async move {
                sent.map(|()| json!({}))
                    .map_err(|error| FunctionError::new("Gone", error.to_string()))
            }
        }),
    );
    receiver
}

#[tokio::test(start_paused = true)]
async fn a_document_is_signed_by_a_function_and_by_a_person() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let mut tokens = register(&aws, &Arc::default());
    let machine = create(&aws, "sign", &document_signing()).await;
    let execution = start(&aws, &machine, &json!({"document": 3})).await;
    let token = tokens.recv().await.expect("Bob is asked");
    assert_eq!(aws.activity().await.running_executions, 1);

    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(aws.activity().await.invocations, 0);
    assert_eq!(
        aws.inner.step_functions.engine.in_memory(),
        0,
        "who waits is not in memory"
    );
    let answer = json!({"taskToken": token, "output": r#"{"signature": "Bob signed 3"}"#});
    assert_eq!(ok(&aws, "SendTaskSuccess", answer.clone()).await, json!({}));
    let described = ended(&aws, &execution).await;
    assert_eq!(described["status"], "SUCCEEDED");
    let output: Value = serde_json::from_str(described["output"].as_str().expect("text")).expect("JSON");
    assert_eq!(output[0]["Payload"]["signature"], "Alice signed 3");
    assert_eq!(output[0]["StatusCode"], 200);
    assert_eq!(output[1], json!({"signature": "Bob signed 3"}));

    let again = refused(&aws, "SendTaskSuccess", answer).await;
    assert_eq!(
        again,
        "TaskTimedOut: Task Timed Out: 'Provided task does not exist anymore'"
    );
    let activity = aws.activity().await;
    assert_eq!((activity.running_executions, activity.next_timer), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_token_times_out_in_virtual_time() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let mut tokens = register(&aws, &Arc::default());
    let machine = create(&aws, "sign", &document_signing()).await;
    let execution = start(&aws, &machine, &json!({"document": 3})).await;
    let token = tokens.recv().await.expect("Bob is asked");
    let described = ended(&aws, &execution).await;
    assert_eq!(
        (&described["status"], &described["error"]),
        (&json!("FAILED"), &json!("States.Timeout"))
    );
    let late = refused(&aws, "SendTaskHeartbeat", json!({"taskToken": token})).await;
    assert!(late.starts_with("TaskTimedOut"), "{late}");
    let unknown = refused(&aws, "SendTaskFailure", json!({"taskToken": "never given out"})).await;
    assert_eq!(unknown, "InvalidToken: Invalid Token: 'Invalid token'");
    let no_json = refused(
        &aws,
        "SendTaskSuccess",
        json!({"taskToken": token, "output": "{"}),
    )
    .await;
    assert!(no_json.starts_with("InvalidOutput"), "{no_json}");
}

#[tokio::test(start_paused = true)]
async fn a_functions_error_is_the_tasks() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    aws.register_function(
        "fails",
        function(|_| async { Err(FunctionError::new("Approval.InvalidRequest", "no title")) }),
    );
    aws.register_function(
        "panics",
        function(|invocation| async move { panic!("{}", invocation.payload) }),
    );
    let run = async |resource: &str, name: &str| {
        let task =
            json!({"Type": "Task", "Resource": resource, "Parameters": {"FunctionName": name}, "End": true});
        let machine = create(&aws, name, &json!({"StartAt": "T", "States": {"T": task}})).await;
        let described = ended(&aws, &start(&aws, &machine, &json!({})).await).await;
        (
            described["error"].clone(),
            described["cause"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let (error, cause) = run("arn:aws:states:::lambda:invoke", "fails").await;
    assert_eq!(error, "Approval.InvalidRequest");
    assert_eq!(
        cause,
        r#"{"errorMessage":"no title","errorType":"Approval.InvalidRequest"}"#
    );
    assert_eq!(
        run("arn:aws:states:::lambda:invoke", "panics").await.0,
        "Runtime.ExitError"
    );
    let (error, cause) = run("arn:aws:states:::lambda:invoke.waitForTaskToken", "missing").await;
    assert_eq!(error, "Lambda.ResourceNotFoundException");
    assert!(
        cause.starts_with("Function not found: arn:aws:lambda:"),
        "{cause}"
    );
    let arn = "arn:aws:lambda:eu-central-1:111111111111:function:fails";
    assert_eq!(run(arn, "by-arn").await.0, "Approval.InvalidRequest");
}
