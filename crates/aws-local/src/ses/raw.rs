//! A mail given as a whole MIME message.

use mail_parser::{Address, HeaderName, Message, MessageParser, MimeHeaders, PartType};

use super::message::{Destination, Envelope, SendEmail, address};
use super::{MAIL, bad, rejected};
use crate::error::AwsError;
use crate::mailbox::{Attachment, Mail};

pub(super) fn mail(request: &SendEmail, data: &str, envelope: Envelope) -> Result<Mail, AwsError> {
    let bytes = data_encoding::BASE64
        .decode(data.as_bytes())
        .map_err(|_| bad("Content.Raw.Data is not base64."))?;
    if bytes.len() > MAIL {
        return Err(rejected(format!(
            "Message length is more than {MAIL} bytes long: '{}'.",
            bytes.len()
        )));
    }
    let message = MessageParser::default()
        .parse(&bytes)
        .filter(|message| !message.headers().is_empty())
        .ok_or_else(|| bad("Content.Raw.Data is not a MIME message."))?;

    let headers: Vec<(String, String)> = message
        .headers_raw()
        .map(|(name, value)| (name.to_owned(), shown(&message, name, value)))
        .collect();
    let from = match &request.from_email_address {
        Some(from) => from.clone(),
        None => written(message.from())
            .into_iter()
            .next()
            .ok_or_else(|| bad("Missing header 'From'."))?,
    };
    // A decoded name may hold any character.
    address(super::message::bare(&from))?;
    let destination = &request.destination;
    let recipients = if destination.all().next().is_some() {
        destination.recipients()?
    } else {
        let all = |address: Option<&Address<'_>>| bare(address);
        let to_addresses = all(message.to());
        let cc_addresses = all(message.cc());
        let bcc_addresses = all(message.bcc());
        Destination {
            to_addresses,
            cc_addresses,
            bcc_addresses,
        }
        .recipients()?
    };
    if recipients.is_empty() {
        return Err(bad("The mail has no recipient."));
    }
    Ok(Mail {
        id: envelope.id,
        received: envelope.received,
        from,
        recipients,
        subject: message.subject().unwrap_or_default().to_owned(),
        headers: headers
            .into_iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("bcc"))
            .collect(),
        html: message.html_bodies().find_map(|part| match &part.body {
            PartType::Html(html) => Some(html.to_string()),
            _ => None,
        }),
        text: message.text_bodies().find_map(|part| match &part.body {
            PartType::Text(text) => Some(text.to_string()),
            _ => None,
        }),
        attachments: message
            .attachments()
            .map(|part| Attachment {
                name: part.attachment_name().unwrap_or("unnamed").to_owned(),
                content_type: part.content_type().map(|kind| match kind.subtype() {
                    Some(subtype) => format!("{}/{subtype}", kind.ctype()),
                    None => kind.ctype().to_owned(),
                }),
                bytes: part.contents().len(),
            })
            .collect(),
        tags: envelope.tags,
        configuration_set: envelope.configuration_set,
    })
}

/// A header's value for people: unfolded, with encoded words decoded.
fn shown(message: &Message<'_>, name: &str, raw: &str) -> String {
    let Some(name) = HeaderName::parse(name) else {
        return raw.trim().to_owned();
    };
    match message.header(name.clone()) {
        Some(mail_parser::HeaderValue::Text(text)) => text.trim().to_owned(),
        Some(mail_parser::HeaderValue::Address(addresses)) => written(Some(addresses)).join(", "),
        _ => raw.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// `Bob <bob@example.com>` for each address.
fn written(addresses: Option<&Address<'_>>) -> Vec<String> {
    let addresses = addresses.into_iter().flat_map(Address::iter);
    addresses
        .filter_map(|one| match (one.name(), one.address()) {
            (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
            (None, Some(address)) => Some(address.to_owned()),
            _ => None,
        })
        .collect()
}

fn bare(addresses: Option<&Address<'_>>) -> Vec<String> {
    let addresses = addresses.into_iter().flat_map(Address::iter);
    addresses
        .filter_map(|one| one.address().map(str::to_owned))
        .collect()
}
