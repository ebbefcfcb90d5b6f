//! What goes into an execution and what comes out of it: the words its caller speaks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::{Entry, Failure};
use crate::map_run::MapRun;
use crate::resource::Resource;

/// A task of one execution: the id of its `TaskScheduled` (or `LambdaFunctionScheduled`) event in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// Whose execution this is. The context object (`$$`) is made of it, and the history's region and role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `$$.Execution.Id`. Its region is the one shown in `TaskScheduled`.
    pub execution_arn: String,
    /// `$$.Execution.Name`.
    pub execution_name: String,
    /// `$$.Execution.RoleArn`.
    pub role_arn: String,
    /// `$$.StateMachine.Id`.
    pub state_machine_arn: String,
    /// `$$.StateMachine.Name`.
    pub state_machine_name: String,
}

impl Identity {
    /// The ARN of a Map Run of this execution: `arn:aws:states:region:account:mapRun:machine/label:name`.
    pub(crate) fn map_run_arn(&self, label: &str, name: &str) -> String {
        // A child's machine is `name/label`.
        let machine = self.state_machine_name.split('/').next().unwrap_or("");
        let scope: Vec<&str> = self.execution_arn.split(':').take(5).collect();
        format!("{}:mapRun:{machine}/{label}:{name}", scope.join(":"))
    }

    /// The region in the execution's ARN; empty when it is no ARN.
    pub fn region(&self) -> &str {
        self.execution_arn.split(':').nth(3).unwrap_or("")
    }
}

/// Something that happened in the world, told to [`Execution::handle`](crate::Execution::handle).
///
/// Outputs are what the state machine sees: for `lambda:invoke` the whole response
/// (`{"ExecutedVersion": …, "Payload": …, "StatusCode": 200, …}`), for a function's ARN its payload alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Happened {
    /// A task that a [`Command::StartTask`] asked for is about to run. Saying so is optional: every later word about
    /// the task implies it. A second one is taken in silence, so that a task may be started again after a crash.
    TaskStarted {
        /// From the command.
        task: TaskId,
    },
    /// A worker has taken an activity's task, which begins its HeartbeatSeconds. Refused where the task is over, and
    /// where a worker has it already ([`Refused::WrongKind`]).
    ActivityTaken {
        /// From the command.
        task: TaskId,
        /// The worker's name, where it said one.
        worker: Option<String>,
    },
    /// A task that waits for its token has been handed over; `output` is the invocation's response. It is refused, and
    /// that does no harm, when the token was answered before the invocation returned.
    TaskSubmitted {
        /// From the command.
        task: TaskId,
        /// Kept for the history only.
        output: Value,
    },
    /// A task without a token has its result.
    TaskSucceeded {
        /// From the command.
        task: TaskId,
        /// The result.
        output: Value,
    },
    /// A task failed; one with a token too, when it could not be handed over.
    TaskFailed {
        /// From the command.
        task: TaskId,
        /// The name that `ErrorEquals` is compared with, such as `Lambda.TooManyRequestsException` or the function's
        /// own errorType.
        error: Option<String>,
        /// Text for people; for a function's error the JSON of its payload.
        cause: Option<String>,
    },
    /// A task ran out of its own time (`States.Timeout`), as its runner saw it. The state's TimeoutSeconds and
    /// HeartbeatSeconds need no such word; [`Happened::TimerFired`] sees to them.
    TaskTimedOut {
        /// From the command.
        task: TaskId,
        /// Text for people.
        cause: Option<String>,
    },
    /// A Map Run that a [`Command::StartMapRun`] asked for is over, and with it the Map state.
    MapRunSucceeded {
        /// The run.
        arn: String,
        /// What the state is to have for a result.
        output: Value,
    },
    /// A Map Run failed: `States.ExceedToleratedFailureThreshold`, `States.ItemReaderFailed`,
    /// `States.ResultWriterFailed`, or what [`Selecting::select`](crate::Selecting::select) answered.
    MapRunFailed {
        /// The run.
        arn: String,
        /// The failure.
        failure: Failure,
    },
    /// SendTaskSuccess.
    TokenSucceeded {
        /// The token, exactly as given out.
        token: String,
        /// The result.
        output: Value,
    },
    /// SendTaskFailure.
    TokenFailed {
        /// The token, exactly as given out.
        token: String,
        /// The error's name, where one was given.
        error: Option<String>,
        /// The cause, where one was given.
        cause: Option<String>,
    },
    /// SendTaskHeartbeat: begins the task's HeartbeatSeconds anew. It never extends TimeoutSeconds.
    TokenHeartbeat {
        /// The token, exactly as given out.
        token: String,
    },
    /// The time given by [`Command::SetTimer`] or [`Execution::next_timer`](crate::Execution::next_timer) has come.
    /// Harmless when it has not, or when it was told before.
    TimerFired,
    /// StopExecution.
    Stopped {
        /// The error's name, where one was given.
        error: Option<String>,
        /// The cause, where one was given.
        cause: Option<String>,
    },
}

