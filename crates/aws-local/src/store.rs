//! A database file that many write to at the same time, or one in memory. Every change is one transaction,
//! which is on the disk before anybody hears of it; changes that come at the same time share a commit.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction};
use tokio::sync::{mpsc, oneshot};

use crate::StartError;
use crate::database::Place;
use crate::error::AwsError;

/// The most changes that share a commit.
const BATCH: usize = 256;

/// A change in the queue. It answers with what tells its caller, once the commit is through.
type Change = Box<dyn FnOnce(&Transaction<'_>) -> Told + Send>;
type Told = Box<dyn FnOnce() + Send>;

pub(crate) struct Store {
    file: &'static str,
    place: Place,
    /// The connection that reads; with a database in memory the only one.
    reader: Arc<Mutex<Connection>>,
    changes: Option<mpsc::UnboundedSender<Change>>,
}

impl Store {
    /// Opens the database `file` with the tables of `schema`. Must be called within a tokio runtime, which then
    /// writes to the file.
    pub(crate) fn open(place: Place, file: &'static str, schema: &str) -> Result<Store, StartError> {
        Store::open_with(place, file, schema, |_| Ok(()))
    }

    /// The same, where a file may be of an older build: `prepare` brings it to the shape of today.
    pub(crate) fn open_with(
        place: Place,
        file: &'static str,
        schema: &str,
        prepare: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Store, StartError> {
        let connection = place.open(file, schema)?;
        prepare(&connection).map_err(|error| StartError::Database {
            file,
            reason: error.to_string(),
        })?;
        let (reader, changes) = match &place {
            Place::Memory => (connection, None),
            Place::Folder(_) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let reader = place.open(file, schema)?;
                tokio::spawn(write_all(place.clone(), connection, receiver));
                (reader, Some(sender))
            }
        };
        Ok(Store {
            file,
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
            let transaction = connection
                .unchecked_transaction()
                .map_err(|error| self.unusable(error))?;
            let result = change(&transaction).map_err(|error| self.unusable(error))?;
            transaction.commit().map_err(|error| self.unusable(error))?;
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
        receiver
            .await
            .map_err(|_| self.unusable("it can't be written to"))?
            .map_err(|error| self.unusable(error))
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, AwsError> {
        let reader = Arc::clone(&self.reader);
        let work = move || work(&reader.lock().unwrap_or_else(PoisonError::into_inner));
        self.place.run(work).await?.map_err(|error| self.unusable(error))
    }

    /// Waits for the changes that are queued.
    pub(crate) async fn settle(&self) {
        let _ = self.write(|_| Ok(())).await;
    }

    fn unusable(&self, reason: impl std::fmt::Display) -> AwsError {
        AwsError::internal(
            "InternalServerError",
            format!("{} can't be used: {reason}", self.file),
        )
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
