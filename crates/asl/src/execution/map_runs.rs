//! Distributed Map states: what a Map Run is asked to do, and how it ends. The run itself, its items and its children
//! are the caller's; what the language has to say about them is asked for here.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::dataset::{Data, batch, export, percentage, source};
use super::flow::runtime;
use super::jsonata::{Moment, before};
use super::state::{Branch, Phase, Visit};
use super::{Execution, Turn};
use crate::context::Item;
use crate::definition::{Distributed, Map, State, Work};
use crate::expression::Scope;
use crate::interface::{Refused, Status};
use crate::journal::{BranchId, Entry, Event, Failure};
use crate::jsonata::{self, Failed};
use crate::limits;
use crate::map_run::{MapRun, Results, Source, Transformation};
use crate::random::{self, Randomness};

/// The items of a distributed Map, before and while its run goes on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gathered {
    pub(super) items: Vec<Value>,
    /// Whether they are an object's fields.
    pub(super) keyed: bool,
    pub(super) concurrency: u64,
    /// `None`: not begun.
    pub(super) run: Option<OpenRun>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct OpenRun {
    /// Its event's id.
    pub(super) started: u64,
    pub(super) run: MapRun,
    /// How it ended; `None` while it goes on.
    pub(super) result: Option<Result<Value, Failure>>,
    /// How often it was redriven.
    pub(super) redrives: u32,
    /// The execution is redriven, and the run is to be.
    pub(super) again: bool,
}

/// A Map Run can be redriven so often.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html>
const MOST_REDRIVES: u32 = 1_000;

impl Gathered {
    pub(super) fn can_go_on(&self) -> bool {
        self.run
            .as_ref()
            .is_none_or(|run| run.result.is_some() || run.again)
    }

    /// Says that the run is to be redriven. Answers whether it can be; else another one begins in its place: where it
    /// hadn't begun, was over, or ended in `cut`, which the redrive takes back, by what no child can mend.
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html>
    pub(super) fn take_up(&mut self, cut: &[&Entry]) -> bool {
        let Some(open) = self.run.as_mut().filter(|open| open.result.is_none()) else {
            return false;
        };
        let beyond = |entry: &&Entry| match &entry.event {
            Event::MapRunFailed { arn, failure } if *arn == open.run.arn => matches!(
                failure.error.as_deref(),
                Some("States.DataLimitExceeded" | "States.Runtime")
            ),
            _ => false,
        };
        open.again = !cut.iter().any(beyond);
        open.again
    }

    pub(super) fn begin_again(&mut self, started: u64, arn: &str, count: u32) -> Result<(), String> {
        match &mut self.run {
            Some(open) if open.again && open.run.arn == arn => {
                open.again = false;
                open.started = started;
                open.redrives = count;
                Ok(())
            }
            _ => Err("the Map Run is not to be redriven".into()),
        }
    }

    pub(super) fn begin(&mut self, started: u64, run: &MapRun) -> Result<(), String> {
        if self.run.is_some() {
            return Err("the Map Run has begun before".into());
        }
        self.run = Some(OpenRun {
            started,
            run: run.clone(),
            result: None,
            redrives: 0,
            again: false,
        });
        Ok(())
    }

    pub(super) fn end(&mut self, arn: &str, result: Result<Value, Failure>) -> Result<(), String> {
        match &mut self.run {
            Some(open) if open.run.arn == arn && open.result.is_none() => {
                open.result = Some(result);
                Ok(())
            }
            _ => Err("the Map Run is not open".into()),
        }
    }

    pub(super) fn open_run(&self) -> Option<&MapRun> {
        let open = self.run.as_ref()?;
        open.result.is_none().then_some(&open.run)
    }

    /// How the run ended, once it has, and the id of the event of its beginning.
    pub(super) fn over(&self) -> Option<(u64, Result<Value, Failure>)> {
        let open = self.run.as_ref()?;
        Some((open.started, open.result.clone()?))
    }
}

/// What the items of a Map Run become: asked of the execution that the run belongs to.
pub struct Selecting<'e> {
    execution: &'e Execution,
    visit: &'e Visit,
    state: &'e State,
    map: &'e Map,
    gathered: &'e Gathered,
    input: Cow<'e, Value>,
    now: Timestamp,
}

impl Selecting<'_> {
    /// The items that came with the state's input, where they did; and whether they are an object's fields, each
    /// `{"Key": …, "Value": …}`.
    pub fn given(&self) -> (&[Value], bool) {
        (&self.gathered.items, self.gathered.keyed)
    }

    /// What the item numbered `index` (from 0) becomes: itself, or what ItemSelector makes of it. `keyed` says that it
    /// is a field of an object; `source` is where it comes from, `STATE_DATA` or the `S3://…` of its object.
    pub fn select(
        &self,
        index: u64,
        item: &Value,
        keyed: bool,
        source: &str,
        random: &mut dyn Randomness,
    ) -> Result<Value, Failure> {
        let item_of = || Item {
            source: Some(source),
            ..Item::of(index, item, keyed)
        };
        let jsonata = self.state.jsonata.as_ref();
        let selected = match (
            jsonata.and_then(|jsonata| jsonata.arguments.as_ref()),
            &self.map.selector,
        ) {
            (Some(selector), _) => {
                let moment = &mut Moment {
                    now: self.now,
                    random,
                };
                let selected = self
                    .execution
                    .select_jsonata(self.visit, selector, item_of(), moment);
                // Its limit is checked with it.
                return selected.map_err(|failed| self.blamed(failed.failure));
            }
            (None, Some(selector)) => {
                let mut context = self.execution.context(self.visit, None);
                context.item = Some(item_of());
                let selected = selector.fill(&mut Scope {
                    input: &self.input,
                    context: &context,
                    random,
                    spent: 0,
                });
                selected.map_err(|failure| self.blamed(failure))?
            }
            (None, None) => item.clone(),
        };
        limits::pass(selected, &self.visit.state).map_err(|failure| self.blamed(failure))
    }

    fn blamed(&self, failure: Failure) -> Failure {
        match self.visit.blame(failure) {
            Event::StateFailed { failure } => failure,
            _ => Failure::default(),
        }
    }
}

