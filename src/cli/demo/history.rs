//! Prints an execution's history and result.

use super::super::Failure;
use super::super::terminal::{BAD, FAINT, GOOD, STRONG, say, styled};
use super::failed;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use serde_json::{Value, json};

/// Prints a line for each event: when, which, of which state.
pub(super) async fn print(client: &Client, execution: &str) -> Result<(), Failure> {
    say(&styled(STRONG, "History"));
    let mut pages = client
        .get_execution_history()
        .execution_arn(execution)
        .into_paginator()
        .send();
    let mut began = None;
    while let Some(page) = pages.next().await {
        for event in page.map_err(|error| failed(&error))?.events() {
            let at = event.timestamp().as_secs_f64();
            let began = *began.get_or_insert(at);
            let line = format!(
                "{:>9.3} s  {:>2}  {:<24}",
                at - began,
                event.id(),
                event.r#type().as_str()
            );
            say(format!("{line} {}", styled(FAINT, about(event))).trim_end());
        }
    }
    say("");
    Ok(())
}

/// The state's name, or what went wrong.
fn about(event: &HistoryEvent) -> String {
    let entered = event
        .state_entered_event_details()
        .map(|details| details.name().to_owned());
    let exited = event
        .state_exited_event_details()
        .map(|details| details.name().to_owned());
    let failed = event
        .task_failed_event_details()
        .and_then(|details| details.error().map(str::to_owned));
    let timed_out = event
        .task_timed_out_event_details()
        .and_then(|details| details.error().map(str::to_owned));
    entered.or(exited).or(failed).or(timed_out).unwrap_or_default()
}

/// Prints how it ended, and with what: the last lines.
pub(super) fn print_result(ended: &DescribeExecutionOutput) {
    let style = if ended.status == ExecutionStatus::Succeeded {
        GOOD
    } else {
        BAD
    };
    say(&format!(
        "{}   {}",
        styled(STRONG, "Result"),
        styled(style, &ended.status)
    ));
    let result = if let Some(output) = ended.output() {
        parsed(output)
    } else {
        let mut failure = json!({});
        if let Some(error) = ended.error() {
            failure["error"] = json!(error);
        }
        if let Some(cause) = ended.cause() {
            failure["cause"] = parsed(cause);
        }
        failure
    };
    if result != json!({}) {
        say(&format!("{result:#}"));
    }
}

/// JSON as JSON, anything else as text.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
