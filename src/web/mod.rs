//! The HTTP side: pages for signers, and the ways in for programs. `router` says which address leads where; `sign`
//! answers for signers' pages, `api` for programs with a key, with `present` choosing what they show and `views` (with `templates/`) how; `error` and
//! `security` lie around everything.

pub mod api;
pub mod assets;
pub mod auth;
pub mod error;
mod hooks;
pub mod markdown;
pub mod present;
pub mod router;
pub mod security;
pub mod sign;
pub mod views;
pub mod visitor;

use crate::flow::Flow;
use axum::http::Uri;
use std::sync::Arc;
use views::Frame;

/// What every handler is given.
#[derive(Debug)]
pub struct Web {
    /// The steps.
    pub flow: Arc<Flow>,
    /// What surrounds every page.
    pub frame: Frame,
    /// The origin of the configured address: `https://sign.example.com`.
    pub origin: String,
}

impl Web {
    /// The web side of `flow`. Its pages carry the configured address, whatever a request's headers say.
    pub fn new(flow: Arc<Flow>) -> Self {
        let url: Uri = flow.settings.public_url.parse().unwrap_or_default();
        let host = url.authority().map(ToString::to_string).unwrap_or_default();
        let organisation = flow.settings.organisation.trim();
        let frame = Frame {
            lang: "en",
            dir: "ltr",
            base_path: url.path().trim_end_matches('/').to_owned(),
            organisation: (!organisation.is_empty()).then(|| organisation.into()),
            host: host.clone(),
        };
        let origin = format!("{}://{host}", url.scheme_str().unwrap_or("https"));
        Self { flow, frame, origin }
    }
}

#[cfg(test)]
mod tests;
