//! What the stand-ins are started with, and why they may not start.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use crate::source::{Clock, Randomness, counting};

/// What the stand-ins are started with.
#[derive(Clone)]
pub struct Options {
    /// The folder for `durable.sqlite`, `dynamodb.sqlite`, `events.sqlite`, `mail.sqlite`, `objects.sqlite`,
    /// `outputs.sqlite`, `queues.sqlite` and `states.sqlite`; made when it is missing. Without one everything is in memory.
    pub data: Option<PathBuf>,
    /// The time of day. Should follow tokio's clock, for timers wait on that.
    pub clock: Clock,
    /// Fills a buffer with random bytes, for identifiers and task tokens.
    pub randomness: Randomness,
    /// Where HTTP tasks (`arn:aws:states:::http:invoke`) may go: hosts, each with a port or without
    /// (`localhost:3000`, `127.0.0.1`). Nowhere else; without any, nowhere at all.
    pub http_tasks: Vec<String>,
    /// What people are asked on behalf of an execution, for its page. Called with the execution's ARN each time that
    /// the page of one that runs is shown.
    pub approvals: Option<ApprovalsOf>,
}

/// Tells what people are asked on behalf of the execution with this ARN, and who hasn't answered yet.
pub type ApprovalsOf =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Vec<PendingApproval>> + Send>> + Send + Sync>;

/// Something that people are asked while an execution waits.
#[derive(Clone, PartialEq, Eq)]
pub struct PendingApproval {
    /// What they are asked: `Sign document 3`.
    pub title: String,
    /// How it stands, in a word; may be empty.
    pub status: String,
    /// Who hasn't answered, each with the address of the page to do so on.
    pub waiting_for: Vec<(String, String)>,
}

/// The addresses let whoever has them answer, so they are left out.
impl std::fmt::Debug for PendingApproval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingApproval")
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Everything in memory, with identifiers that count up from one: for tests and examples.
    pub fn in_memory(clock: impl Fn() -> jiff::Timestamp + Send + Sync + 'static) -> Options {
        Options {
            data: None,
            clock: Arc::new(clock),
            randomness: counting(),
            http_tasks: Vec::new(),
            approvals: None,
        }
    }
}

/// Why the stand-ins could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder for the data can't be made or written to.
    #[error("the folder for the embedded AWS's data can't be used: {0}")]
    Folder(#[from] std::io::Error),
    /// Another process works in the folder, and hasn't left it within five seconds.
    #[error("the folder for the embedded AWS's data is in use by another process")]
    InUse,
    /// A database file can't be opened: it is damaged, or not a database of ours.
    #[error("{file} can't be opened: {reason}")]
    Database {
        /// The file's name in the data folder, or `memory`.
        file: &'static str,
        /// What the database said.
        reason: String,
    },
}
