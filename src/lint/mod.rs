//! Reading state machines as their authors wrote them, and finding what goes wrong with a state that waits for people.
//! Pure: text in, findings out. Called by `cli`. `docs/LINT.md` lists the rules.
//!
//! `json.rs` reads the text, `position.rs` knows where everything stands, `definition.rs` asks what Step Functions would
//! say, `machine.rs` and `call.rs` see the states and what they call, and `rules/` says what is wrong with that.

pub mod approval;
mod call;
mod definition;
mod json;
mod machine;
pub mod position;
mod rule;
mod rules;

pub use asl::MachineType;
pub use position::Position;
pub use rule::{Rule, Severity};

use position::Document;
use std::ops::Range;

/// Something that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What was looked for.
    pub rule: Rule,
    /// Where.
    pub position: Position,
    /// The line of the author's text.
    pub line: String,
    /// How many characters of that line are meant: at least one.
    pub width: usize,
    /// The state it is about, where there is one.
    pub state: Option<String>,
    /// What happens: a sentence.
    pub message: String,
    /// What to do about it: a sentence.
    pub help: String,
}

/// Everything that is wrong with a definition, in the order of its text. A `kind` that isn't known is STANDARD, the only
/// one in which a state can wait.
pub fn lint(text: &str, kind: MachineType) -> Vec<Finding> {
    let document = match Document::read(text) {
        Ok(document) => document,
        Err(error) => return vec![rules::not_json(text, &error)],
    };
    let mut findings = Findings {
        document: &document,
        found: Vec::new(),
    };
    rules::definition(&mut findings, kind);
    rules::waiting(&mut findings, kind);
    findings
        .found
        .sort_by_key(|finding| (finding.position, finding.rule));
    findings.found.dedup();
    findings.found
}

/// Collects what is found in a document.
struct Findings<'d> {
    document: &'d Document<'d>,
    found: Vec<Finding>,
}

impl Findings<'_> {
    /// `span` is in bytes.
    fn add(
        &mut self,
        rule: Rule,
        state: Option<&str>,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let position = self.document.position(span.start);
        let line = self.document.line(position.line);
        let meant = self.document.text.get(span.clone()).unwrap_or_default();
        let width = meant.lines().next().unwrap_or_default().chars().count().max(1);
        self.found.push(Finding {
            rule,
            position,
            line: line.to_owned(),
            width,
            state: state.map(str::to_owned),
            message: message.into(),
            help: help.into(),
        });
    }
}
