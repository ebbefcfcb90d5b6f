//! Event patterns: which events a rule is for. A pattern is an object of the event's fields; where it has a list, one of
//! the list's entries must fit the field's value (or, when that is a list, one of its values).
//!
//! Of the operators `exists`, `prefix`, `suffix` and `anything-but` are embedded, each with plain values.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>

use serde_json::{Map, Value};

use crate::error::AwsError;

/// What AWS has beyond those that are embedded; `$or` stands where a field would.
const OR: &str = "$or";
const OTHERS: [&str; 4] = ["cidr", "equals-ignore-case", "numeric", "wildcard"];

/// Whether `event` fits `pattern`, which has been [checked](check).
pub(super) fn fits(pattern: &Value, event: &Value) -> bool {
    pattern
        .as_object()
        .is_some_and(|fields| object_fits(fields, Some(event)))
}

/// Of a list of objects one must fit as a whole. What isn't there, or is no object, has none of the fields.
fn object_fits(pattern: &Map<String, Value>, value: Option<&Value>) -> bool {
    if let Some(Value::Array(values)) = value
        && !values.is_empty()
    {
        return values.iter().any(|value| object_fits(pattern, Some(value)));
    }
    pattern.iter().all(|(name, wanted)| {
        let value = value.and_then(|value| value.get(name));
        match wanted {
            Value::Object(fields) => object_fits(fields, value),
            Value::Array(wanted) => wanted.iter().any(|wanted| one_fits(wanted, value)),
            _ => false,
        }
    })
}

fn one_fits(wanted: &Value, value: Option<&Value>) -> bool {
    let leaf = |test: &dyn Fn(&Value) -> bool| value.is_some_and(|value| any_leaf(value, test));
    match wanted["exists"].as_bool() {
        Some(exists) => exists == leaf(&|_| true),
        None => leaf(&|leaf| matches(wanted, leaf)),
    }
}

/// Patterns are about the values at the ends of an event's paths, never about an object.
fn any_leaf(value: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| any_leaf(value, test)),
        Value::Object(_) => false,
        value => test(value),
    }
}

fn matches(wanted: &Value, value: &Value) -> bool {
    let Value::Object(matcher) = wanted else {
        return same(wanted, value);
    };
    let Some((name, than)) = matcher.iter().next() else {
        return false;
    };
    match (name.as_str(), than, value.as_str()) {
        ("prefix", Value::String(prefix), Some(text)) => text.starts_with(prefix.as_str()),
        ("suffix", Value::String(suffix), Some(text)) => text.ends_with(suffix.as_str()),
        ("anything-but", Value::Array(those), _) => !those.iter().any(|that| same(that, value)),
        ("anything-but", that, _) => !same(that, value),
        _ => false,
    }
}

/// Numbers are the same by their value, however they are written.
fn same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && one.as_f64() == other.as_f64())
}

/// Refuses a pattern as AWS does, and what AWS takes and is not embedded by its name.
pub(super) fn check(pattern: &Value) -> Result<(), AwsError> {
    match pattern {
        Value::Object(fields) => check_object(fields),
        _ => Err(invalid("Filter is not an object")),
    }
}

fn check_object(fields: &Map<String, Value>) -> Result<(), AwsError> {
    if fields.is_empty() {
        return Err(invalid("Empty objects are not allowed"));
    }
    for (name, wanted) in fields {
        match wanted {
            _ if name == OR => return Err(not_embedded(OR)),
            Value::Object(fields) => check_object(fields)?,
            Value::Array(wanted) if wanted.is_empty() => {
                return Err(invalid("Empty arrays are not allowed"));
            }
            Value::Array(wanted) => wanted.iter().try_for_each(check_value)?,
            _ => {
                return Err(invalid(&format!("\"{name}\" must be an object or an array")));
            }
        }
    }
    Ok(())
}

fn check_value(wanted: &Value) -> Result<(), AwsError> {
    match wanted {
        Value::Array(_) => Err(invalid(
            "Match value must be String, number, true, false, or null",
        )),
        Value::Object(matcher) => {
            let mut operators = matcher.iter();
            match (operators.next(), operators.next()) {
                (Some((name, than)), None) => check_operator(name, than),
                (None, _) => Err(invalid("Match expression name not found")),
                _ => Err(invalid("Only one key allowed in match expression")),
            }
        }
        _ => Ok(()),
    }
}

fn check_operator(name: &str, than: &Value) -> Result<(), AwsError> {
    match (name, than) {
        ("exists", Value::Bool(_))
        | ("prefix" | "suffix" | "anything-but", Value::String(_))
        | ("anything-but", Value::Number(_)) => Ok(()),
        ("exists", _) => Err(invalid("exists match pattern must be either true or false.")),
        ("prefix" | "suffix" | "anything-but", Value::Object(inner)) => {
            let inner = inner.keys().next().map_or("", String::as_str);
            Err(not_embedded(&format!("{name} with {inner}")))
        }
        ("prefix" | "suffix", _) => Err(invalid(&format!("{name} match pattern must be a string"))),
        ("anything-but", Value::Array(those)) if those.is_empty() => {
            Err(invalid("Empty arrays are not allowed"))
        }
        ("anything-but", Value::Array(those))
            if !those.iter().all(Value::is_string) && !those.iter().all(Value::is_number) =>
        {
            Err(invalid(
                "Inside anything but list, either all values are number or string, mixed type is not supported",
            ))
        }
        ("anything-but", Value::Array(_)) => Ok(()),
        ("anything-but", _) => Err(invalid(
            "Value of anything-but must be an array or single string/number value.",
        )),
        (name, _) if OTHERS.contains(&name) => Err(not_embedded(name)),
        (name, _) => Err(invalid(&format!("Unrecognized match type {name}"))),
    }
}

