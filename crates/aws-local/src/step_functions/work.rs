//! What goes on in the engine at a moment, and what falls due: asked before and after the clock is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use asl::Timer;
use jiff::Timestamp;

use super::engine::Engine;
use crate::travel::Due;

/// How many of the timers that fire next are told of.
const MOST: usize = 16;

/// Counts what is under way, and the steps that were taken.
#[derive(Default)]
pub(super) struct Work {
    under_way: Arc<AtomicUsize>,
    steps: AtomicU64,
}

/// Something is under way for as long as this lives.
pub(super) struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Work {
    pub(super) fn begin(&self) -> Busy {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(&self.under_way))
    }

    pub(super) fn stepped(&self) {
        self.steps.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether something is under way, and how many steps there were so far.
    pub(super) fn now(&self) -> (bool, u64) {
        let busy = self.under_way.load(Ordering::SeqCst) > 0;
        (busy, self.steps.load(Ordering::SeqCst))
    }
}

impl Engine {
    /// What falls due next after `now`, soonest first; not all of it.
    pub(super) async fn upcoming(&self, now: Timestamp) -> Vec<Due> {
        let mut upcoming = Vec::new();
        for (at, id) in self.timers.after(now, MOST) {
            let what = self.timer_of(id).await;
            let what = what.unwrap_or_else(|| "a timer of an execution".to_owned());
            upcoming.push(Due::new(at, what));
        }
        upcoming
    }

    /// What an execution's timer is for.
    async fn timer_of(&self, id: i64) -> Option<String> {
        let slot = self.slot(id);
        let mut live = slot.lock().await;
        let loaded = match live.take() {
            Some(live) => Ok(live),
            None => self.load(id).await,
        };
        let told = loaded.ok().and_then(|loaded| {
            let execution = &loaded.execution;
            let identity = execution.identity();
            let told = execution.next_due_of().map(|(_, timer, state)| {
                let state = state.unwrap_or_default();
                let what = match timer {
                    Timer::Execution => "the time-out".to_owned(),
                    Timer::Wait => format!("the end of “{state}”"),
                    Timer::Retry => format!("another try of “{state}”"),
                    Timer::Timeout => format!("the time-out of “{state}”"),
                    Timer::Heartbeat => format!("the heartbeat time-out of “{state}”"),
                };
                let (machine, name) = (&identity.state_machine_name, &identity.execution_name);
                format!("{what} in {machine}/{name}")
            });
            *live = Some(loaded);
            told
        });
        self.release(id, &slot, live);
        told
    }
}
