//! Express machines, and what is not for them.

use super::*;

async fn create_express(aws: &AwsLocal, name: &str, definition: &Value) -> Value {
    let body =
        json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE, "type": "EXPRESS"});
    ok(aws, "CreateStateMachine", body).await["stateMachineArn"].clone()
}

#[tokio::test(start_paused = true)]
async fn it_answers_when_the_execution_has_ended() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let mut tokens = register(&aws, &Arc::default());
    let task = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "alice", "Payload": {"document.$": "$.document"}},
        "OutputPath": "$.Payload",
        "Next": "W",
    });
    let wait = json!({"Type": "Wait", "Seconds": 2, "End": true});
    let machine = create_express(
        &aws,
        "m",
        &json!({"StartAt": "T", "States": {"T": task, "W": wait}}),
    )
    .await;
    let body = json!({"stateMachineArn": machine, "name": "one", "input": "{\"document\": 3}"});
    let answer = ok(&aws, "StartSyncExecution", body.clone()).await;
    assert_eq!(answer["status"], "SUCCEEDED");
    assert_eq!(answer["output"], r#"{"signature":"Alice signed 3"}"#);
    assert_eq!(
        answer["billingDetails"],
        json!({"billedDurationInMilliseconds": 3000, "billedMemoryUsedInMB": 64})
    );
    let arn = answer["executionArn"].as_str().expect("an ARN").to_owned();
    assert!(
        arn.starts_with("arn:aws:states:us-east-1:123456789012:express:m:one:"),
        "{arn}"
    );
    let again = ok(&aws, "StartSyncExecution", body).await;
    assert_ne!(
        again["executionArn"], answer["executionArn"],
        "each start is an execution"
    );
    for operation in ["DescribeExecution", "GetExecutionHistory", "StopExecution"] {
        let refused = refused(&aws, operation, json!({"executionArn": arn})).await;
        assert!(refused.starts_with("InvalidArn"), "{refused}");
    }
    let listed = refused(&aws, "ListExecutions", json!({"stateMachineArn": machine})).await;
    assert!(listed.starts_with("StateMachineTypeNotSupported"), "{listed}");
    assert!(tokens.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_and_five_minutes_are_the_end() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let fail = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "C"}}});
    let machine = create_express(&aws, "f", &fail).await;
    let answer = ok(&aws, "StartSyncExecution", json!({"stateMachineArn": machine})).await;
    assert_eq!(
        (&answer["status"], &answer["error"], &answer["cause"]),
        (&json!("FAILED"), &json!("E"), &json!("C"))
    );
    let wait = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": true}}});
    let machine = create_express(&aws, "w", &wait).await;
    let begin = tokio::time::Instant::now();
    let answer = ok(&aws, "StartSyncExecution", json!({"stateMachineArn": machine})).await;
    assert_eq!(answer["status"], "TIMED_OUT");
    assert_eq!(begin.elapsed(), Duration::from_mins(5));
    let standard = create(&aws, "s", &pass()).await;
    let refused = refused(&aws, "StartSyncExecution", json!({"stateMachineArn": standard})).await;
    assert!(refused.starts_with("StateMachineTypeNotSupported"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_waits_for_runs_all_the_same() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let count = Arc::new(AtomicUsize::new(0));
    let _tokens = register(&aws, &count);
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "alice", "Payload": {}}, "End": true});
    let machine = create_express(&aws, "m", &json!({"StartAt": "T", "States": {"T": task}})).await;
    let started = ok(
        &aws,
        "StartExecution",
        json!({"stateMachineArn": machine, "name": "n"}),
    )
    .await;
    assert!(
        started["executionArn"]
            .as_str()
            .is_some_and(|arn| arn.contains(":express:m:n:"))
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
}
