//! Functions behind a web address. The event is posted as JSON; a 2xx answer's body is the result. Whatever else
//! happens is the function's error: one that the answer names as Lambda's runtimes do (`errorType`, `errorMessage`), or
//! one of `Url.`, for which AWS has no name.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::api::{ANSWER, too_large};
use super::function::{Asked, FunctionError, Payload, UrlFunction};
use crate::outgoing::Address;

/// How much of an answer that is no JSON is shown in the error, in characters.
const SHOWN: usize = 500;

pub(super) async fn run(function: &UrlFunction, asked: Asked) -> Result<Payload, FunctionError> {
    let invalid = |reason| FunctionError::new("Url.Invalid", reason);
    let address = Address::parse(&function.url).map_err(invalid)?;
    let request_id = asked.request_id;
    let query = address
        .uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let mut request = Request::post(format!("{}{query}", address.path()))
        .header("host", address.authority())
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .header("x-amzn-requestid", &request_id);
    if let Some(trace) = &asked.trace {
        request = request.header("x-amzn-trace-id", trace);
    }
    let request = request
        .body(Full::new(asked.payload.into_text()))
        .map_err(|error| invalid(error.to_string()))?;
    // More than may be is read, to be told apart from a connection that breaks.
    let sent = tokio::time::timeout(function.timeout, address.send(request, 2 * ANSWER));
    let answer = match sent.await {
        Err(_) => return Err(FunctionError::timed_out(&request_id, function.timeout)),
        Ok(Err(reason)) => {
            let text = format!("{} can't be reached: {reason}", function.url);
            return Err(FunctionError::new("Url.Unreachable", text));
        }
        Ok(Ok(answer)) => answer,
    };
    let status = answer.status();
    let body = answer.into_body();
    if !status.is_success() {
        return Err(refused(&function.url, status, &body));
    }
    if body.len() > ANSWER {
        return Err(too_large());
    }
    if serde_json::from_slice::<IgnoredAny>(&body).is_err() {
        let text = format!("{} answered with what is no JSON: {}", function.url, shown(&body));
        return Err(FunctionError::new("Url.InvalidAnswer", text));
    }
    Ok(Payload::Text(body))
}

fn refused(url: &str, status: StatusCode, body: &Bytes) -> FunctionError {
    let read: Value = serde_json::from_slice(body).unwrap_or_default();
    if read["errorType"].is_string() {
        return FunctionError::posted(body);
    }
    let text = format!("{url} answered {status}: {}", shown(body));
    FunctionError::new(format!("Url.StatusCode.{}", status.as_u16()), text)
}

fn shown(body: &Bytes) -> String {
    let text = String::from_utf8_lossy(body);
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
