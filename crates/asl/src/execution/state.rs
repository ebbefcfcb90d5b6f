//! Where a line of execution stands.

use jiff::Timestamp;
use serde_json::Value;

use crate::definition::MachineId;
use crate::interface::{StartTask, TaskId};
use crate::journal::{BranchId, Entry, Failure, StateType};
use crate::map_run::MapRun;
use crate::resource::Resource;
use crate::variables::Variables;

pub(super) use super::iterations::Mapping;
pub(super) use super::map_runs::Gathered;

/// A line of execution.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    /// The line whose Parallel or Map state this one belongs to.
    pub(super) parent: Option<BranchId>,
    /// Of a Map: which item this line is for, from 0.
    pub(super) iteration: Option<u64>,
    pub(super) machine: MachineId,
    pub(super) at: At,
    /// The id of its latest event.
    pub(super) prev: u64,
    pub(super) variables: Variables,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum At {
    /// On the way into a state.
    Arriving { state: String, input: Value },
    /// In a state.
    In(Box<Visit>),
    /// At its end.
    Done { output: Value },
    /// A failure that nothing on this line caught, and the type of the state it happened in.
    Failed { kind: StateType },
    /// Given up.
    Aborted,
}

/// A stay in a state, retries included.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Visit {
    pub(super) state: String,
    pub(super) kind: StateType,
    pub(super) entered_id: u64,
    /// The event before that.
    pub(super) before: u64,
    /// A catcher of it failed: nothing catches what happened.
    pub(super) given_up: bool,
    pub(super) entered: Timestamp,
    pub(super) input: Value,
    /// As they were when the state was entered: what it assigns is seen by the states after it.
    pub(super) variables: Variables,
    /// How often each Retry rule was used.
    pub(super) retries: Vec<u32>,
    pub(super) phase: Phase,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    /// About to do its work, for the first time or again.
    Begin,
    Waiting {
        until: Timestamp,
    },
    BackingOff {
        until: Timestamp,
    },
    Running(OpenTask),
    Branching {
        children: Vec<BranchId>,
        failed: Option<Failed>,
    },
    /// Of an inline Map.
    Mapping(Box<Mapping>),
    /// Of a distributed Map.
    Gathered(Box<Gathered>),
    /// The work is done.
    Result(Value),
    /// The work failed; Retry and Catch are next.
    Failed(Failure),
}

/// The first failure among the branches of a Parallel or the iterations of a Map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failed {
    pub(super) failure: Failure,
    /// The latest event of the branch it happened in.
    pub(super) prev: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct OpenTask {
    pub(super) id: TaskId,
    pub(super) resource: Resource,
    pub(super) arguments: Value,
    pub(super) token: Option<String>,
    pub(super) started: bool,
    pub(super) submitted: bool,
    /// By TimeoutSeconds.
    pub(super) deadline: Option<Timestamp>,
    /// HeartbeatSeconds, and when the next one must have come.
    pub(super) heartbeat: Option<(u64, Timestamp)>,
}

impl Branch {
    pub(super) fn visit(&self) -> Option<&Visit> {
        match &self.at {
            At::In(visit) => Some(visit),
            _ => None,
        }
    }

    pub(super) fn visit_mut(&mut self) -> Result<&mut Visit, String> {
        match &mut self.at {
            At::In(visit) => Ok(visit),
            _ => Err("the branch is in no state".into()),
        }
    }
}

impl Phase {
    /// The lines below a state.
    pub(super) fn children(&self) -> Vec<BranchId> {
        match self {
            Self::Branching { children, .. } => children.clone(),
            Self::Mapping(mapping) => mapping.running().collect(),
            _ => Vec::new(),
        }
    }
}

impl Branch {
    /// What the exit from a Map is a successor of, its success being `entry`. AWS shows it as a successor of what the
    /// success is a successor of; but of a Map Run, where the Map is not the first state, of the run's beginning.
    pub(super) fn before_exit(&self, entry: &Entry) -> u64 {
        const FIRST_STATE: u64 = 2;
        match self.visit().map(|visit| (visit.entered_id, &visit.phase)) {
            Some((entered, Phase::Gathered(gathered))) if entered != FIRST_STATE => {
                gathered.over().map_or(entry.prev, |(started, _)| started)
            }
            _ => entry.prev,
        }
    }
}

impl Visit {
    /// The Map Run that goes on.
    pub(super) fn map_run(&self) -> Option<&MapRun> {
        match &self.phase {
            Phase::Gathered(gathered) => gathered.open_run(),
            _ => None,
        }
    }

    pub(super) fn mapping_mut(&mut self) -> Result<&mut Mapping, String> {
        match &mut self.phase {
            Phase::Mapping(mapping) => Ok(mapping),
            _ => Err("the state has no iterations".into()),
        }
    }

    pub(super) fn task(&self) -> Option<&OpenTask> {
        match &self.phase {
            Phase::Running(task) => Some(task),
            _ => None,
        }
    }

    /// `$$.State.RetryCount`, for the types of state that can be retried.
    pub(super) fn retry_count(&self) -> Option<u32> {
        matches!(self.kind, StateType::Task | StateType::Parallel | StateType::Map)
            .then(|| self.retries.iter().sum())
    }
}

impl OpenTask {
    /// When it times out, and whether that is for want of a heartbeat.
    pub(super) fn due(&self) -> Option<(Timestamp, bool)> {
        let deadline = self.deadline.map(|at| (at, false));
        // Nobody sends heartbeats for an activity that no worker has taken.
        let beats = self.started || !self.resource.is_activity();
        let heartbeat = self.heartbeat.filter(|_| beats).map(|(_, at)| (at, true));
        deadline.into_iter().chain(heartbeat).min()
    }

    /// Whether whoever answers its token has it.
    pub(super) fn in_other_hands(&self) -> bool {
        self.submitted || (self.started && self.resource.is_activity())
    }

    pub(super) fn command(&self) -> StartTask {
        StartTask {
            task: self.id,
            resource: self.resource.clone(),
            arguments: self.arguments.clone(),
            token: self.token.clone(),
            submitted: self.in_other_hands(),
        }
    }
}
