//! What a person with a browser sees of the embedded AWS: the executions, one of them as a graph with its steps and
//! its events, and a form to start one. The mails are in [`crate::mailbox`].
//!
//! Everything works without a script; with it ([`SCRIPT`]) a page keeps up with its execution. Nothing is loaded from
//! elsewhere, and forms are taken from these pages alone.

mod act;
mod events;
mod graph;
mod home;
mod list;
mod show;
mod start;
mod steps;
#[cfg(test)]
mod tests;
mod values;
mod visits;
pub(crate) mod words;

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequest;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use crate::Inner;
use crate::dispatch::percent_decoded;
use crate::error::AwsError;
use crate::mailbox::pages::typed;

pub(crate) use graph::Drawings;

const SCRIPT: &str = include_str!("../../templates/console/console.js");

/// Our style, our script and what it fetches here; nothing that stands in the page itself runs.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "console/missing.html")]
struct MissingPage {}

#[derive(Template)]
#[template(path = "console/refused.html")]
struct RefusedPage {
    code: String,
    message: String,
}

/// Whether a request is for one of these pages. One with a bucket in the host's name is for what is in the bucket.
pub(crate) fn owns(request: &Request<Bytes>) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if crate::s3::names_a_bucket(request) {
        return false;
    }
    match request.uri().path() {
        "/" | "/executions" => reads,
        path => path.starts_with("/executions/") && (reads || *request.method() == Method::POST),
    }
}

/// Answers a request for one of the pages.
pub(crate) async fn respond(inner: &Arc<Inner>, request: Request<Bytes>) -> Response<Bytes> {
    if inner.has_ended() {
        return refused(&AwsError::ended());
    }
    let path = request.uri().path().trim_end_matches('/').to_owned();
    let parts: Vec<String> = path.split('/').skip(1).map(percent_decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let answer = match parts.as_slice() {
        [] => home::show(inner, &request).await,
        ["executions"] => list::show(inner, &request).await,
        ["executions", "console.js"] => Ok(typed("text/javascript; charset=utf-8", SCRIPT.to_owned())),
        // As the CLI prints it; a child's has a slash in it.
        ["executions", arn @ ..] if arn.first().is_some_and(|first| first.starts_with("arn:")) => {
            Ok(by_arn(&arn.join("/")))
        }
        ["executions", "start"] => start::show(inner, request).await,
        _ if *request.method() == Method::POST => match parts.as_slice() {
            ["executions", machine, name, "stop"] => act::stop(inner, machine, name, request).await,
            ["executions", machine, name, "redrive"] => act::redrive(inner, machine, name, request).await,
            _ => Ok(missing()),
        },
        ["executions", machine, name] => show::show(inner, machine, name, &request).await,
        ["executions", machine, name, "input.json"] => show::input(inner, machine, name).await,
        ["executions", machine, name, "output.json"] => show::output(inner, machine, name).await,
        ["executions", machine, name, "events", event] => show::event(inner, machine, name, event).await,
        _ => Ok(missing()),
    };
    answer.unwrap_or_else(|error| refused(&error))
}

/// Leads from an execution's ARN to its page.
fn by_arn(arn: &str) -> Response<Bytes> {
    match arn.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "states", _, _, "execution", machine, name] => see_other(&words::address(machine, name)),
        _ => missing(),
    }
}

/// Whether a form was sent from another site's page, or from another program's on this machine. A browser says where a
/// form comes from; a program that says nothing is believed.
pub(crate) fn is_from_elsewhere(request: &Request<Bytes>) -> bool {
    let text = |name: &str| Some(request.headers().get(name)?.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let host = crate::dispatch::host(request);
    text("origin").is_some_and(|origin| origin.split_once("://").map(|(_, host)| host) != host)
}

/// The fields of a form that was sent from one of these pages; the refusal of any other.
async fn form(request: Request<Bytes>) -> Result<Vec<(String, String)>, Response<Bytes>> {
    if is_from_elsewhere(&request) {
        let error = AwsError::with_status(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "This form was sent from another page than ours.",
        );
        return Err(refused(&error));
    }
    let request = request.map(axum::body::Body::from);
    let fields = axum::extract::Form::<Vec<(String, String)>>::from_request(request, &()).await;
    fields.map(|fields| fields.0).map_err(|error| {
        refused(&AwsError::with_status(
            error.status(),
            "BadRequest",
            error.body_text(),
        ))
    })
}

fn missing() -> Response<Bytes> {
    page(StatusCode::NOT_FOUND, &MissingPage {})
}

/// AWS's own words for why something can't be done.
fn refused(error: &AwsError) -> Response<Bytes> {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let shown = RefusedPage {
        code: error.code().to_owned(),
        message: error.message().to_owned(),
    };
    page(status, &shown)
}

pub(crate) fn page(status: StatusCode, page: &impl Template) -> Response<Bytes> {
    // A template writes to memory, which doesn't fail.
    let mut response = typed("text/html; charset=utf-8", page.render().unwrap_or_default());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // With `no-referrer` a form would be sent with `Origin: null`.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

pub(crate) fn see_other(address: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(address) = HeaderValue::from_str(address) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

/// The fields of an address's query, those with nothing in them left out.
fn query(request: &Request<Bytes>) -> Vec<(String, String)> {
    let fields = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    let fields = fields.map(|fields| fields.0).unwrap_or_default();
    fields
        .into_iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .collect()
}

/// A field's value, without the space around it.
fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(known, _)| known == name)?;
    Some(found.1.trim()).filter(|value| !value.is_empty())
}

/// Where the embedded AWS was asked, for the CLI's `--endpoint-url`.
fn endpoint(request: &Request<Bytes>) -> String {
    format!("http://{}", crate::dispatch::host(request).unwrap_or("localhost"))
}
