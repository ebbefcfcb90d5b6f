//! What a Map state reads from the data before its items begin: the items themselves, and its numbers.

use serde_json::{Value, json};

use super::flow::runtime;
use crate::context::Item;
use crate::definition::{Amount, Map};
use crate::expression::{Query, Scope};
use crate::journal::Failure;

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
        match found {
            Value::Array(items) => Ok((items, false)),
            Value::Object(fields) => {
                let pairs = fields.into_iter();
                Ok((
                    pairs
                        .map(|(key, value)| json!({ "Key": key, "Value": value }))
                        .collect(),
                    true,
                ))
            }
            _ => Err(runtime(format!(
                "Reference path \"{}\" must point to array or object.",
                path.text
            ))),
        }
    }
}

impl Amount {
    /// The number; of a path the one it leads to, which must be whole.
    pub(crate) fn whole(&self, scope: &mut Scope<'_>) -> Result<u64, Failure> {
        match self {
            Self::Fixed(number) => Ok(number.as_u64().unwrap_or(0)),
            // A JSONata state asks its own scope.
            Self::Query { .. } => Ok(0),
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
            // Evaluated where JSONata is; a distributed Map in JSONata is refused.
            Self::Query { .. } => Ok(0.0),
            Self::Path { field, query } => {
                let value = look_up(field, query, scope)?;
                value.as_f64().ok_or_else(|| not_a("float", field, query, &value))
            }
        }
    }
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
