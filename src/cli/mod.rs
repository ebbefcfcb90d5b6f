//! The command line: one file for each command. Only here is anything printed.
//!
//! Exit statuses: 0 done; 1 it didn't work out; 2 the command line or the configuration is wrong.

#[cfg(feature = "local")]
mod approvals;
mod client;
mod configuration;
#[cfg(feature = "local")]
mod demo;
pub mod doctor;
#[cfg(feature = "local")]
pub mod embedded;
mod health;
mod keys;
mod lambda;
mod lint;
#[cfg(feature = "local")]
mod local;
mod new;
mod operate;
mod pending;
mod serve;
mod setup;
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
    /// Show the configuration that is in force, and where each value comes from
    Config(configuration::Config),
    /// Examine everything that the service needs, and say what to do about what isn't right
    Doctor(doctor::Doctor),
    /// Make what the service needs: keys, table, mail, queues, an API key, countersign.toml
    Setup(setup::Setup),
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

    /// What to tell.
    pub(crate) fn message(&self) -> &str {
        &self.message
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

/// Runs what the command line says, to its end; with no command and where Lambda started the process, the function.
pub fn run() -> ExitCode {
    if lambda::is_wanted() {
        run_to_the_end(lambda::run())
    } else {
        run_to_the_end(Cli::parse().command.run())
    }
}

fn run_to_the_end(command: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    log_to_stderr();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&format!("no runtime could be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                terminal::complain(&failure.message);
            }
            ExitCode::from(failure.status)
        }
    }
}

impl Command {
    async fn run(self) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "local")]
            Self::Demo(demo) => Box::pin(demo.run()).await,
            #[cfg(feature = "local")]
            Self::Local(local) => Box::pin(local.run()).await,
            #[cfg(feature = "local")]
            Self::Skip(skip) => Box::pin(skip.run()).await,
            Self::Serve(serve) => Box::pin(serve.run()).await,
            Self::Health(health) => Box::pin(health.run()).await,
            Self::Pending(pending) => Box::pin(pending.run()).await,
            Self::Show(show) => Box::pin(show.run()).await,
            Self::Events(events) => Box::pin(events.run()).await,
            Self::Cancel(cancel) => Box::pin(cancel.run()).await,
            Self::Complete(complete) => Box::pin(complete.run()).await,
            Self::Resend(resend) => Box::pin(resend.run()).await,
            Self::Retry(retry) => Box::pin(retry.run()).await,
            Self::Lint(lint) => lint.run(),
            Self::New(new) => new.run(),
            Self::Start(start) => Box::pin(start.run()).await,
            Self::Config(config) => Box::pin(config.run()).await,
            Self::Doctor(doctor) => Box::pin(doctor.run()).await,
            Self::Setup(setup) => Box::pin(setup.run()).await,
            Self::Keys(keys) => keys.run(),
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
