//! Watching the workflow: is it still waiting? It may time out without telling anyone. Asked when a page is opened or
//! sent, once in ten seconds at most, and by the worker once an hour; and told, by heartbeats, that we are alive.

use super::{Flow, Step};
use crate::domain::approval::Approval;
use crate::domain::callback::{Answered, Found, SendError};
use crate::domain::decision::{Pending, RequestState, WorkflowEnd};
use crate::domain::evidence::What;
use crate::domain::ids::ApprovalId;
use crate::domain::schedule;
use crate::store::{Change, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long an answer of the workflow's is good for.
const ASK_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// How long a page waits for it: a page that can't tell is better than none.
const PATIENCE: Duration = Duration::from_secs(2);

/// When each workflow was last asked. Saves calls; guards nothing.
#[derive(Debug, Default)]
pub struct Asked(Mutex<HashMap<ApprovalId, Timestamp>>);

impl Asked {
    /// Whether to ask now; notes that it is being done.
    fn should_ask(&self, id: ApprovalId, now: Timestamp) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked
            .get(&id)
            .is_some_and(|at| now.duration_since(*at).abs() < ASK_EVERY)
        {
            return false;
        }
        if asked.len() >= 10_000 {
            asked.retain(|_, at| now.duration_since(*at).abs() < ASK_EVERY);
        }
        asked.insert(id, now);
        true
    }
}

/// A third of the state's HeartbeatSeconds: two beats may be lost.
pub fn beat(heartbeat_seconds: u32) -> SignedDuration {
    SignedDuration::from_secs(i64::from((heartbeat_seconds / 3).max(1)))
}

/// What the workflow of a pending request says of itself.
enum Said {
    Waits,
    /// It waits no longer. `proven`: no answer to this request has ended it, not even one that this table has forgotten.
    Ended {
        end: WorkflowEnd,
        proven: bool,
    },
    /// It can't be asked at the moment.
    NotNow,
    /// It can't be asked: a permission is missing, for one.
    Nothing,
}

/// Asks whether the workflow of a pending request still waits, unless that was asked just now. Gives the approval as
/// it is then.
pub async fn still_waiting(flow: &Flow, approval: Approval) -> Result<Approval, StoreError> {
    if !approval.is_pending() || !flow.asked.should_ask(approval.id, flow.clock.now()) {
        return Ok(approval);
    }
    match tokio::time::timeout(PATIENCE, ask(flow, &approval)).await {
        Ok(Said::Ended { end, proven }) => {
            let tell = proven || !is_late(flow, &approval);
            orphan(flow, approval, end, tell).await
        }
        Ok(Said::Waits | Said::NotNow | Said::Nothing) | Err(_) => Ok(approval),
    }
}

/// Before something is done that was due long ago: nobody worked since, or this table is an older copy that was restored,
/// and people have answered in the meantime. Gives the approval as it is then; `None` when the workflow can't be asked at
/// the moment, and what is due has to wait.
pub async fn before_what_is_late(
    flow: &Flow,
    approval: Approval,
    due: Timestamp,
) -> Result<Option<Approval>, StoreError> {
    if !approval.is_pending() || !flow.is_late(due) {
        return Ok(Some(approval));
    }
    match ask(flow, &approval).await {
        Said::Ended { end, proven } => orphan(flow, approval, end, proven).await.map(Some),
        Said::NotNow => Ok(None),
        Said::Waits | Said::Nothing => Ok(Some(approval)),
    }
}

/// Asks by a heartbeat on the token; and where that can't be done, about the execution, where it is known. No answer of
/// ours is on record, so a closed token was closed by something else, or by an answer that this table has forgotten: the
/// execution's history knows.
async fn ask(flow: &Flow, approval: &Approval) -> Said {
    let Ok(target) = flow.target(approval) else {
        return Said::Nothing;
    };
    let arn = approval
        .body
        .terms
        .execution
        .as_ref()
        .and_then(|execution| execution.arn.as_deref());
    let beat = flow.callbacks.heartbeat(&target).await;
    let unproven = |end| Said::Ended { end, proven: false };
    match (beat, arn) {
        (Ok(()), _) => Said::Waits,
        (Err(SendError::Closed), None) => unproven(WorkflowEnd::TokenClosed),
        (Err(SendError::Closed), Some(arn)) => {
            let id = approval.id.to_string();
            let (found, ended) = tokio::join!(
                flow.callbacks.how_it_ended(arn, &target, &id),
                flow.callbacks.ended(&target, arn)
            );
            let proven = matches!(found, Found::OtherEnd(_));
            match (found, ended) {
                (Found::NotNow, _) => Said::NotNow,
                (Found::Answered(Answered { status, .. }), _) => unproven(WorkflowEnd::Answered { status }),
                (Found::OtherEnd(_) | Found::Nothing, Some((status, at))) => Said::Ended {
                    end: WorkflowEnd::Execution { status, at },
                    proven,
                },
                (Found::OtherEnd(_) | Found::Nothing, None) => Said::Ended {
                    end: WorkflowEnd::TokenClosed,
                    proven,
                },
            }
        }
        (Err(error), Some(arn)) => match flow.callbacks.ended(&target, arn).await {
            Some((status, at)) => unproven(WorkflowEnd::Execution { status, at }),
            None => not_asked(&error),
        },
        (Err(error), None) => not_asked(&error),
    }
}

