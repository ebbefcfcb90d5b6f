//! Taking a request in. Every way in ends here; the token makes it idempotent: at-least-once delivery makes one
//! approval and one mail.

use super::Flow;
use crate::domain::approval::Approval;
use crate::domain::body::{Body, People, SaltSeed};
use crate::domain::callback::{CallbackMessage, MAX_CAUSE_CHARS};
use crate::domain::decision::{Pending, RequestRecord, RequestState};
use crate::domain::evidence::{Event, What};
use crate::domain::ids::ApprovalId;
use crate::domain::request::{self, ApprovalRequest, InvalidRequest};
use crate::domain::schedule;
use crate::domain::signer::{MailKind, MailTask, SignerRecord, SignerState};
use crate::domain::task_token::CallbackTarget;
use crate::step_functions::SendError;
use crate::store::{BodyWrite, DueWhat, Loaded, Lookup, StoreError, StoredBody};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// After this long an intake that left a body without a state is certainly dead, however the clocks differ.
pub const INTAKE_ABANDONED: SignedDuration = SignedDuration::from_mins(15);

/// The most characters of a refusal's problems, of all that a cause may hold.
const MOST_OF_A_CAUSE: usize = MAX_CAUSE_CHARS / 4;

/// A request that was taken in, now or earlier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The approval.
    pub id: ApprovalId,
    /// `pending`, unless it was taken in before.
    pub status: &'static str,
    /// Whether this call made it.
    pub created: bool,
}

/// Why a request wasn't taken in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// It is wrong; the same request will be refused again.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// It may be right; try again.
    #[error("the request could not be stored; try again")]
    Unavailable(#[from] StoreError),
}

/// Takes a request in: writes the approval and wakes the worker for the mails.
pub async fn open(flow: &Flow, request: &Value) -> Result<Opened, OpenError> {
    let opened = take_in(flow, request).await;
    flow.metrics.request(match &opened {
        Ok(opened) if opened.created => "created",
        Ok(_) => "known",
        Err(OpenError::Invalid(_)) => "refused",
        Err(OpenError::Unavailable(_)) => "unavailable",
    });
    opened
}

/// Tells a workflow why its request isn't taken in, where it can't be told otherwise: its task fails with
/// `Approval.InvalidRequest`, or with `Approval.Unavailable` where a Retry of the same request may do better.
///
/// [`SendError::Closed`] when the workflow no longer waits.
pub async fn fail(flow: &Flow, target: &CallbackTarget, error: &OpenError) -> Result<(), SendError> {
    let (name, problems) = match error {
        OpenError::Invalid(invalid) => ("Approval.InvalidRequest", &invalid.problems[..]),
        OpenError::Unavailable(_) => ("Approval.Unavailable", &[][..]),
    };
    let mut length = 0;
    let told: Vec<Value> = problems
        .iter()
        .take_while(|problem| {
            length += problem.field.chars().count() + problem.message.chars().count();
            length <= MOST_OF_A_CAUSE
        })
        .map(|problem| json!({"field": problem.field, "message": problem.message}))
        .collect();
    let message: String = error.to_string().chars().take(MOST_OF_A_CAUSE).collect();
    let mut cause = json!({"status": "refused", "message": message});
    if !problems.is_empty() {
        cause["errors"] = told.into();
    }
    let message = CallbackMessage::Failure {
        error: name,
        cause: cause.to_string(),
    };
    flow.step_functions.send(target, &message).await?;
    tracing::info!(error = name, "a workflow is told that its request isn't taken in");
    Ok(())
}

async fn take_in(flow: &Flow, request: &Value) -> Result<Opened, OpenError> {
    let parsed = request::parse(request, &flow.settings.directory).and_then(|parsed| beats(flow, parsed));
    let request = match parsed {
        Ok(request) => request,
        Err(invalid) => {
            return already_known(flow, request)
                .await?
                .ok_or(OpenError::Invalid(invalid));
        }
    };
    let id = ApprovalId::of(&request.target);
    let stored = body_of(flow, id, &request, flow.clock.now());
    match flow.store.write_body(id, &stored).await? {
        BodyWrite::Written => finish(flow, id, &request, &stored).await,
        BodyWrite::Exists(_) => match flow.store.load(id).await? {
            Loaded::Approval(approval) => Ok(known(&approval)),
            Loaded::Unfinished(there) => take_over(flow, id, &request, &there).await,
            Loaded::Nothing => Err(StoreError::Conflict.into()),
        },
    }
}

