//! What comes next on a line that can go on by itself: always exactly one entry.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::Execution;
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
            }) => match children.iter().find_map(|child| self.to_abort(*child)) {
                Some((child, kind)) => (child, Event::StateAborted { kind }),
                None => (id, Event::ParallelFailed),
            },
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
            Phase::Begin => self.begin(visit, state, now, random),
            Phase::Result(result) => self.exit(visit, state, result.clone(), random),
            Phase::Failed(failure) => super::failing::failed(branch, visit, state, failure, now, random),
            Phase::Branching { .. } => Event::ParallelSucceeded,
            Phase::Waiting { .. } | Phase::BackingOff { .. } | Phase::Running(_) => {
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
            input: &self.input,
            state: &visit.state,
            entered: visit.entered,
            retries: visit.retry_count(),
            token,
            built: OnceCell::new(),
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
            (Event::ParallelSucceeded, Some(Phase::Branching { children, .. })) => {
                children.iter().map(latest).max().unwrap_or(0)
            }
            (
                Event::ParallelFailed,
                Some(Phase::Branching {
                    failed: Some(failed), ..
                }),
            ) => failed.prev,
            _ => latest(&id),
        }
    }

    /// Where the next event of giving up a Parallel's branches goes: the innermost first, and each branch's state
    /// only if the history shows that.
    pub(super) fn to_abort(&self, id: BranchId) -> Option<(BranchId, StateType)> {
        match &self.branches.get(&id)?.at {
            At::In(visit) => {
                let below = match &visit.phase {
                    Phase::Branching { children, .. } => {
                        children.iter().find_map(|child| self.to_abort(*child))
                    }
                    _ => None,
                };
                below.or_else(|| visit.kind.shows_abortion().then_some((id, visit.kind)))
            }
            At::Failed { kind } => kind.shows_abortion().then_some((id, *kind)),
            At::Arriving { .. } | At::Done { .. } | At::Aborted => None,
        }
    }
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
