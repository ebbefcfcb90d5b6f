//! Skips of the clock: what falls due on the way happens in its order, and nothing falls back.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::{AwsLocal, FunctionError, Options, function, server};

const ROLE: &str = "arn:aws:iam::123456789012:role/workflow";

/// Begins at nine, follows tokio's clock, and can be moved.
async fn started(data: Option<&Path>) -> (AwsLocal, Arc<TravelClock>) {
    let (begin, epoch) = (tokio::time::Instant::now(), nine());
    let real = Arc::new(move || epoch + SignedDuration::try_from(begin.elapsed()).expect("a duration"));
    if let Some(data) = data {
        std::fs::create_dir_all(data).expect("a folder");
    }
    let clock = Arc::new(TravelClock::open(real, data).expect("a clock"));
    let asked = Arc::clone(&clock);
    let options = Options {
        data: data.map(Into::into),
        ..Options::in_memory(move || asked.now())
    };
    let aws = AwsLocal::start(options).await.expect("it starts");
    (aws, clock)
}

async fn traveller() -> (AwsLocal, Arc<TravelClock>) {
    let (aws, clock) = started(None).await;
    aws.let_time_travel(Arc::clone(&clock), None);
    (aws, clock)
}

fn nine() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

async fn call(aws: &AwsLocal, operation: &str, body: Value) -> Value {
    let request = Request::post("/")
        .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
        .body(body.to_string().into());
    let response = aws.handle(request.expect("a request")).await;
    let body: Value = serde_json::from_slice(response.body()).expect("JSON");
    assert!(response.status().is_success(), "{operation}: {body}");
    body
}

async fn start(aws: &AwsLocal, name: &str, definition: &Value) -> Value {
    let body = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE});
    let machine = call(aws, "CreateStateMachine", body).await["stateMachineArn"].clone();
    let body = json!({"stateMachineArn": machine, "name": "one"});
    call(aws, "StartExecution", body).await["executionArn"].clone()
}

async fn describe(aws: &AwsLocal, execution: &Value) -> Value {
    call(aws, "DescribeExecution", json!({"executionArn": execution})).await
}

/// When each event of a kind happened.
async fn times(aws: &AwsLocal, execution: &Value, kind: &str) -> Vec<i64> {
    let history = call(aws, "GetExecutionHistory", json!({"executionArn": execution})).await;
    let events = history["events"].as_array().expect("events").iter();
    let of_kind = events.filter(|event| event["type"] == kind);
    #[expect(clippy::cast_possible_truncation, reason = "a time in seconds")]
    of_kind
        .map(|event| event["timestamp"].as_f64().expect("a time") as i64 - nine().as_second())
        .collect()
}

fn wait(seconds: u32) -> Value {
    json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": seconds, "End": true}}})
}

