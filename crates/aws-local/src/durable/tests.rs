//! Durable callbacks over the wire: answered once, and told apart.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::{CallbackState, DurableCallback};
use crate::testing::folder;
use crate::{AwsLocal, Options};

async fn aws() -> AwsLocal {
    let began: jiff::Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
    let since = tokio::time::Instant::now();
    let options = Options::in_memory(move || began + since.elapsed());
    AwsLocal::start(options).await.expect("it starts")
}

async fn wait(aws: &AwsLocal, timeout: Option<u64>, heartbeat: Option<u64>) -> DurableCallback {
    let seconds = |time: Option<u64>| time.map(Duration::from_secs);
    aws.wait_for_callback("ask", seconds(timeout), seconds(heartbeat))
        .await
        .expect("it begins")
}

/// The answer's status, and its error's code where it has one.
async fn post(aws: &AwsLocal, id: &str, what: &str, body: &str) -> (u16, String) {
    let id = crate::dispatch::percent_encoded(id, b"");
    let path = format!("/2025-12-01/durable-execution-callbacks/{id}/{what}");
    let request = http::Request::post(path).body(Bytes::from(body.to_owned()));
    let response = aws.handle(request.expect("a request")).await;
    let code = response.headers().get("x-amzn-errortype");
    let code = code.map_or("", |code| code.to_str().expect("ASCII"));
    (response.status().as_u16(), code.to_owned())
}

async fn get(aws: &AwsLocal, arn: &str, more: &str) -> Value {
    let arn = crate::dispatch::percent_encoded(arn, b"");
    let path = format!("/2025-12-01/durable-executions/{arn}{more}");
    let request = http::Request::get(path).body(Bytes::new()).expect("a request");
    let response: Response<Bytes> = aws.handle(request).await;
    serde_json::from_slice(response.body()).expect("JSON")
}

