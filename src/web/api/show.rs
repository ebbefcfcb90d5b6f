//! One request as operators see it: `GET /api/v1/requests/{id}`, and the same for each entry of a list.

use super::{ApiError, answer, request_id, unavailable};
use crate::domain::api_key::Scope;
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::{AnsweredBy, RequestState};
use crate::domain::explain::{attention, explain};
use crate::domain::ids::ApprovalId;
use crate::domain::mail_status::{self, MailNote, Standing};
use crate::domain::signer::{SignerRecord, SignerState};
use crate::web::error::WebError;
use crate::web::{Web, auth};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// Shows a request, with sentences that explain it.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    auth::caller(&web, &headers, Scope::Read)?;
    let approval = load(&web, request_id(&id)?).await?;
    let mut shown = whole(&approval);
    let settings = &web.flow.settings;
    shown["explanation"] = json!(explain(&approval, web.flow.clock.now(), &settings.time_zone));
    Ok(answer(StatusCode::OK, &shown))
}

pub(super) async fn load(web: &Web, id: ApprovalId) -> Result<Approval, WebError> {
    let loaded = web
        .flow
        .store
        .load(id)
        .await
        .map_err(|cause| unavailable(&cause))?;
    loaded.approval().ok_or_else(|| ApiError::NoSuchRequest.into())
}

/// What a list and every operation's answer tell of a request.
pub(super) fn summary(approval: &Approval) -> Value {
    let terms = &approval.body.terms;
    let mut shown = json!({
        "requestId": approval.id,
        "status": approval.record.state.status(),
        "title": terms.title,
        "createdAt": approval.body.created,
        "deadline": approval.body.deadline(),
        "externalId": terms.external_id,
        "tags": terms.tags,
    });
    if approval.is_pending() {
        let waiting: Vec<String> = approval
            .unanswered()
            .map(|number| approval.people.name(number))
            .collect();
        shown["waitingFor"] = json!(waiting);
    }
    let attention = attention(approval);
    if !attention.is_empty() {
        shown["attention"] = json!(attention);
    }
    if let RequestState::Ended(ended) = &approval.record.state {
        shown["endedAt"] = json!(ended.ending.at());
        shown["callback"] = callback(&ended.callback);
    }
    shown
}

fn whole(approval: &Approval) -> Value {
    let terms = &approval.body.terms;
    let mut shown = summary(approval);
    shown["message"] = json!(terms.message);
    shown["documentId"] = json!(terms.document_id);
    shown["execution"] = json!(terms.execution.as_ref().map(|execution| json!({
        "arn": execution.arn, "name": execution.name, "stateName": execution.state_name,
    })));
    shown["requester"] = json!(approval.people.requester);
    shown["metadata"] = json!(terms.metadata);
    shown["policy"] = json!(terms.policy);
    shown["signers"] = approval
        .signers
        .iter()
        .map(|record| signer(approval, record))
        .collect();
    shown["evidence"] = json!({"head": approval.record.evidence.hash, "events": approval.events.len()});
    shown
}

fn signer(approval: &Approval, record: &SignerRecord) -> Value {
    let person = approval.people.signers[usize::from(record.number)].as_ref();
    let status = match &record.state {
        SignerState::Waiting => "waiting",
        SignerState::Sent { .. } => match mail_status::standing(approval, record) {
            Standing::Delivered(_) => "delivered",
            Standing::Trouble(_) => "bounced",
            Standing::Unknown | Standing::Delayed(_) => "sent",
        },
        SignerState::Bounced { .. } => "bounced",
        SignerState::Answered(_) => "answered",
        SignerState::Replaced { .. } => "replaced",
    };
    let mut shown = json!({
        "name": approval.people.name(record.number),
        "email": person.and_then(|person| person.email.as_deref()),
        "role": approval.body.signers[usize::from(record.number)].role,
        "status": status,
    });
    match &record.state {
        SignerState::Sent { at } => shown["mailedAt"] = json!(at),
        SignerState::Bounced { at, reason } => shown["bounced"] = json!({"at": at, "reason": reason}),
        SignerState::Answered(given) => {
            shown["answer"] = json!({
                "outcome": given.outcome,
                "comment": given.private.comment,
                "at": given.at,
                "by": match given.by {
                    AnsweredBy::Link => "signer",
                    AnsweredBy::Operations => "operations",
                },
            });
        }
        SignerState::Waiting | SignerState::Replaced { .. } => {}
    }
    if let Standing::Delivered(note) | Standing::Delayed(note) | Standing::Trouble(note) =
        mail_status::standing(approval, record)
    {
        shown["mail"] = mail(note);
    }
    if let Some(mail) = &record.mail {
        shown["nextMail"] = json!({
            "kind": mail.kind.word(), "at": mail.due, "attempts": mail.attempts, "lastError": mail.last_error,
        });
    }
    shown
}

/// What became of the newest mail of which anything is known.
fn mail(note: &MailNote) -> Value {
    let mut shown = json!(note.fate);
    shown["is"] = json!(note.fate.word());
    shown["at"] = json!(note.happened);
    shown["mailedAt"] = json!(note.mail.sent);
    shown["explanation"] = json!(mail_status::words(&note.fate));
    shown["said"] = json!(note.said);
    shown
}

/// Whether the workflow knows.
fn callback(callback: &Callback) -> Value {
    match callback {
        Callback::Held { until } => json!({"state": "held", "until": until}),
        Callback::Queued(queued) => json!({
            "state": "queued", "attempts": queued.attempts, "nextAttemptAt": queued.due, "lastError": queued.last_error,
        }),
        Callback::Delivered { at } => json!({"state": "delivered", "at": at}),
        Callback::Moot { at, because } => json!({"state": "moot", "at": at, "reason": because}),
        Callback::Parked(parked) => json!({
            "state": "parked", "at": parked.at, "reason": parked.reason, "attempts": parked.attempts,
        }),
    }
}
