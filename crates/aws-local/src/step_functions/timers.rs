//! The next timer of each execution that has one, and the task that waits for the earliest. This is all that
//! is in memory of an execution that waits.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asl::Happened;
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};

use super::engine::Engine;
use crate::travel::until;

/// How many executions whose timers have come are seen to at once.
const AT_ONCE: usize = 64;

/// How long until a timer is tried again that could not be seen to.
const AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

#[derive(Default)]
pub(super) struct Timers {
    set: Mutex<Set>,
    /// The earliest may be another one now.
    changed: Notify,
}

#[derive(Default)]
struct Set {
    /// Milliseconds since 1970, and the execution.
    by_time: BTreeSet<(i64, i64)>,
    by_execution: HashMap<i64, i64>,
}

impl Set {
    fn remove(&mut self, execution: i64) {
        if let Some(time) = self.by_execution.remove(&execution) {
            self.by_time.remove(&(time, execution));
        }
    }
}

impl Timers {
    /// Sets the execution's one timer, or takes it away.
    pub(super) fn set(&self, execution: i64, at: Option<Timestamp>) {
        let mut set = self.lock();
        let at = at.map(Timestamp::as_millisecond);
        if set.by_execution.get(&execution).copied() == at {
            return;
        }
        set.remove(execution);
        if let Some(at) = at {
            set.by_execution.insert(execution, at);
            set.by_time.insert((at, execution));
        }
        drop(set);
        self.changed.notify_one();
    }

    /// Sets the execution's timer if it has none.
    pub(super) fn set_first(&self, execution: i64, at: Timestamp) {
        if !self.lock().by_execution.contains_key(&execution) {
            self.set(execution, Some(at));
        }
    }

    /// Looks at the clock anew: it may have been moved.
    pub(super) fn look_again(&self) {
        self.changed.notify_one();
    }

    /// When the earliest timer fires.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let (at, _) = *self.lock().by_time.first()?;
        Timestamp::from_millisecond(at).ok()
    }

    /// The executions whose timers fire next after `now`, soonest first.
    pub(super) fn after(&self, now: Timestamp, most: usize) -> Vec<(Timestamp, i64)> {
        let set = self.lock();
        let later = set.by_time.range((now.as_millisecond() + 1, i64::MIN)..);
        later
            .take(most)
            .filter_map(|(at, id)| Some((Timestamp::from_millisecond(*at).ok()?, *id)))
            .collect()
    }

    /// Takes an execution whose timer has come by `now`.
    fn take_due(&self, now: Timestamp) -> Option<i64> {
        let mut set = self.lock();
        let (at, execution) = *set.by_time.first()?;
        if at > now.as_millisecond() {
            return None;
        }
        set.remove(execution);
        Some(execution)
    }

    fn lock(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets timers fire, for ever.
pub(super) async fn run(engine: Arc<Engine>) {
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        while let Some(execution) = engine.timers.take_due(engine.source.now()) {
            let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else {
                return;
            };
            let at_work = Arc::clone(&engine);
            let busy = engine.work.begin();
            engine.tasks.spawn(async move {
                let (_permit, _busy) = (permit, busy);
                if at_work.happen(execution, Happened::TimerFired).await.is_err() {
                    at_work.timers.set(execution, Some(at_work.source.now() + AGAIN));
                }
            });
        }
        let changed = engine.timers.changed.notified();
        match engine.timers.next() {
            None => changed.await,
            Some(next) => {
                let wait = until(engine.source.now(), next);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = changed => {}
                }
            }
        }
    }
}
