//! What is told of which event, and how much of it where much happens.

use super::*;
use aws_local::ExecutionName;
use std::sync::Arc;

fn event(kind: &str) -> ExecutionEvent {
    let started: Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
    ExecutionEvent {
        execution: Arc::new(ExecutionName {
            arn: "arn:one".to_owned(),
            name: "0b21d3b2-9a2c-4b0e-8a5e-111111111111".to_owned(),
            machine: "release".to_owned(),
            started,
        }),
        at: started + SignedDuration::from_millis(2400),
        id: 1,
        kind: kind.to_owned(),
        state: Some("Ask Bob".to_owned()),
        resource: None,
        error: None,
        cause: None,
        until: None,
    }
}

fn plain(line: &str) -> String {
    anstream::adapter::strip_str(line).to_string()
}

fn told(event: ExecutionEvent) -> Option<String> {
    Teller::new(TimeZone::UTC)
        .line(&Happening::Event(event))
        .map(|line| plain(&line))
}

#[test]
fn each_line_says_when_who_and_what() {
    let line = told(event("TaskStateEntered")).expect("a line");
    assert_eq!(line, "09:00:02  release 0b21d3b2          Ask Bob");
    let text = |event| told(event).map(|line| line[36..].to_owned());
    assert_eq!(text(event("ExecutionStarted")).as_deref(), Some("started"));
    assert_eq!(
        text(event("ExecutionSucceeded")).as_deref(),
        Some("SUCCEEDED after 2.4 s")
    );
    let until = |kind, seconds| ExecutionEvent {
        until: Some(event(kind).at + SignedDuration::from_secs(seconds)),
        ..event(kind)
    };
    assert_eq!(
        text(until("WaitBegun", 90)).as_deref(),
        Some("Ask Bob: waits 1 m 30 s (until 09:01:32)")
    );
    assert_eq!(
        text(until("RetryScheduled", 5)).as_deref(),
        Some("Ask Bob: tries again in 5 s")
    );
    let of = |kind, resource: &str| ExecutionEvent {
        resource: Some(resource.to_owned()),
        ..event(kind)
    };
    let token = "arn:aws:states:::lambda:invoke.waitForTaskToken";
    assert_eq!(
        text(of("TaskSubmitted", token)).as_deref(),
        Some("Ask Bob: waits for an answer to its token")
    );
    assert_eq!(
        text(of("TaskSubmitted", "arn:aws:states:::states:startExecution.sync")),
        None
    );
    let activity = "arn:aws:states:us-east-1:123456789012:activity:validation";
    assert_eq!(
        text(of("ActivityScheduled", activity)).as_deref(),
        Some("Ask Bob: waits for a worker of the activity validation")
    );
    for quiet in [
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ChoiceStateEntered",
        "WaitStateEntered",
    ] {
        assert_eq!(told(event(quiet)), None, "{quiet}");
    }
}

#[test]
fn a_failure_says_why_in_one_line_and_once() {
    let failed = |kind, cause: &str| ExecutionEvent {
        error: Some("Broken".to_owned()),
        cause: Some(cause.to_owned()),
        ..event(kind)
    };
    let mut teller = Teller::new(TimeZone::UTC);
    let mut text = |event| {
        teller
            .line(&Happening::Event(event))
            .map(|line| plain(&line)[36..].to_owned())
    };
    let cause = r#"{"errorMessage": "It broke.", "errorType": "Broken"}"#;
    assert_eq!(
        text(failed("TaskFailed", cause)).as_deref(),
        Some("Ask Bob: Broken: It broke.")
    );
    assert_eq!(text(failed("BranchFailed", cause)), None);
    assert_eq!(
        text(failed("ExecutionFailed", cause)).as_deref(),
        Some("FAILED after 2.4 s: Broken")
    );
    assert_eq!(
        text(failed("ExecutionFailed", "\nFirst\u{1b}[31m.\nSecond.")).as_deref(),
        Some("FAILED after 2.4 s: Broken: First\u{fffd}[31m.")
    );
    let aborted = event("ExecutionAborted");
    assert_eq!(text(aborted).as_deref(), Some("ABORTED after 2.4 s"));
}

#[test]
fn what_comes_too_fast_is_counted() {
    let now = Instant::now();
    let (mut pace, mut teller) = (Pace::new(now), Teller::new(TimeZone::UTC));
    let mut lines = 0;
    for kind in ["ExecutionStarted", "TaskScheduled", "ExecutionSucceeded"] {
        for _ in 0..1000 {
            lines += pace
                .take(&Happening::Event(event(kind)), now, |h| teller.line(h))
                .map_or(0, |_| 1);
        }
    }
    assert_eq!(lines, 60);
    let counted = plain(&pace.counted().expect("a line"));
    assert_eq!(
        counted.trim(),
        "… 2,940 more events; executions: 940 started, 1,000 succeeded"
    );
    assert_eq!(pace.counted(), None);
    let later = now + Duration::from_millis(100);
    let mut again = || {
        pace.take(&Happening::Event(event("TaskStateEntered")), later, |h| {
            teller.line(h)
        })
    };
    assert!(again().is_some() && again().is_some() && again().is_none());
}

#[test]
fn durations_and_numbers_are_short() {
    let shown = [400, 9_900, 12_345, 150_000, 7_200_000, 93_600_000]
        .map(|milliseconds| duration(SignedDuration::from_millis(milliseconds)));
    assert_eq!(shown, ["0.4 s", "9.9 s", "12 s", "2 m 30 s", "2 h", "1 d 2 h"]);
    assert_eq!([7, 1000, 1_234_567].map(grouped), ["7", "1,000", "1,234,567"]);
}
