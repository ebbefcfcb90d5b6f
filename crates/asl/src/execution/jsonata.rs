//! What JSONata states do: the beginning of each one's work, and their way out.

use jiff::Timestamp;
use serde_json::{Map as Object, Value, json};

use super::Execution;
use super::flow::leave;
use super::later;
use super::state::{Mapping, Visit};
use crate::compare;
use crate::context::Item;
use crate::definition::{Amount, Choice, Expressions, Map, Seconds, State, Task, Text, Until, When, Work};
use crate::journal::{Event, Failure};
use crate::jsonata::{Expression, Failed, Kind, Scope, States, Template};
use crate::limits;
use crate::random::{self, Randomness};
use crate::retry::LONGEST_SECONDS;

/// The moment at which a state is evaluated, and what it draws at random.
pub(super) struct Moment<'r> {
    pub(super) now: Timestamp,
    pub(super) random: &'r mut dyn Randomness,
}

/// A way out of a state.
struct Exit<'a> {
    transformation: &'a Expressions,
    /// What the fields of the transformation are called after: `Choices[0]/`.
    place: String,
    result: Option<&'a Value>,
    error: Option<&'a Value>,
    next: Option<String>,
}

impl Execution {
    /// The first entry after a JSONata state was entered, or after a retry began.
    pub(super) fn begin_jsonata(
        &self,
        visit: &Visit,
        state: &State,
        transformation: &Expressions,
        moment: &mut Moment<'_>,
    ) -> Event {
        let begun = match &state.work {
            Work::Pass { .. } | Work::Succeed => {
                return self.exit_jsonata(visit, state, transformation, None, moment);
            }
            Work::Fail { error, cause } => self.fail_jsonata(visit, error.as_ref(), cause.as_ref(), moment),
            Work::Wait(until) => self.until_jsonata(visit, until, moment).map(|until| {
                if until <= moment.now {
                    self.exit_jsonata(visit, state, transformation, None, moment)
                } else {
                    Event::WaitBegun { until }
                }
            }),
            Work::Choice { choices, default } => {
                self.choose_jsonata(visit, transformation, choices, default.as_deref(), moment)
            }
            Work::Parallel { .. } => self
                .arguments(visit, transformation, None, moment)
                .map(|input| Event::ParallelStarted { input }),
            Work::Map(map) => self.begin_map_jsonata(visit, transformation, map, moment),
            Work::Task(task) => self.schedule_jsonata(visit, transformation, task, moment),
        };
        begun.unwrap_or_else(|failed| visit.blame_evaluation(failed))
    }

    /// The exit from a state whose work has this result, if it is one that has; or the failure to get there.
    pub(super) fn exit_jsonata(
        &self,
        visit: &Visit,
        state: &State,
        transformation: &Expressions,
        result: Option<&Value>,
        moment: &mut Moment<'_>,
    ) -> Event {
        let exit = Exit {
            transformation,
            place: String::new(),
            result,
            error: None,
            next: state.next.clone(),
        };
        self.leave_by(visit, &exit, moment)
            .unwrap_or_else(|failed| visit.blame_evaluation(failed))
    }

    /// The exit by a catcher, the `n`th.
    pub(super) fn catch_jsonata(
        &self,
        visit: &Visit,
        n: usize,
        transformation: &Expressions,
        error: &Value,
        next: &str,
        moment: &mut Moment<'_>,
    ) -> Result<Event, Failed> {
        let exit = Exit {
            transformation,
            place: format!("Catch[{n}]/"),
            result: None,
            error: Some(error),
            next: Some(next.to_owned()),
        };
        self.leave_by(visit, &exit, moment)
    }

