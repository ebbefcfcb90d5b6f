//! Everything that was said of the configuration, before it is checked: each key's value, where it comes from, and
//! what was fetched for the references among them.

use super::read::{ConfigError, ReadFile, Reader, Runs, Serve};
use super::reference::{Fetched, Reference};
use super::source::{self, KEYS, Origins, Problem, SECRETS, secret_fields};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The file, or what stands in its place, by its name.
    File(String),
    /// A variable, by its name.
    Variable(String),
    /// Nothing was said.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(name) | Self::Variable(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What was said of the configuration.
#[derive(Clone, Default)]
pub struct Gathered {
    pub(super) values: Map<String, Value>,
    pub(super) origins: Origins,
    pub(super) fetched: Fetched,
    problems: Vec<Problem>,
    /// Why there is no telling what the file says, where there should be one.
    unusable: Option<Problem>,
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.values.keys()).finish()
    }
}

/// A key as `countersign config` shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    /// The key.
    pub key: &'static str,
    /// Its value, with every secret hidden; `None`: there is none.
    pub value: Option<Value>,
    /// Where it comes from.
    pub origin: Origin,
}

/// What stands in the place of a secret that is shown.
const HIDDEN: &str = "(hidden)";

impl Gathered {
    /// What a file says (its name, its text), or why it can't be read; and what variables say, which win.
    pub(super) fn new(
        file: Result<Option<(String, String)>, Problem>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut problems = Vec::new();
        let said = file.and_then(|file| {
            let Some((name, text)) = file else {
                return Ok(None);
            };
            match source::from_file(&text, KEYS, &mut problems) {
                Ok(values) => Ok(Some((name, values))),
                Err(Problem { key, message }) => Err(Problem::new(format!("{name}, {key}"), message)),
            }
        });
        let (file, unusable) = match said {
            Ok(file) => (file, None),
            Err(problem) => (None, Some(problem)),
        };
        let (values, origins) = source::merge(file, variables, &mut problems);
        Self {
            values,
            origins,
            fetched: Fetched::new(),
            problems,
            unusable,
        }
    }

    /// Why there is no telling what the file says, where there should be one.
    pub fn unusable_file(&self) -> Option<ConfigError> {
        self.unusable
            .as_ref()
            .map(|problem| ConfigError(vec![problem.clone()]))
    }

    /// What has to be fetched.
    pub(super) fn references(&self) -> BTreeSet<Reference> {
        let mut texts: Vec<&Value> = Vec::new();
        for (key, value) in &self.values {
            if SECRETS.contains(&key.as_str()) || !source::fields(key).is_empty() {
                texts.push(value);
            }
            for field in secret_fields(key) {
                let entries = value.as_array().into_iter().flatten();
                texts.extend(entries.filter_map(|entry| entry.get(*field)));
            }
        }
        texts
            .into_iter()
            .filter_map(|text| Reference::parse(text.as_str()?)?.ok())
            .collect()
    }

    /// Checks everything. Files that hold keys are read by `read_file`. Without the file that should be there nobody knows
    /// what is missing, and only that is told.
    pub fn read(&self, runs: Runs, read_file: ReadFile<'_>) -> Result<Serve, ConfigError> {
        if let Some(error) = self.unusable_file() {
            return Err(error);
        }
        let mut reader = Reader {
            values: &self.values,
            origins: &self.origins,
            fetched: &self.fetched,
            read_file,
            problems: self.problems.clone(),
        };
        match reader.serve(runs) {
            Some(serve) if reader.problems.is_empty() => Ok(serve),
            _ => Err(ConfigError(reader.problems)),
        }
    }

    /// Whether anything is said of a key.
    pub fn says(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The text that stands for a key, or its default. Not for secrets.
    pub fn text(&self, key: &str) -> Option<String> {
        let given = self.values.get(key).and_then(Value::as_str);
        given.or_else(|| source::default(key)).map(str::to_owned)
    }

    /// The texts that stand for a key: one, or a list.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let list = self.values.get(key).and_then(Value::as_array);
        match list {
            Some(entries) => entries
                .iter()
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect(),
            None => self.text(key).into_iter().collect(),
        }
    }

    /// The names in the table that stands for a key.
    pub fn names(&self, key: &str) -> Vec<String> {
        let table = self.values.get(key).and_then(Value::as_object);
        table
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Every key with what is in force for it, in the order of the document. No secret is in it.
    pub fn shown(&self) -> Vec<Shown> {
        KEYS.iter().map(|key| self.shown_key(key)).collect()
    }

    fn shown_key(&self, key: &'static str) -> Shown {
        let Some(value) = self.values.get(key) else {
            return Shown {
                key,
                value: source::default(key).map(Value::from),
                origin: Origin::Default,
            };
        };
        let mut value = value.clone();
        if SECRETS.contains(&key) {
            hide(&mut value);
        }
        for field in secret_fields(key) {
            for entry in value.as_array_mut().into_iter().flatten() {
                if let Some(secret) = entry.get_mut(*field) {
                    hide(secret);
                }
            }
        }
        Shown {
            key,
            value: Some(value),
            origin: self.origins.get(key).cloned().unwrap_or(Origin::Default),
        }
    }
}

/// Hides what isn't a reference. A ciphertext is hidden too: only its length would be news.
fn hide(value: &mut Value) {
    let shown = match value.as_str().and_then(Reference::parse) {
        Some(Ok(reference)) => reference.to_string(),
        _ => HIDDEN.to_owned(),
    };
    *value = Value::String(shown);
}
