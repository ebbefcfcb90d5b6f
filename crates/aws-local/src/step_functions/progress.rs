//! What a step leaves in the file: its entries, and what is asked of an execution without reading its journal.

use asl::{Execution, Status, Step};
use jiff::Timestamp;

use super::map_runs;
use super::store::executions::{End, Progress};
use crate::error::AwsError;

/// Tasks of `execution` that run in this process, or wait in its memory for a worker.
fn calls(execution: &Execution) -> usize {
    execution.in_hand().count()
}

/// What a step leaves in the file.
pub(super) fn progress(
    id: i64,
    execution: &Execution,
    step: &Step,
    steps: i64,
    now: Timestamp,
) -> Result<Progress, AwsError> {
    let entries = serde_json::to_string(&step.entries)
        .map_err(|error| AwsError::internal("InternalServerError", error))?;
    let tokens = step.entries.iter().filter_map(|entry| match &entry.event {
        asl::Event::TaskScheduled { token, .. } => token.clone(),
        _ => None,
    });
    let status = execution.status();
    let end = |output, error: Option<&String>, cause: Option<&String>| {
        let at = step.entries.last().map_or(now, |entry| entry.at);
        Some(End {
            at,
            output,
            error: error.cloned(),
            cause: cause.cloned(),
        })
    };
    Ok(Progress {
        execution: id,
        steps,
        entries,
        tokens: tokens.collect(),
        status: status.name(),
        end: match status {
            Status::Running => None,
            Status::Succeeded { output } => end(Some(output.to_string()), None, None),
            Status::TimedOut => end(None, None, None),
            Status::Failed { error, cause } | Status::Aborted { error, cause } => {
                end(None, error.as_ref(), cause.as_ref())
            }
        },
        timer: execution.next_timer(),
        calls: calls(execution),
        redriven: step.entries.iter().find_map(|entry| match entry.event {
            asl::Event::ExecutionRedriven { .. } => Some(entry.at),
            _ => None,
        }),
        map_runs: map_runs::changes(execution, &step.entries),
    })
}
