//! Executions, their journals and the task tokens they gave out.

use asl::Entry;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::machines::{self, time};
use super::map_runs;

/// An execution as its row says it; the journal is beside it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: i64,
    pub(crate) arn: String,
    pub(crate) machine: String,
    pub(crate) name: String,
    pub(crate) revision: i64,
    pub(crate) status: String,
    pub(crate) started: Timestamp,
    pub(crate) input: String,
    pub(crate) trace: Option<String>,
    pub(crate) end: Option<End>,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) at: Timestamp,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
}

/// What one step changed.
pub(crate) struct Progress {
    pub(crate) execution: i64,
    /// The steps before this one.
    pub(crate) steps: i64,
    /// The step's entries, as JSON.
    pub(crate) entries: String,
    /// Tokens that it gave out.
    pub(crate) tokens: Vec<String>,
    pub(crate) status: &'static str,
    pub(crate) end: Option<End>,
    pub(crate) timer: Option<Timestamp>,
    /// Tasks that run in this process now, and have to be run again when it is killed.
    pub(crate) calls: usize,
    /// What becomes of its Map Runs.
    pub(crate) map_runs: Vec<map_runs::Change>,
}

/// What a restart needs to know of a running execution.
pub(crate) struct Waiting {
    pub(crate) id: i64,
    pub(crate) timer: Option<Timestamp>,
    pub(crate) calls: bool,
}

const SELECT: &str = "
    SELECT id, arn, machine, name, revision, status, started, input, trace, ended, output, error, cause
    FROM executions";

pub(crate) fn find(connection: &Connection, arn: &str) -> rusqlite::Result<Option<Record>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
    statement.query_row([arn], record).optional()
}

pub(crate) fn by_id(connection: &Connection, id: i64) -> rusqlite::Result<Record> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    statement.query_row([id], record)
}

/// The children of a Map Run in these statuses, in order, begun after the one numbered `after`.
pub(crate) fn of_map_run(
    connection: &Connection,
    run: i64,
    statuses: &[&str],
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    let statuses = serde_json::json!(statuses).to_string();
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE id IN (SELECT execution FROM map_children WHERE run = ?1 AND execution > ?2)
         AND status IN (SELECT value FROM json_each(?3)) ORDER BY id LIMIT ?4"
    ))?;
    statement
        .query_map(params![run, after, statuses, limit], record)?
        .collect()
}

/// The children of a Map Run, newest first, begun before the one numbered `before`.
pub(crate) fn latest_of_map_run(
    connection: &Connection,
    run: i64,
    status: Option<&str>,
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE id IN (SELECT execution FROM map_children WHERE run = ?1 AND execution < ?2)
         AND (?3 IS NULL OR status = ?3) ORDER BY id DESC LIMIT ?4"
    ))?;
    statement
        .query_map(params![run, before, status, limit], record)?
        .collect()
}

/// Those of a machine, newest first, begun before the one numbered `before`.
pub(crate) fn list(
    connection: &Connection,
    machine: &str,
    status: Option<&str>,
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE machine = ?1 AND id < ?2 AND (?3 IS NULL OR status = ?3)
         ORDER BY id DESC LIMIT ?4"
    ))?;
    statement
        .query_map(params![machine, before, status, limit], record)?
        .collect()
}

/// Adds an execution with its first step, unless there is one of its ARN, which is then the answer.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    record: &Record,
    first: &Progress,
) -> rusqlite::Result<Option<Record>> {
    if let Some(other) = find(transaction, &record.arn)? {
        return Ok(Some(other));
    }
    transaction
        .prepare_cached(
            "INSERT INTO executions
             (id, arn, machine, name, revision, status, started, input, trace, calls, steps)
             VALUES (?1, ?2, ?3, ?4, ?5, 'RUNNING', ?6, ?7, ?8, 0, 0)",
        )?
        .execute(params![
            record.id,
            record.arn,
            record.machine,
            record.name,
            record.revision,
            record.started.as_millisecond(),
            record.input,
            record.trace,
        ])?;
    append(transaction, first)?;
    Ok(None)
}

