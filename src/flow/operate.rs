//! What operators and programs do to a request: complete it on behalf of its signers, or withdraw it. Only the
//! operations function (and, with a key, the API) comes here; the right to ask is not the right to answer.

use super::decide::{Given, answer};
use super::{Flow, call_back, watch};
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::{AnsweredBy, Ended, Ending, RequestState};
use crate::domain::evidence::What;
use crate::domain::ids::ApprovalId;
use crate::domain::request::OutcomeKind;
use crate::domain::signer::{MailKind, MailTask, SignerRecord, SignerState, fold_name};
use crate::domain::task_token::CallbackTarget;
use crate::step_functions::{ExecutionError, Proof};
use crate::store::{Change, StoreError};

/// Which request is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// By its id.
    Id(ApprovalId),
    /// By the author's own id; exactly one pending request must have it.
    ExternalId(String),
}

/// Why an operation wasn't done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OperateError {
    /// There is no such pending request.
    #[error("no pending request matches")]
    NotFound,
    /// Several match.
    #[error("{} pending requests match; name one by its requestId: {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Several(Vec<ApprovalId>),
    /// The outcome isn't one of the request's.
    #[error("outcome must be one of {0}")]
    NoSuchOutcome(String),
    /// It has ended already.
    #[error("{id} is {status} already")]
    Ended {
        /// The request.
        id: ApprovalId,
        /// How.
        status: &'static str,
    },
    /// Nobody of that name is asked, or they have answered.
    #[error("nobody of that name or address is still asked")]
    NoSuchSigner,
    /// Its execution can't be stopped.
    #[error("{0}; nothing was withdrawn")]
    CantStop(String),
    /// Its callback doesn't wait for an operator.
    #[error("the callback of {0} is not parked; there is nothing to retry")]
    NotParked(ApprovalId),
    /// Try again.
    #[error("the request could not be read or written; try again")]
    Unavailable(#[from] StoreError),
}

/// How often a mail is put down again after somebody else wrote in between.
const MAX_TRIES: u32 = 20;
/// The most matches that are told.
const MAX_MATCHES: usize = 20;

/// The request that is meant.
pub async fn find(flow: &Flow, which: &Which) -> Result<Approval, OperateError> {
    match which {
        Which::Id(id) => flow
            .store
            .load(*id)
            .await?
            .approval()
            .ok_or(OperateError::NotFound),
        Which::ExternalId(external) => {
            let mut found = flow.store.pending_by_external_id(external, MAX_MATCHES).await?;
            match found.len() {
                0 => Err(OperateError::NotFound),
                1 => Ok(found.remove(0)),
                _ => Err(OperateError::Several(
                    found.iter().map(|approval| approval.id).collect(),
                )),
            }
        }
    }
}

/// Answers for everybody who hasn't, with `outcome` (or, without one, the first that approves). Evidence and result
/// say that it was done on their behalf.
pub async fn complete(
    flow: &Flow,
    which: &Which,
    outcome: Option<&str>,
    comment: Option<&str>,
) -> Result<Approval, OperateError> {
    let mut approval = watch::still_waiting(flow, find(flow, which).await?).await?;
    let outcomes = &approval.body.terms.outcomes;
    let chosen = match outcome {
        Some(id) => outcomes.iter().find(|outcome| outcome.id == id),
        None => outcomes
            .iter()
            .find(|outcome| outcome.kind == OutcomeKind::Approve),
    };
    let Some(chosen) = chosen.cloned() else {
        let ids: Vec<String> = outcomes
            .iter()
            .map(|outcome| format!("\"{}\"", outcome.id))
            .collect();
        return Err(OperateError::NoSuchOutcome(ids.join(", ")));
    };
    let mut recorded = false;
    for signer in approval.unanswered().collect::<Vec<_>>() {
        let given = Given {
            outcome: chosen.clone(),
            by: AnsweredBy::Operations,
            comment: comment.map(str::to_owned),
            typed_name: None,
            address: None,
            browser: None,
        };
        let (after, done) = answer(flow, approval, signer, given).await?;
        recorded |= done;
        approval = after;
    }
    if recorded {
        Ok(approval)
    } else {
        Err(ended(&approval))
    }
}

