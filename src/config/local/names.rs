//! How the names of things have to look, in `countersign.toml` as on AWS.

use crate::domain::request::check_email;

/// Whether `name` may stand between `${` and `}`.
pub fn is_placeholder(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c))
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>
pub(super) fn check_queue(name: &str) -> Result<(), &'static str> {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let fits = !stem.is_empty()
        && name.len() <= 80
        && stem
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    fits.then_some(())
        .ok_or("a queue's name has 1 to 80 letters, digits, - and _; that of a FIFO queue ends in .fifo")
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateActivity.html>
pub(super) fn check_activity(name: &str) -> Result<(), &'static str> {
    let fits = (1..=80).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    fits.then_some(())
        .ok_or("an activity's name has 1 to 80 letters, digits, - and _")
}

pub(super) fn check_identity(text: &str) -> Result<(), &'static str> {
    // A domain is an identity too.
    let fits = check_email(text).is_ok() || check_email(&format!("someone@{text}")).is_ok();
    fits.then_some(()).ok_or("must be a mail address or a domain")
}

pub(super) fn check_host(text: &str) -> Result<(), &'static str> {
    let authority: Option<http::uri::Authority> = text.parse().ok();
    authority
        .filter(|authority| !authority.as_str().contains('@'))
        .map(drop)
        .ok_or("must be a host, with a port or without: \"localhost:3000\"")
}
