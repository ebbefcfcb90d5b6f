//! Reading Retry and Catch.

use super::fields::Fields;
use super::{Handlers, Language, jsonata_state};
use crate::retry::{Catcher, LONGEST_SECONDS, Retrier};

/// AWS's limit to MaxDelaySeconds: one year.
const LONGEST_DELAY: u64 = 31_622_400;

pub(super) fn read(fields: &mut Fields<'_, '_>) -> Handlers {
    let (retry, catch) = (rules(fields, "Retry", retrier), rules(fields, "Catch", catcher));
    Handlers { retry, catch }
}

fn rules<T>(
    fields: &mut Fields<'_, '_>,
    name: &'static str,
    read: impl Fn(&mut Fields<'_, '_>, Vec<String>) -> Option<T>,
) -> Vec<T> {
    let Some(values) = fields.array(name) else {
        return Vec::new();
    };
    let mut rules = Vec::with_capacity(values.len());
    for (n, value) in values.iter().enumerate() {
        let location = format!("{}[{n}]", fields.at(name));
        let Some(mut rule) = Fields::of(value, location, fields.findings) else {
            continue;
        };
        rule.language = fields.language;
        rule.string("Comment");
        rule.require(&["ErrorEquals"]);
        let errors = errors(&mut rule, n + 1 == values.len());
        rules.extend(errors.and_then(|errors| read(&mut rule, errors)));
        rule.end();
    }
    rules
}

fn errors(rule: &mut Fields<'_, '_>, last: bool) -> Option<Vec<String>> {
    let values = rule.array("ErrorEquals")?;
    let errors: Option<Vec<String>> = values
        .iter()
        .map(|value| value.as_str().map(str::to_owned))
        .collect();
    let at = rule.at("ErrorEquals");
    match errors {
        Some(errors) if !errors.is_empty() => {
            if errors.iter().any(|error| error == "States.ALL") && (errors.len() > 1 || !last) {
                rule.findings
                    .schema(at, "States.ALL must appear alone, in the last rule");
            }
            Some(errors)
        }
        _ => {
            rule.findings.schema(at, "Expected a non-empty Array of Strings");
            None
        }
    }
}

fn retrier(rule: &mut Fields<'_, '_>, errors: Vec<String>) -> Option<Retrier> {
    let interval = rule.integer("IntervalSeconds", 1, LONGEST_SECONDS).unwrap_or(1);
    let attempts = rule.integer("MaxAttempts", 0, LONGEST_SECONDS).unwrap_or(3);
    let backoff = rule.number("BackoffRate", 1.0).unwrap_or(2.0);
    let longest = rule.integer("MaxDelaySeconds", 1, LONGEST_DELAY);
    let jitter = match rule.string("JitterStrategy") {
        None | Some("NONE") => false,
        Some("FULL") => true,
        Some(_) => {
            let at = rule.at("JitterStrategy");
            rule.findings
                .schema(at, "Value is not valid. Must be one of: [FULL, NONE]");
            false
        }
    };
    let attempts = u32::try_from(attempts).ok()?;
    Some(Retrier {
        errors,
        interval,
        attempts,
        backoff,
        longest,
        jitter,
    })
}

fn catcher(rule: &mut Fields<'_, '_>, errors: Vec<String>) -> Option<Catcher> {
    let (result_path, jsonata) = match rule.language {
        Language::JsonPath => {
            rule.jsonata_only(&["Output"]);
            (rule.result_path(), None)
        }
        Language::Jsonata => (None, Some(Box::new(jsonata_state::catcher(rule)))),
    };
    let assign = rule.assign();
    rule.require(&["Next"]);
    let next = rule.string("Next")?.to_owned();
    Some(Catcher {
        errors,
        result_path,
        assign,
        jsonata,
        next,
    })
}