/// Appends a step. It fails when somebody else has appended one in its place.
pub(crate) fn append(transaction: &Transaction<'_>, step: &Progress) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO journal (execution, step, entries) VALUES (?1, ?2, ?3)")?
        .execute(params![step.execution, step.steps, step.entries])?;
    for token in &step.tokens {
        transaction
            .prepare_cached("INSERT INTO tokens (token, execution) VALUES (?1, ?2)")?
            .execute(params![token, step.execution])?;
    }
    let end = step.end.as_ref();
    transaction
        .prepare_cached(
            "UPDATE executions SET status = ?2, ended = ?3, output = ?4, error = ?5, cause = ?6,
             timer = ?7, calls = ?8, steps = ?9 WHERE id = ?1",
        )?
        .execute(params![
            step.execution,
            step.status,
            end.map(|end| end.at.as_millisecond()),
            end.and_then(|end| end.output.as_deref()),
            end.and_then(|end| end.error.as_deref()),
            end.and_then(|end| end.cause.as_deref()),
            step.timer.map(Timestamp::as_millisecond),
            step.calls,
            step.steps + 1,
        ])?;
    for change in &step.map_runs {
        map_runs::change(transaction, step.execution, change)?;
    }
    if end.is_some() {
        map_runs::ended(transaction, step.execution, step.status)?;
        let mut statement = transaction.prepare_cached("SELECT machine FROM executions WHERE id = ?1")?;
        let machine: String = statement.query_row([step.execution], |row| row.get(0))?;
        machines::sweep(transaction, &machine)?;
    }
    Ok(())
}

/// The revision an execution runs, and its journal with the number of steps.
pub(crate) fn load(connection: &Connection, execution: i64) -> rusqlite::Result<(i64, Vec<Entry>, i64)> {
    let mut statement = connection.prepare_cached("SELECT revision FROM executions WHERE id = ?1")?;
    let revision = statement.query_row([execution], |row| row.get(0))?;
    let (entries, steps) = journal(connection, execution)?;
    Ok((revision, entries, steps))
}

pub(crate) fn journal(connection: &Connection, execution: i64) -> rusqlite::Result<(Vec<Entry>, i64)> {
    let mut statement =
        connection.prepare_cached("SELECT entries FROM journal WHERE execution = ?1 ORDER BY step")?;
    let mut rows = statement.query([execution])?;
    let (mut entries, mut steps) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let step: Vec<Entry> = serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
        })?;
        entries.extend(step);
        steps += 1;
    }
    Ok((entries, steps))
}

/// The execution that gave out a token, if one did.
pub(crate) fn by_token(connection: &Connection, token: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT execution FROM tokens WHERE token = ?1")?;
    statement.query_row([token], |row| row.get(0)).optional()
}

pub(crate) fn waiting(connection: &Connection) -> rusqlite::Result<Vec<Waiting>> {
    let mut statement =
        connection.prepare_cached("SELECT id, timer, calls FROM executions WHERE status = 'RUNNING'")?;
    let waiting = |row: &Row<'_>| {
        let timer: Option<i64> = row.get(1)?;
        let calls: i64 = row.get(2)?;
        Ok(Waiting {
            id: row.get(0)?,
            timer: timer.map(time),
            calls: calls > 0,
        })
    };
    statement.query_map([], waiting)?.collect()
}

pub(crate) fn count_running(connection: &Connection) -> rusqlite::Result<usize> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM executions WHERE status = 'RUNNING'")?;
    statement.query_row([], |row| row.get(0))
}

pub(crate) fn last_id(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(id), 0) FROM executions", [], |row| {
        row.get(0)
    })
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let ended: Option<i64> = row.get(9)?;
    let end = match ended {
        Some(at) => Some(End {
            at: time(at),
            output: row.get(10)?,
            error: row.get(11)?,
            cause: row.get(12)?,
        }),
        None => None,
    };
    Ok(Record {
        id: row.get(0)?,
        arn: row.get(1)?,
        machine: row.get(2)?,
        name: row.get(3)?,
        revision: row.get(4)?,
        status: row.get(5)?,
        started: time(row.get(6)?),
        input: row.get(7)?,
        trace: row.get(8)?,
        end,
    })
}
