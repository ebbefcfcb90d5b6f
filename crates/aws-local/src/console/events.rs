//! The list of events, as GetExecutionHistory has them.

use asl::{Entry, history_event};
use serde_json::Value;

use super::values::visible;
use super::visits::Visits;
use super::words::span;

/// How many stand on one page.
pub(super) const PAGE: usize = 5_000;

pub(super) struct EventRow {
    pub(super) id: u64,
    /// Since the execution began.
    pub(super) after: String,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) detail: String,
}

/// At most [`PAGE`] events from the one with the id `first`; and the id of the one that follows them.
pub(super) fn rows(entries: &[Entry], visits: &Visits<'_>, first: u64) -> (Vec<EventRow>, Option<u64>) {
    let Some(began) = entries.first().map(|entry| entry.at) else {
        return (Vec::new(), None);
    };
    let mut shown = entries
        .iter()
        .zip(&visits.by_entry)
        .filter(|(entry, _)| entry.id >= first && entry.id != 0);
    let rows = shown.by_ref().take(PAGE).filter_map(|(entry, visit)| {
        let event = history_event(entry, false)?;
        let visit = visit.and_then(|number| visits.all.get(number));
        Some(EventRow {
            id: entry.id,
            after: span(began, entry.at),
            kind: event["type"].as_str().unwrap_or_default().to_owned(),
            state: visit.map(|visit| visible(visit.name)).unwrap_or_default(),
            detail: detail(&event),
        })
    });
    let rows = rows.collect();
    (rows, shown.next().map(|(entry, _)| entry.id))
}

/// What is particular about an event, in a few words.
fn detail(event: &Value) -> String {
    let details = event.as_object().into_iter().flatten();
    let Some(details) = details.into_iter().find_map(|(_, value)| value.as_object()) else {
        return String::new();
    };
    let text = |name: &str| details.get(name).and_then(Value::as_str);
    let mut parts = Vec::new();
    match (text("resourceType"), text("resource")) {
        (Some(kind), Some(resource)) => parts.push(format!("{kind}:{resource}")),
        (None, Some(resource)) => parts.push(resource.to_owned()),
        _ => {}
    }
    if let Some(index) = details.get("index").and_then(Value::as_u64) {
        parts.push(format!("item {index}"));
    }
    if let Some(length) = details.get("length").and_then(Value::as_u64) {
        parts.push(format!("{length} items"));
    }
    parts.extend(
        ["error", "workerName", "mapRunArn"]
            .into_iter()
            .filter_map(text)
            .map(visible),
    );
    parts.join(", ")
}
