//! What falls due, where nothing runs between one event and the next: the process is frozen after each answer, and may
//! never be woken again. So a step that is begun is finished before the answer, and what is left for later goes back as a
//! wake (`wake.rs`), with the table's index and the scheduled tick behind it.

use crate::domain::ids::ApprovalId;
use crate::flow::{Flow, Told};
use crate::store::{DueItem, DueWhat, StoreError};
use crate::worker;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

/// How many steps run at the same time.
const CONCURRENT: usize = 32;

/// How long work may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Until {
    /// No step is begun after this.
    pub(super) begin: Instant,
    /// A step that is still under way is given up, as if the process had died: what it was at stays due.
    pub(super) end: Instant,
}

/// What this process knows to be due. It guards nothing: a step that runs twice finds nothing to do.
#[derive(Debug)]
pub(super) struct Work {
    flow: Arc<Flow>,
    told: UnboundedReceiver<Told>,
    due: HashMap<DueItem, Timestamp>,
}

impl Work {
    /// The work that the steps of `flow` tell of.
    pub(super) fn new(flow: Arc<Flow>, told: UnboundedReceiver<Told>) -> Self {
        Self {
            flow,
            told,
            due: HashMap::new(),
        }
    }

    /// Runs what the steps have told to be due, and what that leads to.
    pub(super) async fn run(&mut self, until: Until) {
        let mut steps = JoinSet::new();
        let mut running: HashMap<Id, DueItem> = HashMap::new();
        loop {
            self.listen();
            if Instant::now() < until.begin {
                let at: HashSet<DueItem> = running.values().copied().collect();
                for item in self.next(CONCURRENT - running.len(), &at) {
                    self.due.remove(&item);
                    let flow = Arc::clone(&self.flow);
                    let step = steps.spawn(async move {
                        if let Err(error) = worker::step(&flow, item).await {
                            flow.metrics.step_failed();
                            tracing::warn!(approval.id = %item.id, error = %error, "a step failed; it stays due");
                        }
                    });
                    running.insert(step.id(), item);
                }
            }
            tokio::select! {
                ended = steps.join_next_with_id() => match ended {
                    Some(Ok((id, ()))) => drop(running.remove(&id)),
                    Some(Err(panicked)) => drop(running.remove(&panicked.id())),
                    None => return,
                },
                () = tokio::time::sleep_until(until.end) => return,
            }
        }
    }

    /// Runs what the index knows to be due, and what that leads to: all of it, if there is time.
    pub(super) async fn run_all(&mut self, until: Until) -> Result<(), StoreError> {
        let mut seen = HashSet::new();
        while Instant::now() < until.begin {
            let due = worker::due_now(&self.flow).await?;
            // The index may lag behind, and what fails stays in it: each is tried once.
            let fresh: Vec<_> = due.into_iter().filter(|known| seen.insert(*known)).collect();
            if fresh.is_empty() {
                break;
            }
            self.due.extend(fresh.into_iter().map(|(at, item)| (item, at)));
            self.run(until).await;
        }
        Ok(())
    }

    /// Runs what is due of these approvals, and what that leads to. What can't be read now is found by the tick: a wake
    /// never comes again.
    pub(super) async fn run_those(&mut self, ids: &[ApprovalId], until: Until) {
        let now = self.flow.clock.now();
        for id in ids {
            let approval = match self.flow.store.load(*id).await {
                Ok(loaded) => loaded.approval(),
                Err(error) => {
                    tracing::warn!(approval.id = %id, error = %error, "can't see what is due; the tick will");
                    continue;
                }
            };
            let Some(approval) = approval else { continue };
            let request = approval.record.state.due().map(|at| (DueWhat::Request, at));
            let mails = approval
                .signers
                .iter()
                .filter_map(|signer| Some((DueWhat::Mail(signer.number), signer.mail.as_ref()?.due)));
            // What isn't due yet has a wake of its own, or the tick: else one for each moment would beget one for the next.
            for (what, at) in request.into_iter().chain(mails).filter(|(_, at)| *at <= now) {
                self.due.insert(DueItem { id: *id, what }, at);
            }
        }
        self.run(until).await;
    }

    /// What is left for later: approvals, and when something of them falls due.
    pub(super) fn left(&mut self) -> Vec<(ApprovalId, Timestamp)> {
        self.listen();
        self.due.drain().map(|(item, at)| (item.id, at)).collect()
    }

    fn listen(&mut self) {
        while let Ok(Told { item, due }) = self.told.try_recv() {
            match due {
                Some(at) => drop(self.due.insert(item, at)),
                None => drop(self.due.remove(&item)),
            }
        }
    }

    /// At most `most` of what is due, longest due first, but for what is being worked `at`.
    fn next(&self, most: usize, at: &HashSet<DueItem>) -> Vec<DueItem> {
        let now = self.flow.clock.now();
        let mut due: Vec<(Timestamp, DueItem)> = self
            .due
            .iter()
            .filter(|(item, since)| **since <= now && !at.contains(item))
            .map(|(item, since)| (*since, *item))
            .collect();
        due.sort_unstable();
        due.into_iter().take(most).map(|(_, item)| item).collect()
    }
}
