//! Event patterns: which events a rule is for. A pattern is an object of the event's fields; where it has a list, one of
//! the list's entries must fit the field's value (or, when that is a list, one of its values).
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>

use serde_json::Value;

/// Whether `event` fits `pattern`, which has been [checked](check).
pub(super) fn fits(pattern: &Value, event: &Value) -> bool {
    let Value::Object(fields) = pattern else {
        return false;
    };
    fields.iter().all(|(name, wanted)| {
        let value = event.get(name);
        match wanted {
            Value::Object(_) => value.is_some_and(|value| fits(wanted, value)),
            Value::Array(wanted) => wanted.iter().any(|wanted| one_fits(wanted, value)),
            _ => false,
        }
    })
}

fn one_fits(wanted: &Value, value: Option<&Value>) -> bool {
    if let Some(exists) = wanted["exists"].as_bool() {
        return exists == value.is_some();
    }
    match value {
        None => false,
        Some(Value::Array(values)) => values.iter().any(|value| matches(wanted, value)),
        Some(value) => matches(wanted, value),
    }
}

fn matches(wanted: &Value, value: &Value) -> bool {
    let Value::Object(matcher) = wanted else {
        return wanted == value;
    };
    let Some((name, than)) = matcher.iter().next() else {
        return false;
    };
    match (name.as_str(), than, value.as_str()) {
        ("prefix", Value::String(prefix), Some(text)) => text.starts_with(prefix.as_str()),
        ("suffix", Value::String(suffix), Some(text)) => text.ends_with(suffix.as_str()),
        ("anything-but", Value::Array(those), _) => !those.contains(value),
        ("anything-but", that, _) => that != value,
        _ => false,
    }
}

/// What of a pattern can't be answered here, if anything.
pub(super) fn check(pattern: &Value) -> Result<(), String> {
    let Value::Object(fields) = pattern else {
        return Err("Event pattern is not valid. Reason: Filter is not an object".to_owned());
    };
    for (name, wanted) in fields {
        match wanted {
            Value::Object(_) => check(wanted)?,
            Value::Array(wanted) if !wanted.is_empty() => {
                for matcher in wanted.iter().filter_map(Value::as_object) {
                    let known = matcher.len() == 1
                        && matcher.iter().all(|(name, than)| match (name.as_str(), than) {
                            ("exists", Value::Bool(_)) | ("prefix" | "suffix", Value::String(_)) => true,
                            ("anything-but", than) => !than.is_object(),
                            _ => false,
                        });
                    if !known {
                        return Err(format!(
                            "Event pattern is not valid. Reason: of the matchers of \"{name}\" only exists, prefix, suffix and anything-but are embedded"
                        ));
                    }
                }
            }
            _ => {
                return Err(format!(
                    "Event pattern is not valid. Reason: \"{name}\" must be an object or an array"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_picks_its_events() {
        let event = json!({
            "source": "aws.ses", "detail-type": "Email Bounced", "resources": ["arn:a", "arn:b"],
            "detail": {"eventType": "Bounce", "bounce": {"bounceType": "Permanent"}},
        });
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
            (json!({"detail": {"bounce": {"bounceType": ["Permanent"]}}}), true),
            (
                json!({"detail": {"eventType": [{"anything-but": ["Send", "Open"]}]}}),
                true,
            ),
            (
                json!({"detail": {"eventType": [{"anything-but": "Bounce"}]}}),
                false,
            ),
            (json!({"detail": {"complaint": [{"exists": false}]}}), true),
            (json!({"detail": {"complaint": {"x": [{"exists": true}]}}}), false),
        ] {
            assert_eq!(check(&pattern), Ok(()), "{pattern}");
            assert_eq!(fits(&pattern, &event), expected, "{pattern}");
        }
        for wrong in [
            json!([]),
            json!({"source": "aws.ses"}),
            json!({"source": []}),
            json!({"source": [{"numeric": [">", 3]}]}),
        ] {
            assert!(check(&wrong).is_err(), "{wrong}");
        }
    }
}
