//! Timers: what is due next, and what becomes of it.

use jiff::Timestamp;

use super::Execution;
use super::jsonata::Moment;
use super::state::Phase;
use crate::interface::TaskId;
use crate::journal::{BranchId, Event, Failure};
use crate::random::Randomness;
use crate::resource::Resource;

/// Something that happens by itself at its time. Ties go in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The machine's TimeoutSeconds.
    Machine,
    /// A branch's Wait, back-off or task.
    Branch(BranchId),
}

impl Execution {
    /// The next thing that is due, and when.
    pub(super) fn next_due(&self) -> Option<(Timestamp, Due)> {
        let branch = self.waiting.first().map(|(at, id)| (at, Due::Branch(id)));
        let machine = self.deadline.map(|at| (at, Due::Machine));
        machine.into_iter().chain(branch).min()
    }

    /// When a branch's state is due, if it waits for a time.
    pub(super) fn due_at(&self, id: BranchId) -> Option<Timestamp> {
        match &self.branches.get(&id)?.visit()?.phase {
            Phase::Waiting { until } | Phase::BackingOff { until } => Some(*until),
            Phase::Running(task) => task.due().map(|(at, _)| at),
            _ => None,
        }
    }

    /// The entry for something that is due.
    pub(super) fn fire(&self, due: &Due, now: Timestamp, random: &mut dyn Randomness) -> (BranchId, Event) {
        let Due::Branch(id) = due else {
            return (BranchId::ROOT, Event::ExecutionTimedOut);
        };
        let (id, branch) = (*id, self.branches.get(id));
        let Some((visit, branch)) = branch.and_then(|branch| Some((branch.visit()?, branch))) else {
            unreachable!("only a state that runs is due");
        };
        let event = match &visit.phase {
            Phase::BackingOff { .. } => Event::RetryBegun,
            Phase::Running(task) => {
                let heartbeat = task.due().is_some_and(|(_, heartbeat)| heartbeat);
                timed_out(task.id, task.resource.clone(), None, heartbeat)
            }
            _ => match self.state(branch, &visit.state) {
                Some(state) => match &state.jsonata {
                    None => self.exit(visit, state, visit.input.clone(), random),
                    Some(jsonata) => {
                        self.exit_jsonata(visit, state, jsonata, None, &mut Moment { now, random })
                    }
                },
                None => super::decide::lost(&visit.state),
            },
        };
        (id, event)
    }
}

/// AWS shows a heartbeat that stayed away as `States.Timeout`; the specification's name catches it too.
pub(super) fn timed_out(task: TaskId, resource: Resource, cause: Option<String>, heartbeat: bool) -> Event {
    let also = heartbeat.then(|| "States.HeartbeatTimeout".into());
    Event::TaskTimedOut {
        task,
        resource,
        failure: Failure {
            error: Some("States.Timeout".into()),
            cause,
            also,
        },
    }
}
