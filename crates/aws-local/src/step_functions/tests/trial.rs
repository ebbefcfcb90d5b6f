//! TestState.

use super::*;

async fn test_state(aws: &AwsLocal, definition: &Value, more: &Value) -> Value {
    ok(aws, "TestState", body(definition, more)).await
}

fn body(definition: &Value, more: &Value) -> Value {
    let mut body = json!({"definition": definition.to_string()});
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}

fn task() -> Value {
    json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "InputPath": "$.in",
        "Parameters": {"FunctionName": "alice", "Payload": {"document.$": "$.document"}},
        "ResultSelector": {"signature.$": "$.Payload.signature"},
        "ResultPath": "$.result",
        "OutputPath": "$.result.signature",
        "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 4, "MaxAttempts": 2, "BackoffRate": 3}],
        "Catch": [{"ErrorEquals": ["Other"], "Next": "X"}, {"ErrorEquals": ["Mine"], "ResultPath": "$.error", "Next": "Y"}],
        "Next": "Z",
    })
}

#[tokio::test(start_paused = true)]
async fn a_task_is_run_and_every_step_of_its_data_is_shown() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let _tokens = register(&aws, &Arc::default());
    let more = json!({"roleArn": ROLE, "input": "{\"in\": {\"document\": 3}}", "inspectionLevel": "DEBUG"});
    let answer = test_state(&aws, &task(), &more).await;
    assert_eq!(
        (&answer["status"], &answer["nextState"], &answer["output"]),
        (&json!("SUCCEEDED"), &json!("Z"), &json!("\"Alice signed 3\""))
    );
    let inspection = &answer["inspectionData"];
    for (name, expected) in [
        ("input", r#"{"in":{"document":3}}"#),
        ("afterInputPath", r#"{"document":3}"#),
        (
            "afterParameters",
            r#"{"FunctionName":"alice","Payload":{"document":3}}"#,
        ),
        ("afterResultSelector", r#"{"signature":"Alice signed 3"}"#),
        (
            "afterResultPath",
            r#"{"in":{"document":3},"result":{"signature":"Alice signed 3"}}"#,
        ),
    ] {
        assert_eq!(inspection[name], expected, "{name}");
    }
    assert!(
        inspection["result"]
            .as_str()
            .is_some_and(|result| result.contains("StatusCode"))
    );
    let info = test_state(
        &aws,
        &task(),
        &json!({"roleArn": ROLE, "input": "{\"in\": {\"document\": 3}}"}),
    )
    .await;
    assert_eq!(info.get("inspectionData"), None);
}

#[tokio::test(start_paused = true)]
async fn mocked_failures_meet_the_states_own_rules() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let run = async |error: &str, retries: u64| {
        let more = json!({
            "input": "{\"in\": {\"document\": 3}}",
            "inspectionLevel": "TRACE",
            "mock": {"errorOutput": {"error": error, "cause": "why"}},
            "stateConfiguration": {"retrierRetryCount": retries},
        });
        test_state(&aws, &task(), &more).await
    };
    let retriable = run("Busy", 1).await;
    assert_eq!(
        (&retriable["status"], &retriable["error"], &retriable["cause"]),
        (&json!("RETRIABLE"), &json!("Busy"), &json!("why"))
    );
    assert_eq!(
        retriable["inspectionData"]["errorDetails"],
        json!({"retryIndex": 0, "retryBackoffIntervalSeconds": 12})
    );
    let used_up = run("Busy", 2).await;
    assert_eq!(used_up["status"], "FAILED");
    assert_eq!(
        used_up["inspectionData"]["errorDetails"],
        json!({"retryIndex": 0})
    );
    let caught = run("Mine", 0).await;
    assert_eq!(
        (&caught["status"], &caught["nextState"], &caught["error"]),
        (&json!("CAUGHT_ERROR"), &json!("Y"), &json!("Mine"))
    );
    assert_eq!(
        caught["output"],
        r#"{"in":{"document":3},"error":{"Error":"Mine","Cause":"why"}}"#
    );
    assert_eq!(caught["inspectionData"]["errorDetails"], json!({"catchIndex": 1}));
}

#[tokio::test(start_paused = true)]
async fn maps_and_states_within_them_can_be_tried() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let item = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "Result": 7, "End": true}}});
    let map = json!({
        "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ItemProcessor": item, "End": true,
        "ItemSelector": {"n.$": "$$.Map.Item.Value"},
    });
    let more =
        json!({"input": "{\"items\": [1, 2]}", "inspectionLevel": "DEBUG", "mock": {"result": "[3, 4]"}});
    let answer = test_state(&aws, &map, &more).await;
    assert_eq!(answer["output"], "[3,4]");
    assert_eq!(answer["inspectionData"]["afterItemsPath"], "[1,2]");
    assert_eq!(
        answer["inspectionData"]["afterItemSelector"],
        r#"[{"n":1},{"n":2}]"#
    );
    assert_eq!(answer["inspectionData"]["maxConcurrency"], 2);
    let machine = json!({"StartAt": "M", "States": {"M": map}});
    let answer = test_state(&aws, &machine, &json!({"stateName": "I"})).await;
    assert_eq!(
        (&answer["status"], &answer["output"]),
        (&json!("SUCCEEDED"), &json!("7"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_tried_is_refused_in_awss_words() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let pass = json!({"Type": "Pass", "End": true});
    let parallel = json!({"Type": "Parallel", "Branches": [super::pass()], "End": true});
    let wait_for_token = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": {"FunctionName": "f", "Payload": {"t.$": "$$.Task.Token"}}, "End": true});
    let mock = json!({"result": "1"});
    for (definition, more, expected) in [
        (
            &pass,
            json!({"mock": mock}),
            "ValidationException: State type 'Pass' is not supported when a mock is specified",
        ),
        (
            &parallel,
            json!({}),
            "InvalidDefinition: TestState API does not support Map or Parallel states.",
        ),
        (
            &parallel,
            json!({"mock": {"result": "[1, 2]"}}),
            "ValidationException: Mocked result must contain the same number",
        ),
        (
            &task(),
            json!({}),
            "ValidationException: RoleArn must be specified when testing a Task state",
        ),
        (
            &task(),
            json!({"mock": {"result": "x"}}),
            "ValidationException: Mocked result must be valid JSON",
        ),
        (
            &task(),
            json!({"mock": {"result": "{\"StatusCode\": \"200\"}"}}),
            "ValidationException: Mock result schema validation error: Field 'StatusCode' must be a number",
        ),
        (
            &task(),
            json!({"mock": {"result": "1", "errorOutput": {"error": "E"}}}),
            "ValidationException: A test mock should have only one",
        ),
        (
            &task(),
            json!({"context": "{}", "roleArn": ROLE}),
            "ValidationException: A context object can only",
        ),
        (
            &task(),
            json!({"context": "{\"Execution\": {\"Id\": 1}}", "mock": {"result": "{}"}}),
            "ValidationException: Invalid Context object provided: Execution.Id must be a string",
        ),
        (
            &wait_for_token,
            json!({"roleArn": ROLE}),
            "InvalidDefinition: TestState API does not support the '.sync'",
        ),
        (&pass, json!({"input": "x"}), "InvalidExecutionInput"),
        (
            &json!({"Type": "Nothing"}),
            json!({}),
            "InvalidDefinition: Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: The field 'Type' should have",
        ),
        (&super::pass(), json!({"stateName": "Q"}), "ValidationException"),
    ] {
        let refused = refused(&aws, "TestState", body(definition, &more)).await;
        assert!(refused.starts_with(expected), "{more}: {refused}");
    }
    let mocked = test_state(&aws, &wait_for_token, &json!({"mock": {"result": "\"yes\""}})).await;
    assert_eq!(mocked["output"], "\"yes\"");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_takes_too_long_times_out() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let wait = |seconds: u64| json!({"Type": "Wait", "Seconds": seconds, "End": true});
    assert_eq!(
        test_state(&aws, &wait(299), &json!({})).await["status"],
        "SUCCEEDED"
    );
    let answer = test_state(&aws, &wait(301), &json!({})).await;
    assert_eq!(
        (&answer["status"], &answer["error"]),
        (&json!("FAILED"), &json!("States.Timeout"))
    );
}