    fn leave_by(&self, visit: &Visit, exit: &Exit<'_>, moment: &mut Moment<'_>) -> Result<Event, Failed> {
        let Expressions { output, assign, .. } = exit.transformation;
        let context = self.context(visit, None);
        let states = States {
            input: &visit.input,
            result: exit.result,
            error_output: exit.error,
        };
        let mut scope = Scope::new(states, &context, moment.now, moment.random);
        let fill = |template: &Template, name: &str, scope: &mut Scope<'_>| {
            template.fill(&format!("{}{name}", exit.place), scope)
        };
        let assigned = match assign {
            None => Value::Object(Object::new()),
            Some(assign) => fill(assign, "Assign", &mut scope)?,
        };
        let output = match output {
            None => exit.error.or(exit.result).unwrap_or(&visit.input).clone(),
            Some(output) => fill(output, "Output", &mut scope)?,
        };
        let assigned = self.assign(visit, assigned)?;
        Ok(leave(
            visit,
            limits::pass(output, &visit.state)?,
            assigned,
            exit.next.clone(),
        ))
    }

    /// The input of what a state sets to work. `token` is the one in the context object.
    fn arguments(
        &self,
        visit: &Visit,
        transformation: &Expressions,
        token: Option<&str>,
        moment: &mut Moment<'_>,
    ) -> Result<Value, Failed> {
        let arguments = match &transformation.arguments {
            None => visit.input.clone(),
            Some(arguments) => {
                let context = self.context(visit, token);
                let mut scope = Scope::new(before(visit), &context, moment.now, moment.random);
                arguments.fill("Arguments", &mut scope)?
            }
        };
        moment.random.watch("afterArguments", &arguments);
        Ok(limits::pass(arguments, &visit.state)?)
    }

    /// A single expression, which has to be of a kind.
    fn query(
        &self,
        visit: &Visit,
        expression: &Expression,
        field: &str,
        kind: Kind,
        moment: &mut Moment<'_>,
    ) -> Result<Value, Failed> {
        let context = self.context(visit, None);
        Scope::new(before(visit), &context, moment.now, moment.random).evaluate_as(expression, field, kind)
    }

    fn schedule_jsonata(
        &self,
        visit: &Visit,
        transformation: &Expressions,
        task: &Task,
        moment: &mut Moment<'_>,
    ) -> Result<Event, Failed> {
        let waits = task.resource.waits_for_token();
        let token = waits.then(|| random::task_token(moment.random));
        let arguments = self.arguments(visit, transformation, token.as_deref(), moment)?;
        let mut seconds = |seconds: Option<&Seconds>, field| match seconds {
            Some(Seconds::Fixed(seconds)) => Ok(Some(*seconds)),
            Some(Seconds::Query(expression)) => {
                let value = self.query(visit, expression, field, Kind::Number, moment)?;
                whole(&value, field, 1).map(Some)
            }
            Some(Seconds::Path(_)) | None => Ok(None),
        };
        let timeout = seconds(task.timeout.as_ref(), "TimeoutSeconds")?;
        let heartbeat = seconds(task.heartbeat.as_ref(), "HeartbeatSeconds")?;
        Ok(Event::TaskScheduled {
            resource: task.resource.clone(),
            region: self.identity.region().to_owned(),
            arguments,
            timeout,
            heartbeat,
            token,
        })
    }

    fn until_jsonata(
        &self,
        visit: &Visit,
        until: &Until,
        moment: &mut Moment<'_>,
    ) -> Result<Timestamp, Failed> {
        match until {
            Until::Seconds(seconds) => Ok(later(moment.now, *seconds)),
            Until::Timestamp(at) => Ok(super::to_millisecond(*at)),
            Until::SecondsQuery(expression) => {
                let value = self.query(visit, expression, "Seconds", Kind::Number, moment)?;
                Ok(later(moment.now, whole(&value, "Seconds", 0)?))
            }
            Until::TimestampQuery(expression) => {
                let value = self.query(visit, expression, "Timestamp", Kind::String, moment)?;
                let text = value.as_str().unwrap_or_default();
                compare::timestamp(text).map(super::to_millisecond).ok_or_else(|| {
                    let cause = format!(
                        "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}"
                    );
                    Failed::at("Timestamp", cause)
                })
            }
            // Fields of JSONPath, which a state of JSONata does not have.
            Until::SecondsPath(_) | Until::TimestampPath(_) => Ok(moment.now),
        }
    }

    fn choose_jsonata(
        &self,
        visit: &Visit,
        transformation: &Expressions,
        choices: &[Choice],
        default: Option<&str>,
        moment: &mut Moment<'_>,
    ) -> Result<Event, Failed> {
        let leave = |transformation, place, next: &str| Exit {
            transformation,
            place,
            result: None,
            error: None,
            next: Some(next.to_owned()),
        };
        let nothing = Expressions::default();
        for (n, choice) in choices.iter().enumerate() {
            let held = match &choice.when {
                When::Condition(Template::Literal(value)) => value == &Value::Bool(true),
                When::Condition(Template::Expression(expression)) => {
                    let field = format!("Choices[{n}]/Condition");
                    self.query(visit, expression, &field, Kind::Boolean, moment)? == Value::Bool(true)
                }
                When::Condition(_) | When::Rule(_) => false,
            };
            if held {
                let transformation = choice.jsonata.as_deref().unwrap_or(&nothing);
                let exit = leave(transformation, format!("Choices[{n}]/"), &choice.next);
                return self.leave_by(visit, &exit, moment);
            }
        }
        match default {
            Some(next) => self.leave_by(visit, &leave(transformation, String::new(), next), moment),
            None => Err(super::work::no_choice().into()),
        }
    }

    fn fail_jsonata(
        &self,
        visit: &Visit,
        error: Option<&Text>,
        cause: Option<&Text>,
        moment: &mut Moment<'_>,
    ) -> Result<Event, Failed> {
        let mut words = |text: Option<&Text>, field| match text {
            Some(Text::Fixed(text)) => Ok::<_, Failed>(Some(text.clone())),
            Some(Text::Query(expression)) => {
                let value = self.query(visit, expression, field, Kind::String, moment)?;
                Ok(value.as_str().map(str::to_owned))
            }
            Some(Text::Path { .. }) | None => Ok(None),
        };
        let (error, cause) = (words(error, "Error")?, words(cause, "Cause")?);
        Ok(Event::StateFailed {
            failure: Failure {
                error,
                cause,
                also: None,
            },
        })
    }

    fn begin_map_jsonata(
        &self,
        visit: &Visit,
        transformation: &Expressions,
        map: &Map,
        moment: &mut Moment<'_>,
    ) -> Result<Event, Failed> {
        let context = self.context(visit, None);
        let mut scope = Scope::new(before(visit), &context, moment.now, moment.random);
        let distributed = map.distributed.as_deref();
        let items = match &transformation.items {
            // An ItemReader has items of its own.
            _ if distributed.is_some_and(|distributed| distributed.reader.is_some()) => {
                Value::Array(Vec::new())
            }
            None => match &visit.input {
                Value::Array(items) => Value::Array(items.clone()),
                other => {
                    let mut failed =
                        Failed::at("", format!("Map state input must be an array but was: {other}"));
                    failed.location = None;
                    return Err(failed);
                }
            },
            Some(Template::Expression(expression)) => scope.evaluate_as(expression, "Items", Kind::Array)?,
            Some(items) => items.fill("Items", &mut scope)?,
        };
        let concurrency = match &map.concurrency {
            Some(amount) => scope.amount(amount)?.as_u64().unwrap_or(0),
            None => 0,
        };
        let (items, keyed) = match items {
            Value::Array(items) => (items, false),
            Value::Object(fields) => {
                let pairs = fields.into_iter();
                let items = pairs.map(|(key, value)| json!({ "Key": key, "Value": value }));
                (items.collect(), true)
            }
            other => {
                let cause = format!("Map state Items must be an array or an object but was: {other}");
                return Err(Failed::at("Items", cause));
            }
        };
        Ok(Event::MapStarted {
            items,
            keyed,
            concurrency: match distributed {
                Some(_) => concurrency,
                None => super::mapping::at_once(concurrency),
            },
            distributed: distributed.is_some(),
        })
    }

    /// What an iteration begins with.
    pub(super) fn select_jsonata(
        &self,
        visit: &Visit,
        selector: &Template,
        item: Item<'_>,
        moment: &mut Moment<'_>,
    ) -> Result<Value, Failed> {
        let mut context = self.context(visit, None);
        context.item = Some(item);
        let mut scope = Scope::new(before(visit), &context, moment.now, moment.random);
        let selected = selector.fill("ItemSelector", &mut scope)?;
        Ok(limits::pass(selected, &visit.state)?)
    }
}

