//! `GET /api/v1/requests/{id}`: one request as operators see it.

use super::{ApiError, answer, request_id, unavailable};
use crate::domain::api_key::Scope;
use crate::domain::approval::Approval;
use crate::domain::ids::ApprovalId;
use crate::domain::shown::whole;
use crate::web::error::WebError;
use crate::web::{Web, auth};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::sync::Arc;

/// Shows a request, with sentences that explain it.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    auth::caller(&web, &headers, Scope::Read)?;
    let approval = load(&web, request_id(&id)?).await?;
    let flow = &web.flow;
    let shown = whole(&approval, flow.clock.now(), &flow.settings.time_zone);
    Ok(answer(StatusCode::OK, &shown))
}

pub(super) async fn load(web: &Web, id: ApprovalId) -> Result<Approval, WebError> {
    let loaded = web
        .flow
        .store
        .load(id)
        .await
        .map_err(|cause| unavailable(&cause))?;
    loaded.approval().ok_or_else(|| ApiError::NoSuchRequest.into())
}
