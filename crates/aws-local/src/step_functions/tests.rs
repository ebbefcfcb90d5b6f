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
    let clock =
        move || epoch + jiff::SignedDuration::try_from(begin.elapsed()).expect("a duration");
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
    let history = ok(
        aws,
        "GetExecutionHistory",
        json!({"executionArn": execution}),
    )
    .await;
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
fn register(
    aws: &AwsLocal,
    invocations: &Arc<AtomicUsize>,
) -> tokio::sync::mpsc::UnboundedReceiver<String> {
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
    let output: Value =
        serde_json::from_str(described["output"].as_str().expect("text")).expect("JSON");
    assert_eq!(output[0]["Payload"]["signature"], "Alice signed 3");
    assert_eq!(output[0]["StatusCode"], 200);
    assert_eq!(output[1], json!({"signature": "Bob signed 3"}));

    let again = refused(&aws, "SendTaskSuccess", answer).await;
    assert_eq!(
        again,
        "TaskTimedOut: Task Timed Out: 'Provided task does not exist anymore'"
    );
    let activity = aws.activity().await;
    assert_eq!(
        (activity.running_executions, activity.next_timer),
        (0, None)
    );
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
    let unknown = refused(
        &aws,
        "SendTaskFailure",
        json!({"taskToken": "never given out"}),
    )
    .await;
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
async fn a_killed_execution_goes_on() {
    let folder = crate::testing::folder("states");
    let invocations = Arc::new(AtomicUsize::new(0));
    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts");
    let mut tokens = register(&aws, &invocations);
    let machine = create(&aws, "sign", &document_signing()).await;
    let execution = start(&aws, &machine, &json!({"document": 3})).await;
    let token = tokens.recv().await.expect("Bob is asked");
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(aws); // Alice's function is under way, Bob has been asked.

    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts again");
    let mut tokens = register(&aws, &invocations);
    aws.resume().await.expect("it goes on");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        invocations.load(Ordering::SeqCst),
        2,
        "Alice's function is run again"
    );
    drop(aws); // Alice's result is kept.

    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts once more");
    let mut last_tokens = register(&aws, &invocations);
    aws.resume().await.expect("it goes on");
    ok(
        &aws,
        "SendTaskSuccess",
        json!({"taskToken": token, "output": "1"}),
    )
    .await;
    let described = ended(&aws, &execution).await;
    assert_eq!(described["status"], "SUCCEEDED");
    assert_eq!(invocations.load(Ordering::SeqCst), 2);
    assert!(
        tokens.try_recv().is_err() && last_tokens.try_recv().is_err(),
        "Bob is asked once"
    );
    let events = events(&aws, &execution).await;
    let count = |wanted: &str| events.iter().filter(|event| *event == wanted).count();
    assert_eq!(
        (
            count("TaskSucceeded"),
            count("TaskStarted"),
            count("ExecutionSucceeded")
        ),
        (2, 2, 1)
    );
    aws.stop().await;
    AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("the folder is free");
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_passed_while_nobody_ran_fires_late() {
    let folder = crate::testing::folder("timers");
    let definition =
        json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let first = options(Some(folder.path()));
    let aws = AwsLocal::start(first.clone()).await.expect("it starts");
    let machine = create(&aws, "wait", &definition).await;
    let execution = start(&aws, &machine, &json!({})).await;
    assert_eq!(
        aws.activity().await.next_timer,
        Some("2026-11-21T10:00:00Z".parse().expect("a time"))
    );
    drop(aws);
    tokio::time::sleep(Duration::from_hours(2)).await;
    let aws = AwsLocal::start(first).await.expect("it starts again");
    aws.resume().await.expect("it goes on");
    let described = ended(&aws, &execution).await;
    assert_eq!(described["status"], "SUCCEEDED");
    assert_eq!(
        described["stopDate"].as_f64().map(f64::round),
        Some(1_795_258_800.0)
    );
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
        let task = json!({"Type": "Task", "Resource": resource, "Parameters": {"FunctionName": name}, "End": true});
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

#[tokio::test(start_paused = true)]
async fn starting_is_idempotent_by_name_while_it_runs() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let wait =
        json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}});
    let machine = create(&aws, "wait", &wait).await;
    let body = |input: &str| json!({"stateMachineArn": machine, "name": "one", "input": input});
    let first = ok(&aws, "StartExecution", body("{}")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ok(&aws, "StartExecution", body("{}")).await, first);
    let other = refused(&aws, "StartExecution", body("{ }")).await;
    assert_eq!(
        other,
        "ExecutionAlreadyExists: Execution Already Exists: 'arn:aws:states:us-east-1:123456789012:execution:wait:one'"
    );
    let stop = json!({"executionArn": first["executionArn"], "error": "Why", "cause": "because"});
    let stopped = ok(&aws, "StopExecution", stop.clone()).await;
    assert_eq!(
        ok(&aws, "StopExecution", stop).await,
        stopped,
        "stopping again changes nothing"
    );
    assert!(
        refused(&aws, "StartExecution", body("{}"))
            .await
            .starts_with("ExecutionAlreadyExists")
    );
    let described = ok(
        &aws,
        "DescribeExecution",
        json!({"executionArn": first["executionArn"]}),
    )
    .await;
    assert_eq!(
        (
            &described["status"],
            &described["error"],
            &described["cause"]
        ),
        (&json!("ABORTED"), &json!("Why"), &json!("because"))
    );
    assert_eq!(aws.activity().await.next_timer, None);
}

