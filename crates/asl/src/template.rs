//! Payload templates: `Parameters` and `ResultSelector`. A field whose name ends in `.$` is filled in from the data;
//! everything else stands as it is.

use serde_json::{Map, Value};

use crate::expression::{Expression, Scope};
use crate::journal::Failure;
use crate::path::InvalidPath;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    Literal(Value),
    List(Vec<Template>),
    Object(Vec<(String, Field)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    Template(Template),
    /// Its name in the definition, with the `.$`.
    Expression(String, Expression),
}

/// A field of a template that cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InvalidField {
    /// Below the template: `/a/b`; empty when it is the template itself.
    pub(crate) location: String,
    pub(crate) name: String,
}

impl Template {
    /// Reads a template; what is wrong goes to `invalid`.
    pub(crate) fn parse(value: &Value, location: &str, invalid: &mut Vec<InvalidField>) -> Self {
        match value {
            Value::Object(map) => {
                let mut fields = Vec::with_capacity(map.len());
                for (name, value) in map {
                    let Some(target) = name.strip_suffix(".$") else {
                        let template = Self::parse(value, &format!("{location}/{name}"), invalid);
                        fields.push((name.clone(), Field::Template(template)));
                        continue;
                    };
                    match value.as_str().ok_or(InvalidPath).and_then(Expression::parse) {
                        Ok(expression) => {
                            fields.push((target.to_owned(), Field::Expression(name.clone(), expression)));
                        }
                        Err(InvalidPath) => {
                            invalid.push(InvalidField {
                                location: location.to_owned(),
                                name: name.clone(),
                            });
                        }
                    }
                }
                if fields
                    .iter()
                    .all(|(_, field)| matches!(field, Field::Template(Self::Literal(_))))
                {
                    return Self::Literal(value.clone());
                }
                Self::Object(fields)
            }
            Value::Array(items) => {
                let items: Vec<Self> = items
                    .iter()
                    .enumerate()
                    .map(|(n, item)| Self::parse(item, &format!("{location}[{n}]"), invalid))
                    .collect();
                if items.iter().all(|item| matches!(item, Self::Literal(_))) {
                    return Self::Literal(value.clone());
                }
                Self::List(items)
            }
            value => Self::Literal(value.clone()),
        }
    }

    /// Fills it in. A failure names the field.
    pub(crate) fn fill(&self, scope: &mut Scope<'_>) -> Result<Value, Failure> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::List(items) => items
                .iter()
                .map(|item| item.fill(scope))
                .collect::<Result<_, _>>()?,
            Self::Object(fields) => {
                let mut map = Map::new();
                for (name, field) in fields {
                    let value = match field {
                        Field::Template(template) => template.fill(scope)?,
                        Field::Expression(written, expression) => expression
                            .evaluate(scope)
                            .map_err(|why| why.failure(written, scope.input))?,
                    };
                    map.insert(name.clone(), value);
                }
                Value::Object(map)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;

    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::context::Context;
    use crate::interface::Identity;
    use crate::random::Randomness;
    use crate::variables::Variables;

    struct Zeros;
    impl Randomness for Zeros {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn fill(template: &Value, input: &Value) -> Result<Value, Failure> {
        let mut invalid = Vec::new();
        let template = Template::parse(template, "", &mut invalid);
        assert_eq!(invalid, []);
        let identity = Identity {
            execution_arn: "e".into(),
            execution_name: String::new(),
            role_arn: String::new(),
            state_machine_arn: String::new(),
            state_machine_name: String::new(),
        };
        let context = Context {
            identity: &identity,
            started: Timestamp::UNIX_EPOCH,
            redrives: 0,
            redriven: None,
            given: None,
            input,
            state: "S",
            entered: Timestamp::UNIX_EPOCH,
            retries: None,
            item: None,
            token: None,
            variables: &Variables::default(),
            built: OnceCell::new(),
            built_item: OnceCell::new(),
        };
        template.fill(&mut Scope {
            input,
            context: &context,
            random: &mut Zeros,
            spent: 0,
        })
    }

    #[test]
    fn fills_in_at_any_depth() {
        let template = json!({"a.$": "$.x", "b": [{"c.$": "$$.Execution.Id"}, 3], "d": {"e": "$.x"}, "f.$": "States.Array($.x, 'y')"});
        let filled = fill(&template, &json!({"x": {"deep": [1]}}));
        let expected =
            json!({"a": {"deep": [1]}, "b": [{"c": "e"}, 3], "d": {"e": "$.x"}, "f": [{"deep": [1]}, "y"]});
        assert_eq!(filled, Ok(expected));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_named_with_its_field() {
        let failure = fill(&json!({"a": {"b.$": "$.none"}}), &json!({"x": 1})).unwrap_err();
        let cause = r#"The JSONPath '$.none' specified for the field 'b.$' could not be found in the input '{"x":1}'"#;
        assert_eq!(failure.cause.as_deref(), Some(cause));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        let mut invalid = Vec::new();
        Template::parse(&json!({"a": [{"b.$": "x"}], "c.$": 3}), "", &mut invalid);
        let places: Vec<_> = invalid
            .iter()
            .map(|field| (field.location.as_str(), field.name.as_str()))
            .collect();
        assert_eq!(places, [("/a[0]", "b.$"), ("", "c.$")]);
    }
}
