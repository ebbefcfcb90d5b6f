//! Tells those who listen what an execution has been through, entry by entry, once it is durable.

use std::collections::HashMap;
use std::sync::Arc;

use asl::{BranchId, Entry, Event, Execution, Failure, Happened};

use super::engine::Engine;
use crate::happening::{ExecutionEvent, ExecutionName, Happening};

/// The line of execution that something is about to happen on, and its state's name: afterwards a line that failed
/// is gone.
pub(super) type Where = (BranchId, String);

impl Engine {
    /// Where `happened` is about to happen. Nowhere, where nobody listens.
    pub(super) fn about_to(&self, execution: &Execution, happened: &Happened) -> Option<Where> {
        if !self.services.listeners.any() {
            return None;
        }
        let line = execution.line_of(happened)?;
        Some((line, execution.state_on(line)?.to_owned()))
    }

    /// Tells of entries that are durable, `execution` being as it is after them.
    pub(super) fn announce(&self, execution: &Execution, before: Option<&Where>, entries: &[Entry]) {
        let listeners = &self.services.listeners;
        if entries.is_empty() || !listeners.any() {
            return;
        }
        let identity = execution.identity();
        let name = Arc::new(ExecutionName {
            arn: identity.execution_arn.clone(),
            name: identity.execution_name.clone(),
            machine: identity.state_machine_name.clone(),
            started: execution.started_at(),
        });
        for (entry, state) in entries.iter().zip(states(execution, before, entries)) {
            let mut told = told(entry, &name);
            told.state = state;
            listeners.tell(Happening::Event(told));
        }
    }
}

/// The state that each entry happened in.
fn states(execution: &Execution, before: Option<&Where>, entries: &[Entry]) -> Vec<Option<String>> {
    // Between two states a line is in none.
    let mut lines: HashMap<BranchId, Option<&str>> = HashMap::new();
    lines.extend(before.map(|(line, state)| (*line, Some(state.as_str()))));
    let mut found = Vec::with_capacity(entries.len());
    for (n, entry) in entries.iter().enumerate() {
        let line = entry.branch;
        let state = named(&entry.event).or_else(|| {
            if of_the_whole(&entry.event) {
                return None;
            }
            *lines.entry(line).or_insert_with(|| {
                let later = entries[n..].iter().filter(|later| later.branch == line);
                let left = later.map(|later| &later.event).find_map(named);
                left.or_else(|| execution.state_on(line))
            })
        });
        match &entry.event {
            Event::StateEntered { name, .. } => drop(lines.insert(line, Some(name))),
            Event::StateExited { .. } => drop(lines.insert(line, None)),
            _ => {}
        }
        found.push(state.map(str::to_owned));
    }
    found
}

/// The state that an event itself names.
fn named(event: &Event) -> Option<&str> {
    match event {
        Event::StateEntered { name, .. }
        | Event::StateExited { name, .. }
        | Event::MapIterationStarted { name, .. }
        | Event::MapIterationSucceeded { name, .. }
        | Event::MapIterationFailed { name, .. }
        | Event::MapIterationAborted { name, .. }
        | Event::EvaluationFailed { state: name, .. } => Some(name),
        _ => None,
    }
}

/// Whether an event is the execution's as a whole.
fn of_the_whole(event: &Event) -> bool {
    event.ends()
        || matches!(
            event,
            Event::ExecutionStarted { .. } | Event::ExecutionRedriven { .. }
        )
}

fn told(entry: &Entry, execution: &Arc<ExecutionName>) -> ExecutionEvent {
    let mut told = ExecutionEvent {
        execution: Arc::clone(execution),
        at: entry.at,
        id: entry.id,
        kind: asl::event_type(&entry.event),
        state: None,
        resource: None,
        error: None,
        cause: None,
        until: None,
    };
    match &entry.event {
        Event::TaskScheduled { resource, .. }
        | Event::TaskStarted { resource, .. }
        | Event::TaskSubmitted { resource, .. }
        | Event::TaskSucceeded { resource, .. }
        | Event::TaskFailed { resource, .. }
        | Event::TaskTimedOut { resource, .. } => told.resource = Some(resource.to_string()),
        Event::WaitBegun { until } | Event::RetryScheduled { until, .. } => told.until = Some(*until),
        _ => {}
    }
    match &entry.event {
        Event::ExecutionFailed { error, cause } | Event::ExecutionAborted { error, cause } => {
            (told.error, told.cause) = (error.clone(), cause.clone());
        }
        Event::EvaluationFailed { failure, .. }
        | Event::StateFailed { failure }
        | Event::BranchFailed { failure }
        | Event::MapItemFailed { failure }
        | Event::MapRunFailed { failure, .. }
        | Event::TaskFailed { failure, .. }
        | Event::TaskTimedOut { failure, .. } => {
            let Failure { error, cause, .. } = failure;
            (told.error, told.cause) = (error.clone(), cause.clone());
        }
        _ => {}
    }
    told
}
