//! The pages as a browser gets them.

mod execution;
mod start;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::POLICY;
use crate::{AwsLocal, Options};

const HOST: &str = "localhost:8086";

/// A clock that follows tokio's.
fn options() -> Options {
    let begin = Instant::now();
    let epoch: jiff::Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
    Options::in_memory(move || epoch + jiff::SignedDuration::try_from(begin.elapsed()).expect("a duration"))
}

async fn aws() -> AwsLocal {
    AwsLocal::start(options()).await.expect("it starts")
}

async fn call(aws: &AwsLocal, operation: &str, body: &Value) -> Value {
    let request = Request::post("http://localhost/")
        .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
        .body(body.to_string().into());
    let response = aws.handle(request.expect("a request")).await;
    let answer = String::from_utf8_lossy(response.body()).into_owned();
    assert_eq!(response.status(), 200, "{operation}: {answer}");
    serde_json::from_str(&answer).expect("JSON")
}

/// Makes a state machine; its ARN.
async fn machine(aws: &AwsLocal, name: &str, definition: &Value) -> String {
    let role = "arn:aws:iam::123456789012:role/any";
    let asked = json!({"name": name, "roleArn": role, "definition": definition.to_string()});
    let made = call(aws, "CreateStateMachine", &asked).await;
    made["stateMachineArn"].as_str().expect("an ARN").to_owned()
}

async fn start(aws: &AwsLocal, machine: &str, name: &str, input: &str) {
    let asked = json!({"stateMachineArn": machine, "name": name, "input": input});
    call(aws, "StartExecution", &asked).await;
}

fn pass() -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}})
}

async fn answer(aws: &AwsLocal, request: http::request::Builder, body: &str) -> Response<Bytes> {
    let request = request
        .header("host", HOST)
        .body(Bytes::copy_from_slice(body.as_bytes()));
    crate::server::respond(&aws.inner, request.expect("a request")).await
}

/// The status and the text of a page.
async fn get(aws: &AwsLocal, path: &str) -> (u16, String) {
    let response = answer(aws, Request::get(path), "").await;
    let text = String::from_utf8(response.body().to_vec()).expect("UTF-8");
    (response.status().as_u16(), text)
}

/// What a form is answered with.
async fn post(aws: &AwsLocal, path: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", super::words::encoded(value)))
        .collect();
    let request = Request::post(path)
        .header("origin", format!("http://{HOST}"))
        .header("content-type", "application/x-www-form-urlencoded");
    answer(aws, request, &fields.join("&")).await
}

fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).expect("UTF-8")
}

fn location(response: &Response<Bytes>) -> &str {
    assert_eq!(response.status(), 303);
    response.headers()["location"].to_str().expect("ASCII")
}

#[tokio::test]
async fn an_empty_list_says_how_to_begin() {
    let aws = aws().await;
    let (status, page) = get(&aws, "/executions").await;
    assert_eq!(status, 200);
    assert!(page.contains("aws stepfunctions create-state-machine"), "{page}");
    let arn = machine(&aws, "first", &pass()).await;
    let (_, page) = get(&aws, "/executions").await;
    assert!(page.contains(&format!("--state-machine-arn {arn}")), "{page}");
    assert!(page.contains("--endpoint-url http://localhost:8086"), "{page}");
}

