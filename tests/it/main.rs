//! The integration tests, one binary.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod activities;
mod api;
mod api_operating;
mod architecture;
mod batches;
mod browser;
mod callback;
mod deadline;
mod deciding;
mod events;
mod generated;
mod harness;
mod intake;
mod lint;
mod mail_events;
mod mailing;
mod metrics;
mod operating;
mod queues;
mod secrets;
mod serve;
mod signing;
mod sns;
mod sources;
mod starting;
mod state_data;
mod stopping;
mod ways;
mod workflows;
