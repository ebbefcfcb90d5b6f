//! `countersign lint`: reads state machines and prints what it finds. The rules are in `src/lint/`.

mod report;

use super::Failure;
use super::terminal::say;
use crate::lint::{Finding, MachineType, Rule, Severity, lint};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file beside the workflows that says of which type they are.
const CONFIGURATION: &str = "countersign.toml";

/// How a state machine's file is called.
const DEFINITION: &str = ".asl.json";

/// Find what goes wrong with the waiting states of state machines
///
/// Errors, warnings and advice, each with file, line and column. Exits with 1 if there are errors or warnings, with 2 if
/// something can't be read. docs/LINT.md explains the rules.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// State machines: files, folders with *.asl.json, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Don't look for this, such as no-heartbeat; may be given several times
    #[arg(long, value_name = "RULE", value_parser = rule)]
    allow: Vec<Rule>,
    /// The machines' type, where countersign.toml beside them doesn't say it
    #[arg(long = "type", value_name = "TYPE", ignore_case = true)]
    kind: Option<Type>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A machine's type.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Type {
    Standard,
    Express,
}

impl From<Type> for MachineType {
    fn from(kind: Type) -> Self {
        match kind {
            Type::Standard => Self::Standard,
            Type::Express => Self::Express,
        }
    }
}

fn rule(id: &str) -> Result<Rule, String> {
    Rule::parse(id).ok_or_else(|| {
        let all: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        format!("the rules are {}", all.join(", "))
    })
}

impl Lint {
    /// Runs it to its end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut unreadable = Vec::new();
        let mut files = Vec::new();
        for path in self.machines(&mut unreadable) {
            let read = read(&path).and_then(|text| Ok((text, self.kind_of(&path)?)));
            match read {
                Ok((text, kind)) => files.push((shown(&path), self.findings(&text, kind))),
                Err(why) => unreadable.push(format!("{}: {why}", shown(&path))),
            }
        }
        let counts = Counts::of(files.iter().flat_map(|(_, findings)| findings));
        if self.json {
            print_json(&files, &counts);
        } else {
            for (file, findings) in &files {
                for finding in findings {
                    say(&report::finding(file, finding));
                }
            }
            if !files.is_empty() {
                say(&report::summary(&counts, files.len()));
            }
        }
        if !unreadable.is_empty() {
            return Err(Failure::usage(unreadable.join("\n")));
        }
        if counts.errors + counts.warnings > 0 {
            return Err(Failure::told());
        }
        Ok(())
    }

    fn findings(&self, text: &str, kind: MachineType) -> Vec<Finding> {
        let mut findings = lint(text, kind);
        findings.retain(|finding| !self.allow.contains(&finding.rule));
        findings
    }

    /// The files, with those that folders hold.
    fn machines(&self, unreadable: &mut Vec<String>) -> Vec<PathBuf> {
        let mut machines = Vec::new();
        for path in &self.files {
            if !path.is_dir() {
                machines.push(path.clone());
                continue;
            }
            match definitions_in(path) {
                Ok(found) if found.is_empty() => {
                    unreadable.push(format!(
                        "{}: there is no *{DEFINITION} in this folder",
                        path.display()
                    ));
                }
                Ok(found) => machines.extend(found),
                Err(error) => unreadable.push(format!("{}: {error}", path.display())),
            }
        }
        machines
    }

    /// The type that the command line says, or the configuration beside the file.
    fn kind_of(&self, path: &Path) -> Result<MachineType, String> {
        if let Some(kind) = self.kind {
            return Ok(kind.into());
        }
        let name = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(DEFINITION));
        let file = path.with_file_name(CONFIGURATION);
        let (Some(name), Ok(text)) = (name, std::fs::read_to_string(&file)) else {
            return Ok(MachineType::Standard);
        };
        let unusable = |why: &str| format!("its type stands in {}, which {why}", file.display());
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| unusable(&format!("isn't TOML: {}", error.message())))?;
        match table.get("workflows").and_then(|all| all.get(name)?.get("type")) {
            None => Ok(MachineType::Standard),
            Some(kind) => match kind.as_str() {
                Some("STANDARD") => Ok(MachineType::Standard),
                Some("EXPRESS") => Ok(MachineType::Express),
                _ => Err(unusable("has to say STANDARD or EXPRESS")),
            },
        }
    }
}

fn definitions_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(DEFINITION) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn shown(path: &Path) -> String {
    if is_standard_input(path) {
        "standard input".into()
    } else {
        path.display().to_string()
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = if is_standard_input(path) {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

/// How many there are of each kind.
#[derive(Debug, Default)]
struct Counts {
    errors: usize,
    warnings: usize,
    advice: usize,
}

impl Counts {
    fn of<'a>(findings: impl Iterator<Item = &'a Finding>) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            match finding.rule.severity() {
                Severity::Error => counts.errors += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Advice => counts.advice += 1,
            }
        }
        counts
    }
}

fn print_json(files: &[(String, Vec<Finding>)], counts: &Counts) {
    let findings = files.iter().flat_map(|(file, findings)| {
        findings.iter().map(move |finding| {
            json!({
                "file": file,
                "line": finding.position.line,
                "column": finding.position.column,
                "rule": finding.rule.id(),
                "severity": finding.rule.severity().to_string(),
                "state": finding.state,
                "message": finding.message,
                "help": finding.help,
            })
        })
    });
    let all = json!({
        "findings": findings.collect::<Vec<_>>(),
        "files": files.len(),
        "errors": counts.errors,
        "warnings": counts.warnings,
        "advice": counts.advice,
    });
    say(&format!("{all:#}"));
}
