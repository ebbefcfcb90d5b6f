//! `GET /api/v1/requests/{id}/events`: what happened, as a timeline to read and as the chain of evidence to check.

use super::show::load;
use super::{answer, request_id};
use crate::domain::api_key::Scope;
use crate::domain::timeline::timeline;
use crate::web::error::WebError;
use crate::web::{Web, auth};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// Shows what happened: `timeline` in sentences, `events` and their signed `head` as they are stored.
pub(super) async fn events(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    auth::caller(&web, &headers, Scope::Read)?;
    let approval = load(&web, request_id(&id)?).await?;
    let shown = json!({
        "requestId": approval.id,
        "timeline": timeline(&approval),
        "events": approval.events,
        "head": approval.record.evidence,
    });
    Ok(answer(StatusCode::OK, &shown))
}
