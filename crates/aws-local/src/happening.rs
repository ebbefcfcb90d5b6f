//! What happens, told as it does to whoever listens ([`AwsLocal::subscribe`](crate::AwsLocal::subscribe)): the events
//! that executions' histories get, once they are durable, and what functions print. While nobody listens, nothing is made
//! of it.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::lambda::PrintedLine;

/// How much a listener may be behind before the oldest is dropped for it.
const BEHIND: usize = 4096;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// An execution went on by an event.
    Event(ExecutionEvent),
    /// A function printed a line.
    Printed(PrintedLine),
}

/// Which execution it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecutionName {
    /// Its ARN.
    pub arn: String,
    /// Its own name.
    pub name: String,
    /// Its state machine's name; of a Map Run's child `machine/label`.
    pub machine: String,
    /// When it began.
    pub started: Timestamp,
}

/// An event of an execution, as far as a line about it needs it. GetExecutionHistory has the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionEvent {
    /// Whose.
    pub execution: Arc<ExecutionName>,
    /// When.
    pub at: Timestamp,
    /// Its id in the history, from 1; 0 for what the history doesn't show, such as a retry that is to come.
    pub id: u64,
    /// Its type, as in the history: `TaskStateEntered`. Not in the history are `StateFailed`, `BranchFailed`,
    /// `MapItemFailed`, `WaitBegun`, `RetryScheduled`, `RetryBegun` and `TaskHeartbeat`.
    pub kind: String,
    /// The state that it happened in, where it is known and one alone.
    pub state: Option<String>,
    /// Of a task's event: what it runs, as `Resource` names it (`arn:aws:states:::lambda:invoke.waitForTaskToken`).
    pub resource: Option<String>,
    /// What a failure is called.
    pub error: Option<String>,
    /// What a failure says for people.
    pub cause: Option<String>,
    /// Of `WaitBegun` and `RetryScheduled`: when it goes on.
    pub until: Option<Timestamp>,
}

/// Those who listen.
#[derive(Debug, Default)]
pub(crate) struct Listeners(OnceLock<broadcast::Sender<Happening>>);

impl Listeners {
    /// One more, who hears what happens from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Happening> {
        self.0.get_or_init(|| broadcast::Sender::new(BEHIND)).subscribe()
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Tells all of them.
    pub(crate) fn tell(&self, happening: Happening) {
        if let Some(sender) = self.0.get() {
            // The last one may have gone in between.
            let _ = sender.send(happening);
        }
    }
}
