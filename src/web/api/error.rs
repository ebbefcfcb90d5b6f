//! What the API refuses, and how it says so (RFC 9457). Part of the web's one error, `web::error`, which makes the
//! answer.

use crate::domain::api_key::Scope;
use crate::domain::request_fields::Problem;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Why the API doesn't do what was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApiError {
    /// There is no key with the request.
    NoKey,
    /// The key isn't one of ours. Never says more.
    WrongKey,
    /// The key is for something else.
    MissingScope(Scope),
    /// The body isn't the JSON that it should be.
    NotJson(String),
    /// The body is longer than is taken.
    TooLarge {
        /// How many bytes are.
        most: usize,
    },
    /// Fields are wrong: all of them, by name.
    Invalid(Vec<Problem>),
    /// There is no such request.
    NoSuchRequest,
    /// The request isn't in a state for that.
    Conflict(String),
    /// AWS doesn't do it.
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// AWS's name for it.
        code: String,
        /// What it means here, and what to do.
        detail: String,
    },
}

impl ApiError {
    pub(in crate::web) fn status(&self) -> StatusCode {
        match self {
            Self::NoKey | Self::WrongKey => StatusCode::UNAUTHORIZED,
            Self::MissingScope(_) => StatusCode::FORBIDDEN,
            Self::NotJson(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoSuchRequest => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Refused { status, .. } => *status,
        }
    }

    pub(in crate::web) fn title(&self) -> &'static str {
        match self {
            Self::NoKey | Self::WrongKey => "Not authorized",
            Self::MissingScope(_) => "Not allowed with this key",
            Self::NotJson(_) => "Not readable",
            Self::TooLarge { .. } => "Too large",
            Self::Invalid(_) => "Not valid",
            Self::NoSuchRequest => "There is no such request",
            Self::Conflict(_) => "Not possible now",
            Self::Refused { .. } => "Refused",
        }
    }

    pub(in crate::web) fn detail(&self) -> String {
        match self {
            Self::NoKey => "Send an API key: Authorization: Bearer <key>.".to_owned(),
            Self::WrongKey => "The API key isn't known here.".to_owned(),
            Self::MissingScope(scope) => format!("This needs an API key with the scope {}.", scope.name()),
            Self::NotJson(detail) | Self::Conflict(detail) => detail.clone(),
            Self::TooLarge { most } => format!("A body may have {most} bytes."),
            Self::Refused { code, detail, .. } => format!("{code}: {detail}"),
            Self::Invalid(problems) => {
                let told: Vec<String> = problems
                    .iter()
                    .map(|p| format!("{}: {}", p.field, p.message))
                    .collect();
                told.join("; ")
            }
            Self::NoSuchRequest => "No request has this id.".to_owned(),
        }
    }

    /// The member of the answer beyond those that every problem has: its name and its value.
    pub(in crate::web) fn member(&self) -> Option<(&'static str, Value)> {
        match self {
            Self::Invalid(problems) => {
                let told = problems
                    .iter()
                    .map(|p| json!({"field": p.field, "message": p.message}));
                Some(("errors", told.collect()))
            }
            Self::Refused { code, .. } => Some(("code", json!(code))),
            _ => None,
        }
    }

    /// What `WWW-Authenticate` says (RFC 6750, section 3).
    pub(in crate::web) fn challenge(&self) -> Option<String> {
        match self {
            Self::NoKey => Some("Bearer realm=\"countersign\"".to_owned()),
            Self::WrongKey => Some("Bearer realm=\"countersign\", error=\"invalid_token\"".to_owned()),
            Self::MissingScope(scope) => Some(format!(
                "Bearer realm=\"countersign\", error=\"insufficient_scope\", scope=\"{}\"",
                scope.name()
            )),
            _ => None,
        }
    }
}
