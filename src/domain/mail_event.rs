//! What SES tells about a mail that it took: delivered, bounced, complained about. As SES publishes it (event publishing
//! by a configuration set, or an identity's feedback notifications), alone or inside an EventBridge event. Fields that
//! aren't known are left alone; those that are used are held to what AWS documents.
//!
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>

use super::ids::ApprovalId;
use super::mail_status::{BounceKind, Fate};
use super::signer::MailKind;
use jiff::Timestamp;
use serde_json::Value;

/// The longest text that is kept of what a mail server said.
const MAX_SAID_CHARS: usize = 300;
/// The longest word of SES's, such as a bounce's subtype.
const MAX_WORD_CHARS: usize = 64;
/// The longest message id. SES's have some sixty characters.
const MAX_MESSAGE_ID_BYTES: usize = 256;

/// The header that says which mail this is: identity notifications carry headers and no tags.
pub const HEADER: &str = "X-Countersign-Mail";
const TAG_REQUEST: &str = "countersign-request";
const TAG_SIGNER: &str = "countersign-signer";
const TAG_MAIL: &str = "countersign-mail";

/// Which mail this is, as it is written on it for SES's events. It grants nothing: an event counts only if SES's own
/// message id is on our record as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MailLabel {
    /// Of which approval.
    pub approval: ApprovalId,
    /// To which signer.
    pub signer: u8,
}

impl MailLabel {
    /// SES's message tags for a mail of this kind: names and values, of letters, digits, `_` and `-`.
    pub fn tags(&self, kind: MailKind) -> [(&'static str, String); 3] {
        [
            (TAG_REQUEST, self.approval.to_string()),
            (TAG_SIGNER, self.signer.to_string()),
            (TAG_MAIL, kind.word().to_owned()),
        ]
    }

    /// The value of [`HEADER`].
    pub fn header(&self) -> String {
        format!("{} {}", self.approval, self.signer)
    }

    /// From an event's `mail` object: its tags, or else its headers.
    fn read(mail: &Value) -> Option<Self> {
        let tag = |name: &str| mail["tags"][name][0].as_str();
        let (approval, signer) = if let (Some(approval), Some(signer)) = (tag(TAG_REQUEST), tag(TAG_SIGNER)) {
            (approval, signer)
        } else {
            let headers = mail["headers"].as_array()?;
            let is_ours = |header: &&Value| {
                let name = header["name"].as_str();
                name.is_some_and(|name| name.eq_ignore_ascii_case(HEADER))
            };
            let value = headers.iter().find(is_ours)?["value"].as_str()?;
            value.trim().split_once(' ')?
        };
        Some(Self {
            approval: ApprovalId::parse(approval)?,
            signer: signer.parse().ok()?,
        })
    }
}

/// An event, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailEvent {
    /// SES's message id.
    pub message: String,
    /// Which mail it is about, by its own word; `None` for mails that aren't ours.
    pub label: Option<MailLabel>,
    /// When it happened, by SES's clock.
    pub at: Option<Timestamp>,
    /// What happened; `None` for what says nothing about arriving (sent, opened, clicked, subscription).
    pub fate: Option<Fate>,
    /// What the other mail server said, without addresses.
    pub said: Option<String>,
}

/// Why something isn't an event of SES's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAnEvent {
    /// It has neither `eventType` nor `notificationType`.
    #[error("it has neither eventType nor notificationType, so it is no event of SES about a mail")]
    NoType,
    /// A field that is needed is missing, or not of its kind.
    #[error("{0} is missing or not as SES writes it")]
    Field(&'static str),
}

/// The SES event in `value`: itself, or the `detail` of an EventBridge event whose source is SES.
pub fn inside(value: &Value) -> &Value {
    if value["source"] == "aws.ses" && value["detail"].is_object() {
        &value["detail"]
    } else {
        value
    }
}

