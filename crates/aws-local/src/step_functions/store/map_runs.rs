//! Map Runs and their children. A run's row changes in the transactions that its execution's and its children's
//! steps are written in, so that it says at any moment what their journals add up to.

use asl::{Child, MapRun};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::machines::time;

/// `stage` is where its work is: `READING` its items, `RUNNING` its children, `REDRIVING` (about to choose the children
/// that begin again), or `OVER`. A child's input is given up once its execution has it. One that waits to begin again is
/// `PENDING_REDRIVE`.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS map_runs (
        id INTEGER PRIMARY KEY,
        arn TEXT NOT NULL UNIQUE,
        execution INTEGER NOT NULL,
        run TEXT NOT NULL,
        status TEXT NOT NULL,
        stage TEXT NOT NULL,
        started INTEGER NOT NULL,
        ended INTEGER,
        concurrency INTEGER NOT NULL,
        tolerated_count INTEGER,
        tolerated_percentage REAL,
        written INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX IF NOT EXISTS map_runs_by_execution ON map_runs (execution, id);
    CREATE TABLE IF NOT EXISTS map_counts (
        run INTEGER NOT NULL,
        status TEXT NOT NULL,
        executions INTEGER NOT NULL,
        items INTEGER NOT NULL,
        PRIMARY KEY (run, status)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS map_children (
        run INTEGER NOT NULL,
        n INTEGER NOT NULL,
        items INTEGER NOT NULL,
        status TEXT NOT NULL,
        input TEXT,
        execution INTEGER,
        PRIMARY KEY (run, n)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX IF NOT EXISTS map_children_by_execution ON map_children (execution)
        WHERE execution IS NOT NULL;
    CREATE INDEX IF NOT EXISTS map_children_pending ON map_children (run, n) WHERE status = 'PENDING';
    CREATE INDEX IF NOT EXISTS map_children_running ON map_children (run, n) WHERE status = 'RUNNING';
    CREATE INDEX IF NOT EXISTS map_children_redriven ON map_children (run, n) WHERE status = 'PENDING_REDRIVE';
";

/// A Map Run as its row says it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: i64,
    /// The execution that it belongs to.
    pub(crate) execution: i64,
    pub(crate) run: MapRun,
    pub(crate) status: String,
    pub(crate) stage: String,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    /// These three as UpdateMapRun left them.
    pub(crate) concurrency: u64,
    pub(crate) tolerated_count: Option<u64>,
    pub(crate) tolerated_percentage: Option<f64>,
    /// Children whose results were written.
    pub(crate) written: u64,
    pub(crate) redrives: u32,
    pub(crate) redriven: Option<Timestamp>,
}

/// What a step of an execution does to its Map Runs.
pub(crate) enum Change {
    Begun(Box<MapRun>, Timestamp),
    /// Taken up again, the so manieth time.
    Redriven {
        arn: String,
        count: u32,
        at: Timestamp,
    },
    Ended {
        arn: String,
        status: &'static str,
        at: Timestamp,
    },
    /// Only these are still wanted.
    Wanted(Vec<String>, Timestamp),
}

/// Children and their items, in one status.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Count {
    pub(crate) executions: u64,
    pub(crate) items: u64,
}

/// A child that has not begun.
pub(crate) struct Pending {
    pub(crate) n: i64,
    pub(crate) input: String,
}

const SELECT: &str = "
    SELECT id, execution, run, status, stage, started, ended, concurrency, tolerated_count, tolerated_percentage,
        written, redrives, redriven
    FROM map_runs";

pub(crate) fn find(connection: &Connection, arn: &str) -> rusqlite::Result<Option<Record>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
    statement.query_row([arn], record).optional()
}

/// Those of an execution, newest first, begun before the one numbered `before`.
pub(crate) fn list(
    connection: &Connection,
    execution: i64,
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE execution = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    ))?;
    statement
        .query_map(params![execution, before, limit], record)?
        .collect()
}

