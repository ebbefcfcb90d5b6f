//! What becomes of a failure: a retry, a catch, or the end of the line.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::state::{Branch, Visit};
use crate::definition::State;
use crate::journal::{Event, Failure, StateType};
use crate::limits;
use crate::random::Randomness;
use crate::retry::{self, Catcher};

pub(super) fn failed(
    branch: &Branch,
    visit: &Visit,
    state: &State,
    failure: &Failure,
    now: Timestamp,
    random: &mut dyn Randomness,
) -> Event {
    let from_branch = matches!(visit.kind, StateType::Parallel | StateType::Map);
    let Some(handlers) = state.handlers() else {
        return uncaught(branch, failure.clone());
    };
    if let Some((rule, retrier)) = retry::retrier(&handlers.retry, &visit.retries, failure, from_branch) {
        let used = visit.retries.get(rule).copied().unwrap_or(0);
        let until = now
            .checked_add(retrier.wait(used, random))
            .unwrap_or(Timestamp::MAX);
        return Event::RetryScheduled { rule, until };
    }
    let Some(catcher) = handlers
        .catch
        .iter()
        .find(|rule| retry::names(&rule.errors, failure, from_branch))
    else {
        return uncaught(branch, failure.clone());
    };
    match caught(catcher, visit, failure) {
        Ok(output) => Event::StateExited {
            kind: visit.kind,
            name: visit.state.clone(),
            output,
            next: Some(catcher.next.clone()),
        },
        // What goes wrong in a Catch is not caught again.
        Err(failure) => uncaught(branch, failure),
    }
}

fn caught(catcher: &Catcher, visit: &Visit, failure: &Failure) -> Result<Value, Failure> {
    // AWS gives null for what SendTaskFailure left out.
    let error = json!({ "Error": failure.error, "Cause": failure.cause });
    let output = match &catcher.result_path {
        None => visit.input.clone(),
        Some(path) => path
            .write(visit.input.clone(), error)
            .map_err(|why| super::flow::mismatch(&why, &visit.input))?,
    };
    limits::pass(output, &visit.state)
}

fn uncaught(branch: &Branch, failure: Failure) -> Event {
    match branch.parent {
        Some(_) => Event::BranchFailed { failure },
        None => Event::ExecutionFailed {
            error: failure.error,
            cause: failure.cause,
        },
    }
}