#[tokio::test(start_paused = true)]
async fn machines_are_created_changed_and_deleted() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let machine = create(&aws, "pass", &pass()).await;
    assert_eq!(
        create(&aws, "pass", &pass()).await,
        machine,
        "the same again is the same"
    );
    let wait =
        json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}});
    let body = json!({"name": "pass", "definition": wait.to_string(), "roleArn": ROLE});
    assert!(
        refused(&aws, "CreateStateMachine", body)
            .await
            .starts_with("StateMachineAlreadyExists")
    );
    let update = json!({"stateMachineArn": machine, "definition": wait.to_string()});
    let updated = ok(&aws, "UpdateStateMachine", update.clone()).await;
    assert_eq!(
        ok(&aws, "UpdateStateMachine", update).await["revisionId"],
        updated["revisionId"]
    );
    let described = ok(
        &aws,
        "DescribeStateMachine",
        json!({"stateMachineArn": machine}),
    )
    .await;
    assert_eq!(described["definition"], wait.to_string());
    assert_eq!(described["revisionId"], updated["revisionId"]);

    let execution = start(&aws, &machine, &json!({})).await;
    ok(
        &aws,
        "DeleteStateMachine",
        json!({"stateMachineArn": machine}),
    )
    .await;
    let more = refused(&aws, "StartExecution", json!({"stateMachineArn": machine})).await;
    assert!(more.starts_with("StateMachineDeleting"), "{more}");
    assert_eq!(ended(&aws, &execution).await["status"], "SUCCEEDED");
    let gone = refused(
        &aws,
        "DescribeStateMachine",
        json!({"stateMachineArn": machine}),
    )
    .await;
    assert!(gone.starts_with("StateMachineDoesNotExist"), "{gone}");
    let of_execution = json!({"executionArn": execution});
    let described = ok(&aws, "DescribeStateMachineForExecution", of_execution).await;
    assert_eq!(described["definition"], wait.to_string());
}