fn texts(due: &[Due]) -> Vec<&str> {
    due.iter().map(|due| due.what.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_thing_happens_at_its_time_on_the_way() {
    let (aws, clock) = traveller().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    aws.register_function(
        "fails",
        function(move |_| {
            let call = count.fetch_add(1, Ordering::SeqCst);
            async move {
                match call {
                    0..3 => Err(FunctionError::new("Again", "not yet")),
                    _ => Ok(json!(call)),
                }
            }
        }),
    );
    let retries = json!({"StartAt": "W", "States": {
        "W": {"Type": "Wait", "Seconds": 86_400, "Next": "T"},
        "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:fails", "End": true,
            "Retry": [{"ErrorEquals": ["Again"], "IntervalSeconds": 3_600, "BackoffRate": 1, "MaxAttempts": 5}]}
    }});
    let execution = start(&aws, "retries", &retries).await;
    let real = tokio::time::Instant::now();
    let skipped = aws.skip(Skip::By(hours(48))).await.expect("a skip");
    assert!(real.elapsed() < Duration::from_secs(3), "{:?}", real.elapsed());
    assert!(skipped.arrived && skipped.next.is_none(), "{skipped:?}");
    assert_eq!(
        texts(&skipped.came),
        [
            "the end of “W” in retries/one",
            "another try of “T” in retries/one",
            "another try of “T” in retries/one",
            "another try of “T” in retries/one"
        ]
    );
    assert_eq!(describe(&aws, &execution).await["output"], "3");
    let tries = times(&aws, &execution, "LambdaFunctionStarted").await;
    let day = 86_400;
    for (tried, expected) in tries.iter().zip([day, day + 3_600, day + 7_200, day + 10_800]) {
        assert!((expected..expected + 5).contains(tried), "{tries:?}");
    }
    let ahead = clock.now().duration_since(nine()).as_hours();
    assert_eq!(ahead, 48);
}

#[tokio::test(start_paused = true)]
async fn next_is_one_thing_at_a_time() {
    let (aws, clock) = traveller().await;
    assert!(matches!(aws.skip(Skip::Next).await, Err(SkipError::Nothing)));
    let later = start(&aws, "later", &wait(7_200)).await;
    let sooner = start(&aws, "sooner", &wait(3_600)).await;
    let skipped = aws.skip(Skip::Next).await.expect("a skip");
    assert_eq!(texts(&skipped.came), ["the end of “W” in sooner/one"]);
    assert_eq!(
        skipped.next.map(|due| due.what).as_deref(),
        Some("the end of “W” in later/one")
    );
    assert_eq!(describe(&aws, &sooner).await["status"], "SUCCEEDED");
    assert_eq!(describe(&aws, &later).await["status"], "RUNNING");
    let skipped = aws.skip(Skip::Next).await.expect("another skip");
    assert_eq!(describe(&aws, &later).await["status"], "SUCCEEDED");
    assert_eq!(skipped.now.duration_since(nine()).as_hours(), 2);

    let now = clock.now();
    let back = aws.skip(Skip::To(now - hours(1))).await;
    assert!(matches!(back, Err(SkipError::Backwards { .. })), "{back:?}");
    let back = aws.skip(Skip::By(SignedDuration::from_secs(-1))).await;
    assert!(matches!(back, Err(SkipError::Backwards { .. })), "{back:?}");
    for far in [
        Skip::By(hours(24 * 366 * 100)),
        Skip::To(Timestamp::MAX),
        Skip::By(SignedDuration::MAX),
    ] {
        let far = aws.skip(far).await;
        assert!(matches!(far, Err(SkipError::TooFar)), "{far:?}");
    }
    assert!(clock.now().duration_since(now) < SignedDuration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_waited_for_before_time_passes() {
    let (aws, _) = traveller().await;
    aws.register_function(
        "slow",
        function(|_| async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok(json!("done"))
        }),
    );
    let task = json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:slow", "TimeoutSeconds": 60, "Next": "W"});
    let definition = json!({"StartAt": "T", "States": {
        "T": task, "W": {"Type": "Wait", "Seconds": 3_600, "End": true}
    }});
    let execution = start(&aws, "slow", &definition).await;
    let skipped = aws.skip(Skip::Next).await.expect("a skip");
    assert_eq!(texts(&skipped.came), ["the end of “W” in slow/one"]);
    assert_eq!(describe(&aws, &execution).await["output"], r#""done""#);
}

#[tokio::test(start_paused = true)]
async fn what_runs_for_ever_holds_nothing_up_for_ever() {
    let (aws, _) = traveller().await;
    aws.register_function("hangs", function(|_| std::future::pending()));
    let task = json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:hangs", "End": true});
    start(&aws, "hangs", &json!({"StartAt": "T", "States": {"T": task}})).await;
    let retry =
        json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60, "BackoffRate": 1, "MaxAttempts": 100}]);
    let task = json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:none", "End": true, "Retry": retry});
    let execution = start(&aws, "fails", &json!({"StartAt": "T", "States": {"T": task}})).await;
    let skipped = aws.skip(Skip::By(hours(1))).await.expect("a skip");
    assert!(skipped.arrived, "{:?}", skipped.now);
    assert!((59..=60).contains(&skipped.came.len()), "{}", skipped.came.len());
    assert_eq!(describe(&aws, &execution).await["status"], "RUNNING");
}

#[tokio::test(start_paused = true)]
async fn express_executions_and_events_go_by_it_too() {
    let (aws, clock) = traveller().await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (seen, at) = (Arc::clone(&calls), Arc::clone(&clock));
    aws.register_function(
        "event",
        function(move |_| {
            let mut seen = seen.lock().expect("a lock");
            seen.push(at.now().duration_since(nine()).as_secs());
            async { Err(FunctionError::new("Bad", "always")) }
        }),
    );
    let event = Request::post("/2015-03-31/functions/event/invocations")
        .header("x-amz-invocation-type", "Event")
        .body(Bytes::from_static(b"{}"));
    assert_eq!(aws.handle(event.expect("a request")).await.status(), 202);
    let skipped = aws.skip(Skip::By(hours(1))).await.expect("a skip");
    assert_eq!(texts(&skipped.came), ["another try of the event for event"; 2]);
    assert_eq!(*calls.lock().expect("a lock"), [0, 60, 180]);

    let body = json!({
        "name": "express", "type": "EXPRESS", "definition": wait(200).to_string(), "roleArn": ROLE
    });
    let machine = call(&aws, "CreateStateMachine", body).await["stateMachineArn"].clone();
    let running = {
        let aws = aws.clone();
        tokio::spawn(
            async move { call(&aws, "StartSyncExecution", json!({"stateMachineArn": machine})).await },
        )
    };
    tokio::time::sleep(Duration::from_millis(10)).await;
    let skipped = aws.skip(Skip::Next).await.expect("a skip");
    assert_eq!(skipped.came.len(), 1);
    let answer = running.await.expect("an answer");
    assert_eq!(answer["status"], "SUCCEEDED");
}

