//! Mailing a signer: claim, send, mark. SendEmail has no idempotency field, so a mail is at least once: a process
//! that dies between the call and the mark leaves a claim that another takes over after its lease.

use super::{Flow, Step, mail_event};
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::RequestState;
use crate::domain::evidence::{Observation, Seen};
use crate::domain::ids::ApprovalId;
use crate::domain::link::LinkClaim;
use crate::domain::mail_event::MailLabel;
use crate::domain::mail_status::{Fate, MailNote, MailRef, trouble};
use crate::domain::schedule;
use crate::domain::signer::{MailKind, MailTask, Posted, SignerRecord, SignerState};
use crate::mail::{Mail, MailError, messages};
use crate::store::{Change, Loaded, StoreError};
use jiff::{SignedDuration, Timestamp};

/// Sends the mail that signer `number` is owed, if one is due.
pub async fn mail(flow: &Flow, id: ApprovalId, number: u8) -> Result<Step, StoreError> {
    let now = flow.clock.now();
    let approval = match flow.store.load(id).await? {
        Loaded::Approval(approval) => *approval,
        Loaded::Unfinished(stored)
            if now.duration_since(stored.body.created) > super::open::INTAKE_ABANDONED =>
        {
            return match flow.store.forget_due(id, number).await {
                // It has become an approval in this very moment: its mail is due.
                Err(StoreError::Conflict) => Ok(Step::Nothing),
                forgotten => forgotten.map(|()| Step::Done),
            };
        }
        Loaded::Unfinished(_) | Loaded::Nothing => return Ok(Step::Nothing),
    };
    let Some(signer) = approval.signers.get(usize::from(number)) else {
        return Ok(Step::Nothing);
    };
    let Some(task) = signer.mail.clone().filter(|task| task.due <= now) else {
        return Ok(Step::Nothing);
    };

    let Some(approval) = super::watch::before_what_is_late(flow, approval, task.due).await? else {
        return Ok(Step::Nothing);
    };
    let signer = &approval.signers[usize::from(number)];

    let Some(mail) = compose(flow, &approval, signer, task.kind, now) else {
        let change = with_signer(SignerRecord {
            mail: None,
            ..signer.clone()
        });
        return claimed(flow.commit(&approval, change).await).map(|_| Step::Done);
    };
    let attempt = MailTask {
        due: now + schedule::MAIL_LEASE,
        attempts: task.attempts + 1,
        ..task.clone()
    };
    let claim = with_signer(SignerRecord {
        mail: Some(attempt.clone()),
        ..signer.clone()
    });
    let Some(approval) = claimed(flow.commit(&approval, claim).await)? else {
        return Ok(Step::Nothing);
    };

    let sent = flow.mailer.send(&mail).await;
    let at = flow.clock.now();
    if let Err(error) = &sent {
        // SES's own words may hold an address; the code doesn't.
        tracing::warn!(approval.id = %id, signer.index = number, mail.kind = ?task.kind, aws.error.code = error.code(), "mail not taken");
    }
    let result = match &sent {
        Ok(_) => "sent",
        Err(MailError::Again { .. }) => "again",
        Err(MailError::Refused { .. }) => "refused",
    };
    flow.metrics.mail(task.kind, result);
    let taken = sent.is_ok();
    let after = mark(flow, approval, number, &attempt, sent).await?;
    if taken {
        // What it was on an operator's list for may be mended with this.
        mail_event::settle(flow, &after).await;
        // A note for the evidence. Without it the mail was sent all the same.
        let seen = Observation {
            at,
            signer: number,
            seen: Seen::MailSent,
        };
        let _ = flow.store.observe(id, &seen).await;
    }
    Ok(Step::Done)
}

/// A claim that somebody else made first isn't a failure.
fn claimed(committed: Result<Approval, StoreError>) -> Result<Option<Approval>, StoreError> {
    match committed {
        Ok(approval) => Ok(Some(approval)),
        Err(StoreError::Conflict) => Ok(None),
        Err(error) => Err(error),
    }
}

fn with_signer(signer: SignerRecord) -> Change {
    Change {
        signers: vec![signer],
        ..Change::default()
    }
}

/// Writes down what became of an attempt. The signer may have answered in the meantime: then the answer stays, and
/// the mail that it asked for too; what SES took is remembered all the same.
async fn mark(
    flow: &Flow,
    mut approval: Approval,
    number: u8,
    attempt: &MailTask,
    sent: Result<String, MailError>,
) -> Result<Approval, StoreError> {
    let at = flow.clock.now();
    for tries in 0.. {
        let signer = &approval.signers[usize::from(number)];
        let change = if signer.mail.as_ref() == Some(attempt) {
            Change {
                signers: vec![after_attempt(flow, &approval, signer, attempt, &sent, at)],
                mail_notes: note(&approval, signer, attempt, &sent, at).into_iter().collect(),
                ..Change::default()
            }
        } else if let Ok(message) = &sent {
            with_signer(SignerRecord {
                posted: signer.posted_with(posted(message, attempt.kind, at)),
                ..signer.clone()
            })
        } else {
            return Ok(approval);
        };
        let noted = change.mail_notes.first().map(|note| note.fate.word());
        match flow.commit(&approval, change).await {
            Err(StoreError::Conflict) => approval = flow.read_again(approval.id, tries).await?,
            Err(error) => return Err(error),
            Ok(after) => {
                if let Some(event) = noted {
                    flow.metrics.mail_event(event);
                    tracing::error!(approval.id = %after.id, signer.index = number, mail.kind = attempt.kind.word(), mail.event = event, "a mail can't be sent: an operator has to look at it");
                }
                return Ok(after);
            }
        }
    }
    Ok(approval)
}

