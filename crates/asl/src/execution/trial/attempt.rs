//! A trial at work: an execution that is led through one state.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{Conditions, Mock, Progress, Trial, Tried, Verdict};
use crate::definition::{Amount, State, Work};
use crate::execution::jsonata::{Moment, before};
use crate::execution::state::{At, Branch, Phase, Visit};
use crate::execution::{Execution, Turn, to_millisecond};
use crate::expression::Scope;
use crate::interface::{Command, Happened, Identity, Step};
use crate::journal::{BranchId, Event, Failure, StateType};
use crate::jsonata;
use crate::random::Randomness;
use crate::retry;

/// A trial at work.
#[derive(Debug)]
pub struct Attempt {
    trial: Trial,
    execution: Execution,
    mock: Option<Mock>,
    failed_iterations: Option<u64>,
    variables: Map<String, Value>,
    seen: Map<String, Value>,
}

impl Attempt {
    /// Begins a trial.
    pub fn begin(
        trial: Trial,
        identity: Identity,
        conditions: Conditions,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> (Self, Progress) {
        let now = to_millisecond(now);
        let Conditions {
            input,
            context,
            variables,
            mock,
            retries,
            failed_iterations,
        } = conditions;
        let mut seen = Map::new();
        seen.insert("input".into(), input.to_string().into());
        let mut execution = Execution::new(Arc::clone(&trial.definition), identity, input.clone(), now);
        execution.given_context = Some(Box::new(context));
        if let Some(root) = execution.branches.get_mut(&BranchId::ROOT) {
            root.machine = trial.machine;
            root.variables.assign(&variables);
            root.at = At::Arriving {
                state: trial.state.clone(),
                input,
            };
        }
        execution.deadline = None;
        let mut attempt = Self {
            trial,
            execution,
            mock,
            failed_iterations,
            variables,
            seen,
        };
        let progress = attempt.go_on(None, Some(retries), now, random);
        (attempt, progress)
    }

    /// Takes in something that happened.
    pub fn tell(&mut self, happened: Happened, now: Timestamp, random: &mut dyn Randomness) -> Progress {
        self.go_on(Some(happened), None, to_millisecond(now), random)
    }

    fn go_on(
        &mut self,
        happened: Option<Happened>,
        retries: Option<u32>,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> Progress {
        let mut watcher = Watcher {
            random: &mut *random,
            seen: std::mem::take(&mut self.seen),
        };
        let mut turn = Turn {
            now,
            random: &mut watcher,
            step: Step::default(),
        };
        if let Some(happened) = happened {
            turn.step.refused = self.execution.happen(happened, &mut turn).err();
        }
        let verdict = self.settle(&mut turn, retries);
        let commands = std::mem::take(&mut turn.step.commands);
        self.seen = watcher.seen;
        match verdict {
            Some((verdict, details)) => {
                let mut moment = Moment { now, random };
                Progress::Over(self.tried(verdict, details, &mut moment))
            }
            None => Progress::Running {
                start: commands
                    .into_iter()
                    .filter_map(|command| match command {
                        Command::StartTask(task) => Some(task),
                        _ => None,
                    })
                    .collect(),
                timer: self.execution.next_timer(),
            },
        }
    }

    /// Goes on until the state is over, or only the world can move it.
    fn settle(&mut self, turn: &mut Turn<'_>, retries: Option<u32>) -> Option<(Verdict, Map<String, Value>)> {
        loop {
            let execution = &mut self.execution;
            let (branch, event) = if let Some(branch) = execution.ready.first() {
                execution.decide(branch, turn.now, turn.random)
            } else if let Some((_, due)) = execution.next_due().filter(|(at, _)| *at <= turn.now) {
                execution.fire(&due, turn.now, turn.random)
            } else {
                return None;
            };
            if branch == BranchId::ROOT
                && let Some(verdict) = self.verdict(&event, turn.now)
            {
                if let Event::StateExited { assigned, .. } = event {
                    self.variables.extend(assigned);
                }
                return Some(verdict);
            }
            self.execution.record(branch, event, turn);
            let rules = self.rules();
            if let Some(visit) = self.visit_mut() {
                if let (Some(retries), true) = (retries, visit.retries.is_empty()) {
                    visit.retries = vec![retries; rules];
                }
                self.put_in_mock(&mut Moment {
                    now: turn.now,
                    random: turn.random,
                });
            }
        }
    }

    fn visit_mut(&mut self) -> Option<&mut Visit> {
        self.execution.branches.get_mut(&BranchId::ROOT)?.visit_mut().ok()
    }

    /// How many Retry rules the state has.
    fn rules(&self) -> usize {
        let handlers = self.trial.state().and_then(State::handlers);
        handlers.map_or(0, |handlers| handlers.retry.len())
    }

    /// Puts what was given in the place of the state's work, once that would begin.
    fn put_in_mock(&mut self, moment: &mut Moment<'_>) {
        let at_work = self.visit_mut().is_some_and(|visit| {
            !matches!(
                visit.phase,
                Phase::Begin | Phase::Result(_) | Phase::Failed(_) | Phase::BackingOff { .. }
            )
        });
        if !at_work {
            return;
        }
        let Some(mock) = self.mock.take() else {
            return;
        };
        let visiting = self
            .execution
            .branches
            .get(&BranchId::ROOT)
            .and_then(Branch::visit);
        if let (Some(visit), Some(state)) = (visiting, self.trial.state())
            && let Phase::Mapping(mapping) = &visit.phase
            && let Some(selected) = self.execution.selected(visit, state, mapping, moment)
        {
            moment.random.watch("afterItemSelector", &selected);
        }
        let exceeded = self.exceeds_tolerance(&mock, moment);
        let (is_task, below) = match self.visit_mut() {
            Some(visit) => (visit.kind == StateType::Task, visit.phase.children()),
            None => return,
        };
        self.execution.forget(&below);
        self.execution.tasks.clear();
        self.execution.map_runs.clear();
        if let (Mock::Result(result), true) = (&mock, is_task) {
            moment.random.watch("result", result);
        }
        if let Some(visit) = self.visit_mut() {
            visit.phase = match mock {
                Mock::Result(_) if exceeded => Phase::Failed(Failure {
                    error: Some("States.ExceedToleratedFailureThreshold".into()),
                    cause: Some("The specified tolerated failure threshold was exceeded".into()),
                    also: None,
                }),
                Mock::Result(result) => Phase::Result(result),
                Mock::Failure { error, cause } => Phase::Failed(Failure {
                    error,
                    cause,
                    also: None,
                }),
            };
        }
        self.execution.refresh(BranchId::ROOT, false);
    }

    /// What becomes of the state by `event`, and what is to be said of its failure.
    fn verdict(&self, event: &Event, now: Timestamp) -> Option<(Verdict, Map<String, Value>)> {
        let visit = self.execution.branches.get(&BranchId::ROOT)?.visit()?;
        let failure = match &visit.phase {
            Phase::Failed(failure) => Some(failure.clone()),
            _ => None,
        };
        let mut details = Map::new();
        let verdict = match event {
            Event::StateExited { output, next, .. } => {
                let (output, next) = (output.clone(), next.clone());
                match failure {
                    None => Verdict::Succeeded { output, next },
                    Some(failure) => {
                        details.extend(self.rule_used(visit, &failure));
                        if let Some(index) = self.catcher(visit, &failure) {
                            details.insert("catchIndex".into(), index.into());
                        }
                        Verdict::Caught {
                            output,
                            next,
                            failure,
                        }
                    }
                }
            }
            Event::RetryScheduled { rule, until } => {
                let wait = until.duration_since(now);
                let seconds = (wait + SignedDuration::from_millis(500)).as_secs();
                details.insert("retryIndex".into(), (*rule).into());
                details.insert("retryBackoffIntervalSeconds".into(), seconds.into());
                Verdict::Retriable { failure: failure? }
            }
            Event::ExecutionFailed { error, cause } => {
                let failed = Failure {
                    error: error.clone(),
                    cause: cause.clone(),
                    also: None,
                };
                details.extend(
                    failure
                        .iter()
                        .filter_map(|failure| self.rule_used(visit, failure)),
                );
                Verdict::Failed { failure: failed }
            }
            _ => return None,
        };
        Some((verdict, details))
    }

    /// The Retry rule that would take the failure on, had it not been used up.
    fn rule_used(&self, visit: &Visit, failure: &Failure) -> Option<(String, Value)> {
        let handlers = self.trial.state()?.handlers()?;
        let from_branch = matches!(visit.kind, StateType::Parallel | StateType::Map);
        let rule = handlers
            .retry
            .iter()
            .position(|rule| retry::names(&rule.errors, failure, from_branch))?;
        Some(("retryIndex".into(), rule.into()))
    }

    fn catcher(&self, visit: &Visit, failure: &Failure) -> Option<usize> {
        let handlers = self.trial.state()?.handlers()?;
        let from_branch = matches!(visit.kind, StateType::Parallel | StateType::Map);
        handlers
            .catch
            .iter()
            .position(|rule| retry::names(&rule.errors, failure, from_branch))
    }

    fn tried(&mut self, verdict: Verdict, details: Map<String, Value>, moment: &mut Moment<'_>) -> Tried {
        let mut inspection = std::mem::take(&mut self.seen);
        let shown = self.trial.state().map(shown).unwrap_or_default();
        inspection.retain(|name, _| shown.contains(&name.as_str()));
        inspection.extend(self.map_numbers(moment));
        if !self.variables.is_empty() {
            let variables = Value::Object(std::mem::take(&mut self.variables));
            inspection.insert("variables".into(), variables.to_string().into());
        }
        if !details.is_empty() {
            inspection.insert("errorDetails".into(), details.into());
        }
        Tried { verdict, inspection }
    }

    /// The numbers of a Map, as TestState names them. Thresholds are there where the state names any.
    fn map_numbers(&self, moment: &mut Moment<'_>) -> Map<String, Value> {
        let mut numbers = Map::new();
        let (Some(state), Some(visit)) = (
            self.trial.state(),
            self.execution
                .branches
                .get(&BranchId::ROOT)
                .and_then(Branch::visit),
        ) else {
            return numbers;
        };
        let Work::Map(map) = &state.work else {
            return numbers;
        };
        let context = self.execution.context(visit, None);
        let mut number = |amount: &Amount| -> Option<Value> {
            if state.jsonata.is_some() {
                let mut scope = jsonata::Scope::new(before(visit), &context, moment.now, moment.random);
                return scope.amount(amount).ok();
            }
            let mut scope = Scope {
                input: &visit.input,
                context: &context,
                random: &mut *moment.random,
                spent: 0,
            };
            amount.whole(&mut scope).ok().map(Value::from)
        };
        let concurrency = map.concurrency.as_ref().and_then(&mut number);
        numbers.insert("maxConcurrency".into(), concurrency.unwrap_or(0.into()));
        let Some(distributed) = &map.distributed else {
            return numbers;
        };
        for (name, amount) in [
            ("toleratedFailureCount", &distributed.tolerated_count),
            ("toleratedFailurePercentage", &distributed.tolerated_percentage),
        ] {
            if let Some(found) = amount.as_ref().and_then(&mut number) {
                numbers.insert(name.into(), found);
            }
        }
        numbers
    }

    /// Whether more iterations are taken to have failed than the Map tolerates. One that names no threshold tolerates
    /// them all here, as TestState has it.
    fn exceeds_tolerance(&self, mock: &Mock, moment: &mut Moment<'_>) -> bool {
        let (Some(failed), Mock::Result(Value::Array(items))) = (self.failed_iterations, mock) else {
            return false;
        };
        let numbers = self.map_numbers(moment);
        let threshold = |name: &str| numbers.get(name).and_then(Value::as_f64);
        #[expect(clippy::cast_precision_loss, reason = "numbers of iterations are far below")]
        let (failed, all) = (failed as f64, items.len() as f64);
        threshold("toleratedFailureCount").is_some_and(|most| failed > most)
            || threshold("toleratedFailurePercentage").is_some_and(|most| failed * 100.0 > most * all)
    }
}

/// Which of what was seen on the way TestState shows for a state.
fn shown(state: &State) -> &'static [&'static str] {
    if state.jsonata.is_some() {
        return match &state.work {
            Work::Task(_) => &["input", "afterArguments", "result"],
            Work::Map(_) => &["input", "afterItemSelector"],
            _ => &["input"],
        };
    }
    match &state.work {
        Work::Pass { result: Some(_) } => &["input", "result", "afterResultSelector", "afterResultPath"],
        Work::Pass { result: None } => &[
            "input",
            "afterInputPath",
            "afterParameters",
            "afterResultSelector",
            "afterResultPath",
        ],
        Work::Task(_) => &[
            "input",
            "afterInputPath",
            "afterParameters",
            "result",
            "afterResultSelector",
            "afterResultPath",
        ],
        Work::Parallel { .. } => &["input", "afterResultSelector", "afterResultPath"],
        Work::Map(_) => &[
            "input",
            "afterInputPath",
            "afterItemsPath",
            "afterItemSelector",
            "afterResultSelector",
            "afterResultPath",
        ],
        Work::Choice { .. } | Work::Succeed | Work::Fail { .. } | Work::Wait(_) => {
            &["input", "afterInputPath"]
        }
    }
}

/// Notes what passes on its way into and out of a state.
struct Watcher<'a> {
    random: &'a mut dyn Randomness,
    seen: Map<String, Value>,
}

impl Randomness for Watcher<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.random.fill(bytes);
    }

    fn activity_exists(&self, arn: &str) -> bool {
        self.random.activity_exists(arn)
    }

    fn watch(&mut self, what: &'static str, value: &Value) {
        self.seen.insert(what.into(), value.to_string().into());
    }
}
