//! `/clock`: the clock as JSON for programs and as a page for a person, and the way to move it for both.
//!
//! `GET` says where it stands; `POST` takes `{"next": true}`, `{"to": "2026-11-24T09:00:00Z"}` or `{"bySeconds": 3600}`, or
//! the page's form. Refusals are problem details (RFC 9457), or the page with what is wrong.

use std::sync::Arc;

use askama::Template;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde_json::{Value, json};

use super::{Due, Skip, SkipError, Skipped};
use crate::Inner;
use crate::console::{self, words};
use crate::mailbox::pages::typed;

/// What a program may ask for.
const WANTED: &str =
    "wanted is one of {\"next\": true}, {\"to\": \"2026-11-24T09:00:00Z\"} and {\"bySeconds\": 3600}";

#[derive(Template)]
#[template(path = "clock.html")]
struct ClockPage {
    stands: Option<Skipped>,
    last: Option<Skipped>,
    problem: Option<String>,
    to: String,
    by: String,
}

impl ClockPage {
    fn ahead(stands: &Skipped) -> String {
        words::span(stands.now - stands.ahead, stands.now)
    }
}

/// Whether a request is for the clock. One with a bucket in the host's name is for what is in the bucket.
pub(crate) fn owns(request: &Request<Bytes>) -> bool {
    let method = request.method();
    let wanted = matches!(*method, Method::GET | Method::HEAD | Method::POST);
    wanted && request.uri().path() == "/clock" && !crate::s3::names_a_bucket(request)
}

pub(crate) async fn respond(inner: &Arc<Inner>, request: Request<Bytes>) -> Response<Bytes> {
    let page = wants_page(&request);
    if request.method() != Method::POST {
        return match (inner.clock_stands().await, page) {
            (stands, true) => show(inner, stands, None, &Form::default()),
            (Some(stands), false) => json_of(StatusCode::OK, "application/json", &told(&stands, false)),
            (None, false) => problem(&Refusal::Skip(SkipError::NotAllowed)),
        };
    }
    if console::is_from_elsewhere(&request) {
        return problem(&Refusal::Elsewhere);
    }
    let form = is_form(&request);
    let fields = if form {
        Form::read(&request)
    } else {
        Form::default()
    };
    let asked = if form {
        fields.skip()
    } else {
        asked(request.body())
    };
    let done = match asked {
        Ok(skip) => {
            let at_work = Arc::clone(inner);
            // A skip goes on to its end, also when the browser goes away.
            let skipping = inner.tasks.spawn(async move { at_work.skip(skip).await });
            skipping
                .await
                .unwrap_or(Err(SkipError::NotAllowed))
                .map_err(Refusal::Skip)
        }
        Err(refusal) => Err(refusal),
    };
    match (done, form) {
        (Ok(_), true) => console::see_other("/clock"),
        (Ok(skipped), false) => json_of(StatusCode::OK, "application/json", &told(&skipped, true)),
        (Err(refusal), false) => problem(&refusal),
        (Err(refusal), true) => {
            let stands = inner.clock_stands().await;
            show(inner, stands, Some(&refusal), &fields)
        }
    }
}

/// Why a request was not done.
enum Refusal {
    Skip(SkipError),
    /// It can't be understood.
    Wrong(String),
    /// It is another website's.
    Elsewhere,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::Skip(SkipError::NotAllowed) => StatusCode::NOT_FOUND,
            Refusal::Skip(SkipError::Nothing) => StatusCode::CONFLICT,
            Refusal::Skip(SkipError::Backwards { .. } | SkipError::TooFar) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Refusal::Skip(SkipError::File(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Wrong(_) => StatusCode::BAD_REQUEST,
            Refusal::Elsewhere => StatusCode::FORBIDDEN,
        }
    }

    fn detail(&self) -> String {
        match self {
            Refusal::Skip(error) => error.to_string(),
            Refusal::Wrong(why) => why.clone(),
            Refusal::Elsewhere => "the request comes from another page".to_owned(),
        }
    }
}

/// The page's form: which button, and what was typed.
#[derive(Default)]
struct Form {
    skip: String,
    to: String,
    by: String,
}

