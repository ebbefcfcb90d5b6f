//! GetDurableExecutionHistory: what happened in an execution, event by event.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::invalid;
use super::record::{How, Record, timed_out};
use crate::dispatch::percent_decoded;
use crate::error::AwsError;
use crate::source::epoch_seconds;

/// How many events a page has, and how many at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;
/// The ids of the two operations of an execution.
const EXECUTION: &str = "execution";
const CALLBACK: &str = "callback-1";
/// How long an execution may take, in seconds, where nobody said: a day.
const EXECUTION_TIMEOUT: u32 = 86_400;

/// What `query` has by this name.
fn asked(query: Option<&str>, name: &str) -> Option<String> {
    query.unwrap_or_default().split('&').find_map(|part| {
        let (has, value) = part.split_once('=')?;
        (has == name).then(|| percent_decoded(value))
    })
}

/// Whether inputs, results and errors are asked for: unless `IncludeExecutionData` says that they aren't.
pub(super) fn wants_data(query: Option<&str>) -> bool {
    asked(query, "IncludeExecutionData").as_deref() != Some("false")
}

/// The page that `query` asks for (`MaxItems`, `Marker`, `ReverseOrder`, `IncludeExecutionData`).
pub(super) fn page(record: &Record, now: Timestamp, query: Option<&str>) -> Result<Value, AwsError> {
    let number = |name: &str| match asked(query, name) {
        None => Ok(0),
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| invalid(&format!("{name} is not valid."))),
    };
    let (most, from) = (number("MaxItems")?, number("Marker")?);
    if most > LARGEST_PAGE {
        return Err(invalid(&format!("MaxItems must be at most {LARGEST_PAGE}.")));
    }
    let most = if most == 0 { PAGE } else { most };
    let mut events = events(record, now, wants_data(query));
    if asked(query, "ReverseOrder").as_deref() == Some("true") {
        events.reverse();
    }
    let more = events.len() > from.saturating_add(most);
    let page: Vec<Value> = events.into_iter().skip(from).take(most).collect();
    let mut answer = json!({"Events": page});
    if more {
        answer["NextMarker"] = (from + most).to_string().into();
    }
    Ok(answer)
}

fn events(record: &Record, now: Timestamp, with_data: bool) -> Vec<Value> {
    let mut events = Vec::new();
    let mut add = |operation: &str, kind: &str, at: Timestamp, details: Value| {
        let number = events.len() + 1;
        events.push(json!({
            "EventId": number,
            "EventType": kind,
            "Id": operation,
            "EventTimestamp": epoch_seconds(at),
            (format!("{kind}Details")): details,
        }));
    };
    let began = json!({"Input": {"Truncated": !with_data}, "ExecutionTimeout": EXECUTION_TIMEOUT});
    add(EXECUTION, "ExecutionStarted", record.began, began);
    let mut wait = json!({"CallbackId": record.callback});
    if let Some(seconds) = record.timeout {
        wait["Timeout"] = seconds.into();
    }
    if let Some(seconds) = record.heartbeat_timeout {
        wait["HeartbeatTimeout"] = seconds.into();
    }
    add(CALLBACK, "CallbackStarted", record.began, wait);
    let Some(end) = record.end_at(now) else {
        return events;
    };
    let payload = |value: Value| {
        if with_data {
            json!({"Payload": value, "Truncated": false})
        } else {
            json!({"Truncated": true})
        }
    };
    let (callback, execution, details) = match end.how {
        How::Succeeded(result) => {
            let text = String::from_utf8_lossy(&result).into_owned();
            let details = json!({"Result": payload(text.into())});
            (Some("CallbackSucceeded"), "ExecutionSucceeded", details)
        }
        How::Failed(error) => {
            let details = json!({"Error": payload(error)});
            (Some("CallbackFailed"), "ExecutionFailed", details)
        }
        How::TimedOut(by_heartbeat) => {
            let details = json!({"Error": payload(timed_out(by_heartbeat))});
            (Some("CallbackTimedOut"), "ExecutionFailed", details)
        }
        How::Stopped(error) => (None, "ExecutionStopped", json!({"Error": payload(error)})),
    };
    if let Some(kind) = callback {
        add(CALLBACK, kind, end.at, details.clone());
    }
    add(EXECUTION, execution, end.at, details);
    events
}
