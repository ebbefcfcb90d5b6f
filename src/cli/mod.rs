//! The command line: one file for each command. Only here is anything printed.
//!
//! Exit statuses: 0 done; 1 it didn't work out; 2 the command line or the configuration is wrong.

#[cfg(feature = "local")]
mod approvals;
mod client;
#[cfg(feature = "local")]
mod demo;
#[cfg(feature = "local")]
pub mod embedded;
mod health;
mod keys;
mod lint;
#[cfg(feature = "local")]
mod local;
mod new;
mod operate;
mod pending;
mod serve;
#[cfg(feature = "local")]
mod skip;
mod start;
mod system;
mod terminal;
#[cfg(feature = "local")]
mod time_travel;

use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::process::ExitCode;

/// Human approvals for AWS Step Functions.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    about,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the document-signing workflow with everything embedded: nothing to set up
    #[cfg(feature = "local")]
    Demo(demo::Demo),
    /// Run your own workflows and functions on an embedded AWS, with Countersign in it
    #[cfg(feature = "local")]
    Local(local::Local),
    /// Skip the clock of a `countersign local --time-travel` forwards
    #[cfg(feature = "local")]
    Skip(skip::Skip),
    /// Run the service: pages, API and worker, against AWS
    Serve(serve::Serve),
    /// Say whether the `serve` on this machine does its work, for a container's health check
    Health(health::Health),
    /// List requests: who is waited for, newest first
    Pending(pending::Pending),
    /// Explain a request: who is waited for, since when, what happens next
    Show(operate::Show),
    /// Tell what happened to a request, oldest first
    Events(operate::Events),
    /// Withdraw a request
    Cancel(operate::Cancel),
    /// Answer a request for all who haven't
    Complete(operate::Complete),
    /// Mail a request's link again
    Resend(operate::Resend),
    /// Take up a parked callback again, after its cause is mended
    Retry(operate::Retry),
    /// Find what goes wrong with the waiting states of state machines
    Lint(lint::Lint),
    /// Write a waiting state
    #[command(subcommand)]
    New(new::New),
    /// Start a workflow, once for each key of yours
    Start(start::Start),
    /// Make keys
    #[command(subcommand)]
    Keys(keys::Keys),
}

/// Why a command ended early, and the exit status that says so.
#[derive(Debug)]
pub struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    /// Something the caller can put right: wrong arguments, a port in use.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 2,
        }
    }

    /// Something that didn't work out, and that has been told.
    pub(crate) fn told() -> Self {
        Self::failed("")
    }

    /// Something that didn't work out.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 1,
        }
    }
}

impl Cli {
    /// Runs the command to its end.
    pub fn run(self) -> ExitCode {
        log_to_stderr();
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                terminal::complain(&format!("no runtime could be started: {error}"));
                return ExitCode::FAILURE;
            }
        };
        let done: Result<(), Failure> = runtime.block_on(async {
            match self.command {
                #[cfg(feature = "local")]
                Command::Demo(demo) => Box::pin(demo.run()).await,
                #[cfg(feature = "local")]
                Command::Local(local) => Box::pin(local.run()).await,
                #[cfg(feature = "local")]
                Command::Skip(skip) => Box::pin(skip.run()).await,
                Command::Serve(serve) => Box::pin(serve.run()).await,
                Command::Health(health) => Box::pin(health.run()).await,
                Command::Pending(pending) => Box::pin(pending.run()).await,
                Command::Show(show) => Box::pin(show.run()).await,
                Command::Events(events) => Box::pin(events.run()).await,
                Command::Cancel(cancel) => Box::pin(cancel.run()).await,
                Command::Complete(complete) => Box::pin(complete.run()).await,
                Command::Resend(resend) => Box::pin(resend.run()).await,
                Command::Retry(retry) => Box::pin(retry.run()).await,
                Command::Lint(lint) => lint.run(),
                Command::New(new) => new.run(),
                Command::Start(start) => Box::pin(start.run()).await,
                Command::Keys(keys) => keys.run(),
            }
        });
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                if !failure.message.is_empty() {
                    terminal::complain(&failure.message);
                }
                ExitCode::from(failure.status)
            }
        }
    }
}

/// Logs warnings and errors, or what `RUST_LOG` says. What commands print goes to standard output.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_writer(std::io::stderr)
        .init();
}
