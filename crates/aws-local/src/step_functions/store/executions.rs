//! Executions, their journals and the task tokens they gave out.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use asl::{Entry, TaskId};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::machines::{self, time};
use super::map_runs;

/// How long after its end an execution can be redriven.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html>
pub(crate) const REDRIVABLE_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);
/// With so many events an execution can't be redriven: there must be room for the redrive and for what follows from it.
pub(crate) const MOST_EVENTS_TO_REDRIVE: u64 = 24_999;

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
    /// The version that runs, where a version or an alias was started.
    pub(crate) version: Option<String>,
    /// The alias that was started.
    pub(crate) alias: Option<String>,
    pub(crate) redrives: u32,
    pub(crate) redriven: Option<Timestamp>,
    /// What the client called the latest redrive.
    pub(crate) redrive_token: Option<String>,
    /// The task that began it, where one did: a start that is repeated after a crash finds its own.
    pub(crate) starter: Option<Starter>,
}

/// A task of an execution, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Starter {
    pub(crate) execution: i64,
    pub(crate) task: TaskId,
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
    /// Whether and when this step took up again what had ended.
    pub(crate) redriven: Option<Timestamp>,
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
    SELECT id, arn, machine, name, revision, status, started, input, trace, ended, output, error, cause,
        version, alias, redrives, redriven, redrive_token, starter, starter_task
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
    redriven: Option<bool>,
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE id IN (SELECT execution FROM map_children WHERE run = ?1 AND execution < ?2)
         AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR (redrives > 0) = ?4) ORDER BY id DESC LIMIT ?5"
    ))?;
    statement
        .query_map(params![run, before, status, redriven, limit], record)?
        .collect()
}

/// Which executions of a machine are wanted, and where their list begins.
pub(crate) struct Wanted {
    pub(crate) machine: String,
    /// The ARN of a version or an alias.
    pub(crate) by: Option<String>,
    pub(crate) status: Option<String>,
    /// Whether it was redriven.
    pub(crate) redriven: Option<bool>,
    pub(crate) after: Option<Place>,
    pub(crate) limit: usize,
}

/// An execution's place in a list: newest first by when it ended, or while it runs by when it began to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) time: i64,
    pub(crate) id: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.time, self.id)
    }
}

impl FromStr for Place {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Place, ParseIntError> {
        let (time, id) = text.split_once('.').unwrap_or((text, ""));
        Ok(Place {
            time: time.parse()?,
            id: id.parse()?,
        })
    }
}

impl Record {
    pub(crate) fn place(&self) -> Place {
        let time = self.end.as_ref().map(|end| end.at).or(self.redriven);
        Place {
            time: time.unwrap_or(self.started).as_millisecond(),
            id: self.id,
        }
    }
}

pub(crate) fn list(connection: &Connection, wanted: &Wanted) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE machine = ?1 AND (coalesce(ended, redriven, started), id) < (?2, ?3)
             AND (?4 IS NULL OR version = ?4 OR alias = ?4) AND (?5 IS NULL OR status = ?5)
             AND (?6 IS NULL OR (redrives > 0) = ?6)
         ORDER BY coalesce(ended, redriven, started) DESC, id DESC LIMIT ?7"
    ))?;
    let Place { time, id } = wanted.after.unwrap_or(Place {
        time: i64::MAX,
        id: i64::MAX,
    });
    statement
        .query_map(
            params![
                wanted.machine,
                time,
                id,
                wanted.by,
                wanted.status,
                wanted.redriven,
                wanted.limit
            ],
            record,
        )?
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
             (id, arn, machine, name, revision, status, started, input, trace, version, alias, starter,
              starter_task, calls, steps)
             VALUES (?1, ?2, ?3, ?4, ?5, 'RUNNING', ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0)",
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
            record.version,
            record.alias,
            record.starter.map(|starter| starter.execution),
            record.starter.map(|starter| starter.task.0),
        ])?;
    append(transaction, first)?;
    Ok(None)
}

/// Lets an execution begin anew under its ARN: what it was is forgotten.
pub(crate) fn begin_anew(
    transaction: &Transaction<'_>,
    first: &Progress,
    at: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM journal WHERE execution = ?1")?
        .execute([first.execution])?;
    transaction
        .prepare_cached("UPDATE executions SET started = ?2 WHERE id = ?1")?
        .execute(params![first.execution, at.as_millisecond()])?;
    append(transaction, first)
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
             timer = ?7, calls = ?8, steps = ?9, redrives = redrives + (?10 IS NOT NULL),
             redriven = coalesce(?10, redriven) WHERE id = ?1",
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
            step.redriven.map(Timestamp::as_millisecond),
        ])?;
    for change in &step.map_runs {
        map_runs::change(transaction, step.execution, change)?;
    }
    if end.is_some() {
        map_runs::ended(transaction, step.execution, step.status)?;
        let deleting = transaction
            .prepare_cached(
                "SELECT arn FROM machines WHERE status = 'DELETING'
                 AND arn = (SELECT machine FROM executions WHERE id = ?1)",
            )?
            .query_row([step.execution], |row| row.get::<_, String>(0))
            .optional()?;
        if let Some(machine) = deleting {
            machines::sweep(transaction, &machine)?;
        }
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

/// The id of the latest event in an execution's history.
pub(crate) fn last_event(connection: &Connection, execution: i64) -> rusqlite::Result<u64> {
    let mut statement = connection
        .prepare_cached("SELECT entries FROM journal WHERE execution = ?1 ORDER BY step DESC LIMIT 1")?;
    let entries: Option<String> = statement.query_row([execution], |row| row.get(0)).optional()?;
    let entries: Vec<Entry> = entries
        .and_then(|entries| serde_json::from_str(&entries).ok())
        .unwrap_or_default();
    Ok(entries.iter().map(|entry| entry.id).max().unwrap_or(0))
}

pub(crate) fn keep_redrive_token(
    transaction: &Transaction<'_>,
    execution: i64,
    token: &str,
) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE executions SET redrive_token = ?2 WHERE id = ?1",
        params![execution, token],
    )?;
    Ok(())
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
        version: row.get(13)?,
        alias: row.get(14)?,
        redrives: row.get(15)?,
        redriven: row.get::<_, Option<i64>>(16)?.map(time),
        redrive_token: row.get(17)?,
        starter: match (row.get(18)?, row.get(19)?) {
            (Some(execution), Some(task)) => Some(Starter {
                execution,
                task: TaskId(task),
            }),
            _ => None,
        },
    })
}
