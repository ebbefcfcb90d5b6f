//! What SQS keeps: queues and their messages.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::attributes::{self, Set};
use super::content::Attributes;

pub(super) const FILE: &str = "queues.sqlite";

/// Times are milliseconds since 1970. A message's id grows in the order of sending. Its receipt is that of its
/// last receive; without one it is not in flight, only perhaps delayed.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS queues (
        name TEXT PRIMARY KEY,
        created INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        purged INTEGER,
        attributes TEXT NOT NULL,
        tags TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        message TEXT NOT NULL,
        body TEXT NOT NULL,
        attributes TEXT NOT NULL,
        trace TEXT,
        sent INTEGER NOT NULL,
        visible INTEGER NOT NULL,
        first_received INTEGER,
        receives INTEGER NOT NULL,
        receipt TEXT,
        group_id TEXT,
        deduplication TEXT,
        source TEXT
    ) STRICT;
    CREATE INDEX IF NOT EXISTS messages_by_time ON messages (queue, visible, id);
    CREATE INDEX IF NOT EXISTS messages_by_age ON messages (queue, sent);
    CREATE INDEX IF NOT EXISTS messages_by_group ON messages (queue, group_id, visible) WHERE group_id IS NOT NULL;
    CREATE TABLE IF NOT EXISTS deduplications (
        queue TEXT NOT NULL,
        scope TEXT NOT NULL,
        deduplication TEXT NOT NULL,
        message TEXT NOT NULL,
        number INTEGER NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (queue, scope, deduplication)
    ) STRICT, WITHOUT ROWID;
";

pub(super) struct Queue {
    pub(super) name: String,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) purged: Option<i64>,
    /// What was set; see [`attributes`] for the rest.
    pub(super) attributes: Set,
    pub(super) tags: Set,
}

impl Queue {
    pub(super) fn is_fifo(&self) -> bool {
        super::is_fifo(&self.name)
    }

    /// A duration among its attributes, in milliseconds.
    pub(super) fn milliseconds(&self, name: &str) -> i64 {
        i64::try_from(attributes::number(&self.attributes, name)).unwrap_or(i64::MAX / 1000) * 1000
    }
}

/// A message.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: i64,
    pub(super) message: String,
    pub(super) body: String,
    pub(super) attributes: Attributes,
    /// AWSTraceHeader.
    pub(super) trace: Option<String>,
    pub(super) sent: i64,
    /// From when it may be received.
    pub(super) visible: i64,
    pub(super) first_received: Option<i64>,
    pub(super) receives: u64,
    pub(super) receipt: Option<String>,
    pub(super) group: Option<String>,
    pub(super) deduplication: Option<String>,
    /// The ARN of the queue that gave it up to this one.
    pub(super) source: Option<String>,
}

const QUEUE: &str = "SELECT name, created, modified, purged, attributes, tags FROM queues";

const MESSAGE: &str = "
    SELECT id, message, body, attributes, trace, sent, visible, first_received, receives, receipt, group_id,
    deduplication, source FROM messages";

pub(super) fn queue(connection: &Connection, name: &str) -> rusqlite::Result<Option<Queue>> {
    connection
        .prepare_cached(&format!("{QUEUE} WHERE name = ?1"))?
        .query_row([name], queue_row)
        .optional()
}

/// Those after the one named `after` whose names begin with `prefix`.
pub(super) fn queues(
    connection: &Connection,
    prefix: &str,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Queue>> {
    connection
        .prepare_cached(&format!(
            "{QUEUE} WHERE name > ?1 AND substr(name, 1, length(?2)) = ?2 ORDER BY name LIMIT ?3"
        ))?
        .query_map(params![after, prefix, limit], queue_row)?
        .collect()
}

/// Writes a queue, in place of the one of its name.
pub(super) fn put_queue(transaction: &Transaction<'_>, queue: &Queue) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO queues (name, created, modified, purged, attributes, tags)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            queue.name,
            queue.created,
            queue.modified,
            queue.purged,
            text(&queue.attributes),
            text(&queue.tags),
        ])?;
    Ok(())
}

/// Takes away all messages of a queue, and the queue too where `whole`.
pub(super) fn clear(transaction: &Transaction<'_>, queue: &str, whole: bool) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM messages WHERE queue = ?1", [queue])?;
    if whole {
        transaction.execute("DELETE FROM deduplications WHERE queue = ?1", [queue])?;
        transaction.execute("DELETE FROM queues WHERE name = ?1", [queue])?;
    }
    Ok(())
}

/// Drops the messages that were kept for as long as the queue keeps them.
pub(super) fn expire(transaction: &Transaction<'_>, queue: &Queue, now: i64) -> rusqlite::Result<()> {
    let kept_from = now - queue.milliseconds("MessageRetentionPeriod");
    transaction
        .prepare_cached("DELETE FROM messages WHERE queue = ?1 AND sent < ?2")?
        .execute(params![queue.name, kept_from])?;
    Ok(())
}

