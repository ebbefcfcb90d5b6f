//! Evaluating expressions, within bounds, and AWS's words for what goes wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jlens_core::{Bindings, Error, Options};
use serde_json::{Map, Value};

use super::numbers::Large;
use super::{Expression, functions};
use crate::context::Context;
use crate::journal::Failure;
use crate::limits;
use crate::random::Randomness;

/// How deep an expression may nest. AWS takes a sum of 100 terms and 99 parentheses, and refuses one more.
const DEEPEST: usize = 100;
/// How many items a list may have while an expression is evaluated. AWS takes `[1..873782]` and refuses one more.
const MOST_ITEMS: usize = 873_782;
/// How many bytes a value may have meanwhile: AWS's 8 bytes for each of those items.
const MOST_BYTES: usize = 8 * MOST_ITEMS;
/// AWS's limit to the time one expression takes. It guards against expressions that never end; as results are kept in
/// the journal, no replay depends on it.
const LONGEST: Duration = Duration::from_secs(1);
/// The same in steps, for a machine on which a second is long.
const MOST_STEPS: u64 = 100_000_000;
/// AWS's limit to the characters of a cause.
const LONGEST_CAUSE: usize = 32_768;

/// An evaluation that failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failed {
    /// The field, where it is one in particular.
    pub(crate) location: Option<String>,
    pub(crate) failure: Failure,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            location: None,
            failure,
        }
    }
}

impl Failed {
    /// A `States.QueryEvaluationError` in a field.
    pub(crate) fn at(location: &str, cause: String) -> Self {
        let cause = match cause.char_indices().nth(LONGEST_CAUSE) {
            Some((end, _)) => cause[..end].to_owned(),
            None => cause,
        };
        Self {
            location: Some(location.to_owned()),
            failure: Failure {
                error: Some("States.QueryEvaluationError".into()),
                cause: Some(cause),
                also: None,
            },
        }
    }
}

/// What a field has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// Of a value; null has none.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(_) => Some(Self::Boolean),
            Value::Number(_) => Some(Self::Number),
            Value::String(_) => Some(Self::String),
            Value::Array(_) => Some(Self::Array),
            Value::Object(_) => Some(Self::Object),
        }
    }
}

/// What `$states` is made of, besides the context object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct States<'a> {
    pub(crate) input: &'a Value,
    pub(crate) result: Option<&'a Value>,
    /// `{"Error": …, "Cause": …}`
    pub(crate) error_output: Option<&'a Value>,
}

