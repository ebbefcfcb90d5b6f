//! The configuration of `countersign local`: what an author's workflows stand on. Everything that is wrong is told at
//! once, by its key. What the keys mean is in docs/GUIDE.md. Functions are read in `local/functions.rs`; how names have
//! to look is in `local/names.rs`.

mod functions;
mod names;

pub use names::is_placeholder;

use super::read::{ConfigError, Reader, check_mail_from, check_organisation, check_time_zone, plain};
use super::reference::Fetched;
use super::source::{self, LOCAL_KEYS, Origins, nearest, unknown};
use super::state_data::{USUAL_DAYS, check_bucket};
use crate::domain::activity::Asks;
use crate::domain::signer::Person;
use crate::state_data::Places;
use names::{check_activity, check_host, check_identity, check_queue, check_runner};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `local` is given.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Local {
    /// Who asks, whom, and what workflows may reach. It holds until the end of the process.
    pub settings: Settings,
    /// Names of queues that are to be there.
    pub queues: Vec<String>,
    /// Names of activities that are to be there.
    pub activities: Vec<String>,
    /// Names of buckets that are to be there.
    pub buckets: Vec<String>,
    /// Addresses and domains that mails may be sent from, beside the sender of our own.
    pub mail_identities: Vec<String>,
    /// What `${Name}` stands for in every definition.
    pub substitutions: BTreeMap<String, String>,
    /// What is said of single workflows, by their names.
    pub workflows: BTreeMap<String, Workflow>,
    /// The functions, by their names.
    pub functions: BTreeMap<String, Function>,
}

/// What an embedded Countersign knows of the people and of the world.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// Who asks, where a request names no requester.
    pub organisation: String,
    /// The zone in which dates are shown.
    pub time_zone: String,
    /// What mails are sent from.
    pub mail_from: String,
    /// People whom requests may name without an address.
    pub people: Vec<Person>,
    /// Where HTTP tasks may go: hosts, each with a port or without.
    pub http_tasks: Vec<String>,
    /// Where durable executions are run, such as the server of AWS's testing SDK: `http://127.0.0.1:5000`.
    pub durable_runner: Option<String>,
    /// Where state data goes. Tables and bucket are made.
    pub state_data: Places,
    /// Names of queues that are polled for requests.
    pub intake_queues: Vec<String>,
    /// Activities whose worker is Countersign: their names, and what their tasks ask for.
    pub worked: Vec<(String, Asks)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            organisation: "Example Ltd".to_owned(),
            time_zone: jiff::tz::TimeZone::system()
                .iana_name()
                .unwrap_or("UTC")
                .to_owned(),
            mail_from: "Countersign <countersign@example.com>".to_owned(),
            people: vec![Person {
                name: "Bob".to_owned(),
                email: Some("bob@example.com".to_owned()),
            }],
            http_tasks: Vec::new(),
            durable_runner: None,
            state_data: Places {
                table: "countersign-state-data".to_owned(),
                bucket: Some("countersign-state-data".to_owned()),
                other_tables: Vec::new(),
                keep_days: USUAL_DAYS,
            },
            intake_queues: Vec::new(),
            worked: Vec::new(),
        }
    }
}

/// What is said of one workflow.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Workflow {
    /// Whether it is an Express workflow.
    pub express: bool,
    /// What `${Name}` stands for in its definition alone.
    pub substitutions: BTreeMap<String, String>,
}

/// Where a function's code is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Function {
    /// A program that speaks the Lambda runtime API.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
        /// Where it runs.
        directory: PathBuf,
        /// Variables beside ours.
        environment: Vec<(String, String)>,
        /// How long an invocation may take.
        timeout: Duration,
        /// How many processes run at most.
        concurrency: usize,
    },
    /// An address that takes the event and answers with the result.
    Url {
        /// The address.
        url: String,
        /// How long an invocation may take.
        timeout: Duration,
    },
    /// A sample that is in this program.
    Builtin(String),
}

/// Reads the configuration from the text of a TOML file, which stands in `folder`: what it says of paths is meant from
/// there. `builtins` are the samples that there are.
pub fn read(text: &str, folder: &Path, builtins: &[&str]) -> Result<Local, ConfigError> {
    let mut problems = Vec::new();
    let values =
        source::from_file(text, LOCAL_KEYS, &mut problems).map_err(|problem| ConfigError(vec![problem]))?;
    // Nothing that `local` reads may be a secret, so nothing is referred to.
    let mut reader = Reader {
        values: &values,
        origins: &Origins::new(),
        fetched: &Fetched::new(),
        read_file: &|path| std::fs::read(path),
        problems,
    };
    let local = reader.local(folder, builtins);
    if reader.problems.is_empty() {
        Ok(local)
    } else {
        Err(ConfigError(reader.problems))
    }
}

