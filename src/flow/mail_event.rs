//! SES tells what became of a mail. An event counts only if the approval that it names has sent a mail with the message
//! id that it names: whoever makes one up has neither. It is noted beside the approval, outside the chain and outside
//! every condition, so that a bounce never contends with an answer; it may come late, twice, and in any order.

use super::Flow;
use crate::domain::approval::Approval;
use crate::domain::mail_event::{self, MailEvent, MailLabel};
use crate::domain::mail_status::{MAX_NOTES, MailNote, MailRef, trouble};
use crate::domain::signer::{MailTask, SignerRecord};
use crate::domain::sns::{self, Kind, SnsError, SnsMessage};
use crate::mail::certificates::FetchError;
use crate::store::StoreError;
use serde_json::Value;

/// What became of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is noted.
    Noted,
    /// It was known already.
    Known,
    /// It is about a mail that isn't one of ours, or that isn't remembered any more.
    NotOurs,
    /// It says nothing about arriving: a mail was sent or opened, a subscription ended.
    Nothing,
}

/// Why an event wasn't taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MailEventError {
    /// It never will be: drop it.
    #[error("not an event about a mail: {0}")]
    Malformed(String),
    /// It may be in a moment: have it delivered again.
    #[error("an event about a mail can't be taken yet: {0}")]
    Unavailable(String),
}

