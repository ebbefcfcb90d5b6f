//! Lambda over the wire: what is invoked, refused and tried again.

use bytes::Bytes;
use http::Response;
use serde_json::json;

use super::api::{ANSWER, EVENT_PAYLOAD, PAYLOAD};
use super::*;
use crate::{AwsLocal, Options};

async fn aws() -> AwsLocal {
    let options = Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"));
    let aws = AwsLocal::start(options).await.expect("it starts");
    aws.register_function(
        "echo",
        function(|invocation| async move { Ok(invocation.payload) }),
    );
    aws
}

async fn invoke(aws: &AwsLocal, name: &str, kind: &str, body: &str) -> Response<Bytes> {
    let path = format!("/2015-03-31/functions/{name}/invocations");
    let request = http::Request::post(path).header("x-amz-invocation-type", kind);
    aws.handle(request.body(body.to_owned().into()).expect("a request"))
        .await
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

#[tokio::test]
async fn a_function_is_found_by_name_and_by_arn() {
    let aws = aws().await;
    for name in [
        "echo",
        "echo:live",
        "123456789012:function:echo",
        "arn%3Aaws%3Alambda%3Aeu-central-1%3A1%3Afunction%3Aecho%3A%24LATEST",
    ] {
        let response = invoke(&aws, name, "RequestResponse", "[1]").await;
        assert_eq!(
            (response.status().as_u16(), response.body().as_ref()),
            (200, b"[1]".as_slice()),
            "{name}"
        );
        assert_eq!(header(&response, "x-amz-executed-version"), Some("$LATEST"));
    }
    let response = invoke(&aws, "none", "RequestResponse", "").await;
    assert_eq!(response.status(), 404);
    assert_eq!(
        header(&response, "x-amzn-errortype"),
        Some("ResourceNotFoundException")
    );
    let body: Value = serde_json::from_slice(response.body()).expect("JSON");
    let message = "Function not found: arn:aws:lambda:us-east-1:123456789012:function:none";
    assert_eq!(body, json!({"message": message, "Type": "User"}));
}

#[tokio::test]
async fn an_error_of_the_function_is_told_by_header_and_body() {
    let aws = aws().await;
    let refuse = |_| async { Err(FunctionError::new("Approval.InvalidRequest", "no title")) };
    aws.register_function("refuse", function(refuse));
    let response = invoke(&aws, "refuse", "RequestResponse", "{}").await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-amz-function-error"), Some("Unhandled"));
    let body: Value = serde_json::from_slice(response.body()).expect("JSON");
    assert_eq!(
        body,
        json!({"errorMessage": "no title", "errorType": "Approval.InvalidRequest"})
    );

    aws.register_function("large", function(|_| async { Ok("x".repeat(ANSWER).into()) }));
    let response = invoke(&aws, "large", "RequestResponse", "{}").await;
    assert!(String::from_utf8_lossy(response.body()).contains("Function.ResponseSizeTooLarge"));
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_invocation_is_tried_three_times() {
    let aws = aws().await;
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    aws.register_function(
        "fails",
        function(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Err(FunctionError::new("E", "e")) }
        }),
    );
    assert_eq!(invoke(&aws, "fails", "Event", "{}").await.status(), 202);
    assert_eq!(aws.activity().await.invocations, 1);
    tokio::time::sleep(Duration::from_mins(4)).await;
    assert_eq!(
        (tries.load(Ordering::SeqCst), aws.activity().await.invocations),
        (3, 0)
    );
}

#[tokio::test]
async fn wrong_invocations_are_refused() {
    let aws = aws().await;
    assert_eq!(invoke(&aws, "echo", "DryRun", "").await.status(), 204);
    for (kind, body, status, error) in [
        (
            "RequestResponse",
            "{".to_owned(),
            400,
            "InvalidRequestContentException",
        ),
        (
            "RequestResponse",
            "1".repeat(PAYLOAD + 1),
            413,
            "RequestTooLargeException",
        ),
        (
            "Event",
            "1".repeat(EVENT_PAYLOAD + 1),
            413,
            "RequestTooLargeException",
        ),
        ("Later", "{}".to_owned(), 400, "InvalidParameterValueException"),
    ] {
        let response = invoke(&aws, "echo", kind, &body).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "x-amzn-errortype")),
            (status, Some(error))
        );
    }
}

/// What is asked of a function goes on to its end when who asked has gone.
#[tokio::test(start_paused = true)]
async fn a_function_outlives_its_caller() {
    let aws = aws().await;
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    aws.register_function(
        "slow",
        function(move |_| {
            let count = Arc::clone(&count);
            async move {
                tokio::time::sleep(Duration::from_secs(10)).await;
                count.fetch_add(1, Ordering::SeqCst);
                Ok(Value::Null)
            }
        }),
    );
    let call = invoke(&aws, "slow", "RequestResponse", "{}");
    assert!(tokio::time::timeout(Duration::from_secs(5), call).await.is_err());
    assert_eq!(aws.activity().await.invocations, 1);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(
        (done.load(Ordering::SeqCst), aws.activity().await.invocations),
        (1, 0)
    );
}
