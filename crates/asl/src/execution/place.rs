//! Where an execution stands, for those who tell people about it.

use jiff::Timestamp;

use super::Execution;
use super::due::Due;
use super::state::Phase;
use crate::interface::{Happened, TaskId};
use crate::journal::BranchId;

/// What falls due at an execution's timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The machine's TimeoutSeconds.
    Execution,
    /// The end of a Wait.
    Wait,
    /// Another try, by a Retry rule.
    Retry,
    /// A task's TimeoutSeconds.
    Timeout,
    /// A task's HeartbeatSeconds.
    Heartbeat,
}

impl Execution {
    /// What falls due next by itself, when, and in which state; the machine's own TimeoutSeconds are in none.
    pub fn next_due_of(&self) -> Option<(Timestamp, Timer, Option<&str>)> {
        let (at, due) = self.next_due()?;
        let Due::Branch(line) = due else {
            return Some((at, Timer::Execution, None));
        };
        let visit = self.branches.get(&line)?.visit()?;
        let timer = match &visit.phase {
            Phase::Waiting { .. } => Timer::Wait,
            Phase::BackingOff { .. } => Timer::Retry,
            Phase::Running(task) if task.due().is_some_and(|(_, heartbeat)| heartbeat) => Timer::Heartbeat,
            _ => Timer::Timeout,
        };
        Some((at, timer, Some(&visit.state)))
    }

    /// The name of the state that a line of execution is in; `None` between two states, and once the line is over.
    pub fn state_on(&self, line: BranchId) -> Option<&str> {
        let visit = self.branches.get(&line)?.visit()?;
        Some(&visit.state)
    }

    /// The name of the state that an open task runs for.
    pub fn state_of(&self, task: TaskId) -> Option<&str> {
        self.state_on(*self.tasks.get(&task)?)
    }

    /// The line of execution that something which is about to happen is for. `None` where it is for the execution as a
    /// whole, or for something that is over.
    pub fn line_of(&self, happened: &Happened) -> Option<BranchId> {
        match happened {
            Happened::TaskStarted { task }
            | Happened::ActivityTaken { task, .. }
            | Happened::TaskSubmitted { task, .. }
            | Happened::TaskSucceeded { task, .. }
            | Happened::TaskFailed { task, .. }
            | Happened::TaskTimedOut { task, .. } => self.tasks.get(task).copied(),
            Happened::MapRunSucceeded { arn, .. } | Happened::MapRunFailed { arn, .. } => {
                self.map_runs.get(arn).copied()
            }
            Happened::TokenSucceeded { token, .. }
            | Happened::TokenFailed { token, .. }
            | Happened::TokenHeartbeat { token } => self.tasks.get(self.tokens.get(token)?).copied(),
            Happened::TimerFired => match self.next_due()? {
                (_, Due::Branch(line)) => Some(line),
                (_, Due::Machine) => None,
            },
            Happened::Stopped { .. } => None,
        }
    }
}
