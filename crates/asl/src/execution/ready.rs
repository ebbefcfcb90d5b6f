//! Two lists of lines of execution: those that can go on by themselves, and those that wait for a time. Adding, removing
//! and finding take logarithmic time, as a Map may run thousands of lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::journal::BranchId;

/// Lines that can go on, in the order in which they will.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ready {
    order: BTreeMap<i64, BranchId>,
    places: HashMap<BranchId, i64>,
}

impl Ready {
    pub(super) fn first(&self) -> Option<BranchId> {
        self.order.values().next().copied()
    }

    /// Adds one at the end, unless it is there.
    pub(super) fn push(&mut self, id: BranchId) {
        let place = self.order.last_key_value().map_or(0, |(last, _)| last + 1);
        if !self.places.contains_key(&id) {
            self.insert(id, place);
        }
    }

    /// Makes one the first.
    pub(super) fn push_first(&mut self, id: BranchId) {
        self.remove(id);
        let place = self.order.first_key_value().map_or(0, |(first, _)| first - 1);
        self.insert(id, place);
    }

    fn insert(&mut self, id: BranchId, place: i64) {
        self.order.insert(place, id);
        self.places.insert(id, place);
    }

    pub(super) fn remove(&mut self, id: BranchId) {
        if let Some(place) = self.places.remove(&id) {
            self.order.remove(&place);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Lines that wait for a time, by it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Waiting {
    by_time: BTreeSet<(Timestamp, BranchId)>,
    times: HashMap<BranchId, Timestamp>,
}

impl Waiting {
    pub(super) fn first(&self) -> Option<(Timestamp, BranchId)> {
        self.by_time.first().copied()
    }

    /// Says when a line is due; `None` when it waits for no time.
    pub(super) fn set(&mut self, id: BranchId, due: Option<Timestamp>) {
        if let Some(before) = self.times.remove(&id) {
            self.by_time.remove(&(before, id));
        }
        if let Some(due) = due {
            self.times.insert(id, due);
            self.by_time.insert((due, id));
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
