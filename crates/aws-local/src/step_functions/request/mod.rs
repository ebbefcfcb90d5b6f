//! A request, checked against its operation's shape before anything else happens, as AWS does: everything that
//! is wrong with it is told at once.

mod shapes;

use std::fmt::{Display, Write as _};

use serde_json::{Map, Value};

use crate::error::AwsError;
use shapes::{Member, Shape};

/// An operation's request, whose members have the types and bounds that the operation's shape asks for.
pub(super) struct Request(Map<String, Value>);

/// How many violations a refusal tells.
const TOLD: usize = 10;

impl Request {
    /// Checks `body` as a request for `operation`. Refused are operations that Step Functions doesn't have.
    pub(super) fn read(operation: &str, mut body: Map<String, Value>) -> Result<Request, AwsError> {
        let members =
            shapes::members(operation).ok_or_else(|| AwsError::not_embedded("Step Functions", operation))?;
        // AWS takes null for a member that was left out.
        body.retain(|_, value| !value.is_null());
        let mut violations = Vec::new();
        structure(members, &body, "", &mut violations)?;
        let count = violations.len();
        if count == 0 {
            return Ok(Request(body));
        }
        violations.truncate(TOLD);
        let (noun, told) = (if count == 1 { "error" } else { "errors" }, violations.join("; "));
        Err(AwsError::new(
            "ValidationException",
            format!("{count} validation {noun} detected: {told}"),
        ))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// A member that the operation's shape requires.
    pub(super) fn required(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    pub(super) fn list(&self, name: &str) -> &[Value] {
        self.0
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// Whether the answer may hold inputs and outputs (`includedData`).
    pub(super) fn all_data(&self) -> bool {
        self.text("includedData") != Some("METADATA_ONLY")
    }

    /// How many a page may hold: `maxResults`, 100 where it is left out or 0.
    pub(super) fn page(&self) -> usize {
        match self.number("maxResults").map(usize::try_from) {
            Some(Ok(size)) if size > 0 => size,
            _ => 100,
        }
    }

    /// Where the page begins, as an earlier answer's `nextToken` said.
    pub(super) fn position<T: std::str::FromStr>(&self) -> Result<Option<T>, AwsError> {
        let Some(token) = self.text("nextToken") else {
            return Ok(None);
        };
        let decoded = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).ok();
        let position = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let position = position
            .as_deref()
            .and_then(|position| position.strip_prefix("from:"));
        match position.map(str::parse) {
            Some(Ok(position)) => Ok(Some(position)),
            _ => Err(invalid_token()),
        }
    }
}

/// A `nextToken` for [`Request::position`].
pub(super) fn next_token(position: impl Display) -> Value {
    data_encoding::BASE64URL_NOPAD
        .encode(format!("from:{position}").as_bytes())
        .into()
}

pub(super) fn invalid_token() -> AwsError {
    AwsError::new("InvalidToken", "Invalid Token: 'Invalid token'")
}

fn structure(
    members: &[Member],
    values: &Map<String, Value>,
    path: &str,
    violations: &mut Vec<String>,
) -> Result<(), AwsError> {
    for member in members {
        let path = format!("{path}{}", member.name);
        match values.get(member.name) {
            None | Some(Value::Null) => {
                if member.required {
                    violate(violations, Some("null"), &path, "not be null");
                }
            }
            Some(found) => value(member.shape, found, &path, violations)?,
        }
    }
    Ok(())
}

fn value(shape: &Shape, found: &Value, path: &str, violations: &mut Vec<String>) -> Result<(), AwsError> {
    let mut violate = |shown: Option<&str>, what: &str| violate(violations, shown, path, what);
    match shape {
        Shape::Text { least, most } => {
            let text = text(found)?;
            bounds(text.chars().count(), *least, *most, |what| {
                violate(Some(&quoted(text)), what);
            });
        }
        Shape::Secret { least, most } => {
            bounds(text(found)?.chars().count(), *least, *most, |what| {
                violate(None, what);
            });
        }
        Shape::Data { most } => bounds(text(found)?.len(), 0, *most, |what| violate(None, what)),
        Shape::Pattern {
            least,
            most,
            pattern,
            holds,
        } => {
            let text = text(found)?;
            bounds(text.chars().count(), *least, *most, |what| {
                violate(Some(&quoted(text)), what);
            });
            if !holds(text) || (text.is_empty() && *least > 0) {
                violate(
                    Some(&quoted(text)),
                    &format!("satisfy regular expression pattern: {pattern}"),
                );
            }
        }
        Shape::Word(words) => {
            let text = text(found)?;
            if !words.contains(&text) {
                let what = format!("satisfy enum value set: [{}]", words.join(", "));
                violate(Some(&quoted(text)), &what);
            }
        }
        Shape::Integer { least, most } => {
            let number = found.as_i64().ok_or_else(|| not_converted(found, "Integer"))?;
            if number < *least {
                violate(
                    Some(&quoted(number)),
                    &format!("have value greater than or equal to {least}"),
                );
            } else if number > *most {
                violate(
                    Some(&quoted(number)),
                    &format!("have value less than or equal to {most}"),
                );
            }
        }
        Shape::Number { least, most } => {
            let number = found.as_f64().ok_or_else(|| not_converted(found, "Float"))?;
            if number < *least {
                violate(
                    Some(&quoted(number)),
                    &format!("have value greater than or equal to {least}"),
                );
            } else if number > *most {
                violate(
                    Some(&quoted(number)),
                    &format!("have value less than or equal to {most}"),
                );
            }
        }
        Shape::Flag => {
            found.as_bool().ok_or_else(|| not_converted(found, "Boolean"))?;
        }
        Shape::Structure(members) => {
            let values = found.as_object().ok_or_else(|| not_converted(found, "Object"))?;
            structure(members, values, &format!("{path}."), violations)?;
        }
        Shape::List { least, most, of } => {
            let items = found.as_array().ok_or_else(|| not_converted(found, "List"))?;
            bounds(items.len(), *least, *most, |what| {
                violate(Some(&quoted(found)), what);
            });
            for (n, item) in items.iter().enumerate() {
                value(of, item, &format!("{path}.{}.member", n + 1), violations)?;
            }
        }
    }
    Ok(())
}

fn violate(violations: &mut Vec<String>, shown: Option<&str>, path: &str, what: &str) {
    let mut told = "Value".to_owned();
    if let Some(shown) = shown {
        // Writing to a String doesn't fail.
        let _ = write!(told, " {shown}");
    }
    violations.push(format!(
        "{told} at '{path}' failed to satisfy constraint: Member must {what}"
    ));
}

fn bounds(length: usize, least: usize, most: usize, violate: impl FnOnce(&str)) {
    if length < least {
        violate(&format!("have length greater than or equal to {least}"));
    } else if length > most {
        violate(&format!("have length less than or equal to {most}"));
    }
}

fn quoted(value: impl Display) -> String {
    format!("'{value}'")
}

fn text(found: &Value) -> Result<&str, AwsError> {
    found.as_str().ok_or_else(|| not_converted(found, "String"))
}

fn not_converted(found: &Value, wanted: &str) -> AwsError {
    let kind = match found {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => {
            return AwsError::new("SerializationException", "Start of list found where not expected");
        }
        Value::Object(_) => {
            return AwsError::new(
                "SerializationException",
                "Start of structure or map found where not expected.",
            );
        }
    };
    AwsError::new(
        "SerializationException",
        format!("{kind} can not be converted to a {wanted}"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(operation: &str, body: Value) -> String {
        let Value::Object(body) = body else {
            panic!("no object")
        };
        match Request::read(operation, body) {
            Ok(_) => "taken".to_owned(),
            Err(error) => format!("{}: {}", error.code(), error.message()),
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        assert_eq!(
            refusal("CreateStateMachine", json!({"name": "", "definition": ""})),
            "ValidationException: 3 validation errors detected: Value '' at 'name' failed to satisfy constraint: \
             Member must have length greater than or equal to 1; Value at 'definition' failed to satisfy \
             constraint: Member must have length greater than or equal to 1; Value null at 'roleArn' failed to \
             satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn members_of_members_are_named_by_their_place() {
        let routing = json!([{"stateMachineVersionArn": "a", "weight": 101}]);
        assert_eq!(
            refusal(
                "CreateStateMachineAlias",
                json!({"name": "a", "routingConfiguration": routing})
            ),
            "ValidationException: 1 validation error detected: Value '101' at \
             'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less \
             than or equal to 100"
        );
    }

    #[test]
    fn what_is_secret_is_not_repeated() {
        let refused = refusal("SendTaskHeartbeat", json!({"taskToken": "t".repeat(2049)}));
        assert!(!refused.contains("ttt"), "{refused}");
        let refused = refusal(
            "StartExecution",
            json!({"stateMachineArn": "a", "input": "€".repeat(100_000)}),
        );
        assert!(refused.starts_with("ValidationException: 1 validation error detected: Value at 'input'"));
    }

    #[test]
    fn other_types_are_refused() {
        for (body, expected) in [
            (
                json!({"name": 3}),
                "NUMBER_VALUE can not be converted to a String",
            ),
            (
                json!({"name": {}}),
                "Start of structure or map found where not expected.",
            ),
            (
                json!({"name": "a", "tags": "b"}),
                "STRING_VALUE can not be converted to a List",
            ),
        ] {
            assert_eq!(
                refusal("CreateActivity", body),
                format!("SerializationException: {expected}")
            );
        }
    }

    #[test]
    fn null_is_as_good_as_nothing() {
        assert_eq!(
            refusal("ListActivities", json!({"nextToken": null, "maxResults": 0})),
            "taken"
        );
        assert!(refusal("CreateActivity", json!({"name": null})).contains("Value null at 'name'"));
    }

    #[test]
    fn page_tokens_that_nobody_gave_out_are_refused() {
        for token in ["InvalidToken", "ZnJvbTp4", "=", "ü"] {
            let Ok(request) = Request::read(
                "ListActivities",
                serde_json::Map::from_iter([("nextToken".to_owned(), token.into())]),
            ) else {
                panic!("{token}")
            };
            assert_eq!(request.position::<u64>(), Err(invalid_token()), "{token}");
        }
    }
}