/// Something the caller has to do, once the entries of the same [`Step`] are durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Run a task and tell its outcome by [`Happened`]. An activity's waits for a worker to ask for it; tell that by
    /// [`Happened::ActivityTaken`].
    StartTask(StartTask),
    /// Nobody waits for this task any more; stop it if that can be done. Its token is closed.
    CancelTask {
        /// The task.
        task: TaskId,
    },
    /// Begin a Map Run and tell its end by [`Happened`].
    StartMapRun(Box<MapRun>),
    /// Take up again a Map Run that had ended: once nothing of it goes on any more, its children that failed, timed
    /// out or were aborted begin again, and those that hadn't begun begin. Tell its end by [`Happened`].
    RedriveMapRun {
        /// The run.
        arn: String,
    },
    /// Nobody waits for this Map Run any more: give up its children.
    CancelMapRun {
        /// The run.
        arn: String,
    },
    /// Come back with [`Happened::TimerFired`] at this time. It replaces the timer set before; an execution has one.
    SetTimer {
        /// When.
        at: Timestamp,
    },
    /// The execution ended; [`Execution::status`](crate::Execution::status) says how. It needs no timer any more.
    Finish,
}

/// A task to run.
#[derive(Clone, Debug, PartialEq)]
pub struct StartTask {
    /// To speak of it by in [`Happened`].
    pub task: TaskId,
    /// What to run.
    pub resource: Resource,
    /// For a service its parameters (`{"FunctionName": …, "Payload": …}`), for a function's ARN its event.
    pub arguments: Value,
    /// Where the task is answered by token: the token, to be found again when SendTask* comes. It is also in
    /// `arguments` where the definition put it there.
    pub token: Option<String>,
    /// The token's holder has been told already ([`Happened::TaskSubmitted`] or [`Happened::ActivityTaken`] was seen). Only ever true in
    /// [`Execution::open_tasks`](crate::Execution::open_tasks).
    pub submitted: bool,
}

/// What one call changed: entries to append to the journal, all or none, then commands to carry out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// In order. Append them in one transaction before carrying out any command.
    pub entries: Vec<Entry>,
    /// In order.
    pub commands: Vec<Command>,
    /// Why what happened was not taken in. Entries may be there all the same: a timer that was due is seen to first,
    /// which may be why the task is closed.
    pub refused: Option<Refused>,
}

impl Step {
    /// Asks for a Map Run to be given up; or no longer for its beginning, where that stands in the same step.
    pub(crate) fn cancel_map_run(&mut self, arn: String) {
        let asked = self.commands.len();
        self.commands.retain(|command| match command {
            Command::StartMapRun(run) => run.arn != arn,
            Command::RedriveMapRun { arn: redriven } => *redriven != arn,
            _ => true,
        });
        if self.commands.len() == asked {
            self.commands.push(Command::CancelMapRun { arn });
        }
    }

    /// Asks for a task to be cancelled; or no longer for its start, where that stands in the same step.
    pub(crate) fn cancel(&mut self, task: TaskId) {
        let asked = self.commands.len();
        self.commands
            .retain(|command| !matches!(command, Command::StartTask(start) if start.task == task));
        if self.commands.len() == asked {
            self.commands.push(Command::CancelTask { task });
        }
    }
}

/// Why something that happened was not taken in. A refusal changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The execution has ended. AWS answers StopExecution all the same, and a token with `TaskTimedOut`.
    #[error("the execution has ended")]
    Ended,
    /// This execution never had such a task or token (`TaskDoesNotExist`, or `InvalidToken`).
    #[error("no such task")]
    Unknown,
    /// The task is over: answered, timed out, aborted (`TaskTimedOut`).
    #[error("the task is over")]
    Closed,
    /// The task is one to be answered by its token, not by [`Happened::TaskSucceeded`]; or has no token to submit.
    #[error("not for this kind of task")]
    WrongKind,
}

/// Whether a task token can still be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// This execution never gave it out.
    Unknown,
    /// Given out and over: answered, timed out or aborted.
    Closed,
    /// The execution waits for it.
    Open,
}

/// How an execution stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Not ended.
    Running,
    /// SUCCEEDED, with the output.
    Succeeded {
        /// The last state's output.
        output: Value,
    },
    /// FAILED. AWS leaves out what is `None`.
    Failed {
        /// The error's name.
        error: Option<String>,
        /// Text for people.
        cause: Option<String>,
    },
    /// TIMED_OUT: the machine's TimeoutSeconds have passed.
    TimedOut,
    /// ABORTED by StopExecution.
    Aborted {
        /// As given to StopExecution.
        error: Option<String>,
        /// As given to StopExecution.
        cause: Option<String>,
    },
}

impl Status {
    /// The name AWS gives it: `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded { .. } => "SUCCEEDED",
            Self::Failed { .. } => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted { .. } => "ABORTED",
        }
    }
}
