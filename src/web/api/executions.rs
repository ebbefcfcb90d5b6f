//! Workflows: `POST /api/v1/executions` starts one, once for each idempotency key; `GET /api/v1/executions/{arn}` says how
//! it stands and what it ended with. Inputs and outputs pass through as they are written, whatever their numbers.

use super::operate::{invalid, refuse};
use super::{ApiError, json_bytes, parsed};
use crate::domain::api_key::Scope;
use crate::domain::execution::{ExecutionName, StateMachine};
use crate::domain::request_fields::{Fields, kind_of};
use crate::flow::start::{self, Start, StartError, Started};
use crate::step_functions::{Execution, ExecutionError, Refusal};
use crate::web::error::WebError;
use crate::web::{Web, auth};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest input, in bytes: Step Functions takes no more.
const MOST_OF_AN_INPUT: usize = 256 * 1024;
/// The largest body, in bytes: an input and what is around it.
pub(super) const MOST_OF_A_START: usize = MOST_OF_AN_INPUT + 16 * 1024;
/// The longest idempotency key, in characters.
const LONGEST_KEY: usize = 256;

/// Starts an execution: 201, or 200 where this key or name has started it before with the same input.
pub(super) async fn start(State(web): State<Arc<Web>>, request: Request) -> Result<Response, WebError> {
    let caller = auth::caller(&web, request.headers(), Scope::Start)?.to_owned();
    let body = json_bytes(request, MOST_OF_A_START).await?;
    let asked = read(&body)?;
    let repeatable = asked.name.is_some();
    let started = start::start(&web.flow, asked).await.map_err(|error| match error {
        StartError::OtherInput(arn) => ApiError::Refused {
            status: StatusCode::CONFLICT,
            code: "ExecutionAlreadyExists".to_owned(),
            detail: format!(
                "This key or name has started an execution with another input: {arn}. Send that input again to get it, or take another key."
            ),
        },
        StartError::StepFunctions(error) => refused(error, repeatable),
    })?;
    if started.created {
        tracing::info!(
            execution.arn = started.arn,
            api.key = caller,
            "execution started over the API"
        );
    }
    let status = if started.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(json(status, &Shown::started(&started)))
}

/// Shows an execution.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Path(arn): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    auth::caller(&web, &headers, Scope::Follow)?;
    let found = web.flow.step_functions.execution(&arn).await;
    let found = found.map_err(|error| refused(error, true))?;
    Ok(json(StatusCode::OK, &Shown::found(&found)))
}

/// Reads what is to be started.
fn read(body: &[u8]) -> Result<Start, WebError> {
    let map = match parsed(body)? {
        Value::Object(map) => map,
        other => {
            return Err(invalid(
                "(body)",
                format!("must be an object, not {}", kind_of(&other)),
            ));
        }
    };
    // Not from the map: there, a number may have lost digits.
    let texts: BTreeMap<String, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
    let input = texts.get("input").map_or("{}", |input| input.get());

    let mut f = Fields::new("", &map);
    let machine = match f.value("stateMachine") {
        Some(Value::String(text)) => StateMachine::parse(text),
        Some(other) => Err(format!("must be text, not {}", kind_of(other))),
        None => Err("is missing: the state machine's ARN or name".to_owned()),
    };
    if let Err(message) = &machine {
        f.problem("stateMachine", message);
    }
    f.value("input");
    if input.len() > MOST_OF_AN_INPUT {
        let message = format!(
            "has {} bytes; at most {MOST_OF_AN_INPUT} are allowed",
            input.len()
        );
        f.problem("input", message);
    }
    let key = f.line("idempotencyKey", LONGEST_KEY);
    let name = match f.text("name").map(|text| ExecutionName::parse(&text)) {
        Some(Ok(_)) if key.is_some() => {
            f.problem(
                "name",
                "can't be given beside idempotencyKey, which makes the name",
            );
            None
        }
        Some(Ok(name)) => Some(name),
        Some(Err(message)) => {
            f.problem("name", message);
            None
        }
        None => None,
    };
    refuse(f)?;
    Ok(Start {
        machine: machine.map_err(|message| invalid("stateMachine", message))?,
        name: key.map(|key| ExecutionName::of_key(&key)).or(name),
        input: input.to_owned(),
    })
}

