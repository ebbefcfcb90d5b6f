//! Workflows that call services, from the definition to what they end with.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{AwsLocal, FunctionError, Options, function};

fn options() -> Options {
    let begin = tokio::time::Instant::now();
    let noon: jiff::Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
    Options::in_memory(move || noon + begin.elapsed())
}

async fn call(aws: &AwsLocal, target: &str, body: Value) -> Value {
    let request = http::Request::post("http://127.0.0.1:8086/")
        .header("x-amz-target", target)
        .body(body.to_string().into())
        .expect("a request");
    let response = aws.handle(request).await;
    let answer = serde_json::from_slice(response.body()).expect("JSON");
    assert_eq!(response.status(), 200, "{target}: {answer}");
    answer
}

async fn states(aws: &AwsLocal, operation: &str, body: Value) -> Value {
    call(aws, &format!("AWSStepFunctions.{operation}"), body).await
}

async fn machine(aws: &AwsLocal, name: &str, definition: Value) -> String {
    let body = json!({
        "name": name,
        "definition": definition.to_string(),
        "roleArn": "arn:aws:iam::123456789012:role/any",
    });
    let created = states(aws, "CreateStateMachine", body).await;
    created["stateMachineArn"].as_str().expect("an ARN").to_owned()
}

/// A machine with one task.
fn one_task(resource: &str, parameters: Value) -> Value {
    json!({"StartAt": "Task", "States": {"Task": {
        "Type": "Task",
        "Resource": format!("arn:aws:states:::{resource}"),
        "Parameters": parameters,
        "End": true,
    }}})
}

async fn start(aws: &AwsLocal, machine: &str, input: Value) -> String {
    let body = json!({"stateMachineArn": machine, "input": input.to_string()});
    let started = states(aws, "StartExecution", body).await;
    started["executionArn"].as_str().expect("an ARN").to_owned()
}

