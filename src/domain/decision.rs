//! What people answered, and the states of a request. Data belongs inside the state's variant, so that a decided
//! request without a decision can't be written down.

use super::callback::Callback;
use super::digest::Sha256;
use super::evidence::Head;
use super::request::OutcomeKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One signer's answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The id of the outcome chosen.
    pub outcome: String,
    /// Whether that outcome approves or rejects.
    pub kind: OutcomeKind,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who gave it.
    pub by: AnsweredBy,
    /// What is personal about it; evidence refers to it by a salted hash.
    pub private: PrivateAnswer,
}

/// How an answer came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// The signer, who had the link from the mail and nothing more.
    Link,
    /// An operator or a program, through the operations function or the API, on the signer's behalf.
    Operations,
}

/// The personal part of an answer: deletable without breaking the chain of evidence.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateAnswer {
    /// Salt of the hash that stands in the evidence.
    pub salt: Sha256,
    /// The comment.
    pub comment: Option<String>,
    /// What was typed as a signature.
    pub typed_name: Option<String>,
    /// The address the answer came from.
    pub address: Option<String>,
    /// The browser, by its own word.
    pub browser: Option<String>,
}

impl PrivateAnswer {
    /// The hash that stands in the evidence.
    pub fn salted_hash(&self) -> Sha256 {
        Sha256::of_parts(&[
            b"countersign-answer-v1\0",
            self.salt.as_bytes(),
            &super::digest::canonical_json(self),
        ])
    }
}

impl std::fmt::Debug for PrivateAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateAnswer(redacted)")
    }
}

/// What the answers came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// The outcome that won.
    pub outcome: String,
    /// Whether it approves or rejects.
    pub kind: OutcomeKind,
    /// When.
    pub at: Timestamp,
    /// The number of the signer whose answer decided.
    pub by: u8,
}

/// The small, changing part of a request, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Raised by every write; each write is conditional on it.
    pub version: u64,
    /// The newest evidence event.
    pub evidence: Head,
    /// How far the request has come.
    pub state: RequestState,
}

/// How far a request has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum RequestState {
    /// People are being asked.
    Pending(Pending),
    /// It has ended, and the workflow is (or was) to be told.
    Ended(Ended),
    /// The workflow stopped waiting while people were still being asked: there is nobody to tell but them.
    Orphaned {
        /// When we found out.
        at: Timestamp,
        /// How we know.
        because: WorkflowEnd,
        /// When the signers are to be told; `None` once they were.
        notices: Option<Timestamp>,
    },
}

/// A request that waits for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pending {
    /// When it expires.
    pub deadline: Option<Timestamp>,
    /// When the workflow is next told that the request is alive.
    pub heartbeat: Option<Timestamp>,
    /// When we next look whether the workflow still waits.
    pub check: Timestamp,
}

impl Pending {
    /// When the next of its obligations is due.
    pub fn due(&self) -> Timestamp {
        [self.deadline, self.heartbeat]
            .into_iter()
            .flatten()
            .fold(self.check, Timestamp::min)
    }
}

/// A request that ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// Whether the workflow knows.
    pub callback: Callback,
    /// When the signers who didn't answer are to be told; `None` once they were.
    pub notices: Option<Timestamp>,
}

/// How a request ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Ending {
    /// The policy was met by approving outcomes.
    Approved(Decision),
    /// The policy can no longer be met.
    Rejected(Decision),
    /// The deadline passed.
    Expired {
        /// The deadline's moment of effect.
        at: Timestamp,
        /// The outcome that the request names for this case, when it doesn't fail.
        outcome: Option<String>,
    },
    /// Somebody withdrew it.
    Cancelled {
        /// When.
        at: Timestamp,
        /// Who, in their own words.
        by: String,
        /// Why, in their own words.
        reason: Option<String>,
        /// Whether the execution is stopped, instead of being told. Proven to be the one that waits for the request.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stop: bool,
    },
}

impl Ending {
    /// When it ended.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Approved(decision) | Self::Rejected(decision) => decision.at,
            Self::Expired { at, .. } | Self::Cancelled { at, .. } => *at,
        }
    }

    /// Whether the execution is stopped for it, instead of being told.
    pub fn stops(&self) -> bool {
        matches!(self, Self::Cancelled { stop: true, .. })
    }

    /// The word for it in the API, in evidence and in the workflow's result.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Approved(_) => "approved",
            Self::Rejected(_) => "rejected",
            Self::Expired { .. } => "expired",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

/// How we know that a workflow no longer waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum WorkflowEnd {
    /// `DescribeExecution` says that the execution has ended.
    Execution {
        /// Its status there, such as `TIMED_OUT`.
        status: String,
        /// When it stopped.
        at: Option<Timestamp>,
    },
    /// Step Functions says that the token is closed, and no call of ours can have closed it.
    TokenClosed,
}

impl RequestState {
    /// The word for it in the API.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Pending(_) => "pending",
            Self::Ended(ended) => ended.ending.status(),
            Self::Orphaned { .. } => "orphaned",
        }
    }

    /// When the next obligation of this state is due, or `None` when all is done.
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Pending(pending) => Some(pending.due()),
            Self::Ended(ended) => [ended.callback.due(), ended.notices].into_iter().flatten().min(),
            Self::Orphaned { notices, .. } => *notices,
        }
    }
}
