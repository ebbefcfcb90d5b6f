//! Mail: what is written (`messages.rs`, with `templates/emails/`), how it is sent (SES v2), and how it is known that
//! SNS has signed what SES tells afterwards (`certificates.rs`). Called by `flow/notify.rs` and `flow/mail_event.rs`.

pub mod certificates;
pub mod messages;
pub mod views;

use crate::aws_faults::{NO_CREDENTIALS, code_of};
use crate::domain::mail_event::{self, MailLabel};
use crate::domain::signer::MailKind;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag};

/// Sends mails. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Client,
    from: String,
    configuration_set: Option<String>,
}

/// A mail, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The one recipient's address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The plain part.
    pub text: String,
    /// Which mail it is, for what SES tells about it later.
    pub label: MailLabel,
    /// What kind of mail.
    pub kind: MailKind,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mail(redacted)")
    }
}

/// Why a mail wasn't taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MailError {
    /// Worth repeating.
    Again {
        /// SES's error code, or what went wrong on the way; `SenderNotVerified` and `Sandbox` are ours.
        code: String,
        /// Whether somebody has to mend something before SES takes any.
        needs_somebody: bool,
    },
    /// This mail will never be taken.
    Refused {
        /// SES's error code.
        code: String,
        /// Code and message, for an operator; it may hold an address.
        reason: String,
    },
}

impl MailError {
    /// SES's error code, or what went wrong on the way.
    pub fn code(&self) -> &str {
        match self {
            Self::Again { code, .. } | Self::Refused { code, .. } => code,
        }
    }

    /// Classifies what SES answered to a mail from `from`.
    fn of(code: &str, message: &str, from: &str) -> Self {
        let again = |code: &str, needs_somebody| Self::Again {
            code: code.to_owned(),
            needs_somebody,
        };
        match code {
            // One code for several things: an unverified address is an operator's to mend, and names itself.
            "MessageRejected" if message.contains("not verified") => {
                let address = from
                    .rsplit_once('<')
                    .map_or(from, |(_, address)| address.trim_end_matches('>'));
                let sender = message.to_lowercase().contains(&address.to_lowercase());
                again(if sender { "SenderNotVerified" } else { "Sandbox" }, true)
            }
            // These two say that this very mail is at fault; everything else mends itself or is mended by an operator.
            "MessageRejected" | "BadRequestException" => Self::Refused {
                code: code.to_owned(),
                reason: format!("{code}: {message}"),
            },
            "SendingPausedException"
            | "AccountSuspendedException"
            | "MailFromDomainNotVerifiedException"
            | "NotFoundException"
            | "LimitExceededException"
            | "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "ExpiredTokenException"
            | NO_CREDENTIALS => again(code, true),
            _ => again(code, false),
        }
    }
}

impl Mailer {
    /// Sends from `from`, such as `Countersign <countersign@example.com>`, with the configuration set of that name, if
    /// there is one.
    pub fn new(client: Client, from: impl Into<String>, configuration_set: Option<String>) -> Self {
        Self {
            client,
            from: from.into(),
            configuration_set,
        }
    }

    /// Hands a mail to SES and gives SES's id for it. The SDK's own retries are off: SendEmail has no idempotency field,
    /// so each attempt is on our record before it is made.
    pub async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        let text = |data: &str| {
            Content::builder()
                .data(data)
                .charset("UTF-8")
                .build()
                .expect("the data is set")
        };
        let header = |name: &str, value: &str| {
            let header = MessageHeader::builder().name(name).value(value).build();
            header.expect("name and value are set")
        };
        let message = Message::builder()
            .subject(text(&mail.subject))
            .body(
                Body::builder()
                    .html(text(&mail.html))
                    .text(text(&mail.text))
                    .build(),
            )
            // Says to vacation responders and the like that nobody wrote this by hand (RFC 3834).
            .headers(header("Auto-Submitted", "auto-generated"))
            .headers(header(mail_event::HEADER, &mail.label.header()));
        let tags = mail.label.tags(mail.kind).map(|(name, value)| {
            let tag = MessageTag::builder().name(name).value(value).build();
            tag.expect("name and value are set")
        });
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .content(EmailContent::builder().simple(message.build()).build())
            .set_email_tags(Some(tags.to_vec()))
            .set_configuration_set_name(self.configuration_set.clone())
            .customize()
            .config_override(aws_sdk_sesv2::Config::builder().retry_config(RetryConfig::disabled()))
            .send()
            .await;
        match sent {
            Ok(taken) => Ok(taken.message_id.unwrap_or_default()),
            Err(error) => Err(MailError::of(
                code_of(&error),
                error.message().unwrap_or_default(),
                &self.from,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MailError;
    use crate::aws_faults::{NO_ANSWER, NO_CREDENTIALS};

    #[test]
    fn what_ses_answers_says_who_has_to_do_what() {
        const FROM: &str = "Approvals <approvals@example.com>";
        let failed = "Email address is not verified. The following identities failed the check in region EU-CENTRAL-1:";
        let of = |code, message: &str| match MailError::of(code, message, FROM) {
            MailError::Again { code, needs_somebody } => format!("{code} {needs_somebody}"),
            MailError::Refused { reason, .. } => reason,
        };
        for (code, message, expected) in [
            (
                "MessageRejected",
                format!("{failed} Approvals@example.com"),
                "SenderNotVerified true",
            ),
            (
                "MessageRejected",
                format!("{failed} bob@example.com"),
                "Sandbox true",
            ),
            (
                "MessageRejected",
                "Illegal content".to_owned(),
                "MessageRejected: Illegal content",
            ),
            ("BadRequestException", "no".to_owned(), "BadRequestException: no"),
            (
                "SendingPausedException",
                String::new(),
                "SendingPausedException true",
            ),
            ("NotFoundException", String::new(), "NotFoundException true"),
            (
                "TooManyRequestsException",
                String::new(),
                "TooManyRequestsException false",
            ),
            ("InternalFailure", String::new(), "InternalFailure false"),
            (NO_CREDENTIALS, String::new(), "no credentials true"),
            (NO_ANSWER, String::new(), "no answer false"),
        ] {
            assert_eq!(of(code, &message), expected, "{code:?}");
        }
    }
}
