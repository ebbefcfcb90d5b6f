//! The operations on the wire: idempotency, pages, errors.

use super::*;

#[tokio::test(start_paused = true)]
async fn starting_is_idempotent_by_name_while_it_runs() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let wait = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}});
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
        (&described["status"], &described["error"], &described["cause"]),
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
    let wait = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}});
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
    let described = ok(&aws, "DescribeStateMachine", json!({"stateMachineArn": machine})).await;
    assert_eq!(described["definition"], wait.to_string());
    assert_eq!(described["revisionId"], updated["revisionId"]);

    let execution = start(&aws, &machine, &json!({})).await;
    ok(&aws, "DeleteStateMachine", json!({"stateMachineArn": machine})).await;
    let more = refused(&aws, "StartExecution", json!({"stateMachineArn": machine})).await;
    assert!(more.starts_with("StateMachineDeleting"), "{more}");
    assert_eq!(ended(&aws, &execution).await["status"], "SUCCEEDED");
    let gone = refused(&aws, "DescribeStateMachine", json!({"stateMachineArn": machine})).await;
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
    let create =
        |name: &str, definition: &str| json!({"name": name, "definition": definition, "roleArn": ROLE});
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
            "ValidationException: 2 validation errors detected: Value null at 'definition'",
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
        ("DescribeExecution", json!({"executionArn": none}), "InvalidArn"),
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
    let request = http::Request::post("/").header("x-amz-target", "AWSStepFunctions.NoSuchOperation");
    let response = aws.handle(request.body("{}".into()).expect("a request")).await;
    assert_eq!(response.status(), 501);
    assert!(
        String::from_utf8_lossy(response.body()).contains("NoSuchOperation of Step Functions isn't part")
    );
    assert_eq!(
        ok(&aws, "ListStateMachines", json!({})).await["stateMachines"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}