/// Withdraws a pending request: the workflow gets `Approval.Cancelled`. With `stop` its execution is stopped instead, once
/// its own history has proven that it is the one that waits for this request.
pub async fn cancel(
    flow: &Flow,
    which: &Which,
    by: &str,
    reason: Option<&str>,
    stop: bool,
) -> Result<Approval, OperateError> {
    let mut approval = find(flow, which).await?;
    if stop && approval.is_pending() {
        may_stop(flow, &approval).await?;
    }
    for tries in 0.. {
        if !approval.is_pending() {
            return Err(ended(&approval));
        }
        let now = flow.clock.now();
        let (by, reason) = (by.to_owned(), reason.map(str::to_owned));
        let what = What::Cancelled {
            by: by.clone(),
            reason: reason.clone(),
            stop,
        };
        let state = RequestState::Ended(Ended {
            ending: Ending::Cancelled {
                at: now,
                by,
                reason,
                stop,
            },
            callback: Callback::first_attempt(now),
            notices: Some(now),
        });
        match flow
            .transition(&approval, what, now, Some(state), Vec::new())
            .await
        {
            Ok(after) => {
                tracing::info!(approval.id = %after.id, "request cancelled");
                let after = call_back::first_attempt(flow, after).await;
                return Ok(after);
            }
            Err(StoreError::Conflict) => approval = flow.read_again(approval.id, tries).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(ended(&approval))
}

/// Whether the execution that the request names may be stopped for it. A requester writes that name: it is believed
/// only if the execution's history says the same.
async fn may_stop(flow: &Flow, approval: &Approval) -> Result<(), OperateError> {
    let cant = |why: &str| Err(OperateError::CantStop(why.to_owned()));
    let Some(arn) = approval.execution_arn() else {
        return cant("the request doesn't say which execution it belongs to (execution.arn)");
    };
    let token = match flow.target(approval) {
        Ok(CallbackTarget::TaskToken(token)) => token,
        Ok(CallbackTarget::DurableCallback(_)) => {
            return cant("only executions of Step Functions can be stopped");
        }
        Err(error) => return cant(&error.to_string()),
    };
    match flow.step_functions.prove(arn, &token).await {
        Ok(Proof::GaveToken) => Ok(()),
        Ok(Proof::DidNot) => cant("the history of the execution doesn't show that it waits for this request"),
        Ok(Proof::NobodyWaits) => cant("the workflow no longer waits for this request"),
        Ok(Proof::Refused(reason)) => cant(&format!(
            "Step Functions doesn't say whether the workflow waits ({reason})"
        )),
        Err(ExecutionError::Again { code }) => {
            cant(&format!("Step Functions can't be asked just now ({code})"))
        }
        Err(ExecutionError::Refused { code, message, .. }) => {
            cant(&format!("the execution can't be looked at ({code}: {message})"))
        }
    }
}

/// Mails the link again: to everybody who hasn't answered, or to the one whose name or address `to` is. Older mails
/// keep working. Gives whom it goes to.
pub async fn resend(
    flow: &Flow,
    id: ApprovalId,
    to: Option<&str>,
) -> Result<(Approval, Vec<u8>), OperateError> {
    let mut approval = find(flow, &Which::Id(id)).await?;
    for tries in 0.. {
        if !approval.is_pending() {
            return Err(ended(&approval));
        }
        let now = flow.clock.now();
        let again: Vec<SignerRecord> = approval
            .signers
            .iter()
            .filter(|signer| {
                signer.state.is_open() && to.is_none_or(|to| is_called(&approval, signer.number, to))
            })
            .map(|signer| SignerRecord {
                // A mail that was refused may be taken now.
                state: match &signer.state {
                    SignerState::Bounced { .. } => SignerState::Waiting,
                    state => state.clone(),
                },
                mail: Some(MailTask::new(MailKind::Invitation, now)),
                ..signer.clone()
            })
            .collect();
        if again.is_empty() {
            return Err(OperateError::NoSuchSigner);
        }
        let numbers = again.iter().map(|signer| signer.number).collect();
        let change = Change {
            signers: again,
            ..Change::default()
        };
        match flow.commit(&approval, change).await {
            Ok(after) => return Ok((after, numbers)),
            Err(StoreError::Conflict) if tries < MAX_TRIES => {
                approval = flow.read_again(id, tries).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

fn is_called(approval: &Approval, signer: u8, to: &str) -> bool {
    let address = approval.people.signers[usize::from(signer)]
        .as_ref()
        .and_then(|person| person.email.as_deref());
    fold_name(&approval.people.name(signer)) == fold_name(to)
        || address.is_some_and(|address| address.eq_ignore_ascii_case(to.trim()))
}

/// Takes up a parked callback again, once what it was parked for is mended, and makes the first attempt at once.
pub async fn retry(flow: &Flow, id: ApprovalId) -> Result<Approval, OperateError> {
    let approval = find(flow, &Which::Id(id)).await?;
    let RequestState::Ended(ended) = &approval.record.state else {
        return Err(OperateError::NotParked(id));
    };
    let Callback::Parked(parked) = &ended.callback else {
        return Err(OperateError::NotParked(id));
    };
    let again = Ended {
        callback: Callback::Queued(parked.again(flow.clock.now())),
        ..ended.clone()
    };
    let change = Change {
        state: Some(RequestState::Ended(again)),
        ..Change::default()
    };
    let approval = flow.commit(&approval, change).await?;
    tracing::info!(approval.id = %id, "parked callback taken up again");
    call_back::next_attempt(flow, approval).await?;
    find(flow, &Which::Id(id)).await
}

fn ended(approval: &Approval) -> OperateError {
    OperateError::Ended {
        id: approval.id,
        status: approval.record.state.status(),
    }
}
