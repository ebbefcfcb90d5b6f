//! Those who wait for a time of day, other than by an execution's timer. They see at once when the clock is moved, and
//! it can be asked what they wait for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::Due;
use crate::source::Source;

#[derive(Default)]
pub(crate) struct Waits {
    waiting: Mutex<Waiting>,
    moved: Notify,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    /// By time, and by number where there are several.
    what: BTreeMap<(Timestamp, u64), String>,
}

/// Somebody waits for as long as this lives.
struct Entry<'w> {
    waits: &'w Waits,
    key: (Timestamp, u64),
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.waits.lock().what.remove(&self.key);
    }
}

impl Waits {
    /// Lets everybody look at the clock again.
    pub(crate) fn clock_moved(&self) {
        self.moved.notify_waiters();
    }

    /// What is waited for, soonest first.
    pub(super) fn upcoming(&self) -> Vec<Due> {
        let waiting = self.lock();
        let due = waiting
            .what
            .iter()
            .map(|((at, _), what)| Due::new(*at, what.clone()));
        due.collect()
    }

    fn enter(&self, at: Timestamp, what: String) -> Entry<'_> {
        let mut waiting = self.lock();
        waiting.last += 1;
        let key = (at, waiting.last);
        waiting.what.insert(key, what);
        Entry { waits: self, key }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    /// Waits until it is `at`, by going on or by being moved. `what` says for a person what falls due then.
    pub(crate) async fn sleep_until(&self, at: Timestamp, what: impl Into<String>) {
        let _entry = self.waits.enter(at, what.into());
        loop {
            let moved = self.waits.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let wait = until(self.now(), at);
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = moved => {}
            }
        }
    }
}

/// How long to wait from `now` until `at`, rounded up to the clock's milliseconds, so that it has come when we look.
pub(crate) fn until(now: Timestamp, at: Timestamp) -> Duration {
    let wait = at.duration_since(now).as_nanos().max(0);
    Duration::from_millis(u64::try_from((wait + 999_999) / 1_000_000).unwrap_or(u64::MAX))
}