async fn ended(aws: &AwsLocal, execution: &str) -> Value {
    for _ in 0..1000 {
        let described = states(aws, "DescribeExecution", json!({"executionArn": execution})).await;
        if described["status"] != "RUNNING" {
            return described;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{execution} doesn't end")
}

async fn event_types(aws: &AwsLocal, execution: &str) -> Vec<String> {
    let body = json!({"executionArn": execution, "maxResults": 1000});
    let history = states(aws, "GetExecutionHistory", body).await;
    let events = history["events"].as_array().expect("events");
    events
        .iter()
        .map(|event| event["type"].as_str().expect("a type").to_owned())
        .collect()
}

/// Runs one task to its end: its output, or error and cause.
async fn run(aws: &AwsLocal, resource: &str, parameters: Value) -> Result<Value, (String, String)> {
    let name = format!("m{}", aws.inner.source.uuid());
    let machine = machine(aws, &name, one_task(resource, parameters)).await;
    let execution = start(aws, &machine, json!({})).await;
    let described = ended(aws, &execution).await;
    match described["output"].as_str() {
        Some(output) => Ok(serde_json::from_str(output).expect("JSON")),
        None => Err((
            described["error"].as_str().unwrap_or_default().to_owned(),
            described["cause"].as_str().unwrap_or_default().to_owned(),
        )),
    }
}

async fn error(aws: &AwsLocal, resource: &str, parameters: Value) -> String {
    run(aws, resource, parameters).await.expect_err("it fails").0
}

async fn queue(aws: &AwsLocal) -> String {
    let created = call(aws, "AmazonSQS.CreateQueue", json!({"QueueName": "work"})).await;
    created["QueueUrl"].as_str().expect("an address").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_message_carries_the_token_that_ends_the_wait() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let queue = queue(&aws).await;
    let body = json!({"token.$": "$$.Task.Token", "n": 1});
    let parameters = json!({"QueueUrl": queue, "MessageBody": body});
    let machine = machine(
        &aws,
        "ask",
        one_task("sqs:sendMessage.waitForTaskToken", parameters),
    )
    .await;
    let execution = start(&aws, &machine, json!({})).await;
    let receive = json!({"QueueUrl": queue, "WaitTimeSeconds": 20});
    let received = call(&aws, "AmazonSQS.ReceiveMessage", receive).await;
    let message = received["Messages"][0]["Body"].as_str().expect("a message");
    let message: Value = serde_json::from_str(message).expect("JSON");
    assert_eq!(message["n"], 1);
    let answer = json!({"taskToken": message["token"], "output": "\"yes\""});
    states(&aws, "SendTaskSuccess", answer).await;
    assert_eq!(ended(&aws, &execution).await["output"], "\"yes\"");
    let types = event_types(&aws, &execution).await;
    assert_eq!(
        types[2..6],
        ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_named_as_aws_names_them() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let none = "https://sqs.us-east-1.amazonaws.com/123456789012/none";
    let message = json!({"QueueUrl": none, "MessageBody": "x"});
    let (error_name, cause) = run(&aws, "sqs:sendMessage", message.clone())
        .await
        .expect_err("no queue");
    assert_eq!(error_name, "SQS.QueueDoesNotExistException");
    assert!(
        cause.starts_with("The specified queue does not exist. (Service: AmazonSQS; Status Code: 400; Error Code: AWS.SimpleQueueService.NonExistentQueue; Request ID: "),
        "{cause}"
    );
    let key = json!({"pk": {"S": "1"}});
    let get = json!({"TableName": "none", "Key": key});
    let machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:none";
    for (resource, parameters, expected) in [
        (
            "aws-sdk:sqs:sendMessage",
            message,
            "Sqs.QueueDoesNotExistException",
        ),
        (
            "dynamodb:getItem",
            get.clone(),
            "DynamoDB.ResourceNotFoundException",
        ),
        (
            "aws-sdk:dynamodb:getItem",
            get,
            "DynamoDb.ResourceNotFoundException",
        ),
        (
            "aws-sdk:dynamodb:query",
            json!({"TableName": "x"}),
            "DynamoDb.DynamoDbException",
        ),
        (
            "aws-sdk:s3:getObject",
            json!({"Bucket": "none", "Key": "k"}),
            "S3.NoSuchBucketException",
        ),
        (
            "aws-sdk:sfn:startExecution",
            json!({"StateMachineArn": machine_arn}),
            "Sfn.StateMachineDoesNotExistException",
        ),
        (
            "states:startExecution",
            json!({"StateMachineArn": machine_arn}),
            "StepFunctions.StateMachineDoesNotExistException",
        ),
        (
            "aws-sdk:lambda:invoke",
            json!({"FunctionName": "none"}),
            "Lambda.ResourceNotFoundException",
        ),
        (
            "aws-sdk:sesv2:getEmailIdentity",
            json!({"EmailIdentity": "a@b.example"}),
            "SesV2.NotFoundException",
        ),
        ("aws-sdk:kms:encrypt", json!({}), "States.Runtime"),
        (
            "http:invoke",
            json!({"ApiEndpoint": "http://127.0.0.1:1", "Method": "GET"}),
            "States.Runtime",
        ),
    ] {
        assert_eq!(error(&aws, resource, parameters).await, expected, "{resource}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_told_from_a_task_that_does() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let none = "https://sqs.us-east-1.amazonaws.com/123456789012/none";
    let parameters = json!({"QueueUrl": none, "MessageBody": {"t.$": "$$.Task.Token"}});
    for (resource, last) in [
        ("sqs:sendMessage", "TaskFailed"),
        ("sqs:sendMessage.waitForTaskToken", "TaskSubmitFailed"),
    ] {
        let mut parameters = parameters.clone();
        if last == "TaskFailed" {
            parameters["MessageBody"] = "x".into();
        }
        let machine = machine(&aws, last, one_task(resource, parameters)).await;
        let execution = start(&aws, &machine, json!({})).await;
        ended(&aws, &execution).await;
        assert_eq!(event_types(&aws, &execution).await[4], last, "{resource}");
    }
}

#[tokio::test(start_paused = true)]
async fn items_are_written_and_read() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let table = json!({
        "TableName": "items",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    });
    call(&aws, "DynamoDB_20120810.CreateTable", table).await;
    let item = json!({"pk": {"S": "1"}, "n": {"N": "1"}});
    let put = json!({"TableName": "items", "Item": item, "ConditionExpression": "attribute_not_exists(pk)"});
    let done = run(&aws, "dynamodb:putItem", put.clone())
        .await
        .expect("it is written");
    assert_eq!(done["SdkHttpMetadata"]["HttpStatusCode"], 200);
    assert_eq!(
        done["SdkHttpMetadata"]["HttpHeaders"]["x-amz-crc32"],
        "2745614147"
    );
    assert_eq!(
        error(&aws, "dynamodb:putItem", put).await,
        "DynamoDB.ConditionalCheckFailedException"
    );
    let key = json!({"TableName": "items", "Key": {"pk": {"S": "1"}}});
    let got = run(&aws, "aws-sdk:dynamodb:getItem", key)
        .await
        .expect("it is read");
    assert_eq!(got, json!({"Item": item}));
}

#[tokio::test(start_paused = true)]
async fn objects_are_written_listed_and_read() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    run(&aws, "aws-sdk:s3:createBucket", json!({"Bucket": "bucket"}))
        .await
        .expect("made");
    let body = json!({"a": 1});
    let put = json!({"Bucket": "bucket", "Key": "a b", "Body": body, "ContentType": "application/json", "Metadata": {"who": "Bob"}});
    let put = run(&aws, "aws-sdk:s3:putObject", put).await.expect("written");
    let got = json!({"Bucket": "bucket", "Key": "a b"});
    let got = run(&aws, "aws-sdk:s3:getObject", got).await.expect("read");
    assert_eq!(got["ETag"], put["ETag"]);
    assert_eq!(
        json!([
            got["Body"],
            got["ContentLength"],
            got["Metadata"],
            got["LastModified"]
        ]),
        json!(["{\"a\":1}", 7, {"who": "Bob"}, "2026-11-21T12:00:00Z"])
    );
    let list = json!({"Bucket": "bucket", "MaxKeys": 10});
    let list = run(&aws, "aws-sdk:s3:listObjectsV2", list).await.expect("listed");
    assert_eq!(
        json!([
            list["Contents"][0]["Key"],
            list["Contents"][0]["Size"],
            list["IsTruncated"]
        ]),
        json!(["a b", 7, false])
    );
    let buckets = run(&aws, "aws-sdk:s3:listBuckets", json!({}))
        .await
        .expect("listed");
    assert_eq!(buckets["Buckets"][0]["Name"], "bucket");
    let gone = json!({"Bucket": "bucket", "Delete": {"Objects": [{"Key": "a b"}, {"Key": "none"}]}});
    let gone = run(&aws, "aws-sdk:s3:deleteObjects", gone)
        .await
        .expect("deleted");
    assert_eq!(gone["Deleted"], json!([{"Key": "a b"}, {"Key": "none"}]));
    let none = json!({"Bucket": "bucket", "Key": "a b"});
    assert_eq!(
        error(&aws, "aws-sdk:s3:getObject", none).await,
        "S3.NoSuchKeyException"
    );
}

#[tokio::test(start_paused = true)]
async fn events_say_which_execution_sent_them() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let entry = json!({"Source": "app", "DetailType": "asked", "Detail": {"n": 1}});
    let put = run(&aws, "events:putEvents", json!({"Entries": [entry]}))
        .await
        .expect("put");
    assert_eq!(put["FailedEntryCount"], 0);
    let events = aws.events().await;
    assert_eq!(
        json!([events[0]["detail"], events[0]["id"]]),
        json!([{"n": 1}, put["Entries"][0]["EventId"]])
    );
    assert_eq!(events[0]["resources"].as_array().map(Vec::len), Some(2));
    let wrong = json!({"Entries": [{"Source": "app"}]});
    assert_eq!(
        error(&aws, "events:putEvents", wrong).await,
        "EventBridge.FailedEntry"
    );
}

fn pass(result: &Value) -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": result, "End": true}}})
}

#[tokio::test(start_paused = true)]
async fn a_parent_gets_what_its_child_ends_with() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let child = machine(&aws, "child", pass(&json!({"done": true}))).await;
    let parameters = json!({"StateMachineArn": child, "Input": {"a": 1}});
    let text = run(&aws, "states:startExecution.sync", parameters.clone())
        .await
        .expect("it ends");
    assert_eq!(
        json!([text["Output"], text["Input"], text["Status"]]),
        json!(["{\"done\":true}", "{\"a\":1}", "SUCCEEDED"])
    );
    let parsed = run(&aws, "states:startExecution.sync:2", parameters.clone())
        .await
        .expect("it ends");
    assert_eq!(parsed["Output"], json!({"done": true}));
    let started = run(&aws, "states:startExecution", parameters)
        .await
        .expect("it starts");
    assert!(
        started["ExecutionArn"]
            .as_str()
            .is_some_and(|arn| arn.contains(":execution:child:"))
    );
    let failing = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Mine", "Cause": "why"}}});
    let failing = machine(&aws, "failing", failing).await;
    let failed = run(
        &aws,
        "states:startExecution.sync",
        json!({"StateMachineArn": failing}),
    )
    .await;
    let (error, cause) = failed.expect_err("it fails");
    let cause: Value = serde_json::from_str(&cause).expect("JSON");
    assert_eq!(
        (error.as_str(), &cause["Error"], &cause["Status"]),
        ("States.TaskFailed", &json!("Mine"), &json!("FAILED"))
    );
    assert_eq!(aws.activity().await.running_executions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_is_stopped_with_its_parent() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let waits = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let child = machine(&aws, "child", waits).await;
    let parameters = json!({"StateMachineArn": child, "Name": "only"});
    let parent = machine(&aws, "parent", one_task("states:startExecution.sync", parameters)).await;
    let parent = start(&aws, &parent, json!({})).await;
    let child = "arn:aws:states:us-east-1:123456789012:execution:child:only";
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        event_types(&aws, &parent).await.last().map(String::as_str),
        Some("TaskSubmitted")
    );
    states(&aws, "StopExecution", json!({"executionArn": parent})).await;
    assert_eq!(ended(&aws, child).await["status"], "ABORTED");
}

