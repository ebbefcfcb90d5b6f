//! Work on a database: inline when it is in memory, on tokio's blocking threads when it is in a file. A
//! blocking thread holds a paused clock still, so that tests with files stay in step as well.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::StartError;
use crate::error::AwsError;

/// Where a database lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Memory,
    File,
}

impl Place {
    /// Does `work` without holding up the runtime. Work on a file goes on to its end even when nobody waits
    /// for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AwsError> {
        match self {
            Place::Memory => Ok(work()),
            Place::File => tokio::task::spawn_blocking(work)
                .await
                .map_err(|error| AwsError::internal("InternalServerError", error)),
        }
    }
}

/// Opens the database `file` in `folder`, or one in memory, and makes what `schema` says. One process has a
/// file at a time, and a commit is on the disk when it returns.
pub(crate) fn open(
    folder: Option<&Path>,
    file: &'static str,
    schema: &str,
) -> Result<(Connection, Place), StartError> {
    let (connection, place) = match folder {
        Some(folder) => (Connection::open(folder.join(file)), Place::File),
        None => (Connection::open_in_memory(), Place::Memory),
    };
    let prepared = connection.and_then(|connection| {
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        connection.execute_batch(schema)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    });
    match prepared {
        Ok(connection) => Ok((connection, place)),
        Err(error) => Err(StartError::Database {
            file,
            reason: error.to_string(),
        }),
    }
}
