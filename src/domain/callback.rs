//! The callback: how a decision gets to the workflow, and what is sent.
//!
//! `TaskTimedOut` (for durable functions `CallbackTimeoutException`) means "expired or already closed", so each attempt is
//! on record before it is made: only then has the question "did an earlier try of ours get through?" an answer.

use super::schedule;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Whether the workflow knows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Callback {
    /// Within the window in which the decision may be undone.
    Held {
        /// When it is sent.
        until: Timestamp,
    },
    /// To be sent, or being sent.
    Queued(Queued),
    /// The workflow took it.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// Proven that the workflow no longer waits.
    Moot {
        /// When that was found.
        at: Timestamp,
        /// What ended it, as far as it is known.
        because: String,
    },
    /// Needs an operator.
    Parked(Parked),
}

/// A callback on its way.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Queued {
    /// Attempts begun.
    pub attempts: u32,
    /// Attempts begun of which it isn't known whether they were taken.
    pub unanswered: u32,
    /// When the next attempt is due. While one runs, when that one is given up for lost.
    pub due: Timestamp,
    /// What the last attempt ended with.
    pub last_error: Option<String>,
}

/// A callback that waits for an operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Parked {
    /// Since when.
    pub at: Timestamp,
    /// What an operator needs to know. Never a token.
    pub reason: String,
    /// Attempts begun.
    pub attempts: u32,
    /// Attempts begun of which it isn't known whether they were taken.
    pub unanswered: u32,
}

/// How long an attempt may take before another process takes it for lost. Longer than its time-out by far.
pub const LEASE: SignedDuration = SignedDuration::from_secs(30);

impl Callback {
    /// A callback whose first attempt is begun by the write that makes it: the decision and the attempt's record are
    /// one write, so that a decision costs no second one.
    pub fn first_attempt(now: Timestamp) -> Self {
        Self::Queued(Queued {
            attempts: 1,
            unanswered: 1,
            due: now + LEASE,
            last_error: None,
        })
    }

    /// When the next step is due.
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Held { until } => Some(*until),
            Self::Queued(queued) => Some(queued.due),
            Self::Delivered { .. } | Self::Moot { .. } | Self::Parked(_) => None,
        }
    }
}

impl Queued {
    /// The record of one more attempt, to be written before it is made.
    pub fn begin(&self, now: Timestamp) -> Self {
        Self {
            attempts: self.attempts + 1,
            unanswered: self.unanswered + 1,
            due: now + LEASE,
            ..self.clone()
        }
    }

    /// After an attempt that is worth repeating. `taken_perhaps`: no answer came, or one that doesn't exclude that
    /// the call took effect. `jitter` is in 0..1.
    pub fn again(&self, now: Timestamp, error: String, taken_perhaps: bool, jitter: f64) -> Self {
        Self {
            attempts: self.attempts,
            unanswered: if taken_perhaps {
                self.unanswered
            } else {
                self.unanswered - 1
            },
            due: now + schedule::callback_delay(self.attempts, jitter),
            last_error: Some(error),
        }
    }

    /// Whether an attempt other than the one now being made may have got through.
    pub fn earlier_may_have_landed(&self) -> bool {
        self.unanswered > 1
    }

    /// After an attempt that an operator has to look at.
    pub fn park(&self, now: Timestamp, reason: String, taken_perhaps: bool) -> Parked {
        Parked {
            at: now,
            reason,
            attempts: self.attempts,
            unanswered: if taken_perhaps {
                self.unanswered
            } else {
                self.unanswered - 1
            },
        }
    }
}

impl Parked {
    /// Queued again, at an operator's word. What isn't known of earlier attempts isn't forgotten.
    pub fn again(&self, now: Timestamp) -> Queued {
        Queued {
            attempts: self.attempts,
            unanswered: self.unanswered,
            due: now,
            last_error: Some(self.reason.clone()),
        }
    }
}

/// What is sent to the workflow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallbackMessage {
    /// `SendTaskSuccess`.
    Success {
        /// JSON, at most [`MAX_OUTPUT_BYTES`].
        output: String,
    },
    /// `SendTaskFailure`.
    Failure {
        /// One of ours, such as `Approval.Rejected`; at most 256 characters.
        error: &'static str,
        /// What happened, in a sentence: for a durable function, whose error has a message beside its data.
        summary: String,
        /// Readable JSON, at most [`MAX_CAUSE_CHARS`].
        cause: String,
    },
}

