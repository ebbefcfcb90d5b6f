//! What an execution has been through, state by state, read off its journal. The graph is coloured by it, and the
//! steps are its list.

use std::collections::HashMap;

use asl::{BranchId, Entry, Event, Failure, Resource, StateType};
use jiff::Timestamp;
use serde_json::Value;

/// One visit to a state.
#[derive(Clone, Debug)]
pub(super) struct Visit<'a> {
    /// The id of the event that says it was entered.
    pub(super) entered: u64,
    /// The id of the one that says it was left.
    pub(super) exited: Option<u64>,
    pub(super) name: &'a str,
    pub(super) kind: StateType,
    /// The iteration it belongs to: the Map's name and the item, from 0; the innermost.
    pub(super) iteration: Option<(&'a str, u64)>,
    pub(super) input: &'a Value,
    pub(super) output: Option<&'a Value>,
    /// Where it led.
    pub(super) next: Option<&'a str>,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) retries: usize,
    pub(super) standing: Standing,
    /// What went wrong the last time, also where it was retried or caught.
    pub(super) failure: Option<&'a Failure>,
    pub(super) resource: Option<&'a Resource>,
    /// What the task answered, and the event that says so.
    pub(super) result: Option<(u64, &'a Value)>,
    /// Of a Map: how many items have succeeded, and how many there are.
    pub(super) items: Option<(usize, usize)>,
    /// It failed, and it isn't yet known what follows.
    failing: bool,
    /// Where in the journal it was over.
    over_at: usize,
}

/// How a visit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Running,
    /// Until the token is answered.
    ForAnswer,
    /// Until a worker takes the activity's task.
    ForWorker,
    /// Until this time.
    Until(Timestamp),
    /// It failed and is tried again at this time.
    ForRetry(Timestamp),
    Succeeded,
    /// It failed, and a Catch took that on.
    Caught,
    Failed,
    /// Given up, because another failed or the execution was stopped.
    Stopped,
}

impl Standing {
    /// Whether the visit goes on.
    pub(super) fn is_open(self) -> bool {
        !matches!(
            self,
            Standing::Succeeded | Standing::Caught | Standing::Failed | Standing::Stopped
        )
    }
}

/// All visits in order, and for each entry of the journal the visit that it belongs to.
pub(super) struct Visits<'a> {
    pub(super) all: Vec<Visit<'a>>,
    pub(super) by_entry: Vec<Option<usize>>,
}

/// Where the lines of execution are.
#[derive(Default)]
struct Lines<'a> {
    /// The visit that a line is in, or was in last.
    current: HashMap<BranchId, usize>,
    /// The visit that a line began in, and the iteration that it is.
    began: HashMap<BranchId, Began<'a>>,
    /// By the event that begins lines: a Parallel's start, an iteration's.
    beginnings: HashMap<u64, Began<'a>>,
}

#[derive(Clone, Copy)]
struct Began<'a> {
    visit: usize,
    iteration: Option<(&'a str, u64)>,
}

/// Reads the visits off a journal.
pub(super) fn visits(journal: &[Entry]) -> Visits<'_> {
    let mut visits = Visits {
        all: Vec::new(),
        by_entry: Vec::with_capacity(journal.len()),
    };
    let mut lines = Lines::default();
    for (place, entry) in journal.iter().enumerate() {
        let visit = take(&mut visits.all, &mut lines, place, entry);
        visits.by_entry.push(visit);
    }
    visits
}

/// Takes in one entry; the visit that it belongs to.
fn take<'a>(
    all: &mut Vec<Visit<'a>>,
    lines: &mut Lines<'a>,
    place: usize,
    entry: &'a Entry,
) -> Option<usize> {
    match &entry.event {
        Event::StateEntered { kind, name, input } => {
            if let Some(began) = lines.beginnings.get(&entry.prev)
                && entry.branch != BranchId::ROOT
            {
                lines.began.entry(entry.branch).or_insert(*began);
            }
            let began = lines.began.get(&entry.branch);
            all.push(Visit {
                entered: entry.id,
                exited: None,
                name,
                kind: *kind,
                iteration: began.and_then(|began| began.iteration),
                input,
                output: None,
                next: None,
                started: entry.at,
                ended: None,
                retries: 0,
                standing: Standing::Running,
                failure: None,
                resource: None,
                result: None,
                items: None,
                failing: false,
                over_at: usize::MAX,
            });
            lines.current.insert(entry.branch, all.len() - 1);
            return Some(all.len() - 1);
        }
        Event::ExecutionFailed { .. } | Event::ExecutionTimedOut | Event::ExecutionAborted { .. } => {
            for visit in all.iter_mut().filter(|visit| visit.standing.is_open()) {
                end(visit, place, entry.at);
            }
            return None;
        }
        Event::ExecutionRedriven { kept, .. } => {
            for visit in all
                .iter_mut()
                .filter(|visit| (*kept..usize::MAX).contains(&visit.over_at))
            {
                visit.standing = Standing::Running;
                (visit.ended, visit.failing, visit.over_at) = (None, false, usize::MAX);
            }
            return None;
        }
        Event::ExecutionStarted { .. } | Event::ExecutionSucceeded { .. } => return None,
        _ => {}
    }
    let number = *lines.current.get(&entry.branch)?;
    let above = lines.began.get(&entry.branch).copied();
    let begins = |iteration| Began {
        visit: number,
        iteration,
    };
    match &entry.event {
        Event::ParallelStarted { .. } => {
            let iteration = above.and_then(|above| above.iteration);
            lines.beginnings.insert(entry.id, begins(iteration));
        }
        Event::MapIterationStarted { name, index, .. } => {
            lines
                .beginnings
                .insert(entry.id, begins(Some((name.as_str(), *index))));
        }
        Event::MapIterationSucceeded { .. } => {
            if let Some((done, _)) = above.and_then(|above| all[above.visit].items.as_mut()) {
                *done += 1;
            }
        }
        Event::BranchFailed { failure } => {
            if let Some(above) = above {
                all[above.visit].failure.get_or_insert(failure);
            }
            end(&mut all[number], place, entry.at);
        }
        _ => happen(&mut all[number], place, entry),
    }
    Some(number)
}

