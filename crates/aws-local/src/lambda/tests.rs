//! Lambda over the wire: what is invoked, refused and tried again.

use bytes::Bytes;
use http::Response;
use serde_json::json;

use super::api::{ANSWER, EVENT_PAYLOAD, PAYLOAD};
use super::*;
use crate::{AwsLocal, Options};

async fn aws() -> AwsLocal {
    let began: jiff::Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
    let since = tokio::time::Instant::now();
    let options = Options::in_memory(move || began + since.elapsed());
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

/// As many run at a time as in an account of AWS's; whoever goes away while waiting is not run.
#[tokio::test(start_paused = true)]
async fn only_so_many_run_at_a_time() {
    let aws = aws().await;
    let (running, most, done) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let counts = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&done));
    aws.register_function(
        "slow",
        function(move |_| {
            let (running, most, done) = counts.clone();
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(10)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                done.fetch_add(1, Ordering::SeqCst);
                Ok(Value::Null)
            }
        }),
    );
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE + 200 {
        let aws = aws.clone();
        calls.spawn(async move { invoke(&aws, "slow", "RequestResponse", "{}").await });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let call = invoke(&aws, "slow", "RequestResponse", "{}");
    assert!(tokio::time::timeout(Duration::from_secs(1), call).await.is_err());
    assert_eq!(aws.activity().await.invocations, AT_ONCE + 200);
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.expect("no panic").status(), 200);
    }
    assert_eq!(
        (most.load(Ordering::SeqCst), done.load(Ordering::SeqCst)),
        (AT_ONCE, AT_ONCE + 200)
    );
    assert_eq!(aws.activity().await.invocations, 0);
}

#[tokio::test]
async fn a_web_address_is_a_function() {
    use axum::Router;
    use axum::routing::post;

    let echo = |query: axum::extract::RawQuery, body: String| async move {
        let event: Value = serde_json::from_str(&body).expect("JSON");
        json!({"event": event, "query": query.0}).to_string()
    };
    let app = Router::new()
        .route("/", post(echo))
        .route("/text", post(|| async { "no JSON" }))
        .route(
            "/full",
            post(|| async { (StatusCode::SERVICE_UNAVAILABLE, "come back later") }),
        )
        .route(
            "/named",
            post(|| async {
                let error = r#"{"errorType": "Mine", "errorMessage": "no", "more": 1}"#;
                (StatusCode::BAD_REQUEST, error)
            }),
        )
        .route("/slow", post(std::future::pending::<String>));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let aws = aws().await;
    let ask = async |url: String| {
        let function = UrlFunction {
            url,
            timeout: Duration::from_millis(300),
        };
        aws.register_url("web", function);
        let answer = invoke(&aws, "web", "RequestResponse", r#"{"a": 1}"#).await;
        let failed = header(&answer, "x-amz-function-error").is_some();
        let body = String::from_utf8(answer.body().to_vec()).expect("text");
        if !failed {
            return body;
        }
        let error: Value = serde_json::from_str(&body).expect("JSON");
        format!(
            "{}: {}",
            error["errorType"].as_str().expect("a type"),
            error["errorMessage"].as_str().expect("a text")
        )
    };
    assert_eq!(
        ask(format!("http://{address}?q=1")).await,
        r#"{"event":{"a":1},"query":"q=1"}"#
    );
    assert_eq!(ask(format!("http://{address}/named")).await, "Mine: no");
    let url = format!("http://{address}/full");
    assert_eq!(
        ask(url.clone()).await,
        format!("Url.StatusCode.503: {url} answered 503 Service Unavailable: come back later")
    );
    let url = format!("http://{address}/text");
    assert_eq!(
        ask(url.clone()).await,
        format!("Url.InvalidAnswer: {url} answered with what is no JSON: no JSON")
    );
    let late = ask(format!("http://{address}/slow")).await;
    assert!(
        late.starts_with("Sandbox.Timedout: RequestId: ")
            && late.ends_with("Task timed out after 0.30 seconds"),
        "{late}"
    );
    let secure = ask("https://example.com/".to_owned()).await;
    assert!(
        secure.starts_with("Url.Invalid: 'https://example.com/' can't be called"),
        "{secure}"
    );
    serving.abort();
    let _ = serving.await;
    let gone = ask(format!("http://{address}/")).await;
    assert!(
        gone.starts_with(&format!("Url.Unreachable: http://{address}/ can't be reached: ")),
        "{gone}"
    );
}

/// What the API says of functions is what they are.
#[tokio::test(start_paused = true)]
async fn functions_are_described_as_they_are() {
    let aws = aws().await;
    aws.register_command(
        "program",
        CommandFunction {
            command: vec!["python3".to_owned(), "f.py".to_owned()],
            directory: "/srv".into(),
            environment: vec![("A".to_owned(), "b".to_owned())],
            timeout: Duration::from_secs(30),
            concurrency: 4,
        },
    );
    let url = "http://127.0.0.1:3000/".to_owned();
    let timeout = Duration::from_secs(5);
    aws.register_url("web", UrlFunction { url, timeout });
    let get = async |path: &str| {
        let request = http::Request::get(format!("/2015-03-31/functions{path}"));
        let answer = aws.handle(request.body(Bytes::new()).expect("a request")).await;
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_slice::<Value>(answer.body()).expect("JSON")
    };
    let program = get("/program").await;
    let configuration = &program["Configuration"];
    assert_eq!(*configuration, get("/program/configuration").await);
    assert_eq!(configuration["Timeout"], 30);
    assert_eq!(configuration["Environment"]["Variables"], json!({"A": "b"}));
    assert_eq!(
        configuration["ImageConfigResponse"]["ImageConfig"],
        json!({"Command": ["python3", "f.py"], "WorkingDirectory": "/srv"})
    );
    assert_eq!(configuration["LastModified"], "2026-11-21T09:00:00.000+0000");
    assert_eq!(program["Concurrency"]["ReservedConcurrentExecutions"], 4);
    assert_eq!(get("/web").await["Code"]["Location"], "http://127.0.0.1:3000/");
    let all = get("/").await;
    let told: Vec<_> = all["Functions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|function| (function["FunctionName"].clone(), function["Timeout"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("echo"), Value::Null),
            (json!("program"), json!(30)),
            (json!("web"), json!(5))
        ]
    );
}
