//! A Map state at work: its items, and the iterations that run or are over.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use crate::journal::{BranchId, Event, Failure};

/// A Map state at work.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mapping {
    pub(super) items: Vec<Value>,
    /// Whether the items are an object's fields.
    pub(super) keyed: bool,
    pub(super) concurrency: usize,
    /// Those that began; of the ones that are over what they gave.
    pub(super) outputs: Vec<Option<Value>>,
    /// The iterations that run, by item.
    pub(super) running: BTreeMap<u64, BranchId>,
    /// The last events of the iterations that are over and have no successor yet: AWS shows the iteration that takes
    /// the place of another as its successor.
    pub(super) free: VecDeque<u64>,
    /// The last event that ended an iteration.
    pub(super) latest: Option<u64>,
    pub(super) failed: Option<super::state::Failed>,
    /// The iteration that failed.
    pub(super) failing: Option<BranchId>,
    /// The failure is in the history, and so will be that of the Map.
    pub(super) shown: bool,
}

impl Mapping {
    pub(super) fn new(items: &[Value], keyed: bool, concurrency: u64) -> Self {
        Self {
            items: items.to_vec(),
            keyed,
            concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
            outputs: Vec::new(),
            running: BTreeMap::new(),
            free: VecDeque::new(),
            latest: None,
            failed: None,
            failing: None,
            shown: false,
        }
    }

    /// The lines of the iterations that run.
    pub(super) fn running(&self) -> impl Iterator<Item = BranchId> {
        self.running.values().copied()
    }

    pub(super) fn can_go_on(&self) -> bool {
        self.failed.is_some() || self.may_begin() || (self.running.is_empty() && self.next().is_none())
    }

    pub(super) fn may_begin(&self) -> bool {
        self.running.len() < self.concurrency && self.next().is_some()
    }

    /// The item whose turn is next.
    pub(super) fn next(&self) -> Option<(usize, &Value)> {
        let index = self.outputs.len();
        self.items.get(index).map(|item| (index, item))
    }

    pub(super) fn fail(&mut self, failure: &Failure, prev: u64, failing: Option<BranchId>) {
        if self.failed.is_none() {
            self.failed = Some(super::state::Failed {
                failure: failure.clone(),
                prev,
            });
            self.failing = failing;
        }
    }

    /// An expression of the Map's own failed, at this event.
    pub(super) fn fail_by_itself(&mut self, failure: &Failure, id: u64) {
        self.fail(failure, id, None);
        self.shown = true;
    }

    pub(super) fn failure(&self) -> Result<Failure, String> {
        let failed = self.failed.as_ref().ok_or("no iteration has failed")?;
        Ok(failed.failure.clone())
    }

    pub(super) fn outputs(&mut self) -> Result<Value, String> {
        if self.outputs.len() < self.items.len() || !self.running.is_empty() {
            return Err("an iteration is not done".into());
        }
        let outputs: Option<Vec<Value>> = std::mem::take(&mut self.outputs).into_iter().collect();
        outputs
            .map(Value::Array)
            .ok_or_else(|| "an iteration gave nothing".into())
    }

    /// `previousEventId` of an event of the Map itself, where it is not the Map's latest.
    pub(super) fn previous(&self, event: &Event) -> Option<u64> {
        match event {
            Event::MapIterationStarted { .. } => self.free.front().copied(),
            Event::MapSucceeded => self.latest,
            Event::MapFailed => self.failed.as_ref().map(|failed| failed.prev),
            _ => None,
        }
    }
}
