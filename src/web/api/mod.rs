//! The API for programs: `/api/v1`. Every handler first asks `web/auth.rs` who calls, then reads the body, then runs a
//! step of `flow`. No answer ever holds a task token or a link.

mod error;
mod events;
mod executions;
mod list;
mod operate;
mod show;
mod task_tools;

pub use error::ApiError;

use super::error::WebError;
use super::{Web, auth};
use crate::domain::api_key::Scope;
use crate::domain::ids::ApprovalId;
use crate::flow::open::{self, OpenError};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::sync::Arc;

/// The largest body, in bytes: what a state may hand over as well.
const MOST_OF_A_BODY: usize = 256 * 1024;

/// The API's routes.
pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/api/v1/requests", post(open_request).get(list::list))
        .route("/api/v1/requests/{id}", get(show::show))
        .route("/api/v1/requests/{id}/events", get(events::events))
        .route("/api/v1/requests/{id}/cancel", post(operate::cancel))
        .route("/api/v1/requests/{id}/complete", post(operate::complete))
        .route("/api/v1/requests/{id}/resend", post(operate::resend))
        .route("/api/v1/requests/{id}/retry", post(operate::retry))
        .route(
            "/api/v1/executions",
            post(executions::start).layer(DefaultBodyLimit::max(executions::MOST_OF_A_START)),
        )
        .route("/api/v1/executions/{arn}", get(executions::show))
        .route("/api/v1/executions/{arn}/stop", post(task_tools::stop))
        .route(
            "/api/v1/state-data/{call}",
            post(task_tools::state_data).layer(DefaultBodyLimit::max(task_tools::MOST_OF_STATE_DATA)),
        )
        .layer(DefaultBodyLimit::max(MOST_OF_A_BODY))
}

/// Takes a request in: 201 with its id, or 200 where its token is known.
async fn open_request(State(web): State<Arc<Web>>, request: Request) -> Result<Response, WebError> {
    let caller = auth::caller(&web, request.headers(), Scope::Write)?.to_owned();
    let body = json_body(request).await?;
    let opened = match open::open(&web.flow, &body).await {
        Ok(opened) => opened,
        Err(OpenError::Invalid(invalid)) => return Err(ApiError::Invalid(invalid.problems).into()),
        Err(OpenError::Unavailable(cause)) => return Err(unavailable(&cause)),
    };
    if opened.created {
        tracing::info!(approval.id = %opened.id, api.key = caller, "request came over HTTP");
    }
    let status = if opened.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(answer(
        status,
        &json!({"requestId": opened.id, "status": opened.status}),
    ))
}

/// The body, which must be JSON.
async fn json_body(request: Request) -> Result<Value, WebError> {
    parsed(&json_bytes(request, MOST_OF_A_BODY).await?)
}

/// The body that says it is JSON. `most` is the route's limit, in bytes.
async fn json_bytes(request: Request, most: usize) -> Result<Bytes, WebError> {
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
    if !is_json {
        let detail = "Send JSON, with Content-Type: application/json.";
        return Err(ApiError::NotJson(detail.to_owned()).into());
    }
    match Bytes::from_request(request, &()).await {
        Ok(bytes) => Ok(bytes),
        Err(rejected) if rejected.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(ApiError::TooLarge { most }.into())
        }
        Err(_) => Err(ApiError::NotJson("The body broke off.".to_owned()).into()),
    }
}

fn parsed(body: &[u8]) -> Result<Value, WebError> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ApiError::NotJson(format!("The body is no JSON: see line {line}, column {column}.")).into()
    })
}

/// The request that an address names. What can't be an id names none.
fn request_id(text: &str) -> Result<ApprovalId, ApiError> {
    ApprovalId::parse(text).ok_or(ApiError::NoSuchRequest)
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}

fn unavailable(cause: &impl std::fmt::Display) -> WebError {
    WebError::Fault {
        cause: cause.to_string(),
        again: None,
    }
}
