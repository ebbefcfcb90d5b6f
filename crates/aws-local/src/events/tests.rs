//! Rules and their targets over the API.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::{AwsLocal, Options};

async fn aws() -> AwsLocal {
    let options = Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"));
    AwsLocal::start(options).await.expect("it starts")
}

async fn call(aws: &AwsLocal, operation: &str, body: Value) -> (u16, Value) {
    let request = http::Request::post("/")
        .header("x-amz-target", format!("AWSEvents.{operation}"))
        .body(body.to_string().into())
        .expect("a request");
    let response = aws.handle(request).await;
    let answer = serde_json::from_slice(response.body()).expect("JSON");
    (response.status().as_u16(), answer)
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
async fn rules_are_listed_changed_and_deleted() {
    let aws = aws().await;
    let rule = |source: &str| json!({"Name": "mine", "EventPattern": pattern(source), "State": "DISABLED"});
    call(&aws, "PutRule", rule("a")).await;
    call(&aws, "PutRule", rule("b")).await;
    let (_, described) = call(&aws, "DescribeRule", json!({"Name": "mine"})).await;
    assert_eq!(described["EventPattern"], pattern("b"));
    assert_eq!(described["State"], "DISABLED");
    let targets = json!([{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}]);
    call(&aws, "PutTargets", json!({"Rule": "mine", "Targets": targets})).await;
    let (_, listed) = call(&aws, "ListTargetsByRule", json!({"Rule": "mine"})).await;
    assert_eq!(listed["Targets"], targets);
    assert_eq!(call(&aws, "DeleteRule", json!({"Name": "mine"})).await.0, 400);
    call(&aws, "RemoveTargets", json!({"Rule": "mine", "Ids": ["q"]})).await;
    assert_eq!(call(&aws, "DeleteRule", json!({"Name": "mine"})).await.0, 200);
    assert_eq!(call(&aws, "ListRules", json!({})).await.1["Rules"], json!([]));
}

#[tokio::test]
async fn what_is_not_embedded_or_not_there_is_refused() {
    let aws = aws().await;
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