impl Scope<'_> {
    /// A number of a Map state, none below zero.
    pub(super) fn amount(&mut self, amount: &Amount) -> Result<Value, Failed> {
        match amount {
            Amount::Fixed(number) => Ok(Value::Number(number.clone())),
            Amount::Path { .. } => Ok(0.into()),
            Amount::Query { field, expression } => {
                let value = self.evaluate_as(expression, field, Kind::Number)?;
                let whole = *field != "ToleratedFailurePercentage";
                let number = value.as_f64().unwrap_or(0.0);
                if whole && number.fract() != 0.0 {
                    let cause = format!("The {field} field cannot be parsed as a long value: {value}");
                    return Err(Failed::at(field, cause));
                }
                if number < 0.0 {
                    return Err(Failed::at(
                        field,
                        format!("{field} must be a non-negative integer."),
                    ));
                }
                Ok(value)
            }
        }
    }
}

impl Visit {
    /// The failure of an expression, with AWS's words for where it happened.
    pub(super) fn blame_evaluation(&self, failed: Failed) -> Event {
        let query = failed.failure.error.as_deref() == Some("States.QueryEvaluationError");
        match self.blame(failed.failure) {
            Event::StateFailed { failure } if query => Event::EvaluationFailed {
                state: self.state.clone(),
                location: failed.location,
                failure,
            },
            event => event,
        }
    }

    /// Takes in that an expression of the state failed, at this event.
    pub(super) fn evaluation_failed(&mut self, location: Option<&str>, failure: &Failure, id: u64) {
        use super::state::Phase;
        use crate::journal::StateType;
        // What goes wrong in a Catch is not caught again.
        self.given_up |= location.is_some_and(|location| location.starts_with("Catch["));
        match &mut self.phase {
            Phase::Mapping(mapping) => mapping.fail_by_itself(failure, id),
            Phase::Begin if self.kind == StateType::Map => {
                let mut mapping = Mapping::new(&[], false, 0);
                mapping.fail_by_itself(failure, id);
                self.phase = Phase::Mapping(Box::new(mapping));
            }
            phase => *phase = Phase::Failed(failure.clone()),
        }
    }
}

/// `$states` before there is a result.
pub(super) fn before(visit: &Visit) -> States<'_> {
    States {
        input: &visit.input,
        result: None,
        error_output: None,
    }
}

/// A number of seconds.
fn whole(value: &Value, field: &str, least: u64) -> Result<u64, Failed> {
    value
        .as_u64()
        .filter(|seconds| (least..=LONGEST_SECONDS).contains(seconds))
        .ok_or_else(|| {
            let cause = format!("The {field} field cannot be parsed as a long value: {value}");
            Failed::at(field, cause)
        })
}