/// The ARNs of those that are to be gone on with: that are not over, or have children to be given up.
pub(crate) fn unfinished(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT arn FROM map_runs WHERE stage <> 'OVER' OR EXISTS
         (SELECT 1 FROM map_children INDEXED BY map_children_running
          WHERE run = map_runs.id AND status = 'RUNNING')",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The Map Run whose child an execution is.
pub(crate) fn of_child(connection: &Connection, execution: i64) -> rusqlite::Result<Option<(Record, u64)>> {
    let mut statement =
        connection.prepare_cached("SELECT run, items FROM map_children WHERE execution = ?1")?;
    let found: Option<(i64, i64)> = statement
        .query_row([execution], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((run, items)) = found else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    let record = statement.query_row([run], record).optional()?;
    Ok(record.map(|record| (record, items.unsigned_abs())))
}

/// Takes in what a step of `execution` does to its runs.
pub(crate) fn change(transaction: &Transaction<'_>, execution: i64, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Begun(run, at) => {
            transaction
                .prepare_cached(
                    "INSERT INTO map_runs (arn, execution, run, status, stage, started, concurrency, tolerated_count,
                     tolerated_percentage) VALUES (?1, ?2, ?3, 'RUNNING', 'READING', ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    run.arn,
                    execution,
                    json(run)?,
                    at.as_millisecond(),
                    number(run.concurrency),
                    run.tolerated_count.map(number),
                    run.tolerated_percentage,
                ])?;
        }
        Change::Redriven { arn, count, at } => super::map_redrives::begin(transaction, arn, *count, *at)?,
        Change::Ended { arn, status, at } => end(transaction, arn, status, *at)?,
        Change::Wanted(wanted, at) => {
            let mut statement = transaction
                .prepare_cached("SELECT arn FROM map_runs WHERE execution = ?1 AND status = 'RUNNING'")?;
            let running: Vec<String> = statement
                .query_map([execution], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for arn in running.iter().filter(|arn| !wanted.contains(arn)) {
                end(transaction, arn, "ABORTED", *at)?;
            }
        }
    }
    Ok(())
}

fn end(transaction: &Transaction<'_>, arn: &str, status: &str, at: Timestamp) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE map_runs SET status = ?2, stage = 'OVER', ended = ?3 WHERE arn = ?1")?
        .execute(params![arn, status, at.as_millisecond()])?;
    super::map_redrives::end(transaction, arn)
}

/// Forgets the items of a run that was cut off while it read them.
pub(crate) fn clear(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM map_children WHERE run = ?1", [run])?;
    transaction.execute("DELETE FROM map_counts WHERE run = ?1", [run])?;
    Ok(())
}

/// Adds children, numbered on from `first`.
pub(crate) fn add(
    transaction: &Transaction<'_>,
    run: i64,
    first: i64,
    children: &[Child],
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO map_children (run, n, items, status, input) VALUES (?1, ?2, ?3, 'PENDING', ?4)",
    )?;
    for (n, child) in (first..).zip(children) {
        statement.execute(params![run, n, number(child.items), child.input.to_string()])?;
        count(transaction, run, "PENDING", 1, number(child.items))?;
    }
    Ok(())
}

/// Says that all items are read.
pub(crate) fn read(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE map_runs SET stage = 'RUNNING' WHERE id = ?1 AND stage = 'READING'",
        [run],
    )?;
    Ok(())
}

pub(super) fn count(
    transaction: &Transaction<'_>,
    run: i64,
    status: &str,
    executions: i64,
    items: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO map_counts (run, status, executions, items) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (run, status) DO UPDATE SET executions = executions + ?3, items = items + ?4",
        )?
        .execute(params![run, status, executions, items])?;
    Ok(())
}

