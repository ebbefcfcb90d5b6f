//! What AWS's refusals mean, whichever service gives them: the code, whether the call took effect, and a message that an
//! operator may see. Used by the files that call AWS about a wait: `step_functions.rs`, `durable_functions.rs`.

use crate::aws_faults::{Class, Service, class_of, find};
use crate::domain::callback::{Found, SendError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// AWS's error code, or that there was no answer.
pub fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> String {
    match error.code() {
        Some(code) => code.to_owned(),
        None => type_in_body(error).unwrap_or_else(|| "no answer".to_owned()),
    }
}

/// Lambda's errors carry their type in the body as well, and AWS's testing SDK for durable functions only there.
fn type_in_body<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        #[serde(rename = "Type")]
        kind: String,
    }
    let body: Body = serde_json::from_slice(error.raw_response()?.body().bytes()?).ok()?;
    let is_code = body.kind.len() <= 60 && body.kind.ends_with("Exception");
    is_code.then_some(body.kind)
}

/// Whether an error says that the call took no effect and may be made again: it was throttled, or the credentials
/// aren't right at the moment, which is mended for all calls at once.
pub fn turned_away(service: Service, code: &str) -> bool {
    find(service, code, "").is_some_and(|fault| fault.class == Class::Again)
}

/// Sorts an error of a call about a wait into one of the three classes that `flow/call_back.rs` acts on.
pub fn classify<E: ProvideErrorMetadata>(service: Service, error: &SdkError<E, HttpResponse>) -> SendError {
    let code = code_of(error);
    let message = error.message().unwrap_or_default();
    let status = error.raw_response().map(|response| response.status().as_u16());
    match class_of(service, &code, message, status) {
        Class::Closed => SendError::Closed,
        Class::Again => SendError::Again {
            code,
            taken_perhaps: false,
        },
        Class::Unclear => SendError::Again {
            code,
            taken_perhaps: true,
        },
        Class::Mend | Class::Refused | Class::Conflict => SendError::Park {
            reason: format!("{code}: {}", without_tokens(message)),
        },
    }
}

/// What an execution's history tells when it can't be read: nothing for now (throttled, out of order, no answer), or
/// nothing at all.
pub fn unread_history<E: ProvideErrorMetadata>(
    service: Service,
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> Found {
    let code = code_of(error);
    tracing::warn!(aws.operation = operation, aws.error.code = %code, "can't read a history");
    match classify(service, error) {
        SendError::Again { .. } => Found::NotNow,
        SendError::Park { .. } | SendError::Closed => Found::Nothing,
    }
}

/// AWS quotes a bad token in some messages. What looks like one is cut out before the message goes to an operator.
pub fn without_tokens(message: &str) -> String {
    let words = message
        .split(' ')
        .map(|word| if word.len() > 60 { "(redacted)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_without_what_looks_like_a_token() {
        let shown = without_tokens(&format!("Invalid Token: '{}' given", "canary".repeat(12)));
        assert_eq!(shown, "Invalid Token: (redacted) given");
    }
}
