//! Work on a database: inline when it is in memory, on tokio's blocking threads when it is in a file. A
//! blocking thread holds a paused clock still, so that tests with files stay in step as well.

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
