//! The checks that come before an operation: of its members' lengths, of names and ARNs, with AWS's words.

use serde_json::{Map, Value};

use crate::error::AwsError;
use crate::{ACCOUNT, REGION};

/// The largest input and output, in bytes of UTF-8.
pub(super) const DATA: usize = 262_144;

/// An operation's request, read member by member.
pub(super) struct Request(pub(super) Map<String, Value>);

impl Request {
    /// A member of at most `limit` characters.
    pub(super) fn text(&self, name: &str, limit: usize) -> Result<Option<&str>, AwsError> {
        self.measured(name, limit, |text| text.chars().count())
    }

    /// A member of at most `limit` bytes of UTF-8.
    pub(super) fn data(&self, name: &str, limit: usize) -> Result<Option<&str>, AwsError> {
        self.measured(name, limit, str::len)
    }

    fn measured(
        &self,
        name: &str,
        limit: usize,
        length: impl FnOnce(&str) -> usize,
    ) -> Result<Option<&str>, AwsError> {
        let text = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.as_str(),
            Some(_) => return Err(AwsError::new("SerializationException", "")),
        };
        if length(text) > limit {
            let shown = if limit > 1024 {
                String::new()
            } else {
                format!(" '{text}'")
            };
            return Err(invalid(&format!(
                "Value{shown} at '{name}' failed to satisfy constraint: Member must have length less than or equal to {limit}"
            )));
        }
        Ok(Some(text))
    }

    /// The same, of a member that must be there and not be empty.
    pub(super) fn required(&self, name: &str, limit: usize) -> Result<&str, AwsError> {
        match self.text(name, limit)? {
            None => Err(invalid(&format!(
                "Value null at '{name}' failed to satisfy constraint: Member must not be null"
            ))),
            Some("") => Err(invalid(&format!(
                "Value '' at '{name}' failed to satisfy constraint: Member must have length greater than or equal to 1"
            ))),
            Some(text) => Ok(text),
        }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// One of a few words.
    pub(super) fn word(&self, name: &str, words: &[&str]) -> Result<Option<&str>, AwsError> {
        match self.text(name, 1024)? {
            Some(text) if !words.contains(&text) => Err(invalid(&format!(
                "Value '{text}' at '{name}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
                words.join(", ")
            ))),
            text => Ok(text),
        }
    }

    /// How many a page may hold: `maxResults`, 100 where it is left out or 0.
    pub(super) fn page(&self) -> Result<usize, AwsError> {
        let asked = match self.0.get("maxResults") {
            None | Some(Value::Null) => 0,
            Some(number) => number
                .as_i64()
                .ok_or_else(|| AwsError::new("SerializationException", ""))?,
        };
        match asked {
            0 => Ok(100),
            1..=1000 => Ok(usize::try_from(asked).unwrap_or(100)),
            _ => {
                let bound = if asked < 0 {
                    "greater than or equal to 0"
                } else {
                    "less than or equal to 1000"
                };
                Err(invalid(&format!(
                    "Value '{asked}' at 'maxResults' failed to satisfy constraint: Member must have value {bound}"
                )))
            }
        }
    }

    /// Where the page begins, as an earlier answer's `nextToken` said.
    pub(super) fn position(&self) -> Result<Option<String>, AwsError> {
        let Some(token) = self.text("nextToken", 3096)? else {
            return Ok(None);
        };
        let decoded = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).ok();
        let position = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        match position
            .as_deref()
            .and_then(|position| position.strip_prefix("from:"))
        {
            Some(position) => Ok(Some(position.to_owned())),
            None => Err(invalid_token()),
        }
    }

    /// The same, where positions are numbers.
    pub(super) fn number_position(&self) -> Result<Option<i64>, AwsError> {
        let position = self.position()?;
        position
            .map(|position| position.parse().map_err(|_| invalid_token()))
            .transpose()
    }
}

/// A `nextToken` for [`Request::position`].
pub(super) fn next_token(position: impl std::fmt::Display) -> Value {
    data_encoding::BASE64URL_NOPAD
        .encode(format!("from:{position}").as_bytes())
        .into()
}

pub(super) fn invalid(what: &str) -> AwsError {
    AwsError::new(
        "ValidationException",
        format!("1 validation error detected: {what}"),
    )
}

pub(super) fn invalid_token() -> AwsError {
    AwsError::new("InvalidToken", "Invalid Token: 'Invalid token'")
}

/// Names of machines and executions: no space, no bracket, no wildcard, none of the characters that mean
/// something in an ARN or a URL, no control character.
pub(super) fn name(name: &str) -> Result<(), AwsError> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    if name.chars().any(forbidden) || !name.is_ascii() {
        return Err(AwsError::new("InvalidName", format!("Invalid Name: '{name}'")));
    }
    Ok(())
}

/// Checks an ARN's form: `arn:partition:states:region:account:kind:…`.
pub(super) fn arn(arn: &str, kind: &str) -> Result<(), AwsError> {
    let invalid = |reason: &str| {
        Err(AwsError::new(
            "InvalidArn",
            format!("Invalid Arn: '{reason}: {arn}'"),
        ))
    };
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "states", _, _, found, _, ..] if *found == kind => Ok(()),
        ["arn", _, "states", _, _, ..] => invalid("Resource type not valid in this context"),
        ["arn", _, service, _, _, ..] if *service != "states" => invalid("Invalid ARN service"),
        ["arn", ..] => invalid("Invalid ARN"),
        _ => invalid("Invalid ARN prefix"),
    }
}

pub(super) fn role(role: &str) -> Result<(), AwsError> {
    let parts: Vec<&str> = role.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", _, _, resource] if resource.starts_with("role/") => Ok(()),
        ["arn", ..] => Err(AwsError::new("InvalidArn", format!("Invalid Role Arn: '{role}'"))),
        _ => Err(AwsError::new(
            "InvalidArn",
            format!("Invalid Arn: 'Invalid ARN prefix: {role}'"),
        )),
    }
}

pub(super) fn machine_arn(name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}")
}

pub(super) fn execution_arn(machine: &str, name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:{name}")
}