impl Form {
    fn read(request: &Request<Bytes>) -> Form {
        let mut form = Form::default();
        for (name, value) in url_decoded(request.body()) {
            match name.as_str() {
                "skip" => form.skip = value,
                "to" => value.trim().clone_into(&mut form.to),
                "by" => value.trim().clone_into(&mut form.by),
                _ => {}
            }
        }
        form
    }

    fn skip(&self) -> Result<Skip, Refusal> {
        match self.skip.as_str() {
            "next" => Ok(Skip::Next),
            "to" => time(&self.to).map(Skip::To),
            "by" => duration(&self.by).map(Skip::By),
            _ => Err(Refusal::Wrong("say how far to skip".to_owned())),
        }
    }
}

fn url_decoded(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let decoded = |part: &str| crate::dispatch::percent_decoded(&part.replace('+', " "));
    let fields = text.split('&').filter_map(|field| field.split_once('='));
    fields
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// How far a program wants to skip.
fn asked(body: &[u8]) -> Result<Skip, Refusal> {
    let wrong = |why: &str| Refusal::Wrong(format!("{why}; {WANTED}"));
    let body: Value = serde_json::from_slice(body).map_err(|error| wrong(&format!("no JSON: {error}")))?;
    let fields = body.as_object().ok_or_else(|| wrong("no JSON object"))?;
    let mut given = fields.iter();
    match (given.next(), given.next()) {
        (Some((name, value)), None) => match (name.as_str(), value) {
            ("next", Value::Bool(true)) => Ok(Skip::Next),
            ("to", Value::String(text)) => match text.parse::<Timestamp>() {
                Ok(to) => Ok(Skip::To(to)),
                Err(error) => Err(wrong(&format!("\"to\" is no time with its zone: {error}"))),
            },
            ("bySeconds", Value::Number(seconds)) => match seconds.as_i64() {
                Some(seconds) => Ok(Skip::By(SignedDuration::from_secs(seconds))),
                None => Err(wrong("\"bySeconds\" is no whole number")),
            },
            (name, _) => Err(wrong(&format!("\"{name}\" is not understood"))),
        },
        _ => Err(wrong("not one field")),
    }
}

/// A time as a browser sends it, in UTC, or with its zone.
fn time(text: &str) -> Result<Timestamp, Refusal> {
    let with_zone = text.parse::<Timestamp>().ok();
    let without = || {
        let time = text.parse::<DateTime>().ok()?;
        time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
    };
    with_zone
        .or_else(without)
        .ok_or_else(|| Refusal::Wrong("that is no time, such as 2026-11-24 09:00".to_owned()))
}

/// `3d`, `90m`, `1h 30m`: days have 24 hours.
fn duration(text: &str) -> Result<SignedDuration, Refusal> {
    let span = text.parse::<Span>().ok();
    let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    duration
        .filter(SignedDuration::is_positive)
        .ok_or_else(|| Refusal::Wrong("that is no time span, such as 3d, 90m or 1h 30m".to_owned()))
}

fn is_form(request: &Request<Bytes>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/x-www-form-urlencoded")
}

fn wants_page(request: &Request<Bytes>) -> bool {
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.contains("text/html")
}

fn show(inner: &Inner, stands: Option<Skipped>, refusal: Option<&Refusal>, form: &Form) -> Response<Bytes> {
    let status = refusal.map_or(StatusCode::OK, Refusal::status);
    let page = ClockPage {
        stands,
        last: inner.travel.get().and_then(super::Travel::last),
        problem: refusal.map(Refusal::detail),
        to: form.to.clone(),
        by: form.by.clone(),
    };
    console::page(status, &page)
}

fn told(skipped: &Skipped, with_what_came: bool) -> Value {
    let due = |due: &Due| json!({"at": moment(due.at), "what": due.what});
    let mut told = json!({
        "now": moment(skipped.now),
        "skippedSeconds": skipped.ahead.as_secs(),
        "next": skipped.next.as_ref().map(due),
    });
    if with_what_came {
        told["came"] = skipped.came.iter().map(due).collect();
        told["arrived"] = skipped.arrived.into();
    }
    told
}

fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn problem(refusal: &Refusal) -> Response<Bytes> {
    let status = refusal.status();
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": refusal.detail(),
    });
    json_of(status, "application/problem+json", &body)
}

fn json_of(status: StatusCode, kind: &'static str, body: &Value) -> Response<Bytes> {
    let mut response = typed(kind, body.to_string());
    *response.status_mut() = status;
    response
}
