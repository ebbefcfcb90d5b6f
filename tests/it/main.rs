//! The integration tests, one binary.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod api;
mod api_operating;
mod architecture;
mod browser;
mod callback;
mod deadline;
mod deciding;
mod generated;
mod harness;
mod intake;
mod lint;
mod mail_events;
mod mailing;
mod metrics;
mod operating;
mod secrets;
mod serve;
mod signing;
mod starting;
mod workflows;