/// What AWS's refusal means for the caller. `repeatable` says that the call counts once however often it is sent.
pub(super) fn refused(error: ExecutionError, repeatable: bool) -> ApiError {
    let (why, code, message) = match error {
        ExecutionError::Refused { why, code, message } => (why, code, message),
        ExecutionError::Again { code } => {
            tracing::warn!(aws.error.code = %code, "Step Functions can't be asked");
            let detail = if repeatable {
                "Step Functions can't be reached just now. Send it again: it counts once."
            } else {
                "Step Functions can't be reached just now, and it isn't known whether the execution was started. With an \
                 idempotencyKey it could be sent again without a second one."
            };
            return ApiError::Refused {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code,
                detail: detail.to_owned(),
            };
        }
    };
    let (status, detail) = match why {
        Refusal::NoMachine => (
            StatusCode::NOT_FOUND,
            "There is no such state machine in this account and region. Look at its ARN or name.",
        ),
        Refusal::NoExecution => (
            StatusCode::NOT_FOUND,
            "There is no such execution. Those of Express state machines can't be asked about.",
        ),
        Refusal::NameTaken => (
            StatusCode::CONFLICT,
            "This key or name has been used: for another input, or for an execution that has ended. Take another one.",
        ),
        Refusal::Deleting => (
            StatusCode::CONFLICT,
            "The state machine is being deleted. Start it once it is there again.",
        ),
        Refusal::TooMany => (
            StatusCode::SERVICE_UNAVAILABLE,
            "As many executions are open in this account as may be. Send it again once some have ended, or have the quota raised.",
        ),
        Refusal::Input => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "Step Functions doesn't take this input.",
        ),
        Refusal::Name => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "Step Functions doesn't take this name.",
        ),
        Refusal::Arn => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "This is no ARN that Step Functions can do this with.",
        ),
        Refusal::Permission => (
            StatusCode::FORBIDDEN,
            "Countersign's role isn't allowed to. Name the state machine in StartableStateMachines (to start it), \
             StoppableStateMachines (to stop it) or StateMachines (to look at it) of infra/template.yaml.",
        ),
        Refusal::EncryptionKey => (
            StatusCode::FORBIDDEN,
            "The state machine's KMS key can't be used. Allow it to Countersign's role, or enable it.",
        ),
        Refusal::Other => (StatusCode::UNPROCESSABLE_ENTITY, "Step Functions refuses."),
    };
    let detail = match why {
        Refusal::Input | Refusal::Name | Refusal::Arn | Refusal::Other if !message.is_empty() => {
            format!("{detail} It says: {message}")
        }
        _ => detail.to_owned(),
    };
    ApiError::Refused { status, code, detail }
}

/// An execution as the API shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    execution_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_arn: Option<&'a str>,
    name: &'a str,
    status: &'a str,
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn started(started: &'a Started) -> Self {
        Self {
            execution_arn: &started.arn,
            state_machine_arn: None,
            name: started.name.as_str(),
            status: &started.status,
            started_at: started.at,
            stopped_at: None,
            input: None,
            output: None,
            error: None,
            cause: None,
        }
    }

    fn found(found: &'a Execution) -> Self {
        // Both are JSON: Step Functions takes and makes nothing else.
        let raw = |text: &'a Option<String>| serde_json::from_str(text.as_deref()?).ok();
        Self {
            execution_arn: &found.arn,
            state_machine_arn: Some(&found.machine),
            name: &found.name,
            status: &found.status,
            started_at: found.started,
            stopped_at: found.stopped,
            input: raw(&found.input),
            output: raw(&found.output),
            error: found.error.as_deref(),
            cause: found.cause.as_deref(),
        }
    }
}

fn json(status: StatusCode, shown: &Shown<'_>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    let body = serde_json::to_string(shown).expect("texts and JSON can be written");
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Vec<String> {
        match read(body.as_bytes()) {
            Err(WebError::Api(ApiError::Invalid(problems))) => {
                problems.into_iter().map(|problem| problem.field).collect()
            }
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn the_input_is_taken_as_it_is_written() {
        for input in [
            r#"{"dataId": 1}"#,
            "null",
            "1.10",
            "123456789012345678901234567890",
            r#"{ "b" : 1, "a" : [ ] }"#,
            r#""\u00e9""#,
        ] {
            let asked = read(format!(r#"{{"stateMachine": "m", "input":  {input} }}"#).as_bytes());
            assert_eq!(asked.expect("right").input, input);
        }
        assert_eq!(read(br#"{"stateMachine": "m"}"#).expect("right").input, "{}");
    }

    #[test]
    fn a_key_stands_for_a_name() {
        let name = |body: &str| read(body.as_bytes()).expect("right").name;
        assert_eq!(
            name(r#"{"stateMachine": "m", "idempotencyKey": "invoice 42"}"#),
            Some(ExecutionName::of_key("invoice 42"))
        );
        assert_eq!(
            name(r#"{"stateMachine": "m", "name": "n"}"#),
            ExecutionName::parse("n").ok()
        );
        assert_eq!(name(r#"{"stateMachine": "m"}"#), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(fields("[]"), ["(body)"]);
        assert_eq!(fields("{}"), ["stateMachine"]);
        assert_eq!(fields(r#"{"stateMachine": 1}"#), ["stateMachine"]);
        assert_eq!(
            fields(r#"{"stateMachine": "a b", "name": "", "colour": 1}"#),
            ["stateMachine", "name", "colour"]
        );
        assert_eq!(
            fields(r#"{"stateMachine": "m", "name": "n", "idempotencyKey": "k"}"#),
            ["name"]
        );
        assert_eq!(
            fields(r#"{"stateMachine": "m", "idempotencyKey": " "}"#),
            ["idempotencyKey"]
        );
        let long = "x".repeat(MOST_OF_AN_INPUT - 1);
        assert_eq!(
            fields(&format!(r#"{{"stateMachine": "m", "input": "{long}"}}"#)),
            ["input"]
        );
        let most = &long[1..];
        assert!(read(format!(r#"{{"stateMachine": "m", "input": "{most}"}}"#).as_bytes()).is_ok());
        assert!(matches!(
            read(b"{\"stateMachine\": "),
            Err(WebError::Api(ApiError::NotJson(_)))
        ));
    }
}
