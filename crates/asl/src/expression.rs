//! What may stand where a value is wanted from the data: a path into the input or the context object, or an intrinsic
//! function of such.

use serde_json::Value;

use crate::context::Context;
use crate::intrinsic::Call;
use crate::journal::Failure;
use crate::limits;
use crate::path::{InvalidPath, Miss, Path};
use crate::random::Randomness;
use crate::variables::split_name;

/// What expressions read from.
pub(crate) struct Scope<'a> {
    pub(crate) input: &'a Value,
    pub(crate) context: &'a Context<'a>,
    pub(crate) random: &'a mut dyn Randomness,
    /// The weight of everything read and made so far.
    pub(crate) spent: usize,
}

impl Scope<'_> {
    /// Counts `value` in, as long as there is room for it.
    pub(crate) fn charge(&mut self, value: Value) -> Result<Value, Unevaluable> {
        self.spent = self.spent.saturating_add(limits::weight(&value));
        if self.spent > limits::MOST_WEIGHT {
            Err(Unevaluable::TooMuch)
        } else {
            Ok(value)
        }
    }
}

/// A path and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    /// As written.
    pub(crate) text: String,
    root: Root,
    path: Path,
}

/// Where a path begins.
#[derive(Clone, Debug, PartialEq)]
enum Root {
    /// `$`
    Input,
    /// `$$`
    Context,
    /// `$name`
    Variable(String),
}

/// A path or a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Query(Query),
    Call(Call),
}

/// Why an expression gives nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Unevaluable {
    /// A path leads nowhere.
    Missing { path: String, miss: Miss },
    /// A function refused its arguments.
    Refused { function: String, why: String },
    /// A path among a function's arguments leads nowhere.
    MissingArgument { function: String, path: String },
    /// It comes to far more than may pass between two states.
    TooMuch,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPath> {
        let (query, rest) = Self::parse_prefix(text)?;
        if rest.is_empty() {
            Ok(query)
        } else {
            Err(InvalidPath)
        }
    }

    pub(crate) fn parse_prefix(text: &str) -> Result<(Self, &str), InvalidPath> {
        let (root, below) = if let Some(below) = text.strip_prefix("$$") {
            (Root::Context, below)
        } else {
            let below = text.strip_prefix('$').ok_or(InvalidPath)?;
            match split_name(below) {
                Some((name, below)) => (Root::Variable(name.to_owned()), below),
                None => (Root::Input, below),
            }
        };
        let (path, rest) = Path::parse_prefix(below)?;
        let text = text[..text.len() - rest.len()].to_owned();
        Ok((Self { text, root, path }, rest))
    }

    /// The variable it begins at.
    pub(crate) fn variable(&self) -> Option<&str> {
        match &self.root {
            Root::Variable(name) => Some(name),
            Root::Input | Root::Context => None,
        }
    }

    /// `$`.
    pub(crate) fn whole() -> Self {
        Self {
            text: "$".into(),
            root: Root::Input,
            path: Path::default(),
        }
    }

    pub(crate) fn is_definite(&self) -> bool {
        self.path.is_definite()
    }

    pub(crate) fn read(&self, scope: &Scope<'_>) -> Result<Value, Miss> {
        self.path.read(match &self.root {
            Root::Input => scope.input,
            Root::Context => scope.context.value(self.path.first_field()),
            Root::Variable(name) => scope
                .context
                .variables
                .get(name)
                .ok_or_else(|| Miss(format!("No results for path: $['{name}']")))?,
        })
    }
}

impl Expression {
    /// Reads a path, or a function call.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPath> {
        if text.starts_with('$') {
            Query::parse(text).map(Self::Query)
        } else {
            Call::parse(text).map(Self::Call)
        }
    }

    /// Calls `visit` with every variable in it.
    pub(crate) fn variables(&self, visit: &mut impl FnMut(&str)) {
        match self {
            Self::Query(query) => query.variable().into_iter().for_each(visit),
            Self::Call(call) => call.variables(visit),
        }
    }

    pub(crate) fn evaluate(&self, scope: &mut Scope<'_>) -> Result<Value, Unevaluable> {
        let value = match self {
            Self::Query(query) => query.read(scope).map_err(|miss| Unevaluable::Missing {
                path: query.text.clone(),
                miss,
            })?,
            Self::Call(call) => return call.evaluate(scope),
        };
        scope.charge(value)
    }
}

impl Unevaluable {
    /// The failure of a state whose `field` it is, in AWS's words.
    pub(crate) fn failure(&self, field: &str, input: &Value) -> Failure {
        let (error, also, cause) = match self {
            Self::Missing { path, .. } => (
                "States.Runtime",
                "States.ParameterPathFailure",
                format!(
                    "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'"
                ),
            ),
            Self::MissingArgument { function, path } => (
                "States.Runtime",
                "States.ParameterPathFailure",
                format!(
                    "The function '{function}' had the following error: The JsonPath argument for the field '{path}' could not be found in the input '{input}'"
                ),
            ),
            Self::TooMuch => (
                "States.DataLimitExceeded",
                "",
                format!(
                    "The field '{field}' makes a value with a size exceeding the maximum number of bytes service limit."
                ),
            ),
            Self::Refused { function, why } => (
                "States.IntrinsicFailure",
                "",
                format!("The function '{function}' had the following error: {why}"),
            ),
        };
        Failure {
            error: Some(error.into()),
            cause: Some(cause),
            also: Some(also.to_owned()).filter(|also| !also.is_empty()),
        }
    }
}