/// Refuses heartbeats that would come too late.
fn beats(flow: &Flow, request: ApprovalRequest) -> Result<ApprovalRequest, InvalidRequest> {
    let least = flow.settings.least_heartbeat;
    match request.terms.heartbeat_seconds {
        Some(seconds) if seconds < least => Err(InvalidRequest::of(
            "heartbeatSeconds",
            format!("is {seconds}; this function is woken once a minute, so it must be at least {least}"),
        )),
        _ => Ok(request),
    }
}

/// A token that is already known is never failed by a bad duplicate: the first request stands, and one that is being
/// taken in may still come to stand.
async fn already_known(flow: &Flow, request: &Value) -> Result<Option<Opened>, OpenError> {
    let Some(target) = request::target_of(request) else {
        return Ok(None);
    };
    match flow.store.load(ApprovalId::of(&target)).await? {
        Loaded::Approval(approval) => Ok(Some(known(&approval))),
        Loaded::Unfinished(there) if !is_abandoned(flow, &there) => Err(StoreError::Conflict.into()),
        Loaded::Unfinished(_) | Loaded::Nothing => Ok(None),
    }
}

/// Whether the intake that left a body without a state is certainly dead.
fn is_abandoned(flow: &Flow, there: &StoredBody) -> bool {
    flow.clock.now().duration_since(there.body.created) > INTAKE_ABANDONED
}

fn known(approval: &Approval) -> Opened {
    Opened {
        id: approval.id,
        status: approval.record.state.status(),
        created: false,
    }
}

fn body_of(flow: &Flow, id: ApprovalId, request: &ApprovalRequest, created: Timestamp) -> StoredBody {
    let seed = SaltSeed::from_random(flow.random.bytes());
    let body = Body::of(request, created, &seed);
    let digest = body.digest();
    let random = |bytes: &mut [u8]| bytes.copy_from_slice(&flow.random.bytes::<12>()[..bytes.len()]);
    let target = flow.keys.seal(id, &digest, &request.target, &random);
    StoredBody {
        body,
        digest,
        target,
        seed: Some(seed),
    }
}

/// An intake was cut off between the body and the state. The same request finishes it; another one has to wait until
/// the first is certainly dead.
async fn take_over(
    flow: &Flow,
    id: ApprovalId,
    request: &ApprovalRequest,
    there: &StoredBody,
) -> Result<Opened, OpenError> {
    let same = there
        .seed
        .is_some_and(|seed| Body::of(request, there.body.created, &seed).digest() == there.digest);
    if same {
        return finish(flow, id, request, there).await;
    }
    if is_abandoned(flow, there) {
        let stored = body_of(flow, id, request, flow.clock.now());
        flow.store.replace_body(id, &stored, &there.digest).await?;
        return finish(flow, id, request, &stored).await;
    }
    Err(StoreError::Conflict.into())
}

/// Writes what belongs to a body, then the state. Made from the body alone, so that two who do it at once write the
/// same.
async fn finish(
    flow: &Flow,
    id: ApprovalId,
    request: &ApprovalRequest,
    stored: &StoredBody,
) -> Result<Opened, OpenError> {
    let body = &stored.body;
    let people = People {
        signers: request
            .signers
            .iter()
            .map(|signer| Some(signer.person.clone()))
            .collect(),
        requester: request.requester.clone(),
    };
    let signers: Vec<SignerRecord> = (0..)
        .zip(&body.signers)
        .map(|(number, _)| SignerRecord {
            number,
            revision: 1,
            generation: 0,
            state: SignerState::Waiting,
            mail: Some(MailTask::new(MailKind::Invitation, body.created)),
            told: false,
            posted: Vec::new(),
        })
        .collect();
    let event = Event::next(
        id,
        None,
        body.created,
        What::Requested { body: stored.digest },
        (Vec::new(), Vec::new()),
    );
    flow.store
        .write_parts(id, &people, &signers, &event, &Lookup::of(body, &people))
        .await?;

    let record = RequestRecord {
        version: 1,
        evidence: flow.evidence.sign(&event),
        state: RequestState::Pending(Pending {
            deadline: body.deadline(),
            heartbeat: body
                .terms
                .heartbeat_seconds
                .map(|seconds| body.created + super::watch::beat(seconds)),
            check: body.created + schedule::WORKFLOW_CHECK,
        }),
    };
    let created = flow.store.write_state(id, body, &record).await?;
    if created {
        tracing::info!(approval.id = %id, signers = signers.len(), "request taken in");
        flow.wake(id, DueWhat::Request, record.state.due());
        for signer in &signers {
            flow.wake(id, DueWhat::Mail(signer.number), Some(body.created));
        }
    }
    Ok(Opened {
        id,
        status: record.state.status(),
        created,
    })
}
