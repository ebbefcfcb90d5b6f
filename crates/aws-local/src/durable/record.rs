//! What is kept of a durable execution, and what follows from it at a moment.

use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::CallbackState;
use crate::source::epoch_seconds;
use crate::{ACCOUNT, REGION};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) arn: String,
    pub(super) callback: String,
    pub(super) function: String,
    /// The execution's name.
    pub(super) name: String,
    pub(super) began: Timestamp,
    /// When somebody last beat for it; at first when it began.
    pub(super) beat: Timestamp,
    /// Seconds.
    pub(super) timeout: Option<u64>,
    /// Seconds.
    pub(super) heartbeat_timeout: Option<u64>,
    /// How it was ended, unless by time.
    pub(super) end: Option<End>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) at: Timestamp,
    pub(super) how: How,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum How {
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    Succeeded(Vec<u8>),
    Failed(Value),
    Stopped(Value),
    /// By its time-out, or (`true`) for want of heartbeats.
    TimedOut(bool),
}

fn to_base64<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&BASE64.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)
}

impl Record {
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn read(text: &str) -> Option<Record> {
        serde_json::from_str(text).ok()
    }

    /// How it has ended by `now`.
    pub(super) fn end_at(&self, now: Timestamp) -> Option<End> {
        if self.end.is_some() {
            return self.end.clone();
        }
        let after = |since: Timestamp, seconds: Option<u64>| {
            let seconds = i64::try_from(seconds.filter(|seconds| *seconds > 0)?).ok()?;
            since.checked_add(SignedDuration::from_secs(seconds)).ok()
        };
        let ends = [
            (after(self.began, self.timeout), false),
            (after(self.beat, self.heartbeat_timeout), true),
        ];
        ends.into_iter()
            .filter_map(|(at, by_heartbeat)| Some((at?, by_heartbeat)))
            .min()
            .filter(|(at, _)| *at <= now)
            .map(|(at, by_heartbeat)| End {
                at,
                how: How::TimedOut(by_heartbeat),
            })
    }

    pub(super) fn state(&self, now: Timestamp) -> CallbackState {
        match self.end_at(now).map(|end| end.how) {
            None => CallbackState::Waiting,
            Some(How::Succeeded(result)) => CallbackState::Succeeded(result),
            Some(How::Failed(error)) => CallbackState::Failed(error),
            Some(How::TimedOut(_)) => CallbackState::TimedOut,
            Some(How::Stopped(_)) => CallbackState::Stopped,
        }
    }

    /// GetDurableExecution's answer, with the result or the error, or without.
    pub(super) fn described(&self, now: Timestamp, with_data: bool) -> Value {
        let mut answer = json!({
            "DurableExecutionArn": self.arn,
            "DurableExecutionName": self.name,
            "FunctionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}:$LATEST", self.function),
            "StartTimestamp": epoch_seconds(self.began),
            "Status": "RUNNING",
            "Version": "$LATEST",
            "ExecutionDataIncluded": with_data,
        });
        let Some(end) = self.end_at(now) else {
            return answer;
        };
        answer["EndTimestamp"] = epoch_seconds(end.at);
        let (status, field, data) = match end.how {
            How::Succeeded(result) => ("SUCCEEDED", "Result", String::from_utf8_lossy(&result).into()),
            How::Failed(error) => ("FAILED", "Error", error),
            // A function that lets the SDK's error through.
            How::TimedOut(by_heartbeat) => ("FAILED", "Error", timed_out(by_heartbeat)),
            How::Stopped(error) => ("STOPPED", "Error", error),
        };
        answer["Status"] = status.into();
        if with_data {
            answer[field] = data;
        }
        answer
    }
}

/// The error with which a wait ends that timed out.
pub(super) fn timed_out(by_heartbeat: bool) -> Value {
    if by_heartbeat {
        json!({"ErrorType": "Callback.Heartbeat", "ErrorMessage": "Callback timed out on heartbeat"})
    } else {
        json!({"ErrorType": "Callback.Timeout", "ErrorMessage": "Callback timed out"})
    }
}