/// Reads an event.
pub fn read(value: &Value) -> Result<MailEvent, NotAnEvent> {
    let event = inside(value);
    let kind = event["eventType"]
        .as_str()
        .or_else(|| event["notificationType"].as_str())
        .ok_or(NotAnEvent::NoType)?;
    let mail = &event["mail"];
    let message = mail["messageId"]
        .as_str()
        .filter(|id| !id.is_empty() && id.len() <= MAX_MESSAGE_ID_BYTES)
        .ok_or(NotAnEvent::Field("mail.messageId"))?;
    let (part, fate) = match kind {
        "Delivery" => (&event["delivery"], Some(Fate::Delivered)),
        "Bounce" => (&event["bounce"], Some(bounce(&event["bounce"])?)),
        "Complaint" => (&event["complaint"], Some(complaint(&event["complaint"])?)),
        "DeliveryDelay" => (&event["deliveryDelay"], Some(delay(&event["deliveryDelay"])?)),
        "Reject" => (&event["reject"], Some(Fate::Rejected)),
        "Rendering Failure" | "RenderingFailure" => (&event["failure"], Some(Fate::NotRendered)),
        // Send, Open, Click, Subscription, and whatever SES may yet tell.
        _ => (&Value::Null, None),
    };
    let at = part["timestamp"].as_str().or_else(|| mail["timestamp"].as_str());
    Ok(MailEvent {
        message: message.to_owned(),
        label: MailLabel::read(mail),
        at: at.and_then(|at| at.parse().ok()),
        fate,
        said: said(part),
    })
}

fn bounce(bounce: &Value) -> Result<Fate, NotAnEvent> {
    let kind = match bounce["bounceType"].as_str() {
        Some("Permanent") => BounceKind::Permanent,
        Some("Transient") => BounceKind::Transient,
        Some("Undetermined") => BounceKind::Undetermined,
        _ => return Err(NotAnEvent::Field("bounce.bounceType")),
    };
    Ok(Fate::Bounced {
        kind,
        why: word(&bounce["bounceSubType"]).unwrap_or_else(|| "General".to_owned()),
        status: bounce["bouncedRecipients"][0]["status"]
            .as_str()
            .filter(|status| is_status(status))
            .map(str::to_owned),
    })
}

fn complaint(complaint: &Value) -> Result<Fate, NotAnEvent> {
    if !complaint.is_object() {
        return Err(NotAnEvent::Field("complaint"));
    }
    Ok(Fate::Complained {
        why: word(&complaint["complaintSubType"]).or_else(|| word(&complaint["complaintFeedbackType"])),
    })
}

fn delay(delay: &Value) -> Result<Fate, NotAnEvent> {
    if !delay.is_object() {
        return Err(NotAnEvent::Field("deliveryDelay"));
    }
    Ok(Fate::Delayed {
        why: word(&delay["delayType"]).unwrap_or_else(|| "Undetermined".to_owned()),
    })
}

/// A word of SES's own, such as `MailboxFull` or `not-spam`. What isn't one is left out.
fn word(value: &Value) -> Option<String> {
    let word = value.as_str()?;
    let fits = (1..=MAX_WORD_CHARS).contains(&word.len())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    fits.then(|| word.to_owned())
}

/// An enhanced status code (RFC 3463), such as `5.1.1`.
fn is_status(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(number)
}

/// What the other side said, as one line. Whatever looks like an address is taken out: this is kept, and shown.
fn said(part: &Value) -> Option<String> {
    let recipient = |list: &str| part[list][0]["diagnosticCode"].as_str();
    let text = recipient("bouncedRecipients")
        .or_else(|| recipient("delayedRecipients"))
        .or_else(|| part["reason"].as_str())
        .or_else(|| part["errorMessage"].as_str())?;
    let shown = super::display_text::DisplayText::new(text);
    let words: Vec<&str> = shown
        .as_str()
        .split(' ')
        .map(|word| if word.contains('@') { "…" } else { word })
        .collect();
    let said = words.join(" ");
    (!said.is_empty()).then(|| said.chars().take(MAX_SAID_CHARS).collect())
}

#[cfg(test)]
#[path = "mail_event_tests.rs"]
mod tests;
