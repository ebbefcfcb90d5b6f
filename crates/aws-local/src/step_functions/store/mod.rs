//! What Step Functions keeps, in one SQLite file or in memory. Every change is one transaction, which is on
//! the disk before anybody hears of it; changes that come at the same time share a commit.

pub(super) mod activities;
pub(super) mod aliases;
pub(super) mod executions;
mod later;
pub(super) mod machines;
pub(super) mod tags;
pub(super) mod versions;

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction};
use tokio::sync::{mpsc, oneshot};

use crate::StartError;
use crate::database::Place;
use crate::error::AwsError;

pub(super) const FILE: &str = "states.sqlite";

/// The most changes that share a commit.
const BATCH: usize = 256;

/// Times are milliseconds since 1970. A journal row holds the entries of one step.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS machines (
        arn TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        revision_id TEXT,
        settings TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS revisions (
        id INTEGER PRIMARY KEY,
        definition TEXT NOT NULL,
        role TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS executions (
        id INTEGER PRIMARY KEY,
        arn TEXT NOT NULL UNIQUE,
        machine TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        status TEXT NOT NULL,
        started INTEGER NOT NULL,
        ended INTEGER,
        input TEXT NOT NULL,
        trace TEXT,
        output TEXT,
        error TEXT,
        cause TEXT,
        timer INTEGER,
        calls INTEGER NOT NULL,
        steps INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS running ON executions (id) WHERE status = 'RUNNING';
    CREATE TABLE IF NOT EXISTS journal (
        execution INTEGER NOT NULL,
        step INTEGER NOT NULL,
        entries TEXT NOT NULL,
        PRIMARY KEY (execution, step)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS tokens (
        token TEXT PRIMARY KEY,
        execution INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// A change in the queue. It answers with what tells its caller, once the commit is through.
type Change = Box<dyn FnOnce(&Transaction<'_>) -> Told + Send>;
type Told = Box<dyn FnOnce() + Send>;

pub(crate) struct Store {
    place: Place,
    /// The connection that reads; with a database in memory the only one.
    reader: Arc<Mutex<Connection>>,
    changes: Option<mpsc::UnboundedSender<Change>>,
}

impl Store {
    /// Must be called within a tokio runtime, which then writes to the file.
    pub(crate) fn open(place: Place) -> Result<Store, StartError> {
        let connection = place.open(FILE, SCHEMA)?;
        later::bring_up_to_date(&connection).map_err(|error| StartError::Database {
            file: FILE,
            reason: error.to_string(),
        })?;
        let (reader, changes) = match &place {
            Place::Memory => (connection, None),
            Place::Folder(_) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let reader = place.open(FILE, SCHEMA)?;
                tokio::spawn(write_all(place.clone(), connection, receiver));
                (reader, Some(sender))
            }
        };
        Ok(Store {
            place,
            reader: Arc::new(Mutex::new(reader)),
            changes,
        })
    }

    /// Makes a change, and returns when it is durable. An error of the change undoes it and nothing else. Once
    /// queued it is made even when the caller goes away.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, AwsError> {
        let Some(changes) = &self.changes else {
            let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.unchecked_transaction().map_err(failed)?;
            let result = change(&transaction).map_err(failed)?;
            transaction.commit().map_err(failed)?;
            return Ok(result);
        };
        let (sender, receiver) = oneshot::channel();
        let queued = changes.send(Box::new(move |transaction| {
            let result = apart(transaction, change);
            Box::new(move || {
                // The caller may be gone, and that is all right.
                let _ = sender.send(result);
            })
        }));
        queued.map_err(|_| AwsError::ended())?;
        receiver.await.map_err(|_| not_committed())?.map_err(failed)
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, AwsError> {
        let reader = Arc::clone(&self.reader);
        let work = move || work(&reader.lock().unwrap_or_else(PoisonError::into_inner));
        self.place.run(work).await?.map_err(failed)
    }

    /// Waits for the changes that are queued.
    pub(crate) async fn settle(&self) {
        let _ = self.write(|_| Ok(())).await;
    }
}

/// Writes what is queued until the store is gone. What is then still queued nobody waits for.
async fn write_all(place: Place, connection: Connection, mut changes: mpsc::UnboundedReceiver<Change>) {
    let mut connection = connection;
    while let Some(first) = changes.recv().await {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(change) = changes.try_recv()
        {
            batch.push(change);
        }
        let written = place.run(move || {
            let told = commit(&connection, batch);
            (connection, told)
        });
        let Ok((back, told)) = written.await else {
            return;
        };
        connection = back;
        for tell in told.unwrap_or_default() {
            tell();
        }
    }
}

/// Makes all changes of a batch in one transaction. When the commit fails their callers' channels close.
fn commit(connection: &Connection, batch: Vec<Change>) -> rusqlite::Result<Vec<Told>> {
    let transaction = connection.unchecked_transaction()?;
    let told = batch.into_iter().map(|change| change(&transaction)).collect();
    transaction.commit()?;
    Ok(told)
}

/// Makes one change of a batch, undone by itself when it fails.
fn apart<T>(
    transaction: &Transaction<'_>,
    change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    transaction.prepare_cached("SAVEPOINT change")?.execute([])?;
    let result = change(transaction);
    if result.is_err() {
        transaction.prepare_cached("ROLLBACK TO change")?.execute([])?;
    }
    transaction.prepare_cached("RELEASE change")?.execute([])?;
    result
}

fn not_committed() -> AwsError {
    AwsError::internal("InternalServerError", "the executions' file can't be written to")
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: rusqlite::Error) -> AwsError {
    AwsError::internal(
        "InternalServerError",
        format!("the executions' file can't be used: {error}"),
    )
}
