//! The task token: whoever doesn't get it can't answer.

use super::super::call::{Call, CallKind, Payload};
use super::super::json::Field;
use super::super::machine::Language;
use super::super::{Findings, Rule};

/// How the token is passed on, in each language.
fn passing(language: Language) -> &'static str {
    match language {
        Language::JsonPath => r#""taskToken.$": "$$.Task.Token""#,
        Language::Jsonata => r#""taskToken": "{% $states.context.Task.Token %}""#,
    }
}

/// The token is nowhere in what a waiting state sends.
pub(super) fn sent(findings: &mut Findings<'_>, call: &Call<'_>) {
    let tokens = call.tokens();
    let state = Some(call.state.name());
    if !tokens.sent
        && let Some(first) = tokens.as_text.first()
    {
        let (message, help) = match call.state.language {
            Language::JsonPath => (
                "These very characters are sent, and not the token: only fields whose names end in .$ are filled in.",
                "Let the field's name end in .$.",
            ),
            Language::Jsonata => (
                "These very characters are sent, and not the token: only what stands between {% and %} is filled in.",
                r#"Write "{% $states.context.Task.Token %}"."#,
            ),
        };
        findings.add(Rule::TokenAsText, state, first, message, help);
        return;
    }
    if tokens.sent {
        return;
    }
    let span = match (call.payload, call.state.arguments()) {
        (Payload::Object(field), _) | (_, Some(field)) => &field.span,
        (_, None) => &call.state.field.span,
    };
    let message = "The task token isn't passed on, so nobody can answer: the state waits until it times out.";
    let help = format!("Send it along: {}.", passing(call.state.language));
    findings.add(Rule::NoToken, state, span, message, help);
}

/// The field at the top of the request that holds the token, where it has a name that Countersign doesn't read.
pub(super) fn misnamed<'d>(call: &Call<'d>) -> Option<&'d Field> {
    if call.token().is_some() {
        return None;
    }
    let token = |field: &&Field| {
        let text = field.value.text().unwrap_or_default().trim();
        let text = text.trim_start_matches("{%").trim_end_matches("%}").trim();
        ["$$.Task.Token", "$states.context.Task.Token"].contains(&text)
    };
    call.request()?.fields().iter().find(token)
}

/// The token goes to Countersign by a name that it doesn't read, or to where it isn't looked for.
pub(super) fn name(findings: &mut Findings<'_>, call: &Call<'_>) {
    if call.token().is_some() || call.request().is_none() {
        return;
    }
    let language = call.state.language;
    let Some(field) = misnamed(call) else {
        // Further down, or together with other things: it may be there, where it isn't read.
        if call.tokens().sent {
            let message = "Countersign looks for the task token at the top of the payload, under taskToken, and it isn't there.";
            let help = format!("Write {} into the payload itself.", passing(language));
            let span = match call.payload {
                Payload::Object(field) => &field.span,
                Payload::Later | Payload::None => &call.state.field.span,
            };
            findings.add(Rule::TokenName, Some(call.state.name()), span, message, help);
        }
        return;
    };
    let message = "Countersign doesn't read the task token under this name: it refuses the request.";
    let help = format!("Call it taskToken: {}.", passing(language));
    findings.add(
        Rule::TokenName,
        Some(call.state.name()),
        &field.span,
        message,
        help,
    );
}

/// Countersign is called with this state's own token, or without any, and the state doesn't wait.
pub(super) fn not_waiting(findings: &mut Findings<'_>, call: &Call<'_>) {
    if call.kind != CallKind::Response || !call.countersign || call.given("action").is_some() {
        return;
    }
    let Some((resource, text)) = call.state.resource() else {
        return;
    };
    // A token that came from elsewhere belongs to a state that waits elsewhere.
    let elsewhere = call.token().is_some() && !call.tokens().sent;
    let function =
        text.ends_with("lambda:invoke") || text.ends_with("sqs:sendMessage") || text.contains(":function:");
    if elsewhere || !function || matches!(call.payload, Payload::Later) {
        return;
    }
    let message =
        "This state calls Countersign and doesn't wait for the answer; there is no task token in it.";
    let help = match text.rsplit(":::").next() {
        Some(service) if text.contains(":::") => {
            format!("End the Resource in .waitForTaskToken: {service}.waitForTaskToken.")
        }
        _ => "Call it by arn:aws:states:::lambda:invoke.waitForTaskToken, with FunctionName and Payload."
            .to_owned(),
    };
    findings.add(
        Rule::NotWaiting,
        Some(call.state.name()),
        &resource.span,
        message,
        help,
    );
}