#[tokio::test]
async fn a_child_that_ends_after_a_restart_tells_its_parent() {
    let folder = crate::testing::folder("nested");
    let options = Options {
        data: Some(folder.path().to_owned()),
        ..options()
    };
    let aws = AwsLocal::start(options.clone()).await.expect("it starts");
    let ask = |aws: &AwsLocal| {
        aws.register_function("ask", function(|_| async { Ok::<_, FunctionError>(json!({})) }));
    };
    ask(&aws);
    let parameters = json!({"FunctionName": "ask", "Payload": {"t.$": "$$.Task.Token"}});
    let child = machine(
        &aws,
        "child",
        one_task("lambda:invoke.waitForTaskToken", parameters),
    )
    .await;
    let parameters = json!({"StateMachineArn": child, "Name": "only"});
    let parent = machine(
        &aws,
        "parent",
        one_task("states:startExecution.sync:2", parameters),
    )
    .await;
    let parent = start(&aws, &parent, json!({})).await;
    let child = "arn:aws:states:us-east-1:123456789012:execution:child:only";
    let token = loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let waits = event_types(&aws, &parent)
            .await
            .last()
            .is_some_and(|last| last == "TaskSubmitted");
        if !waits {
            continue;
        }
        let history = states(&aws, "GetExecutionHistory", json!({"executionArn": child})).await;
        let scheduled = history["events"][2]["taskScheduledEventDetails"]["parameters"].clone();
        let scheduled: Value = serde_json::from_str(scheduled.as_str().expect("text")).expect("JSON");
        if history["events"]
            .as_array()
            .is_some_and(|events| events.len() == 5)
        {
            break scheduled["Payload"]["t"].clone();
        }
    };
    drop(aws);
    let aws = AwsLocal::start(options).await.expect("it starts again");
    ask(&aws);
    aws.resume().await.expect("it goes on");
    states(
        &aws,
        "SendTaskSuccess",
        json!({"taskToken": token, "output": "7"}),
    )
    .await;
    let output = ended(&aws, &parent).await["output"].clone();
    let output: Value = serde_json::from_str(output.as_str().expect("text")).expect("JSON");
    assert_eq!(output["Output"], 7);
}

