//! What comes next on a line that can go on by itself: always exactly one entry.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::Execution;
use super::jsonata::Moment;
use super::state::{At, Branch, Phase, Visit};
use crate::context::Context;
use crate::definition::State;
use crate::journal::{BranchId, Event, Failure, StateType};
use crate::random::Randomness;

impl Execution {
    /// The next entry of a branch that [can go on](Self::can_go_on).
    ///
    /// It stands on that branch, or on one below that is given up.
    pub(super) fn decide(
        &self,
        id: BranchId,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> (BranchId, Event) {
        match self
            .branches
            .get(&id)
            .and_then(Branch::visit)
            .map(|visit| &visit.phase)
        {
            Some(Phase::Branching {
                failed: Some(_),
                children,
            }) => (children.iter().find_map(|child| self.to_abort(*child)))
                .unwrap_or((id, Event::ParallelFailed)),
            Some(Phase::Mapping(mapping)) => self.decide_on_map(id, mapping, now, random),
            _ => (id, self.decide_on(id, now, random)),
        }
    }

    fn decide_on(&self, id: BranchId, now: Timestamp, random: &mut dyn Randomness) -> Event {
        let Some(branch) = self.branches.get(&id) else {
            unreachable!("only branches that are there are ready")
        };
        match &branch.at {
            At::Arriving { state: name, input } => match self.state(branch, name) {
                Some(state) => Event::StateEntered {
                    kind: state.kind(),
                    name: name.clone(),
                    input: input.clone(),
                },
                // The definition was checked for this; a journal of another definition could still lead here.
                None => lost(name),
            },
            At::In(visit) => match self.state(branch, &visit.state) {
                Some(state) => self.go_on(branch, visit, state, now, random),
                None => lost(&visit.state),
            },
            At::Done { .. } if branch.iteration.is_some() => {
                self.iteration_event(branch, |name, index| Event::MapIterationSucceeded { name, index })
            }
            At::Done { output } => Event::ExecutionSucceeded {
                output: output.clone(),
            },
            At::Failed { .. } | At::Aborted => unreachable!("a branch that is over is not ready"),
        }
    }

    fn go_on(
        &self,
        branch: &Branch,
        visit: &Visit,
        state: &State,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> Event {
        match &visit.phase {
            Phase::Begin => match &state.jsonata {
                None => self.begin(visit, state, now, random),
                Some(jsonata) => self.begin_jsonata(visit, state, jsonata, &mut Moment { now, random }),
            },
            Phase::Result(result) => match &state.jsonata {
                None => self.exit(visit, state, result.clone(), random),
                Some(jsonata) => {
                    self.exit_jsonata(visit, state, jsonata, Some(result), &mut Moment { now, random })
                }
            },
            Phase::Failed(failure) => self.failed(branch, visit, state, failure, now, random),
            Phase::Branching { .. } => Event::ParallelSucceeded,
            Phase::Gathered(gathered) => self.decide_on_run(visit, state, gathered, random),
            Phase::Waiting { .. } | Phase::BackingOff { .. } | Phase::Running(_) | Phase::Mapping(_) => {
                unreachable!("a branch that waits is not ready")
            }
        }
    }

    pub(super) fn state(&self, branch: &Branch, name: &str) -> Option<&State> {
        self.definition.machine(branch.machine)?.states.get(name)
    }

    /// The context object for a state.
    pub(super) fn context<'a>(&'a self, visit: &'a Visit, token: Option<&'a str>) -> Context<'a> {
        Context {
            identity: &self.identity,
            started: self.started,
            redrives: self.redrives,
            redriven: self.redriven,
            given: self.given_context.as_deref(),
            input: &self.input,
            state: &visit.state,
            entered: visit.entered,
            retries: visit.retry_count(),
            item: None,
            token,
            variables: &visit.variables,
            built: OnceCell::new(),
            built_item: OnceCell::new(),
        }
    }

    /// `previousEventId` of an event on a branch.
    pub(super) fn previous(&self, id: BranchId, event: &Event) -> u64 {
        let latest = |id: &BranchId| self.branches.get(id).map_or(0, |branch| branch.prev);
        match (
            event,
            self.branches
                .get(&id)
                .and_then(Branch::visit)
                .map(|visit| &visit.phase),
        ) {
            (Event::ExecutionTimedOut | Event::ExecutionAborted { .. }, _) => 0,
            // AWS evaluates most states as it enters them: the failure has the same predecessor as the entering.
            (Event::EvaluationFailed { .. }, Some(Phase::Begin)) => self
                .branches
                .get(&id)
                .and_then(Branch::visit)
                .filter(|visit| visit.kind != StateType::Wait && visit.entered_id == latest(&id))
                .map_or_else(|| latest(&id), |visit| visit.before),
            (Event::ParallelSucceeded, Some(Phase::Branching { children, .. })) => {
                children.iter().map(latest).max().unwrap_or(0)
            }
            (
                Event::ParallelFailed,
                Some(Phase::Branching {
                    failed: Some(failed), ..
                }),
            ) => failed.prev,
            (event, Some(Phase::Mapping(mapping))) => mapping.previous(event).unwrap_or_else(|| latest(&id)),
            _ => latest(&id),
        }
    }

    /// The next event of giving up a line: the innermost first, and each state only if the history shows that.
    pub(super) fn to_abort(&self, id: BranchId) -> Option<(BranchId, Event)> {
        let branch = self.branches.get(&id)?;
        let within = match &branch.at {
            At::In(visit) => {
                let below = visit.phase.children();
                let below = below.into_iter().find_map(|child| self.to_abort(child));
                below.or_else(|| aborted(id, visit.kind))
            }
            At::Failed { kind } => aborted(id, *kind),
            At::Arriving { .. } | At::Done { .. } | At::Aborted => None,
        };
        within.or_else(|| {
            branch.iteration?;
            let event =
                self.iteration_event(branch, |name, index| Event::MapIterationAborted { name, index });
            Some((id, event))
        })
    }
}

fn aborted(id: BranchId, kind: StateType) -> Option<(BranchId, Event)> {
    kind.shows_abortion()
        .then_some((id, Event::StateAborted { kind }))
}

pub(super) fn lost(name: &str) -> Event {
    let cause = format!("There is no state '{name}' in the definition.");
    Event::ExecutionFailed {
        error: Some("States.Runtime".into()),
        cause: Some(cause),
    }
}

impl Visit {
    /// A failure of the interpreter's own, with AWS's words for where it happened.
    pub(super) fn blame(&self, failure: Failure) -> Event {
        let prefix = format!(
            "An error occurred while executing the state '{}' (entered at the event id #{}). ",
            self.state, self.entered_id
        );
        let cause = match failure.error.as_deref() {
            Some("States.DataLimitExceeded") => failure.cause,
            _ => Some(prefix + failure.cause.as_deref().unwrap_or_default()),
        };
        Event::StateFailed {
            failure: Failure { cause, ..failure },
        }
    }
}
