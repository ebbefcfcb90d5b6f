//! The journal: everything an execution has been through, in order. It is the execution's only state.
//!
//! An entry is written once and read for ever, so the names here are kept: a new kind of event, or a new field with a
//! default, may be added; none is renamed. Entries hold what was drawn at random and when things are due, so that
//! replaying needs neither a clock nor randomness. Most of them show up in the history as one event each, the others
//! have id 0.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::interface::{Identity, TaskId};
use crate::limits;
use crate::map_run::MapRun;
use crate::resource::Resource;

/// A line of execution: the machine itself (0), a branch of a Parallel state, or an iteration of a Map state, numbered
/// in order of start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct BranchId(pub u32);

impl BranchId {
    /// The machine's own line.
    pub const ROOT: Self = Self(0);

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
    fn is_root(&self) -> bool {
        *self == Self::ROOT
    }
}

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, to the millisecond, as AWS keeps it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// The event's id in the history, from 1; 0 where the history does not show it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub id: u64,
    /// `previousEventId`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prev: u64,
    /// Where in the execution.
    #[serde(default, skip_serializing_if = "BranchId::is_root")]
    pub branch: BranchId,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The eight types of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of the language")]
pub enum StateType {
    Task,
    Parallel,
    Map,
    Pass,
    Wait,
    Choice,
    Succeed,
    Fail,
}

impl StateType {
    /// As written in a definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "Task",
            Self::Parallel => "Parallel",
            Self::Map => "Map",
            Self::Pass => "Pass",
            Self::Wait => "Wait",
            Self::Choice => "Choice",
            Self::Succeed => "Succeed",
            Self::Fail => "Fail",
        }
    }

    /// Whether the history says so when a state of this type is given up because a sibling failed.
    pub(crate) fn shows_abortion(self) -> bool {
        matches!(self, Self::Task | Self::Parallel | Self::Map | Self::Wait)
    }
}

