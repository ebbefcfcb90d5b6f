//! Wakes: messages that this function sends to itself, delayed, because nothing of it runs while it isn't asked. A wake
//! names an approval and nothing else; whoever sends one makes the function look what is due of it, which is harmless.
//! A lost one is made good by the scheduled tick.

use crate::domain::ids::ApprovalId;
use crate::queues::Queues;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The longest delay of a message (SQS quotas). What lies further ahead is left to the tick.
pub(super) const FURTHEST: SignedDuration = SignedDuration::from_mins(15);
/// How many are sent at the same time.
const CONCURRENT: usize = 16;

/// Where wakes are sent to.
#[derive(Clone, Debug)]
pub struct WakeQueue {
    queues: Queues,
    url: String,
}

impl WakeQueue {
    /// The queue at `url`, whose messages come back to this function.
    pub fn new(queues: Queues, url: String) -> Self {
        Self { queues, url }
    }

    /// Sends a wake for each moment at which something of an approval falls due. What isn't sent by `end` is left to the
    /// tick.
    pub async fn send(&self, due: &[(ApprovalId, Timestamp)], now: Timestamp, end: Instant) {
        let delays: BTreeSet<_> = due.iter().map(|(id, at)| (*id, delay(*at, now))).collect();
        let mut delays = delays.into_iter();
        let mut sends = JoinSet::new();
        loop {
            while sends.len() < CONCURRENT
                && let Some((id, delay)) = delays.next()
            {
                let (queues, url) = (self.queues.clone(), self.url.clone());
                sends.spawn(async move {
                    if let Err(error) = queues.send(&url, &wake(id), delay).await {
                        tracing::warn!(approval.id = %id, error = %error, "no wake could be sent; the tick will do what is due");
                    }
                });
            }
            tokio::select! {
                sent = sends.join_next() => if sent.is_none() { return },
                () = tokio::time::sleep_until(end) => {
                    tracing::warn!("no time to send every wake; the tick will do what is due");
                    return;
                }
            }
        }
    }
}

/// Whole seconds, not before it is due.
fn delay(at: Timestamp, now: Timestamp) -> Duration {
    let until = at.duration_since(now).clamp(SignedDuration::ZERO, FURTHEST);
    Duration::from_secs(until.as_secs().unsigned_abs() + u64::from(until.subsec_nanos() > 0))
}

fn wake(id: ApprovalId) -> String {
    json!({"countersign": "wake", "requestId": id}).to_string()
}

/// The approval that a message wakes; `None` when it is something else.
pub(super) fn woken(body: &str) -> Option<ApprovalId> {
    let wake: Value = serde_json::from_str(body).ok()?;
    if wake.get("countersign")? != "wake" {
        return None;
    }
    ApprovalId::parse(wake.get("requestId")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_names_its_approval_and_other_messages_none() {
        let id = ApprovalId::from_bytes([7; 16]);
        assert_eq!(woken(&wake(id)), Some(id));
        for other in [
            "",
            "no JSON",
            "[]",
            r#"{"countersign": "wake"}"#,
            r#"{"countersign": "wake", "requestId": "req_1"}"#,
            r#"{"countersign": "wake", "requestId": 1}"#,
            r#"{"taskToken": "x", "title": "wake"}"#,
        ] {
            assert_eq!(woken(other), None, "{other}");
        }
    }

    #[test]
    fn a_wake_comes_when_it_is_due_and_no_later_than_sqs_can() {
        let now = Timestamp::UNIX_EPOCH;
        let after = |milliseconds| delay(now + SignedDuration::from_millis(milliseconds), now).as_secs();
        assert_eq!(
            [-5_000, 0, 1, 3_000, 3_001, 899_001, 5_000_000].map(after),
            [0, 0, 1, 3, 4, 900, 900]
        );
    }
}
