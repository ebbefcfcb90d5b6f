//! Retry and Catch: which errors a state that asks people can end with, who takes them, and who is asked again.

use super::super::call::{Call, CallKind};
use super::super::json::{Field, Node, quoted};
use super::super::machine::{self, Around, Given, State};
use super::super::{Findings, Rule};
use crate::domain::request_fields::nearest;

/// The decisions that are errors.
const REJECTED: &str = "Approval.Rejected";
const EXPIRED: &str = "Approval.Expired";
const CANCELLED: &str = "Approval.Cancelled";

/// Every error of Countersign's. `docs/GUIDE.md` says when each comes.
pub(super) const OURS: [&str; 5] = [
    REJECTED,
    EXPIRED,
    CANCELLED,
    "Approval.InvalidRequest",
    "Approval.Unavailable",
];

/// Every error of Step Functions' own.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>
const THEIRS: [&str; 17] = [
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

/// What a distributed Map fails with, whatever its children failed with.
const TOO_MANY_FAILED: &str = "States.ExceedToleratedFailureThreshold";

/// What a Retry may name around an approval.
const BEFORE_ANYBODY_IS_ASKED: &str = "Approval.Unavailable, Lambda.ServiceException, Lambda.SdkClientException and Lambda.TooManyRequestsException";

/// A rule of a Retry or a Catch.
#[derive(Clone, Copy)]
struct Handler<'d> {
    node: &'d Node,
    /// Whether it is in a Parallel or a Map.
    of_branches: bool,
}

impl<'d> Handler<'d> {
    fn all(state: &'d Node, list: &str) -> impl Iterator<Item = Self> + use<'d> {
        let of_branches = state.get("Type").and_then(Node::text) != Some("Task");
        let rules = state.get(list).map_or(&[][..], Node::entries).iter();
        rules.map(move |node| Self { node, of_branches })
    }

    fn errors(self) -> &'d [Node] {
        self.node.get("ErrorEquals").map_or(&[], Node::entries)
    }

    /// The entry that takes an error. As `crates/asl` has it: States.TaskFailed is any error but States.Timeout.
    fn takes(self, error: &str) -> Option<&'d Node> {
        self.errors().iter().find(|node| match node.text() {
            Some("States.ALL") => true,
            Some("States.TaskFailed") => !["States.Timeout", "States.HeartbeatTimeout"].contains(&error),
            Some("States.BranchFailed") => self.of_branches,
            Some("States.Timeout") => ["States.Timeout", "States.HeartbeatTimeout"].contains(&error),
            name => name == Some(error),
        })
    }

    /// Whether a Retry tries again at all.
    fn retries(self) -> bool {
        self.node.get("MaxAttempts").and_then(Node::number) != Some(0.0)
    }
}

/// Names in Retry and Catch that no error has.
pub(super) fn names(findings: &mut Findings<'_>) {
    let document = findings.document;
    for state in machine::states(&document.root) {
        let handlers = ["Retry", "Catch"]
            .into_iter()
            .flat_map(|list| Handler::all(state.node(), list));
        for node in handlers.flat_map(Handler::errors) {
            let Some(name) = node.text().filter(|name| !name.contains("${")) else {
                continue;
            };
            let (known, whose): (&[&str], _) = match name.to_lowercase() {
                lower if lower.starts_with("approval.") => (&OURS, "Countersign"),
                lower if lower.starts_with("states.") => (&THEIRS, "Step Functions"),
                _ => continue,
            };
            if known.contains(&name) {
                continue;
            }
            let near = near(name, known);
            // Step Functions may know more than we do; what is nearly a name that we know is a slip.
            if near.is_none() && whose != "Countersign" {
                continue;
            }
            let message = format!("{whose} has no error {}, so this takes nothing.", quoted(name));
            let help = match near {
                Some(near) => format!("Write {near}."),
                None => format!("The errors are {}.", known.join(", ")),
            };
            findings.add(Rule::UnknownError, Some(state.name()), &node.span, message, help);
        }
    }
}

/// The one of `known` that was probably meant, by what follows the dot.
fn near<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let end = |name: &'a str| name.split_once('.').map_or(name, |(_, end)| end);
    let ends: Vec<&str> = known.iter().copied().map(end).collect();
    let (_, word) = name.split_once('.')?;
    let folded = ends.iter().copied().find(|end| end.eq_ignore_ascii_case(word));
    let meant = folded.or_else(|| nearest(word, &ends))?;
    known.iter().copied().find(|name| end(name) == meant)
}

