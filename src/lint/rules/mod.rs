//! What is wrong with a definition: each rule is a function that looks at one thing.

mod errors;
mod request;
mod time;
mod token;

use super::call::{Call, CallKind};
use super::json::quoted;
use super::machine::{self, State};
use super::position::{Document, SyntaxError};
use super::{Finding, Findings, Rule, definition as validation};
use asl::MachineType;

/// The one finding of a text that is no JSON.
pub(super) fn not_json(text: &str, error: &SyntaxError) -> Finding {
    Finding {
        rule: Rule::Json,
        position: error.position,
        line: text
            .lines()
            .nth(error.position.line - 1)
            .unwrap_or_default()
            .to_owned(),
        width: 1,
        state: None,
        message: "This is no JSON; nothing else can be looked at.".into(),
        help: sentence(&error.message),
    }
}

/// What is wrong whether or not anything waits.
pub(super) fn definition(findings: &mut Findings<'_>, kind: MachineType) {
    let document = findings.document;
    for (first, again) in document.duplicates() {
        let line = document.position(first.span.start).line;
        let message = format!("This field stands in line {line} already; only one of the two counts.");
        findings.add(
            Rule::DuplicateField,
            None,
            &again.span,
            message,
            "Remove one, or give it another name.",
        );
    }
    for wrong in validation::check(document, kind) {
        let diagnostic = &wrong.diagnostic;
        // Told by rules of their own, with what to do.
        let about_waiting = ["'.waitForTaskToken'", "Activity ARN"]
            .iter()
            .any(|words| diagnostic.message.contains(words));
        if kind == MachineType::Express && about_waiting {
            continue;
        }
        let state = state_at(document, wrong.span.start);
        let state = state.as_ref().map(State::name);
        let said = sentence(diagnostic.message.trim());
        if diagnostic.code == "NOT_SUPPORTED" {
            let message = "AWS runs this; `countersign local` does not.";
            findings.add(Rule::NotLocal, state, &wrong.span, message, said);
        } else {
            let message = format!("Step Functions refuses this definition: {}.", diagnostic.code);
            findings.add(Rule::Definition, state, &wrong.span, message, said);
        }
    }
}

/// The innermost state in which a byte stands.
fn state_at<'d>(document: &'d Document<'_>, at: usize) -> Option<State<'d>> {
    let states = machine::states(&document.root).into_iter();
    let around = states.filter(|state| (state.field.span.start..state.node().span.end).contains(&at));
    around.max_by_key(|state| state.around.len())
}

/// What is wrong with states that wait, and with those that should.
pub(super) fn waiting(findings: &mut Findings<'_>, kind: MachineType) {
    let document = findings.document;
    let calls = || machine::states(&document.root).into_iter().filter_map(Call::of);
    errors::names(findings);
    for call in calls() {
        token::not_waiting(findings, &call);
    }
    for call in calls().filter(Call::waits) {
        express(findings, &call, kind);
        time::timeout(findings, &call);
        time::too_long(findings, &call);
        match call.kind {
            CallKind::Activity => time::activity_loss(findings, &call),
            _ => token::sent(findings, &call),
        }
        if call.countersign {
            token::name(findings, &call);
            time::deadline_order(findings, &call);
            time::heartbeat(findings, &call);
            request::refused(findings, &call);
            request::execution(findings, &call);
        }
        errors::never_caught(findings, &call);
    }
    errors::asked_again(findings, calls().filter(|call| call.waits() && call.countersign));
}

/// Nothing waits in an EXPRESS execution: it lives five minutes, and has no task tokens.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html>
fn express(findings: &mut Findings<'_>, call: &Call<'_>, kind: MachineType) {
    let Some((resource, _)) = call.state.resource() else {
        return;
    };
    let inner = call.state.around.iter().find(|around| around.express);
    let (message, help) = match inner {
        Some(map) => (
            format!(
                "{} runs what stands in it as EXPRESS executions, in which nothing can wait.",
                quoted(&map.field.name)
            ),
            "Set its ExecutionType to STANDARD.",
        ),
        None if kind == MachineType::Express => (
            "This machine is EXPRESS, and nothing can wait in it.".to_owned(),
            "Make it STANDARD, or move the waiting into a STANDARD machine that this one starts.",
        ),
        None => return,
    };
    findings.add(
        Rule::Express,
        Some(call.state.name()),
        &resource.span,
        message,
        help,
    );
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let sentence: String = first.chain(letters).collect();
    if sentence.ends_with(['.', '!', '?']) {
        sentence
    } else {
        sentence + "."
    }
}
