//! An SNS message and its signature. Only version 2 counts (RSA with SHA-256); version 1 rests on SHA-1. The certificate
//! that signs is named by the message, so it may only lie where nobody but SNS can put one: on SNS's own host in the
//! topic's region.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::Deserialize;
use serde_json::Value;
use webpki::EndEntityCert;
use webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256;

/// What a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Kind {
    /// Somebody published something.
    Notification,
    /// Somebody asks whether this subscription is wanted.
    SubscriptionConfirmation,
    /// Somebody has ended the subscription.
    UnsubscribeConfirmation,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Notification => "Notification",
            Self::SubscriptionConfirmation => "SubscriptionConfirmation",
            Self::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        }
    }
}

/// A message as it came; nothing of it is believed before [`SnsMessage::verify`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SnsMessage {
    /// What it is for.
    #[serde(rename = "Type")]
    pub kind: Kind,
    /// SNS's id of it: the same when it is delivered again.
    pub message_id: String,
    /// The topic's ARN.
    pub topic_arn: String,
    /// What was published.
    pub message: String,
    subject: Option<String>,
    timestamp: String,
    signature_version: Option<String>,
    #[serde(default)]
    signature: String,
    /// `SigningCertURL` over HTTP and in queues, `SigningCertUrl` in Lambda's events.
    #[serde(default, rename = "SigningCertURL", alias = "SigningCertUrl")]
    signing_cert_url: String,
    token: Option<String>,
    /// Where a subscription is confirmed.
    #[serde(rename = "SubscribeURL", alias = "SubscribeUrl")]
    pub subscribe_url: Option<String>,
}

/// The token confirms a subscription, so it is left out.
impl std::fmt::Debug for SnsMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnsMessage")
            .field("kind", &self.kind)
            .field("topic_arn", &self.topic_arn)
            .finish_non_exhaustive()
    }
}

/// Why a message isn't believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnsError {
    /// It isn't a message of SNS's.
    #[error("it is no message of SNS")]
    Form,
    /// It is signed with SHA-1, or not at all.
    #[error(
        "its signature is of version {0}; set the topic's attribute SignatureVersion to 2, for version 1 rests on SHA-1"
    )]
    Version(String),
    /// Its topic isn't one of `mail_topics`.
    #[error("its topic is none of mail_topics")]
    Topic,
    /// The certificate lies elsewhere than on SNS's host in the topic's region.
    #[error("its certificate isn't on SNS's own host in the topic's region")]
    CertificateUrl,
    /// What lies there is no certificate of SNS's.
    #[error("what signs it is no certificate of SNS")]
    Certificate,
    /// Somebody else made it, or changed it.
    #[error("its signature isn't right")]
    Signature,
}

/// Whether `value` has the shape of an SNS message; gives the message inside a Lambda event's record, too.
pub fn shaped(value: &Value) -> Option<&Value> {
    let value = match value.get("Sns") {
        Some(inner) => inner,
        None => value,
    };
    (value["TopicArn"].is_string() && value["Type"].is_string()).then_some(value)
}

impl SnsMessage {
    /// Reads a message and refuses what can't be believed whatever its certificate: another topic than `topics`, another
    /// version than 2, a certificate elsewhere.
    pub fn read(value: &Value, topics: &[String]) -> Result<Self, SnsError> {
        let message: Self = serde_json::from_value(value.clone()).map_err(|_| SnsError::Form)?;
        if !topics.contains(&message.topic_arn) {
            return Err(SnsError::Topic);
        }
        match message.signature_version.as_deref() {
            Some("2") => {}
            other => return Err(SnsError::Version(other.unwrap_or("none").to_owned())),
        }
        message.certificate_host()?;
        Ok(message)
    }

    /// Where its certificate lies: `https://sns.<region>.amazonaws.com/SimpleNotificationService-<hex>.pem`.
    pub fn certificate_url(&self) -> &str {
        &self.signing_cert_url
    }

    fn certificate_host(&self) -> Result<String, SnsError> {
        let host = host_of_topic(&self.topic_arn).ok_or(SnsError::CertificateUrl)?;
        let name = self
            .signing_cert_url
            .strip_prefix("https://")
            .and_then(|rest| rest.strip_prefix(host.as_str()))
            .and_then(|path| path.strip_prefix("/SimpleNotificationService-"))
            .and_then(|name| name.strip_suffix(".pem"))
            .ok_or(SnsError::CertificateUrl)?;
        let fits = (8..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if fits {
            Ok(host)
        } else {
            Err(SnsError::CertificateUrl)
        }
    }

    /// Whether its subscription is confirmed on SNS's own host in the topic's region.
    pub fn subscribes_at_sns(&self) -> bool {
        let (Some(url), Some(host)) = (&self.subscribe_url, host_of_topic(&self.topic_arn)) else {
            return false;
        };
        url.strip_prefix("https://")
            .and_then(|rest| rest.strip_prefix(host.as_str()))
            .is_some_and(|path| path.starts_with("/?Action=ConfirmSubscription&"))
            && url.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// Checks that SNS has signed it: `pem` is what lies at [`SnsMessage::certificate_url`].
    pub fn verify(&self, pem: &[u8]) -> Result<(), SnsError> {
        let der = CertificateDer::from_pem_slice(pem).map_err(|_| SnsError::Certificate)?;
        let certificate = EndEntityCert::try_from(&der).map_err(|_| SnsError::Certificate)?;
        let host = self.certificate_host()?;
        // SNS's certificates are issued to one of these; the file holds no chain, so that it is SNS's own is known by
        // the host that it was fetched from.
        let is_for = |name: &str| {
            ServerName::try_from(name)
                .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
        };
        if !is_for("sns.amazonaws.com") && !is_for(&host) {
            return Err(SnsError::Certificate);
        }
        let signature = data_encoding::BASE64
            .decode(self.signature.as_bytes())
            .map_err(|_| SnsError::Signature)?;
        certificate
            .verify_signature(
                RSA_PKCS1_2048_8192_SHA256,
                self.signed_text().as_bytes(),
                &signature,
            )
            .map_err(|_| SnsError::Signature)
    }

    /// What the signature is over: names and values, a line each, in the order of AWS's documentation.
    fn signed_text(&self) -> String {
        let mut fields: Vec<(&str, &str)> = vec![("Message", &self.message), ("MessageId", &self.message_id)];
        if self.kind == Kind::Notification {
            fields.extend(self.subject.as_deref().map(|subject| ("Subject", subject)));
        } else {
            fields.extend(self.subscribe_url.as_deref().map(|url| ("SubscribeURL", url)));
        }
        fields.push(("Timestamp", &self.timestamp));
        if self.kind != Kind::Notification {
            fields.extend(self.token.as_deref().map(|token| ("Token", token)));
        }
        fields.extend([("TopicArn", self.topic_arn.as_str()), ("Type", self.kind.word())]);
        let lines = fields.iter().map(|(name, value)| format!("{name}\n{value}\n"));
        lines.collect()
    }
}

/// SNS's host in the region of a topic.
fn host_of_topic(arn: &str) -> Option<String> {
    let mut parts = arn.split(':');
    let (Some("arn"), Some(partition), Some("sns"), Some(region)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || !region.bytes().all(plain) {
        return None;
    }
    let domain = match partition {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        _ => return None,
    };
    Some(format!("sns.{region}.{domain}"))
}
