//! Mails: what they say (`messages`).

pub mod messages;
