//! What the configuration says of mails beyond the sender: SES's configuration set, and the ways on which its events
//! come back.

use super::read::Reader;
use serde_json::Value;

/// What SES tells about mails, and how.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct MailEvents {
    pub(super) configuration_set: Option<String>,
    pub(super) topics: Vec<String>,
    pub(super) queues: Vec<String>,
}

impl Reader<'_> {
    /// Reads `mail_configuration_set`, `mail_topics` and `mail_event_queues`.
    pub(super) fn mail_events(&mut self) -> MailEvents {
        let configuration_set = self.text("mail_configuration_set");
        MailEvents {
            configuration_set: self.checked("mail_configuration_set", configuration_set, check_set),
            topics: self.list_of("mail_topics", "the ARN of an SNS topic", is_topic),
            queues: self.list_of("mail_event_queues", "the address (URL) of an SQS queue", is_queue),
        }
    }

    /// A list of texts, each of which `fits`; `what` says what each must be.
    fn list_of(&mut self, key: &str, what: &str, fits: fn(&str) -> bool) -> Vec<String> {
        let entries = match self.values.get(key) {
            None => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => {
                self.problem(key, format!("must be a list: each is {what}"));
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            match entry.as_str().filter(|text| fits(text)) {
                Some(text) => texts.push(text.to_owned()),
                None => self.problem(format!("{key}[{index}]"), format!("must be {what}")),
            }
        }
        texts
    }
}

fn check_set(text: String) -> Result<String, String> {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=64).contains(&text.len()) && text.bytes().all(named) {
        Ok(text)
    } else {
        Err("must be a configuration set's name: 1 to 64 letters, digits, - and _".to_owned())
    }
}

fn is_topic(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    matches!(parts[..], ["arn", partition, "sns", region, account, name]
        if partition.starts_with("aws") && [region, account, name].iter().all(|part| !part.is_empty()))
}

fn is_queue(text: &str) -> bool {
    let url: Option<http::Uri> = text.parse().ok();
    url.is_some_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.path().trim_end_matches('/').len() > 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_topics_and_queues_are_held_to_their_form() {
        assert!(check_set("countersign".to_owned()).is_ok() && check_set("a b".to_owned()).is_err());
        assert!(check_set(String::new()).is_err());
        for (topic, fits) in [
            ("arn:aws:sns:eu-central-1:123456789012:mails", true),
            ("arn:aws-cn:sns:cn-north-1:123456789012:mails", true),
            ("arn:aws:sqs:eu-central-1:123456789012:mails", false),
            ("arn:aws:sns:eu-central-1:123456789012:mails:0000-1111", false),
            ("mails", false),
        ] {
            assert_eq!(is_topic(topic), fits, "{topic}");
        }
        for (queue, fits) in [
            ("https://sqs.eu-central-1.amazonaws.com/123456789012/mails", true),
            ("http://127.0.0.1:8086/123456789012/mails", true),
            ("https://sqs.eu-central-1.amazonaws.com/", false),
            ("mails", false),
        ] {
            assert_eq!(is_queue(queue), fits, "{queue}");
        }
    }
}
