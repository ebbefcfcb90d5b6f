//! The worker: takes what is due and runs the step for it. What is due is told by this process itself (at once) and
//! by the sharded index (what other processes left, or what a crash did). Run as many workers as wanted: every step
//! claims what it does under a condition.

use crate::domain::decision::RequestState;
use crate::flow::{self, Flow, Step};
use crate::store::{DueItem, DueWhat, SHARDS, StoreError};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// How often the index is asked.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many items of a shard are taken at a time.
const BATCH: i32 = 64;
/// How many steps run at the same time.
const CONCURRENT: usize = 32;

/// Runs the step for one thing that is due.
pub async fn step(flow: &Flow, item: DueItem) -> Result<Step, StoreError> {
    match item.what {
        DueWhat::Mail(signer) => flow::notify::mail(flow, item.id, signer).await,
        DueWhat::Request => request_step(flow, item).await,
    }
}

async fn request_step(flow: &Flow, item: DueItem) -> Result<Step, StoreError> {
    let Some(approval) = flow.store.load(item.id).await?.approval() else {
        return Ok(Step::Nothing);
    };
    let now = flow.clock.now();
    match &approval.record.state {
        RequestState::Pending(pending) if pending.deadline.is_some_and(|deadline| deadline <= now) => {
            flow::expire::expire(flow, approval).await.map(|_| Step::Done)
        }
        RequestState::Pending(_) => flow::watch::watch(flow, approval).await,
        RequestState::Ended(ended) if ended.callback.due().is_some_and(|due| due <= now) => {
            flow::call_back::next_attempt(flow, approval).await
        }
        RequestState::Ended(_) | RequestState::Orphaned { .. } => flow::close::close(flow, approval).await,
    }
}

/// Everything that is due now, in all shards: at most a batch of each.
pub async fn due_now(flow: &Flow) -> Result<Vec<DueItem>, StoreError> {
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
pub async fn run(flow: Arc<Flow>, mut wake: UnboundedReceiver<DueItem>, mut stop: watch::Receiver<bool>) {
    let runner = Runner {
        flow,
        places: Arc::new(Semaphore::new(CONCURRENT)),
        running: Arc::default(),
    };
    let mut steps = JoinSet::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(item) = wake.recv() => runner.start(&mut steps, item).await,
            _ = look.tick() => match due_now(&runner.flow).await {
                Ok(due) => for item in due {
                    runner.start(&mut steps, item).await;
                },
                Err(error) => tracing::warn!(error = %error, "can't see what is due"),
            },
            Some(_) = steps.join_next() => {}
        }
    }
    while steps.join_next().await.is_some() {}
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: that is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

struct Runner {
    flow: Arc<Flow>,
    places: Arc<Semaphore>,
    /// What this process is at. Saves steps that would find nothing to do; guards nothing.
    running: Arc<Mutex<HashSet<DueItem>>>,
}

impl Runner {
    async fn start(&self, steps: &mut JoinSet<()>, item: DueItem) {
        if !lock(&self.running).insert(item) {
            return;
        }
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let (flow, running) = (Arc::clone(&self.flow), Arc::clone(&self.running));
        steps.spawn(async move {
            let outcome = step(&flow, item).await;
            lock(&running).remove(&item);
            if let Err(error) = outcome {
                tracing::warn!(approval.id = %item.id, error = %error, "a step failed; it stays due");
            }
            drop(place);
        });
    }
}

fn lock(running: &Mutex<HashSet<DueItem>>) -> std::sync::MutexGuard<'_, HashSet<DueItem>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
