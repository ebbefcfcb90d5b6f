//! Time travel: a clock that is skipped forwards ([`TravelClock`]), so that deadlines, retries and waits of days can be
//! tried in seconds. Whoever waits here waits by the clock that is given to everything ([`waits`]), and is told when it
//! was moved; how it is moved, from one thing that falls due to the next, is in [`skipping`]; the ways to ask for it, for
//! programs and for a person with a browser, are in [`asking`].

mod asking;
mod clock;
mod skipping;
#[cfg(test)]
mod tests;
mod waits;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

pub(crate) use asking::{owns, respond};
pub use clock::TravelClock;
pub(crate) use waits::{Waits, until};

/// Something that falls due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// What, for a person: a noun with its article, such as `the deadline of "Sign document 3"`.
    pub what: String,
    /// Whether it is of no interest to anybody, such as a heartbeat that is sent. A skip to what is next goes on past it.
    pub quiet: bool,
}

impl Due {
    /// What somebody may wait for.
    pub fn new(at: Timestamp, what: impl Into<String>) -> Due {
        Due {
            at,
            what: what.into(),
            quiet: false,
        }
    }

    /// What goes on in the background.
    pub fn quiet(at: Timestamp, what: impl Into<String>) -> Due {
        Due {
            quiet: true,
            ..Due::new(at, what)
        }
    }
}

/// What is there after a while.
pub type Waited<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What goes by the same clock outside the embedded AWS.
pub trait Outside: Send + Sync {
    /// What falls due next, with what should have been done by now and wasn't; not necessarily all of it, but the
    /// soonest.
    fn upcoming(&self) -> Waited<Vec<Due>>;
    /// The clock was moved: what has fallen due is to be done now.
    fn moved(&self) -> Waited<()>;
}

/// How far to skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// To what falls due next.
    Next,
    /// To a time.
    To(Timestamp),
    /// By a while.
    By(SignedDuration),
}

/// What came of a skip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The time of day now.
    pub now: Timestamp,
    /// How far that is ahead of the real time, all skips together.
    pub ahead: SignedDuration,
    /// What fell due on the way, in order, at most a thousand; what is quiet is left out.
    pub came: Vec<Due>,
    /// What falls due next.
    pub next: Option<Due>,
    /// Whether the time that was asked for has come. Skipping far takes a while, and so long at a time.
    pub arrived: bool,
}

/// Why the clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// It follows the real time, and that is that.
    #[error("the clock here can't be moved: it was started without time travel (--time-travel)")]
    NotAllowed,
    /// What was asked for is past.
    #[error("the clock can't go back: it is {now} already")]
    Backwards {
        /// The time of day.
        now: Timestamp,
    },
    /// More than a hundred years.
    #[error("the clock can be moved a hundred years ahead at most")]
    TooFar,
    /// Nobody waits for anything.
    #[error("nothing falls due: there is no time to skip to")]
    Nothing,
    /// How far it is ahead can't be kept.
    #[error("the clock's file can't be written: {0}")]
    File(#[from] std::io::Error),
}

/// A clock that may be moved, with all that goes by it.
pub(crate) struct Travel {
    clock: Arc<TravelClock>,
    outside: Option<Box<dyn Outside>>,
    /// One skip at a time.
    turn: tokio::sync::Mutex<()>,
    /// What the last one came to, for the page.
    last: Mutex<Option<Skipped>>,
}

impl Travel {
    pub(crate) fn new(clock: Arc<TravelClock>, outside: Option<Box<dyn Outside>>) -> Travel {
        Travel {
            clock,
            outside,
            turn: tokio::sync::Mutex::default(),
            last: Mutex::default(),
        }
    }

    fn last(&self) -> Option<Skipped> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
