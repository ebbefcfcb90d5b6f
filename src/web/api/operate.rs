//! What operators do to a request: `POST /api/v1/requests/{id}/cancel`, `complete`, `resend`, `retry`. Each runs the
//! step of that name in `flow/operate.rs`.

use super::{ApiError, answer, json_body, request_id, unavailable};
use crate::domain::api_key::Scope;
use crate::domain::approval::Approval;
use crate::domain::ids::ApprovalId;
use crate::domain::request_fields::{Fields, Problem, kind_of};
use crate::domain::shown::summary;
use crate::flow::operate::{self, OperateError, Which};
use crate::web::error::WebError;
use crate::web::{Web, auth};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Withdraws a pending request. `by` is who the signers and the workflow are told; the key's name without. With `stop`
/// its execution is stopped.
pub(super) async fn cancel(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, WebError> {
    let call = Call::read(&web, &id, request).await?;
    let mut f = Fields::new("", &call.body);
    let reason = f.lines("reason", 2_000);
    let by = f.line("by", 100).unwrap_or_else(|| call.caller.clone());
    let stop = f.flag("stop").unwrap_or_default();
    refuse(f)?;
    let done = operate::cancel(&web.flow, &Which::Id(call.id), &by, reason.as_deref(), stop).await;
    done.map(|approval| call.done("cancelled", &approval))
        .map_err(refused)
}

/// Answers for everybody who hasn't.
pub(super) async fn complete(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, WebError> {
    let call = Call::read(&web, &id, request).await?;
    let mut f = Fields::new("", &call.body);
    let outcome = f.line("outcome", 64);
    let comment = f.lines("comment", 8_000);
    refuse(f)?;
    let which = Which::Id(call.id);
    let done = operate::complete(&web.flow, &which, outcome.as_deref(), comment.as_deref()).await;
    done.map(|approval| call.done("completed", &approval))
        .map_err(refused)
}

/// Mails the link again: to `signer` (a name or an address), or to all who haven't answered.
pub(super) async fn resend(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, WebError> {
    let call = Call::read(&web, &id, request).await?;
    let mut f = Fields::new("", &call.body);
    let to = f.line("signer", 254);
    refuse(f)?;
    let (approval, numbers) = operate::resend(&web.flow, call.id, to.as_deref())
        .await
        .map_err(refused)?;
    tracing::info!(approval.id = %approval.id, api.key = call.caller, mails = numbers.len(), "mailed again");
    let mut shown = summary(&approval);
    let names: Vec<String> = numbers
        .into_iter()
        .map(|number| approval.people.name(number))
        .collect();
    shown["mailedAgain"] = json!(names);
    Ok(answer(StatusCode::OK, &shown))
}

/// Takes up a parked callback again.
pub(super) async fn retry(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, WebError> {
    let call = Call::read(&web, &id, request).await?;
    refuse(Fields::new("", &call.body))?;
    let done = operate::retry(&web.flow, call.id).await;
    done.map(|approval| call.done("retried", &approval))
        .map_err(refused)
}

/// A call, read.
struct Call {
    caller: String,
    id: ApprovalId,
    body: Map<String, Value>,
}

impl Call {
    async fn read(web: &Web, id: &str, request: Request) -> Result<Self, WebError> {
        let caller = auth::caller(web, request.headers(), Scope::Operate)?.to_owned();
        let id = request_id(id)?;
        // None of the fields is needed, so neither is the body.
        let is_empty = request.headers().get(header::CONTENT_TYPE).is_none()
            && axum::body::HttpBody::is_end_stream(request.body());
        let body = if is_empty {
            json!({})
        } else {
            json_body(request).await?
        };
        match body {
            Value::Object(body) => Ok(Self { caller, id, body }),
            other => {
                let message = format!("must be an object, not {}", kind_of(&other));
                Err(invalid("(body)", message))
            }
        }
    }

    fn done(&self, what: &'static str, approval: &Approval) -> Response {
        tracing::info!(approval.id = %approval.id, api.key = self.caller, "{what} over the API");
        answer(StatusCode::OK, &summary(approval))
    }
}

/// Refuses what was read with problems.
pub(super) fn refuse(f: Fields<'_>) -> Result<(), WebError> {
    let mut problems = f.finish();
    for problem in &mut problems {
        if problem.message.starts_with("is not a field of a request") {
            "is not a field of this call; remove it".clone_into(&mut problem.message);
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Invalid(problems).into())
    }
}

fn refused(error: OperateError) -> WebError {
    match error {
        OperateError::NotFound => ApiError::NoSuchRequest.into(),
        OperateError::NoSuchOutcome(ids) => invalid("outcome", format!("must be one of {ids}")),
        OperateError::NoSuchSigner => invalid("signer", error.to_string()),
        OperateError::Several(_)
        | OperateError::Ended { .. }
        | OperateError::NotParked(_)
        | OperateError::CantStop(_) => ApiError::Conflict(error.to_string()).into(),
        OperateError::Unavailable(cause) => unavailable(&cause),
    }
}

/// Refuses one field.
pub(super) fn invalid(field: &str, message: String) -> WebError {
    let field = field.to_owned();
    ApiError::Invalid(vec![Problem { field, message }]).into()
}
