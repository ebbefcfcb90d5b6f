//! An activity whose worker is Countersign: the state hands over its input and nothing else, so the configuration says
//! what is asked. Checked when the configuration is read, filled in with each task's input.

use super::references::{self, ReferenceError};
use super::request::{self, InvalidRequest};
use super::request_fields::Problem;
use super::signer::Directory;
use serde_json::{Map, Value};

/// What only Countersign itself says of a task.
const OURS: [&str; 3] = ["taskToken", "stepFunctionToken", "callbackId"];

/// An activity, and what its tasks ask for.
#[derive(Clone, PartialEq, Debug)]
pub struct Activity {
    /// Its ARN.
    pub arn: String,
    /// What is asked.
    pub asks: Asks,
}

/// What the tasks of an activity ask for: a request without its token, in which texts may refer to the task's input.
#[derive(Clone, PartialEq, Debug)]
pub struct Asks(Map<String, Value>);

impl Asks {
    /// Takes the fields of a request, with names as in JSON or with underscores; or says what is wrong with each. What
    /// depends on the input can only be told of a task.
    pub fn new(fields: &Map<String, Value>, directory: &Directory) -> Result<Self, InvalidRequest> {
        let asks = Self(in_json(fields, true));
        let mut problems: Vec<Problem> = OURS
            .into_iter()
            .filter(|name| asks.0.contains_key(*name))
            .map(|name| problem(name, "is the task's own"))
            .collect();
        let mut references = Vec::new();
        let (mut sample, wrong) = fill(&asks.0, &mut |path, text| {
            let refers = references::refers(text)?;
            if refers {
                references.push(path.to_owned());
            }
            // What it may be is not known: it is there.
            Ok(if refers {
                "x".into()
            } else {
                references::filled(text, &Value::Null)?
            })
        });
        problems.extend(wrong);
        sample.retain(|name, _| !OURS.contains(&name.as_str()));
        sample.insert("taskToken".to_owned(), "x".into());
        if let Err(invalid) = request::parse(&sample.into(), directory) {
            let known = |problem: &Problem| !references.iter().any(|path| concerns(path, &problem.field));
            problems.extend(invalid.problems.into_iter().filter(known));
        }
        if problems.is_empty() {
            Ok(asks)
        } else {
            Err(InvalidRequest { problems })
        }
    }

    /// The request of a task with this token and input.
    pub fn request(&self, token: &str, input: &Value) -> Result<Value, InvalidRequest> {
        let (mut request, problems) = fill(&self.0, &mut |_, text| references::filled(text, input));
        if !problems.is_empty() {
            return Err(InvalidRequest { problems });
        }
        for name in ["title", "message"] {
            // A number alone is what it looks like.
            if let Some(value @ (Value::Number(_) | Value::Bool(_))) = request.get_mut(name) {
                *value = value.to_string().into();
            }
        }
        request.insert("taskToken".to_owned(), token.into());
        Ok(request.into())
    }
}

fn problem(field: &str, message: impl Into<String>) -> Problem {
    Problem {
        field: field.to_owned(),
        message: message.into(),
    }
}

/// Whether a problem of `field` may come from what stands at `path`: it is there, around it, inside it or beside it.
fn concerns(path: &str, field: &str) -> bool {
    let around = |path: &str| path.rsplit_once('.').map(|(around, _)| around.to_owned());
    let beside = around(path).is_some() && around(path) == around(field);
    let within = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    beside || within(path, field) || within(field, path)
}

/// `timeout_seconds` as `timeoutSeconds`, but for the names that people give themselves.
fn in_json(fields: &Map<String, Value>, names: bool) -> Map<String, Value> {
    let inner =
        |name: &str, value: &Value| value_in_json(value, names && !matches!(name, "tags" | "metadata"));
    fields
        .iter()
        .map(|(name, value)| {
            let shown = if names { camel_case(name) } else { name.clone() };
            (shown, inner(name, value))
        })
        .collect()
}

