//! Where the configuration stands: a TOML file, and `COUNTERSIGN_*` variables, which win. Gives one value for each
//! key; which keys there are is written here, what they mean in `read.rs`.

use serde_json::{Map, Value};

/// Every key of `serve`. In the environment each is `COUNTERSIGN_` and its name in capitals; lists are JSON there.
pub(super) const KEYS: [&str; 27] = [
    "public_url",
    "listen",
    "organisation",
    "time_zone",
    "table",
    "mail_from",
    "mail_configuration_set",
    "mail_topics",
    "mail_event_queues",
    "look_every_seconds",
    "master_key",
    "master_key_file",
    "master_key_id",
    "older_keys",
    "evidence_key",
    "evidence_key_file",
    "people",
    "api_keys",
    "intake_queues",
    "dead_letter_queue",
    "activities",
    "wake_queue",
    "operations",
    "state_data_table",
    "state_data_bucket",
    "state_data_tables",
    "state_data_days",
];

/// The keys that `local` reads. Both commands may be given the same file; each leaves the other's alone.
pub(super) const LOCAL_KEYS: [&str; 17] = [
    "organisation",
    "time_zone",
    "mail_from",
    "people",
    "intake_queues",
    "queues",
    "activities",
    "buckets",
    "mail_identities",
    "http_tasks",
    "substitutions",
    "workflows",
    "functions",
    "state_data_table",
    "state_data_bucket",
    "state_data_tables",
    "state_data_days",
];

/// Keys that are secrets themselves: never in the file, which is shown, copied and committed.
pub(super) const SECRETS: [&str; 2] = ["master_key", "evidence_key"];

/// Keys whose values are lists or tables.
const LISTS: [&str; 8] = [
    "older_keys",
    "people",
    "api_keys",
    "intake_queues",
    "mail_event_queues",
    "mail_topics",
    "activities",
    "state_data_tables",
];

/// Variables of ours that other commands read.
const NOT_OURS: [&str; 3] = ["CONFIG", "URL", "API_KEY"];

const PREFIX: &str = "COUNTERSIGN_";

/// What is wrong with the configuration, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    /// The key, such as `api_keys[0].scopes`, or the variable.
    pub(super) key: String,
    /// What is wrong and what to do. Never a secret.
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

/// The variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

/// File and variables as one map.
pub(super) fn merge(
    file: Option<&str>,
    variables: impl IntoIterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) -> Map<String, Value> {
    let mut values = file
        .map(|text| from_file(text, &KEYS, problems))
        .unwrap_or_default();
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if NOT_OURS.contains(&rest) || is_kubernetes(rest) || text.is_empty() {
            continue;
        }
        let Some(key) = KEYS.into_iter().find(|key| key.to_uppercase() == rest) else {
            let near = nearest(&rest.to_lowercase(), &KEYS).map(variable);
            problems.push(Problem::new(name, unknown("variable", near.as_deref())));
            continue;
        };
        let value = if LISTS.contains(&key) {
            if let Ok(value) = serde_json::from_str(&text) {
                value
            } else {
                let message = "isn't JSON; in a variable, a list is written as JSON: [{\"…\": \"…\"}], a table as {\"…\": {\"…\": \"…\"}}";
                problems.push(Problem::new(name, message));
                continue;
            }
        } else {
            Value::String(text)
        };
        values.insert(key.to_owned(), value);
    }
    values
}

/// The values of the keys in `own`, from the text of a file that may hold other commands' keys as well.
pub(super) fn from_file(text: &str, own: &[&str], problems: &mut Vec<Problem>) -> Map<String, Value> {
    let mut values: Map<String, Value> = match toml::from_str(text) {
        Ok(values) => values,
        Err(error) => {
            // The parser's own display shows the line, which may hold a secret.
            let before = error
                .span()
                .map_or("", |span| &text[..span.start.min(text.len())]);
            let line = before.matches('\n').count() + 1;
            problems.push(Problem::new(
                format!("line {line}"),
                format!("isn't TOML: {}", error.message()),
            ));
            return Map::new();
        }
    };
    values.retain(|key, _| {
        if SECRETS.contains(&key.as_str()) {
            let message = format!(
                "is a secret, and doesn't belong in this file: write it into a file of its own, named by {key}_file, \
                 or into {}",
                variable(key)
            );
            problems.push(Problem::new(key, message));
            return false;
        }
        let known = [&KEYS[..], &LOCAL_KEYS[..]].concat();
        if !known.contains(&key.as_str()) {
            problems.push(Problem::new(key, unknown("key", nearest(key, &known))));
        }
        own.contains(&key.as_str())
    });
    values
}

/// "isn't a key that I know; did you mean …?"
pub(super) fn unknown(what: &str, near: Option<&str>) -> String {
    match near {
        Some(near) => format!("isn't a {what} that I know; did you mean {near}?"),
        None => format!("isn't a {what} that I know; docs/OPERATIONS.md and docs/GUIDE.md list them"),
    }
}

/// The one of `known` that was probably meant.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(name, word);
    let best = known
        .iter()
        .copied()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.75).then_some(best)
}

/// Kubernetes puts the addresses of a service called `countersign` into variables that look like ours.
fn is_kubernetes(rest: &str) -> bool {
    rest.starts_with("SERVICE_") || rest == "PORT" || rest.starts_with("PORT_")
}
