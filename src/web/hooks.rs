//! `POST /hooks/sns`: SNS delivers what SES tells about mails. There is no key: what counts is SNS's signature, and that the
//! topic is one of `mail_topics`; without any the address isn't there.

use super::Web;
use super::error::WebError;
use super::views::Problem;
use crate::flow::mail_event::{MailEventError, receive};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::sync::Arc;

/// The largest body, in bytes: a message of SNS's has 256 KiB, written as JSON inside of JSON.
const MOST_OF_A_MESSAGE: usize = 1024 * 1024;

/// The routes for what other services send.
pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new().route(
        "/hooks/sns",
        post(sns).layer(DefaultBodyLimit::max(MOST_OF_A_MESSAGE)),
    )
}

/// Takes a message, or confirms a subscription. SNS repeats what is answered with 5xx, and gives up what with 4xx.
async fn sns(State(web): State<Arc<Web>>, body: Bytes) -> Result<Response, WebError> {
    if web.flow.settings.mail_topics.is_empty() {
        return Err(Problem::NotFound.into());
    }
    let message = serde_json::from_slice(&body).unwrap_or_default();
    Ok(match receive(&web.flow, &message).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error @ MailEventError::Malformed(_)) => {
            tracing::warn!(error = %error, "a message to /hooks/sns was refused");
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
        Err(error @ MailEventError::Unavailable(_)) => {
            tracing::warn!(error = %error, "a message to /hooks/sns has to come again");
            (StatusCode::SERVICE_UNAVAILABLE, "try again\n").into_response()
        }
    })
}
