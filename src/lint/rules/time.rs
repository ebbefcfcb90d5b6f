//! How long a state waits, and what notices that nobody listens.

use super::super::call::{Call, Payload};
use super::super::json::{Kind, Node};
use super::super::machine::Given;
use super::super::{Findings, Rule};

/// The longest that an execution lives, in seconds.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const YEAR: f64 = 31_536_000.0;

/// Nothing ends the wait but the end of the execution, after a year.
pub(super) fn timeout(findings: &mut Findings<'_>, call: &Call<'_>) {
    let state = &call.state;
    let has = |name| state.seconds(name).is_some();
    // A machine's own TimeoutSeconds ends everything in it; executions of their own don't hear of it.
    let around = state
        .root
        .get("TimeoutSeconds")
        .is_some_and(|node| node.kind != Kind::Null);
    let apart = state.around.iter().any(|around| around.distributed);
    // Countersign keeps its own deadline, as long as it lives, and heartbeats say that it does. With anybody else the
    // first beat that is missing ends the wait.
    let by_heartbeat =
        has("HeartbeatSeconds") && (!call.countersign || call.given("timeoutSeconds").is_some());
    let later = matches!(call.payload, Payload::Later) && call.countersign && has("HeartbeatSeconds");
    if has("TimeoutSeconds") || (around && !apart) || by_heartbeat || later {
        return;
    }
    let message = if call.countersign && call.given("timeoutSeconds").is_some() {
        "Without TimeoutSeconds this state waits for up to a year if Countersign can't end it."
    } else {
        "Without TimeoutSeconds this state waits for up to a year if nobody answers."
    };
    let help = "Give it TimeoutSeconds, and catch States.Timeout.";
    findings.add(
        Rule::NoTimeout,
        Some(state.name()),
        &state.field.span,
        message,
        help,
    );
}

/// A time that no execution lives to see.
pub(super) fn too_long(findings: &mut Findings<'_>, call: &Call<'_>) {
    let Some(Given::Known(field)) = call.state.seconds("TimeoutSeconds") else {
        return;
    };
    if field.value.number().is_some_and(|seconds| seconds > YEAR) {
        let message = "An execution ends after a year (31,536,000 seconds), and takes this state with it before its time.";
        let help = "Choose a shorter time, which the workflow can catch.";
        findings.add(Rule::TooLong, Some(call.state.name()), &field.span, message, help);
    }
}

/// The state times out before the request does: then nobody is told who was missing.
pub(super) fn deadline_order(findings: &mut Findings<'_>, call: &Call<'_>) {
    let Some(asked) = call.given("timeoutSeconds") else {
        return;
    };
    let state = &call.state;
    let own = state.seconds("TimeoutSeconds").and_then(Given::number);
    let machine = state.root.get("TimeoutSeconds").and_then(Node::number);
    let (limit, whose) = match (own, machine) {
        (Some(own), Some(machine)) if machine < own => (machine, "the machine's"),
        (Some(own), _) => (own, "the state's"),
        (None, Some(machine)) => (machine, "the machine's"),
        (None, None) => return,
    };
    if asked.number().is_some_and(|asked| asked >= limit) {
        let message = format!(
            "People are given until after {whose} TimeoutSeconds of {limit}: the state fails with States.Timeout first, and nobody is told who was missing."
        );
        let help = "Give the request less time than the state, by some minutes.";
        findings.add(
            Rule::DeadlineOrder,
            Some(state.name()),
            &asked.field().span,
            message,
            help,
        );
    }
}

/// The state's HeartbeatSeconds and the request's heartbeatSeconds are one agreement.
pub(super) fn heartbeat(findings: &mut Findings<'_>, call: &Call<'_>) {
    let name = Some(call.state.name());
    let asked = call.given("heartbeatSeconds");
    match (call.state.seconds("HeartbeatSeconds"), asked) {
        (Some(state), Some(asked)) => {
            let (Some(expected), Some(sent)) = (state.number(), asked.number()) else {
                return;
            };
            // Both are whole.
            if (expected - sent).abs() >= 1.0 {
                let message = format!(
                    "The state expects a heartbeat every {expected} seconds; Countersign is told that it needs one every {sent}."
                );
                let help = "Give both the same number: Countersign sends three beats in that time.";
                findings.add(Rule::Heartbeat, name, &asked.field().span, message, help);
            }
        }
        (Some(state), None) if call.request().is_some() => {
            let message = "Countersign isn't asked for heartbeats: the state fails with States.HeartbeatTimeout when the first is missing.";
            let help = "Send the same number as heartbeatSeconds, or take HeartbeatSeconds out.";
            findings.add(Rule::Heartbeat, name, &state.field().span, message, help);
        }
        (None, Some(asked)) => {
            let message = "Countersign sends heartbeats, and this state doesn't look for them.";
            let help = "Give the state the same number as HeartbeatSeconds.";
            findings.add(Rule::HeartbeatUnused, name, &asked.field().span, message, help);
        }
        (None, None) if call.request().is_some() => {
            let message = "Should the service be gone, this state notices when it times out, and not before.";
            let help = "Give it HeartbeatSeconds of 600, say, and the request the same as heartbeatSeconds.";
            findings.add(Rule::NoHeartbeat, name, &call.state.field.span, message, help);
        }
        _ => {}
    }
}

/// Polling gives a token once: a worker that dies with it, or whose reply is lost, is never missed.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html>
pub(super) fn activity_loss(findings: &mut Findings<'_>, call: &Call<'_>) {
    let heartbeat = call.state.seconds("HeartbeatSeconds").is_some();
    let retries = call
        .state
        .node()
        .get("Retry")
        .is_some_and(|retry| !matches!(&retry.kind, Kind::List(list) if list.is_empty()));
    if heartbeat && retries {
        return;
    }
    let message = "A worker takes the token from an activity once: if it is lost on the way, the state waits until it times out.";
    let help = if heartbeat {
        "Retry States.Timeout, so that the task is offered again."
    } else {
        "Give it HeartbeatSeconds, let the worker send heartbeats, and retry States.Timeout."
    };
    findings.add(
        Rule::ActivityLoss,
        Some(call.state.name()),
        &call.state.field.span,
        message,
        help,
    );
}
