//! What SES tells about mails.
pub(crate) const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mails";