/// How many messages can be received, are in flight, are delayed.
pub(super) fn count(connection: &Connection, queue: &str, now: i64) -> rusqlite::Result<(i64, i64, i64)> {
    connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE visible <= ?2),
                    count(*) FILTER (WHERE visible > ?2 AND receipt IS NOT NULL),
                    count(*) FILTER (WHERE visible > ?2 AND receipt IS NULL)
             FROM messages WHERE queue = ?1",
        )?
        .query_row(params![queue, now], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
}

/// Adds a message; its id, which is given here.
pub(super) fn add(transaction: &Transaction<'_>, queue: &str, message: &Message) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO messages (queue, message, body, attributes, trace, sent, visible, receives, group_id,
             deduplication) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9)",
        )?
        .execute(params![
            queue,
            message.message,
            message.body,
            serde_json::to_string(&message.attributes).unwrap_or_default(),
            message.trace,
            message.sent,
            message.visible,
            message.group,
            message.deduplication,
        ])?;
    Ok(transaction.last_insert_rowid())
}

pub(super) fn message(connection: &Connection, queue: &str, id: i64) -> rusqlite::Result<Option<Message>> {
    connection
        .prepare_cached(&format!("{MESSAGE} WHERE id = ?1 AND queue = ?2"))?
        .query_row(params![id, queue], message_row)
        .optional()
}

/// The next messages that may be received. In a FIFO queue a group waits for its messages in flight, and for
/// those before that are delayed.
pub(super) fn next(
    connection: &Connection,
    queue: &str,
    fifo: bool,
    now: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Message>> {
    let (condition, order) = if fifo {
        (
            "AND NOT EXISTS (SELECT 1 FROM messages other WHERE other.queue = ?1
             AND other.group_id = messages.group_id AND other.visible > ?2
             AND (other.receipt IS NOT NULL OR other.id < messages.id))",
            "id",
        )
    } else {
        ("", "visible, id")
    };
    connection
        .prepare_cached(&format!(
            "{MESSAGE} WHERE queue = ?1 AND visible <= ?2 {condition} ORDER BY {order} LIMIT ?3"
        ))?
        .query_map(params![queue, now, limit], message_row)?
        .collect()
}

/// When the next message that can't be received now can be.
pub(super) fn next_time(connection: &Connection, queue: &str, now: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT min(visible) FROM messages WHERE queue = ?1 AND visible > ?2")?
        .query_row(params![queue, now], |row| row.get(0))
}

/// Writes what receiving changes.
pub(super) fn update(transaction: &Transaction<'_>, queue: &str, message: &Message) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE messages SET queue = ?2, visible = ?3, first_received = ?4, receives = ?5, receipt = ?6,
             source = ?7 WHERE id = ?1",
        )?
        .execute(params![
            message.id,
            queue,
            message.visible,
            message.first_received,
            i64::try_from(message.receives).unwrap_or(i64::MAX),
            message.receipt,
            message.source,
        ])?;
    Ok(())
}

pub(super) fn remove(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM messages WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// The message that was sent under the same deduplication id a while ago, and its number.
pub(super) fn duplicate(
    transaction: &Transaction<'_>,
    queue: &str,
    (scope, deduplication): (&str, &str),
    now: i64,
) -> rusqlite::Result<Option<(String, i64)>> {
    transaction
        .prepare_cached("DELETE FROM deduplications WHERE queue = ?1 AND until <= ?2")?
        .execute(params![queue, now])?;
    transaction
        .prepare_cached(
            "SELECT message, number FROM deduplications WHERE queue = ?1 AND scope = ?2 AND deduplication = ?3",
        )?
        .query_row(params![queue, scope, deduplication], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

pub(super) fn remember(
    transaction: &Transaction<'_>,
    queue: &str,
    (scope, deduplication): (&str, &str),
    (message, number): (&str, i64),
    until: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO deduplications VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![queue, scope, deduplication, message, number, until])?;
    Ok(())
}

fn queue_row(row: &Row<'_>) -> rusqlite::Result<Queue> {
    let (attributes, tags): (String, String) = (row.get(4)?, row.get(5)?);
    Ok(Queue {
        name: row.get(0)?,
        created: row.get(1)?,
        modified: row.get(2)?,
        purged: row.get(3)?,
        attributes: serde_json::from_str(&attributes).unwrap_or_default(),
        tags: serde_json::from_str(&tags).unwrap_or_default(),
    })
}

fn message_row(row: &Row<'_>) -> rusqlite::Result<Message> {
    let attributes: String = row.get(3)?;
    let receives: i64 = row.get(8)?;
    Ok(Message {
        id: row.get(0)?,
        message: row.get(1)?,
        body: row.get(2)?,
        attributes: serde_json::from_str(&attributes).unwrap_or_default(),
        trace: row.get(4)?,
        sent: row.get(5)?,
        visible: row.get(6)?,
        first_received: row.get(7)?,
        receives: u64::try_from(receives).unwrap_or(0),
        receipt: row.get(9)?,
        group: row.get(10)?,
        deduplication: row.get(11)?,
        source: row.get(12)?,
    })
}

fn text(set: &Set) -> String {
    serde_json::to_string(set).unwrap_or_default()
}