fn not_asked(error: &SendError) -> Said {
    match error {
        SendError::Again { .. } => Said::NotNow,
        SendError::Park { .. } | SendError::Closed => Said::Nothing,
    }
}

/// What of a pending request is due: a heartbeat, or a look at the workflow.
pub async fn watch(flow: &Flow, approval: Approval) -> Result<Step, StoreError> {
    let now = flow.clock.now();
    let RequestState::Pending(pending) = &approval.record.state else {
        return Ok(Step::Nothing);
    };
    let late = is_late(flow, &approval);
    let beat_due = pending.heartbeat.is_some_and(|at| at <= now);
    let check_due = pending.check <= now;
    if !beat_due && !check_due {
        return Ok(Step::Nothing);
    }
    // As long as it can't be asked it stays overdue, and so known to be.
    if late {
        match ask(flow, &approval).await {
            Said::Ended { end, proven } => {
                return orphan(flow, approval, end, proven).await.map(|_| Step::Done);
            }
            Said::NotNow => return Ok(Step::Nothing),
            Said::Waits | Said::Nothing => {}
        }
    }
    // The next ones are written first: two workers don't both beat, and one that dies here costs a beat of three.
    let next = Pending {
        deadline: pending.deadline,
        heartbeat: match approval.body.terms.heartbeat_seconds {
            Some(seconds) if beat_due => Some(now + beat(seconds)),
            _ => pending.heartbeat,
        },
        check: if check_due {
            now + schedule::WORKFLOW_CHECK
        } else {
            pending.check
        },
    };
    let change = Change {
        state: Some(RequestState::Pending(next)),
        ..Change::default()
    };
    let approval = match flow.commit(&approval, change).await {
        Ok(approval) => approval,
        Err(StoreError::Conflict) => return Ok(Step::Nothing),
        Err(error) => return Err(error),
    };
    // A heartbeat is the question as well.
    if !late && let Said::Ended { end, .. } = ask(flow, &approval).await {
        return orphan(flow, approval, end, true).await.map(|_| Step::Done);
    }
    Ok(Step::Done)
}

/// Whether something of a pending request is overdue by far.
fn is_late(flow: &Flow, approval: &Approval) -> bool {
    match &approval.record.state {
        RequestState::Pending(pending) => flow.is_late(pending.due()),
        RequestState::Ended(_) | RequestState::Orphaned { .. } => false,
    }
}

/// Closes a request whose workflow has ended. An answer that was written in the meantime stands: its own callback
/// finds out. `tell`: those who were asked are told. Not so where they may have answered, in a time that this table knows
/// nothing of: then they know how it went.
async fn orphan(
    flow: &Flow,
    approval: Approval,
    because: WorkflowEnd,
    tell: bool,
) -> Result<Approval, StoreError> {
    let now = flow.clock.now();
    let tell = tell && !matches!(because, WorkflowEnd::Answered { .. });
    let state = RequestState::Orphaned {
        at: now,
        because: because.clone(),
        notices: tell.then_some(now),
    };
    match flow
        .transition(
            &approval,
            What::Orphaned { because },
            now,
            Some(state),
            Vec::new(),
        )
        .await
    {
        Ok(after) => {
            tracing::info!(approval.id = %after.id, "the workflow has ended; request closed");
            Ok(after)
        }
        Err(StoreError::Conflict) => flow
            .store
            .load(approval.id)
            .await?
            .approval()
            .ok_or(StoreError::Conflict),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_is_asked_once_in_ten_seconds() {
        let (asked, now) = (Asked::default(), Timestamp::UNIX_EPOCH);
        let (one, other) = (ApprovalId::from_bytes([1; 16]), ApprovalId::from_bytes([2; 16]));
        assert!(asked.should_ask(one, now));
        assert!(!asked.should_ask(one, now + SignedDuration::from_secs(9)));
        assert!(asked.should_ask(other, now));
        assert!(asked.should_ask(one, now + SignedDuration::from_secs(10)));
    }
}