#[tokio::test(start_paused = true)]
async fn lists_and_histories_come_in_pages() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let machine = create(&aws, "pass", &pass()).await;
    create(&aws, "other", &pass()).await;
    let mut started = Vec::new();
    for _ in 0..5 {
        started.push(start(&aws, &machine, &json!({"a": 1})).await);
    }
    let (mut listed, mut token) = (Vec::new(), Value::Null);
    loop {
        let body = json!({"stateMachineArn": machine, "maxResults": 2, "nextToken": token, "statusFilter": "SUCCEEDED"});
        let page = ok(&aws, "ListExecutions", body).await;
        listed.extend(
            page["executions"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|one| one["executionArn"].clone()),
        );
        let Some(next) = page.get("nextToken") else {
            break;
        };
        token = next.clone();
    }
    started.reverse();
    assert_eq!(listed, started);
    let machines = ok(&aws, "ListStateMachines", json!({"maxResults": 1})).await;
    assert_eq!(machines["stateMachines"][0]["name"], "other");
    let machines = ok(
        &aws,
        "ListStateMachines",
        json!({"nextToken": machines["nextToken"]}),
    )
    .await;
    assert_eq!(machines["stateMachines"].as_array().map(Vec::len), Some(1));

    for (reverse, expected) in [(false, [1, 2, 3, 4]), (true, [4, 3, 2, 1])] {
        let (mut ids, mut token) = (Vec::new(), Value::Null);
        loop {
            let body = json!({"executionArn": listed[0], "maxResults": 3, "reverseOrder": reverse, "nextToken": token, "includeExecutionData": false});
            let page = ok(&aws, "GetExecutionHistory", body).await;
            assert_eq!(page.to_string().find("\"input\""), None);
            ids.extend(
                page["events"]
                    .as_array()
                    .expect("events")
                    .iter()
                    .filter_map(|event| event["id"].as_i64()),
            );
            let Some(next) = page.get("nextToken") else {
                break;
            };
            token = next.clone();
        }
        assert_eq!(ids, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_requests_get_awss_errors() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let machine = create(&aws, "pass", &pass()).await;
    let create = |name: &str, definition: &str| json!({"name": name, "definition": definition, "roleArn": ROLE});
    let none = "arn:aws:states:us-east-1:123456789012:stateMachine:none";
    for (operation, body, expected) in [
        (
            "CreateStateMachine",
            create("a b", "{}"),
            "InvalidName: Invalid Name: 'a b'",
        ),
        (
            "CreateStateMachine",
            create(&"a".repeat(81), "{}"),
            "ValidationException: 1 validation error detected",
        ),
        (
            "CreateStateMachine",
            create("a", "{}"),
            "InvalidDefinition: Invalid State Machine Definition: ",
        ),
        (
            "CreateStateMachine",
            json!({"name": "a"}),
            "ValidationException: 1 validation error detected: Value null at 'definition'",
        ),
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": "x"}),
            "InvalidArn: Invalid Arn: 'Invalid ARN prefix: x'",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": none}),
            "StateMachineDoesNotExist: State Machine Does Not Exist: 'arn",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "input": ""}),
            "InvalidExecutionInput: Invalid State Machine Execution Input: 'Invalid execution input.'",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "input": "not some json"}),
            "InvalidExecutionInput: Invalid State Machine Execution Input: 'Unrecognized token 'not': was",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "input": "{'not': 'json'"}),
            "InvalidExecutionInput: Invalid State Machine Execution Input: 'Unexpected character (''' (code 39)): was",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "name": "a/b"}),
            "InvalidName",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "input": format!("\"{}\"", "x".repeat(262_143))}),
            "ValidationException",
        ),
        (
            "DescribeExecution",
            json!({"executionArn": none}),
            "InvalidArn",
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": machine, "statusFilter": "succeeded"}),
            "ValidationException: 1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]",
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": machine, "maxResults": 1001}),
            "ValidationException",
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": machine, "nextToken": "x"}),
            "InvalidToken: Invalid Token: 'Invalid token'",
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": machine}),
            "MissingRequiredParameter: Either the definition",
        ),
        (
            "SendTaskSuccess",
            json!({"taskToken": "t"}),
            "ValidationException",
        ),
        (
            "SendTaskHeartbeat",
            json!({"taskToken": "t".repeat(2049)}),
            "ValidationException",
        ),
    ] {
        let error = refused(&aws, operation, body).await;
        assert!(error.starts_with(expected), "{operation}: {error}");
    }
    let request = http::Request::post("/").header("x-amz-target", "AWSStepFunctions.TestState");
    let response = aws
        .handle(request.body("{}".into()).expect("a request"))
        .await;
    assert_eq!(response.status(), 501);
    assert!(
        String::from_utf8_lossy(response.body())
            .contains("TestState of Step Functions isn't part of")
    );
    assert_eq!(
        ok(&aws, "ListStateMachines", json!({})).await["stateMachines"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

/// Cut off at many moments of its life, an execution ends as it would have, with each event once.
#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_it_ends_the_same() {
    let task = |name: &str, more: Value| {
        let mut task = json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "echo", "Payload.$": "$"},
            "ResultSelector": {"n.$": "$.Payload.n"},
        });
        task.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        json!({"StartAt": name, "States": {name: task}})
    };
    let definition = json!({"StartAt": "First", "States": {
        "First": {"Type": "Wait", "Seconds": 1, "Next": "Both"},
        "Both": {"Type": "Parallel", "ResultPath": "$.both", "Next": "Then", "Branches": [
            task("A", json!({"End": true})),
            task("B", json!({"End": true, "TimeoutSeconds": 60})),
        ]},
        "Then": {"Type": "Wait", "Seconds": 1, "Next": "Last"},
        "Last": {"Type": "Pass", "End": true},
    }});
    let folder = crate::testing::folder("kills");
    let options = options(Some(folder.path()));
    let begin = async || {
        let aws = AwsLocal::start(options.clone()).await.expect("it starts");
        aws.register_function(
            "echo",
            function(|invocation| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(invocation.payload)
            }),
        );
        aws.resume().await.expect("it goes on");
        aws
    };
    let mut aws = begin().await;
    let machine = create(&aws, "killed", &definition).await;
    let mut executions = Vec::new();
    for n in 0..30_u64 {
        executions.push(start(&aws, &machine, &json!({"n": n})).await);
        // From nothing to more than a whole life, by steps that share no period with it.
        tokio::time::sleep(Duration::from_millis(n * 137)).await;
        drop(aws);
        aws = begin().await;
    }
    for (n, execution) in executions.iter().enumerate() {
        let described = ended(&aws, execution).await;
        let expected = json!({"n": n, "both": [{"n": n}, {"n": n}]});
        assert_eq!(described["output"], expected.to_string(), "{described}");
        let history = ok(
            &aws,
            "GetExecutionHistory",
            json!({"executionArn": execution}),
        )
        .await;
        let events = history["events"].as_array().expect("events");
        let ids: Vec<_> = events
            .iter()
            .filter_map(|event| event["id"].as_u64())
            .collect();
        assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        assert_eq!(
            (
                of("TaskSucceeded"),
                of("TaskScheduled"),
                of("WaitStateExited")
            ),
            (2, 2, 2)
        );
    }
    assert_eq!(aws.activity().await.running_executions, 0);
}

