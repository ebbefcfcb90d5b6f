//! What people are asked on behalf of an execution, for the page that the embedded AWS shows of it: from the service's
//! own index by execution. The links are those of the mails, which on this machine anybody can read as well.

use crate::domain::approval::Approval;
use crate::domain::link::LinkClaim;
use crate::domain::signer::SignerState;
use crate::flow::Flow;
use crate::flow::list::{Wanted, page};
use crate::store::{Known, Listed};
use aws_local::{ApprovalsOf, PendingApproval};
use std::sync::{Arc, OnceLock};

/// How many are told of one execution: those that were made last.
const MOST: usize = 50;

/// Tells of the approvals in `flow`, which is set when there is one: the service is made of the embedded AWS.
pub(super) fn approvals(flow: Arc<OnceLock<Arc<Flow>>>) -> ApprovalsOf {
    Arc::new(move |execution| {
        let flow = flow.get().cloned();
        Box::pin(async move {
            match flow {
                Some(flow) => pending(&flow, execution).await,
                None => Vec::new(),
            }
        })
    })
}

async fn pending(flow: &Flow, execution: String) -> Vec<PendingApproval> {
    let wanted = Wanted {
        list: Listed::Pending,
        known: vec![Known::Execution(execution)],
        created_before: None,
        created_after: None,
    };
    match page(flow, &wanted, None, MOST).await {
        Ok(found) => found
            .approvals
            .iter()
            .map(|approval| told(flow, approval))
            .collect(),
        Err(error) => {
            tracing::warn!(error = %error, "the approvals of an execution can't be shown");
            Vec::new()
        }
    }
}

fn told(flow: &Flow, approval: &Approval) -> PendingApproval {
    let link = |number: u8| {
        let signer = &approval.signers[usize::from(number)];
        let claim = LinkClaim {
            approval: approval.id,
            signer: number,
            generation: signer.generation,
        };
        (approval.people.name(number), flow.signer_url(&claim))
    };
    // In a sequence those who come later have no mail yet.
    let asked = |number: &u8| {
        let state = &approval.signers[usize::from(*number)].state;
        matches!(state, SignerState::Sent { .. } | SignerState::Bounced { .. })
    };
    PendingApproval {
        title: approval.body.terms.title.clone(),
        status: approval.record.state.status().to_owned(),
        waiting_for: approval.unanswered().filter(asked).map(link).collect(),
    }
}