fn closed() -> (u16, String) {
    (400, "CallbackTimeoutException".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_answered_once() {
    let aws = aws().await;
    let callback = wait(&aws, None, None).await;
    assert_eq!(aws.callback(&callback.id).await, Some(CallbackState::Waiting));
    assert_eq!(get(&aws, &callback.execution_arn, "").await["Status"], "RUNNING");
    assert_eq!(post(&aws, &callback.id, "heartbeat", "").await.0, 200);
    assert_eq!(post(&aws, &callback.id, "succeed", "{\"a\":1}").await.0, 200);
    for what in ["succeed", "fail", "heartbeat"] {
        assert_eq!(post(&aws, &callback.id, what, "{}").await, closed(), "{what}");
    }
    let state = aws.callback(&callback.id).await;
    assert_eq!(state, Some(CallbackState::Succeeded(b"{\"a\":1}".to_vec())));
    let ended = get(&aws, &callback.execution_arn, "").await;
    assert_eq!(
        (&ended["Status"], &ended["Result"]),
        (&json!("SUCCEEDED"), &json!("{\"a\":1}"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_its_fields_and_nothing_else() {
    let aws = aws().await;
    let callback = wait(&aws, None, None).await;
    let error = json!({"ErrorType": "Approval.Rejected", "ErrorData": "{}", "Other": 1});
    assert_eq!(post(&aws, &callback.id, "fail", &error.to_string()).await.0, 200);
    let kept = json!({"ErrorType": "Approval.Rejected", "ErrorData": "{}"});
    assert_eq!(
        aws.callback(&callback.id).await,
        Some(CallbackState::Failed(kept))
    );
}

#[tokio::test(start_paused = true)]
async fn time_ends_what_nobody_answers_or_beats_for() {
    let aws = aws().await;
    let (timed, beaten) = (wait(&aws, Some(60), None).await, wait(&aws, None, Some(30)).await);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(post(&aws, &beaten.id, "heartbeat", "").await.0, 200);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(aws.callback(&beaten.id).await, Some(CallbackState::Waiting));
    tokio::time::sleep(Duration::from_secs(20)).await;
    for callback in [&timed, &beaten] {
        assert_eq!(aws.callback(&callback.id).await, Some(CallbackState::TimedOut));
        assert_eq!(post(&aws, &callback.id, "succeed", "1").await, closed());
    }
    let history = get(&aws, &beaten.execution_arn, "/history").await;
    assert_eq!(history["Events"][2]["EventType"], "CallbackTimedOut");
}

#[tokio::test(start_paused = true)]
async fn a_history_says_who_ended_it_page_by_page() {
    let aws = aws().await;
    let callback = wait(&aws, Some(600), None).await;
    post(&aws, &callback.id, "succeed", "\"yes\"").await;
    let first = get(&aws, &callback.execution_arn, "/history?MaxItems=2").await;
    let started = &first["Events"][1];
    assert_eq!(
        started["CallbackStartedDetails"]["CallbackId"],
        callback.id.as_str()
    );
    let rest = format!(
        "/history?MaxItems=2&Marker={}",
        first["NextMarker"].as_str().expect("more")
    );
    let rest = get(&aws, &callback.execution_arn, &rest).await;
    let ended = &rest["Events"][0];
    assert_eq!(ended["Id"], started["Id"]);
    assert_eq!(ended["CallbackSucceededDetails"]["Result"]["Payload"], "\"yes\"");
    assert_eq!(rest.get("NextMarker"), None);
    for what in ["/history", ""] {
        let bare = format!("{what}?IncludeExecutionData=false");
        let bare = get(&aws, &callback.execution_arn, &bare).await;
        assert!(!bare.to_string().contains("yes"), "{bare}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_callback_is_refused() {
    let aws = aws().await;
    assert_eq!(
        post(&aws, "bm9uZQ==", "succeed", "").await,
        (404, "ResourceNotFoundException".to_owned())
    );
    let long = "A".repeat(1025);
    for bad in ["a b", "a===", "-", long.as_str()] {
        let refused = (400, "InvalidParameterValueException".to_owned());
        assert_eq!(post(&aws, bad, "heartbeat", "").await, refused, "{bad}");
    }
    let callback = wait(&aws, None, None).await;
    let large = "x".repeat(1_048_577);
    assert_eq!(post(&aws, &callback.id, "succeed", &large).await.0, 400);
    assert_eq!(
        post(&aws, &callback.id, "fail", "{\"ErrorType\": 1}").await.1,
        "SerializationException"
    );
    assert_eq!(aws.callback(&callback.id).await, Some(CallbackState::Waiting));
}

#[tokio::test]
async fn what_only_a_runner_does_is_refused_by_name_and_without_an_id() {
    let aws = aws().await;
    let callback = wait(&aws, None, None).await;
    let id = crate::dispatch::percent_encoded(&callback.id, b"");
    for (method, path, name) in [
        (
            "POST",
            "durable-executions/arn%3Aa/checkpoint",
            "CheckpointDurableExecution",
        ),
        ("DELETE", "durable-executions/arn%3Aa", "DeleteDurableExecution"),
        (
            "GET",
            "functions/f/durable-executions?Statuses=RUNNING",
            "ListDurableExecutionsByFunction",
        ),
        (
            "PUT",
            &format!("durable-execution-callbacks/{id}/succeed"),
            "PUT /2025-12-01/durable-execution-callbacks",
        ),
    ] {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("/2025-12-01/{path}"));
        let answer = aws.handle(request.body(Bytes::new()).expect("a request")).await;
        assert_eq!(answer.status(), 501, "{path}");
        let said: Value = serde_json::from_slice(answer.body()).expect("JSON");
        let expected = format!("{name} of Lambda isn't part of the embedded AWS");
        assert_eq!(said["message"], expected);
    }
}

#[tokio::test]
async fn what_was_answered_outlives_the_process() {
    let folder = folder("durable");
    let start = || async {
        let mut options = Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"));
        options.data = Some(folder.path().to_owned());
        AwsLocal::start(options).await.expect("it starts")
    };
    let aws = start().await;
    let (one, other) = (wait(&aws, None, None).await, wait(&aws, None, None).await);
    assert_eq!(post(&aws, &one.id, "succeed", "1").await.0, 200);
    aws.stop().await;
    drop(aws);
    let aws = start().await;
    assert_eq!(post(&aws, &one.id, "succeed", "1").await, closed());
    assert_eq!(post(&aws, &other.id, "succeed", "1").await.0, 200);
    aws.stop().await;
}

#[tokio::test]
async fn a_runner_of_its_own_gets_every_call() {
    let aws = aws().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("a port"));
    let app = axum::Router::new().fallback(|request: http::Request<axum::body::Body>| async move {
        let said = format!("{} {}", request.method(), request.uri());
        (http::StatusCode::NOT_FOUND, said)
    });
    let served = tokio::spawn(async move { axum::serve(listener, app).await });
    aws.hand_durable_executions_to(&url);
    let request = http::Request::post("/2025-12-01/durable-executions/arn%3Aa%2Fb/checkpoint?x=1");
    let answer = aws
        .handle(request.body(Bytes::from("{}")).expect("a request"))
        .await;
    let said = String::from_utf8_lossy(answer.body()).into_owned();
    assert_eq!(
        said,
        "POST /2025-12-01/durable-executions/arn%3Aa%2Fb/checkpoint?x=1"
    );
    assert_eq!(answer.status(), 404);
    served.abort();
    let _ = served.await;
    assert_eq!(
        post(&aws, "bm9uZQ==", "succeed", "").await,
        (503, "ServiceException".to_owned())
    );
}
