//! The functions in the configuration of `countersign local`: where each one's code is, and how it is run.

use super::super::read::Reader;
use super::Function;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// How long a function may take where nothing is said, as on AWS, and at most.
const TIMEOUT_SECONDS: i64 = 3;
const LONGEST_SECONDS: i64 = 900;
/// How many processes of a function run at most, where nothing is said, and at all.
const CONCURRENCY: i64 = 10;
const MOST_CONCURRENCY: i64 = 1000;
/// The names of the functions that are always there.
const OURS: [&str; 3] = ["countersign", "countersign-operations", "countersign-task-tools"];
const COMMAND_KEYS: [&str; 5] = [
    "command",
    "directory",
    "environment",
    "timeout_seconds",
    "concurrency",
];
pub(super) const FUNCTION_KEYS: [&str; 7] = [
    "command",
    "directory",
    "environment",
    "timeout_seconds",
    "concurrency",
    "url",
    "builtin",
];

impl Reader<'_> {
    pub(super) fn functions(&mut self, folder: &Path, builtins: &[&str]) -> BTreeMap<String, Function> {
        let mut functions = BTreeMap::new();
        for (name, value) in self
            .table("functions", self.values.get("functions"))
            .into_iter()
            .flatten()
        {
            let path = format!("functions.{name}");
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
                self.problem(&path, "a function's name has 1 to 64 letters, digits, - and _");
            } else if OURS.contains(&name.as_str()) {
                self.problem(
                    &path,
                    "is Countersign's own function, and always there; take another name",
                );
            }
            let function = self
                .table(&path, Some(value))
                .and_then(|table| self.function(&path, table, folder, builtins));
            functions.extend(function.map(|function| (name.clone(), function)));
        }
        functions
    }

    fn function(
        &mut self,
        path: &str,
        table: &Map<String, Value>,
        folder: &Path,
        builtins: &[&str],
    ) -> Option<Function> {
        self.only(path, table, &FUNCTION_KEYS);
        let kinds = ["command", "url", "builtin"].map(|kind| table.get(kind));
        let allowed: &[&str] = match kinds {
            [Some(_), None, None] => &COMMAND_KEYS,
            [None, Some(_), None] => &["url", "timeout_seconds"],
            [None, None, Some(_)] => &["builtin"],
            _ => {
                let message = "must have one of command (a program that speaks the Lambda runtime API), url, and builtin";
                self.problem(path, message);
                return None;
            }
        };
        for name in table.keys() {
            if FUNCTION_KEYS.contains(&name.as_str()) && !allowed.contains(&name.as_str()) {
                self.problem(
                    format!("{path}.{name}"),
                    format!("doesn't go with {}", allowed[0]),
                );
            }
        }
        let timeout = self.seconds(&format!("{path}.timeout_seconds"), table.get("timeout_seconds"));
        match kinds {
            [Some(command), ..] => {
                let command = self.texts(&format!("{path}.command"), Some(command), |_| Ok(()));
                if command.first().is_none_or(String::is_empty) {
                    let message =
                        "must be a list with a program first: [\"python3\", \"-m\", \"awslambdaric\", \"…\"]";
                    self.problem(format!("{path}.command"), message);
                    return None;
                }
                let directory = match table.get("directory") {
                    None => folder.to_owned(),
                    Some(Value::String(directory)) => folder.join(directory),
                    Some(_) => {
                        self.problem(format!("{path}.directory"), "must be text, in quotation marks");
                        return None;
                    }
                };
                if !directory.is_dir() {
                    let message = format!("{} is no folder", directory.display());
                    self.problem(format!("{path}.directory"), message);
                }
                let environment = self.plain_table(&format!("{path}.environment"), table.get("environment"));
                let concurrency = format!("{path}.concurrency");
                let concurrency = self.whole(
                    &concurrency,
                    table.get("concurrency"),
                    CONCURRENCY,
                    MOST_CONCURRENCY,
                );
                Some(Function::Command {
                    command: found(command, &directory),
                    directory,
                    environment,
                    timeout: timeout?,
                    concurrency: usize::try_from(concurrency?).ok()?,
                })
            }
            [_, Some(url), _] => {
                let fits = |url: &http::Uri| url.scheme_str() == Some("http") && url.host().is_some();
                let url = url.as_str().filter(|url| url.parse().is_ok_and(|url| fits(&url)));
                if url.is_none() {
                    self.problem(
                        format!("{path}.url"),
                        "must be an address without TLS, such as \"http://127.0.0.1:3000/\"",
                    );
                }
                Some(Function::Url {
                    url: url?.to_owned(),
                    timeout: timeout?,
                })
            }
            [_, _, builtin] => {
                let name = builtin.and_then(Value::as_str).unwrap_or_default();
                if !builtins.contains(&name) {
                    let message = format!("must be one of the samples: {}", builtins.join(", "));
                    self.problem(format!("{path}.builtin"), message);
                }
                Some(Function::Builtin(name.to_owned()))
            }
        }
    }

    fn seconds(&mut self, key: &str, given: Option<&Value>) -> Option<Duration> {
        let seconds = self.whole(key, given, TIMEOUT_SECONDS, LONGEST_SECONDS)?;
        u64::try_from(seconds).ok().map(Duration::from_secs)
    }

    fn whole(&mut self, key: &str, given: Option<&Value>, usual: i64, most: i64) -> Option<i64> {
        let Some(given) = given else {
            return Some(usual);
        };
        let number = given.as_i64().filter(|number| (1..=most).contains(number));
        if number.is_none() {
            self.problem(key, format!("must be a whole number from 1 to {most}"));
        }
        number
    }
}

/// A program that is named by a relative path is meant from where it runs, on every system.
fn found(mut command: Vec<String>, directory: &Path) -> Vec<String> {
    let program = Path::new(&command[0]);
    if program.is_relative() && program.components().count() > 1 {
        let program = program.strip_prefix(".").unwrap_or(program);
        command[0] = directory.join(program).to_string_lossy().into_owned();
    }
    command
}