/// What the service would be: a beat every minute until a deadline of an hour, seen to when it is told of the time.
struct Beats {
    clock: Arc<TravelClock>,
    beats: Arc<Mutex<Vec<Timestamp>>>,
}

impl Outside for Beats {
    fn upcoming(&self) -> Waited<Vec<Due>> {
        let beats = self.beats.lock().expect("a lock").len();
        let at = nine() + SignedDuration::from_mins(1 + i64::try_from(beats).expect("few"));
        Box::pin(async move {
            vec![
                Due::quiet(at, "a beat"),
                Due::new(nine() + hours(1), "the deadline"),
            ]
            .into_iter()
            .filter(|due| due.at <= nine() + hours(1))
            .collect()
        })
    }

    fn moved(&self) -> Waited<()> {
        self.beats.lock().expect("a lock").push(self.clock.now());
        Box::pin(async {})
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_outside_goes_along_and_what_is_quiet_is_passed() {
    let (aws, clock) = started(None).await;
    let beats = Arc::new(Mutex::new(Vec::new()));
    let outside = Beats {
        clock: Arc::clone(&clock),
        beats: Arc::clone(&beats),
    };
    aws.let_time_travel(Arc::clone(&clock), Some(Box::new(outside)));
    let skipped = aws.skip(Skip::Next).await.expect("a skip");
    assert_eq!(texts(&skipped.came), ["the deadline"]);
    let beats = beats.lock().expect("a lock").clone();
    assert_eq!(beats.len(), 60);
    for (n, beat) in (1..).zip(&beats) {
        let late = beat.duration_since(nine() + SignedDuration::from_mins(n));
        assert!(late.as_millis() < 1_000, "{n}: {late}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_stays_where_it_was() {
    let folder = crate::testing::folder("travels");
    let (aws, clock) = started(Some(folder.path())).await;
    aws.let_time_travel(Arc::clone(&clock), None);
    let execution = start(&aws, "long", &wait(10 * 86_400)).await;
    aws.skip(Skip::By(hours(24))).await.expect("a skip");
    let before = clock.now();
    aws.kill();
    drop((aws, clock));
    let (aws, clock) = started(Some(folder.path())).await;
    assert!(
        clock.now() >= before - SignedDuration::from_secs(1),
        "{}",
        clock.now()
    );
    aws.resume().await.expect("it goes on");
    let refused = aws.skip(Skip::Next).await;
    assert!(matches!(refused, Err(SkipError::NotAllowed)), "{refused:?}");
    aws.let_time_travel(Arc::clone(&clock), None);
    aws.skip(Skip::Next).await.expect("another skip");
    let described = describe(&aws, &execution).await;
    assert_eq!(described["status"], "SUCCEEDED");
    let lasted = described["stopDate"]
        .as_f64()
        .zip(described["startDate"].as_f64());
    let lasted = lasted.map(|(stop, start)| stop - start).expect("times");
    assert!((864_000.0..864_005.0).contains(&lasted), "{lasted}");
    aws.stop().await;
}

async fn http(aws: &AwsLocal, method: &str, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut request = Request::builder()
        .method(method)
        .uri("/clock")
        .header("host", "127.0.0.1:8086");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Bytes::from(body.to_owned())).expect("a request");
    server::respond(&aws.inner, request).await
}

fn read(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn programs_ask_in_json() {
    let (aws, clock) = started(None).await;
    for method in ["GET", "POST"] {
        let refused = http(&aws, method, &[], r#"{"next": true}"#).await;
        assert_eq!(refused.status(), 404);
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let detail = read(&refused)["detail"].as_str().expect("a text").to_owned();
        assert!(detail.contains("--time-travel"), "{detail}");
    }
    aws.let_time_travel(clock, None);
    start(&aws, "w", &wait(3_600)).await;
    let stands = read(&http(&aws, "GET", &[], "").await);
    assert_eq!(stands["skippedSeconds"], 0);
    assert_eq!(stands["next"]["what"], "the end of “W” in w/one");
    assert_eq!(stands["next"]["at"], "2026-11-21T10:00:00.000Z");
    let skipped = read(&http(&aws, "POST", &[], r#"{"next": true}"#).await);
    assert_eq!(
        (&skipped["arrived"], &skipped["next"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(skipped["came"][0]["at"], stands["next"]["at"]);
    let skipped = read(&http(&aws, "POST", &[], r#"{"to": "2026-11-24T10:00:00+01:00"}"#).await);
    let now = skipped["now"].as_str().expect("a time");
    assert!(now.starts_with("2026-11-24T09:00:0"), "{now}");
    let skipped = read(&http(&aws, "POST", &[], r#"{"bySeconds": 60}"#).await);
    let now = skipped["now"].as_str().expect("a time");
    assert!(now.starts_with("2026-11-24T09:01:0"), "{now}");

    for (body, status) in [
        ("", 400),
        ("[]", 400),
        ("{}", 400),
        (r#"{"next": false}"#, 400),
        (r#"{"to": "2026-11-24"}"#, 400),
        (r#"{"to": "2026-11-24T10:00:00Z", "next": true}"#, 400),
        (r#"{"bySeconds": 1.5}"#, 400),
        (r#"{"by": "3d"}"#, 400),
        (r#"{"to": "2026-11-21T10:00:00Z"}"#, 422),
        (r#"{"bySeconds": -1}"#, 422),
        (r#"{"bySeconds": 9223372036854775807}"#, 422),
        (r#"{"next": true}"#, 409),
    ] {
        let refused = http(&aws, "POST", &[], body).await;
        assert_eq!(refused.status(), status, "{body}: {:?}", refused.body());
        assert_eq!(read(&refused)["status"], status);
        assert!(read(&refused)["detail"].is_string());
    }
    let elsewhere = [("origin", "http://127.0.0.1:3000")];
    assert_eq!(
        http(&aws, "POST", &elsewhere, r#"{"bySeconds": 1}"#)
            .await
            .status(),
        403
    );
}

#[tokio::test(start_paused = true)]
async fn a_person_has_a_page() {
    let (aws, clock) = started(None).await;
    let browser = [("accept", "text/html,application/xhtml+xml")];
    let form = [
        browser[0],
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "http://127.0.0.1:8086"),
    ];
    let text = |response: &Response<Bytes>| String::from_utf8(response.body().to_vec()).expect("text");
    let without = http(&aws, "GET", &browser, "").await;
    assert_eq!(without.status(), 200);
    assert!(text(&without).contains("--time-travel"));
    aws.let_time_travel(Arc::clone(&clock), None);
    let state = json!({"Type": "Wait", "Seconds": 3_600, "End": true});
    start(&aws, "w", &json!({"StartAt": "<b>", "States": {"<b>": state}})).await;
    let page = http(&aws, "GET", &browser, "").await;
    assert_eq!(page.status(), 200);
    assert!(page.headers().contains_key("content-security-policy"));
    assert!(text(&page).contains("the real time."), "{}", text(&page));
    assert!(text(&page).contains("“&#60;b&#62;” in w/one"), "{}", text(&page));

    let skipped = http(&aws, "POST", &form, "skip=next").await;
    assert_eq!(
        (skipped.status().as_u16(), &skipped.headers()["location"]),
        (303, &"/clock".parse().expect("a path"))
    );
    let page = text(&http(&aws, "GET", &browser, "").await);
    assert!(
        page.contains("What the last skip passed") && page.contains("ahead of the real time"),
        "{page}"
    );
    assert_eq!(
        http(&aws, "POST", &form, "skip=to&to=2026-11-22T09%3A00")
            .await
            .status(),
        303
    );
    assert_eq!(http(&aws, "POST", &form, "skip=by&by=1h+30m").await.status(), 303);
    let now = clock.now().duration_since(nine());
    assert_eq!(now.as_mins(), 24 * 60 + 90);

    for (body, status) in [
        ("skip=by&by=%3Cscript%3E", 400),
        ("skip=by&by=-1h", 400),
        ("skip=to&to=2026-11-21T09%3A00", 422),
        ("skip=next", 409),
        ("", 400),
    ] {
        let refused = http(&aws, "POST", &form, body).await;
        assert_eq!(refused.status(), status, "{body}");
        let page = text(&refused);
        assert!(
            page.contains(r#"role="alert""#) && !page.contains("<script>"),
            "{page}"
        );
    }
    let elsewhere = [form[0], form[1], ("origin", "http://localhost:3000")];
    assert_eq!(http(&aws, "POST", &elsewhere, "skip=next").await.status(), 403);
}