/// Why a call to the workflow didn't do what it should. The three classes that `flow/call_back.rs` acts on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendError {
    /// Worth repeating: throttled, out of order, or no answer.
    Again {
        /// AWS's error code, or what went wrong on the way.
        code: String,
        /// Whether the call may have taken effect all the same.
        taken_perhaps: bool,
    },
    /// An operator has to look at it: repeating it would give the same.
    Park {
        /// AWS's error code and message.
        reason: String,
    },
    /// Expired, already closed, or unknown by now: nobody waits behind it any more.
    Closed,
}

/// What the history of an execution says of one wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It ended by an answer to this very request.
    Answered(Answered),
    /// It ended by something else, such as `TaskTimedOut`, or with the execution.
    OtherEnd(String),
    /// It can't be told from this history.
    Nothing,
    /// The history can't be read at the moment.
    NotNow,
}

/// What an answer to a request said, as a history keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answered {
    /// `approved`, `rejected`, `expired` or `cancelled`, where the history shows it.
    pub status: Option<String>,
    /// The outcome's id, where the history shows it.
    pub outcome: Option<String>,
}

impl Answered {
    /// Reads an output or a cause out of a history, perhaps cut short there; `None` when it isn't about `request_id`,
    /// which is in everything that we send.
    pub fn read(text: &str, request_id: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Said {
            request_id: String,
            status: Option<String>,
            outcome: Option<String>,
        }
        match serde_json::from_str::<Said>(text) {
            Ok(said) => (said.request_id == request_id).then_some(Self {
                status: said.status,
                outcome: said.outcome,
            }),
            Err(_) => text.contains(request_id).then(Self::default),
        }
    }

    /// Whether it is what `message` says, as far as the history shows it.
    pub fn agrees_with(&self, message: &CallbackMessage) -> bool {
        let text = match message {
            CallbackMessage::Success { output } => output,
            CallbackMessage::Failure { cause, .. } => cause,
        };
        let Ok(meant) = serde_json::from_str::<serde_json::Value>(text) else {
            return false;
        };
        let same = |shown: &Option<String>, name: &str| {
            shown
                .as_deref()
                .is_none_or(|shown| meant[name].as_str().is_none_or(|meant| meant == shown))
        };
        same(&self.status, "status") && same(&self.outcome, "outcome")
    }
}

/// The largest output of a task, in bytes of UTF-8 (Step Functions quotas).
pub const MAX_OUTPUT_BYTES: usize = 262_144;
/// The longest cause of a failure, in characters (Step Functions API, `SensitiveCause`).
pub const MAX_CAUSE_CHARS: usize = 32_768;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_whether_an_earlier_attempt_may_have_landed() {
        let now = Timestamp::UNIX_EPOCH;
        let Callback::Queued(first) = Callback::first_attempt(now) else {
            panic!("queued")
        };
        assert!(!first.earlier_may_have_landed());
        let throttled = first.again(now, "ThrottlingException".into(), false, 0.5);
        assert!(!throttled.begin(now).earlier_may_have_landed());
        let lost = first.again(now, "no answer".into(), true, 0.5);
        assert!(lost.begin(now).earlier_may_have_landed());
    }

    #[test]
    fn an_answer_in_a_history_is_known_by_its_request_and_by_what_it_says() {
        let output = r#"{"requestId":"req_1","status":"approved","outcome":"approve"}"#;
        let approved = Answered::read(output, "req_1").expect("ours");
        assert_eq!(Answered::read(output, "req_2"), None);
        assert_eq!(Answered::read(&output[..30], "req_1"), Some(Answered::default()));
        assert_eq!(Answered::read("\"signed\"", "req_1"), None);
        let sent = |output: &str| CallbackMessage::Success {
            output: output.to_owned(),
        };
        assert!(approved.agrees_with(&sent(output)));
        assert!(Answered::default().agrees_with(&sent(output)));
        assert!(!approved.agrees_with(&sent(&output.replace("\"approve\"", "\"later\""))));
        let cause = r#"{"requestId":"req_1","status":"expired"}"#.to_owned();
        let expired = CallbackMessage::Failure {
            error: "Approval.Expired",
            summary: String::new(),
            cause,
        };
        assert!(!approved.agrees_with(&expired));
    }
}
