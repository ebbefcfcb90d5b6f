//! What became of a signer's mails: the notes that are kept of it, and what they come to. A note is an observation: it
//! stands outside the chain and outside every condition, so that a bounce never contends with an answer; the next
//! transition takes it into the evidence. What they come to doesn't depend on the order in which they came.

use super::approval::Approval;
use super::decision::RequestState;
use super::digest::Sha256;
use super::signer::{MailKind, SignerRecord, SignerState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most notes that are kept of one signer's mails.
pub const MAX_NOTES: usize = 60;

/// Something that became of one mail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MailNote {
    /// When it was noted, by our clock.
    pub at: Timestamp,
    /// Whose mail.
    pub signer: u8,
    /// Which one.
    pub mail: MailRef,
    /// When it happened, by the mail service's clock.
    pub happened: Timestamp,
    /// What.
    pub fate: Fate,
    /// What the other mail server said, without addresses. Not part of the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// Whether it stands in the index of what needs somebody: beside the note, not in it.
    #[serde(skip)]
    pub listed: bool,
}

/// One mail of a signer's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct MailRef {
    /// When the mail service took it, or refused to.
    pub sent: Timestamp,
    /// The beginning of the hash of the mail service's id for it.
    pub id: String,
    /// Whether it asked for an answer: an invitation or a reminder.
    pub asks: bool,
}

impl MailRef {
    /// The mail with this id of the mail service's.
    pub fn new(id: &str, kind: MailKind, sent: Timestamp) -> Self {
        Self {
            sent,
            id: Sha256::of_parts(&[b"countersign-mail-v1\0", id.as_bytes()])
                .to_string()
                .trim_start_matches("sha256:")
                .chars()
                .take(16)
                .collect(),
            asks: matches!(kind, MailKind::Invitation | MailKind::Reminder { .. }),
        }
    }
}

/// What can become of a mail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Fate {
    /// The recipient's mail server took it.
    Delivered,
    /// The recipient's mail server doesn't take it yet; the mail service goes on trying.
    Delayed {
        /// SES's `delayType`, such as `MailboxFull`.
        why: String,
    },
    /// It came back.
    Bounced {
        /// For good, or for now.
        kind: BounceKind,
        /// SES's `bounceSubType`, such as `NoEmail` or `OnAccountSuppressionList`.
        why: String,
        /// The enhanced status code (RFC 3463), such as `5.1.1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// The recipient called it spam.
    Complained {
        /// SES's `complaintSubType` or `complaintFeedbackType`, such as `abuse` or `not-spam`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The mail service took it, found it harmful, and didn't send it.
    Rejected,
    /// The mail service couldn't make it from its template.
    NotRendered,
    /// The mail service didn't take it, and it isn't tried again.
    Refused {
        /// Its error code.
        code: String,
    },
    /// The mail service takes none before somebody has mended something; it is tried again.
    HeldUp {
        /// Its error code, or our word for it.
        code: String,
    },
}

/// Whether a mail that came back may be taken another time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BounceKind {
    /// Never: there is no such mailbox, or the mail service has given the address up.
    Permanent,
    /// Perhaps: a full mailbox, a message too large. The mail service has stopped trying this one.
    Transient,
    /// The mail service can't tell.
    Undetermined,
}

impl Fate {
    /// The word for it: in keys, in metrics and in logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Delayed { .. } => "delayed",
            Self::Bounced { kind, .. } => match kind {
                BounceKind::Permanent => "bounced",
                BounceKind::Transient => "bounced_for_now",
                BounceKind::Undetermined => "bounced_unclear",
            },
            Self::Complained { .. } => "complained",
            Self::Rejected => "rejected",
            Self::NotRendered => "not_rendered",
            Self::Refused { .. } => "refused",
            Self::HeldUp { .. } => "held_up",
        }
    }

    /// Whether, by itself, it means that the person may not have got the mail (or doesn't want it).
    pub fn is_bad(&self) -> bool {
        match self {
            Self::Delivered | Self::Delayed { .. } => false,
            Self::Complained { why } => why.as_deref() != Some("not-spam"),
            _ => true,
        }
    }

    /// Whether a delivery of the same mail outweighs it: servers that took a mail may still send absence notes and the
    /// like, which count as bounces for now.
    fn yields_to_delivery(&self) -> bool {
        matches!(
            self,
            Self::Bounced {
                kind: BounceKind::Transient | BounceKind::Undetermined,
                ..
            }
        )
    }

    /// Whether the mail service never had the mail: then the next one that it takes mends it.
    fn never_taken(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::HeldUp { .. })
    }
}

