//! Map Runs that are redriven: which children begin again, and which can't.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::executions::{self, MOST_EVENTS_TO_REDRIVE, REDRIVABLE_FOR, Record};
use super::map_runs::{Count, count};

/// Whether a child `c` with the execution `e` can't begin again. What is EXPRESS begins anew, whatever it was; else it
/// is as with any execution, by its end (after ?2) and by the events it has (less than ?3). The last entry of what has
/// ended is an event.
const LOST: &str = "
    (NOT (SELECT json_extract(run, '$.express') IS TRUE FROM map_runs WHERE id = c.run)
     AND (e.ended < ?2
          OR (SELECT json_extract(entries, '$[#-1].id') FROM journal WHERE execution = e.id
              ORDER BY step DESC LIMIT 1) >= ?3))";

const UNSUCCESSFUL: &str = "c.status IN ('FAILED', 'TIMED_OUT', 'ABORTED')";

/// A run is taken up again. Where no child has begun, its items are read anew.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html>
pub(super) fn begin(
    transaction: &Transaction<'_>,
    arn: &str,
    count: u32,
    at: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE map_runs SET status = 'RUNNING', ended = NULL, written = 0, redrives = ?2, redriven = ?3,
             stage = CASE WHEN EXISTS (SELECT 1 FROM map_children WHERE run = map_runs.id AND execution IS NOT NULL)
                     THEN 'REDRIVING' ELSE 'READING' END
             WHERE arn = ?1",
        )?
        .execute(params![arn, count, at.as_millisecond()])?;
    Ok(())
}

/// A run is over: what waited to begin again is as it was.
pub(super) fn end(transaction: &Transaction<'_>, arn: &str) -> rusqlite::Result<()> {
    let run = transaction
        .prepare_cached("SELECT id FROM map_runs WHERE arn = ?1")?
        .query_row([arn], |row| row.get(0))
        .optional()?;
    let Some(run) = run else { return Ok(()) };
    let waiting = grouped(
        transaction,
        "SELECT e.status, count(*), sum(c.items) FROM map_children c INDEXED BY map_children_redriven
         JOIN executions e ON e.id = c.execution WHERE c.run = ?1 AND c.status = 'PENDING_REDRIVE' GROUP BY 1",
        params![run],
    )?;
    for (status, executions, items) in waiting {
        count(transaction, run, "PENDING_REDRIVE", -executions, -items)?;
        count(transaction, run, &status, executions, items)?;
    }
    transaction
        .prepare_cached(
            "UPDATE map_children SET status = (SELECT status FROM executions WHERE id = map_children.execution)
             WHERE run = ?1 AND status = 'PENDING_REDRIVE'",
        )?
        .execute([run])?;
    Ok(())
}

/// Chooses the children that begin again, and lets the run go on.
pub(crate) fn choose(transaction: &Transaction<'_>, run: i64, now: Timestamp) -> rusqlite::Result<()> {
    let since = latest_end(now);
    let chosen = grouped(
        transaction,
        &format!(
            "SELECT c.status, count(*), sum(c.items) FROM map_children c JOIN executions e ON e.id = c.execution
             WHERE c.run = ?1 AND {UNSUCCESSFUL} AND NOT coalesce({LOST}, FALSE) GROUP BY 1"
        ),
        params![run, since, MOST_EVENTS_TO_REDRIVE],
    )?;
    transaction
        .prepare_cached(&format!(
            "UPDATE map_children AS c SET status = 'PENDING_REDRIVE' FROM executions AS e
             WHERE e.id = c.execution AND c.run = ?1 AND {UNSUCCESSFUL} AND NOT coalesce({LOST}, FALSE)"
        ))?
        .execute(params![run, since, MOST_EVENTS_TO_REDRIVE])?;
    for (status, executions, items) in chosen {
        count(transaction, run, &status, -executions, -items)?;
        count(transaction, run, "PENDING_REDRIVE", executions, items)?;
    }
    transaction
        .prepare_cached("UPDATE map_runs SET stage = 'RUNNING' WHERE id = ?1 AND stage = 'REDRIVING'")?
        .execute([run])?;
    Ok(())
}

/// The children that didn't succeed and can't begin again.
pub(crate) fn lost(connection: &Connection, run: i64, now: Timestamp) -> rusqlite::Result<Count> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT count(*), coalesce(sum(c.items), 0) FROM map_children c JOIN executions e ON e.id = c.execution
         WHERE c.run = ?1 AND {UNSUCCESSFUL} AND {LOST}"
    ))?;
    statement.query_row(params![run, latest_end(now), MOST_EVENTS_TO_REDRIVE], |row| {
        let (executions, items): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Count {
            executions: executions.unsigned_abs(),
            items: items.unsigned_abs(),
        })
    })
}

fn latest_end(now: Timestamp) -> i64 {
    let since: SignedDuration = REDRIVABLE_FOR;
    now.as_millisecond()
        .saturating_sub(since.as_secs().saturating_mul(1_000))
}

/// The children that wait to begin again, in order.
pub(crate) fn waiting(connection: &Connection, run: i64, limit: usize) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(
        "SELECT execution FROM map_children INDEXED BY map_children_redriven
         WHERE run = ?1 AND status = 'PENDING_REDRIVE' AND execution IS NOT NULL ORDER BY n LIMIT ?2",
    )?;
    let ids: Vec<i64> = statement
        .query_map(params![run, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    ids.into_iter()
        .map(|id| executions::by_id(connection, id))
        .collect()
}

/// Lets a child begin again. It fails unless the child waits for that and the run goes on.
pub(crate) fn begin_child(transaction: &Transaction<'_>, run: i64, execution: i64) -> rusqlite::Result<()> {
    let items: i64 = transaction
        .prepare_cached(
            "UPDATE map_children SET status = 'RUNNING'
             WHERE execution = ?2 AND run = ?1 AND status = 'PENDING_REDRIVE'
                 AND (SELECT status = 'RUNNING' FROM map_runs WHERE id = ?1) RETURNING items",
        )?
        .query_row(params![run, execution], |row| row.get(0))?;
    count(transaction, run, "PENDING_REDRIVE", -1, -items)?;
    count(transaction, run, "RUNNING", 1, items)
}

/// A status with its children and items.
type Group = (String, i64, i64);

fn grouped(
    transaction: &Transaction<'_>,
    sql: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Group>> {
    let group = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    transaction
        .prepare_cached(sql)?
        .query_map(values, group)?
        .collect()
}
