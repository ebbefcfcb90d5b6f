//! The steps: each visit to a state with what went in, what came out and what went wrong.

use std::collections::HashMap;

use jiff::Timestamp;

use super::graph::standing;
use super::values::{Room, Shown, visible};
use super::visits::{Standing, Visit};
use super::words::{moment, span};
use crate::Output;

/// How many stand on a page: the last ones.
const MOST: usize = 500;
/// With so many, those that didn't simply succeed are unfolded.
const FEW: usize = 40;

pub(super) struct Step {
    /// The event that begins it.
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) class: &'static str,
    pub(super) mark: &'static str,
    pub(super) word: &'static str,
    /// `item 3 of Save all`.
    pub(super) within: Option<String>,
    /// Since the execution began.
    pub(super) after: String,
    pub(super) took: String,
    /// When it began, in milliseconds since 1970, while it goes on.
    pub(super) since: Option<i64>,
    /// What it waits for.
    pub(super) waits: Option<String>,
    pub(super) retries: usize,
    pub(super) resource: Option<String>,
    pub(super) error: Option<String>,
    pub(super) values: Vec<(&'static str, Shown)>,
    /// What its function printed.
    pub(super) printed: Option<Shown>,
    pub(super) open: bool,
}

/// The steps to be shown, and how many earlier ones are not.
pub(super) fn steps(
    visits: &[Visit<'_>],
    outputs: &[Output],
    address: &str,
    began: Timestamp,
    now: Timestamp,
    room: &mut Room,
) -> (Vec<Step>, usize) {
    let hidden = visits.len().saturating_sub(MOST);
    let few = visits.len() <= FEW;
    let mut steps: Vec<Step> = Vec::with_capacity(visits.len().min(MOST));
    let printed = printed(visits, outputs);
    for (number, visit) in visits.iter().enumerate().skip(hidden) {
        let mut step = step(visit, address, began, now, room);
        step.printed = printed.get(&number).map(|text| room.show_plain(text));
        step.open = few && visit.standing != Standing::Succeeded;
        steps.push(step);
    }
    (steps, hidden)
}

fn step(visit: &Visit<'_>, address: &str, began: Timestamp, now: Timestamp, room: &mut Room) -> Step {
    let (class, mark, word) = standing(visit.standing);
    let whole = |event: u64| format!("{address}/events/{event}.json");
    let mut values = vec![("Input", room.show(visit.input, whole(visit.entered)))];
    let failure = visit.failure;
    if let Some(cause) = failure.and_then(|failure| failure.cause.as_deref()) {
        // It stands in an event of its own, which the list of events leads to.
        values.push(("Cause", room.show_text(cause, "#events".to_owned())));
    }
    if let Some((event, result)) = visit.result.filter(|(_, result)| visit.output != Some(*result)) {
        values.push(("Result of the task", room.show(result, whole(event))));
    }
    if let (Some(output), Some(event)) = (visit.output, visit.exited) {
        values.push(("Output", room.show(output, whole(event))));
    }
    Step {
        id: visit.entered,
        name: visible(visit.name),
        kind: visit.kind.name(),
        class,
        mark,
        word,
        within: visit
            .iteration
            .map(|(map, index)| format!("item {index} of {}", visible(map))),
        after: span(began, visit.started),
        took: span(visit.started, visit.ended.unwrap_or(now)),
        since: visit.standing.is_open().then(|| visit.started.as_millisecond()),
        waits: waits(visit.standing),
        retries: visit.retries,
        resource: visit.resource.map(|resource| visible(&resource.to_string())),
        error: failure.and_then(|failure| failure.error.as_deref()).map(visible),
        values,
        printed: None,
        open: false,
    }
}

/// What functions printed, by the number of the visit that called them: the last one to its state that had begun by
/// then.
fn printed(visits: &[Visit<'_>], outputs: &[Output]) -> HashMap<usize, String> {
    let mut printed: HashMap<usize, String> = HashMap::new();
    for output in outputs {
        let called = |visit: &&Visit<'_>| Some(visit.name) == output.state.as_deref();
        let begun = |visit: &Visit<'_>| called(&visit) && visit.started <= output.at;
        let number = visits
            .iter()
            .rposition(begun)
            .or_else(|| visits.iter().position(|visit| called(&visit)));
        if let Some(number) = number {
            let text = printed.entry(number).or_default();
            text.push_str(&output.text);
            if output.cut {
                text.push_str("\n[it printed more than is kept]\n");
            }
        }
    }
    printed
}

fn waits(standing: Standing) -> Option<String> {
    match standing {
        Standing::ForAnswer => Some("Waits for an answer to its task token.".to_owned()),
        Standing::ForWorker => Some("Waits for a worker to take the activity's task.".to_owned()),
        Standing::Until(time) => Some(format!("Waits until {}.", moment(&time))),
        Standing::ForRetry(time) => Some(format!("It failed, and is tried again at {}.", moment(&time))),
        _ => None,
    }
}
