//! Mails: what they say (`views`).

pub mod views;
