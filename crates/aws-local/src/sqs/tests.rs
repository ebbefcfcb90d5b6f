//! SQS over its protocol, in virtual time where time matters.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{AwsLocal, Options};

/// A clock that follows tokio's.
fn options() -> Options {
    let begin = tokio::time::Instant::now();
    let noon: jiff::Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
    Options::in_memory(move || noon + begin.elapsed())
}

async fn raw(aws: &AwsLocal, operation: &str, body: &Value) -> http::Response<bytes::Bytes> {
    let request = http::Request::post("http://127.0.0.1:8086/")
        .header("x-amz-target", format!("AmazonSQS.{operation}"))
        .header("host", "127.0.0.1:8086")
        .body(body.to_string().into())
        .expect("a request");
    aws.handle(request).await
}

async fn call(aws: &AwsLocal, operation: &str, body: Value) -> Value {
    let response = raw(aws, operation, &body).await;
    let answer = serde_json::from_slice(response.body()).expect("JSON");
    assert_eq!(response.status(), 200, "{operation}: {answer}");
    answer
}

/// The code of the older protocol, by which most SDKs name an error.
async fn refused(aws: &AwsLocal, operation: &str, body: Value) -> String {
    let response = raw(aws, operation, &body).await;
    assert_eq!(
        response.status(),
        400,
        "{operation} {body}: {:?}",
        response.body()
    );
    let header = response.headers().get("x-amzn-query-error").expect("a code");
    let header = header.to_str().expect("text");
    header.split(';').next().expect("a code").to_owned()
}

async fn queue(aws: &AwsLocal, name: &str, attributes: Value) -> String {
    let body = json!({"QueueName": name, "Attributes": attributes});
    let url = call(aws, "CreateQueue", body).await["QueueUrl"].clone();
    url.as_str().expect("an address").to_owned()
}

async fn send(aws: &AwsLocal, queue: &str, body: &str) -> Value {
    call(
        aws,
        "SendMessage",
        json!({"QueueUrl": queue, "MessageBody": body}),
    )
    .await
}

async fn receive(aws: &AwsLocal, queue: &str, more: Value) -> Vec<Value> {
    let mut body =
        json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"]});
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    let mut answer = call(aws, "ReceiveMessage", body).await;
    match answer["Messages"].take() {
        Value::Array(messages) => messages,
        _ => Vec::new(),
    }
}

