//! A mail given by its parts: subject, HTML, text, headers and attachments.

use mail_parser::MessageParser;

use super::message::{Envelope, NameValue, SendEmail, Simple, address, single_line};
use super::{MAIL, bad, rejected};
use crate::error::AwsError;
use crate::mailbox::{Attachment, Mail};

const HEADERS: usize = 15;
const HEADER_NAME: usize = 126;
const HEADER_VALUE: usize = 995;

/// Headers that SES writes itself.
const OURS: [&str; 12] = [
    "bcc",
    "cc",
    "content-type",
    "date",
    "from",
    "message-id",
    "mime-version",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
];

pub(super) fn mail(request: &SendEmail, simple: &Simple, envelope: Envelope) -> Result<Mail, AwsError> {
    let from = request
        .from_email_address
        .as_deref()
        .ok_or_else(|| bad("FromEmailAddress is missing."))?;
    address(from)?;
    for reply_to in &request.reply_to_addresses {
        address(reply_to)?;
    }
    let recipients = request.destination.recipients()?;
    if recipients.is_empty() {
        return Err(bad("The destination has no address."));
    }
    let subject = simple
        .subject
        .as_ref()
        .ok_or_else(|| bad("Content.Simple.Subject is missing."))?;
    single_line("The subject", &subject.data)?;
    let body = simple
        .body
        .as_ref()
        .ok_or_else(|| bad("Content.Simple.Body is missing."))?;
    if body.text.is_none() && body.html.is_none() {
        return Err(bad("Content.Simple.Body has neither Text nor Html."));
    }
    let texts = [&body.text, &body.html]
        .into_iter()
        .flatten()
        .map(|part| part.data.len());
    let files = simple
        .attachments
        .iter()
        .map(|attachment| attachment.raw_content.len());
    if texts.chain(files).sum::<usize>() > MAIL {
        return Err(rejected(format!(
            "Message length is more than {MAIL} bytes long."
        )));
    }

    let mut headers = vec![("From".to_owned(), decoded(from))];
    let destination = &request.destination;
    for (name, addresses) in [
        ("To", &destination.to_addresses),
        ("Cc", &destination.cc_addresses),
        ("Reply-To", &request.reply_to_addresses),
    ] {
        if !addresses.is_empty() {
            headers.push((name.to_owned(), decoded(&addresses.join(", "))));
        }
    }
    let subject = decoded(&subject.data);
    headers.push(("Subject".to_owned(), subject.clone()));
    headers.extend(further_headers(&simple.headers)?);

    Ok(Mail {
        id: envelope.id,
        received: envelope.received,
        from: decoded(from),
        recipients,
        subject,
        headers,
        html: body.html.as_ref().map(|part| part.data.clone()),
        text: body.text.as_ref().map(|part| part.data.clone()),
        attachments: attachments(simple)?,
        tags: envelope.tags,
        configuration_set: envelope.configuration_set,
    })
}

fn further_headers(headers: &[NameValue]) -> Result<Vec<(String, String)>, AwsError> {
    if headers.len() > HEADERS {
        return Err(bad(format!("A mail can have {HEADERS} headers at most.")));
    }
    headers
        .iter()
        .map(|NameValue { name, value }| {
            let shown = name.escape_debug();
            let legal = |byte: u8| byte.is_ascii_graphic() && byte != b':';
            if !(1..=HEADER_NAME).contains(&name.len()) || !name.bytes().all(legal) {
                return Err(bad(format!("Invalid header name <{shown}>.")));
            }
            if OURS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(bad(format!(
                    "The header <{shown}> can't be given, for SES writes it."
                )));
            }
            let printable = |byte: u8| (b' '..=b'~').contains(&byte);
            if !(1..=HEADER_VALUE).contains(&value.len()) || !value.bytes().all(printable) {
                return Err(bad(format!("Invalid value of the header <{shown}>.")));
            }
            Ok((name.clone(), value.clone()))
        })
        .collect()
}

fn attachments(simple: &Simple) -> Result<Vec<Attachment>, AwsError> {
    simple
        .attachments
        .iter()
        .map(|attachment| {
            single_line("The attachment's name", &attachment.file_name)?;
            let content = data_encoding::BASE64
                .decode(attachment.raw_content.as_bytes())
                .map_err(|_| bad("The attachment's content is not base64."))?;
            Ok(Attachment {
                name: attachment.file_name.clone(),
                content_type: attachment.content_type.clone(),
                bytes: content.len(),
            })
        })
        .collect()
}

/// A header's value with RFC 2047's encoded words as the text they stand for.
fn decoded(value: &str) -> String {
    if !value.contains("=?") {
        return value.to_owned();
    }
    let header = format!("Subject: {value}\r\n\r\n");
    let message = MessageParser::default().parse_headers(header.as_bytes());
    message
        .and_then(|message| message.subject().map(str::to_owned))
        .unwrap_or_else(|| value.to_owned())
}
