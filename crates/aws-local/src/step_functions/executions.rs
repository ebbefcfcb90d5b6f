//! The operations on executions.

use std::sync::Arc;

use asl::{Happened, Refused};
use serde_json::{Value, json};

use super::engine::Engine;
use super::store::executions::{self as kept, Record};
use super::store::map_runs;
use super::validation::{DATA, Request, arn, execution_arn, name, next_token};
use super::{ARN, NAME, machines};
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

const STATUSES: [&str; 6] = [
    "SUCCEEDED",
    "TIMED_OUT",
    "PENDING_REDRIVE",
    "ABORTED",
    "FAILED",
    "RUNNING",
];
const TRACE: usize = 256;
/// The longest error name and cause that StopExecution and SendTaskFailure take, in characters.
pub(super) const ERROR: usize = 256;
pub(super) const CAUSE: usize = 32_768;

pub(super) async fn start(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.text("name", NAME)?;
    if let Some(asked) = asked {
        request.required("name", NAME)?;
        name(asked)?;
    }
    let input = request.data("input", DATA)?.unwrap_or("{}");
    let trace = request.text("traceHeader", TRACE)?.map(str::to_owned);
    let machine = machines::find(engine, request).await?;
    check_input(input)?;
    if machine.status == "DELETING" {
        return Err(AwsError::new(
            "StateMachineDeleting",
            format!("State Machine is being deleted: '{}'", machine.arn),
        ));
    }
    let name = asked.map_or_else(|| engine.source.uuid(), str::to_owned);
    let record = Record {
        id: 0,
        arn: execution_arn(&machine.name, &name),
        machine: machine.arn,
        name,
        revision: machine.revision,
        status: "RUNNING".to_owned(),
        started: engine.source.now(),
        input: input.to_owned(),
        trace,
        end: None,
    };
    let (arn, started) = (record.arn.clone(), record.started);
    let started = match engine.start(record, machine.role, machine.name).await? {
        Ok(()) => started,
        Err(other) if other.status == "RUNNING" && other.input == input => other.started,
        Err(other) => {
            return Err(AwsError::new(
                "ExecutionAlreadyExists",
                format!("Execution Already Exists: '{}'", other.arn),
            ));
        }
    };
    Ok(json!({"executionArn": arn, "startDate": epoch_seconds(started)}).into())
}

pub(super) async fn describe(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let record = find(engine, request).await?;
    let with_data = request.word("includedData", &["ALL_DATA", "METADATA_ONLY"])? != Some("METADATA_ONLY");
    let redrivable = matches!(record.status.as_str(), "FAILED" | "TIMED_OUT" | "ABORTED");
    let mut answer = summary(&record);
    let id = record.id;
    let run = engine
        .store
        .read(move |connection| map_runs::of_child(connection, id))
        .await?;
    if let Some((run, _)) = run {
        answer["mapRunArn"] = run.run.arn.into();
    }
    if with_data {
        answer["input"] = record.input.into();
        answer["inputDetails"] = json!({"included": true});
    }
    if let Some(trace) = record.trace {
        answer["traceHeader"] = trace.into();
    }
    if let Some(end) = record.end {
        if let Some(output) = end.output.filter(|_| with_data) {
            answer["output"] = output.into();
            answer["outputDetails"] = json!({"included": true});
        }
        if let Some(error) = end.error {
            answer["error"] = error.into();
        }
        if let Some(cause) = end.cause {
            answer["cause"] = cause.into();
        }
    }
    if redrivable {
        answer["redriveStatus"] = "REDRIVABLE".into();
    } else {
        answer["redriveStatus"] = "NOT_REDRIVABLE".into();
        answer["redriveStatusReason"] =
            format!("Execution is {} and cannot be redriven", record.status).into();
    }
    Ok(answer.into())
}