fn value_in_json(value: &Value, names: bool) -> Value {
    match value {
        Value::Object(map) => in_json(map, names).into(),
        Value::Array(list) => list.iter().map(|value| value_in_json(value, names)).collect(),
        other => other.clone(),
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

/// Every text replaced by what `text` makes of it; and what is wrong, by the path of the text.
fn fill(
    fields: &Map<String, Value>,
    text: &mut dyn FnMut(&str, &str) -> Result<Value, ReferenceError>,
) -> (Map<String, Value>, Vec<Problem>) {
    let mut problems = Vec::new();
    let filled = fields
        .iter()
        .map(|(name, value)| (name.clone(), fill_value(name, value, text, &mut problems)))
        .collect();
    (filled, problems)
}

fn fill_value(
    path: &str,
    value: &Value,
    text: &mut dyn FnMut(&str, &str) -> Result<Value, ReferenceError>,
    problems: &mut Vec<Problem>,
) -> Value {
    match value {
        Value::String(given) => text(path, given).unwrap_or_else(|error| {
            problems.push(problem(path, error.to_string()));
            Value::Null
        }),
        Value::Array(list) => (0..)
            .zip(list)
            .map(|(n, value): (usize, _)| fill_value(&format!("{path}[{n}]"), value, text, problems))
            .collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let filled = fill_value(&format!("{path}.{name}"), value, text, problems);
                (name.clone(), filled)
            })
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signer::Person;
    use serde_json::json;

    fn asks(fields: Value) -> Result<Asks, InvalidRequest> {
        let bob = Person {
            name: "Bob".into(),
            email: Some("bob@example.com".into()),
        };
        Asks::new(fields.as_object().expect("an object"), &Directory::new([bob]))
    }

    #[test]
    fn a_task_s_input_fills_in_what_is_asked() {
        let asks = asks(json!({
            "title": "Validate {id}",
            "message": "{offer.text}",
            "signers": [{"name": "{offer.by}", "email": "{offer.email}"}],
            "timeout_seconds": 3600,
            "reminders": {"after_seconds": 60, "every_seconds": 60, "max": 1},
            "tags": {"our_team": "{offer.team}"},
            "execution": "{execution}",
        }));
        let input = json!({
            "id": 7,
            "offer": {"text": "*Cheap*", "by": "Ann", "email": "ann@example.com", "team": "legal"},
            "execution": {"arn": "arn", "retryCount": 0},
        });
        let request = asks.expect("right").request("token", &input).expect("filled in");
        let expected = json!({
            "title": "Validate 7",
            "message": "*Cheap*",
            "signers": [{"name": "Ann", "email": "ann@example.com"}],
            "timeoutSeconds": 3600,
            "reminders": {"afterSeconds": 60, "everySeconds": 60, "max": 1},
            "tags": {"our_team": "legal"},
            "execution": {"arn": "arn", "retryCount": 0},
            "taskToken": "token",
        });
        assert_eq!(request, expected);
    }

    #[test]
    fn an_input_may_be_one_text_or_number() {
        let asks = asks(json!({"title": "{}", "signer": "Bob"})).expect("right");
        for (input, title) in [(json!("some:special:id"), "some:special:id"), (json!(3), "3")] {
            assert_eq!(asks.request("t", &input).expect("filled in")["title"], title);
        }
        let missing = asks.request("t", &json!({}));
        assert!(
            missing.is_ok(),
            "an object is refused as a title, later: {missing:?}"
        );
    }

    #[test]
    fn what_the_input_does_not_have_is_named_by_the_field_that_refers_to_it() {
        let asks = asks(json!({"title": "Validate {id}", "signers": [{"name": "{who}"}]})).expect("right");
        let missing = asks.request("t", &json!({"ID": 1})).expect_err("missing");
        assert_eq!(
            missing.to_string(),
            "title: refers to {id}, which the input doesn't have; \
             signers[0].name: refers to {who}, which the input doesn't have"
        );
    }

    #[test]
    fn what_is_wrong_in_any_case_is_told_before_there_is_a_task() {
        for (fields, field) in [
            (json!({"signer": "Bob"}), "title"),
            (json!({"title": "a"}), "signers"),
            (json!({"title": "a", "signer": "Carol"}), "signer"),
            (json!({"title": "a", "signer": "Bob", "colour": "red"}), "colour"),
            (
                json!({"title": "a", "signer": "Bob", "task_token": "t"}),
                "taskToken",
            ),
            (json!({"title": "a {", "signer": "Bob"}), "title"),
            (
                json!({"title": "a", "signer": "Bob", "timeout_seconds": "soon"}),
                "timeoutSeconds",
            ),
            (
                json!({"title": "a", "signers": [{"name": "B", "email": "b"}]}),
                "signers[0].email",
            ),
        ] {
            let refused = asks(fields.clone()).expect_err("wrong");
            assert!(
                refused.problems.iter().any(|p| p.field == field),
                "{fields}: {refused}"
            );
        }
    }

    #[test]
    fn what_depends_on_the_input_is_left_to_the_task() {
        for fields in [
            json!({"title": "{a}", "signers": "{people}"}),
            json!({"title": "a", "signers": [{"name": "{name}"}]}),
            json!({"title": "a", "signer": "{who}", "timeout_seconds": "{seconds}"}),
            json!({"title": "a", "signer": "Bob", "execution": {"arn": "{arn}", "retry_count": "{count}"}}),
        ] {
            assert!(
                asks(fields.clone()).is_ok(),
                "{fields}: {:?}",
                asks(fields.clone())
            );
        }
    }
}
