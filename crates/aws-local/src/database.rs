//! Where data lives, and how it is worked on: inline when it is in memory, on tokio's blocking threads when
//! it is in files. A blocking thread holds a paused clock still, so that tests with files stay in step.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::StartError;
use crate::error::AwsError;

/// How often another process is asked whether it has left the folder, and how long between.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Where a database lives.
#[derive(Clone)]
pub(crate) enum Place {
    Memory,
    Folder(Arc<Folder>),
}

/// A folder that nobody else works in. Work under way keeps it, so that a successor in the same process begins
/// only when the last write is done.
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked for as long as it is open.
    lock: File,
}

impl Place {
    /// Memory, or the folder at `path`, made when it is missing and taken for ourselves.
    pub(crate) async fn take(path: Option<&Path>) -> Result<Place, StartError> {
        let Some(path) = path else {
            return Ok(Place::Memory);
        };
        std::fs::create_dir_all(path)?;
        let lock = File::create(path.join("lock"))?;
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => {
                    return Ok(Place::Folder(Arc::new(Folder {
                        path: path.to_owned(),
                        lock,
                    })));
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Err(StartError::InUse)
    }

    /// Lets others into the folder. Nothing may be written any more.
    pub(crate) fn release(&self) {
        if let Place::Folder(folder) = self {
            // Where it fails, it is free when the folder is dropped.
            let _ = folder.lock.unlock();
        }
    }

    /// The path of a file in the folder.
    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        match self {
            Place::Memory => None,
            Place::Folder(folder) => Some(folder.path.join(name)),
        }
    }

    /// Does `work` without holding up the runtime. Work on files goes on to its end even when nobody waits for
    /// it any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AwsError> {
        match self {
            Place::Memory => Ok(work()),
            Place::Folder(folder) => {
                let folder = Arc::clone(folder);
                let work = move || {
                    let result = work();
                    drop(folder);
                    result
                };
                tokio::task::spawn_blocking(work)
                    .await
                    .map_err(|error| AwsError::internal("InternalServerError", error))
            }
        }
    }

    /// Opens the database `file`, or one in memory, and makes what `schema` says. What is committed is on the
    /// disk when the commit returns.
    pub(crate) fn open(&self, file: &'static str, schema: &str) -> Result<Connection, StartError> {
        let connection = match self.file(file) {
            Some(path) => Connection::open(path),
            None => Connection::open_in_memory(),
        };
        let prepared = connection.and_then(|connection| {
            connection.busy_timeout(Duration::from_secs(5))?;
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
            connection.execute_batch(schema)?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(connection)
        });
        prepared.map_err(|error| StartError::Database {
            file,
            reason: error.to_string(),
        })
    }
}
