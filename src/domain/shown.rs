//! One request as operators see it, in JSON: what the API answers, and the function of the operators.

use super::approval::Approval;
use super::callback::Callback;
use super::decision::{AnsweredBy, RequestState};
use super::explain::{attention, explain};
use super::mail_status::{self, MailNote, Standing};
use super::signer::{SignerRecord, SignerState};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What a list and every operation's answer tell of a request.
pub fn summary(approval: &Approval) -> Value {
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

/// Everything about a request, with sentences that explain it. Never a task token or a link.
pub fn whole(approval: &Approval, now: Timestamp, time_zone: &str) -> Value {
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
    shown["explanation"] = json!(explain(approval, now, time_zone));
    shown
}

fn signer(approval: &Approval, record: &SignerRecord) -> Value {
    let person = approval.people.signers[usize::from(record.number)].as_ref();
    let standing = mail_status::standing(approval, record);
    let status = match &record.state {
        SignerState::Waiting => "waiting",
        SignerState::Sent { .. } => match standing {
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
    if let Standing::Delivered(note) | Standing::Delayed(note) | Standing::Trouble(note) = standing {
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
