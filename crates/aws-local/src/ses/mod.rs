//! SES v2: mails that are sent arrive in the mailbox. As with AWS a sender must be an identity, which is
//! verified as soon as it is created; what AWS would refuse for its form is refused here as well, with the same
//! kind of error. With a configuration set, what becomes of a mail is told to EventBridge ([`events`]); the addresses of
//! AWS's mailbox simulator bounce and complain as they do there.
//!
//! Not as AWS: a configuration set that isn't there is taken, and nothing is told.

mod configuration_sets;
mod events;
mod identities;
mod message;
mod raw;
mod simple;

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dispatch::SesCall;
use crate::error::{Answer, AwsError};
use crate::events::Events;
use crate::mailbox::Mailbox;
use crate::source::Source;
use crate::tasks::Tasks;
use message::{Envelope, SendEmail};

/// The largest mail, in bytes, with its attachments in base64.
const MAIL: usize = 40 * 1024 * 1024;
/// The largest page of a list.
const PAGE: usize = 1000;

pub(crate) struct Ses {
    source: Source,
    mailbox: Arc<Mailbox>,
    bus: Arc<Events>,
    tasks: Arc<Tasks>,
}

impl Ses {
    pub(crate) fn new(source: Source, mailbox: Arc<Mailbox>, bus: Arc<Events>, tasks: Arc<Tasks>) -> Ses {
        Ses {
            source,
            mailbox,
            bus,
            tasks,
        }
    }

    pub(crate) async fn call(&self, call: SesCall, body: &[u8]) -> Result<Answer, AwsError> {
        match call {
            SesCall::SendEmail => self.send(body).await,
            SesCall::GetAccount => self.account().await,
            SesCall::CreateEmailIdentity => self.create_identity(body).await,
            SesCall::ListEmailIdentities => self.list_identities(body).await,
            SesCall::GetEmailIdentity { identity } => self.identity(identity).await,
            SesCall::DeleteEmailIdentity { identity } => self.delete_identity(identity).await,
            SesCall::CreateConfigurationSet => self.create_set(body).await,
            SesCall::ListConfigurationSets => self.list_sets(body).await,
            SesCall::GetConfigurationSet { set } => self.set(set).await,
            SesCall::DeleteConfigurationSet { set } => self.delete_set(set).await,
            SesCall::PutConfigurationSetOptions { set, options } => {
                self.put_set_options(set, options, body).await
            }
            SesCall::CreateConfigurationSetEventDestination { set } => {
                self.create_destination(set, body).await
            }
            SesCall::GetConfigurationSetEventDestinations { set } => self.destinations(set).await,
            SesCall::UpdateConfigurationSetEventDestination { set, name } => {
                self.update_destination(set, name, body).await
            }
            SesCall::DeleteConfigurationSetEventDestination { set, name } => {
                self.delete_destination(set, name).await
            }
        }
    }

    async fn send(&self, body: &[u8]) -> Result<Answer, AwsError> {
        if body.len() > MAIL / 3 * 4 + 64 * 1024 {
            return Err(rejected(format!(
                "Message length is more than {MAIL} bytes long."
            )));
        }
        let request: SendEmail = read(body)?;
        let envelope = Envelope {
            id: self.message_id(),
            received: self.source.now(),
            configuration_set: request.configuration_set_name.clone(),
            tags: message::tags(&request.email_tags)?,
        };
        let content = &request.content;
        let mail = match (&content.simple, &content.raw, &content.template) {
            (Some(simple), None, None) => simple::mail(&request, simple, envelope)?,
            (None, Some(raw), None) => raw::mail(&request, &raw.data, envelope)?,
            (None, None, Some(_)) => {
                return Err(AwsError::not_embedded("SES", "SendEmail with a template"));
            }
            _ => {
                return Err(bad(
                    "Exactly one of Simple, Raw and Template must be given as the content.",
                ));
            }
        };
        self.check_sender(&mail.from).await?;
        let id = mail.id.clone();
        let set = self.sending_set(&mail).await?;
        self.mailbox.deliver(mail.clone()).await?;
        if let Some(set) = set {
            self.tell_of(mail, set);
        }
        Ok(json!({"MessageId": id}).into())
    }

    /// Refuses a sender who is no identity, neither by address nor by domain.
    async fn check_sender(&self, from: &str) -> Result<(), AwsError> {
        let sender = message::bare(from);
        let (_, domain) = sender.rsplit_once('@').unwrap_or(("", sender));
        let covers = |identity: &String| {
            let identity = identity.to_lowercase();
            identity == sender.to_lowercase()
                || identity == domain.to_lowercase()
                || domain.to_lowercase().ends_with(&format!(".{identity}"))
        };
        if self.mailbox.identities().await?.iter().any(covers) {
            return Ok(());
        }
        let region = crate::REGION.to_uppercase();
        Err(rejected(format!(
            "Email address is not verified. The following identities failed the check in region {region}: {from}"
        )))
    }

    async fn account(&self) -> Result<Answer, AwsError> {
        let day_ago = self.source.now() - jiff::SignedDuration::from_hours(24);
        let sent = self.mailbox.count_since(day_ago).await?;
        Ok(json!({
            "DedicatedIpAutoWarmupEnabled": false,
            "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": true,
            "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": sent},
            "SendingEnabled": true,
            "SuppressionAttributes": {"SuppressedReasons": []},
        })
        .into())
    }

    /// Of the shape of SES's own: the time, a UUID, a counter.
    fn message_id(&self) -> String {
        format!(
            "0100{:012x}-{}-000000",
            self.source.now().as_millisecond(),
            self.source.uuid()
        )
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, AwsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| bad(error.to_string()))
}

/// The page of a list that is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    next_token: Option<String>,
    page_size: Option<usize>,
}

impl Page {
    /// Those of `all`, which are in order, that are on it; and what asks for the next one.
    fn of(self, all: Vec<String>) -> Result<(Vec<String>, Option<String>), AwsError> {
        let size = self.page_size.unwrap_or(PAGE);
        if !(1..=PAGE).contains(&size) {
            return Err(bad(format!("PageSize must be from 1 to {PAGE}.")));
        }
        let after = self.next_token.unwrap_or_default();
        let mut rest = all.into_iter().filter(|name| *name > after);
        let page: Vec<String> = rest.by_ref().take(size).collect();
        let next = rest.next().and_then(|_| page.last().cloned());
        Ok((page, next))
    }
}

fn bad(message: impl Into<String>) -> AwsError {
    AwsError::new("BadRequestException", message)
}

fn rejected(message: impl Into<String>) -> AwsError {
    AwsError::new("MessageRejected", message)
}

fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::with_status(StatusCode::NOT_FOUND, "NotFoundException", message)
}

fn no_content() -> Answer {
    Answer::Json(Value::Object(serde_json::Map::new()))
}

#[cfg(test)]
mod tests;
