//! `countersign new`: writes what a workflow author would otherwise copy. The states themselves are made in
//! `src/lint/approval.rs`.

use super::Failure;
use super::terminal::{note, say};
use crate::domain::request::check_email;
use crate::domain::signer::Person;
use crate::lint::approval::{self, Rejection, Wanted, written};
use clap::{Args, Subcommand, ValueEnum};
use jiff::{Span, SpanRelativeTo};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The commands of `countersign new`.
#[derive(Debug, Subcommand)]
pub(crate) enum New {
    /// Write a state that asks people, with all that belongs to it
    Approval(Approval),
}

/// Write a state that asks people, with all that belongs to it
///
/// Prints the state and those that it leads to when nobody approves, to be put into a machine's States. `countersign lint`
/// finds nothing in them.
#[derive(Debug, Args)]
pub(crate) struct Approval {
    /// The state's name
    #[arg(long, default_value = "Ask for approval")]
    name: String,
    /// Who is asked: 'Bob <bob@example.com>', or 'Bob' if the service knows him; may be given several times
    #[arg(long = "signer", value_name = "PERSON", required = true, value_parser = person)]
    signers: Vec<Person>,
    /// What is to be decided; begin with Approve, Sign, Review or Confirm
    #[arg(long, default_value = "Approve the next step")]
    title: String,
    /// More about it, in Markdown
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// How long people have: 3d, 12h, 90m
    #[arg(long, value_name = "TIME", default_value = "3d", value_parser = seconds)]
    timeout: u64,
    /// What a rejection does: fail the workflow, or lead to a state that is given who rejected and why
    #[arg(long, value_enum, default_value = "fail")]
    reject: Reject,
    /// How Countersign is asked
    #[arg(long, value_enum, default_value = "lambda")]
    via: Via,
    /// Name or ARN of Countersign's function
    #[arg(long, value_name = "FUNCTION", default_value = "countersign")]
    function: String,
    /// Address of the queue that Countersign polls, for --via sqs
    #[arg(long, value_name = "URL", required_if_eq("via", "sqs"))]
    queue: Option<String>,
    /// ARN of the activity that Countersign works, for --via activity; what its configuration has to say is told beside
    /// the state, on standard error
    #[arg(long, value_name = "ARN", required_if_eq("via", "activity"))]
    activity: Option<String>,
    /// The state that an approval leads to; without, the workflow ends there
    #[arg(long, value_name = "STATE", conflicts_with = "workflow")]
    next: Option<String>,
    /// Write JSONata, not JSONPath
    #[arg(long)]
    jsonata: bool,
    /// Write a whole state machine
    #[arg(long)]
    workflow: bool,
    /// Write it into this file, which isn't there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What a rejection does.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Reject {
    Fail,
    Catch,
}

/// How Countersign is asked.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Via {
    /// By invoking its function.
    Lambda,
    /// By a message in a queue.
    Sqs,
    /// By a task of an activity.
    Activity,
}

fn person(text: &str) -> Result<Person, String> {
    let (name, email) = match text.split_once('<') {
        Some((name, rest)) => {
            let address = rest
                .strip_suffix('>')
                .ok_or("end the address with >: Bob <bob@example.com>")?;
            (name.trim(), Some(check_email(address)?))
        }
        None if text.contains('@') => return Err("give the name as well: Bob <bob@example.com>".into()),
        None => (text.trim(), None),
    };
    if name.is_empty() {
        return Err("give a name: Bob <bob@example.com>".into());
    }
    Ok(Person {
        name: name.to_owned(),
        email,
    })
}

/// `3d`, `1d 12h`, `P3D`: in seconds. A day has 24 hours.
fn seconds(text: &str) -> Result<u64, String> {
    let span: Span = text
        .parse()
        .map_err(|_| "write it like 3d, 12h or 90m".to_owned())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let seconds =
        duration.map_err(|_| "use days, hours, minutes and seconds: a month has no length".to_owned())?;
    u64::try_from(seconds.as_secs()).map_err(|_| "a time can't be negative".to_owned())
}

impl New {
    /// Runs it to its end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let Self::Approval(approval) = self;
        approval.run()
    }
}

impl Approval {
    fn run(self) -> Result<(), Failure> {
        // The command line has what its way needs.
        let via = match self.via {
            Via::Lambda => approval::Via::Function(self.function),
            Via::Sqs => approval::Via::Queue(self.queue.unwrap_or_default()),
            Via::Activity => approval::Via::Activity(self.activity.unwrap_or_default()),
        };
        let wanted = Wanted {
            name: self.name,
            via,
            signers: self.signers,
            title: self.title,
            message: self.message,
            seconds: self.timeout,
            rejection: match self.reject {
                Reject::Fail => Rejection::Fail,
                Reject::Catch => Rejection::Catch,
            },
            next: self.next,
            jsonata: self.jsonata,
        };
        let value = if self.workflow {
            wanted.workflow()
        } else {
            wanted.states().map(Into::into)
        };
        let value = value.map_err(|why| Failure::usage(why.to_string()))?;
        let text = written(&value);
        match self.out {
            None => say(&text),
            Some(path) => write(&path, &text)?,
        }
        if let Some(configuration) = wanted.configuration() {
            note("To be put into Countersign's configuration:");
            note(&configuration);
        }
        Ok(())
    }
}

/// Writes a file that isn't there yet.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let unusable = |error: std::io::Error| Failure::usage(format!("--out {}: {error}", path.display()));
    let mut file = std::fs::File::create_new(path).map_err(unusable)?;
    writeln!(file, "{text}").map_err(unusable)
}
