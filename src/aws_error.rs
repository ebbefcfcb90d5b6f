//! What AWS's refusals mean, whichever service gives them: the code, its class, and a message that an operator may see.
//! Used by the files that call AWS about workflows and queues: `step_functions.rs`, `durable_functions.rs`, `queues.rs`.

use crate::aws_faults::{self, Class, Service, class_of, is_answer};
use crate::domain::callback::{Found, SendError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;

/// AWS's error code; where there was no answer, the table's name for what kept it from coming.
pub fn code_of<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let code = aws_faults::code_of(error);
    let in_body = if is_answer(code) {
        None
    } else {
        type_in_body(error)
    };
    in_body.unwrap_or_else(|| code.to_owned())
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

/// The code of an error, and its class: what the table says of the code, else what the answer's status does.
pub fn sorted<E>(service: Service, error: &SdkError<E, HttpResponse>) -> (String, Class)
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let code = code_of(error);
    let message = error.message().unwrap_or_default();
    let status = error.raw_response().map(|response| response.status().as_u16());
    let class = class_of(service, &code, message, status);
    (code, class)
}

/// Sorts an error of a call about a wait into one of the three classes that `flow/call_back.rs` acts on.
pub fn classify<E>(service: Service, error: &SdkError<E, HttpResponse>) -> SendError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (code, class) = sorted(service, error);
    match class {
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
            reason: format!("{code}: {}", without_tokens(error.message().unwrap_or_default())),
        },
    }
}

/// What an execution's history tells when it can't be read: nothing for now (throttled, out of order, no answer), or
/// nothing at all.
pub fn unread_history<E>(
    service: Service,
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> Found
where
    E: ProvideErrorMetadata + Error + 'static,
{
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
    use crate::aws_faults::NO_CREDENTIALS;
    use aws_sdk_sfn::operation::send_task_success::SendTaskSuccessError;

    #[test]
    fn a_call_that_could_not_be_signed_was_not_made() {
        let unsigned: SdkError<SendTaskSuccessError, HttpResponse> =
            SdkError::construction_failure("the credentials provider gave none: no credentials");
        let again = SendError::Again {
            code: NO_CREDENTIALS.to_owned(),
            taken_perhaps: false,
        };
        assert_eq!(classify(Service::StepFunctions, &unsigned), again);
    }

    #[test]
    fn a_message_is_shown_without_what_looks_like_a_token() {
        let shown = without_tokens(&format!("Invalid Token: '{}' given", "canary".repeat(12)));
        assert_eq!(shown, "Invalid Token: (redacted) given");
    }
}
