//! Checking the configuration of `serve`. Everything that is missing or wrong is told at once, by its key and with what
//! to do about it. What the keys mean is in docs/OPERATIONS.md; the keys that are secrets are read in `keys.rs`.

use super::Config;
use super::reference::{Fetched, Reference, Secret};
use super::source::{self, Origins, Problem, nearest, unknown, variable};
use super::ways::check_queue_url;
use crate::domain::api_key::{ApiKey, Scope};
use crate::domain::digest::Sha256;
use crate::domain::request::check_email;
use crate::domain::request_fields::check_line;
use crate::domain::signer::Person;
use crate::intake::invoke::Function;
use jiff::SignedDuration;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

/// What `serve` is started with.
#[derive(Clone, Debug)]
pub struct Serve {
    /// Where pages and API listen.
    pub listen: SocketAddr,
    /// For a function: the address of the queue whose messages wake it.
    pub wake_queue: Option<String>,
    /// For a function: what it does.
    pub function: Function,
    /// Everything else.
    pub config: Config,
}

/// What the program is started as: it decides what has to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Runs {
    /// A service, which programs ask over HTTP: with no API key nobody could.
    Service,
    /// A Lambda function, which workflows invoke: AWS says who may.
    Function,
}

/// What is wrong with a configuration: all of it, a line each.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the configuration can't be used:{}", .0.iter().map(|p| format!("\n  {}: {}", p.key, p.message)).collect::<Vec<_>>().concat())]
pub struct ConfigError(pub(super) Vec<Problem>);

impl ConfigError {
    /// What is wrong: each key, or variable, with what is wrong about it and what to do. Never a secret.
    pub fn problems(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|problem| (problem.key.as_str(), problem.message.as_str()))
    }
}

/// Reads a file's contents: [`std::fs::read`], or what a test has.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> std::io::Result<Vec<u8>>;

