//! State machines. Each change to one is a new revision; an execution keeps the one it was started with.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tags;

/// A state machine with its current revision.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) revision: i64,
    /// Given by the first update.
    pub(crate) revision_id: Option<String>,
    pub(crate) definition: String,
    pub(crate) role: String,
    /// `loggingConfiguration`, `tracingConfiguration` and `encryptionConfiguration`, as given.
    pub(crate) settings: Value,
    /// What else CreateStateMachine was asked for.
    pub(crate) creation: Creation,
}

/// What CreateStateMachine's idempotency looks at beside the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Creation {
    pub(crate) publish: bool,
    pub(crate) description: Option<String>,
}

/// A machine as it was for a while: what an execution or a version holds on to.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    pub(crate) definition: String,
    pub(crate) role: String,
    /// `None` for a machine's first.
    pub(crate) revision_id: Option<String>,
    pub(crate) settings: Value,
    pub(crate) updated: Timestamp,
}

const SELECT: &str = "
    SELECT arn, name, kind, status, created, machines.updated, revision, machines.revision_id, definition, role,
        machines.settings, creation
    FROM machines JOIN revisions ON revisions.id = machines.revision";

pub(crate) fn find(connection: &Connection, arn: &str) -> rusqlite::Result<Option<Machine>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
    statement.query_row([arn], machine).optional()
}

/// Those with names above `after`, by name.
pub(crate) fn list(connection: &Connection, after: &str, limit: usize) -> rusqlite::Result<Vec<Machine>> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE name > ?1 ORDER BY name LIMIT ?2"))?;
    statement.query_map(params![after, limit], machine)?.collect()
}

/// Adds a machine, whose `revision` is given here.
pub(crate) fn insert(transaction: &Transaction<'_>, machine: &mut Machine) -> rusqlite::Result<()> {
    machine.revision = insert_revision(transaction, machine)?;
    transaction.execute(
        "INSERT INTO machines (arn, name, kind, status, created, updated, revision, settings, creation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            machine.arn,
            machine.name,
            machine.kind,
            machine.status,
            machine.created.as_millisecond(),
            machine.updated.as_millisecond(),
            machine.revision,
            machine.settings.to_string(),
            serde_json::to_string(&machine.creation).unwrap_or_default(),
        ],
    )?;
    Ok(())
}

/// Makes what `machine` says its next revision, whose number is given here.
pub(crate) fn update(transaction: &Transaction<'_>, machine: &mut Machine) -> rusqlite::Result<()> {
    machine.revision = insert_revision(transaction, machine)?;
    transaction.execute(
        "UPDATE machines SET updated = ?2, revision = ?3, revision_id = ?4, settings = ?5 WHERE arn = ?1",
        params![
            machine.arn,
            machine.updated.as_millisecond(),
            machine.revision,
            machine.revision_id,
            machine.settings.to_string(),
        ],
    )?;
    Ok(())
}

/// Removes a machine with its versions and aliases, or marks it for removal while executions run.
pub(crate) fn delete(transaction: &Transaction<'_>, arn: &str) -> rusqlite::Result<()> {
    transaction.execute("UPDATE machines SET status = 'DELETING' WHERE arn = ?1", [arn])?;
    sweep(transaction, arn)
}

/// Removes a machine that is marked for it, once no execution of it runs.
pub(crate) fn sweep(transaction: &Transaction<'_>, arn: &str) -> rusqlite::Result<()> {
    let removed = transaction
        .prepare_cached(
            "DELETE FROM machines WHERE arn = ?1 AND status = 'DELETING' AND NOT EXISTS
             (SELECT 1 FROM executions WHERE machine = ?1 AND status = 'RUNNING')",
        )?
        .execute([arn])?;
    if removed > 0 {
        transaction.execute("DELETE FROM versions WHERE machine = ?1", [arn])?;
        transaction.execute("DELETE FROM aliases WHERE machine = ?1", [arn])?;
        tags::remove_all(transaction, arn)?;
    }
    Ok(())
}

/// The ARNs of machines that are marked for removal.
pub(crate) fn deleting(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT arn FROM machines WHERE status = 'DELETING'")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

pub(crate) fn definition(connection: &Connection, revision: i64) -> rusqlite::Result<String> {
    let mut statement = connection.prepare_cached("SELECT definition FROM revisions WHERE id = ?1")?;
    statement.query_row([revision], |row| row.get(0))
}

pub(crate) fn revision(connection: &Connection, revision: i64) -> rusqlite::Result<Revision> {
    let mut statement = connection.prepare_cached(
        "SELECT definition, role, revision_id, settings, updated FROM revisions WHERE id = ?1",
    )?;
    statement.query_row([revision], |row| {
        Ok(Revision {
            definition: row.get(0)?,
            role: row.get(1)?,
            revision_id: row.get(2)?,
            settings: json(row, 3)?,
            updated: time(row.get(4)?),
        })
    })
}

fn insert_revision(transaction: &Transaction<'_>, machine: &Machine) -> rusqlite::Result<i64> {
    transaction.execute(
        "INSERT INTO revisions (definition, role, revision_id, settings, updated) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            machine.definition,
            machine.role,
            machine.revision_id,
            machine.settings.to_string(),
            machine.updated.as_millisecond(),
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

fn machine(row: &Row<'_>) -> rusqlite::Result<Machine> {
    let creation: String = row.get(11)?;
    Ok(Machine {
        arn: row.get(0)?,
        name: row.get(1)?,
        kind: row.get(2)?,
        status: row.get(3)?,
        created: time(row.get(4)?),
        updated: time(row.get(5)?),
        revision: row.get(6)?,
        revision_id: row.get(7)?,
        definition: row.get(8)?,
        role: row.get(9)?,
        settings: json(row, 10)?,
        creation: serde_json::from_str(&creation).unwrap_or_default(),
    })
}

pub(super) fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}
