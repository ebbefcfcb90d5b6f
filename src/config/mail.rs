//! What the configuration says of mails beyond the sender: SES's configuration set, and whose messages about mails count.
//! The queues in which they come are among the ways in.

use super::read::Reader;

impl Reader<'_> {
    /// Reads `mail_configuration_set` and `mail_topics`.
    pub(super) fn mail_events(&mut self) -> (Option<String>, Vec<String>) {
        let set = self.text("mail_configuration_set");
        let set = self.checked("mail_configuration_set", set, check_set);
        (set, self.each_text("mail_topics", check_topic))
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

fn check_topic(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        ["arn", partition, "sns", region, account, name]
            if partition.starts_with("aws")
                && [region, account, name].iter().all(|part| !part.is_empty()) =>
        {
            Ok(())
        }
        _ => Err(
            "must be the ARN of an SNS topic, such as \"arn:aws:sns:eu-central-1:123456789012:mails\""
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_topics_are_held_to_their_form() {
        assert!(check_set("countersign".to_owned()).is_ok() && check_set("a b".to_owned()).is_err());
        assert!(check_set(String::new()).is_err());
        for (topic, fits) in [
            ("arn:aws:sns:eu-central-1:123456789012:mails", true),
            ("arn:aws-cn:sns:cn-north-1:123456789012:mails", true),
            ("arn:aws:sqs:eu-central-1:123456789012:mails", false),
            ("arn:aws:sns:eu-central-1:123456789012:mails:0000-1111", false),
            ("mails", false),
        ] {
            assert_eq!(check_topic(topic).is_ok(), fits, "{topic}");
        }
    }
}