#[tokio::test]
async fn the_newest_execution_stands_first_and_filters_narrow_the_list() {
    let aws = aws().await;
    let one = machine(&aws, "one", &pass()).await;
    let other = machine(
        &aws,
        "other",
        &json!({"StartAt": "F", "States": {"F": {"Type": "Fail"}}}),
    )
    .await;
    start(&aws, &one, "alpha", r#"{"documentId": "4711"}"#).await;
    start(&aws, &other, "beta", "{}").await;
    start(&aws, &one, "Gamma", "{}").await;
    let names = |page: &str| {
        let places = ["alpha", "beta", "Gamma"].map(|name| page.find(&format!(">{name}</a>")));
        let mut found: Vec<(usize, &str)> = places
            .into_iter()
            .zip(["alpha", "beta", "Gamma"])
            .filter_map(|(at, name)| Some((at?, name)))
            .collect();
        found.sort_unstable();
        found
            .into_iter()
            .map(|(_, name)| name)
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (query, expected, summary) in [
        ("", "Gamma beta alpha", "3 executions"),
        ("?machine=one", "Gamma alpha", "2 executions"),
        ("?status=FAILED", "beta", "1 execution: failed"),
        ("?machine=one&status=FAILED", "", "No execution fits"),
        ("?text=gam", "Gamma", "1 execution, among the newest 10,000"),
        ("?text=4711", "alpha", "1 execution, among the newest 10,000"),
        ("?machine=none", "", "No execution fits"),
        ("?machine=&status=&text=", "Gamma beta alpha", "3 executions"),
    ] {
        let (status, page) = get(&aws, &format!("/executions{query}")).await;
        assert_eq!((status, names(&page).as_str()), (200, expected), "{query}");
        assert!(page.contains(summary), "{query}: {page}");
    }
    let (_, page) = get(&aws, "/executions").await;
    for count in ["Running (0)", "Succeeded (2)", "Failed (1)"] {
        assert!(page.contains(count), "{page}");
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the figure that is claimed")]
async fn ten_thousand_executions_are_listed_in_no_time() {
    let aws = aws().await;
    aws.inner.step_functions.seed(10_000).await;
    let (_, page) = get(&aws, "/executions").await;
    assert_eq!(page.matches(r#"<li class="mail">"#).count(), 50);
    assert!(
        page.contains("10,000 executions") && page.contains("Failed (100)"),
        "{page}"
    );
    assert!(page.contains("/executions?before=9951"), "{page}");
    let (_, older) = get(&aws, "/executions?machine=m3&before=9951").await;
    assert!(
        older.contains(">run-9943<") && older.contains("/executions?machine=m3&#38;before=9453"),
        "{older}"
    );

    for query in [
        "",
        "?status=FAILED",
        "?machine=m3",
        "?machine=m3&status=FAILED",
        "?text=run-1",
        "?text=nowhere",
    ] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            get(&aws, &format!("/executions{query}")).await;
            times.push(begun.elapsed());
        }
        let best = times.iter().min().expect("a time");
        println!("10,000 executions, /executions{query}: {best:?}");
        assert!(*best < Duration::from_millis(200), "{query}: {times:?}");
    }
}

#[tokio::test]
async fn a_browsers_index_says_what_is_here_and_signed_requests_reach_aws() {
    let aws = aws().await;
    let response = answer(&aws, Request::get("/"), "").await;
    assert_eq!(response.headers()["content-security-policy"], POLICY);
    let page = String::from_utf8_lossy(response.body()).into_owned();
    for address in ["/executions", "/executions/start", "/mailbox"] {
        assert!(page.contains(&format!(r#"href="{address}""#)), "{page}");
    }
    assert!(page.contains("AWS_ENDPOINT_URL=http://localhost:8086"), "{page}");

    let credential = "AWS4-HMAC-SHA256 Credential=any/20261121/us-east-1/s3/aws4_request";
    for request in [
        Request::get("/").header("authorization", credential),
        Request::get(
            "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=any%2F20261121%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0",
        ),
    ] {
        let response = answer(&aws, request, "").await;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        assert!(text.contains("<ListAllMyBucketsResult"), "{text}");
    }
    for path in ["/", "/executions"] {
        let request = Request::get(path)
            .header("host", "bucket.localhost:8086")
            .body(Bytes::new());
        let response = crate::server::respond(&aws.inner, request.expect("a request")).await;
        assert!(response.body().starts_with(b"<?xml"), "{path}");
    }
}

#[tokio::test]
async fn an_arn_leads_to_its_page_and_what_is_not_there_says_so() {
    let aws = aws().await;
    for (arn, page) in [
        (
            "arn:aws:states:us-east-1:123456789012:execution:m:run",
            "/executions/m/run",
        ),
        (
            "arn:aws:states:eu-west-1:1:execution:m/All%20items:run",
            "/executions/m%2FAll%20items/run",
        ),
        (
            "arn%3Aaws%3Astates%3Aus-east-1%3A1%3Aexecution%3Am%3Arun",
            "/executions/m/run",
        ),
    ] {
        let response = answer(&aws, Request::get(format!("/executions/{arn}")), "").await;
        assert_eq!(location(&response), page);
    }
    for path in [
        "/executions/a/b/c/d",
        "/executions/arn:aws:states:::express:m:r:1",
        "/executions/m/%ff%00",
    ] {
        let (status, page) = get(&aws, path).await;
        assert_eq!(status, 404, "{path}");
        assert!(page.contains("There is no such execution"), "{page}");
    }
}
