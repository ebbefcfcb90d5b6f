//! A signer's page: `GET` (and `HEAD`) shows it, `POST` to the same address decides.
//! Opening decides nothing, whoever or whatever opens: only a form that was filled in deliberately does. What was typed
//! comes back with every answer that didn't take it.

use super::Web;
use super::error::WebError;
use super::present::Presenter;
use super::views::{Again, Problem};
use super::{security, visitor};
use crate::domain::display_text::DisplayLines;
use crate::flow::decide::{self, Decided, Submission};
use crate::flow::review::{self, Page, PageError};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;

/// The decision form, as it is sent. A field that is missing counts as empty, so that the answer can say what to do.
#[derive(Deserialize)]
struct DecisionFields {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    name: String,
}

/// Shows the page behind a link.
pub async fn show(
    State(web): State<Arc<Web>>,
    Path(link): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let visit = visitor::visit(&method, &headers);
    let page = review::open_page(&web.flow, as_sent(&link), visit)
        .await
        .map_err(|error| refused(&error, None))?;
    let shown = presenter(&web, &page).opened(&page.kind);
    Ok(html(StatusCode::OK, shown))
}

/// Records what was decided.
pub async fn decide(
    State(web): State<Arc<Web>>,
    Path(link): Path<String>,
    request: Request,
) -> Result<Response, WebError> {
    if security::is_from_elsewhere(request.headers(), &web.origin) {
        return Err(Problem::FromElsewhere.into());
    }
    let browser = visitor::browser(request.headers());
    let address = visitor::address(request.extensions());
    let Form(fields) = Form::<DecisionFields>::from_request(request, &())
        .await
        .map_err(|error| unreadable(&error))?;
    let sent = Submission {
        form_token: fields.csrf,
        outcome: fields.outcome,
        comment: fields.comment,
        typed_name: fields.name,
        address,
        browser,
    };
    let decided = decide::decide(&web.flow, as_sent(&link), &sent)
        .await
        .map_err(|error| refused(&error, Some(&sent)))?;
    Ok(match &decided {
        Decided::Recorded(page) => html(StatusCode::OK, presenter(&web, page).recorded(&page.kind)),
        Decided::Overtaken(page) => html(
            StatusCode::CONFLICT,
            presenter(&web, page).overtaken(&page.kind, &sent),
        ),
        Decided::Mistakes(page, mistakes) => html(
            StatusCode::UNPROCESSABLE_ENTITY,
            presenter(&web, page).mistaken(&page.kind, &sent, mistakes),
        ),
        Decided::FormExpired(page) => html(
            StatusCode::UNPROCESSABLE_ENTITY,
            presenter(&web, page).form_expired(&page.kind, &sent),
        ),
    })
}

fn presenter<'a>(web: &'a Web, page: &'a Page) -> Presenter<'a> {
    Presenter {
        frame: &web.frame,
        now: web.flow.clock.now(),
        time_zone: &web.flow.settings.time_zone,
        approval: &page.approval,
        signer: page.signer,
    }
}

fn html(status: StatusCode, page: String) -> Response {
    (status, Html(page)).into_response()
}

/// Mail programs take the full stop or bracket after an address for a part of it; no link of ours ends so.
fn as_sent(link: &str) -> &str {
    link.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
}

fn refused(error: &PageError, sent: Option<&Submission>) -> WebError {
    match error {
        PageError::NotValid => WebError::NotValid,
        PageError::Tampered | PageError::Unavailable(_) => WebError::Fault {
            cause: error.to_string(),
            again: sent.map(|sent| {
                Box::new(Again {
                    csrf: sent.form_token.clone(),
                    outcome: sent.outcome.clone(),
                    name: sent.typed_name.clone(),
                    comment: DisplayLines::new(&sent.comment),
                })
            }),
        },
    }
}

fn unreadable(error: &FormRejection) -> WebError {
    let too_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
    if too_large {
        Problem::TooLarge.into()
    } else {
        Problem::Unreadable.into()
    }
}

#[cfg(test)]
mod tests {
    use super::as_sent;

    #[test]
    fn what_a_mail_program_hangs_on_to_a_link_is_no_part_of_it() {
        for end in ["", ".", ">", ").", "\u{201D}", "&gt;"] {
            let link = format!("AQECAwQF-_{end}");
            let read = as_sent(&link);
            assert!(read == "AQECAwQF-_" || end == "&gt;", "{read}");
        }
    }
}
