//! Where the configuration stands: a TOML file, and `COUNTERSIGN_*` variables, which win. Gives one value for each
//! key; which keys there are is written here, what they mean in `read.rs`.

use super::gathered::Origin;
use super::reference::Reference;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Every key of `serve`. In the environment each is `COUNTERSIGN_` and its name in capitals; lists are JSON there.
pub(super) const KEYS: &[&str] = &[
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

/// What is in force where nothing is said. Keys that aren't here are needed, or stand for nothing without a value.
pub(super) const DEFAULTS: &[(&str, &str)] = &[
    ("listen", "127.0.0.1:8080"),
    ("time_zone", "UTC"),
    ("look_every_seconds", "10"),
    ("master_key_id", "1"),
    ("operations", "off"),
    ("state_data_days", "30"),
];

/// What is in force for a key without a value.
pub(super) fn default(key: &str) -> Option<&'static str> {
    DEFAULTS
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, text)| *text)
}

/// What may be said in each table of a list. A reference to a secret that is the list, in JSON, may stand for each.
pub(super) const FIELDS: &[(&str, &[&str])] = &[
    ("older_keys", &["id", "file", "key"]),
    ("people", &["name", "email"]),
    ("api_keys", &["id", "sha256", "scopes"]),
];

/// The keys that `local` reads. Both commands may be given the same file; each leaves the other's alone.
pub(super) const LOCAL_KEYS: &[&str] = &[
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
    "durable_runner",
    "substitutions",
    "workflows",
    "functions",
    "state_data_table",
    "state_data_bucket",
    "state_data_tables",
    "state_data_days",
];

/// Keys that are secrets themselves: never in the file, which is shown, copied and committed. A reference to a secret
/// may stand there.
pub(super) const SECRETS: &[&str] = &["master_key", "evidence_key"];

/// Keys whose values are lists or tables.
const LISTS: &[&str] = &[
    "older_keys",
    "people",
    "api_keys",
    "intake_queues",
    "mail_event_queues",
    "mail_topics",
    "activities",
    "state_data_tables",
];

/// Whether a key's value is a list or a table.
pub(super) fn is_list(key: &str) -> bool {
    LISTS.contains(&key)
}

/// The fields of a list's tables that are secrets themselves.
pub(super) fn secret_fields(key: &str) -> &'static [&'static str] {
    if key == "older_keys" { &["key"] } else { &[] }
}

/// What may be said in each table of the list `key`.
pub(super) fn fields(key: &str) -> &'static [&'static str] {
    FIELDS
        .iter()
        .find(|(list, _)| *list == key)
        .map_or(&[], |(_, fields)| fields)
}

/// Where each key's value comes from.
pub(super) type Origins = BTreeMap<String, Origin>;

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

/// File (its name, what it says) and variables as one map, with where each value comes from.
pub(super) fn merge(
    file: Option<(String, Map<String, Value>)>,
    variables: impl IntoIterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) -> (Map<String, Value>, Origins) {
    let mut origins = Origins::new();
    let mut values = Map::new();
    if let Some((place, said)) = file {
        values = said;
        for key in values.keys() {
            origins.insert(key.clone(), Origin::File(place.clone()));
        }
    }
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if NOT_OURS.contains(&rest) || is_kubernetes(rest) || text.is_empty() {
            continue;
        }
        let Some(key) = KEYS.iter().find(|key| key.to_uppercase() == rest) else {
            let near = nearest(&rest.to_lowercase(), KEYS).map(variable);
            problems.push(Problem::new(name, unknown("variable", near.as_deref())));
            continue;
        };
        let value = if is_list(key) && Reference::parse(&text).is_none() {
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
        values.insert((*key).to_owned(), value);
        origins.insert((*key).to_owned(), Origin::Variable(name));
    }
    (values, origins)
}

/// The values of the keys in `own`, from the text of a file that may hold other commands' keys as well; or the line that
/// isn't TOML.
pub(super) fn from_file(
    text: &str,
    own: &[&str],
    problems: &mut Vec<Problem>,
) -> Result<Map<String, Value>, Problem> {
    let mut values: Map<String, Value> = toml::from_str(text).map_err(|error: toml::de::Error| {
        // The parser's own display shows the line, which may hold a secret.
        let before = error
            .span()
            .map_or("", |span| &text[..span.start.min(text.len())]);
        let line = before.matches('\n').count() + 1;
        Problem::new(format!("line {line}"), format!("isn't TOML: {}", error.message()))
    })?;
    values.retain(|key, value| {
        let refers = value.as_str().and_then(Reference::parse).is_some();
        if SECRETS.contains(&key.as_str()) && !refers {
            let message = format!(
                "is a secret, and doesn't belong in this file: write it into a file of its own, named by {key}_file, \
                 or into {}; or say where it is kept: secretsmanager:…, ssm:…, kms:…",
                variable(key)
            );
            problems.push(Problem::new(key, message));
            return false;
        }
        let known = [KEYS, LOCAL_KEYS].concat();
        if !known.contains(&key.as_str()) {
            problems.push(Problem::new(key, unknown("key", nearest(key, &known))));
        }
        own.contains(&key.as_str())
    });
    Ok(values)
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
