//! Inline Map states: a line of execution for each item, a number of them at once.
//!
//! What an iteration begins with is made when its turn comes, and the lines that are over leave nothing but their
//! outputs. So a Map takes memory for its items and for what runs, and each step the same time however many there are.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::Execution;
use super::flow::runtime;
use super::iterations::Mapping;
use super::jsonata::Moment;
use super::map_runs::Gathered;
use super::state::{At, Branch, Phase, Visit};
use crate::context::Item;
use crate::definition::{Distributed, Flow, Map, State, Work};
use crate::expression::Scope;
use crate::journal::{BranchId, Entry, Event, Failure};
use crate::jsonata::Failed;
use crate::limits;
use crate::random::Randomness;
use crate::variables::Variables;

/// As many iterations of an inline Map run at once, at most.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html>
const MOST_AT_ONCE: u64 = 40;

/// How many iterations run at once, where MaxConcurrency says this.
pub(super) fn at_once(concurrency: u64) -> u64 {
    if concurrency == 0 {
        MOST_AT_ONCE
    } else {
        concurrency.min(MOST_AT_ONCE)
    }
}

impl Execution {
    /// The beginning of the iterations, or the failure to get there.
    pub(super) fn begin_map(
        &self,
        visit: &Visit,
        flow: &Flow,
        map: &Map,
        random: &mut dyn Randomness,
    ) -> Result<Event, Failure> {
        let input = self.map_input(visit, flow, random)?;
        let context = self.context(visit, None);
        let mut scope = Scope {
            input: &input,
            context: &context,
            random,
            spent: 0,
        };
        let concurrency = match &map.concurrency {
            None => 0,
            Some(amount) => amount.whole(&mut scope)?,
        };
        let distributed = map.distributed.as_deref();
        // An ItemReader has items of its own, and ItemsPath is not looked at.
        let (items, keyed) = match distributed {
            Some(Distributed { reader: Some(_), .. }) => (Vec::new(), false),
            _ => map.items(&mut scope)?,
        };
        Ok(Event::MapStarted {
            items,
            keyed,
            concurrency: match (distributed, concurrency) {
                (Some(_), concurrency) => concurrency,
                (None, 0) => MOST_AT_ONCE,
                (None, concurrency) => concurrency.min(MOST_AT_ONCE),
            },
            distributed: distributed.is_some(),
        })
    }