/// Looks at values, and gathers what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) values: &'a Map<String, Value>,
    pub(super) origins: &'a Origins,
    pub(super) fetched: &'a Fetched,
    pub(super) read_file: ReadFile<'a>,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn serve(&mut self, runs: Runs) -> Option<Serve> {
        let public_url = self.required(
            "public_url",
            "where signers reach the pages, such as \"https://sign.example.com\"",
        );
        let public_url = self.checked("public_url", public_url, check_url);
        let listen = self.text_or_default("listen");
        let listen = self.checked("listen", listen, |text| {
            text.parse::<SocketAddr>()
                .map_err(|_| "must be an address and a port, such as \"0.0.0.0:8080\"".to_owned())
        });
        let organisation = self.required("organisation", "who asks, as signers read it: \"Example Ltd\"");
        let organisation = self.checked("organisation", organisation, check_organisation);
        let time_zone = self.text_or_default("time_zone");
        let time_zone = self.checked("time_zone", time_zone, check_time_zone);
        let table = self.required("table", "the name of the DynamoDB table");
        let table = self.checked("table", table, check_table);
        let mail_from = self.required(
            "mail_from",
            "what mails are sent from, an identity of SES: \"Approvals <approvals@example.com>\"",
        );
        let mail_from = self.checked("mail_from", mail_from, check_mail_from);
        let (mail_configuration_set, mail_topics) = self.mail_events();
        let look_every = self.number("look_every_seconds", 1, 3600);
        let master_key = self.master_key();
        let older_keys = self.older_keys();
        let evidence_seed = self.key(
            "evidence_key",
            "the key that signs evidence, 32 bytes; make one with: openssl rand -base64 32 > evidence.key",
        );
        let people = self.people();
        let api_keys = self.api_keys(runs);
        let wake_queue = self.text("wake_queue");
        let wake_queue = self.checked("wake_queue", wake_queue, |url| {
            check_queue_url(&url).map(|()| url)
        });
        let function = self.which_function();
        let state_data = self.state_data(None);
        let ways = self.ways(&people);
        Some(Serve {
            listen: listen?,
            wake_queue,
            function,
            config: Config {
                public_url: public_url?,
                organisation: organisation?,
                time_zone: time_zone?,
                table: table?,
                mail_from: mail_from?,
                mail_configuration_set,
                mail_topics,
                people,
                look_every: SignedDuration::from_secs(look_every?),
                master_key: master_key?,
                older_keys,
                evidence_seed: evidence_seed?,
                api_keys,
                ways,
                state_data,
            },
        })
    }

    /// Which function it is: what workflows ask, the operators' or that for tasks.
    fn which_function(&mut self) -> Function {
        match self.text("operations").as_deref() {
            None | Some("off") => Function::Intake,
            Some("on") => Function::Operations,
            Some("task-tools") => Function::TaskTools,
            Some(_) => {
                self.problem("operations", "must be \"on\", \"off\" or \"task-tools\"");
                Function::Intake
            }
        }
    }

    pub(super) fn people(&mut self) -> Vec<Person> {
        let mut people = Vec::new();
        for (path, map) in self.list("people") {
            let field = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default();
            let name = check_line(field("name"), 100);
            let email = check_email(field("email"));
            match (name, email) {
                (Ok(name), Ok(email)) => people.push(Person {
                    name,
                    email: Some(email),
                }),
                (name, email) => {
                    for (field, problem) in [("name", name.err()), ("email", email.err())] {
                        if let Some(message) = problem {
                            self.problem(format!("{path}.{field}"), message);
                        }
                    }
                }
            }
        }
        people
    }

    fn api_keys(&mut self, runs: Runs) -> Vec<ApiKey> {
        let before = self.problems.len();
        let mut keys: Vec<ApiKey> = Vec::new();
        for (path, map) in self.list("api_keys") {
            let field = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default();
            let id = check_line(field("id"), 64);
            if let Err(message) = &id {
                self.problem(format!("{path}.id"), message.as_str());
            } else if keys.iter().any(|key| key.id == field("id")) {
                self.problem(format!("{path}.id"), "is the id of another key");
            }
            let hash = field("sha256");
            let sha256 = Sha256::parse(hash).or_else(|| Sha256::parse(&format!("sha256:{hash}")));
            if sha256.is_none() {
                self.problem(
                    format!("{path}.sha256"),
                    "must be the 64 hexadecimal digits that `countersign keys new` printed, not the key itself",
                );
            }
            let scopes = self.scopes(&path, map.get("scopes"));
            if let (Ok(id), Some(sha256)) = (id, sha256) {
                keys.push(ApiKey { id, sha256, scopes });
            }
        }
        if keys.is_empty() && self.problems.len() == before && runs == Runs::Service {
            self.problem(
                "api_keys",
                "there are none, so nobody could ask for an approval; run `countersign keys new --id NAME`, keep the \
                 key that it prints, and put the lines for the configuration here",
            );
        }
        keys
    }

    fn scopes(&mut self, path: &str, given: Option<&Value>) -> BTreeSet<Scope> {
        let known = Scope::ALL.map(Scope::name);
        let mut scopes = BTreeSet::new();
        for name in given.and_then(Value::as_array).into_iter().flatten() {
            let name = plain(name);
            match Scope::parse(&name) {
                Some(scope) => drop(scopes.insert(scope)),
                None => self.problem(format!("{path}.scopes"), unknown("scope", nearest(&name, &known))),
            }
        }
        if scopes.is_empty() {
            let message = format!("must be a list of scopes: {}", known.join(", "));
            self.problem(format!("{path}.scopes"), message);
        }
        scopes
    }

    /// The tables of a list, each with its path. Anything in them that isn't known is a problem.
    pub(super) fn list(&mut self, key: &str) -> Vec<(String, Map<String, Value>)> {
        let known = source::fields(key);
        let fetched;
        let entries = match self.values.get(key) {
            None => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(Value::String(text)) if Reference::parse(text).is_some() => {
                let Some(secret) = self.referred(key, text) else {
                    return Vec::new();
                };
                let Ok(entries) = serde_json::from_slice(secret.expose()) else {
                    self.problem(key, format!("{text} isn't a list in JSON: [{{\"…\": \"…\"}}]"));
                    return Vec::new();
                };
                fetched = entries;
                &fetched
            }
            Some(_) => {
                self.problem(key, format!("must be a list; in the file: [[{key}]]"));
                return Vec::new();
            }
        };
        let mut tables = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let path = format!("{key}[{index}]");
            let Value::Object(map) = entry else {
                self.problem(path, "must be a table");
                continue;
            };
            for name in map.keys().filter(|name| !known.contains(&name.as_str())) {
                self.problem(format!("{path}.{name}"), unknown("key", nearest(name, known)));
            }
            tables.push((path, map.clone()));
        }
        tables
    }

    /// The secret that a text refers to; `None`, with a problem, if there is none.
    pub(super) fn referred(&mut self, key: &str, text: &str) -> Option<Secret> {
        match Reference::parse(text)? {
            Ok(reference) => match self.fetched.get(&reference) {
                Some(Ok(secret)) => Some(secret.clone()),
                Some(Err(message)) => {
                    self.problem(key, format!("{reference} {message}"));
                    None
                }
                None => {
                    self.problem(key, format!("{reference} can't be looked up here"));
                    None
                }
            },
            Err(message) => {
                self.problem(key, message);
                None
            }
        }
    }

    fn text_or_default(&mut self, key: &str) -> Option<String> {
        self.text(key).or_else(|| source::default(key).map(str::to_owned))
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        if let Value::String(text) = self.values.get(key)? {
            Some(text.clone())
        } else {
            self.problem(key, "must be text, in quotation marks");
            None
        }
    }

    fn required(&mut self, key: &str, what: &str) -> Option<String> {
        if !self.values.contains_key(key) {
            self.problem(key, format!("is missing: {what} (or {})", variable(key)));
        }
        self.text(key)
    }

    pub(super) fn number(&mut self, key: &str, min: i64, max: i64) -> Option<i64> {
        let given = self.values.get(key).map(plain);
        let number = given
            .as_deref()
            .or_else(|| source::default(key))
            .unwrap_or_default()
            .parse()
            .ok()
            .filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.problem(key, format!("must be a number from {min} to {max}"));
        }
        number
    }

    pub(super) fn checked<T>(
        &mut self,
        key: &str,
        text: Option<String>,
        check: impl Fn(String) -> Result<T, String>,
    ) -> Option<T> {
        check(text?).map_err(|message| self.problem(key, message)).ok()
    }

    pub(super) fn problem(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(key, message));
    }
}