impl Reader<'_> {
    fn local(&mut self, folder: &Path, builtins: &[&str]) -> Local {
        Local {
            settings: self.settings(),
            queues: self.names("queues", check_queue),
            activities: if self.values.get("activities").is_some_and(Value::is_object) {
                Vec::new()
            } else {
                self.names("activities", check_activity)
            },
            buckets: self.names("buckets", check_bucket),
            mail_identities: self.names("mail_identities", check_identity),
            substitutions: self.substitutions("substitutions", self.values.get("substitutions")),
            workflows: self.workflows(),
            functions: self.functions(folder, builtins),
        }
    }

    fn settings(&mut self) -> Settings {
        let usual = Settings::default();
        let organisation = self.text("organisation");
        let organisation = self.checked("organisation", organisation, check_organisation);
        let time_zone = self.text("time_zone");
        let time_zone = self.checked("time_zone", time_zone, check_time_zone);
        let mail_from = self.text("mail_from");
        let mail_from = self.checked("mail_from", mail_from, check_mail_from);
        let runner = self.text("durable_runner");
        let durable_runner = self.checked("durable_runner", runner, |url| {
            check_runner(&url).map_err(str::to_owned).map(|()| url)
        });
        let people = if self.values.contains_key("people") {
            self.people()
        } else {
            usual.people
        };
        let intake_queues = self.names("intake_queues", |queue| check_queue(last(queue, '/')));
        let worked = self.worked_activities(&people, |activity| {
            check_activity(last(activity, ':')).map_err(str::to_owned)
        });
        Settings {
            organisation: organisation.unwrap_or(usual.organisation),
            time_zone: time_zone.unwrap_or(usual.time_zone),
            mail_from: mail_from.unwrap_or(usual.mail_from),
            people,
            http_tasks: self.names("http_tasks", check_host),
            durable_runner,
            state_data: self
                .state_data(Some(usual.state_data.clone()))
                .unwrap_or(usual.state_data),
            intake_queues: named(intake_queues, '/'),
            worked: worked
                .into_iter()
                .map(|(name, asks)| (last(&name, ':').to_owned(), asks))
                .collect(),
        }
    }

    /// A list of texts, each of which fits.
    fn names(&mut self, key: &str, check: fn(&str) -> Result<(), &'static str>) -> Vec<String> {
        self.texts(key, self.values.get(key), |text| {
            check(text).map_err(str::to_owned)
        })
    }

    fn texts(
        &mut self,
        key: &str,
        given: Option<&Value>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Vec<String> {
        let entries = match given {
            None => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => {
                self.problem(key, "must be a list of texts: [\"…\", \"…\"]");
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let checked = entry
                .as_str()
                .ok_or_else(|| "must be text, in quotation marks".to_owned())
                .and_then(|text| check(text).map(|()| text.to_owned()));
            match checked {
                Ok(text) => texts.push(text),
                Err(message) => self.problem(format!("{key}[{index}]"), message),
            }
        }
        texts
    }

    /// A table, which may be left out.
    fn table<'v>(&mut self, key: &str, given: Option<&'v Value>) -> Option<&'v Map<String, Value>> {
        if let Value::Object(table) = given? {
            Some(table)
        } else {
            self.problem(key, format!("must be a table: [{key}]"));
            None
        }
    }

    /// A table of texts; numbers and truth values are meant as they are written.
    fn plain_table(&mut self, key: &str, given: Option<&Value>) -> Vec<(String, String)> {
        let mut entries = Vec::new();
        for (name, value) in self.table(key, given).into_iter().flatten() {
            match value {
                Value::String(_) | Value::Number(_) | Value::Bool(_) => {
                    entries.push((name.clone(), plain(value)));
                }
                _ => self.problem(format!("{key}.{name}"), "must be text, a number, true or false"),
            }
        }
        entries
    }

    fn substitutions(&mut self, key: &str, given: Option<&Value>) -> BTreeMap<String, String> {
        let entries = self.plain_table(key, given);
        for (name, _) in &entries {
            if !is_placeholder(name) {
                let message = "a name has letters, digits, and _ - . : only, and at least one";
                self.problem(format!("{key}.{name}"), message);
            }
        }
        entries.into_iter().collect()
    }

    fn workflows(&mut self) -> BTreeMap<String, Workflow> {
        const KNOWN: [&str; 2] = ["type", "substitutions"];
        let mut workflows = BTreeMap::new();
        for (name, value) in self
            .table("workflows", self.values.get("workflows"))
            .into_iter()
            .flatten()
        {
            let path = format!("workflows.{name}");
            let Some(table) = self.table(&path, Some(value)) else {
                continue;
            };
            self.only(&path, table, &KNOWN);
            let express = match table.get("type").map(Value::as_str) {
                None | Some(Some("STANDARD")) => false,
                Some(Some("EXPRESS")) => true,
                Some(_) => {
                    self.problem(format!("{path}.type"), "must be \"STANDARD\" or \"EXPRESS\"");
                    false
                }
            };
            let substitutions =
                self.substitutions(&format!("{path}.substitutions"), table.get("substitutions"));
            workflows.insert(
                name.clone(),
                Workflow {
                    express,
                    substitutions,
                },
            );
        }
        workflows
    }

    fn only(&mut self, path: &str, table: &Map<String, Value>, known: &[&str]) {
        for name in table.keys().filter(|name| !known.contains(&name.as_str())) {
            self.problem(format!("{path}.{name}"), unknown("key", nearest(name, known)));
        }
    }
}

/// The name in an address or an ARN, or the name itself: the same file may serve `serve`.
fn last(text: &str, separator: char) -> &str {
    text.rsplit(separator).next().unwrap_or_default()
}

fn named(texts: Vec<String>, separator: char) -> Vec<String> {
    texts
        .iter()
        .map(|text| last(text, separator).to_owned())
        .collect()
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
