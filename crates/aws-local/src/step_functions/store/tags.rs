//! The tags of machines, versions and activities, in the order in which they came.

use rusqlite::{Connection, Transaction, params};

/// AWS's limit to the tags of a resource.
pub(crate) const MOST: usize = 50;

pub(crate) fn of(connection: &Connection, resource: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement =
        connection.prepare_cached("SELECT key, value FROM tags WHERE resource = ?1 ORDER BY id")?;
    statement
        .query_map([resource], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Adds tags, in place of those with the same key. Answers whether there is room for them all; where there isn't,
/// none is added.
pub(crate) fn add(
    transaction: &Transaction<'_>,
    resource: &str,
    tags: &[(String, String)],
) -> rusqlite::Result<bool> {
    let mut keys: Vec<String> = of(transaction, resource)?
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    for (key, _) in tags {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
        if keys.len() > MOST {
            return Ok(false);
        }
    }
    for (key, value) in tags {
        transaction.execute(
            "INSERT INTO tags (resource, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value",
            params![resource, key, value],
        )?;
    }
    Ok(true)
}

pub(crate) fn remove(transaction: &Transaction<'_>, resource: &str, keys: &[String]) -> rusqlite::Result<()> {
    for key in keys {
        transaction.execute(
            "DELETE FROM tags WHERE resource = ?1 AND key = ?2",
            params![resource, key],
        )?;
    }
    Ok(())
}

pub(crate) fn remove_all(transaction: &Transaction<'_>, resource: &str) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM tags WHERE resource = ?1", [resource])?;
    Ok(())
}
