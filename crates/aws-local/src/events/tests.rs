//! Rules and their targets over the API.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::testing::target;
use crate::{AwsLocal, Options};

async fn aws() -> AwsLocal {
    let options = Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"));
    AwsLocal::start(options).await.expect("it starts")
}

async fn call(aws: &AwsLocal, operation: &str, body: Value) -> (u16, Value) {
    target(aws, &format!("AWSEvents.{operation}"), body).await
}

async fn sqs(aws: &AwsLocal, operation: &str, body: Value) -> (u16, Value) {
    target(aws, &format!("AmazonSQS.{operation}"), body).await
}

fn pattern(source: &str) -> String {
    json!({"source": [source]}).to_string()
}

#[tokio::test]
async fn a_function_gets_the_events_of_its_rule() {
    let aws = aws().await;
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let sees = Arc::clone(&seen);
    aws.register_function(
        "sees",
        crate::function(move |invocation| {
            sees.lock().expect("no panic").push(invocation.payload);
            async { Ok(Value::Null) }
        }),
    );
    let rule = json!({"Name": "mine", "EventPattern": pattern("mine")});
    assert_eq!(
        call(&aws, "PutRule", rule).await.1,
        json!({"RuleArn": "arn:aws:events:us-east-1:123456789012:rule/mine"})
    );
    let function = json!({"Id": "f", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:sees"});
    let other = json!({"Id": "s", "Arn": "arn:aws:sns:us-east-1:123456789012:topic"});
    let (_, put) = call(
        &aws,
        "PutTargets",
        json!({"Rule": "mine", "Targets": [function, other]}),
    )
    .await;
    assert_eq!(put["FailedEntryCount"], 1, "{put}");
    assert_eq!(put["FailedEntries"][0]["TargetId"], "s");

    let entry = |source: &str| json!({"Source": source, "DetailType": "Said", "Detail": "{\"n\": 1}"});
    let entries = json!({"Entries": [entry("mine"), entry("yours")]});
    assert_eq!(call(&aws, "PutEvents", entries).await.1["FailedEntryCount"], 0);
    for _ in 0..100 {
        if !seen.lock().expect("no panic").is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let events = seen.lock().expect("no panic").clone();
    assert_eq!(events.len(), 1);
    assert_eq!(
        json!([events[0]["source"], events[0]["detail"]]),
        json!(["mine", {"n": 1}])
    );
    assert_eq!(aws.events().await.len(), 2, "the list holds all");
}

#[tokio::test]
async fn an_event_has_its_own_time_and_goes_to_the_bus_that_it_names() {
    let aws = aws().await;
    call(
        &aws,
        "PutRule",
        json!({"Name": "mine", "EventPattern": pattern("mine"),
        "State": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}),
    )
    .await;
    let queue = json!({"QueueName": "mine.fifo",
        "Attributes": {"FifoQueue": "true", "ContentBasedDeduplication": "true"}});
    assert_eq!(sqs(&aws, "CreateQueue", queue).await.0, 200);
    let mut target = json!({"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:mine.fifo"});
    let (_, put) = call(&aws, "PutTargets", json!({"Rule": "mine", "Targets": [target]})).await;
    assert_eq!(put["FailedEntryCount"], 1, "without a group: {put}");
    target["SqsParameters"] = json!({"MessageGroupId": "g"});
    let (_, put) = call(&aws, "PutTargets", json!({"Rule": "mine", "Targets": [target]})).await;
    assert_eq!(put["FailedEntryCount"], 0, "{put}");

    let entry = |bus: &str, n: u32| {
        json!({"Source": "mine", "DetailType": "Said", "Detail": json!({"n": n}).to_string(),
            "EventBusName": bus, "Time": 1_700_000_000})
    };
    let arn = "arn:aws:events:us-east-1:123456789012:event-bus/default";
    let entries = json!({"Entries": [entry("default", 1), entry("another", 2), entry(arn, 3)]});
    assert_eq!(call(&aws, "PutEvents", entries).await.1["FailedEntryCount"], 0);
    let asked = json!({"QueueUrl": "mine.fifo", "MaxNumberOfMessages": 10});
    let (_, got) = sqs(&aws, "ReceiveMessage", asked).await;
    let events: Vec<Value> = got["Messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| serde_json::from_str(message["Body"].as_str().expect("text")).expect("JSON"))
        .collect();
    let told: Vec<Value> = events
        .iter()
        .map(|event| json!([event["detail"]["n"], event["time"]]))
        .collect();
    assert_eq!(
        json!(told),
        json!([[1, "2023-11-14T22:13:20Z"], [3, "2023-11-14T22:13:20Z"]])
    );
    assert_eq!(aws.events().await.len(), 3, "the list holds all");

    let own = json!({"Source": "aws.ses", "DetailType": "Email Bounced", "Detail": "{}"});
    let (_, put) = call(&aws, "PutEvents", json!({"Entries": [own]})).await;
    assert_eq!(put["Entries"][0]["ErrorCode"], "NotAuthorizedForSourceException");
}

#[tokio::test]
async fn rules_are_listed_changed_and_deleted() {
    let aws = aws().await;
    let rule = |source: &str| json!({"Name": "mine", "EventPattern": pattern(source), "State": "DISABLED"});
    call(&aws, "PutRule", rule("a")).await;
    call(&aws, "PutRule", rule("b")).await;
    let (_, described) = call(&aws, "DescribeRule", json!({"Name": "mine"})).await;
    assert_eq!(described["EventPattern"], pattern("b"));
    assert_eq!(described["State"], "DISABLED");
    assert_eq!(described.get("Description"), None, "none was given");
    let targets = json!([{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}]);
    call(&aws, "PutTargets", json!({"Rule": "mine", "Targets": targets})).await;
    let (_, listed) = call(&aws, "ListTargetsByRule", json!({"Rule": "mine"})).await;
    assert_eq!(listed["Targets"], targets);
    assert_eq!(call(&aws, "DeleteRule", json!({"Name": "mine"})).await.0, 400);
    call(&aws, "RemoveTargets", json!({"Rule": "mine", "Ids": ["q"]})).await;
    assert_eq!(call(&aws, "DeleteRule", json!({"Name": "mine"})).await.0, 200);
    assert_eq!(call(&aws, "ListRules", json!({})).await.1["Rules"], json!([]));

    for name in ["a", "b", "c"] {
        call(
            &aws,
            "PutRule",
            json!({"Name": name, "EventPattern": pattern("x")}),
        )
        .await;
    }
    let (_, first) = call(&aws, "ListRules", json!({"Limit": 2})).await;
    let (_, rest) = call(
        &aws,
        "ListRules",
        json!({"Limit": 2, "NextToken": first["NextToken"]}),
    )
    .await;
    let names = json!([
        first["Rules"][0]["Name"],
        first["Rules"][1]["Name"],
        rest["Rules"][0]["Name"]
    ]);
    assert_eq!(names, json!(["a", "b", "c"]));
    assert_eq!((rest["Rules"].get(1), rest.get("NextToken")), (None, None));
}

#[tokio::test]
async fn what_is_not_embedded_or_not_there_is_refused() {
    let aws = aws().await;
    call(
        &aws,
        "PutRule",
        json!({"Name": "there", "EventPattern": pattern("a")}),
    )
    .await;
    let queue = |n: u32| json!({"Id": n.to_string(), "Arn": "arn:aws:sqs:us-east-1:123456789012:q"});
    let one = json!({"Rule": "there", "Targets": [queue(1)]});
    assert_eq!(call(&aws, "PutTargets", one).await.0, 200);
    // Beside the one that is there, they are one too many.
    let five: Vec<Value> = (2..=6).map(queue).collect();
    for (operation, body, kind) in [
        (
            "PutRule",
            json!({"Name": "r", "EventPattern": "{"}),
            "InvalidEventPatternException",
        ),
        (
            "PutRule",
            json!({"Name": "a b", "EventPattern": pattern("a")}),
            "ValidationException",
        ),
        ("DescribeRule", json!({"Name": "r"}), "ResourceNotFoundException"),
        (
            "PutTargets",
            json!({"Rule": "r", "Targets": []}),
            "ResourceNotFoundException",
        ),
        (
            "RemoveTargets",
            json!({"Rule": "r", "Ids": ["q"]}),
            "ResourceNotFoundException",
        ),
        ("PutRule", json!({"Name": "r"}), "ValidationException"),
        (
            "PutRule",
            json!({"Name": "r", "EventPattern": pattern(&"a".repeat(4096))}),
            "ValidationException",
        ),
        (
            "PutRule",
            json!({"Name": "r", "EventPattern": pattern("a"), "State": "on"}),
            "ValidationException",
        ),
        ("ListRules", json!({"Limit": 101}), "ValidationException"),
        (
            "PutTargets",
            json!({"Rule": "there", "Targets": []}),
            "ValidationException",
        ),
        (
            "PutTargets",
            json!({"Rule": "there", "Targets": five}),
            "LimitExceededException",
        ),
        ("RemoveTargets", json!({"Rule": "there"}), "ValidationException"),
        (
            "PutRule",
            json!({"Name": "r", "EventPattern": pattern("a"), "EventBusName": "mine"}),
            "ResourceNotFoundException",
        ),
    ] {
        let (status, answer) = call(&aws, operation, body).await;
        assert_eq!(status, 400, "{operation}");
        assert!(
            answer["__type"].as_str().expect("a type").ends_with(kind),
            "{operation}: {answer}"
        );
    }
    let scheduled = json!({"Name": "r", "ScheduleExpression": "rate(1 minute)"});
    assert_ne!(call(&aws, "PutRule", scheduled).await.0, 200);
}