impl Execution {
    /// The Map Runs that are not over: to be gone on with after a crash.
    pub fn open_map_runs(&self) -> Vec<MapRun> {
        let branches = self.map_runs.values();
        branches
            .filter_map(|id| Some(self.gathered(*id)?.1.open_run()?.clone()))
            .collect()
    }

    /// What the items of an open Map Run become; `None` when it is not open. `now` is the moment that expressions see.
    pub fn selecting(&self, arn: &str, now: Timestamp) -> Option<Selecting<'_>> {
        let id = *self.map_runs.get(arn)?;
        let (visit, gathered) = self.gathered(id)?;
        let state = self.state(self.branches.get(&id)?, &visit.state)?;
        let Work::Map(map) = &state.work else {
            return None;
        };
        // Nothing is drawn for an InputPath.
        let input = self.map_input(visit, &state.flow, &mut random::Nothing).ok()?;
        Some(Selecting {
            execution: self,
            visit,
            state,
            map,
            gathered,
            input,
            now,
        })
    }

    fn gathered(&self, id: BranchId) -> Option<(&Visit, &Gathered)> {
        let visit = self.branches.get(&id).and_then(Branch::visit)?;
        match &visit.phase {
            Phase::Gathered(gathered) => Some((visit, gathered)),
            _ => None,
        }
    }

    /// The next entry of a distributed Map: the beginning of its run, or what comes of its end.
    pub(super) fn decide_on_run(
        &self,
        visit: &Visit,
        state: &State,
        gathered: &Gathered,
        moment: &mut Moment<'_>,
    ) -> Event {
        match gathered.over() {
            Some((_, Ok(_))) => Event::MapSucceeded,
            Some((_, Err(_))) => Event::MapFailed,
            None if let Some(open) = gathered.run.as_ref().filter(|open| open.again) => {
                if open.redrives >= MOST_REDRIVES {
                    let cause =
                        format!("The Map Run has been redriven {MOST_REDRIVES} times, which is the limit.");
                    return visit.blame(runtime(cause));
                }
                Event::MapRunRedriven {
                    arn: open.run.arn.clone(),
                    count: open.redrives + 1,
                }
            }
            None => {
                let Work::Map(map) = &state.work else {
                    return super::decide::lost(&visit.state);
                };
                self.map_run(visit, state, map, gathered.concurrency, moment)
                    .map_or_else(
                        |failed| visit.blame_evaluation(failed),
                        |run| Event::MapRunStarted { run: Box::new(run) },
                    )
            }
        }
    }

    fn map_run(
        &self,
        visit: &Visit,
        state: &State,
        map: &Map,
        concurrency: u64,
        moment: &mut Moment<'_>,
    ) -> Result<MapRun, Failed> {
        let Some(distributed) = &map.distributed else {
            return Err(runtime(format!("The Map '{}' is inline.", visit.state)).into());
        };
        let Distributed {
            express,
            label,
            reader,
            batcher,
            writer,
            tolerated_count,
            tolerated_percentage,
        } = &**distributed;
        let context = self.context(visit, None);
        let input;
        let mut data = if state.jsonata.is_some() {
            let random = &mut *moment.random;
            Data::Query(jsonata::Scope::new(before(visit), &context, moment.now, random))
        } else {
            input = self.map_input(visit, &state.flow, moment.random)?;
            Data::Path(Scope {
                input: &input,
                context: &context,
                random: &mut *moment.random,
                spent: 0,
            })
        };
        let tolerated_count = tolerated_count.as_ref().map(|amount| data.whole(amount));
        let tolerated_count = tolerated_count.transpose()?;
        let tolerated_percentage = tolerated_percentage
            .as_ref()
            .map(|amount| percentage(amount, &mut data))
            .transpose()?;
        let batch = batcher.as_ref().map(|batcher| batch(batcher, &mut data));
        let batch = batch.transpose()?;
        let source = reader
            .as_ref()
            .map_or(Ok(Source::Given), |reader| source(reader, &mut data))?;
        let results = match writer {
            Some(writer) => Results {
                transformation: writer.transformation,
                lines: writer.lines,
                export: export(writer, &mut data)?,
            },
            None => Results {
                transformation: Transformation::Compact,
                lines: false,
                export: None,
            },
        };
        drop(data);
        let label = label.clone().unwrap_or_else(|| random::uuid(moment.random));
        let name = random::uuid(moment.random);
        Ok(MapRun {
            arn: self.identity.map_run_arn(&label, &name),
            state: visit.state.clone(),
            label,
            express: *express,
            concurrency,
            tolerated_count,
            tolerated_percentage,
            source,
            batch,
            results,
        })
    }

    pub(super) fn map_run_over(
        &mut self,
        arn: &str,
        result: Result<Value, Failure>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let Some(&id) = self.map_runs.get(arn) else {
            return Err(if self.status == Status::Running {
                Refused::Closed
            } else {
                Refused::Ended
            });
        };
        let name = self.gathered(id).map_or("", |(visit, _)| visit.state.as_str());
        let event = match result.and_then(|output| limits::pass(output, name)) {
            Ok(output) => Event::MapRunSucceeded {
                arn: arn.to_owned(),
                output,
            },
            Err(failure) => Event::MapRunFailed {
                arn: arn.to_owned(),
                failure,
            },
        };
        self.record(id, event, turn);
        Ok(())
    }
}
