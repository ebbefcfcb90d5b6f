//! The deadline. A late timer overwrites no answer: expiry is a transition under the same conditions as an answer.

use super::{Flow, call_back};
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::{Ended, Ending, RequestState};
use crate::domain::evidence::What;
use crate::store::StoreError;

/// Ends a request whose deadline has passed. Gives it as it is then: expired, or as somebody else ended it.
pub async fn expire(flow: &Flow, mut approval: Approval) -> Result<Approval, StoreError> {
    for tries in 0.. {
        let now = flow.clock.now();
        let RequestState::Pending(pending) = &approval.record.state else {
            return Ok(approval);
        };
        if pending.deadline.is_none_or(|deadline| deadline > now) {
            return Ok(approval);
        }
        let state = RequestState::Ended(Ended {
            ending: Ending::Expired {
                at: now,
                outcome: approval.body.terms.on_timeout.clone(),
            },
            callback: Callback::first_attempt(now),
            notices: Some(now),
        });
        match flow
            .transition(&approval, What::Expired, now, Some(state), Vec::new())
            .await
        {
            Ok(after) => {
                tracing::info!(approval.id = %after.id, "request expired");
                let after = call_back::first_attempt(flow, after).await;
                return Ok(after);
            }
            Err(StoreError::Conflict) => approval = flow.read_again(approval.id, tries).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(approval)
}
