//! An execution in memory: what its journal adds up to.

use std::sync::Arc;

use jiff::Timestamp;

use crate::definition::Definition;
use crate::interface::{Happened, Identity, StartTask, Status, Step, TokenState};
use crate::journal::Entry;
use crate::random::Randomness;

/// One execution of a state machine. It is worth keeping only while something happens to it: a waiting execution can
/// be dropped, and replayed from its journal when its timer fires or a token is answered.
#[derive(Clone, Debug)]
pub struct Execution {
    definition: Arc<Definition>,
}

/// The input of an execution is no JSON; the text says where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInput(pub serde_json::Error);

/// The journal is not one that this definition can have led to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {position} of the journal does not fit: {reason}")]
pub struct InvalidJournal {
    /// Counted from 0.
    pub position: usize,
    /// What is wrong.
    pub reason: String,
}

impl Execution {
    /// Begins an execution and runs it as far as it goes by itself. `input` is JSON text, as given to StartExecution.
    ///
    /// `now` is taken to the millisecond, here and everywhere.
    pub fn start(
        definition: Arc<Definition>,
        identity: Identity,
        input: &str,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> Result<(Self, Step), InvalidInput> {
        let _ = (identity, input, now, random);
        Ok((Self { definition }, Step::default()))
    }

    /// Rebuilds an execution from the entries of all its steps so far, under the definition it was started with.
    pub fn replay<'a>(
        definition: Arc<Definition>,
        journal: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Self, InvalidJournal> {
        let _ = journal.into_iter();
        Ok(Self { definition })
    }

    /// Takes in something that happened, and goes on as far as the execution goes by itself. Timers that are due at
    /// `now` are seen to first: an answer that comes after its deadline is refused, even where the timer is late.
    pub fn handle(
        &mut self,
        happened: Happened,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> Step {
        let _ = (happened, now, random);
        Step::default()
    }

    /// How it stands.
    pub fn status(&self) -> &Status {
        &Status::Running
    }

    /// When [`Happened::TimerFired`] is next wanted. `None` where nothing has a deadline, or it has ended.
    pub fn next_timer(&self) -> Option<Timestamp> {
        None
    }

    /// The tasks that are not over: to be started again after a crash (those with `submitted` are in other hands).
    pub fn open_tasks(&self) -> Vec<StartTask> {
        Vec::new()
    }

    /// Whether `token` can still be answered. A token whose deadline is past at `now` is closed, timer or not.
    pub fn token_state(&self, token: &str, now: Timestamp) -> TokenState {
        let _ = (token, now);
        TokenState::Unknown
    }

    /// The definition it runs.
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }
}
