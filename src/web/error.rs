//! The one error of the web side. It answers with a page or with `application/problem+json`, by what was asked, always
//! says how to go on, and puts what is internal into the log alone.
//! Handlers return it; `render`, which the router lays around everything, turns it (and what axum and tower refuse by
//! themselves) into the answer.

use super::Web;
use super::api::ApiError;
use super::views::{Again, Frame, NotValidPage, OurFaultPage, Problem, ProblemPage, TooManyRequestsPage};
use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;

/// Seconds after which to try again what failed on our side.
const RETRY_AFTER_FAULT: u32 = 5;

/// Why something isn't answered as it was asked.
#[derive(Clone, Debug)]
pub enum WebError {
    /// The link opens nothing. Never says whether a request exists.
    NotValid,
    /// About the request itself.
    Problem(Problem),
    /// What the API refuses.
    Api(ApiError),
    /// The caller asks too often.
    TooManyRequests {
        /// How long to wait.
        seconds: u32,
    },
    /// Something of ours failed. Whether anything was recorded may not be known: a write whose answer got lost may have
    /// taken effect.
    Fault {
        /// For the log: what failed. Never a token, never a link.
        cause: String,
        /// What was sent, so that it isn't lost.
        again: Option<Box<Again>>,
    },
}

impl From<Problem> for WebError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ApiError> for WebError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl WebError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotValid | Self::Problem(Problem::NotFound) => StatusCode::NOT_FOUND,
            Self::Problem(Problem::MethodNotAllowed) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Problem(Problem::FromElsewhere) => StatusCode::FORBIDDEN,
            Self::Problem(Problem::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Problem(Problem::Unreadable) => StatusCode::BAD_REQUEST,
            Self::Problem(Problem::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Api(error) => error.status(),
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Fault { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What axum or tower mean by an answer of their own with this status.
    fn of_status(status: StatusCode) -> Option<Self> {
        let problem = match status {
            StatusCode::NOT_FOUND => Problem::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Problem::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
            StatusCode::REQUEST_TIMEOUT => Problem::TooSlow,
            StatusCode::INTERNAL_SERVER_ERROR => {
                return Some(Self::Fault {
                    cause: "a handler panicked".to_owned(),
                    again: None,
                });
            }
            _ if status.is_client_error() => Problem::Unreadable,
            _ => return None,
        };
        Some(Self::Problem(problem))
    }

    fn detail(&self) -> String {
        match self {
            Self::NotValid => "This link isn't valid.".to_owned(),
            Self::Problem(problem) => problem.explanation().to_owned(),
            Self::Api(error) => error.detail(),
            Self::TooManyRequests { seconds } => format!("Wait {}, then try again.", in_words(*seconds)),
            Self::Fault { .. } => {
                "Something failed on our side. Try again: what is sent twice counts once.".to_owned()
            }
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::NotValid => "Not valid",
            Self::Problem(problem) => problem.heading(),
            Self::Api(error) => error.title(),
            Self::TooManyRequests { .. } => "Too many requests",
            Self::Fault { .. } => "Unavailable",
        }
    }

    fn as_page(&self, frame: &Frame, incident: &str) -> String {
        let frame = frame.clone();
        let page = match self {
            Self::NotValid => NotValidPage { frame }.render(),
            Self::Problem(problem) => ProblemPage {
                frame,
                problem: *problem,
            }
            .render(),
            // The API's addresses are answered in JSON, whatever is accepted.
            Self::Api(_) => ProblemPage {
                frame,
                problem: Problem::Unreadable,
            }
            .render(),
            Self::TooManyRequests { seconds } => TooManyRequestsPage {
                frame,
                wait: in_words(*seconds),
            }
            .render(),
            Self::Fault { again, .. } => {
                let again = again.as_deref().cloned();
                OurFaultPage {
                    frame,
                    incident: incident.to_owned(),
                    again,
                }
                .render()
            }
        };
        page.expect("a template is written into a String")
    }

    fn as_json(&self, incident: Option<&str>) -> Response {
        let status = self.status();
        let mut body = json!({"type": "about:blank", "title": self.title(), "status": status.as_u16(), "detail": self.detail()});
        if let Some(incident) = incident {
            body["incident"] = json!(incident);
        }
        if let Self::Api(error) = self
            && let Some((name, value)) = error.member()
        {
            body[name] = value;
        }
        let kind = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
    }
}

impl IntoResponse for WebError {
    /// Only carries the error to [`render`], which knows what was asked.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Turns errors into answers.
pub async fn render(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let as_json = wants_json(request.uri().path(), request.headers());
    let mut response = next.run(request).await;
    let refused_by_itself = |response: &Response| {
        // What our own handlers wrote has a body of its own: a page, or JSON.
        let kind = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        !kind.starts_with("text/html") && !kind.contains("json")
    };
    let error = match response.extensions_mut().remove::<WebError>() {
        Some(error) => error,
        None if refused_by_itself(&response) => match WebError::of_status(response.status()) {
            Some(error) => error,
            None => return response,
        },
        None => return response,
    };
    let incident = match &error {
        WebError::Fault { cause, .. } => {
            let incident = incident(web.flow.random.bytes());
            tracing::error!(incident, error = cause, "a page could not be served");
            Some(incident)
        }
        _ => None,
    };
    let mut answer = if as_json {
        error.as_json(incident.as_deref())
    } else {
        (
            error.status(),
            Html(error.as_page(&web.frame, incident.as_deref().unwrap_or_default())),
        )
            .into_response()
    };
    for name in [header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = response.headers_mut().remove(&name) {
            answer.headers_mut().insert(name, value);
        }
    }
    let headers = answer.headers_mut();
    match &error {
        WebError::TooManyRequests { seconds } => drop(headers.insert(header::RETRY_AFTER, (*seconds).into())),
        WebError::Fault { .. } => drop(headers.insert(header::RETRY_AFTER, RETRY_AFTER_FAULT.into())),
        WebError::Api(error) => {
            if error.status() == StatusCode::SERVICE_UNAVAILABLE {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_FAULT.into());
            }
            let challenge = error
                .challenge()
                .and_then(|text| HeaderValue::try_from(text).ok());
            headers.extend(challenge.map(|value| (header::WWW_AUTHENTICATE, value)));
        }
        WebError::NotValid | WebError::Problem(_) => {}
    }
    answer
}

/// Programs get JSON: whatever is asked of the API, and whoever accepts JSON and not HTML.
fn wants_json(path: &str, headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    path.contains("/api/")
        || path.ends_with("/metrics")
        || (accept.contains("json") && !accept.contains("text/html"))
}

/// A number that can be read out over the telephone: eight characters, none of which is taken for another.
fn incident(random: [u8; 8]) -> String {
    const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut number: String = random
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect();
    number.insert(4, '-');
    number
}

fn in_words(seconds: u32) -> String {
    match seconds {
        0..=5 => "a few seconds".to_owned(),
        6..=59 => format!("{seconds} seconds"),
        60..=119 => "a minute".to_owned(),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_json_and_people_get_pages() {
        let accepting = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            headers
        };
        assert!(wants_json("/s/x", &accepting("application/json")));
        assert!(wants_json("/api/v1/requests", &accepting("text/html")));
        assert!(!wants_json(
            "/s/x",
            &accepting("text/html,application/xhtml+xml,application/json;q=0.1,*/*;q=0.8")
        ));
        assert!(!wants_json("/s/x", &accepting("*/*")));
        assert!(!wants_json("/s/x", &HeaderMap::new()));
    }

    #[test]
    fn a_number_to_quote_has_no_letters_that_are_taken_for_others() {
        let number = incident([0, 31, 32, 255, 7, 8, 9, 10]);
        assert_eq!(number, "2Z2Z-9ABC");
    }

    #[test]
    fn waiting_in_words() {
        assert_eq!(
            [1, 30, 60, 61, 120, 121].map(in_words),
            [
                "a few seconds",
                "30 seconds",
                "a minute",
                "a minute",
                "2 minutes",
                "3 minutes"
            ]
        );
    }
}