/// How the mails that asked a signer stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing<'a> {
    /// Nothing was heard of any.
    Unknown,
    /// The newest of which anything is known was delivered.
    Delivered(&'a MailNote),
    /// The newest is still on its way: the recipient's mail server doesn't take it yet.
    Delayed(&'a MailNote),
    /// The newest of which anything certain is known didn't arrive, or was called spam.
    Trouble(&'a MailNote),
}

/// How the mails that asked `signer` stand. Needs somebody only while the signer is asked: see [`trouble`].
pub fn standing<'a>(approval: &'a Approval, signer: &SignerRecord) -> Standing<'a> {
    let mut mails: BTreeMap<&MailRef, Vec<&MailNote>> = BTreeMap::new();
    for note in approval
        .mail_notes
        .iter()
        .filter(|note| note.signer == signer.number)
    {
        mails.entry(&note.mail).or_default().push(note);
    }
    let mut delayed = None;
    for (mail, notes) in mails.into_iter().rev().filter(|(mail, _)| mail.asks) {
        let find = |wanted: &dyn Fn(&Fate) -> bool| notes.iter().copied().find(|note| wanted(&note.fate));
        let delivered = find(&|fate| *fate == Fate::Delivered);
        let bad = find(&|fate| fate.is_bad() && !fate.yields_to_delivery());
        let soft = find(&|fate| fate.yields_to_delivery());
        if let Some(note) = bad {
            let mended = note.fate.never_taken() && taken_after(signer, mail.sent);
            if !mended {
                return Standing::Trouble(note);
            }
        } else if let Some(note) = delivered {
            return delayed.unwrap_or(Standing::Delivered(note));
        } else if let Some(note) = soft {
            return Standing::Trouble(note);
        } else if let Some(note) = notes.first() {
            delayed = delayed.or(Some(Standing::Delayed(note)));
        }
    }
    delayed.unwrap_or(Standing::Unknown)
}

/// Whether the mail service took a mail that asks, later than `moment`.
fn taken_after(signer: &SignerRecord, moment: Timestamp) -> bool {
    let posted = signer.posted.iter();
    let mut asking =
        posted.filter(|posted| matches!(posted.kind, MailKind::Invitation | MailKind::Reminder { .. }));
    asking.any(|posted| posted.at > moment) || matches!(signer.state, SignerState::Sent { at } if at > moment)
}

/// What needs somebody about a signer's mails: while they are asked, and the newest mail that anything is known of
/// didn't arrive.
pub fn trouble<'a>(approval: &'a Approval, signer: &SignerRecord) -> Option<&'a MailNote> {
    let asked = matches!(approval.record.state, RequestState::Pending(_)) && signer.state.is_open();
    match standing(approval, signer) {
        Standing::Trouble(note) if asked => Some(note),
        _ => None,
    }
}

/// Whether any of an approval's mails needs somebody.
pub fn any_trouble(approval: &Approval) -> bool {
    approval
        .signers
        .iter()
        .any(|signer| trouble(approval, signer).is_some())
}

/// What happened to a mail, for an operator: "bounced: there is no such mailbox".
pub fn words(fate: &Fate) -> String {
    match fate {
        Fate::Delivered => "was delivered".to_owned(),
        Fate::Delayed { why } => format!("is delayed: {}", delay_words(why)),
        Fate::Bounced { kind, why, status } => {
            let status = status
                .as_ref()
                .map(|status| format!(" ({status})"))
                .unwrap_or_default();
            format!("bounced: {}{status}", bounce_words(*kind, why))
        }
        Fate::Complained { why } => match why.as_deref() {
            Some("not-spam") => "was called no spam after all".to_owned(),
            Some("OnAccountSuppressionList") => {
                "wasn't sent: the address is on the account's suppression list for a complaint".to_owned()
            }
            _ => "was called spam by the recipient".to_owned(),
        },
        Fate::Rejected => "wasn't sent: SES found it harmful".to_owned(),
        Fate::NotRendered => "wasn't sent: SES couldn't render it".to_owned(),
        Fate::Refused { code } => format!("was refused: {}", refusal_words(code)),
        Fate::HeldUp { code } => format!("can't be sent: {}", refusal_words(code)),
    }
}

