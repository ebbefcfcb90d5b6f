//! Aliases: names that lead to one version of a machine, or to two by weight.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::machines::time;

#[derive(Clone, Debug)]
pub(crate) struct Alias {
    /// In the order of creation; given when it is inserted.
    pub(crate) id: i64,
    pub(crate) arn: String,
    pub(crate) machine: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) routing: Vec<Route>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// How many of a hundred executions run a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Route {
    pub(crate) state_machine_version_arn: String,
    pub(crate) weight: u8,
}

const SELECT: &str = "SELECT id, arn, machine, name, description, routing, created, updated FROM aliases";

pub(crate) fn find(connection: &Connection, arn: &str) -> rusqlite::Result<Option<Alias>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
    statement.query_row([arn], alias).optional()
}

/// Those of a machine after the one numbered `after`, in the order of creation.
pub(crate) fn list(
    connection: &Connection,
    machine: &str,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Alias>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE machine = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?;
    statement
        .query_map(params![machine, after, limit], alias)?
        .collect()
}

pub(crate) fn count(connection: &Connection, machine: &str) -> rusqlite::Result<usize> {
    connection.query_row(
        "SELECT count(*) FROM aliases WHERE machine = ?1",
        [machine],
        |row| row.get(0),
    )
}

/// The names of the aliases of a machine that lead to one of its versions.
pub(crate) fn leading_to(
    connection: &Connection,
    machine: &str,
    version: &str,
) -> rusqlite::Result<Vec<String>> {
    let aliases = list(connection, machine, 0, usize::MAX >> 1)?.into_iter();
    Ok(aliases
        .filter(|alias| {
            let mut routes = alias.routing.iter();
            routes.any(|route| route.state_machine_version_arn == version)
        })
        .map(|alias| alias.name)
        .collect())
}

pub(crate) fn insert(transaction: &Transaction<'_>, alias: &Alias) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO aliases (arn, machine, name, description, routing, created, updated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            alias.arn,
            alias.machine,
            alias.name,
            alias.description,
            routing(alias),
            alias.created.as_millisecond(),
            alias.updated.as_millisecond(),
        ],
    )?;
    Ok(())
}

pub(crate) fn update(transaction: &Transaction<'_>, alias: &Alias) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE aliases SET description = ?2, routing = ?3, updated = ?4 WHERE arn = ?1",
        params![
            alias.arn,
            alias.description,
            routing(alias),
            alias.updated.as_millisecond(),
        ],
    )?;
    Ok(())
}

/// Answers whether there was one.
pub(crate) fn delete(transaction: &Transaction<'_>, arn: &str) -> rusqlite::Result<bool> {
    Ok(transaction.execute("DELETE FROM aliases WHERE arn = ?1", [arn])? > 0)
}

fn routing(alias: &Alias) -> String {
    serde_json::to_string(&alias.routing).unwrap_or_default()
}

fn alias(row: &Row<'_>) -> rusqlite::Result<Alias> {
    let routing: String = row.get(5)?;
    Ok(Alias {
        id: row.get(0)?,
        arn: row.get(1)?,
        machine: row.get(2)?,
        name: row.get(3)?,
        description: row.get(4)?,
        routing: serde_json::from_str(&routing).unwrap_or_default(),
        created: time(row.get(6)?),
        updated: time(row.get(7)?),
    })
}
