//! Distributed Map states: what a Map Run is asked to do, and how it ends. The run itself, its items and its children
//! are the caller's; what the language has to say about them is asked for here.

use std::borrow::Cow;

use serde_json::Value;

use super::flow::runtime;
use super::state::{Branch, Phase, Visit};
use super::{Execution, Turn};
use crate::context::Item;
use crate::definition::{Amount, Batcher, Distributed, Flow, Map, Reader, State, Work, Writer};
use crate::expression::Scope;
use crate::interface::{Refused, Status};
use crate::journal::{BranchId, Event, Failure};
use crate::limits;
use crate::map_run::{Batch, Export, MapRun, Results, Source, Transformation};
use crate::random::{self, Randomness};
use crate::template::Template;

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
}

impl Gathered {
    pub(super) fn can_go_on(&self) -> bool {
        self.run.as_ref().is_none_or(|run| run.result.is_some())
    }

    pub(super) fn begin(&mut self, started: u64, run: &MapRun) -> Result<(), String> {
        if self.run.is_some() {
            return Err("the Map Run has begun before".into());
        }
        self.run = Some(OpenRun {
            started,
            run: run.clone(),
            result: None,
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
    map: &'e Map,
    gathered: &'e Gathered,
    input: Cow<'e, Value>,
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
        let selected = match &self.map.selector {
            None => item.clone(),
            Some(selector) => {
                let mut context = self.execution.context(self.visit, None);
                context.item = Some(Item {
                    source: Some(source),
                    ..Item::of(index, item, keyed)
                });
                let selected = selector.fill(&mut Scope {
                    input: &self.input,
                    context: &context,
                    random,
                    spent: 0,
                });
                selected.map_err(|failure| self.blamed(failure))?
            }
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

    /// What the items of an open Map Run become; `None` when it is not open.
    pub fn selecting(&self, arn: &str) -> Option<Selecting<'_>> {
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
            map,
            gathered,
            input,
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
        random: &mut dyn Randomness,
    ) -> Event {
        match gathered.over() {
            Some((_, Ok(_))) => Event::MapSucceeded,
            Some((_, Err(_))) => Event::MapFailed,
            None => {
                let Work::Map(map) = &state.work else {
                    return super::decide::lost(&visit.state);
                };
                self.map_run(visit, &state.flow, map, gathered.concurrency, random)
                    .map_or_else(
                        |failure| visit.blame(failure),
                        |run| Event::MapRunStarted { run: Box::new(run) },
                    )
            }
        }
    }

    fn map_run(
        &self,
        visit: &Visit,
        flow: &Flow,
        map: &Map,
        concurrency: u64,
        random: &mut dyn Randomness,
    ) -> Result<MapRun, Failure> {
        let Some(distributed) = &map.distributed else {
            return Err(runtime(format!("The Map '{}' is inline.", visit.state)));
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
        let input = self.map_input(visit, flow, random)?;
        let context = self.context(visit, None);
        let mut scope = Scope {
            input: &input,
            context: &context,
            random,
            spent: 0,
        };
        let tolerated_count = tolerated_count.as_ref().map(|amount| amount.whole(&mut scope));
        let tolerated_count = tolerated_count.transpose()?;
        let tolerated_percentage = tolerated_percentage
            .as_ref()
            .map(|amount| percentage(amount, &mut scope))
            .transpose()?;
        let batch = batcher.as_ref().map(|batcher| batcher.batch(&mut scope));
        let source = reader
            .as_ref()
            .map_or(Ok(Source::Given), |reader| reader.source(&mut scope))?;
        let results = match writer {
            Some(writer) => writer.results(&mut scope)?,
            None => Results {
                transformation: Transformation::Compact,
                lines: false,
                export: None,
            },
        };
        let label = label.clone().unwrap_or_else(|| random::uuid(scope.random));
        let name = random::uuid(scope.random);
        Ok(MapRun {
            arn: self.identity.map_run_arn(&label, &name),
            state: visit.state.clone(),
            label,
            express: *express,
            concurrency,
            tolerated_count,
            tolerated_percentage,
            source,
            batch: batch.transpose()?,
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

/// ToleratedFailurePercentage.
fn percentage(amount: &Amount, scope: &mut Scope<'_>) -> Result<f64, Failure> {
    let percentage = amount.number(scope)?;
    if (0.0..=100.0).contains(&percentage) {
        Ok(percentage)
    } else {
        Err(runtime(
            "ToleratedFailurePercentage must be between 0 and 100.".into(),
        ))
    }
}

/// Parameters filled in: all of them text.
fn texts(template: Option<&Template>, field: &str, scope: &mut Scope<'_>) -> Result<Texts, Failure> {
    let filled = template.map_or(Ok(Value::Null), |template| template.fill(scope))?;
    Ok(Texts {
        filled,
        field: field.to_owned(),
    })
}

struct Texts {
    filled: Value,
    field: String,
}

impl Texts {
    fn get(&self, name: &str) -> Result<Option<String>, Failure> {
        match &self.filled[name] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            other => Err(runtime(format!(
                "The field '{name}' of {} must be a string, but was: {other}",
                self.field
            ))),
        }
    }

    fn need(&self, name: &str) -> Result<String, Failure> {
        self.get(name)?.ok_or_else(|| {
            runtime(format!(
                "The field '{name}' of {} is required but was missing",
                self.field
            ))
        })
    }
}

impl Reader {
    fn source(&self, scope: &mut Scope<'_>) -> Result<Source, Failure> {
        let parameters = texts(self.parameters.as_ref(), "ItemReader", scope)?;
        let bucket = parameters.need("Bucket")?;
        let most = self
            .max_items
            .as_ref()
            .map(|amount| amount.whole(scope))
            .transpose()?
            .filter(|most| *most > 0);
        let format = self.format.clone();
        Ok(match format {
            Some(format) if !self.list => Source::Object {
                bucket,
                key: parameters.need("Key")?,
                version: parameters.get("VersionId")?,
                format,
                most,
            },
            load => Source::Listing {
                bucket,
                prefix: parameters.get("Prefix")?.unwrap_or_default(),
                load,
                most,
            },
        })
    }
}

impl Batcher {
    fn batch(&self, scope: &mut Scope<'_>) -> Result<Batch, Failure> {
        let mut whole = |amount: &Option<Amount>| {
            let limit = amount.as_ref().map(|amount| amount.whole(scope)).transpose()?;
            Ok::<_, Failure>(limit.filter(|limit| *limit > 0))
        };
        let (items, bytes) = (whole(&self.items)?, whole(&self.bytes)?);
        let input = self.input.as_ref().map(|input| input.fill(scope));
        Ok(Batch {
            items,
            bytes,
            input: input.transpose()?,
        })
    }
}

impl Writer {
    fn results(&self, scope: &mut Scope<'_>) -> Result<Results, Failure> {
        let export = match &self.destination {
            None => None,
            Some(destination) => {
                let parameters = texts(Some(destination), "ResultWriter", scope)?;
                Some(Export {
                    bucket: parameters.need("Bucket")?,
                    prefix: parameters.get("Prefix")?.unwrap_or_default(),
                })
            }
        };
        Ok(Results {
            transformation: self.transformation,
            lines: self.lines,
            export,
        })
    }
}
