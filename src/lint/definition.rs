//! What Step Functions would say of the definition: `crates/asl` reads it, with something plausible in place of what is
//! only known when it is deployed; what it then says of such a place is left out.

use super::json::{Kind, Node};
use super::position::Document;
use asl::{Definition, Diagnostic, MachineType};
use serde_json::{Value, json};
use std::ops::Range;

/// Something that is wrong, and where: in bytes.
pub(super) struct Wrong {
    pub(super) diagnostic: Diagnostic,
    pub(super) span: Range<usize>,
}

/// The fields that lead from state to state, whose names may be put together by substitutions themselves.
const TARGETS: [&str; 3] = ["StartAt", "Next", "Default"];

/// Everything that is wrong.
pub(super) fn check(document: &Document<'_>, kind: MachineType) -> Vec<Wrong> {
    let text = document.root.value("", &mut stand_in).to_string();
    let Err(invalid) = Definition::parse_as(&text, kind) else {
        return Vec::new();
    };
    let mut unknown = Unknown::default();
    unknown.collect("", &document.root);
    let found = invalid.diagnostics.into_iter().filter_map(|diagnostic| {
        let span = document.spoken_of(&diagnostic);
        (!unknown.excuses(&diagnostic, &span)).then_some(Wrong { diagnostic, span })
    });
    found.collect()
}

/// What stands for a value that holds `${Name}`.
fn stand_in(name: &str, node: &Node) -> Option<Value> {
    match &node.kind {
        Kind::Substitution(_) => Some(match name {
            "HeartbeatSeconds" => json!(1),
            "Retry" | "Catch" | "Choices" | "Branches" => json!([]),
            "ErrorEquals" => json!(["Any"]),
            "End" => json!(true),
            "Parameters" | "Arguments" | "ResultSelector" | "ItemSelector" | "Assign" => json!({}),
            // Within the bounds of every number of seconds and attempts.
            _ => json!(99_999_999),
        }),
        Kind::Text(text) if text.contains("${") && !TARGETS.contains(&name) => Some(match name {
            "Resource" => resource(text).into(),
            "QueryLanguage" => "JSONPath".into(),
            _ => filled(text, "x").into(),
        }),
        _ => None,
    }
}

/// `text` with something in place of each `${Name}`.
fn filled(text: &str, put: &str) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${")
        && let Some((_, after)) = after.split_once('}')
    {
        filled += before;
        filled += put;
        rest = after;
    }
    filled + rest
}

/// An ARN with its unknown parts: a function's, where nothing of it is known.
fn resource(text: &str) -> String {
    const MARK: &str = "\u{1}";
    let marked = filled(text, MARK);
    if !marked.starts_with("arn:") {
        return "arn:aws:lambda:us-east-1:123456789012:function:f".into();
    }
    let parts = marked.split(':').enumerate().map(|(n, part)| {
        part.replace(
            MARK,
            match n {
                1 => "aws",
                3 => "us-east-1",
                4 => "123456789012",
                _ => "x",
            },
        )
    });
    parts.collect::<Vec<_>>().join(":")
}

/// The places of which only the deployment knows what stands there.
#[derive(Default)]
struct Unknown {
    texts: Vec<Range<usize>>,
    values: Vec<Range<usize>>,
    /// Whether one of them decides which states lead where.
    transitions: bool,
}

impl Unknown {
    fn collect(&mut self, name: &str, node: &Node) {
        match &node.kind {
            Kind::Substitution(_) => {
                self.values.push(node.span.clone());
                let decides = ["States", "Branches", "Choices", "Catch", "End", "Type"];
                self.transitions |= decides.contains(&name) || TARGETS.contains(&name);
            }
            Kind::Text(text) if text.contains("${") => {
                self.texts.push(node.span.clone());
                self.transitions |= TARGETS.contains(&name) || name == "Type";
            }
            Kind::List(entries) => entries.iter().for_each(|entry| self.collect(name, entry)),
            Kind::Object(fields) => fields.iter().for_each(|field| {
                // A field's place is its name's: from there on, the value is meant.
                let before = (self.texts.len(), self.values.len());
                self.collect(&field.name, &field.value);
                let own = |span: &Range<usize>| *span == field.value.span;
                if self.texts.get(before.0).is_some_and(own) {
                    self.texts[before.0].start = field.span.start;
                }
                if self.values.get(before.1).is_some_and(own) {
                    self.values[before.1].start = field.span.start;
                }
            }),
            _ => {}
        }
    }

    /// Whether a diagnostic speaks of what may not be so once it is deployed.
    fn excuses(&self, diagnostic: &Diagnostic, span: &Range<usize>) -> bool {
        let of = |places: &[Range<usize>]| {
            places
                .iter()
                .any(|place| place.start <= span.start && span.end <= place.end)
        };
        // A text stays a text, whatever is put into it.
        let of_another_type = diagnostic.message.starts_with("Expected value of type");
        let about_transitions = ["MISSING_TRANSITION_TARGET", "MISSING_END_STATE"].contains(&diagnostic.code);
        of(&self.values) || (of(&self.texts) && !of_another_type) || (about_transitions && self.transitions)
    }
}
