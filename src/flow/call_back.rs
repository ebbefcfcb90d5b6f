//! The callback: telling the workflow what was decided. Each attempt is on record before it is made. Three classes
//! of failure: *again* (until the workflow's own end), *park* (an operator mends something), *closed* (find out
//! whether an earlier attempt of ours got through).

mod result;
mod stopping;

use super::{Flow, Step};
use crate::aws_faults::TOO_SLOW;
use crate::domain::approval::{Approval, Responses};
use crate::domain::callback::{Answered, Callback, CallbackMessage, Found, Queued, SendError};
use crate::domain::decision::{Ended, RequestState};
use crate::domain::ids::ApprovalId;
use crate::domain::task_token::CallbackTarget;
use crate::store::{Change, StoreError};
use result::Unkept;
use std::time::Duration;
use tokio::time::Instant;

/// How long a person waits for the first attempt.
const FIRST_ATTEMPT: Duration = Duration::from_secs(2);
/// How long the worker waits for a later one.
const LATER_ATTEMPT: Duration = Duration::from_secs(10);

/// Makes the first attempt, which the decision's own write has put on record. Gives the approval as it is then; when
/// anything goes wrong, as it was: the worker goes on with it.
pub async fn first_attempt(flow: &Flow, approval: Approval) -> Approval {
    let before = approval.clone();
    match attempt(flow, approval, FIRST_ATTEMPT, false).await {
        Ok(after) => after,
        Err(error) => {
            tracing::warn!(approval.id = %before.id, error = %error, "callback's result not recorded; the worker will find out");
            before
        }
    }
}

/// Puts one more attempt on record and makes it, if one is due.
pub async fn next_attempt(flow: &Flow, approval: Approval) -> Result<Step, StoreError> {
    let now = flow.clock.now();
    let Some((ended, queued)) = queued(&approval).filter(|(_, queued)| queued.due <= now) else {
        return Ok(Step::Nothing);
    };
    // A table may have been restored from a copy since it was due, and only a process that began later works on it.
    let late = flow.is_late(queued.due) || queued.due < flow.started;
    let begun = Ended {
        callback: Callback::Queued(queued.begin(now)),
        ..ended.clone()
    };
    let change = Change {
        state: Some(RequestState::Ended(begun)),
        ..Change::default()
    };
    match flow.commit(&approval, change).await {
        Ok(approval) => {
            let attempted = attempt(flow, approval, LATER_ATTEMPT, late).await;
            attempted.map(|_| Step::Done)
        }
        Err(StoreError::Conflict) => Ok(Step::Nothing),
        Err(error) => Err(error),
    }
}

fn queued(approval: &Approval) -> Option<(&Ended, &Queued)> {
    match &approval.record.state {
        RequestState::Ended(ended) => match &ended.callback {
            Callback::Queued(queued) => Some((ended, queued)),
            _ => None,
        },
        _ => None,
    }
}

/// Makes the attempt that is on record, and records what came of it. `late`: what is on record may be less than what was
/// done.
async fn attempt(
    flow: &Flow,
    approval: Approval,
    patience: Duration,
    late: bool,
) -> Result<Approval, StoreError> {
    let Some((_, begun)) = queued(&approval) else {
        return Ok(approval);
    };
    let begun = begun.clone();
    let callback = match flow.target(&approval) {
        Ok(target) => send(flow, &approval, &begun, &target, patience, late).await,
        Err(error) => Callback::Parked(begun.park(flow.clock.now(), error.to_string(), false)),
    };
    log(approval.id, &callback);
    flow.metrics.attempt(&callback);
    record(flow, approval, &begun, callback).await
}

async fn send(
    flow: &Flow,
    approval: &Approval,
    begun: &Queued,
    target: &CallbackTarget,
    patience: Duration,
    late: bool,
) -> Callback {
    let until = Instant::now() + patience;
    let Some(message) = approval.callback_message(&Responses::Whole) else {
        return Callback::Queued(begun.clone());
    };
    if approval.stops_execution() {
        return stopping::attempt(flow, approval, begun, message, until).await;
    }
    let message = match result::that_fits(flow, approval, message, until).await {
        Ok(message) => message,
        Err(Unkept::ForNow(why)) => {
            let (now, jitter) = (flow.clock.now(), flow.random.unit());
            return Callback::Queued(begun.again(now, why, false, jitter));
        }
        Err(Unkept::ForGood(why)) => return Callback::Parked(begun.park(flow.clock.now(), why, false)),
    };
    let sent = tokio::time::timeout_at(until, flow.callbacks.send(target, &message)).await;
    let now = flow.clock.now();
    match sent {
        Ok(Ok(())) => Callback::Delivered { at: now },
        Ok(Err(SendError::Again { code, taken_perhaps })) => {
            Callback::Queued(begun.again(now, code, taken_perhaps, flow.random.unit()))
        }
        Err(_elapsed) => Callback::Queued(begun.again(now, TOO_SLOW.into(), true, flow.random.unit())),
        Ok(Err(SendError::Park { reason })) => Callback::Parked(begun.park(now, reason, false)),
        Ok(Err(SendError::Closed)) => reconcile(flow, approval, begun, target, &message, until, late).await,
    }
}

