//! Activities. What is scheduled for one is in the executions' journals; here is only that it exists.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use super::machines::time;
use super::tags;

#[derive(Clone, Debug)]
pub(crate) struct Activity {
    pub(crate) arn: String,
    pub(crate) name: String,
    /// `encryptionConfiguration`, as given.
    pub(crate) encryption: Option<Value>,
    pub(crate) created: Timestamp,
}

const SELECT: &str = "SELECT arn, name, encryption, created FROM activities";

pub(crate) fn find(connection: &Connection, arn: &str) -> rusqlite::Result<Option<Activity>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE arn = ?1"))?;
    statement.query_row([arn], activity).optional()
}

/// Those with names above `after`, by name.
pub(crate) fn list(connection: &Connection, after: &str, limit: usize) -> rusqlite::Result<Vec<Activity>> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE name > ?1 ORDER BY name LIMIT ?2"))?;
    statement.query_map(params![after, limit], activity)?.collect()
}

pub(crate) fn insert(transaction: &Transaction<'_>, activity: &Activity) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO activities (arn, name, encryption, created) VALUES (?1, ?2, ?3, ?4)",
        params![
            activity.arn,
            activity.name,
            activity.encryption.as_ref().map(Value::to_string),
            activity.created.as_millisecond(),
        ],
    )?;
    Ok(())
}

pub(crate) fn delete(transaction: &Transaction<'_>, arn: &str) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM activities WHERE arn = ?1", [arn])?;
    tags::remove_all(transaction, arn)
}

/// The ARNs of all activities.
pub(crate) fn arns(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT arn FROM activities")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn activity(row: &Row<'_>) -> rusqlite::Result<Activity> {
    let encryption: Option<String> = row.get(2)?;
    Ok(Activity {
        arn: row.get(0)?,
        name: row.get(1)?,
        encryption: encryption.and_then(|text| serde_json::from_str(&text).ok()),
        created: time(row.get(3)?),
    })
}