/// What the expressions of a state see while it is evaluated at one moment.
pub(crate) struct Scope<'a> {
    states: States<'a>,
    context: &'a Context<'a>,
    now: Timestamp,
    random: &'a mut dyn Randomness,
    /// What has been asked for so far: most variables never are.
    bindings: Bindings,
    bound: BTreeSet<String>,
    large: Large,
    /// The weight of all results.
    spent: usize,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(
        states: States<'a>,
        context: &'a Context<'a>,
        now: Timestamp,
        random: &'a mut dyn Randomness,
    ) -> Self {
        Self {
            states,
            context,
            now,
            random,
            bindings: functions::bindings(),
            bound: BTreeSet::new(),
            large: Large::default(),
            spent: 0,
        }
    }

    /// The value of an expression. Failures name `field`.
    pub(crate) fn evaluate(&mut self, expression: &Expression, field: &str) -> Result<Value, Failed> {
        self.bind(expression);
        let mut options = Options::new()
            .now(self.now.as_millisecond())
            .seed(0)
            .max_depth(DEEPEST + expression.wrapped)
            .max_array_length(MOST_ITEMS)
            .max_string_length(MOST_BYTES)
            .max_result_size(MOST_BYTES)
            .max_steps(MOST_STEPS)
            .timeout(LONGEST);
        let mut bindings = std::borrow::Cow::Borrowed(&self.bindings);
        let drawn: Vec<_> = functions::DRAWING
            .iter()
            .filter(|name| expression.references.names.contains(**name))
            .collect();
        if !drawn.is_empty() {
            let mut seed = [0; 32];
            self.random.fill(&mut seed);
            options = options.seed(functions::draw(&seed, u64::MAX));
            bindings = std::borrow::Cow::Owned(functions::with_draws(self.bindings.clone(), seed));
        }
        let mut value = match expression.program.evaluate_with(None, &bindings, &options) {
            Ok(Some(value)) => value,
            Ok(None) => {
                return Err(Failed::at(
                    field,
                    format!("{} returned nothing (undefined).", named(expression, field)),
                ));
            }
            Err(error) => {
                let cause = format!(
                    "{} threw an error during evaluation{}",
                    named(expression, field),
                    worded(&error)
                );
                return Err(Failed::at(field, cause));
            }
        };
        self.large.restore(&mut value);
        self.spent = self.spent.saturating_add(limits::weight(&value));
        if self.spent > limits::MOST_WEIGHT {
            let cause = format!(
                "The field '{field}' makes a value with a size exceeding the maximum number of bytes service limit."
            );
            return Err(Failure {
                error: Some("States.DataLimitExceeded".into()),
                cause: Some(cause),
                also: None,
            }
            .into());
        }
        Ok(value)
    }

    /// The value of an expression that has to be of a kind.
    pub(crate) fn evaluate_as(
        &mut self,
        expression: &Expression,
        field: &str,
        kind: Kind,
    ) -> Result<Value, Failed> {
        self.evaluate_as_one_of(expression, field, &[kind])
    }

    /// The value of an expression that has to be of one of a few kinds. A failure names the first.
    pub(crate) fn evaluate_as_one_of(
        &mut self,
        expression: &Expression,
        field: &str,
        kinds: &[Kind],
    ) -> Result<Value, Failed> {
        let value = self.evaluate(expression, field)?;
        let found = Kind::of(&value);
        if found.is_some_and(|found| kinds.contains(&found)) {
            return Ok(value);
        }
        let cause = format!(
            "{} returned an unexpected result type. Expected '{}', but was '{}' for value: {value}",
            named(expression, field),
            kinds.first().map_or("null", |kind| kind.name()),
            found.map_or("null", Kind::name)
        );
        Err(Failed::at(field, cause))
    }

    fn bind(&mut self, expression: &Expression) {
        for name in &expression.references.names {
            if self.bound.contains(name) {
                continue;
            }
            let value = match name.as_str() {
                "states" => Some(self.states()),
                name => self.context.variables.get(name).cloned(),
            };
            let Some(value) = value else { continue };
            self.large.note(&value);
            self.bindings = std::mem::take(&mut self.bindings).var(name, value);
            self.bound.insert(name.clone());
        }
    }

    fn states(&self) -> Value {
        let mut states = Map::new();
        states.insert("input".into(), self.states.input.clone());
        states.insert("context".into(), self.context.value(None).clone());
        let mut add = |name: &str, value: Option<&Value>| {
            states.extend(value.map(|value| (name.to_owned(), value.clone())));
        };
        add("result", self.states.result);
        add("errorOutput", self.states.error_output);
        Value::Object(states)
    }
}

/// How every cause begins.
fn named(expression: &Expression, field: &str) -> String {
    format!(
        "The JSONata expression '{}' specified for the field '{field}'",
        expression.text
    )
}

/// How the cause goes on. An error of the language has a code; a bound of Step Functions has none.
fn worded(error: &Error) -> String {
    match error.code() {
        "D1011" => ": Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive.".into(),
        "D1012" | "U1006" => ": Expression evaluation timeout: Check for infinite loop".into(),
        "U1001" | "D2014" | "D2015" | "D2016" => {
            ": Expression evaluation memory limit exceeded: Check for excessive memory usage".into()
        }
        code => format!(". {code}: {}", error.message()),
    }
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
