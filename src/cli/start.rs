//! `countersign start`: starts an execution of a state machine over the API, once for each idempotency key, and waits for
//! its end if it is told to. Standard output has nothing but the execution's ARN or, after waiting, its output.

use super::Failure;
use super::client::{CallError, Service};
use super::operate::print_json;
use super::terminal::{note, say};
use crate::domain::display_text::DisplayText;
use clap::Args;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait before the first look; each one after that waits half as long again,
const FIRST_LOOK: Duration = Duration::from_millis(200);
/// and at most this long.
const LATER_LOOKS: Duration = Duration::from_secs(3);
/// How many looks in a row may fail: the service may be replaced while an execution goes on.
const PATIENCE: u32 = 20;

/// `countersign start`: starts an execution of a state machine.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Its ARN, or that of a version or an alias; or its name
    state_machine: String,
    /// What it is started with; {} without
    #[arg(long, value_name = "JSON", conflicts_with = "input_file")]
    input: Option<String>,
    /// The same from a file; - is standard input
    #[arg(long, value_name = "FILE")]
    input_file: Option<PathBuf>,
    /// Your own key for what is to be done: with the same key and input, it is started once however often this is run
    #[arg(long, value_name = "KEY", conflicts_with = "name")]
    idempotency_key: Option<String>,
    /// The execution's name, instead of a key; made up without
    #[arg(long)]
    name: Option<String>,
    /// Wait for the end and print the output
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    service: Service,
}

/// What the API is sent. The input stays as it was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    state_machine: &'a str,
    input: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// What the API shows of an execution.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Execution {
    execution_arn: String,
    status: String,
    output: Option<Box<RawValue>>,
    error: Option<String>,
    cause: Option<String>,
}

impl Start {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let input = self.read_input()?;
        let asked = Asked {
            state_machine: &self.state_machine,
            input: &input,
            idempotency_key: self.idempotency_key.as_deref(),
            name: self.name.as_deref(),
        };
        let body = serde_json::to_string(&asked).map_err(|error| Failure::failed(error.to_string()))?;
        let answer = self.service.send(Method::POST, "/executions", Some(body)).await?;
        let started = understood(&answer)?;
        if !self.wait {
            return if self.service.json {
                print_json_text(&answer)
            } else {
                say(&started.execution_arn);
                Ok(())
            };
        }
        note(&format!("{}  {}", started.execution_arn, started.status));
        let answer = self.end_of(&started.execution_arn).await?;
        let ended = understood(&answer)?;
        if self.service.json {
            print_json_text(&answer)?;
        } else if let Some(output) = &ended.output {
            say(output.get());
        }
        if ended.status == "SUCCEEDED" {
            return Ok(());
        }
        let told: Vec<String> = [ended.error, ended.cause]
            .into_iter()
            .flatten()
            .map(|text| DisplayText::new(&text).to_string())
            .collect();
        let why = if told.is_empty() {
            String::new()
        } else {
            format!(": {}", told.join(": "))
        };
        Err(Failure::failed(format!(
            "the execution ended {}{why}",
            ended.status
        )))
    }

    fn read_input(&self) -> Result<Box<RawValue>, Failure> {
        let (from, text) = match (&self.input, &self.input_file) {
            (Some(text), _) => ("--input".to_owned(), text.clone()),
            (None, Some(file)) => (file.display().to_string(), read(file)?),
            (None, None) => return Ok(RawValue::from_string("{}".to_owned()).unwrap_or_default()),
        };
        json(&text).map_err(|why| Failure::usage(format!("{from} is no JSON: {why}")))
    }

    /// What the API shows of the execution once it has ended.
    async fn end_of(&self, arn: &str) -> Result<String, Failure> {
        let path = format!("/executions/{}", segment(arn));
        let (mut pause, mut failed) = (FIRST_LOOK, 0);
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LATER_LOOKS);
            match self.service.send(Method::GET, &path, None).await {
                Ok(answer) => {
                    failed = 0;
                    if understood(&answer)?.status != "RUNNING" {
                        return Ok(answer);
                    }
                }
                Err(CallError { passing: true, .. }) if failed < PATIENCE => failed += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A text as one segment of a path (RFC 3986, section 3.3).
fn segment(text: &str) -> String {
    let written = |byte: u8| match char::from(byte) {
        plain if plain.is_ascii_alphanumeric() || "-._~:".contains(plain) => plain.to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(written).collect()
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let done = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    match done {
        Ok(()) => Ok(text),
        Err(error) => Err(Failure::usage(format!(
            "{} can't be read: {error}",
            file.display()
        ))),
    }
}

/// JSON as it is written, or where it isn't any.
fn json(text: &str) -> Result<Box<RawValue>, String> {
    let why = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        let told = error.to_string();
        let told = told
            .strip_suffix(&format!(" at line {line} column {column}"))
            .unwrap_or(&told);
        format!("line {line}, column {column}: {told}")
    };
    // First as the service will read it: a number that is too large is one of its refusals.
    serde_json::from_str::<Value>(text).map_err(why)?;
    serde_json::from_str(text).map_err(why)
}

fn understood(answer: &str) -> Result<Execution, Failure> {
    serde_json::from_str(answer)
        .map_err(|error| Failure::failed(format!("the service's answer isn't understood: {error}")))
}

fn print_json_text(answer: &str) -> Result<(), Failure> {
    let shown: Value = serde_json::from_str(answer).map_err(|error| Failure::failed(error.to_string()))?;
    print_json(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_one_segment_of_a_path() {
        assert_eq!(
            segment("arn:aws:states:e:a/b-1.2_é"),
            "arn:aws:states:e:a%2Fb-1.2_%C3%A9"
        );
    }

    #[test]
    fn input_stays_as_it_is_written_and_errors_say_where() {
        for text in [r#"{"dataId": 1}"#, " [1.10, 12345678901234567890123]\n", "null"] {
            assert_eq!(json(text).expect("JSON").get(), text.trim());
        }
        for (text, why) in [
            ("{\"dataId\": }", "line 1, column 12: expected value"),
            (
                "{\n  \"dataId\": 1\n",
                "line 3, column 0: EOF while parsing an object",
            ),
            ("{dataId: 1}", "line 1, column 2: key must be a string"),
            ("", "line 1, column 0: EOF while parsing a value"),
            ("{} {}", "line 1, column 4: trailing characters"),
        ] {
            assert_eq!(json(text).expect_err(text), why);
        }
    }
}
