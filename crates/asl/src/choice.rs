//! The rules of a Choice state.

use serde_json::Value;

use crate::compare;
use crate::expression::{Query, Scope};

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test { variable: Query, test: Test },
}

/// What is asked of the variable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Compare { kind: Kind, order: Order, with: With },
    Matches(String),
    Is(Kind, bool),
    IsPresent(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Numeric,
    Boolean,
    Timestamp,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// What the variable is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum With {
    Literal(Value),
    Query(Query),
}

/// A path of a rule that leads nowhere, as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InvalidReference(pub(crate) String);

impl Rule {
    /// Whether it holds. A path that leads nowhere is an error, but to `IsPresent`.
    pub(crate) fn holds(&self, scope: &Scope<'_>) -> Result<bool, InvalidReference> {
        match self {
            Self::And(rules) => {
                for rule in rules {
                    if !rule.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(rules) => {
                for rule in rules {
                    if rule.holds(scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(rule) => rule.holds(scope).map(|held| !held),
            Self::Test {
                variable,
                test: Test::IsPresent(wanted),
            } => Ok(variable.read(scope).is_ok() == *wanted),
            Self::Test { variable, test } => test.holds(&read(variable, scope)?, scope),
        }
    }
}

fn read(query: &Query, scope: &Scope<'_>) -> Result<Value, InvalidReference> {
    query
        .read(scope)
        .map_err(|_| InvalidReference(query.text.clone()))
}

impl Test {
    fn holds(&self, value: &Value, scope: &Scope<'_>) -> Result<bool, InvalidReference> {
        Ok(match self {
            Self::Compare { kind, order, with } => match with {
                With::Literal(with) => order.holds(*kind, value, with),
                With::Query(query) => order.holds(*kind, value, &read(query, scope)?),
            },
            Self::Matches(pattern) => value.as_str().is_some_and(|text| compare::matches(text, pattern)),
            Self::Is(kind, wanted) => kind.covers(value) == *wanted,
            Self::IsPresent(wanted) => *wanted,
        })
    }
}

impl Kind {
    fn covers(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Numeric => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Null => value.is_null(),
            Self::Timestamp => value
                .as_str()
                .is_some_and(|text| compare::timestamp(text).is_some()),
        }
    }
}

impl Order {
    /// Values of another kind than is asked for compare as nothing, not as an error.
    fn holds(self, kind: Kind, left: &Value, right: &Value) -> bool {
        let order = match (kind, left, right) {
            (Kind::String, Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            (Kind::Numeric, Value::Number(left), Value::Number(right)) => compare::numbers(left, right),
            (Kind::Boolean, Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
            (Kind::Timestamp, Value::String(left), Value::String(right)) => compare::timestamp(left)
                .zip(compare::timestamp(right))
                .map(|(left, right)| left.cmp(&right)),
            _ => None,
        };
        order.is_some_and(|order| match self {
            Self::Equals => order.is_eq(),
            Self::LessThan => order.is_lt(),
            Self::LessThanEquals => order.is_le(),
            Self::GreaterThan => order.is_gt(),
            Self::GreaterThanEquals => order.is_ge(),
        })
    }
}
