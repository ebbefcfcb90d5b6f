//! What tasks in any language need of `crates/task-tools`: `POST /api/v1/state-data/{call}` puts and gets state data,
//! `POST /api/v1/executions/{arn}/stop` stops an execution. Each has a scope of its own.

use super::executions::refused;
use super::operate::{invalid, refuse};
use super::{ApiError, answer, json_body, json_bytes, unavailable};
use crate::domain::api_key::Scope;
use crate::domain::request_fields::{Fields, kind_of};
use crate::flow::task_tools::{self, Call, CallError};
use crate::state_data::StateDataError;
use crate::web::error::WebError;
use crate::web::{Web, auth};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// The largest body, in bytes. More than what a Lambda function may be given.
pub(super) const MOST_OF_STATE_DATA: usize = 8 * 1024 * 1024;

/// Puts or gets state data.
pub(super) async fn state_data(
    State(web): State<Arc<Web>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, WebError> {
    auth::caller(&web, request.headers(), Scope::StateData)?;
    let call = Call::named(&name).ok_or(ApiError::Refused {
        status: StatusCode::NOT_FOUND,
        code: "NoSuchCall".to_owned(),
        detail:
            "There is no such call. docs/OPERATIONS.md lists them, such as put_item and get_global_items."
                .to_owned(),
    })?;
    let body = json_bytes(request, MOST_OF_STATE_DATA).await?;
    let given = std::str::from_utf8(&body).map_err(|_| {
        let detail = "The body is no JSON: it isn't UTF-8.".to_owned();
        ApiError::NotJson(detail)
    })?;
    let done = task_tools::call(&web.flow, call, given).await.map_err(told)?;
    let kind = HeaderValue::from_static("application/json");
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], done).into_response())
}

/// Stops an execution.
pub(super) async fn stop(
    State(web): State<Arc<Web>>,
    Path(arn): Path<String>,
    request: Request,
) -> Result<Response, WebError> {
    let caller = auth::caller(&web, request.headers(), Scope::Stop)?.to_owned();
    let is_empty = request.headers().get(header::CONTENT_TYPE).is_none()
        && axum::body::HttpBody::is_end_stream(request.body());
    let body = if is_empty {
        json!({})
    } else {
        json_body(request).await?
    };
    let map = match body {
        Value::Object(map) => map,
        other => {
            return Err(invalid(
                "(body)",
                format!("must be an object, not {}", kind_of(&other)),
            ));
        }
    };
    let mut f = Fields::new("", &map);
    let (error, cause) = task_tools::words_of_a_stop(&mut f);
    refuse(f)?;
    let stopped = task_tools::stop_execution(&web.flow, &arn, error.as_deref(), cause.as_deref()).await;
    stopped.map_err(|error| refused(error, true))?;
    tracing::info!(
        execution.arn = arn,
        api.key = caller,
        "execution stopped over the API"
    );
    Ok(answer(StatusCode::OK, &json!({"executionArn": arn})))
}

/// What a refusal means for the caller.
fn told(error: CallError) -> WebError {
    let refused = |status, code: &str, error: &dyn std::fmt::Display| {
        let (code, detail) = (code.to_owned(), error.to_string());
        WebError::from(ApiError::Refused { status, code, detail })
    };
    let error = match error {
        CallError::StateData(error) => error,
        CallError::Invalid(problems) => return ApiError::Invalid(problems).into(),
        CallError::NotReadable(detail) => return ApiError::NotJson(detail).into(),
        CallError::NotSetUp => return refused(StatusCode::NOT_FOUND, "NotSetUp", &error),
        CallError::OtherTable(_) => return refused(StatusCode::FORBIDDEN, "OtherTable", &error),
        CallError::Ours => return refused(StatusCode::FORBIDDEN, "ReservedNamespace", &error),
    };
    match &error {
        StateDataError::NoItemFound { .. } => refused(StatusCode::NOT_FOUND, "NoItemFound", &error),
        StateDataError::TooMuch { .. } | StateDataError::NoBucket { .. } => {
            refused(StatusCode::PAYLOAD_TOO_LARGE, "TooMuch", &error)
        }
        StateDataError::Aws {
            code, refused: true, ..
        } => {
            tracing::warn!(error = ?error, "state data refused");
            refused(StatusCode::FORBIDDEN, code, &error)
        }
        StateDataError::Aws { .. } | StateDataError::Unprocessed { .. } => {
            tracing::warn!(error = ?error, "state data out of reach");
            unavailable(&error)
        }
        _ => refused(StatusCode::UNPROCESSABLE_ENTITY, "NotStorable", &error),
    }
}