/// Text or number, as text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn check_url(text: String) -> Result<String, String> {
    let url: Option<http::Uri> = text.parse().ok();
    let fits = url.is_some_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.host().is_some_and(|host| !host.is_empty())
            && url.query().is_none()
            // A fragment is dropped by the parser.
            && !text.contains('#')
            && !url
                .authority()
                .is_some_and(|authority| authority.as_str().contains('@'))
    });
    // A mailed link has at most 120 characters, of which 50 are its own.
    if fits && text.len() <= 70 {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("must be an address of at most 70 characters, such as \"https://sign.example.com\"".to_owned())
    }
}

pub(super) fn check_table(text: String) -> Result<String, String> {
    let named = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let fits = (3..=255).contains(&text.len()) && text.chars().all(named);
    if fits || text.starts_with("arn:aws") {
        Ok(text)
    } else {
        Err("must be a table's name: 3 to 255 letters, digits, and _ . -".to_owned())
    }
}

pub(super) fn check_organisation(text: String) -> Result<String, String> {
    check_line(&text, 100)
}

pub(super) fn check_time_zone(text: String) -> Result<String, String> {
    match jiff::tz::TimeZone::get(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err("isn't a time zone; write it like \"Europe/Berlin\"".to_owned()),
    }
}

pub(super) fn check_mail_from(text: String) -> Result<String, String> {
    let line = check_line(&text, 320)?;
    let address = match line.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => &line,
    };
    match check_email(address) {
        Ok(_) => Ok(line),
        Err(message) => Err(message.replace("bob@example.com", "\"Approvals <approvals@example.com>\"")),
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