fn posted(message: &str, kind: MailKind, at: Timestamp) -> Posted {
    Posted {
        message: message.to_owned(),
        kind,
        at,
    }
}

/// How often a mail is tried in vain before somebody should know.
const TRIES_IN_VAIN: u32 = 5;

/// What an operator should know of an attempt that SES didn't take: once for each time that it happens.
fn note(
    approval: &Approval,
    signer: &SignerRecord,
    attempt: &MailTask,
    sent: &Result<String, MailError>,
    at: Timestamp,
) -> Option<MailNote> {
    let attempted = format!("{}#{}#{at}", approval.id, signer.number);
    let mail = MailRef::new(&attempted, attempt.kind, at);
    let fate = match sent {
        Err(MailError::Refused { code, .. }) => Fate::Refused { code: code.clone() },
        Err(MailError::Again { code, needs_somebody })
            if mail.asks && (*needs_somebody || attempt.attempts >= TRIES_IN_VAIN) =>
        {
            Fate::HeldUp { code: code.clone() }
        }
        _ => return None,
    };
    let known = trouble(approval, signer).is_some_and(|note| note.fate == fate);
    let listed = mail.asks && approval.is_pending() && signer.state.is_open();
    (!known).then_some(MailNote {
        at,
        signer: signer.number,
        mail,
        happened: at,
        fate,
        said: None,
        listed,
    })
}

fn after_attempt(
    flow: &Flow,
    approval: &Approval,
    signer: &SignerRecord,
    attempt: &MailTask,
    sent: &Result<String, MailError>,
    now: Timestamp,
) -> SignerRecord {
    let invitation = attempt.kind == MailKind::Invitation;
    match sent {
        Ok(message) => SignerRecord {
            state: match &signer.state {
                SignerState::Waiting if invitation => SignerState::Sent { at: now },
                state => state.clone(),
            },
            mail: next_reminder(approval, attempt.kind, now),
            posted: signer.posted_with(posted(message, attempt.kind, now)),
            ..signer.clone()
        },
        Err(MailError::Again { code, .. }) => {
            let pause = schedule::mail_delay(attempt.attempts, flow.random.unit());
            SignerRecord {
                mail: Some(MailTask {
                    due: flow.clock.now() + pause,
                    last_error: Some(code.clone()),
                    ..attempt.clone()
                }),
                ..signer.clone()
            }
        }
        Err(MailError::Refused { reason, .. }) => SignerRecord {
            state: match &signer.state {
                SignerState::Waiting if invitation => SignerState::Bounced {
                    at: now,
                    reason: reason.clone(),
                },
                state => state.clone(),
            },
            mail: None,
            ..signer.clone()
        },
    }
}

fn next_reminder(approval: &Approval, sent: MailKind, now: Timestamp) -> Option<MailTask> {
    let reminders = approval.body.terms.reminders.filter(|_| approval.is_pending())?;
    let (nth, seconds) = match sent {
        MailKind::Invitation => (1, reminders.after_seconds),
        MailKind::Reminder { nth } => (nth + 1, reminders.every_seconds),
        MailKind::Receipt | MailKind::Closed => return None,
    };
    let pause = SignedDuration::from_secs(i64::try_from(seconds).ok()?);
    (nth <= reminders.max).then(|| MailTask::new(MailKind::Reminder { nth }, now + pause))
}

/// The mail, or `None` when what it would say is no longer so.
fn compose(
    flow: &Flow,
    approval: &Approval,
    signer: &SignerRecord,
    kind: MailKind,
    now: Timestamp,
) -> Option<Mail> {
    let to = approval
        .people
        .signers
        .get(usize::from(signer.number))?
        .as_ref()?
        .email
        .clone()?;
    let claim = LinkClaim {
        approval: approval.id,
        signer: signer.number,
        generation: signer.generation,
    };
    let about = messages::About {
        organisation: &flow.settings.organisation,
        time_zone: &flow.settings.time_zone,
        approval,
        signer,
        link: flow.signer_url(&claim),
        now,
    };
    let asked = approval.is_pending() && signer.state.is_open();
    let written = match kind {
        MailKind::Invitation if asked => messages::invitation(&about),
        MailKind::Reminder { .. } if asked => messages::reminder(&about),
        MailKind::Receipt => match &approval.record.state {
            RequestState::Ended(ended) if matches!(ended.callback, Callback::Moot { .. }) => {
                messages::too_late(&about)
            }
            _ => messages::receipt(&about),
        },
        MailKind::Closed => messages::closed(&about),
        MailKind::Invitation | MailKind::Reminder { .. } => return None,
    };
    Some(Mail {
        to,
        subject: written.subject,
        html: written.html,
        text: written.text,
        label: MailLabel {
            approval: approval.id,
            signer: signer.number,
        },
        kind,
    })
}
