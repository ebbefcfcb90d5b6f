//! The request of SendEmail, and what is checked of it whatever its content.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::bad;
use crate::error::AwsError;

/// The most recipients of one mail, all kinds together.
const RECIPIENTS: usize = 50;
const TAGS: usize = 50;
const TAG_LENGTH: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEmail {
    pub(super) from_email_address: Option<String>,
    #[serde(default)]
    pub(super) destination: Destination,
    #[serde(default)]
    pub(super) reply_to_addresses: Vec<String>,
    pub(super) content: Content,
    #[serde(default)]
    pub(super) email_tags: Vec<NameValue>,
    pub(super) configuration_set_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Destination {
    #[serde(default)]
    pub(super) to_addresses: Vec<String>,
    #[serde(default)]
    pub(super) cc_addresses: Vec<String>,
    #[serde(default)]
    pub(super) bcc_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Content {
    pub(super) simple: Option<Simple>,
    pub(super) raw: Option<Raw>,
    pub(super) template: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Raw {
    /// Base64.
    pub(super) data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Simple {
    pub(super) subject: Option<Text>,
    pub(super) body: Option<Body>,
    #[serde(default)]
    pub(super) headers: Vec<NameValue>,
    #[serde(default)]
    pub(super) attachments: Vec<SimpleAttachment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SimpleAttachment {
    pub(super) raw_content: String,
    pub(super) file_name: String,
    pub(super) content_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Body {
    pub(super) text: Option<Text>,
    pub(super) html: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Text {
    pub(super) data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameValue {
    pub(super) name: String,
    pub(super) value: String,
}

/// What a mail has besides its content.
pub(super) struct Envelope {
    pub(super) id: String,
    pub(super) received: Timestamp,
    pub(super) configuration_set: Option<String>,
    pub(super) tags: Vec<(String, String)>,
}

impl Destination {
    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        self.to_addresses
            .iter()
            .chain(&self.cc_addresses)
            .chain(&self.bcc_addresses)
    }

    /// The bare addresses of everyone, checked; in the order To, Cc, Bcc, each once.
    pub(super) fn recipients(&self) -> Result<Vec<String>, AwsError> {
        let mut recipients: Vec<String> = Vec::new();
        for written in self.all() {
            let address = address(written)?;
            if !recipients.contains(&address) {
                recipients.push(address);
            }
        }
        if self.all().count() > RECIPIENTS {
            return Err(bad(format!("Recipient count exceeds {RECIPIENTS}.")));
        }
        Ok(recipients)
    }
}

/// The bare address in `Bob <bob@example.com>` or `bob@example.com`, or why it is none.
pub(super) fn address(written: &str) -> Result<String, AwsError> {
    single_line("The address", written)?;
    if !written.is_ascii() {
        // SES asks for punycode in domains and RFC 2047 encoded words in names.
        return Err(bad(
            "The address contains characters that are not ASCII; encode the name by RFC 2047.",
        ));
    }
    if written.contains('<') && !written.trim_end().ends_with('>') {
        return Err(bad("Missing '>'"));
    }
    let bare = bare(written);
    let Some((local, domain)) = bare.rsplit_once('@') else {
        return Err(bad("Missing final '@domain'"));
    };
    if local.is_empty() || local.contains([' ', ',', ';', '"', '(', ')']) || local.contains('@') {
        return Err(bad("Local address contains control or whitespace"));
    }
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !domain.split('.').all(label) {
        return Err(bad("Domain contains illegal character"));
    }
    if bare.len() > 320 {
        return Err(bad("Address length is more than 320 characters long"));
    }
    Ok(bare.to_owned())
}

/// The address without the name before it, unchecked.
pub(super) fn bare(written: &str) -> &str {
    let address = written
        .rsplit_once('<')
        .map_or(written, |(_, rest)| rest.trim_end().trim_end_matches('>'));
    address.trim()
}

/// Refuses what would begin another header.
pub(super) fn single_line(what: &str, text: &str) -> Result<(), AwsError> {
    if text.chars().any(char::is_control) {
        return Err(bad(format!(
            "{what} contains a control character, such as a line break."
        )));
    }
    Ok(())
}

pub(super) fn tags(tags: &[NameValue]) -> Result<Vec<(String, String)>, AwsError> {
    if tags.len() > TAGS {
        return Err(bad(format!("A mail can have {TAGS} tags at most.")));
    }
    let allowed = |text: &str| {
        (1..=TAG_LENGTH).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    tags.iter()
        .map(|tag| {
            if allowed(&tag.name) && allowed(&tag.value) {
                return Ok((tag.name.clone(), tag.value.clone()));
            }
            Err(bad(format!(
                "Invalid tag <{}>: only alphanumeric ASCII characters, '_' and '-' are allowed, 1 to {TAG_LENGTH} of them.",
                tag.name.escape_debug()
            )))
        })
        .collect()
}
