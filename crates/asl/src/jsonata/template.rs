//! JSON in which every text between `{%` and `%}` is filled in: `Arguments`, `Output`, `Assign`.

use serde_json::{Map, Value};

use super::{Available, Expression, Failed, Problem, Scope, enclosed};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    Literal(Value),
    Expression(Box<Expression>),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

impl Template {
    /// Reads a template that stands at `location`; what is wrong goes to `problems`, each with its place.
    pub(crate) fn parse(
        value: &Value,
        location: &str,
        available: Available,
        problems: &mut Vec<(String, Problem)>,
    ) -> Self {
        match value {
            Value::String(text) => match enclosed(text) {
                Ok(None) => Self::Literal(value.clone()),
                Ok(Some(text)) => {
                    let mut found = Vec::new();
                    let expression = Expression::parse(text, available, &mut found);
                    problems.extend(found.into_iter().map(|problem| (location.to_owned(), problem)));
                    match expression {
                        Some(expression) => Self::Expression(Box::new(expression)),
                        None => Self::Literal(Value::Null),
                    }
                }
                Err(problem) => {
                    problems.push((location.to_owned(), problem));
                    Self::Literal(Value::Null)
                }
            },
            Value::Array(items) => {
                let items: Vec<Self> = items
                    .iter()
                    .enumerate()
                    .map(|(n, item)| Self::parse(item, &format!("{location}[{n}]"), available, problems))
                    .collect();
                if items.iter().all(|item| matches!(item, Self::Literal(_))) {
                    return Self::Literal(value.clone());
                }
                Self::List(items)
            }
            Value::Object(map) => {
                let fields: Vec<(String, Self)> = map
                    .iter()
                    .map(|(name, item)| {
                        let location = format!("{location}/{name}");
                        (name.clone(), Self::parse(item, &location, available, problems))
                    })
                    .collect();
                if fields.iter().all(|(_, field)| matches!(field, Self::Literal(_))) {
                    return Self::Literal(value.clone());
                }
                Self::Object(fields)
            }
            value => Self::Literal(value.clone()),
        }
    }

    /// Fills it in. `field` is what it is called in a failure: `Output`, `Catch[0]/Assign`.
    pub(crate) fn fill(&self, field: &str, scope: &mut Scope<'_>) -> Result<Value, Failed> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Expression(expression) => scope.evaluate(expression, field)?,
            Self::List(items) => items
                .iter()
                .enumerate()
                .map(|(n, item)| item.fill(&format!("{field}[{n}]"), scope))
                .collect::<Result<_, _>>()?,
            Self::Object(fields) => {
                let mut map = Map::new();
                for (name, template) in fields {
                    map.insert(name.clone(), template.fill(&format!("{field}/{name}"), scope)?);
                }
                Value::Object(map)
            }
        })
    }
}
