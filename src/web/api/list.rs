//! `GET /api/v1/requests`: lists, newest first. `status` is `pending` (without one), `attention` or `done` (with
//! `month`); `assignee`, `tag`, `workflow`, `execution`, `externalId`, `createdBefore` and `createdAfter` narrow it; `cursor`
//! goes on where a page ended.

use super::{ApiError, answer, unavailable};
use crate::domain::api_key::Scope;
use crate::domain::shown::summary;
use crate::flow::list::{self, Asked};
use crate::web::error::WebError;
use crate::web::{Web, auth};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// Lists requests.
pub(super) async fn list(
    State(web): State<Arc<Web>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    auth::caller(&web, &headers, Scope::Read)?;
    let pairs = serde_urlencoded::from_str(query.as_deref().unwrap_or_default()).unwrap_or_default();
    let asked = Asked::read(pairs, web.flow.clock.now()).map_err(ApiError::Invalid)?;
    let page = list::page(&web.flow, &asked.wanted, asked.after, asked.most)
        .await
        .map_err(|cause| unavailable(&cause))?;
    let requests: Vec<Value> = page.approvals.iter().map(summary).collect();
    let shown = json!({"requests": requests, "nextCursor": page.next.map(|place| place.cursor())});
    Ok(answer(StatusCode::OK, &shown))
}
