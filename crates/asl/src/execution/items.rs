//! What a Map state reads from the data before its items begin: the items themselves, and its numbers.

use serde_json::{Value, json};

use super::flow::runtime;
use crate::context::Item;
use crate::definition::{Amount, Map};
use crate::expression::{Query, Scope};
use crate::journal::Failure;
use crate::jsonata::{self, Failed, Kind, Template};

impl<'a> Item<'a> {
    /// The item numbered `index`; of an object's fields each is `{"Key": …, "Value": …}`.
    pub(crate) fn of(index: u64, item: &'a Value, keyed: bool) -> Self {
        let key = if keyed { item["Key"].as_str() } else { None };
        Self {
            index,
            key,
            value: key.map_or(item, |_| &item["Value"]),
            source: None,
        }
    }
}

impl Map {
    /// What is iterated over, and whether it is an object's fields, of which each is an item.
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemspath.html>
    pub(crate) fn items(&self, scope: &mut Scope<'_>) -> Result<(Vec<Value>, bool), Failure> {
        let path = &self.items_path;
        let found = path
            .read(scope)
            .map_err(|miss| runtime(format!("Invalid path '{}' : {}", path.text, miss.0)))?;
        scope.random.watch("afterItemsPath", &found);
        iterated(found).ok_or_else(|| {
            runtime(format!(
                "Reference path \"{}\" must point to array or object.",
                path.text
            ))
        })
    }

    /// The same of a JSONata state, whose field `Items` is `given`. What an expression gives must be an array; only a
    /// distributed Map takes an object from it too.
    pub(super) fn items_jsonata(
        &self,
        given: Option<&Template>,
        input: &Value,
        scope: &mut jsonata::Scope<'_>,
    ) -> Result<(Vec<Value>, bool), Failed> {
        let distributed = self.distributed.is_some();
        let items = match given {
            None if input.is_array() || (distributed && input.is_object()) => input.clone(),
            None => {
                let mut failed = Failed::at("", format!("Map state input must be an array but was: {input}"));
                failed.location = None;
                return Err(failed);
            }
            Some(Template::Expression(expression)) => {
                let kinds: &[Kind] = if distributed {
                    &[Kind::Array, Kind::Object]
                } else {
                    &[Kind::Array]
                };
                scope.evaluate_as_one_of(expression, "Items", kinds)?
            }
            Some(items) => items.fill("Items", scope)?,
        };
        let shown = match items {
            Value::Array(_) | Value::Object(_) => String::new(),
            ref other => other.to_string(),
        };
        iterated(items).ok_or_else(|| {
            let cause = format!("Map state Items must be an array or an object but was: {shown}");
            Failed::at("Items", cause)
        })
    }
}

/// The items of an array, or the fields of an object, of which each is an item.
fn iterated(found: Value) -> Option<(Vec<Value>, bool)> {
    match found {
        Value::Array(items) => Some((items, false)),
        Value::Object(fields) => {
            let pairs = fields.into_iter();
            let items = pairs.map(|(key, value)| json!({ "Key": key, "Value": value }));
            Some((items.collect(), true))
        }
        _ => None,
    }
}

impl Amount {
    /// The number; of a path the one it leads to, which must be whole.
    pub(crate) fn whole(&self, scope: &mut Scope<'_>) -> Result<u64, Failure> {
        match self {
            Self::Fixed(number) => Ok(number.as_u64().unwrap_or(0)),
            Self::Query { field, .. } => Err(other_language(field)),
            Self::Path { field, query } => {
                let value = look_up(field, query, scope)?;
                let number = value.as_i64().or_else(|| {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "it saturates, and is only a bound"
                    )]
                    value
                        .as_f64()
                        .filter(|number| number.fract() == 0.0)
                        .map(|number| number as i64)
                });
                let Some(number) = number else {
                    return Err(not_a("integer", field, query, &value));
                };
                u64::try_from(number).map_err(|_| {
                    let name = field.trim_end_matches("Path");
                    runtime(format!("{name} must be a non-negative integer."))
                })
            }
        }
    }
}

impl Amount {
    /// The number, whole or not.
    pub(crate) fn number(&self, scope: &mut Scope<'_>) -> Result<f64, Failure> {
        match self {
            Self::Fixed(number) => Ok(number.as_f64().unwrap_or(0.0)),
            Self::Query { field, .. } => Err(other_language(field)),
            Self::Path { field, query } => {
                let value = look_up(field, query, scope)?;
                value.as_f64().ok_or_else(|| not_a("float", field, query, &value))
            }
        }
    }
}

impl jsonata::Scope<'_> {
    /// A number of a Map state that is whole.
    pub(super) fn whole(&mut self, amount: &Amount) -> Result<u64, Failed> {
        let number = self.amount(amount)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, is whole and not negative"
        )]
        let rounded = |number: f64| number as u64;
        let number = number.as_u64().or_else(|| number.as_f64().map(rounded));
        Ok(number.unwrap_or(u64::MAX))
    }

    /// A number of a Map state, none below zero.
    pub(super) fn amount(&mut self, amount: &Amount) -> Result<Value, Failed> {
        match amount {
            Amount::Fixed(number) => Ok(Value::Number(number.clone())),
            Amount::Path { field, .. } => Err(other_language(field).into()),
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

/// Never so in a definition that was read: there each state has amounts of its own language.
fn other_language(field: &str) -> Failure {
    runtime(format!("The field '{field}' is of the other query language."))
}

fn look_up(field: &str, query: &Query, scope: &Scope<'_>) -> Result<Value, Failure> {
    query.read(scope).map_err(|_| {
        runtime(format!(
            "The {field} parameter does not reference an input value: {}",
            query.text
        ))
    })
}

fn not_a(kind: &str, field: &str, query: &Query, value: &Value) -> Failure {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    runtime(format!(
        "The {field} field refers to value \"{shown}\" which is not a valid {kind}: {}",
        query.text
    ))
}
