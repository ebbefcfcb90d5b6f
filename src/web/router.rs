//! Which address leads where. Made once by `app.rs`.
//! The order of the layers matters: headers go on everything, errors of all that lies within become pages, and a panic
//! or a stalled request is one of those errors.

use super::error::{self, WebError};
use super::views::Problem;
use super::{Web, api, assets, auth, hooks, security, sign};
use crate::domain::api_key::Scope;
use crate::flow::Flow;
use crate::flow::metrics::CONTENT_TYPE;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

/// The most that a form may hold: a comment of the longest kind, percent-encoded, and room to spare.
const MOST_OF_A_FORM: usize = 64 * 1024;
/// How long an answer may take; a form that trickles in more slowly than this is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every page, over `flow`.
pub fn router(flow: Arc<Flow>) -> Router {
    let web = Arc::new(Web::new(Arc::clone(&flow)));
    let pages = Router::new()
        .route(
            "/s/{link}",
            get(sign::show)
                .post(sign::decide)
                .layer(DefaultBodyLimit::max(MOST_OF_A_FORM)),
        )
        .route("/assets/{name}", get(asset))
        .route("/robots.txt", get(async || "User-agent: *\nDisallow: /\n"))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .merge(api::routes())
        .merge(hooks::routes())
        .with_state(Arc::clone(&web));
    // A proxy may strip the configured prefix or pass it on; both lead here.
    let base = web.frame.base_path.clone();
    let all = if base.is_empty() {
        pages
    } else {
        Router::new().nest(&base, pages.clone()).merge(pages)
    };
    all.fallback(async || WebError::from(Problem::NotFound))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            PATIENCE,
        ))
        .layer(CatchPanicLayer::new())
        .layer(from_fn_with_state(web, error::render))
        .layer(from_fn(security::headers))
        .layer(from_fn_with_state(flow, counted))
}

/// Whether this process can do its work: the table answers.
async fn ready(State(web): State<Arc<Web>>) -> Response {
    match web.flow.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the table doesn't answer\n").into_response(),
    }
}

/// What is counted, for a caller whose key may read.
async fn metrics(State(web): State<Arc<Web>>, headers: HeaderMap) -> Result<Response, WebError> {
    auth::caller(&web, &headers, Scope::Read)?;
    let kind = HeaderValue::from_static(CONTENT_TYPE);
    Ok(([(header::CONTENT_TYPE, kind)], web.flow.metrics.text()).into_response())
}

/// Counts a request by its route, never by its path: links are secrets.
async fn counted(State(flow): State<Arc<Flow>>, request: Request, next: Next) -> Response {
    let route = match request.extensions().get::<MatchedPath>() {
        Some(matched) => matched.as_str().to_owned(),
        None => "none".to_owned(),
    };
    let (method, began) = (method_word(request.method()), tokio::time::Instant::now());
    let response = next.run(request).await;
    flow.metrics
        .http(method, &route, response.status().as_u16(), began.elapsed());
    response
}

/// The method, or one word for all that nobody should send: a caller may make up as many as it likes.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    }
}

/// A file under a name that changes with its content may be kept for ever.
async fn asset(Path(name): Path<String>) -> Result<Response, WebError> {
    let asset = assets::find(&name).ok_or(Problem::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
    ];
    Ok((headers, asset.body).into_response())
}
