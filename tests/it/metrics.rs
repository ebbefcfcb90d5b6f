//! What `/metrics` counts.

use super::api::key;
use super::harness::{Fault, Harness, ask_bob};
use countersign::domain::api_key::Scope;
use http::Method;
use serde_json::json;

impl Harness {
    /// The value of one series, such as `countersign_ended_total{status="approved"}`; 0 where there is none.
    async fn metric(&self, series: &str) -> u64 {
        let text = self.metrics().await;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().expect("a number"))
    }

    async fn metrics(&self) -> String {
        let key = key(Scope::Read);
        let answer = self
            .call_with(Some(key.expose()), Method::GET, "/metrics", String::new())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }
}

#[tokio::test(start_paused = true)]
async fn every_transition_is_counted_once() {
    let harness = Harness::start().await;
    harness
        .faults
        .next("SendEmail", 1, Fault::Refused(429, "TooManyRequestsException"));
    harness
        .faults
        .next("SendTaskSuccess", 1, Fault::Refused(400, "ThrottlingException"));
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    harness.answer(&path, "approve", "", "Bob").await;
    harness.ended(&execution).await;
    harness.settle().await;

    for (series, expected) in [
        ("countersign_requests_total{result=\"created\"}", 1),
        ("countersign_answers_total{by=\"link\"}", 1),
        ("countersign_ended_total{status=\"approved\"}", 1),
        ("countersign_callbacks_total{result=\"again\"}", 1),
        ("countersign_callbacks_total{result=\"delivered\"}", 1),
        ("countersign_mails_total{kind=\"invitation\",result=\"again\"}", 1),
        ("countersign_mails_total{kind=\"invitation\",result=\"sent\"}", 1),
        ("countersign_mails_total{kind=\"receipt\",result=\"sent\"}", 1),
        ("countersign_steps_failed_total", 0),
    ] {
        assert_eq!(harness.metric(series).await, expected, "{series}");
    }
    let opened = "countersign_http_requests_total{route=\"/s/{link}\",method=\"GET\",status=\"200\"}";
    assert!(harness.metric(opened).await >= 1);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn metrics_need_a_key_and_hold_neither_links_nor_made_up_words() {
    let harness = Harness::start().await;
    harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    harness.get(&path).await;
    for n in 0..50 {
        harness.get(&format!("/made-up-{n}")).await;
    }
    let (status, _) = harness
        .call(Scope::Write, Method::GET, "/metrics", &json!({}))
        .await;
    assert_eq!(status, 403);
    let text = harness.metrics().await;
    assert!(
        !text.contains(&path[3..]) && !text.contains("made-up") && !text.contains("example.com"),
        "{text}"
    );
    assert!(
        text.contains("route=\"none\",method=\"GET\",status=\"404\"} 50"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
    harness.settle().await;
}