#[tokio::test]
async fn an_http_task_calls_what_is_allowed() {
    let app = axum::Router::new()
        .route(
            "/ok",
            axum::routing::post(|body: String| async move { format!("{{\"got\": {body}}}") }),
        )
        .route(
            "/no",
            axum::routing::get(|| async { (http::StatusCode::CONFLICT, "taken") }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let options = Options {
        http_tasks: vec![address.clone()],
        ..options()
    };
    let aws = AwsLocal::start(options).await.expect("it starts");
    let parameters = json!({"ApiEndpoint": format!("http://{address}/ok"), "Method": "POST", "RequestBody": {"a": 1}, "QueryParameters": {"q": "x y"}});
    let answer = run(&aws, "http:invoke", parameters).await.expect("it is called");
    assert_eq!(
        json!([answer["StatusCode"], answer["ResponseBody"]]),
        json!([200, {"got": {"a": 1}}])
    );
    let parameters = json!({"ApiEndpoint": format!("http://{address}/no"), "Method": "GET"});
    let failed = run(&aws, "http:invoke", parameters).await;
    assert_eq!(
        failed,
        Err(("States.Http.StatusCode.409".to_owned(), "taken".to_owned()))
    );
    let elsewhere = json!({"ApiEndpoint": format!("http://localhost.example/{address}"), "Method": "GET"});
    assert_eq!(error(&aws, "http:invoke", elsewhere).await, "States.Runtime");
}