pub(super) fn invalid(reason: &str) -> AwsError {
    AwsError::new(
        "InvalidEventPatternException",
        format!("Event pattern is not valid. Reason: {reason}"),
    )
}

fn not_embedded(operator: &str) -> AwsError {
    AwsError::not_embedded("EventBridge", &format!("the event pattern operator {operator}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_picks_its_events() {
        let event = json!({
            "source": "aws.ses", "detail-type": "Email Bounced", "resources": ["arn:a", "arn:b"],
            "detail": {
                "eventType": "Bounce", "retries": 300, "none": null, "no": [],
                "bounce": {"bounceType": "Permanent"},
                "recipients": [{"name": "a", "action": "failed"}, {"name": "b", "action": "delayed"}],
            },
        });
        let detail = |pattern: Value| json!({"detail": pattern});
        for (pattern, expected) in [
            (json!({"source": ["aws.ses"]}), true),
            (json!({"source": ["aws.s3"]}), false),
            (
                json!({"source": ["aws.s3", "aws.ses"], "detail-type": [{"prefix": "Email "}]}),
                true,
            ),
            (json!({"detail-type": [{"suffix": "Delivered"}]}), false),
            (json!({"resources": ["arn:b"]}), true),
            (json!({"resources": ["arn:c"]}), false),
            // Of a list, one value is enough for "anything but" as well.
            (json!({"resources": [{"anything-but": "arn:a"}]}), true),
            (detail(json!({"bounce": {"bounceType": ["Permanent"]}})), true),
            (
                detail(json!({"eventType": [{"anything-but": ["Send", "Open"]}]})),
                true,
            ),
            (detail(json!({"eventType": [{"anything-but": "Bounce"}]})), false),
            (detail(json!({"absent": [{"anything-but": "Bounce"}]})), false),
            (detail(json!({"retries": [3.0e2]})), true),
            (detail(json!({"retries": ["300"]})), false),
            (detail(json!({"retries": [{"prefix": "3"}]})), false),
            (detail(json!({"retries": [{"anything-but": [300.0]}]})), false),
            (detail(json!({"none": [null]})), true),
            (detail(json!({"absent": [null]})), false),
            // What exists is a value: neither an object nor an empty list.
            (detail(json!({"none": [{"exists": true}]})), true),
            (detail(json!({"no": [{"exists": true}]})), false),
            (detail(json!({"bounce": [{"exists": true}]})), false),
            (detail(json!({"complaint": [{"exists": false}]})), true),
            (detail(json!({"complaint": {"x": [{"exists": true}]}})), false),
            (detail(json!({"complaint": {"x": [{"exists": false}]}})), true),
            (
                detail(json!({"eventType": {"x": [{"exists": false}, "y"]}})),
                true,
            ),
            // One recipient fits as a whole.
            (
                detail(json!({"recipients": {"name": ["b"], "action": ["delayed"]}})),
                true,
            ),
            (
                detail(json!({"recipients": {"name": ["b"], "action": ["failed"]}})),
                false,
            ),
        ] {
            assert_eq!(check(&pattern), Ok(()), "{pattern}");
            assert_eq!(fits(&pattern, &event), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_and_what_is_not_embedded_is_told_apart() {
        let of = |matcher: Value| json!({"source": [matcher]});
        for (wrong, reason) in [
            (json!([]), "Filter is not an object"),
            (json!({}), "Empty objects"),
            (json!({"detail": {}}), "Empty objects"),
            (
                json!({"source": "aws.ses"}),
                "\"source\" must be an object or an array",
            ),
            (json!({"source": []}), "Empty arrays"),
            (of(json!(["aws.ses"])), "Match value must be"),
            (of(json!({})), "Match expression name not found"),
            (of(json!({"prefix": "a", "suffix": "b"})), "Only one key"),
            (of(json!({"prefix": 1})), "prefix match pattern must be a string"),
            (of(json!({"exists": "yes"})), "exists match pattern"),
            (of(json!({"anything-but": true})), "Value of anything-but"),
            (of(json!({"anything-but": []})), "Empty arrays"),
            (of(json!({"anything-but": ["a", 1]})), "mixed type"),
            (of(json!({"ends": "b"})), "Unrecognized match type ends"),
        ] {
            let error = check(&wrong).expect_err("wrong");
            assert_eq!(error.code(), "InvalidEventPatternException", "{wrong}");
            assert!(error.message().contains(reason), "{wrong}: {}", error.message());
        }
        for (other, name) in [
            (of(json!({"numeric": [">", 3]})), "operator numeric"),
            (of(json!({"wildcard": "a*"})), "operator wildcard"),
            (of(json!({"cidr": "10.0.0.0/24"})), "operator cidr"),
            (
                of(json!({"equals-ignore-case": "a"})),
                "operator equals-ignore-case",
            ),
            (
                of(json!({"prefix": {"equals-ignore-case": "a"}})),
                "prefix with equals-ignore-case",
            ),
            (
                of(json!({"anything-but": {"prefix": "a"}})),
                "anything-but with prefix",
            ),
            (
                json!({"$or": [{"source": ["a"]}, {"region": ["b"]}]}),
                "operator $or",
            ),
        ] {
            let error = check(&other).expect_err("not embedded");
            assert_eq!(error.code(), "UnsupportedOperation", "{other}");
            assert!(error.message().contains(name), "{other}: {}", error.message());
        }
    }
}
