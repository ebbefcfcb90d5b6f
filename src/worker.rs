//! The worker: takes what is due and runs the step for it. What is due is told by this process itself (in time) and
//! by the sharded index (what other processes left, or what a crash did). Run as many workers as wanted: every step
//! claims what it does under a condition.

use crate::domain::decision::RequestState;
use crate::flow::{self, Flow, Step, Told};
use crate::store::{DueItem, DueWhat, SHARDS, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

/// How many items of a shard are taken at a time.
const BATCH: i32 = 64;
/// How many steps run at the same time.
const CONCURRENT: usize = 32;
/// When something is looked at again whose step is still under way.
const AGAIN: SignedDuration = SignedDuration::from_millis(20);

/// Something to be looked after, and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Wake {
    at: Timestamp,
    item: DueItem,
}

/// Runs the step for one thing that is due.
pub async fn step(flow: &Flow, item: DueItem) -> Result<Step, StoreError> {
    let done = match item.what {
        DueWhat::Mail(signer) => flow::notify::mail(flow, item.id, signer).await,
        DueWhat::Request => request_step(flow, item).await,
    };
    match done {
        // A process of that version runs beside this one, and does it.
        Err(StoreError::Newer { .. }) => Ok(Step::Nothing),
        done => done,
    }
}

async fn request_step(flow: &Flow, item: DueItem) -> Result<Step, StoreError> {
    let Some(approval) = flow.store.load(item.id).await?.approval() else {
        return Ok(Step::Nothing);
    };
    let now = flow.clock.now();
    match &approval.record.state {
        RequestState::Pending(pending) if pending.deadline.is_some_and(|deadline| deadline <= now) => {
            let due = pending.due();
            match flow::watch::before_what_is_late(flow, approval, due).await? {
                Some(approval) => flow::expire::expire(flow, approval).await.map(|_| Step::Done),
                None => Ok(Step::Nothing),
            }
        }
        RequestState::Pending(_) => flow::watch::watch(flow, approval).await,
        RequestState::Ended(ended) if ended.callback.due().is_some_and(|due| due <= now) => {
            flow::call_back::next_attempt(flow, approval).await
        }
        RequestState::Ended(_) | RequestState::Orphaned { .. } => flow::close::close(flow, approval).await,
    }
}

/// Everything that is due now and since when, in all shards: at most a batch of each.
pub async fn due_now(flow: &Flow) -> Result<Vec<(Timestamp, DueItem)>, StoreError> {
    let now = flow.clock.now();
    let mut looks = JoinSet::new();
    for shard in 0..SHARDS {
        let store = flow.store.clone();
        looks.spawn(async move { store.due(shard, now, BATCH).await });
    }
    let mut due = Vec::new();
    while let Some(found) = looks.join_next().await {
        due.extend(found.expect("a look neither panics nor is aborted")?);
    }
    Ok(due)
}

/// Runs until `stop` turns true, then finishes the steps under way.
pub async fn run(flow: Arc<Flow>, mut told: UnboundedReceiver<Told>, mut stop: watch::Receiver<bool>) {
    let mut look = tokio::time::interval(flow.settings.look_every.unsigned_abs());
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looks = JoinSet::new();
    let mut work = Work {
        flow,
        upcoming: BinaryHeap::new(),
        running: HashMap::new(),
        steps: JoinSet::new(),
    };
    loop {
        work.start_what_is_due();
        tokio::select! {
            () = stopped(&mut stop) => break,
            // What isn't due any more is found out by its step, which is cheaper than to look for it here.
            Some(Told { item, due }) = told.recv() => work.upcoming.extend(due.map(|at| Reverse(Wake { at, item }))),
            () = tokio::time::sleep(work.until_next()) => {}
            Some(ended) = work.steps.join_next_with_id() => work.end(ended),
            // A look may take its time when the table is slow; what is known to be due doesn't wait for it.
            _ = look.tick(), if looks.is_empty() => {
                let flow = Arc::clone(&work.flow);
                looks.spawn(async move { due_now(&flow).await });
            }
            Some(seen) = looks.join_next() => match seen.expect("a look neither panics nor is aborted") {
                Ok(due) => work.upcoming.extend(due.into_iter().map(|(at, item)| Reverse(Wake { at, item }))),
                Err(error) => tracing::warn!(error = %error, "can't see what is due"),
            },
        }
    }
    while work.steps.join_next().await.is_some() {}
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: that is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What this process knows of and is at. It guards nothing: a step that runs twice finds nothing to do.
struct Work {
    flow: Arc<Flow>,
    /// Soonest first. Holds no more than falls due between two looks at the index.
    upcoming: BinaryHeap<Reverse<Wake>>,
    /// The steps under way.
    running: HashMap<Id, DueItem>,
    steps: JoinSet<()>,
}

impl Work {
    fn start_what_is_due(&mut self) {
        let now = self.flow.clock.now();
        let mut later = Vec::new();
        while self.running.len() < CONCURRENT
            && let Some(Reverse(wake)) = pop_if_due(&mut self.upcoming, now)
        {
            if self.running.values().any(|item| *item == wake.item) {
                // It may have fallen due again while its step was ending.
                later.push(Reverse(Wake {
                    at: now + AGAIN,
                    ..wake
                }));
                continue;
            }
            self.flow.metrics.overdue(now.duration_since(wake.at));
            let (flow, item) = (Arc::clone(&self.flow), wake.item);
            let step = self.steps.spawn(async move {
                if let Err(error) = step(&flow, item).await {
                    flow.metrics.step_failed();
                    tracing::warn!(approval.id = %item.id, error = %error, "a step failed; it stays due");
                }
            });
            self.running.insert(step.id(), item);
        }
        self.upcoming.extend(later);
    }

    fn end(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(panicked) => panicked.id(),
        };
        self.running.remove(&id);
    }

    /// How long until something falls due; for ever when nothing can be started before a step has ended.
    fn until_next(&self) -> Duration {
        match self.upcoming.peek() {
            Some(Reverse(wake)) if self.running.len() < CONCURRENT => wake
                .at
                .duration_since(self.flow.clock.now())
                .max(SignedDuration::from_millis(1))
                .unsigned_abs(),
            _ => Duration::from_hours(24),
        }
    }
}

fn pop_if_due(upcoming: &mut BinaryHeap<Reverse<Wake>>, now: Timestamp) -> Option<Reverse<Wake>> {
    upcoming.peek().filter(|wake| wake.0.at <= now)?;
    upcoming.pop()
}