/// Takes in what concerns one visit alone.
fn happen<'a>(visit: &mut Visit<'a>, place: usize, entry: &'a Entry) {
    match &entry.event {
        Event::StateExited { output, next, .. } => {
            visit.exited = Some(entry.id);
            visit.output = Some(output);
            visit.next = next.as_deref();
            over(
                visit,
                if visit.failing {
                    Standing::Caught
                } else {
                    Standing::Succeeded
                },
                place,
                entry.at,
            );
        }
        Event::StateAborted { .. } | Event::MapIterationAborted { .. } | Event::MapIterationFailed { .. } => {
            end(visit, place, entry.at);
        }
        Event::TaskScheduled { resource, .. } => {
            visit.resource = Some(resource);
            visit.standing = if resource.is_activity() {
                Standing::ForWorker
            } else {
                Standing::Running
            };
        }
        Event::TaskStarted { .. } | Event::RetryBegun => {
            visit.standing = Standing::Running;
            visit.failing = false;
        }
        Event::TaskSubmitted { resource, .. } if resource.waits_for_token() => {
            visit.standing = Standing::ForAnswer;
        }
        Event::TaskSucceeded { output, .. } | Event::MapRunSucceeded { output, .. } => {
            visit.result = Some((entry.id, output));
        }
        Event::TaskFailed { failure, .. }
        | Event::TaskTimedOut { failure, .. }
        | Event::StateFailed { failure }
        | Event::EvaluationFailed { failure, .. }
        | Event::MapItemFailed { failure }
        | Event::MapRunFailed { failure, .. } => {
            visit.failure = Some(failure);
            visit.failing = true;
        }
        Event::ParallelFailed | Event::MapFailed => visit.failing = true,
        Event::RetryScheduled { until, .. } => {
            visit.retries += 1;
            visit.standing = Standing::ForRetry(*until);
        }
        Event::WaitBegun { until } => visit.standing = Standing::Until(*until),
        Event::MapStarted {
            items,
            distributed: false,
            ..
        } => visit.items = Some((0, items.len())),
        _ => {}
    }
}

/// Ends a visit whose state did not come to its end.
fn end(visit: &mut Visit<'_>, place: usize, at: Timestamp) {
    if visit.standing.is_open() {
        over(
            visit,
            if visit.failing {
                Standing::Failed
            } else {
                Standing::Stopped
            },
            place,
            at,
        );
    }
}

fn over(visit: &mut Visit<'_>, standing: Standing, place: usize, at: Timestamp) {
    visit.standing = standing;
    (visit.ended, visit.over_at) = (Some(at), place);
}

/// All visits to one state in one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    pub(super) visits: usize,
    pub(super) retries: usize,
    /// As the last one stands, or the last of those that go on.
    pub(super) standing: Standing,
    /// Of those that are over.
    pub(super) succeeded: usize,
    /// The event that begins the visit whose standing it is.
    pub(super) entered: u64,
    pub(super) items: Option<(usize, usize)>,
}

/// The visits to each state, by its name.
pub(super) fn tallies<'a>(visits: &[Visit<'a>]) -> HashMap<&'a str, Tally> {
    let mut tallies: HashMap<&str, Tally> = HashMap::new();
    for visit in visits {
        let tally = tallies.entry(visit.name).or_insert(Tally {
            visits: 0,
            retries: 0,
            standing: visit.standing,
            succeeded: 0,
            entered: visit.entered,
            items: None,
        });
        tally.visits += 1;
        tally.retries += visit.retries;
        tally.succeeded += usize::from(visit.standing == Standing::Succeeded);
        if let Some((done, all)) = visit.items {
            let (before, of) = tally.items.unwrap_or_default();
            tally.items = Some((before + done, of + all));
        }
        if visit.standing.is_open() || !tally.standing.is_open() {
            (tally.standing, tally.entered) = (visit.standing, visit.entered);
        }
    }
    tallies
}