/// What happened. Where no other place is named, it shows in the history under the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Event {
    /// The execution began. Always the first entry.
    ExecutionStarted {
        /// Whose execution it is.
        #[serde(flatten)]
        identity: Identity,
        /// The input as given: JSON text, its spaces kept.
        input: String,
    },
    /// The last state is over.
    ExecutionSucceeded {
        /// Its output.
        output: Value,
    },
    /// A failure that nothing caught.
    #[expect(missing_docs, reason = "error and cause")]
    ExecutionFailed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// The machine's TimeoutSeconds have passed.
    ExecutionTimedOut,
    /// StopExecution.
    #[expect(missing_docs, reason = "error and cause")]
    ExecutionAborted {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },

    /// RedriveExecution: the execution had ended and goes on.
    ExecutionRedriven {
        /// The how manieth redrive it is, from 1.
        count: u32,
        /// How many entries from the first still count; those after them are taken back.
        kept: usize,
    },

    /// `…StateEntered`, by the state's type.
    StateEntered {
        /// The state's type.
        kind: StateType,
        /// The state's name.
        name: String,
        /// Its raw input.
        input: Value,
    },
    /// `…StateExited`.
    StateExited {
        /// The state's type.
        kind: StateType,
        /// The state's name.
        name: String,
        /// What goes on to the next state.
        output: Value,
        /// The variables it assigned.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        assigned: Map<String, Value>,
        /// The next state; `None` where this line ends here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// `…StateAborted`: given up because a sibling failed. Not shown for the types that have no such event.
    StateAborted {
        /// The state's type.
        kind: StateType,
    },
    /// An expression of the state's failed, and so did the state. What follows is as after [`Event::StateFailed`].
    EvaluationFailed {
        /// The state's name.
        state: String,
        /// The field that the expression stands in, such as `Output/total`; left out where it is none in particular.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<String>,
        /// The failure: `States.QueryEvaluationError`.
        #[serde(flatten)]
        failure: Failure,
    },
    /// Not shown: the state failed. What follows is a retry, a catch, or the failure of the line it stands on.
    StateFailed {
        /// The failure.
        #[serde(flatten)]
        failure: Failure,
    },
    /// Not shown: nothing on this line caught the failure.
    BranchFailed {
        /// The failure.
        #[serde(flatten)]
        failure: Failure,
    },

    /// Not shown: a Wait state sleeps.
    WaitBegun {
        /// Until when.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        until: Timestamp,
    },
    /// Not shown: a Retry rule took the failure on.
    RetryScheduled {
        /// Which rule of the state's `Retry`, from 0.
        rule: usize,
        /// When the state runs again; interval, back-off and jitter worked out.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        until: Timestamp,
    },
    /// Not shown: that time has come.
    RetryBegun,

    /// `TaskScheduled`, `LambdaFunctionScheduled` or `ActivityScheduled`. The entry's id is the task's.
    TaskScheduled {
        /// What to run.
        resource: Resource,
        /// The region shown in the history.
        region: String,
        /// The parameters, or the function's event.
        arguments: Value,
        /// TimeoutSeconds, where the state gives them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<u64>,
        /// HeartbeatSeconds, where the state gives them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat: Option<u64>,
        /// The token, where the task waits for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// `TaskStarted`, `LambdaFunctionStarted` or `ActivityStarted`.
    TaskStarted {
        /// The task.
        task: TaskId,
        /// What it runs.
        resource: Resource,
        /// The worker that took it, where an activity's worker said its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<String>,
    },
    /// The task is in the hands of whoever has the token.
    TaskSubmitted {
        /// The task.
        task: TaskId,
        /// What it runs.
        resource: Resource,
        /// The response to handing it over.
        output: Value,
    },
    /// Not shown: a heartbeat came in. Only the latest of a task matters; a store may drop those before it.
    TaskHeartbeat {
        /// The task.
        task: TaskId,
    },
    /// `TaskSucceeded`, `LambdaFunctionSucceeded` or `ActivitySucceeded`.
    TaskSucceeded {
        /// The task.
        task: TaskId,
        /// What it ran.
        resource: Resource,
        /// Its result.
        output: Value,
    },
    /// `TaskFailed`, `LambdaFunctionFailed` or `ActivityFailed`.
    TaskFailed {
        /// The task.
        task: TaskId,
        /// What it ran.
        resource: Resource,
        /// The failure.
        #[serde(flatten)]
        failure: Failure,
        /// The call that was to begin it failed: `TaskSubmitFailed`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unsubmitted: bool,
    },
    /// `TaskTimedOut`, `LambdaFunctionTimedOut` or `ActivityTimedOut`.
    TaskTimedOut {
        /// The task.
        task: TaskId,
        /// What it ran.
        resource: Resource,
        /// The failure: `States.Timeout`.
        #[serde(flatten)]
        failure: Failure,
    },

    /// `ParallelStateStarted`: one line per branch begins.
    ParallelStarted {
        /// Each branch's input.
        input: Value,
    },
    /// `ParallelStateSucceeded`.
    ParallelSucceeded,
    /// `ParallelStateFailed`: the first failure of a branch, once the others are given up.
    ParallelFailed,

    /// `MapStateStarted`.
    MapStarted {
        /// What is iterated over; of an object each field as `{"Key": …, "Value": …}`.
        items: Vec<Value>,
        /// Whether they were an object's fields.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keyed: bool,
        /// How many iterations run at once, at most; of a distributed Map as many as were asked for.
        concurrency: u64,
        /// Whether a Map Run follows, and no iterations.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        distributed: bool,
    },
    /// `MapIterationStarted`: a line for one item begins. Stands on the line of the Map state.
    MapIterationStarted {
        /// The Map state's name.
        name: String,
        /// Which item, from 0.
        index: u64,
        /// What the iteration begins with.
        input: Value,
    },
    /// `MapIterationSucceeded`. Stands on the iteration's line, which it ends.
    #[expect(missing_docs, reason = "as of MapIterationStarted")]
    MapIterationSucceeded { name: String, index: u64 },
    /// `MapIterationFailed`: nothing in the iteration caught its failure.
    #[expect(missing_docs, reason = "as of MapIterationStarted")]
    MapIterationFailed { name: String, index: u64 },
    /// `MapIterationAborted`: given up because another one failed.
    #[expect(missing_docs, reason = "as of MapIterationStarted")]
    MapIterationAborted { name: String, index: u64 },
    /// Not shown: what an iteration was to begin with could not be made.
    MapItemFailed {
        /// The failure, which is the Map state's.
        #[serde(flatten)]
        failure: Failure,
    },
    /// `MapRunStarted`.
    MapRunStarted {
        /// The run.
        run: Box<MapRun>,
    },
    /// `MapRunRedriven`: after a redrive of the execution its run goes on, with the children that didn't succeed.
    MapRunRedriven {
        /// The run.
        arn: String,
        /// The how manieth redrive of the run it is, from 1.
        count: u32,
    },
    /// `MapRunSucceeded`.
    MapRunSucceeded {
        /// The run.
        arn: String,
        /// The Map state's result.
        output: Value,
    },
    /// `MapRunFailed`.
    MapRunFailed {
        /// The run.
        arn: String,
        /// The failure.
        #[serde(flatten)]
        failure: Failure,
    },
    /// `MapStateSucceeded`.
    MapSucceeded,
    /// `MapStateFailed`: the first failure of an iteration, once the others are given up.
    MapFailed,
}

/// A failure: what `ErrorEquals` is compared with, and the text for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error's name. SendTaskFailure may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// A second name that `ErrorEquals` knows it by. AWS shows heartbeats that stayed away as `States.Timeout` and a
    /// path that leads nowhere as `States.Runtime`; the specification's names catch them too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<String>,
}

impl Event {
    /// About how much memory its data takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::StateEntered { input: value, .. }
            | Self::StateExited { output: value, .. }
            | Self::TaskScheduled { arguments: value, .. }
            | Self::TaskSubmitted { output: value, .. }
            | Self::TaskSucceeded { output: value, .. }
            | Self::ParallelStarted { input: value }
            | Self::MapIterationStarted { input: value, .. } => limits::weight(value),
            Self::MapStarted { items, .. } => items.iter().map(limits::weight).sum(),
            Self::StateFailed { failure, .. }
            | Self::BranchFailed { failure, .. }
            | Self::MapItemFailed { failure, .. }
            | Self::TaskFailed { failure, .. } => failure.cause.as_ref().map_or(0, String::len),
            _ => 0,
        }
    }

    /// Whether the execution is over with it.
    pub fn ends(&self) -> bool {
        matches!(
            self,
            Self::ExecutionSucceeded { .. }
                | Self::ExecutionFailed { .. }
                | Self::ExecutionTimedOut
                | Self::ExecutionAborted { .. }
        )
    }

    /// Whether the history shows it, and so whether its entry has an id.
    pub fn in_history(&self) -> bool {
        match self {
            Self::StateAborted { kind } => kind.shows_abortion(),
            Self::StateFailed { .. }
            | Self::BranchFailed { .. }
            | Self::MapItemFailed { .. }
            | Self::WaitBegun { .. }
            | Self::RetryScheduled { .. }
            | Self::RetryBegun
            | Self::TaskHeartbeat { .. } => false,
            _ => true,
        }
    }
}
