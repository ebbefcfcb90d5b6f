//! A runner that durable executions have of their own, such as the server of AWS's testing SDK: every call about them is
//! handed on to it, and its answer handed back.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;

use super::PAYLOAD;
use crate::error::AwsError;
use crate::outgoing::Address;

/// The largest answer, in bytes: a page of a history with its payloads.
const ANSWER: usize = 16 * PAYLOAD;

pub(super) async fn forward(url: &str, request: Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
    let unreachable = |reason: String| {
        AwsError::with_status(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceException",
            format!("The runner of durable executions at {url} can't be reached: {reason}"),
        )
    };
    let address = Address::parse(url).map_err(unreachable)?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut onward = Request::builder()
        .method(request.method())
        .uri(format!("{}{path}", address.path().trim_end_matches('/')))
        .header(header::HOST, address.authority());
    for name in [header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = request.headers().get(&name) {
            onward = onward.header(name, value);
        }
    }
    let onward = onward
        .body(Full::new(request.into_body()))
        .map_err(|error| unreachable(error.to_string()))?;
    let answer = address.send(onward, ANSWER).await.map_err(unreachable)?;
    let mut told = Response::new(answer.body().clone());
    *told.status_mut() = answer.status();
    for name in ["content-type", "x-amzn-errortype"] {
        if let Some(value) = answer.headers().get(name) {
            told.headers_mut().insert(name, value.clone());
        }
    }
    Ok(told)
}
