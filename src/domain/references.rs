//! Texts that refer to a JSON input: `Approve {version}` of `{"version": "1.4"}`. What the configuration says of an activity
//! is made up of them (`activity.rs`).
//!
//! `{}` is the whole input, `{a.b}` the field `b` of its field `a`, `{a.0}` the first entry of the list `a`; `{{` and `}}`
//! are braces. A text that is nothing but one reference is what it refers to, whatever that is; among other words, text
//! stands as it is and anything else as JSON.

use serde_json::Value;
use std::fmt::Write as _;

/// A text, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(String),
    /// Field by field; none for the whole input.
    Reference(Vec<String>),
}

/// Why a text can't be filled in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReferenceError {
    /// Braces that don't belong together.
    #[error(
        "has a brace that is no reference; write {{field}} for a field of the input, {{{{ and }}}} for braces"
    )]
    Brace,
    /// The input has nothing there.
    #[error("refers to {{{0}}}, which the input doesn't have")]
    Missing(String),
}

/// Whether a text refers to the input at all. [`ReferenceError::Brace`] where it is wrong.
pub fn refers(text: &str) -> Result<bool, ReferenceError> {
    let parts = parts(text)?;
    Ok(parts.iter().any(|part| matches!(part, Part::Reference(_))))
}

/// A text with what it refers to.
pub fn filled(text: &str, input: &Value) -> Result<Value, ReferenceError> {
    let parts = parts(text)?;
    if let [Part::Reference(path)] = &parts[..] {
        return found(path, input).cloned();
    }
    let mut whole = String::new();
    for part in &parts {
        match part {
            Part::Text(text) => whole.push_str(text),
            Part::Reference(path) => match found(path, input)? {
                Value::String(text) => whole.push_str(text),
                other => {
                    let _ = write!(whole, "{other}");
                }
            },
        }
    }
    Ok(whole.into())
}

fn found<'i>(path: &[String], input: &'i Value) -> Result<&'i Value, ReferenceError> {
    let step = |value: &'i Value, name: &String| match value {
        Value::Object(map) => map.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    };
    path.iter()
        .try_fold(input, step)
        .filter(|found| !found.is_null() || path.is_empty())
        .ok_or_else(|| ReferenceError::Missing(path.join(".")))
}

fn parts(text: &str) -> Result<Vec<Part>, ReferenceError> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let brace = &rest[at..];
        if let Some(after) = brace.strip_prefix("{{") {
            plain.push('{');
            rest = after;
        } else if let Some(after) = brace.strip_prefix("}}") {
            plain.push('}');
            rest = after;
        } else {
            let inner = brace.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (path, after) = inner.ok_or(ReferenceError::Brace)?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Reference(names(path)?));
            rest = after;
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

fn names(path: &str) -> Result<Vec<String>, ReferenceError> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let right = |name: &str| {
        let fits = |c: char| c.is_alphanumeric() || "_-".contains(c);
        !name.is_empty() && name.chars().all(fits)
    };
    path.split('.')
        .map(|name| right(name).then(|| name.to_owned()).ok_or(ReferenceError::Brace))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_is_filled_in_with_what_it_refers_to() {
        let input = json!({"id": 7, "offer": {"name": "Ann", "tags": ["a", "b"]}, "none": null});
        for (text, expected) in [
            (
                "Approve offer {id} of {offer.name}",
                json!("Approve offer 7 of Ann"),
            ),
            ("{id}", json!(7)),
            ("{offer.tags}", json!(["a", "b"])),
            ("of {offer.tags}", json!(r#"of ["a","b"]"#)),
            ("{offer.tags.1}", json!("b")),
            ("{{{id}}} {{}}", json!("{7} {}")),
            ("nothing", json!("nothing")),
            ("", json!("")),
        ] {
            assert_eq!(filled(text, &input), Ok(expected), "{text}");
        }
        assert_eq!(filled("{}", &input), Ok(input.clone()));
        assert_eq!(filled("It says: {}", &json!("yes")), Ok(json!("It says: yes")));
        assert_eq!(filled("{}", &json!(null)), Ok(json!(null)));
    }

    #[test]
    fn what_is_not_there_is_named() {
        for path in ["other", "id.more", "offer.tags.2", "offer.tags.-1", "none"] {
            let missing = filled(
                &format!("a {{{path}}}"),
                &json!({"id": 7, "offer": {"tags": []}, "none": null}),
            );
            assert_eq!(missing, Err(ReferenceError::Missing(path.into())));
        }
    }

    #[test]
    fn a_brace_that_is_no_reference_is_refused() {
        for text in ["{", "}", "a {b", "a b}", "{a b}", "{a..b}", "{a{b}}", "{.}"] {
            assert_eq!(refers(text), Err(ReferenceError::Brace), "{text}");
        }
        assert_eq!(refers("{{a}}"), Ok(false));
        assert_eq!(refers("{a}"), Ok(true));
    }
}
