//! What a message may hold, how large it is, and the hashes by which a sender knows that it came through.

use std::collections::BTreeMap;

use data_encoding::{BASE64, HEXLOWER};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::refusal::{invalid, invalid_contents, missing};
use crate::error::AwsError;

/// The most attributes of a message.
const ATTRIBUTES: usize = 10;

/// An attribute that the sender gave a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attribute {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
    #[serde(default)]
    data_type: String,
}

pub(super) type Attributes = BTreeMap<String, Attribute>;

impl Attribute {
    fn value(&self) -> Option<Vec<u8>> {
        if self.is_binary() {
            BASE64.decode(self.binary_value.as_ref()?.as_bytes()).ok()
        } else {
            self.string_value.as_ref().map(|text| text.clone().into_bytes())
        }
    }

    fn is_binary(&self) -> bool {
        self.kind() == "Binary"
    }

    /// The type without its label.
    fn kind(&self) -> &str {
        self.data_type.split('.').next().unwrap_or_default()
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.string_value.as_deref()
    }
}

/// Checks a body and its attributes.
pub(super) fn check(body: Option<&str>, attributes: &Attributes) -> Result<(), AwsError> {
    match body {
        None | Some("") => return Err(missing("MessageBody")),
        Some(body) if !body.chars().all(is_allowed) => {
            return Err(invalid_contents(
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.",
            ));
        }
        Some(_) => {}
    }
    if attributes.len() > ATTRIBUTES {
        return Err(invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTES}].",
            attributes.len()
        )));
    }
    for (name, attribute) in attributes {
        if !is_name(name) {
            return Err(invalid(format!(
                "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters."
            )));
        }
        if !["String", "Number", "Binary"].contains(&attribute.kind()) {
            return Err(invalid(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
            )));
        }
        if attribute.value().is_none_or(|value| value.is_empty()) {
            return Err(invalid(format!(
                "The message attribute '{name}' must contain a non-empty message attribute value for message attribute type '{}'.",
                attribute.kind()
            )));
        }
        if attribute.kind() == "Number"
            && attribute
                .text()
                .is_none_or(|text| text.trim().parse::<f64>().is_err())
        {
            return Err(invalid(format!(
                "Can't cast the value of message (user) attribute '{name}' to a number."
            )));
        }
        if attribute.text().is_some_and(|text| !text.chars().all(is_allowed)) {
            return Err(invalid_contents(
                "Invalid characters found in a message attribute.",
            ));
        }
    }
    Ok(())
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

/// The bytes of a message that count: body, and names, types and values of its attributes.
pub(super) fn size(body: &str, attributes: &Attributes) -> u64 {
    let attributes = attributes.iter().map(|(name, attribute)| {
        name.len() + attribute.data_type.len() + attribute.value().map_or(0, |value| value.len())
    });
    (body.len() + attributes.sum::<usize>()) as u64
}

pub(super) fn md5_of_body(body: &str) -> String {
    HEXLOWER.encode(&Md5::digest(body))
}

/// The hash over names, types and values, in the order of the names, each with its length before it, as the
/// developer guide lays it down. Nothing, where there are none.
pub(super) fn md5_of_attributes(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut md5 = Md5::new();
    for (name, attribute) in attributes {
        for text in [name, &attribute.data_type] {
            add(&mut md5, text.as_bytes());
        }
        md5.update([if attribute.is_binary() { 2 } else { 1 }]);
        add(&mut md5, &attribute.value().unwrap_or_default());
    }
    Some(HEXLOWER.encode(&md5.finalize()))
}

fn add(md5: &mut Md5, bytes: &[u8]) {
    md5.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    md5.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(json: &str) -> Attributes {
        serde_json::from_str(json).expect("attributes")
    }

    #[test]
    fn the_hash_of_attributes_is_over_lengths_and_kinds() {
        // Worked out apart from this code, by Python's hashlib.
        let text = attributes(r#"{"timestamp": {"StringValue": "1493147359900", "DataType": "Number"}}"#);
        assert_eq!(
            md5_of_attributes(&text).as_deref(),
            Some("235c5c510d26fb653d073faed50ae77c")
        );
        assert_eq!(md5_of_attributes(&Attributes::new()), None);
    }

    #[test]
    fn what_a_message_may_not_hold_is_refused() {
        let none = Attributes::new();
        assert!(check(Some("Grüße\u{1f600}\n"), &none).is_ok());
        for body in [None, Some(""), Some("\u{1}"), Some("\u{ffff}")] {
            assert!(check(body, &none).is_err(), "{body:?}");
        }
        for wrong in [
            r#"{"a b": {"StringValue": "1", "DataType": "String"}}"#,
            r#"{"AWS.a": {"StringValue": "1", "DataType": "String"}}"#,
            r#"{"a": {"StringValue": "1", "DataType": "Text"}}"#,
            r#"{"a": {"StringValue": "", "DataType": "String"}}"#,
            r#"{"a": {"StringValue": "x", "DataType": "Number"}}"#,
            r#"{"a": {"BinaryValue": "?", "DataType": "Binary"}}"#,
            r#"{"a": {"DataType": "String"}}"#,
        ] {
            assert!(check(Some("x"), &attributes(wrong)).is_err(), "{wrong}");
        }
        let labelled = attributes(r#"{"a": {"BinaryValue": "AAE=", "DataType": "Binary.png"}}"#);
        assert!(check(Some("x"), &labelled).is_ok());
        assert_eq!(size("x", &labelled), 1 + 1 + 10 + 2);
    }
}
