//! Functions that are programs of their own, as workflows see them.

use super::*;
use crate::testing::{folder, program};
use crate::{CommandFunction, Output};

/// A machine of one state, `Work`, which invokes the function `f`.
async fn machine(aws: &AwsLocal, name: &str, more: Value) -> Value {
    let mut task = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "f", "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "End": true,
    });
    let members = task.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    create(aws, name, &json!({"StartAt": "Work", "States": {"Work": task}})).await
}

/// How the execution for an event failed: its error, and its cause without the request's id.
async fn failure(aws: &AwsLocal, machine: &Value, event: Value) -> (String, String) {
    let described = ended(aws, &start(aws, machine, &event).await).await;
    let text = |name: &str| described[name].as_str().unwrap_or_default().to_owned();
    let cause = text("cause");
    let cause = match cause.split_once("RequestId: ") {
        Some((before, rest)) => format!("{before}…{}", &rest[36..]),
        None => cause,
    };
    (text("error"), cause)
}

#[tokio::test]
async fn a_program_that_fails_has_its_errors_name() {
    let folder = folder("functions");
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let source = r#"
while True:
    id, _, event = next()
    if "exit" in event: sys.exit(event["exit"])
    if "hang" in event: time.sleep(60)
    if "error" in event: call("POST", f"invocation/{id}/error", event["error"])
    if "text" in event: call("POST", f"invocation/{id}/response", event["text"])
    answer(id, event)
"#;
    let function = CommandFunction {
        timeout: Duration::from_secs(1),
        ..program(&folder, source)
    };
    aws.register_command("f", function);
    let plain = machine(&aws, "plain", json!({})).await;
    let fails = async |event: Value| failure(&aws, &plain, event).await;
    let lambdas = |error: &str, what: &str| {
        let cause = format!(r#"{{"errorType":"{error}","errorMessage":"… Error: {what}"}}"#);
        (error.to_owned(), cause)
    };
    assert_eq!(
        fails(json!({"exit": 1})).await,
        lambdas("Runtime.ExitError", "Runtime exited with error: exit status 1")
    );
    assert_eq!(
        fails(json!({"hang": 1})).await,
        lambdas("Sandbox.Timedout", "Task timed out after 1.00 seconds")
    );
    // What a runtime posts is the cause, to the letter.
    let posted =
        r#"{"errorMessage": "no", "errorType": "ValueError", "stackTrace": ["  File \"f.py\", line 1\n"]}"#;
    assert_eq!(
        fails(json!({"error": posted})).await,
        ("ValueError".to_owned(), posted.to_owned())
    );
    let unnamed = r#"{"errorMessage":"no"}"#;
    assert_eq!(
        fails(json!({"error": unnamed})).await,
        (
            "Lambda.Unknown".to_owned(),
            format!(
                "The cause could not be determined because Lambda did not return an error type. Returned payload: {unnamed}"
            )
        )
    );
    let (error, cause) = fails(json!({"text": "no JSON"})).await;
    assert_eq!(error, "Lambda.Unknown");
    assert!(cause.contains("no JSON"), "{cause}");

    // The SDK integration passes on whatever there is.
    let sdk = json!({
        "Resource": "arn:aws:states:::aws-sdk:lambda:invoke",
    });
    let sdk = machine(&aws, "sdk", sdk).await;
    let described = ended(&aws, &start(&aws, &sdk, &json!({"text": "no JSON"})).await).await;
    assert_eq!(described["output"], r#""no JSON""#);

    // A state's own time is another matter, and all of them can be caught as failures of the task.
    let short = machine(&aws, "short", json!({"TimeoutSeconds": 1})).await;
    let long = CommandFunction {
        timeout: Duration::from_mins(1),
        ..program(&folder, source)
    };
    aws.register_command("f", long);
    assert_eq!(
        failure(&aws, &short, json!({"hang": 1})).await,
        ("States.Timeout".to_owned(), String::new())
    );
    let catch = json!({"Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]});
    let mut caught = json!({"StartAt": "Work", "States": {"Caught": {"Type": "Succeed"}, "Work": {
        "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true,
    }}});
    caught["States"]["Work"]["Catch"] = catch["Catch"].clone();
    let caught = create(&aws, "caught", &caught).await;
    let described = ended(&aws, &start(&aws, &caught, &json!({"exit": 1})).await).await;
    assert_eq!(described["status"], "SUCCEEDED", "{described}");
    assert!(
        described["output"]
            .as_str()
            .is_some_and(|output| output.contains("Runtime.ExitError"))
    );
}

#[tokio::test]
async fn what_a_program_prints_is_kept_with_the_execution() {
    let (folder, data) = (folder("functions"), folder("functions-data"));
    let source = r#"
print("starting")
while True:
    id, _, event = next()
    print("event", event["n"])
    print("to the other side", event["n"], file=sys.stderr, flush=True)
    print("no end of line", end="", flush=True)
    if event["n"] == 2: sys.exit("the end")
    answer(id, event)
"#;
    let aws = AwsLocal::start(options(Some(data.path())))
        .await
        .expect("it starts");
    aws.register_command("f", program(&folder, source));
    let machine = machine(&aws, "prints", json!({})).await;
    let first = start(&aws, &machine, &json!({"n": 1})).await;
    ended(&aws, &first).await;
    let express = json!({"name": "express", "type": "EXPRESS", "roleArn": ROLE, "definition": json!({
        "StartAt": "Fast", "States": {"Fast": {
            "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true,
        }},
    }).to_string()});
    let express = ok(&aws, "CreateStateMachine", express).await["stateMachineArn"].clone();
    let input = json!({"stateMachineArn": express, "input": r#"{"n": 2}"#});
    let second = ok(&aws, "StartSyncExecution", input).await;
    assert_eq!(second["error"], "Runtime.ExitError", "{second}");
    let second = &second["executionArn"];

    let outputs = async |aws: &AwsLocal, execution: &Value| {
        let printed = aws.outputs(execution.as_str().expect("an ARN")).await;
        let told = |output: Output| (output.function, output.state.unwrap_or_default(), output.text);
        printed.into_iter().map(told).collect::<Vec<_>>()
    };
    let of = |state: &str, text: &str| vec![("f".to_owned(), state.to_owned(), text.to_owned())];
    let expected = (
        of("Work", "starting\nevent 1\nto the other side 1\nno end of line"),
        of("Fast", "event 2\nto the other side 2\nno end of linethe end\n"),
    );
    // The two sides are read one after the other, so that what came at once may change places.
    let sorted = |mut printed: Vec<(String, String, String)>| {
        for (_, _, text) in &mut printed {
            let mut lines: Vec<&str> = text.split('\n').collect();
            lines.sort_unstable();
            *text = lines.join("\n");
        }
        printed
    };
    let expected = (sorted(expected.0), sorted(expected.1));
    assert_eq!(sorted(outputs(&aws, &first).await), expected.0);
    let of_second = sorted(outputs(&aws, second).await);
    assert!(
        of_second[0].2.contains("event 2") && of_second[0].2.contains("the end"),
        "{of_second:?}"
    );
    assert_eq!(of_second[0].1, "Fast");
    aws.stop().await;

    let aws = AwsLocal::start(options(Some(data.path())))
        .await
        .expect("it starts");
    assert_eq!(sorted(outputs(&aws, &first).await), expected.0);
    assert_eq!(sorted(outputs(&aws, second).await), of_second);
}