pub(super) async fn history(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let size = request.page()?;
    let from = request.number_position()?;
    let reverse = request.flag("reverseOrder");
    let with_data = request
        .0
        .get("includeExecutionData")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let record = find(engine, request).await?;
    let journal = engine
        .store
        .read(move |connection| kept::journal(connection, record.id));
    let (entries, _) = journal.await?;
    let shown = entries.iter().filter(|entry| entry.id != 0);
    let mut events: Vec<_> = if reverse {
        shown.rev().collect()
    } else {
        shown.collect()
    };
    if let Some(from) = from {
        // Events only ever come at the end, so a page begins at the same event at any time.
        let from = u64::try_from(from).unwrap_or(0);
        events.retain(|entry| {
            if reverse {
                entry.id <= from
            } else {
                entry.id >= from
            }
        });
    }
    let next = events.get(size).map(|entry| entry.id);
    events.truncate(size);
    let events: Vec<Value> = events
        .into_iter()
        .filter_map(|entry| asl::history_event(entry, with_data))
        .collect();
    let mut answer = json!({"events": events});
    if let Some(next) = next {
        answer["nextToken"] = next_token(next);
    }
    Ok(answer.into())
}

pub(super) async fn stop(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let error = request.text("error", ERROR)?.map(str::to_owned);
    let cause = request.text("cause", CAUSE)?.map(str::to_owned);
    let record = find(engine, request).await?;
    let refused = engine
        .happen(record.id, Happened::Stopped { error, cause })
        .await?;
    let stopped = match refused {
        None => engine.source.now(),
        Some(Refused::Ended | Refused::Closed | Refused::Unknown | Refused::WrongKind) => {
            let end = find(engine, request).await?.end;
            end.map_or_else(|| engine.source.now(), |end| end.at)
        }
    };
    Ok(json!({"stopDate": epoch_seconds(stopped)}).into())
}

pub(super) async fn list(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let size = request.page()?;
    let before = request.number_position()?.unwrap_or(i64::MAX);
    let status = status_filter(request)?;
    if request.0.contains_key("mapRunArn") {
        return super::map_runs::api::list_children(engine, request).await;
    }
    let machine = machines::find(engine, request).await?;
    let mut records = engine
        .store
        .read(move |connection| kept::list(connection, &machine.arn, status.as_deref(), before, size + 1))
        .await?;
    let more = records.len() > size;
    records.truncate(size);
    let mut answer = json!({"executions": records.iter().map(summary).collect::<Vec<_>>()});
    if more && let Some(last) = records.last() {
        answer["nextToken"] = next_token(last.id);
    }
    Ok(answer.into())
}

pub(super) fn status_filter(request: &Request) -> Result<Option<String>, AwsError> {
    Ok(request.word("statusFilter", &STATUSES)?.map(str::to_owned))
}

/// The execution that `executionArn` names.
pub(super) async fn find(engine: &Engine, request: &Request) -> Result<Record, AwsError> {
    let asked = request.required("executionArn", ARN)?.to_owned();
    arn(&asked, "execution")?;
    let wanted = asked.clone();
    let record = engine
        .store
        .read(move |connection| kept::find(connection, &wanted))
        .await?;
    record.ok_or_else(|| {
        AwsError::new(
            "ExecutionDoesNotExist",
            format!("Execution Does Not Exist: '{asked}'"),
        )
    })
}

/// What a list says of an execution.
pub(super) fn summary(record: &Record) -> Value {
    let mut summary = json!({
        "executionArn": record.arn,
        "stateMachineArn": record.machine,
        "name": record.name,
        "status": record.status,
        "startDate": epoch_seconds(record.started),
        "redriveCount": 0,
    });
    if let Some(end) = &record.end {
        summary["stopDate"] = epoch_seconds(end.at);
    }
    summary
}

/// Refuses what is no JSON, for the most common mistakes in the words of AWS's parser.
fn check_input(input: &str) -> Result<(), AwsError> {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(input) else {
        return Ok(());
    };
    let rest = input.trim_start();
    let token: String = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '$')
        .collect();
    let reason = if rest.is_empty() {
        "Invalid execution input.".to_owned()
    } else if !token.is_empty() && !token.starts_with(|c: char| c.is_ascii_digit()) {
        format!(
            "Unrecognized token '{token}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        )
    } else if let Some(odd) = rest
        .strip_prefix('{')
        .and_then(|rest| rest.trim_start().chars().next())
        && odd != '"'
        && odd != '}'
    {
        format!(
            "Unexpected character ('{odd}' (code {})): was expecting double-quote to start field name",
            u32::from(odd)
        )
    } else {
        error.to_string()
    };
    Err(AwsError::new(
        "InvalidExecutionInput",
        format!("Invalid State Machine Execution Input: '{reason}'"),
    ))
}
