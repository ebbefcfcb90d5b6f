//! Countersign as the worker of an activity: takes its tasks by long polls and asks what the configuration says. Each
//! task's token comes once, so whoever holds one doesn't let go of it: it is taken in, or its state fails, before the
//! process ends.

use super::pause::{Pause, is_stopped};
use crate::domain::activity::Activity;
use crate::domain::callback::SendError;
use crate::domain::task_token::{CallbackTarget, TaskToken};
use crate::flow::Flow;
use crate::flow::open::{self, OpenError};
use crate::step_functions::ActivityTask;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many polls of an activity are open. Each takes one task at a time.
const POLLS: usize = 4;
/// How long it is tried to take a task in before its state fails with `Approval.Unavailable`: short of what an unfinished
/// intake is kept for.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long after a stop; and once more until the state is failed.
pub(super) const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// Works an activity until `stop` turns true, then waits for the polls that are open, and takes in what they bring: up to
/// [`crate::step_functions::LONGEST_POLL`].
pub async fn run(flow: Arc<Flow>, activity: Arc<Activity>, stop: watch::Receiver<bool>) {
    let mut polls = JoinSet::new();
    for _ in 0..POLLS {
        let (flow, activity, stop) = (Arc::clone(&flow), Arc::clone(&activity), stop.clone());
        polls.spawn(async move { keep_polling(&flow, &activity, stop).await });
    }
    while polls.join_next().await.is_some() {}
}

async fn keep_polling(flow: &Flow, activity: &Activity, mut stop: watch::Receiver<bool>) {
    let mut pause = Pause::default();
    while !is_stopped(&stop) {
        match flow.step_functions.activity_task(&activity.arn).await {
            Ok(task) => {
                pause = Pause::default();
                if let Some(task) = task {
                    let result = take_in(flow, activity, &task, &mut stop).await;
                    flow.metrics.message("activity", result);
                }
            }
            Err(error) => {
                tell(activity, &error);
                pause.rest(&flow.random, &mut stop).await;
            }
        }
    }
}

fn tell(activity: &Activity, error: &SendError) {
    let arn = &activity.arn;
    match error {
        SendError::Again { code, .. } => {
            tracing::warn!(activity = %arn, aws.error.code = %code, "an activity can't be polled; it is tried again");
        }
        SendError::Park { reason } => {
            tracing::error!(activity = %arn, reason, "an activity can't be polled: an operator has to look at it");
        }
        SendError::Closed => {}
    }
}

/// Takes a task in, or fails its state; says which for the metrics.
pub async fn take_in(
    flow: &Flow,
    activity: &Activity,
    task: &ActivityTask,
    stop: &mut watch::Receiver<bool>,
) -> &'static str {
    let target = match TaskToken::parse(&task.token) {
        Ok(token) => CallbackTarget::TaskToken(token),
        Err(problem) => {
            tracing::error!(activity = %activity.arn, problem, "a task came without a usable token");
            return "dead";
        }
    };
    // A state's input is JSON; whatever isn't is the text that it is.
    let input = serde_json::from_str(&task.input).unwrap_or_else(|_| Value::from(task.input.as_str()));
    let taken = match activity.asks.request(&task.token, &input) {
        Ok(request) => open_at_last(flow, &request, stop).await,
        Err(invalid) => Err(OpenError::Invalid(invalid)),
    };
    let Err(error) = taken else {
        return "taken";
    };
    tracing::warn!(activity = %activity.arn, error = %error, "a task isn't taken in; its state fails");
    fail_at_last(flow, activity, &target, &error, stop).await
}

/// Opens the request, again and again while the table is away.
async fn open_at_last(
    flow: &Flow,
    request: &Value,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), OpenError> {
    let mut pause = Pause::default();
    let mut end = Instant::now() + PATIENCE;
    loop {
        let Err(error) = open::open(flow, request).await else {
            return Ok(());
        };
        if matches!(error, OpenError::Invalid(_)) || Instant::now() >= end {
            return Err(error);
        }
        tracing::warn!(error = ?error, "a task could not be taken in; it is tried again");
        end = wait(flow, &mut pause, end, stop).await;
    }
}

/// Fails the task's state, again and again while Step Functions is away.
async fn fail_at_last(
    flow: &Flow,
    activity: &Activity,
    target: &CallbackTarget,
    error: &OpenError,
    stop: &mut watch::Receiver<bool>,
) -> &'static str {
    let mut pause = Pause::default();
    let mut end = Instant::now() + PATIENCE;
    loop {
        let reason = match open::fail(flow, target, error).await {
            Ok(()) | Err(SendError::Closed) => return "refused",
            Err(SendError::Again { code, .. }) if Instant::now() >= end => code,
            Err(SendError::Again { .. }) => {
                end = wait(flow, &mut pause, end, stop).await;
                continue;
            }
            Err(SendError::Park { reason }) => reason,
        };
        tracing::error!(activity = %activity.arn, reason, "a state can't be told that its task isn't taken in: it waits until it times out");
        return "dead";
    }
}

/// Waits before the next try; gives until when there may be one. After a stop that is soon.
async fn wait(flow: &Flow, pause: &mut Pause, end: Instant, stop: &mut watch::Receiver<bool>) -> Instant {
    if is_stopped(stop) {
        tokio::time::sleep(pause.next(&flow.random).min(Duration::from_secs(1))).await;
    } else {
        pause.rest(&flow.random, stop).await;
    }
    if is_stopped(stop) {
        end.min(Instant::now() + LAST_PATIENCE)
    } else {
        end
    }
}