/// What to do about it, as sentences; empty where there is nothing to be done.
pub fn remedy(fate: &Fate) -> &'static str {
    match fate {
        Fate::Bounced { why, .. } | Fate::Complained { why: Some(why) }
            if why.ends_with("SuppressionList") || why == "Suppressed" =>
        {
            "SES doesn't mail this address any more. If it is right, take it off the suppression list, then resend."
        }
        Fate::Bounced {
            kind: BounceKind::Permanent,
            ..
        } => {
            "If the address is right after all, resend; else reach them another way, and complete or cancel."
        }
        Fate::Bounced { .. } => "Resend once their mailbox takes mail again.",
        Fate::Complained { .. } => "Ask them another way before anything more is mailed.",
        Fate::Rejected | Fate::NotRendered | Fate::Refused { .. } => "Put its cause right, then resend.",
        Fate::HeldUp { .. } => "It is tried again by itself; resend tries at once.",
        Fate::Delivered | Fate::Delayed { .. } => "",
    }
}

fn bounce_words(kind: BounceKind, why: &str) -> String {
    match (kind, why) {
        (_, "NoEmail") => "there is no such mailbox".to_owned(),
        (_, "Suppressed") => "SES has given the address up, for mails to it have bounced before".to_owned(),
        (_, "OnAccountSuppressionList") => "the address is on the account's suppression list".to_owned(),
        (_, "MailboxFull") => "the mailbox is full".to_owned(),
        (_, "MessageTooLarge") => "it is too large for the mailbox".to_owned(),
        (_, "ContentRejected") => "the mail server doesn't take its content".to_owned(),
        (_, "AttachmentRejected") => "the mail server doesn't take its attachment".to_owned(),
        (BounceKind::Permanent, "General") => "the mail server doesn't take mail for this address".to_owned(),
        (BounceKind::Transient, "General") => "the mail server didn't take it for now".to_owned(),
        (BounceKind::Undetermined, _) => "the mail server didn't say why".to_owned(),
        (_, other) => other.to_owned(),
    }
}

fn delay_words(why: &str) -> String {
    match why {
        "MailboxFull" => "the mailbox is full",
        "InternalFailure" => "SES has a fault of its own",
        "SpamDetected" => "the mail server takes much from this account for spam",
        "RecipientServerError" => "the mail server has a fault",
        "IPFailure" => "the mail server turns SES's address away",
        "TransientCommunicationFailure" => "the mail server doesn't answer",
        "BYOIPHostNameLookupUnavailable" => "the sending address has no name",
        "SendingDeferral" => "SES holds it back for now",
        "Undetermined" | "General" => "the mail server doesn't take it yet",
        other => return other.to_owned(),
    }
    .to_owned()
}

/// What an error code of SendEmail means, for an operator. Ours are `SenderNotVerified` and `Sandbox`: AWS says both by
/// `MessageRejected`.
fn refusal_words(code: &str) -> String {
    let words = match code {
        "SenderNotVerified" => "mail_from is no verified identity of SES in this region",
        "Sandbox" => {
            "SES is in its sandbox and mails verified addresses only; ask AWS for production access, or verify this address"
        }
        "SendingPausedException" => "sending is paused for this account or configuration set",
        "AccountSuspendedException" => "AWS has suspended sending for this account",
        "MailFromDomainNotVerifiedException" => "the custom MAIL FROM domain of mail_from isn't verified",
        "NotFoundException" => "mail_configuration_set names none that SES has in this region",
        "AccessDeniedException" => "the service's role may not send (ses:SendEmail)",
        "LimitExceededException" => "a limit of the account is reached",
        "TooManyRequestsException" | "Throttling" | "ThrottlingException" => {
            "more is sent than SES's quota allows"
        }
        "MessageRejected" => "SES doesn't take its content",
        "BadRequestException" => "SES says that the request is wrong",
        other => return other.to_owned(),
    };
    format!("{words} ({code})")
}

#[cfg(test)]
#[path = "mail_status_tests.rs"]
mod tests;
