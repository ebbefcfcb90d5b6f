//! The beginning of each state's work.

use jiff::Timestamp;
use serde_json::Value;

use super::Execution;
use super::flow::runtime;
use super::later;
use super::state::Visit;
use crate::choice::InvalidReference;
use crate::compare;
use crate::definition::{Choice, Flow, Seconds, State, Task, Text, Until, When, Work};
use crate::expression::{Query, Scope};
use crate::journal::{Event, Failure};
use crate::limits;
use crate::random::{self, Randomness};
use crate::resource::Resource;
use crate::retry::LONGEST_SECONDS;

impl Execution {
    /// The first entry after a state was entered, or after a retry began.
    pub(super) fn begin(
        &self,
        visit: &Visit,
        state: &State,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> Event {
        let begun = match &state.work {
            Work::Pass { result } => self
                .effective_input(visit, &state.flow, None, random)
                .map(|input| {
                    let result = result.clone().unwrap_or(input);
                    random.watch("result", &result);
                    self.exit(visit, state, result, random)
                }),
            Work::Succeed => return self.exit(visit, state, Value::Null, random),
            Work::Fail { error, cause } => self.fail(visit, error.as_ref(), cause.as_ref(), random),
            Work::Wait(until) => self.until(visit, &state.flow, until, now, random).map(|until| {
                if until <= now {
                    self.exit(visit, state, Value::Null, random)
                } else {
                    Event::WaitBegun { until }
                }
            }),
            Work::Choice { choices, default } => {
                self.choose(visit, state, choices, default.as_deref(), random)
            }
            Work::Parallel { .. } => self
                .effective_input(visit, &state.flow, None, random)
                .and_then(|input| limits::pass(input, &visit.state))
                .map(|input| Event::ParallelStarted { input }),
            Work::Map(map) => self.begin_map(visit, &state.flow, map, random),
            Work::Task(task) => self.schedule(visit, &state.flow, task, random),
        };
        begun.unwrap_or_else(|failure| visit.blame(failure))
    }

    fn schedule(
        &self,
        visit: &Visit,
        flow: &Flow,
        task: &Task,
        random: &mut dyn Randomness,
    ) -> Result<Event, Failure> {
        if let Resource::Activity { arn } = &task.resource
            && !random.activity_exists(arn)
        {
            return Err(runtime(format!("The activity {arn} does not exist.")));
        }
        let token = task
            .resource
            .waits_for_token()
            .then(|| random::task_token(random));
        let arguments = self.effective_input(visit, flow, token.as_deref(), random)?;
        let arguments = limits::pass(arguments, &visit.state)?;
        let timeout = self.seconds(visit, flow, task.timeout.as_ref(), "TimeoutSecondsPath", random)?;
        let heartbeat = self.seconds(
            visit,
            flow,
            task.heartbeat.as_ref(),
            "HeartbeatSecondsPath",
            random,
        )?;
        Ok(Event::TaskScheduled {
            resource: task.resource.clone(),
            region: self.identity.region().to_owned(),
            arguments,
            timeout,
            heartbeat,
            token,
        })
    }

    /// Reads something from the input after InputPath, or from the context.
    fn look_up(
        &self,
        visit: &Visit,
        flow: &Flow,
        query: &Query,
        field: &str,
        random: &mut dyn Randomness,
    ) -> Result<Value, Failure> {
        let unparameterised = Flow {
            parameters: None,
            ..flow.clone()
        };
        let input = self.effective_input(visit, &unparameterised, None, random)?;
        let context = self.context(visit, None);
        let found = query.read(&Scope {
            input: &input,
            context: &context,
            random,
            spent: 0,
        });
        found.map_err(|_| {
            runtime(format!(
                "The {field} parameter does not reference an input value: {}",
                query.text
            ))
        })
    }

    fn seconds(
        &self,
        visit: &Visit,
        flow: &Flow,
        seconds: Option<&Seconds>,
        field: &str,
        random: &mut dyn Randomness,
    ) -> Result<Option<u64>, Failure> {
        match seconds {
            // An expression has no place in a state of JSONPath.
            None | Some(Seconds::Query(_)) => Ok(None),
            Some(Seconds::Fixed(seconds)) => Ok(Some(*seconds)),
            Some(Seconds::Path(query)) => {
                let value = self.look_up(visit, flow, query, field, random)?;
                positive(&value, 1)
                    .map(Some)
                    .ok_or_else(|| no_long(field, query, &value))
            }
        }
    }

    fn until(
        &self,
        visit: &Visit,
        flow: &Flow,
        until: &Until,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> Result<Timestamp, Failure> {
        match until {
            Until::Seconds(seconds) => Ok(later(now, *seconds)),
            Until::Timestamp(at) => Ok(super::to_millisecond(*at)),
            Until::SecondsQuery(_) | Until::TimestampQuery(_) => Ok(now),
            Until::SecondsPath(query) => {
                let value = self.look_up(visit, flow, query, "SecondsPath", random)?;
                let seconds = positive(&value, 0).ok_or_else(|| no_long("SecondsPath", query, &value))?;
                Ok(later(now, seconds))
            }
            Until::TimestampPath(query) => {
                let value = self.look_up(visit, flow, query, "TimestampPath", random)?;
                let at = value.as_str().and_then(compare::timestamp);
                at.map(super::to_millisecond).ok_or_else(|| {
                    runtime(format!(
                        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {} == {}",
                        query.text,
                        plain(&value)
                    ))
                })
            }
        }
    }

    fn choose(
        &self,
        visit: &Visit,
        state: &State,
        choices: &[Choice],
        default: Option<&str>,
        random: &mut dyn Randomness,
    ) -> Result<Event, Failure> {
        let input = self.effective_input(visit, &state.flow, None, random)?;
        let context = self.context(visit, None);
        let scope = Scope {
            input: &input,
            context: &context,
            random,
            spent: 0,
        };
        let mut chosen = None;
        for choice in choices {
            let When::Rule(rule) = &choice.when else {
                continue;
            };
            let held = rule.holds(&scope).map_err(|InvalidReference(path)| {
                runtime(format!(
                    "Invalid path '{path}': The choice state's condition path references an invalid value."
                ))
            })?;
            if held {
                chosen = Some((choice.assign.as_ref(), choice.next.as_str()));
                break;
            }
        }
        let default = default.map(|next| (state.assign.as_ref(), next));
        let Some((assign, next)) = chosen.or(default) else {
            return Err(no_choice());
        };
        let next = Some(next.to_owned());
        Ok(self.exit_to(visit, state, Value::Null, assign, next, random))
    }

    fn fail(
        &self,
        visit: &Visit,
        error: Option<&Text>,
        cause: Option<&Text>,
        random: &mut dyn Randomness,
    ) -> Result<Event, Failure> {
        random.watch("afterInputPath", &visit.input);
        let context = self.context(visit, None);
        let mut scope = Scope {
            input: &visit.input,
            context: &context,
            random,
            spent: 0,
        };
        let mut words = |text: Option<&Text>| match text {
            None | Some(Text::Query(_)) => Ok(None),
            Some(Text::Fixed(text)) => Ok(Some(text.clone())),
            Some(Text::Path { field, expression }) => {
                let value = expression
                    .evaluate(&mut scope)
                    .map_err(|why| why.failure(field, &visit.input))?;
                match value {
                    Value::String(text) => Ok(Some(text)),
                    other => Err(runtime(format!(
                        "The field '{field}' must be a string, but was: {other}"
                    ))),
                }
            }
        };
        let (error, cause) = (words(error)?, words(cause)?);
        Ok(Event::StateFailed {
            failure: Failure {
                error,
                cause,
                also: None,
            },
        })
    }
}

/// The failure of a Choice none of whose rules holds.
pub(super) fn no_choice() -> Failure {
    Failure {
        error: Some("States.NoChoiceMatched".into()),
        cause: Some("No choice rule matched the input, and no Default is given.".into()),
        also: None,
    }
}

fn positive(value: &Value, least: u64) -> Option<u64> {
    value
        .as_u64()
        .filter(|seconds| (least..=LONGEST_SECONDS).contains(seconds))
}

fn no_long(field: &str, query: &Query, value: &Value) -> Failure {
    runtime(format!(
        "The {field} parameter cannot be parsed as a long value: {} == {}",
        query.text,
        plain(value)
    ))
}

/// Text without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