#[tokio::test(start_paused = true)]
async fn one_folder_has_one_owner() {
    let folder = crate::testing::folder("owner");
    let first = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts");
    let second = AwsLocal::start(options(Some(folder.path()))).await;
    assert!(matches!(second, Err(crate::StartError::InUse)));
    first.stop().await;
    AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it is free");
}

/// Nothing that was acknowledged is lost to a full disk, and what could not be written is made up for.
#[tokio::test(start_paused = true)]
async fn a_full_disk_delays_and_loses_nothing() {
    let folder = crate::testing::folder("full");
    for data in [None, Some(folder.path())] {
        let aws = AwsLocal::start(options(data)).await.expect("it starts");
        let mut tokens = register(&aws, &Arc::default());
        let machine = create(&aws, "sign", &document_signing()).await;
        let execution = start(&aws, &machine, &json!({"document": 3})).await;
        let token = tokens.recv().await.expect("Bob is asked");
        let store = &aws.inner.step_functions.engine.store;
        let pages = async |most: u32| {
            let limit = store.write(move |database| {
                let pragma = format!("PRAGMA max_page_count = {most}");
                database.query_row(&pragma, [], |row| row.get::<_, u32>(0))
            });
            limit.await.expect("a limit")
        };
        pages(1).await;
        let large = "x".repeat(100_000);
        let answer = json!({"taskToken": token, "output": json!(large).to_string()});
        let request =
            http::Request::post("/").header("x-amz-target", "AWSStepFunctions.SendTaskSuccess");
        let request = request.body(answer.to_string().into()).expect("a request");
        assert_eq!(
            aws.handle(request).await.status(),
            500,
            "what isn't kept isn't acknowledged"
        );
        let more =
            json!({"stateMachineArn": machine, "name": "large", "input": json!(large).to_string()});
        let request =
            http::Request::post("/").header("x-amz-target", "AWSStepFunctions.StartExecution");
        let request = request.body(more.to_string().into()).expect("a request");
        assert_eq!(aws.handle(request).await.status(), 500);
        tokio::time::sleep(Duration::from_secs(5)).await;

        pages(1_000_000).await;
        ok(&aws, "SendTaskSuccess", answer).await;
        assert_eq!(ended(&aws, &execution).await["status"], "SUCCEEDED");
        let listed = ok(&aws, "ListExecutions", json!({"stateMachineArn": machine})).await;
        assert_eq!(listed["executions"].as_array().map(Vec::len), Some(1));
    }
}
