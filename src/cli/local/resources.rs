//! What workflows stand on: queues, activities, buckets and mail identities that the configuration names. Each is made
//! through the API, unless it is there.

use super::super::embedded::{Embedded, make_mail_identity};
use super::workflows::refused;
use crate::config::local::Local;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

/// Makes what is missing; tells what couldn't be made, by the configuration's key.
pub(super) async fn make(embedded: &Embedded, config: &Local) -> Vec<String> {
    let mut problems = Vec::new();
    let mut note = |key: &str, name: &str, result: Result<(), String>| {
        problems.extend(
            result
                .err()
                .map(|why| format!("{key}: {name} can't be made: {why}")),
        );
    };
    for queue in &config.queues {
        note("queues", queue, make_queue(embedded, queue).await);
    }
    let client = aws_sdk_sfn::Client::new(&embedded.sdk);
    for activity in &config.activities {
        // One of this name that is there is the answer.
        let made = client.create_activity().name(activity).send().await;
        let made = made.map(drop).map_err(|error| refused(&error));
        note("activities", activity, made);
    }
    for bucket in &config.buckets {
        let there = ask(embedded, Request::head(format!("http://s3/{bucket}")), "").await;
        let made = match there {
            Ok(_) => Ok(()),
            Err(_) => ask(embedded, Request::put(format!("http://s3/{bucket}")), "")
                .await
                .map(drop),
        };
        note("buckets", bucket, made);
    }
    for identity in &config.mail_identities {
        let made = make_mail_identity(&embedded.sdk, identity).await;
        note(
            "mail_identities",
            identity,
            made.map_err(|failure| failure.message),
        );
    }
    problems
}

/// One that is there keeps its attributes, whatever they are.
async fn make_queue(embedded: &Embedded, name: &str) -> Result<(), String> {
    let call = |operation: &str, body: Value| {
        let request = Request::post("http://sqs/")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .header("content-type", "application/x-amz-json-1.0");
        let body = body.to_string();
        async move { ask(embedded, request, &body).await }
    };
    if call("GetQueueUrl", json!({"QueueName": name})).await.is_ok() {
        return Ok(());
    }
    let attributes = if name.strip_suffix(".fifo").is_some() {
        json!({"FifoQueue": "true"})
    } else {
        json!({})
    };
    let made = call(
        "CreateQueue",
        json!({"QueueName": name, "Attributes": attributes}),
    )
    .await;
    made.map(drop)
}

/// Asks the embedded AWS what the SDKs that are part of the program don't ask.
async fn ask(embedded: &Embedded, request: http::request::Builder, body: &str) -> Result<Bytes, String> {
    let request = request
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .map_err(|error| error.to_string())?;
    let answer = embedded.aws.handle(request).await;
    let (status, body) = (answer.status(), answer.into_body());
    if status.is_success() {
        Ok(body)
    } else {
        Err(format!("{status} {}", String::from_utf8_lossy(&body)))
    }
}