/// The decisions that the state ends with as errors.
fn decisions(call: &Call<'_>) -> Vec<&'static str> {
    let says = |field: &str, word: &str| call.given(field).and_then(Given::text) == Some(word);
    let mut errors = vec![CANCELLED];
    if !says("onReject", "succeed") {
        errors.push(REJECTED);
    }
    if can_expire(call) {
        errors.push(EXPIRED);
    }
    errors
}

/// Whether Approval.Expired can come, as far as one can see.
fn can_expire(call: &Call<'_>) -> bool {
    if call.request().is_none() {
        return true;
    }
    let fails = match call.given("onTimeout") {
        Some(Given::Known(field)) => field.value.text() == Some("fail"),
        Some(Given::Later(_)) | None => true,
    };
    call.given("timeoutSeconds").is_some() && fails
}

/// Errors in the Catch of a waiting state that can't arrive there.
pub(super) fn never_caught(findings: &mut Findings<'_>, call: &Call<'_>) {
    let state = Some(call.state.name());
    let handlers: Vec<Handler<'_>> = Handler::all(call.state.node(), "Catch").collect();
    for (n, handler) in handlers.iter().enumerate() {
        for (m, node) in handler.errors().iter().enumerate() {
            let Some(name) = node.text() else { continue };
            let before = handlers.iter().take(n).find_map(|handler| handler.takes(name));
            let before = before.or_else(|| {
                handler
                    .errors()
                    .iter()
                    .take(m)
                    .find(|earlier| earlier.text() == Some(name))
            });
            if let Some(taken) = before {
                let by = taken.text().unwrap_or_default();
                let line = findings.document.position(taken.span.start).line;
                let message = format!(
                    "{by} in line {line} has taken this error before: this rule is never reached for it."
                );
                findings.add(
                    Rule::NeverCaught,
                    state,
                    &node.span,
                    message,
                    "Put the rule that names more errors last.",
                );
            } else if let Some(why) = cannot_come(call, name) {
                let help = "Take it out, or mend what it was to be caught from.";
                findings.add(Rule::NeverCaught, state, &node.span, why, help);
            }
        }
    }
}

/// Why an error can't come from a waiting state, if so.
fn cannot_come(call: &Call<'_>, name: &str) -> Option<&'static str> {
    let asks = call.countersign && call.request().is_some();
    match name {
        REJECTED if asks && !decisions(call).contains(&REJECTED) => Some(
            r#"With "onReject": "succeed" a rejection is a result with "approved": false, and no error."#,
        ),
        EXPIRED if asks && call.given("timeoutSeconds").is_none() => {
            Some("Without timeoutSeconds the request has no deadline of its own, and never expires.")
        }
        EXPIRED if asks && !can_expire(call) => {
            Some("With this onTimeout the deadline is a result, and no error.")
        }
        "States.HeartbeatTimeout" if call.state.seconds("HeartbeatSeconds").is_none() => {
            Some("Without HeartbeatSeconds no heartbeat can be missing.")
        }
        _ => None,
    }
}

/// Where a decision leads: a Retry that takes it asks again; if nothing catches a rejection, the workflow fails.
pub(super) fn asked_again<'d>(findings: &mut Findings<'_>, calls: impl Iterator<Item = Call<'d>>) {
    for call in calls.filter(|call| call.kind == CallKind::Callback) {
        let mut errors = decisions(&call);
        let mut rejection = errors.contains(&REJECTED);
        retried(findings, &call.state, call.state.field, &errors);
        let caught = |state: &Node, error: &str| {
            Handler::all(state, "Catch").any(|handler| handler.takes(error).is_some())
        };
        errors.retain(|error| !caught(call.state.node(), error));
        rejection &= errors.contains(&REJECTED);
        for around in &call.state.around {
            if around.distributed && !errors.is_empty() {
                errors = vec![TOO_MANY_FAILED];
            }
            if !retried(findings, &call.state, around.field, &errors) {
                retried_beside(findings, &call.state, around);
            }
            errors.retain(|error| !caught(&around.field.value, error));
            rejection &= [REJECTED, TOO_MANY_FAILED]
                .iter()
                .any(|error| errors.contains(error));
        }
        if rejection {
            let message = "A rejection fails the workflow with Approval.Rejected: nothing catches it.";
            let help = r#"Catch Approval.Rejected, or send "onReject": "succeed" and look at "approved" in the result."#;
            findings.add(
                Rule::RejectionUncaught,
                Some(call.state.name()),
                &call.state.field.span,
                message,
                help,
            );
        }
    }
}

/// Whether the Retry of the state, or of one around it, takes any of these errors; each such entry is a finding.
fn retried(findings: &mut Findings<'_>, state: &State<'_>, holder: &Field, errors: &[&str]) -> bool {
    let mut entries: Vec<(&Node, Vec<&str>)> = Vec::new();
    for error in errors {
        // The first rule that names an error decides, even where it tries no more.
        let first =
            Handler::all(&holder.value, "Retry").find_map(|handler| Some((handler, handler.takes(error)?)));
        if let Some((_, entry)) = first.filter(|(handler, _)| handler.retries()) {
            match entries.iter_mut().find(|(node, _)| node.span == entry.span) {
                Some((_, taken)) => taken.push(error),
                None => entries.push((entry, vec![error])),
            }
        }
    }
    for (entry, mut taken) in entries.iter().cloned() {
        taken.sort_unstable();
        let taken = match taken.as_slice() {
            [TOO_MANY_FAILED] => "a decision that is an error".to_owned(),
            [one] => (*one).to_owned(),
            [before @ .., last] => format!("{} or {last}", before.join(", ")),
            [] => continue,
        };
        let again = if holder.span == state.field.span {
            "this Retry starts the state again".to_owned()
        } else {
            format!(
                "this Retry starts {} again, with {} in it",
                quoted(&holder.name),
                quoted(state.name())
            )
        };
        let message = format!("After {taken} {again}: everybody is asked once more what has been decided.");
        let help = format!("Retry only what comes before anybody is asked: {BEFORE_ANYBODY_IS_ASKED}.");
        findings.add(
            Rule::RetryAsksAgain,
            Some(state.name()),
            &entry.span,
            message,
            help,
        );
    }
    !entries.is_empty()
}

/// A Retry around the state that takes other errors: those of its neighbours.
fn retried_beside(findings: &mut Findings<'_>, state: &State<'_>, around: &Around<'_>) {
    let holder = around.field;
    let Some(field) = holder.value.field("Retry") else {
        return;
    };
    if !Handler::all(&holder.value, "Retry").any(Handler::retries) {
        return;
    }
    let message = format!(
        "When something else in {} fails, this Retry starts all of it again: {} asks everybody once more, answered or not.",
        quoted(&holder.name),
        quoted(state.name())
    );
    let help = "Move the Retry into the states whose errors it is for.";
    findings.add(Rule::RetryAround, Some(state.name()), &field.span, message, help);
}
