//! The operations on Map Runs.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::engine::Engine;
use super::super::executions;
use super::super::names::arn;
use super::super::request::{Request, next_token};
use super::super::store::executions as kept_executions;
use super::super::store::map_redrives;
use super::super::store::map_runs::{self as kept, Count, Record};
use super::{Counts, lock};
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

pub(crate) async fn describe(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let record = find(engine, request).await?;
    let (run, execution, now) = (record.id, record.execution, engine.source.now());
    let found = engine.store.read(move |connection| {
        let parent = kept_executions::by_id(connection, execution)?;
        let lost = map_redrives::lost(connection, run, now)?;
        Ok((parent, Counts::of(connection, run)?, lost))
    });
    let (parent, counts, lost) = found.await?;
    let mut answer = json!({
        "mapRunArn": record.run.arn,
        "executionArn": parent.arn,
        "status": record.status,
        "startDate": epoch_seconds(record.started),
        "maxConcurrency": record.concurrency,
        "toleratedFailurePercentage": record.tolerated_percentage.unwrap_or(0.0),
        "toleratedFailureCount": record.tolerated_count.unwrap_or(0),
        "itemCounts": counted(&counts, lost, |count| count.items, written_items(&record, &counts)),
        "executionCounts": counted(&counts, lost, |count| count.executions, record.written),
        "redriveCount": record.redrives,
    });
    if let Some(redriven) = record.redriven {
        answer["redriveDate"] = epoch_seconds(redriven);
    }
    if let Some(ended) = record.ended {
        answer["stopDate"] = epoch_seconds(ended);
    }
    Ok(answer.into())
}

fn counted(counts: &Counts, lost: Count, number: impl Fn(Count) -> u64, written: u64) -> Value {
    let Counts {
        pending,
        running,
        succeeded,
        failed,
        timed_out,
        aborted,
        pending_redrive,
    } = *counts;
    let total = [
        pending,
        running,
        succeeded,
        failed,
        timed_out,
        aborted,
        pending_redrive,
    ];
    json!({
        "pending": number(pending),
        "running": number(running),
        "succeeded": number(succeeded),
        "failed": number(failed),
        "timedOut": number(timed_out),
        "aborted": number(aborted),
        "total": total.into_iter().map(&number).sum::<u64>(),
        "resultsWritten": written,
        "failuresNotRedrivable": number(lost),
        "pendingRedrive": number(pending_redrive),
    })
}

/// The items whose results were written: those of all children that are over, once they were.
fn written_items(record: &Record, counts: &Counts) -> u64 {
    if record.written == 0 {
        return 0;
    }
    let over = [counts.succeeded, counts.failed, counts.timed_out, counts.aborted];
    over.iter().map(|count| count.items).sum()
}

pub(crate) async fn list(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let size = request.page();
    let before = request.position::<i64>()?.unwrap_or(i64::MAX);
    let execution = executions::find(engine, request).await?;
    let id = execution.id;
    let mut runs = engine
        .store
        .read(move |connection| kept::list(connection, id, before, size + 1))
        .await?;
    let more = runs.len() > size;
    runs.truncate(size);
    let listed: Vec<Value> = runs
        .iter()
        .map(|record| {
            let (machine, _) = super::child_machine(&execution.machine, &record.run.label);
            let mut listed = json!({
                "executionArn": execution.arn,
                "mapRunArn": record.run.arn,
                "stateMachineArn": machine,
                "startDate": epoch_seconds(record.started),
            });
            if let Some(ended) = record.ended {
                listed["stopDate"] = epoch_seconds(ended);
            }
            listed
        })
        .collect();
    let mut answer = json!({ "mapRuns": listed });
    if more && let Some(last) = runs.last() {
        answer["nextToken"] = next_token(last.id);
    }
    Ok(answer.into())
}

pub(crate) async fn update(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let record = find(engine, request).await?;
    let concurrency = request.number("maxConcurrency");
    let tolerated_count = request.number("toleratedFailureCount");
    let percentage = request.get("toleratedFailurePercentage").and_then(Value::as_f64);
    let asked = record.run.arn.clone();
    let changed = engine.store.write(move |transaction| {
        kept::update(transaction, &asked, concurrency, tolerated_count, percentage)
    });
    if !changed.await? {
        return Err(AwsError::new(
            "ValidationException",
            format!("Map Run is not running: '{}'", record.run.arn),
        ));
    }
    if let Some(driver) = lock(&engine.map_runs.drivers).get(&(record.execution, record.run.arn)) {
        driver.notify_one();
    }
    Ok(json!({}).into())
}

/// The children of a run, as ListExecutions tells them: newest first.
pub(crate) async fn list_children(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let size = request.page();
    let before = request.position::<i64>()?.unwrap_or(i64::MAX);
    let status = request.owned("statusFilter");
    let redriven = request.text("redriveFilter").map(|filter| filter == "REDRIVEN");
    let record = find(engine, request).await?;
    if record.run.express {
        // AWS keeps no list of EXPRESS executions.
        return Ok(json!({"executions": []}).into());
    }
    let run = record.id;
    let found = engine.store.read(move |connection| {
        let status = status.as_deref();
        let limit = size + 1;
        let mut children =
            kept_executions::latest_of_map_run(connection, run, status, redriven, before, limit)?;
        let more = children.len() > size;
        children.truncate(size);
        let items = children
            .iter()
            .map(|child| Ok(kept::of_child(connection, child.id)?.map_or(0, |(_, items)| items)))
            .collect::<rusqlite::Result<Vec<u64>>>()?;
        Ok((children, items, more))
    });
    let (children, items, more) = found.await?;
    let listed: Vec<Value> = children
        .iter()
        .zip(items)
        .map(|(child, items)| {
            let mut listed = executions::summary(child);
            listed["mapRunArn"] = record.run.arn.as_str().into();
            listed["itemCount"] = items.into();
            listed
        })
        .collect();
    let mut answer = json!({ "executions": listed });
    if more && let Some(last) = children.last() {
        answer["nextToken"] = next_token(last.id);
    }
    Ok(answer.into())
}

/// The run that `mapRunArn` names.
async fn find(engine: &Engine, request: &Request) -> Result<Record, AwsError> {
    let asked = request.required("mapRunArn").to_owned();
    arn(&asked, "mapRun")?;
    let wanted = asked.clone();
    let record = engine
        .store
        .read(move |connection| kept::find(connection, &wanted))
        .await?;
    record.ok_or_else(|| AwsError::new("ResourceNotFound", format!("Resource not found: '{asked}'")))
}