    /// The state's input after InputPath.
    pub(super) fn map_input<'v>(
        &self,
        visit: &'v Visit,
        flow: &Flow,
        random: &mut dyn Randomness,
    ) -> Result<Cow<'v, Value>, Failure> {
        if flow.input_path.as_ref().is_some_and(|path| path.text == "$") {
            random.watch("afterInputPath", &visit.input);
            return Ok(Cow::Borrowed(&visit.input));
        }
        self.effective_input(visit, flow, None, random).map(Cow::Owned)
    }

    /// The next entry of a Map state that can go on: on its own line, or below it while the iterations are given up.
    pub(super) fn decide_on_map(
        &self,
        id: BranchId,
        mapping: &Mapping,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> (BranchId, Event) {
        if let Some(failed) = &mapping.failed {
            let failing = mapping.failing.and_then(|failing| self.fail_iteration(failing));
            let others = || mapping.running().find_map(|child| self.to_abort(child));
            return failing.or_else(others).unwrap_or_else(|| {
                let failure = failed.failure.clone();
                let event = match mapping.failing {
                    Some(_) => Event::MapFailed,
                    None if mapping.shown => Event::MapFailed,
                    None => Event::StateFailed { failure },
                };
                (id, event)
            });
        }
        let Some((visit, state)) = self.visiting(id) else {
            return (id, super::decide::lost(""));
        };
        let event = match mapping.next() {
            None => Event::MapSucceeded,
            Some((index, item)) => self
                .iteration_input(visit, state, mapping, index, item, &mut Moment { now, random })
                .map_or_else(
                    |failed| match visit.blame_evaluation(failed) {
                        Event::StateFailed { failure } => Event::MapItemFailed { failure },
                        event => event,
                    },
                    |input| Event::MapIterationStarted {
                        name: visit.state.clone(),
                        index: index as u64,
                        input,
                    },
                ),
        };
        (id, event)
    }

    fn visiting(&self, id: BranchId) -> Option<(&Visit, &State)> {
        let branch = self.branches.get(&id)?;
        let visit = branch.visit()?;
        Some((visit, self.state(branch, &visit.state)?))
    }

    /// What an iteration begins with: its item, or what ItemSelector makes of it.
    fn iteration_input(
        &self,
        visit: &Visit,
        state: &State,
        mapping: &Mapping,
        index: usize,
        item: &Value,
        moment: &mut Moment<'_>,
    ) -> Result<Value, Failed> {
        let Work::Map(map) = &state.work else {
            return Err(runtime(format!("The state '{}' is no Map.", visit.state)).into());
        };
        if let Some(selector) = state
            .jsonata
            .as_ref()
            .and_then(|jsonata| jsonata.arguments.as_ref())
        {
            let item = Item::of(index as u64, item, mapping.keyed);
            return self.select_jsonata(visit, selector, item, moment);
        }
        let Some(selector) = &map.selector else {
            return Ok(item.clone());
        };
        let random = &mut *moment.random;
        let input = self.map_input(visit, &state.flow, random)?;
        let mut context = self.context(visit, None);
        context.item = Some(Item::of(index as u64, item, mapping.keyed));
        let selected = selector.fill(&mut Scope {
            input: &input,
            context: &context,
            random,
            spent: 0,
        })?;
        Ok(limits::pass(selected, &visit.state)?)
    }

    /// What all iterations of a Map begin with, where ItemSelector makes it.
    pub(super) fn selected(
        &self,
        visit: &Visit,
        state: &State,
        mapping: &Mapping,
        moment: &mut Moment<'_>,
    ) -> Option<Value> {
        let Work::Map(map) = &state.work else {
            return None;
        };
        let jsonata = state
            .jsonata
            .as_ref()
            .and_then(|jsonata| jsonata.arguments.as_ref());
        if map.selector.is_none() && jsonata.is_none() {
            return None;
        }
        let items = mapping.items.iter().enumerate();
        let selected =
            items.map(|(index, item)| self.iteration_input(visit, state, mapping, index, item, moment));
        selected
            .collect::<Result<Vec<Value>, Failed>>()
            .ok()
            .map(Value::Array)
    }

    /// The next entry about the iteration that failed; `None` when all is said.
    fn fail_iteration(&self, failing: BranchId) -> Option<(BranchId, Event)> {
        match self.to_abort(failing)? {
            (id, Event::MapIterationAborted { name, index }) if id == failing => {
                Some((id, Event::MapIterationFailed { name, index }))
            }
            other => Some(other),
        }
    }

    /// An event of an iteration as a whole.
    pub(super) fn iteration_event(&self, branch: &Branch, event: impl FnOnce(String, u64) -> Event) -> Event {
        let parent = branch.parent.and_then(|parent| self.branches.get(&parent));
        let name = parent
            .and_then(Branch::visit)
            .map_or_else(String::new, |visit| visit.state.clone());
        event(name, branch.iteration.unwrap_or(0))
    }

    /// Takes in an entry about a Map.
    pub(super) fn apply_to_map(&mut self, entry: &Entry, event: &Event) -> Result<(), String> {
        let id = entry.branch;
        match event {
            Event::MapIterationStarted { index, input, .. } => return self.iterate(entry, *index, input),
            Event::MapIterationSucceeded { index, .. } => return self.iterated(entry, *index),
            Event::MapIterationFailed { .. } | Event::MapIterationAborted { .. } => {
                return self.give_up_iteration(id);
            }
            Event::MapRunStarted { run } => {
                self.map_runs.insert(run.arn.clone(), id);
            }
            Event::MapRunRedriven { arn, .. } => {
                self.map_runs.insert(arn.clone(), id);
            }
            Event::MapRunSucceeded { arn, .. } | Event::MapRunFailed { arn, .. } => {
                self.map_runs.remove(arn);
            }
            _ => {}
        }
        let branch = self.branches.get_mut(&id).ok_or("there is no such branch")?;
        let prev = branch.prev;
        let visit = branch.visit_mut()?;
        match (event, &mut visit.phase) {
            (
                Event::MapStarted {
                    items,
                    keyed,
                    concurrency,
                    distributed,
                },
                phase,
            ) => {
                *phase = if *distributed {
                    Phase::Gathered(Box::new(Gathered {
                        items: items.clone(),
                        keyed: *keyed,
                        concurrency: *concurrency,
                        run: None,
                    }))
                } else {
                    Phase::Mapping(Box::new(Mapping::new(items, *keyed, *concurrency)))
                };
            }
            (Event::MapItemFailed { failure }, Phase::Mapping(mapping)) => mapping.fail(failure, prev, None),
            (Event::MapSucceeded, Phase::Mapping(mapping)) => visit.phase = Phase::Result(mapping.outputs()?),
            (Event::MapFailed, Phase::Mapping(mapping)) => visit.phase = Phase::Failed(mapping.failure()?),
            (Event::MapRunStarted { run }, Phase::Gathered(gathered)) => gathered.begin(entry.id, run)?,
            (Event::MapRunRedriven { arn, count }, Phase::Gathered(gathered)) => {
                gathered.begin_again(entry.id, arn, *count)?;
            }
            (Event::MapRunSucceeded { arn, output }, Phase::Gathered(gathered)) => {
                gathered.end(arn, Ok(output.clone()))?;
            }
            (Event::MapRunFailed { arn, failure }, Phase::Gathered(gathered)) => {
                gathered.end(arn, Err(failure.clone()))?;
            }
            (Event::MapSucceeded | Event::MapFailed, Phase::Gathered(gathered)) => {
                let (_, result) = gathered.over().ok_or("the Map Run is not over")?;
                visit.phase = match result {
                    Ok(output) => Phase::Result(output),
                    Err(failure) => Phase::Failed(failure),
                };
            }
            _ => return Err("the Map is not that far".into()),
        }
        Ok(())
    }

    /// Takes in that an iteration began.
    fn iterate(&mut self, entry: &Entry, index: u64, input: &Value) -> Result<(), String> {
        let id = entry.branch;
        let branch = self.branches.get(&id).ok_or("there is no such branch")?;
        let visit = branch.visit().ok_or("the branch is in no state")?;
        let Some(Work::Map(map)) = self.state(branch, &visit.state).map(|state| &state.work) else {
            return Err("the state is no Map".into());
        };
        let machine = map.processor;
        let variables = Variables::inside(&visit.variables);
        let start = self
            .definition
            .machine(machine)
            .ok_or("there is no such machine")?;
        let at = At::Arriving {
            state: start.start_at.clone(),
            input: input.clone(),
        };
        let child = BranchId(self.next_branch);
        self.next_branch = self
            .next_branch
            .checked_add(1)
            .ok_or("there are too many branches")?;
        let mapping = self.mapping_of(id)?;
        if mapping.outputs.len() as u64 != index {
            return Err(format!("item {} is next", mapping.outputs.len()));
        }
        mapping.outputs.push(None);
        mapping.running.insert(index, child);
        mapping.free.pop_front();
        self.branches.insert(
            child,
            Branch {
                parent: Some(id),
                iteration: Some(index),
                machine,
                at,
                prev: entry.id,
                variables,
            },
        );
        self.ready.push(child);
        Ok(())
    }

    /// Takes in that an iteration succeeded.
    fn iterated(&mut self, entry: &Entry, index: u64) -> Result<(), String> {
        let branch = self
            .branches
            .remove(&entry.branch)
            .ok_or("there is no such branch")?;
        self.forget(&[entry.branch]);
        let (At::Done { output }, Some(parent)) = (branch.at, branch.parent) else {
            return Err("the iteration is not done".into());
        };
        let mapping = self.mapping_of(parent)?;
        if mapping.running.remove(&index) != Some(entry.branch) {
            return Err("another iteration is for this item".into());
        }
        let place = usize::try_from(index)
            .ok()
            .and_then(|index| mapping.outputs.get_mut(index));
        *place.ok_or("there is no such item")? = Some(output);
        mapping.free.push_back(entry.prev);
        mapping.latest = Some(entry.id);
        Ok(())
    }

    /// Takes in that an iteration is over without an output.
    fn give_up_iteration(&mut self, id: BranchId) -> Result<(), String> {
        let branch = self.branches.get(&id).ok_or("there is no such branch")?;
        let (parent, index) = branch.parent.zip(branch.iteration).ok_or("it is no iteration")?;
        self.forget(&[id]);
        self.mapping_of(parent)?.running.remove(&index);
        Ok(())
    }

    fn mapping_of(&mut self, id: BranchId) -> Result<&mut Mapping, String> {
        let branch = self.branches.get_mut(&id).ok_or("there is no such branch")?;
        branch.visit_mut()?.mapping_mut()
    }
}
