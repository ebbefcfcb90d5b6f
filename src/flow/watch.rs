//! Watching the workflow: is it still waiting? It may time out without telling anyone. Asked when a page is opened or
//! sent, once in ten seconds at most, and by the worker once an hour; and told, by heartbeats, that we are alive.

use super::{Flow, Step};
use crate::domain::approval::Approval;
use crate::domain::decision::{Pending, RequestState, WorkflowEnd};
use crate::domain::evidence::What;
use crate::domain::ids::ApprovalId;
use crate::domain::schedule;
use crate::step_functions::SendError;
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

/// Asks whether the workflow of a pending request still waits, unless that was asked just now. Gives the approval as
/// it is then.
pub async fn still_waiting(flow: &Flow, approval: Approval) -> Result<Approval, StoreError> {
    if !approval.is_pending() || !flow.asked.should_ask(approval.id, flow.clock.now()) {
        return Ok(approval);
    }
    match tokio::time::timeout(PATIENCE, workflow_end(flow, &approval)).await {
        Ok(Some(end)) => orphan(flow, approval, end).await,
        Ok(None) | Err(_) => Ok(approval),
    }
}

/// How the workflow ended, or `None` while it waits or can't be asked: by its ARN where that is known, else by a
/// heartbeat on the token. No answer of ours was tried yet, so a closed token was closed by something else.
async fn workflow_end(flow: &Flow, approval: &Approval) -> Option<WorkflowEnd> {
    let arn = approval
        .body
        .terms
        .execution
        .as_ref()
        .and_then(|execution| execution.arn.as_deref());
    if let Some(arn) = arn {
        let (status, at) = flow.step_functions.ended(arn).await?;
        return Some(WorkflowEnd::Execution { status, at });
    }
    let target = flow.target(approval).ok()?;
    match flow.step_functions.heartbeat(&target).await {
        Err(SendError::Closed) => Some(WorkflowEnd::TokenClosed),
        _ => None,
    }
}

/// What of a pending request is due: a heartbeat, or a look at the workflow.
pub async fn watch(flow: &Flow, approval: Approval) -> Result<Step, StoreError> {
    let now = flow.clock.now();
    let RequestState::Pending(pending) = &approval.record.state else {
        return Ok(Step::Nothing);
    };
    let beat_due = pending.heartbeat.is_some_and(|at| at <= now);
    let check_due = pending.check <= now;
    if !beat_due && !check_due {
        return Ok(Step::Nothing);
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
    if beat_due
        && let Ok(target) = flow.target(&approval)
        && flow.step_functions.heartbeat(&target).await == Err(SendError::Closed)
    {
        return orphan(flow, approval, WorkflowEnd::TokenClosed)
            .await
            .map(|_| Step::Done);
    }
    if check_due && let Some(end) = workflow_end(flow, &approval).await {
        return orphan(flow, approval, end).await.map(|_| Step::Done);
    }
    Ok(Step::Done)
}

/// Closes a request whose workflow has ended. An answer that was written in the meantime stands: its own callback
/// finds out.
async fn orphan(flow: &Flow, approval: Approval, because: WorkflowEnd) -> Result<Approval, StoreError> {
    let now = flow.clock.now();
    let state = RequestState::Orphaned {
        at: now,
        because: because.clone(),
        notices: Some(now),
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
