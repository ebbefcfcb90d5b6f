//! A queue's attributes: which there are, what they may be, and what they are where nothing was said.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::{invalid_attribute, unknown_attribute};
use crate::error::AwsError;

/// The largest message and the largest batch, in bytes.
pub(super) const LARGEST: u64 = 1_048_576;

/// Attributes that are numbers: the least, the most, and the default.
const NUMBERS: [(&str, u64, u64, u64); 6] = [
    ("VisibilityTimeout", 0, 43_200, 30),
    ("MaximumMessageSize", 1024, LARGEST, LARGEST),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("DelaySeconds", 0, 900, 0),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("KmsDataKeyReusePeriodSeconds", 60, 86_400, 300),
];

/// Attributes that are one of a few words, for FIFO queues alone but the last; the first word is the default.
const WORDS: [(&str, [&str; 2]); 5] = [
    ("FifoQueue", ["false", "true"]),
    ("ContentBasedDeduplication", ["false", "true"]),
    ("DeduplicationScope", ["queue", "messageGroup"]),
    ("FifoThroughputLimit", ["perQueue", "perMessageGroupId"]),
    ("SqsManagedSseEnabled", ["true", "false"]),
];

/// Attributes that are JSON.
const DOCUMENTS: [&str; 3] = ["Policy", "RedrivePolicy", "RedriveAllowPolicy"];

/// Attributes that nobody sets.
const COUNTED: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// What was set of a queue's attributes.
pub(super) type Set = BTreeMap<String, String>;

/// Where messages go that were received too often.
pub(super) struct Redrive {
    /// The name of the dead-letter queue.
    pub(super) target: String,
    /// The receives after which a message goes there.
    pub(super) most: u64,
}

/// Checks what is to be set, and brings it into one form. An empty value takes an attribute back.
pub(super) fn check(given: Set, fifo: bool) -> Result<Set, AwsError> {
    let mut checked = Set::new();
    for (name, value) in given {
        let known = NUMBERS.iter().any(|(number, ..)| *number == name)
            || WORDS.iter().any(|(word, _)| *word == name)
            || DOCUMENTS.contains(&name.as_str())
            || name == "KmsMasterKeyId";
        if !known || (!fifo && is_for_fifo(&name)) {
            return Err(unknown_attribute(&name));
        }
        if !value.is_empty() && !is_right(&name, &value) {
            return Err(invalid_attribute(&name));
        }
        checked.insert(name, value);
    }
    Ok(checked)
}

fn is_for_fifo(name: &str) -> bool {
    WORDS[..4].iter().any(|(word, _)| *word == name)
}

fn is_right(name: &str, value: &str) -> bool {
    if let Some((_, least, most, _)) = NUMBERS.iter().find(|(number, ..)| *number == name) {
        return value
            .parse()
            .is_ok_and(|number: u64| (*least..=*most).contains(&number));
    }
    if let Some((_, words)) = WORDS.iter().find(|(word, _)| *word == name) {
        return words.contains(&value);
    }
    match name {
        "RedrivePolicy" => redrive_of(value).is_some(),
        "Policy" | "RedriveAllowPolicy" => {
            matches!(serde_json::from_str(value), Ok(Value::Object(_)))
        }
        _ => true,
    }
}

/// A number of `set`, or its default.
pub(super) fn number(set: &Set, name: &str) -> u64 {
    let default = NUMBERS
        .iter()
        .find(|(number, ..)| *number == name)
        .map_or(0, |(.., default)| *default);
    set.get(name)
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

pub(super) fn flag(set: &Set, name: &str, word: &str) -> bool {
    set.get(name).is_some_and(|value| value == word)
}

pub(super) fn redrive(set: &Set) -> Option<Redrive> {
    redrive_of(set.get("RedrivePolicy")?)
}

fn redrive_of(policy: &str) -> Option<Redrive> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let most = match &policy["maxReceiveCount"] {
        Value::String(text) => text.parse().ok()?,
        number => number.as_u64()?,
    };
    let arn: Vec<&str> = policy["deadLetterTargetArn"].as_str()?.split(':').collect();
    match arn[..] {
        ["arn", _, "sqs", _, _, target] if (1..=1000).contains(&most) && !target.is_empty() => {
            Some(Redrive {
                target: target.to_owned(),
                most,
            })
        }
        _ => None,
    }
}

/// The attributes as GetQueueAttributes shows them, without those that are counted.
pub(super) fn shown(set: &Set, fifo: bool) -> Set {
    let mut shown = Set::new();
    for (name, .., default) in NUMBERS {
        if name != "KmsDataKeyReusePeriodSeconds" || set.contains_key("KmsMasterKeyId") {
            shown.insert(name.to_owned(), default.to_string());
        }
    }
    for (name, words) in WORDS {
        if fifo || !is_for_fifo(name) {
            shown.insert(name.to_owned(), words[0].to_owned());
        }
    }
    shown.extend(set.iter().map(|(name, value)| (name.clone(), value.clone())));
    shown
}

/// Whether `name` may be asked for.
pub(super) fn may_be_asked(name: &str) -> bool {
    name == "All"
        || name == "KmsMasterKeyId"
        || COUNTED.contains(&name)
        || DOCUMENTS.contains(&name)
        || NUMBERS.iter().any(|(number, ..)| *number == name)
        || WORDS.iter().any(|(word, _)| *word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Set {
        Set::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn values_out_of_their_range_are_refused() {
        for (name, value, right) in [
            ("VisibilityTimeout", "43200", true),
            ("VisibilityTimeout", "43201", false),
            ("VisibilityTimeout", "x", false),
            ("MaximumMessageSize", "1023", false),
            ("SqsManagedSseEnabled", "true", true),
            ("Policy", "{}", true),
            ("Policy", "[", false),
            (
                "RedrivePolicy",
                "{\"maxReceiveCount\": 0, \"deadLetterTargetArn\": \"arn:aws:sqs:a:1:q\"}",
                false,
            ),
            (
                "RedrivePolicy",
                "{\"maxReceiveCount\": \"3\", \"deadLetterTargetArn\": \"arn:aws:sqs:a:1:q\"}",
                true,
            ),
            ("RedrivePolicy", "", true),
            ("FifoQueue", "true", false),
            ("QueueArn", "x", false),
            ("Colour", "red", false),
        ] {
            assert_eq!(check(one(name, value), false).is_ok(), right, "{name}: {value}");
        }
        assert!(check(one("FifoQueue", "true"), true).is_ok());
    }
}