/// "Expired or already closed": by us, or by something else? The execution's history knows, where the request says which
/// execution it is.
async fn reconcile(
    flow: &Flow,
    approval: &Approval,
    begun: &Queued,
    target: &CallbackTarget,
    message: &CallbackMessage,
    until: Instant,
    late: bool,
) -> Callback {
    let (found, ended) = match approval.execution_arn() {
        Some(arn) => {
            let id = approval.id.to_string();
            let asked = async {
                tokio::join!(
                    flow.callbacks.how_it_ended(arn, target, &id),
                    flow.callbacks.ended(target, arn)
                )
            };
            // A person may be waiting; the worker has more time for a long history.
            let asked = tokio::time::timeout_at(until, asked).await;
            asked.unwrap_or((Found::NotNow, None))
        }
        None => (Found::Nothing, None),
    };
    let at = flow.clock.now();
    let moot = |because: String| Callback::Moot { at, because };
    match found {
        Found::Answered(answered) if answered.agrees_with(message) => Callback::Delivered { at },
        Found::Answered(answered) => moot(answered_before(&answered)),
        Found::OtherEnd(event) => moot(format!("the waiting state ended with {event}")),
        Found::NotNow => {
            let why = "the execution's history can't be read just now".to_owned();
            Callback::Queued(begun.again(at, why, false, flow.random.unit()))
        }
        Found::Nothing if late => {
            let reason = "AWS says that the wait is over, and no history can be read that says by what. This callback was \
                          due before this process began, or long ago: if the table was restored from a copy, it may have \
                          been delivered before. Look at the workflow; a retry finds out once its history can be read.";
            Callback::Parked(begun.park(at, reason.to_owned(), true))
        }
        Found::Nothing if begun.earlier_may_have_landed() => {
            let reason = "AWS says that the wait is over. An earlier attempt got no answer, so this decision may have ended \
                          it. Look at the workflow; a retry finds out once its history can be read.";
            Callback::Parked(begun.park(at, reason.to_owned(), true))
        }
        Found::Nothing => moot(ended.map_or_else(
            || "the waiting state had ended".to_owned(),
            |(status, _)| format!("the execution is {status}"),
        )),
    }
}

/// An answer to this request that this table knows nothing of: it was restored from an older copy.
fn answered_before(answered: &Answered) -> String {
    let status = answered.status.as_deref().unwrap_or("answered");
    format!("the workflow had been told {status} before; this table is older than that")
}

/// Writes down what came of the attempt `begun`. Whoever took the attempt for lost and began another has the word.
async fn record(
    flow: &Flow,
    mut approval: Approval,
    begun: &Queued,
    callback: Callback,
) -> Result<Approval, StoreError> {
    for tries in 0.. {
        let Some((ended, _)) = queued(&approval).filter(|(_, queued)| *queued == begun) else {
            return Ok(approval);
        };
        let told = matches!(callback, Callback::Moot { .. }).then(|| flow.clock.now());
        let ended = Ended {
            callback: callback.clone(),
            notices: ended.notices.or(told),
            ..ended.clone()
        };
        let change = Change {
            state: Some(RequestState::Ended(ended)),
            ..Change::default()
        };
        match flow.commit(&approval, change).await {
            Ok(after) => return Ok(after),
            Err(StoreError::Conflict) => approval = flow.read_again(approval.id, tries).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(approval)
}

fn log(id: ApprovalId, callback: &Callback) {
    match callback {
        Callback::Delivered { .. } => tracing::info!(approval.id = %id, "workflow told"),
        Callback::Moot { because, .. } => {
            tracing::info!(approval.id = %id, because, "workflow no longer waits");
        }
        Callback::Parked(parked) => {
            tracing::error!(approval.id = %id, reason = parked.reason, "callback parked: an operator has to look at it");
        }
        Callback::Queued(queued) => {
            tracing::warn!(approval.id = %id, attempts = queued.attempts, due = %queued.due, error = queued.last_error.as_deref(), "callback to be tried again");
        }
        Callback::Held { .. } => {}
    }
}
