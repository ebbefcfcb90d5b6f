//! Published versions: a number that stands for one revision of a machine.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::machines::{Machine, time};

#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) arn: String,
    pub(crate) machine: String,
    pub(crate) number: i64,
    pub(crate) revision: i64,
    pub(crate) description: Option<String>,
    pub(crate) created: Timestamp,
}

const SELECT: &str = "SELECT arn, machine, number, revision, description, created FROM versions";

pub(crate) fn find(connection: &Connection, arn: &str) -> rusqlite::Result<Option<Version>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
    statement.query_row([arn], version).optional()
}

/// Those of a machine below the number `before`, newest first.
pub(crate) fn list(
    connection: &Connection,
    machine: &str,
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Version>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE machine = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
    ))?;
    statement
        .query_map(params![machine, before, limit], version)?
        .collect()
}

pub(crate) fn count(connection: &Connection, machine: &str) -> rusqlite::Result<usize> {
    connection.query_row(
        "SELECT count(*) FROM versions WHERE machine = ?1",
        [machine],
        |row| row.get(0),
    )
}

/// Publishes the machine's current revision, unless that was done before; then the version there is stays.
pub(crate) fn publish(
    transaction: &Transaction<'_>,
    machine: &Machine,
    description: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<Version> {
    let published = transaction
        .prepare_cached(&format!("{SELECT} WHERE machine = ?1 AND revision = ?2"))?
        .query_row(params![machine.arn, machine.revision], version)
        .optional()?;
    if let Some(version) = published {
        return Ok(version);
    }
    let number: i64 = transaction.query_row(
        "UPDATE machines SET versions = versions + 1 WHERE arn = ?1 RETURNING versions",
        [&machine.arn],
        |row| row.get(0),
    )?;
    let version = Version {
        arn: format!("{}:{number}", machine.arn),
        machine: machine.arn.clone(),
        number,
        revision: machine.revision,
        description: description.map(str::to_owned),
        created: now,
    };
    transaction.execute(
        "INSERT INTO versions (arn, machine, number, revision, description, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            version.arn,
            version.machine,
            version.number,
            version.revision,
            version.description,
            version.created.as_millisecond(),
        ],
    )?;
    Ok(version)
}

pub(crate) fn delete(transaction: &Transaction<'_>, arn: &str) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM versions WHERE arn = ?1", [arn])?;
    Ok(())
}

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version {
        arn: row.get(0)?,
        machine: row.get(1)?,
        number: row.get(2)?,
        revision: row.get(3)?,
        description: row.get(4)?,
        created: time(row.get(5)?),
    })
}
