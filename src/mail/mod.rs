//! Mail: what is written (`messages.rs`, with `templates/emails/`) and how it is sent (SES v2). Called by
//! `flow/notify.rs`.

pub mod messages;
pub mod views;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader};

/// Sends mails. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Client,
    from: String,
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
        /// SES's error code, or what went wrong on the way.
        code: String,
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
            Self::Again { code } | Self::Refused { code, .. } => code,
        }
    }
}

impl Mailer {
    /// Sends from `from`, such as `Countersign <countersign@example.com>`.
    pub fn new(client: Client, from: impl Into<String>) -> Self {
        Self {
            client,
            from: from.into(),
        }
    }

    /// Hands a mail to SES. The SDK's own retries are off: SendEmail has no idempotency field, so each attempt is on
    /// our record before it is made.
    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let text = |data: &str| {
            Content::builder()
                .data(data)
                .charset("UTF-8")
                .build()
                .expect("the data is set")
        };
        // Says to vacation responders and the like that nobody wrote this by hand (RFC 3834).
        let automatic = MessageHeader::builder()
            .name("Auto-Submitted")
            .value("auto-generated")
            .build();
        let message = Message::builder()
            .subject(text(&mail.subject))
            .body(
                Body::builder()
                    .html(text(&mail.html))
                    .text(text(&mail.text))
                    .build(),
            )
            .headers(automatic.expect("name and value are set"));
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .content(EmailContent::builder().simple(message.build()).build())
            .customize()
            .config_override(aws_sdk_sesv2::Config::builder().retry_config(RetryConfig::disabled()))
            .send()
            .await;
        sent.map(drop).map_err(|error| {
            let code = error.code().unwrap_or("no answer").to_owned();
            // These two say that this very mail is at fault; everything else mends itself or is mended by an operator.
            if matches!(code.as_str(), "MessageRejected" | "BadRequestException") {
                let reason = format!("{code}: {}", error.message().unwrap_or_default());
                MailError::Refused { code, reason }
            } else {
                MailError::Again { code }
            }
        })
    }
}