fn bodies(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message["Body"].as_str().expect("text"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_is_seen_again_when_nobody_deletes_it() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let queue = queue(&aws, "work", json!({"VisibilityTimeout": "30"})).await;
    assert_eq!(queue, "http://127.0.0.1:8086/123456789012/work");
    let sent = send(&aws, &queue, "Hello").await;
    assert_eq!(sent["MD5OfMessageBody"], "8b1a9953c4611296a827abf8c47804d7");
    let first = receive(&aws, &queue, json!({})).await;
    assert_eq!(first[0]["MessageId"], sent["MessageId"]);
    assert_eq!(first[0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(first[0]["Attributes"]["SentTimestamp"], "1795262400000");
    assert!(receive(&aws, &queue, json!({})).await.is_empty());
    tokio::time::advance(Duration::from_secs(31)).await;
    let second = receive(&aws, &queue, json!({})).await;
    assert_eq!(second[0]["Attributes"]["ApproximateReceiveCount"], "2");
    // The first receiver's handle says yes, and deletes nothing any more.
    let handle = |message: &Value| json!({"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]});
    call(&aws, "DeleteMessage", handle(&first[0])).await;
    call(&aws, "ChangeMessageVisibility", {
        let mut change = handle(&second[0]);
        change["VisibilityTimeout"] = 0.into();
        change
    })
    .await;
    let third = receive(&aws, &queue, json!({})).await;
    assert_eq!(third[0]["Attributes"]["ApproximateReceiveCount"], "3");
    call(&aws, "DeleteMessage", handle(&third[0])).await;
    tokio::time::advance(Duration::from_secs(31)).await;
    assert!(receive(&aws, &queue, json!({})).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_with_the_message_or_with_its_time() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let queue = queue(&aws, "work", json!({})).await;
    let begin = tokio::time::Instant::now();
    assert!(
        receive(&aws, &queue, json!({"WaitTimeSeconds": 20}))
            .await
            .is_empty()
    );
    assert_eq!(begin.elapsed().as_secs(), 20);
    // A delayed message ends it when its delay is over, a sent one at once.
    let delayed = json!({"QueueUrl": queue, "MessageBody": "later", "DelaySeconds": 7});
    call(&aws, "SendMessage", delayed).await;
    let begin = tokio::time::Instant::now();
    assert_eq!(
        bodies(&receive(&aws, &queue, json!({"WaitTimeSeconds": 20})).await),
        ["later"]
    );
    assert_eq!(begin.elapsed().as_secs(), 7);
    let (waiting, address) = (aws.clone(), queue.clone());
    let waiting =
        tokio::spawn(async move { receive(&waiting, &address, json!({"WaitTimeSeconds": 20})).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let begin = tokio::time::Instant::now();
    send(&aws, &queue, "now").await;
    assert_eq!(bodies(&waiting.await.expect("no panic")), ["now"]);
    assert_eq!(begin.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_received_too_often_goes_to_the_dead_letter_queue() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let dead = queue(&aws, "dead", json!({})).await;
    let policy =
        json!({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 2});
    let attributes = json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "0"});
    let work = queue(&aws, "work", attributes).await;
    send(&aws, &work, "poison").await;
    for _ in 0..2 {
        assert_eq!(bodies(&receive(&aws, &work, json!({})).await), ["poison"]);
    }
    assert!(receive(&aws, &work, json!({})).await.is_empty());
    let found = receive(&aws, &dead, json!({})).await;
    assert_eq!(bodies(&found), ["poison"]);
    assert_eq!(
        found[0]["Attributes"]["DeadLetterQueueSourceArn"],
        "arn:aws:sqs:us-east-1:123456789012:work"
    );
    let sources = call(&aws, "ListDeadLetterSourceQueues", json!({"QueueUrl": dead})).await;
    assert_eq!(sources["queueUrls"], json!([work]));
}

async fn send_in_group(aws: &AwsLocal, queue: &str, group: &str, body: &str) -> Value {
    let message = json!({"QueueUrl": queue, "MessageBody": body, "MessageGroupId": group});
    call(aws, "SendMessage", message).await
}

#[tokio::test(start_paused = true)]
async fn a_group_keeps_its_order_and_waits_for_what_is_in_flight() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    let queue = queue(&aws, "work.fifo", attributes).await;
    let mut numbers = Vec::new();
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        let sent = send_in_group(&aws, &queue, group, body).await;
        numbers.push(sent["SequenceNumber"].as_str().expect("a number").to_owned());
    }
    assert!(numbers.is_sorted());
    let repeated = send_in_group(&aws, &queue, "a", "a1").await;
    assert_eq!(repeated["SequenceNumber"], numbers[0].as_str());
    let first = receive(&aws, &queue, json!({"MaxNumberOfMessages": 1})).await;
    assert_eq!(bodies(&first), ["a1"]);
    // The rest of its group waits; the other group doesn't.
    let other = receive(&aws, &queue, json!({})).await;
    assert_eq!(bodies(&other), ["b1"]);
    let done = json!({"QueueUrl": queue, "ReceiptHandle": first[0]["ReceiptHandle"]});
    call(&aws, "DeleteMessage", done).await;
    assert_eq!(bodies(&receive(&aws, &queue, json!({})).await), ["a2", "a3"]);
    // After its time a handle is refused; after five minutes the same message is a new one.
    tokio::time::advance(Duration::from_secs(301)).await;
    let late = json!({"QueueUrl": queue, "ReceiptHandle": other[0]["ReceiptHandle"]});
    assert_eq!(
        refused(&aws, "DeleteMessage", late).await,
        "InvalidParameterValue"
    );
    let again = send_in_group(&aws, &queue, "a", "a1").await;
    assert!(again["SequenceNumber"].as_str() > Some(numbers[3].as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_answered_entry_by_entry() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let queue = queue(&aws, "work", json!({})).await;
    let attribute = json!({"who": {"DataType": "String", "StringValue": "Alice"}});
    let trace = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}});
    let entries = json!([
        {"Id": "a", "MessageBody": "one", "MessageAttributes": attribute, "MessageSystemAttributes": trace},
        {"Id": "b", "MessageBody": ""},
        {"Id": "c", "MessageBody": "two", "DelaySeconds": 901},
    ]);
    let sent = call(
        &aws,
        "SendMessageBatch",
        json!({"QueueUrl": queue, "Entries": entries}),
    )
    .await;
    assert_eq!(sent["Successful"][0]["Id"], "a");
    let failed = sent["Failed"].as_array().expect("two failures");
    assert_eq!(failed[0]["Code"], "MissingParameter");
    assert_eq!(failed[1]["Code"], "InvalidParameterValue");
    let got = receive(&aws, &queue, json!({"MessageAttributeNames": ["x.*"]})).await;
    assert!(got[0].get("MessageAttributes").is_none());
    assert_eq!(got[0]["Attributes"]["AWSTraceHeader"], "Root=1");
    tokio::time::advance(Duration::from_secs(31)).await;
    let got = receive(&aws, &queue, json!({"MessageAttributeNames": ["All"]})).await;
    assert_eq!(got[0]["MessageAttributes"]["who"]["StringValue"], "Alice");
    assert_eq!(
        got[0]["MD5OfMessageAttributes"],
        sent["Successful"][0]["MD5OfMessageAttributes"]
    );
    let handles = json!([
        {"Id": "a", "ReceiptHandle": got[0]["ReceiptHandle"], "VisibilityTimeout": 5},
        {"Id": "b", "ReceiptHandle": "nonsense", "VisibilityTimeout": 5},
    ]);
    let batch = json!({"QueueUrl": queue, "Entries": handles});
    let changed = call(&aws, "ChangeMessageVisibilityBatch", batch.clone()).await;
    assert_eq!(
        (&changed["Successful"][0]["Id"], &changed["Failed"][0]["Code"]),
        (&json!("a"), &json!("ReceiptHandleIsInvalid"))
    );
    let deleted = call(&aws, "DeleteMessageBatch", batch).await;
    assert_eq!(deleted["Successful"], json!([{"Id": "a"}]));
}

#[tokio::test(start_paused = true)]
async fn refusals_have_awss_names() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    let queue = queue(&aws, "work", json!({})).await;
    let prefixed = |code: &str| format!("AWS.SimpleQueueService.{code}");
    let entries = |ids: &[&str]| {
        let entries: Vec<_> = ids
            .iter()
            .map(|id| json!({"Id": id, "MessageBody": "x".repeat(200_000)}))
            .collect();
        json!({"QueueUrl": queue, "Entries": entries})
    };
    for (operation, body, code) in [
        (
            "GetQueueUrl",
            json!({"QueueName": "none"}),
            prefixed("NonExistentQueue"),
        ),
        (
            "SendMessage",
            json!({"QueueUrl": "http://x/1/none", "MessageBody": "x"}),
            prefixed("NonExistentQueue"),
        ),
        (
            "SendMessage",
            json!({"QueueUrl": queue}),
            "MissingParameter".to_owned(),
        ),
        (
            "SendMessage",
            json!({"MessageBody": "x"}),
            "MissingParameter".to_owned(),
        ),
        (
            "SendMessage",
            json!({"QueueUrl": queue, "MessageBody": "\u{1}"}),
            "InvalidMessageContents".to_owned(),
        ),
        (
            "SendMessage",
            json!({"QueueUrl": queue, "MessageBody": "x".repeat(1_048_577)}),
            "InvalidParameterValue".to_owned(),
        ),
        ("SendMessageBatch", entries(&[]), prefixed("EmptyBatchRequest")),
        (
            "SendMessageBatch",
            entries(&["a", "a"]),
            prefixed("BatchEntryIdsNotDistinct"),
        ),
        (
            "SendMessageBatch",
            entries(&["a b"]),
            prefixed("InvalidBatchEntryId"),
        ),
        (
            "SendMessageBatch",
            entries(&["1", "2", "3", "4", "5", "6"]),
            prefixed("BatchRequestTooLong"),
        ),
        (
            "SendMessageBatch",
            entries(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]),
            prefixed("TooManyEntriesInBatchRequest"),
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": queue, "MaxNumberOfMessages": 11}),
            "InvalidParameterValue".to_owned(),
        ),
        (
            "DeleteMessage",
            json!({"QueueUrl": queue, "ReceiptHandle": "x"}),
            "ReceiptHandleIsInvalid".to_owned(),
        ),
        (
            "CreateQueue",
            json!({"QueueName": "work", "Attributes": {"DelaySeconds": "1"}}),
            "QueueAlreadyExists".to_owned(),
        ),
        (
            "CreateQueue",
            json!({"QueueName": "a/b"}),
            "InvalidParameterValue".to_owned(),
        ),
        (
            "CreateQueue",
            json!({"QueueName": "x.fifo"}),
            "InvalidParameterValue".to_owned(),
        ),
        (
            "SetQueueAttributes",
            json!({"QueueUrl": queue, "Attributes": {"Colour": "red"}}),
            "InvalidAttributeName".to_owned(),
        ),
        (
            "SetQueueAttributes",
            json!({"QueueUrl": queue, "Attributes": {"DelaySeconds": "-1"}}),
            "InvalidAttributeValue".to_owned(),
        ),
        (
            "SetQueueAttributes",
            json!({"QueueUrl": queue, "Attributes": {"RedrivePolicy": "{\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:1:none\", \"maxReceiveCount\": 1}"}}),
            "InvalidParameterValue".to_owned(),
        ),
    ] {
        assert_eq!(refused(&aws, operation, body).await, code, "{operation}");
    }
    call(&aws, "PurgeQueue", json!({"QueueUrl": queue})).await;
    assert_eq!(
        refused(&aws, "PurgeQueue", json!({"QueueUrl": queue})).await,
        prefixed("PurgeQueueInProgress")
    );
    for body in ["[]", "{\"QueueUrl\": 1}", "{", "\u{0}"] {
        let request = http::Request::post("/").header("x-amz-target", "AmazonSQS.SendMessage");
        let response = aws.handle(request.body(body.into()).expect("a request")).await;
        assert_eq!(response.status(), 400, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn queues_are_listed_in_pages_and_have_tags() {
    let aws = AwsLocal::start(options()).await.expect("it starts");
    for n in 0..5 {
        queue(&aws, &format!("q{n}"), json!({})).await;
    }
    queue(&aws, "other", json!({})).await;
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let body = json!({"QueueNamePrefix": "q", "MaxResults": 2, "NextToken": token});
        let page = call(&aws, "ListQueues", body).await;
        found.extend(page["QueueUrls"].as_array().expect("a page").clone());
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(found.len(), 5);
    let queue = found[0].clone();
    call(
        &aws,
        "TagQueue",
        json!({"QueueUrl": queue, "Tags": {"team": "legal", "x": "y"}}),
    )
    .await;
    call(&aws, "UntagQueue", json!({"QueueUrl": queue, "TagKeys": ["x"]})).await;
    let tags = call(&aws, "ListQueueTags", json!({"QueueUrl": queue})).await;
    assert_eq!(tags, json!({"Tags": {"team": "legal"}}));
    let all = call(
        &aws,
        "GetQueueAttributes",
        json!({"QueueUrl": queue, "AttributeNames": ["All"]}),
    )
    .await;
    assert_eq!(
        all["Attributes"]["QueueArn"],
        "arn:aws:sqs:us-east-1:123456789012:q0"
    );
    assert_eq!(all["Attributes"]["MaximumMessageSize"], "1048576");
    call(&aws, "DeleteQueue", json!({"QueueUrl": queue})).await;
    let gone = refused(&aws, "GetQueueAttributes", json!({"QueueUrl": queue})).await;
    assert_eq!(gone, "AWS.SimpleQueueService.NonExistentQueue");
}

#[tokio::test]
async fn messages_outlive_the_process() {
    let folder = crate::testing::folder("sqs");
    let options = Options {
        data: Some(folder.path().to_owned()),
        clock: Arc::new(|| "2026-11-21T12:00:00Z".parse().expect("a time")),
        ..options()
    };
    let aws = AwsLocal::start(options.clone()).await.expect("it starts");
    let address = queue(&aws, "work", json!({})).await;
    send(&aws, &address, "kept").await;
    drop(aws);
    let aws = AwsLocal::start(options).await.expect("it starts again");
    assert_eq!(bodies(&receive(&aws, &address, json!({})).await), ["kept"]);
}