impl From<SnsError> for MailEventError {
    fn from(error: SnsError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<FetchError> for MailEventError {
    fn from(error: FetchError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<StoreError> for MailEventError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unreadable { .. } => Self::Malformed(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// Takes an event: SES's own, the EventBridge event around it, or the SNS message around it (also as Lambda hands it
/// over, in a record's `Sns`), whose topic must be one of ours and whose signature must be right.
pub async fn take(flow: &Flow, value: &Value) -> Result<Taken, MailEventError> {
    match sns::shaped(value) {
        Some(message) => take_message(flow, &signed(flow, message).await?).await,
        None => take_event(flow, value).await,
    }
}

/// Takes what SNS delivers over HTTP: an event in a signed message; or the question whether a topic of ours may go on to
/// deliver here, which is confirmed at SNS.
pub async fn receive(flow: &Flow, value: &Value) -> Result<(), MailEventError> {
    let message = signed(flow, value).await?;
    match message.kind {
        Kind::SubscriptionConfirmation => match &message.subscribe_url {
            Some(url) if message.subscribes_at_sns() => {
                flow.certificates.visit(url).await?;
                tracing::info!(sns.topic = message.topic_arn, "subscription confirmed");
                Ok(())
            }
            _ => Err(MailEventError::Malformed(
                "its subscription would be confirmed elsewhere than at SNS".to_owned(),
            )),
        },
        Kind::Notification | Kind::UnsubscribeConfirmation => take_message(flow, &message).await.map(drop),
    }
}

async fn take_message(flow: &Flow, message: &SnsMessage) -> Result<Taken, MailEventError> {
    if message.kind != Kind::Notification {
        return Ok(Taken::Nothing);
    }
    // SES says so in words, once, when a topic becomes a destination.
    let Ok(event) = serde_json::from_str(&message.message) else {
        return Ok(Taken::Nothing);
    };
    take_event(flow, &event).await
}

/// Reads an SNS message, and checks that SNS has signed it and that its topic is one of ours.
async fn signed(flow: &Flow, value: &Value) -> Result<SnsMessage, MailEventError> {
    let message = SnsMessage::read(value, &flow.settings.mail_topics)?;
    let pem = flow.certificates.get(message.certificate_url()).await?;
    message.verify(&pem)?;
    Ok(message)
}

async fn take_event(flow: &Flow, value: &Value) -> Result<Taken, MailEventError> {
    let taken = note_event(flow, value).await?;
    match taken {
        Taken::Known => flow.metrics.mail_event("known"),
        Taken::NotOurs => flow.metrics.mail_event("not_ours"),
        Taken::Noted | Taken::Nothing => {}
    }
    Ok(taken)
}

async fn note_event(flow: &Flow, value: &Value) -> Result<Taken, MailEventError> {
    let event = mail_event::read(value).map_err(|error| MailEventError::Malformed(error.to_string()))?;
    if event.fate.is_none() {
        return Ok(Taken::Nothing);
    }
    let Some(label) = event.label else {
        return Ok(Taken::NotOurs);
    };
    let Some(approval) = flow.store.load(label.approval).await?.approval() else {
        return Ok(Taken::NotOurs);
    };
    let Some(signer) = approval.signers.get(usize::from(label.signer)) else {
        return Ok(Taken::NotOurs);
    };
    let Some(note) = note(flow, &approval, signer, &event) else {
        return match &signer.mail {
            // SES may be quicker than we write down what it took.
            Some(mail) if under_way(mail, flow) => Err(MailEventError::Unavailable(
                "the mail may be one that is being sent right now".to_owned(),
            )),
            _ => Ok(Taken::NotOurs),
        };
    };
    let mine = approval
        .mail_notes
        .iter()
        .filter(|note| note.signer == label.signer);
    if mine.count() >= MAX_NOTES {
        tracing::warn!(approval.id = %approval.id, signer.index = label.signer, "more is told about this signer's mails than is kept");
        return Ok(Taken::Known);
    }
    let written = flow.store.note_mail(&approval, &note).await?;
    // Read again: with this note another may have lost its weight, and this one its own, by an answer that came in
    // between. Whoever writes last sees all.
    if let Some(now) = flow.store.load(approval.id).await?.approval() {
        unlist(flow, &now).await?;
    }
    if !written {
        return Ok(Taken::Known);
    }
    tell(flow, label, &approval, &note);
    Ok(Taken::Noted)
}

/// Whether an attempt to send is under way.
fn under_way(mail: &MailTask, flow: &Flow) -> bool {
    mail.attempts > 0 && mail.due > flow.clock.now()
}

/// The note of an event about one of the mails that this signer's record remembers.
fn note(flow: &Flow, approval: &Approval, signer: &SignerRecord, event: &MailEvent) -> Option<MailNote> {
    let posted = signer
        .posted
        .iter()
        .find(|posted| posted.message == event.message)?;
    let mail = MailRef::new(&posted.message, posted.kind, posted.at);
    let (now, fate) = (flow.clock.now(), event.fate.clone()?);
    let listed = fate.is_bad() && mail.asks && approval.is_pending() && signer.state.is_open();
    Some(MailNote {
        at: now,
        signer: signer.number,
        mail,
        happened: event.at.unwrap_or(posted.at),
        fate,
        said: event.said.clone(),
        listed,
    })
}

fn tell(flow: &Flow, label: MailLabel, approval: &Approval, note: &MailNote) {
    let (id, index, event) = (approval.id, label.signer, note.fate.word());
    flow.metrics.mail_event(event);
    if note.listed {
        tracing::error!(approval.id = %id, signer.index = index, mail.event = event, "a mail didn't arrive: an operator has to look at it");
    } else {
        tracing::info!(approval.id = %id, signer.index = index, mail.event = event, "told about a mail");
    }
}

/// Takes out of the list of what needs somebody whatever doesn't any more: the mail was delivered after all, the signer
/// has answered, the request has ended. What a crash leaves there, or an answer in the same moment, is left out by whoever
/// lists, and taken out then, or when the request ends.
pub(super) async fn unlist(flow: &Flow, approval: &Approval) -> Result<(), StoreError> {
    let listed = approval.mail_notes.iter().filter(|note| note.listed);
    for note in listed {
        let needs_somebody = approval
            .signers
            .get(usize::from(note.signer))
            .is_some_and(|signer| trouble(approval, signer).is_some());
        if !needs_somebody {
            flow.store.unlist_mail(approval.id, note).await?;
        }
    }
    Ok(())
}

/// The same, where it may fail: it is done again later.
pub(super) async fn settle(flow: &Flow, approval: &Approval) {
    if let Err(error) = unlist(flow, approval).await {
        tracing::warn!(approval.id = %approval.id, error = %error, "a mail stays in the list of what needs somebody");
    }
}