/// How many children and items of a run have this status.
pub(crate) fn counted(connection: &Connection, run: i64, status: &str) -> rusqlite::Result<Count> {
    let mut statement = connection
        .prepare_cached("SELECT executions, items FROM map_counts WHERE run = ?1 AND status = ?2")?;
    let found = statement.query_row(params![run, status], |row| {
        let (executions, items): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Count {
            executions: executions.unsigned_abs(),
            items: items.unsigned_abs(),
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// The children that have not begun, in order, after the one numbered `after`.
pub(crate) fn pending(
    connection: &Connection,
    run: i64,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Pending>> {
    let mut statement = connection.prepare_cached(
        "SELECT n, coalesce(input, 'null') FROM map_children INDEXED BY map_children_pending
         WHERE run = ?1 AND status = 'PENDING' AND n > ?2 ORDER BY n LIMIT ?3",
    )?;
    statement.query_map(params![run, after, limit], child)?.collect()
}

/// The executions of the children that run.
pub(crate) fn running(connection: &Connection, run: i64) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT execution FROM map_children INDEXED BY map_children_running
         WHERE run = ?1 AND status = 'RUNNING' AND execution IS NOT NULL",
    )?;
    statement.query_map([run], |row| row.get(0))?.collect()
}

/// Gives a child its execution. It fails unless the child has not begun and the run goes on.
pub(crate) fn begin(transaction: &Transaction<'_>, run: i64, n: i64, execution: i64) -> rusqlite::Result<()> {
    let goes_on: bool = transaction
        .prepare_cached("SELECT status = 'RUNNING' FROM map_runs WHERE id = ?1")?
        .query_row([run], |row| row.get(0))?;
    let items: i64 = transaction
        .prepare_cached(
            "UPDATE map_children SET status = 'RUNNING', execution = ?3, input = NULL
             WHERE run = ?1 AND n = ?2 AND status = 'PENDING' AND ?4 RETURNING items",
        )?
        .query_row(params![run, n, execution, goes_on], |row| row.get(0))?;
    count(transaction, run, "PENDING", -1, -items)?;
    count(transaction, run, "RUNNING", 1, items)
}

/// Takes in that an execution has ended, which may be a child.
pub(crate) fn ended(transaction: &Transaction<'_>, execution: i64, status: &str) -> rusqlite::Result<()> {
    let child: Option<(i64, i64)> = transaction
        .prepare_cached(
            "UPDATE map_children SET status = ?2 WHERE execution = ?1 AND status = 'RUNNING' RETURNING run, items",
        )?
        .query_row(params![execution, status], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((run, items)) = child {
        count(transaction, run, "RUNNING", -1, -items)?;
        count(transaction, run, status, 1, items)?;
    }
    Ok(())
}

/// UpdateMapRun: what is given, of a run that goes on.
pub(crate) fn update(
    transaction: &Transaction<'_>,
    arn: &str,
    concurrency: Option<u64>,
    tolerated_count: Option<u64>,
    tolerated_percentage: Option<f64>,
) -> rusqlite::Result<bool> {
    let changed = transaction
        .prepare_cached(
            "UPDATE map_runs SET concurrency = coalesce(?2, concurrency),
             tolerated_count = coalesce(?3, tolerated_count),
             tolerated_percentage = coalesce(?4, tolerated_percentage)
             WHERE arn = ?1 AND status = 'RUNNING'",
        )?
        .execute(params![
            arn,
            concurrency.map(number),
            tolerated_count.map(number),
            tolerated_percentage
        ])?;
    Ok(changed > 0)
}

/// Says how many results were written.
pub(crate) fn written(transaction: &Transaction<'_>, run: i64, children: u64) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE map_runs SET written = ?2 WHERE id = ?1",
        params![run, number(children)],
    )?;
    Ok(())
}

fn child(row: &Row<'_>) -> rusqlite::Result<Pending> {
    Ok(Pending {
        n: row.get(0)?,
        input: row.get(1)?,
    })
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn json(run: &MapRun) -> rusqlite::Result<String> {
    serde_json::to_string(run).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let (ended, concurrency): (Option<i64>, i64) = (row.get(6)?, row.get(7)?);
    let (count, written): (Option<i64>, i64) = (row.get(8)?, row.get(10)?);
    let run = serde_json::from_str(row.get_ref(2)?.as_str()?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(Record {
        id: row.get(0)?,
        execution: row.get(1)?,
        run,
        status: row.get(3)?,
        stage: row.get(4)?,
        started: time(row.get(5)?),
        ended: ended.map(time),
        concurrency: concurrency.unsigned_abs(),
        tolerated_count: count.map(i64::unsigned_abs),
        tolerated_percentage: row.get(9)?,
        written: written.unsigned_abs(),
        redrives: row.get(11)?,
        redriven: row.get::<_, Option<i64>>(12)?.map(time),
    })
}
