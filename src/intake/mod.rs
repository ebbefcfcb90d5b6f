//! The ways in: for workflows the direct invoke, messages of queues and tasks of activities; for SES's events about mails a
//! queue of their own. Each takes what its carrier delivers; a workflow's request ends in `flow::open`, and one that is
//! refused is answered as that carrier expects.

pub mod activity;
pub mod batch;
pub mod envelope;
pub mod invoke;
pub mod mail_event;
pub mod message;
mod pause;
pub mod queue;
mod task_tools;

use crate::domain::activity::Activity;
use crate::flow::Flow;
use crate::step_functions::LONGEST_POLL;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The ways in that a process sees to by itself, beside what it is called for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Ways {
    /// The addresses of the queues that are polled.
    pub queues: Vec<String>,
    /// The addresses of the queues in which SES tells what became of mails.
    pub mail_events: Vec<String>,
    /// The address of the queue for what can't be taken in; without, each queue's redrive policy says.
    pub dead_letter_queue: Option<String>,
    /// The activities whose worker is Countersign.
    pub activities: Vec<Activity>,
}

impl Ways {
    /// Polls all of them until `stop` turns true, then finishes what was received.
    pub async fn run(self, flow: Arc<Flow>, stop: watch::Receiver<bool>) {
        let mut pollers = JoinSet::new();
        for url in self.queues {
            pollers.spawn(queue::run(Arc::clone(&flow), url, stop.clone()));
        }
        for url in self.mail_events {
            pollers.spawn(mail_event::run(Arc::clone(&flow), url, stop.clone()));
        }
        for activity in self.activities {
            pollers.spawn(activity::run(Arc::clone(&flow), Arc::new(activity), stop.clone()));
        }
        while pollers.join_next().await.is_some() {}
    }

    /// How long [`Ways::run`] may take to end: the poll of an activity has to come to its end.
    pub fn longest_stop(&self) -> Duration {
        if self.activities.is_empty() {
            Duration::from_secs(20)
        } else {
            LONGEST_POLL + 2 * activity::LAST_PATIENCE
        }
    }
}
