//! What becomes of a failure: a retry, a catch, or the end of the line.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Execution;
use super::flow::leave;
use super::jsonata::Moment;
use super::state::{Branch, Visit};
use crate::definition::State;
use crate::expression::Scope;
use crate::journal::{Event, Failure, StateType};
use crate::limits;
use crate::random::Randomness;
use crate::retry::{self, Catcher};

impl Execution {
    /// The entry that follows a failure.
    pub(super) fn failed(
        &self,
        branch: &Branch,
        visit: &Visit,
        state: &State,
        failure: &Failure,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> Event {
        let from_branch = matches!(visit.kind, StateType::Parallel | StateType::Map);
        let Some(handlers) = state.handlers().filter(|_| !visit.given_up) else {
            return uncaught(branch, failure.clone());
        };
        if let Some((rule, retrier)) = retry::retrier(&handlers.retry, &visit.retries, failure, from_branch) {
            let used = visit.retries.get(rule).copied().unwrap_or(0);
            let until = now
                .checked_add(retrier.wait(used, random))
                .unwrap_or(Timestamp::MAX);
            return Event::RetryScheduled { rule, until };
        }
        let Some((n, catcher)) = handlers
            .catch
            .iter()
            .enumerate()
            .find(|(_, rule)| retry::names(&rule.errors, failure, from_branch))
        else {
            return uncaught(branch, failure.clone());
        };
        // AWS gives null for what SendTaskFailure left out.
        let error = json!({ "Error": failure.error, "Cause": failure.cause });
        if let Some(jsonata) = &catcher.jsonata {
            let moment = &mut Moment { now, random };
            let caught = self.catch_jsonata(visit, n, jsonata, &error, &catcher.next, moment);
            return caught.unwrap_or_else(|failed| match visit.blame_evaluation(failed) {
                Event::StateFailed { failure } => uncaught(branch, failure),
                event => event,
            });
        }
        match self.caught(catcher, visit, error, random) {
            Ok((output, assigned)) => leave(visit, output, assigned, Some(catcher.next.clone())),
            // What goes wrong in a Catch is not caught again.
            Err(failure) => uncaught(branch, failure),
        }
    }

    /// The output of a state whose failure was caught, and the variables it assigns.
    fn caught(
        &self,
        catcher: &Catcher,
        visit: &Visit,
        error: Value,
        random: &mut dyn Randomness,
    ) -> Result<(Value, Map<String, Value>), Failure> {
        let assigned = match &catcher.assign {
            None => Map::new(),
            Some(template) => {
                let context = self.context(visit, None);
                let mut scope = Scope {
                    input: &error,
                    context: &context,
                    random,
                    spent: 0,
                };
                let assigned = template.fill(&mut scope)?;
                self.assign(visit, assigned)?
            }
        };
        let output = match &catcher.result_path {
            None => visit.input.clone(),
            Some(path) => path
                .write(visit.input.clone(), error)
                .map_err(|why| super::flow::mismatch(&why, &visit.input))?,
        };
        Ok((limits::pass(output, &visit.state)?, assigned))
    }
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
