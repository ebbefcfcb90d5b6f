//! The mailbox for a browser, and as JSON for programs: `/mailbox`, `/mailbox/{address}` and
//! `/mailbox/messages/{id}`, each also with `.json` at its end or asked for by `Accept: application/json`.
//!
//! A mail's HTML is shown in a frame that runs nothing and loads nothing from elsewhere; its links lead the
//! whole window to their target.

use askama::Template;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::text::{Piece, pieces};
use super::{Mail, Mailbox};
use crate::dispatch::percent_decoded;
use crate::error::AwsError;

const STYLE: &str = include_str!("../../templates/style.css");

/// For our own pages: nothing but our style and the frame with the mail.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'none'";

/// For a mail's HTML: its own styles and the pictures it brings along, and links.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'self'; sandbox allow-popups \
                           allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation";

#[derive(Template)]
#[template(path = "mailbox.html")]
struct MailboxPage {
    address: Option<String>,
    mails: Vec<Mail>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage<'a> {
    mail: &'a Mail,
    text: Vec<Piece<'a>>,
    headers: Vec<&'a (String, String)>,
}

#[derive(Template)]
#[template(path = "missing.html")]
struct MissingPage {}

/// Whether the mailbox answers requests for `path`.
pub(crate) fn owns(path: &str) -> bool {
    path == "/mailbox" || path == "/mailbox.json" || path.starts_with("/mailbox/")
}

/// Answers a request for one of the mailbox's pages.
pub(crate) async fn respond(mailbox: &Mailbox, request: &Request<Bytes>) -> Response<Bytes> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = html(StatusCode::METHOD_NOT_ALLOWED, MissingPage {}.render());
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let path = request.uri().path().trim_end_matches('/');
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let (path, json) = match path.strip_suffix(".json") {
        Some(path) => (path, true),
        None => (
            path,
            accept.is_some_and(|accept| accept.contains("application/json")),
        ),
    };
    let rest: Vec<String> = path.split('/').skip(2).map(percent_decoded).collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let answer = match rest.as_slice() {
        [] => list(mailbox, None, json).await,
        ["style.css"] => Ok(typed("text/css; charset=utf-8", STYLE.to_owned())),
        ["messages", id] => one(mailbox, id, json).await,
        ["messages", id, "html"] => body(mailbox, id).await,
        [address] => list(mailbox, Some((*address).to_owned()), json).await,
        _ => Ok(html(StatusCode::NOT_FOUND, MissingPage {}.render())),
    };
    answer.unwrap_or_else(|_| {
        let text = Bytes::from_static(b"The mailbox's file can't be read.");
        let mut response = Response::new(text);
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

async fn list(mailbox: &Mailbox, address: Option<String>, json: bool) -> Result<Response<Bytes>, AwsError> {
    let mails = mailbox.mails(address.clone()).await?;
    if json {
        return Ok(as_json(&json!({"mails": mails})));
    }
    Ok(html(StatusCode::OK, MailboxPage { address, mails }.render()))
}

async fn one(mailbox: &Mailbox, id: &str, json: bool) -> Result<Response<Bytes>, AwsError> {
    let Some(mail) = mailbox.mail(id.to_owned()).await? else {
        return Ok(html(StatusCode::NOT_FOUND, MissingPage {}.render()));
    };
    if json {
        return Ok(as_json(&json!(mail)));
    }
    let shown_above = ["from", "to", "subject"];
    let page = MailPage {
        mail: &mail,
        text: pieces(mail.text.as_deref().unwrap_or_default()),
        headers: mail
            .headers
            .iter()
            .filter(|(name, _)| !shown_above.contains(&name.to_ascii_lowercase().as_str()))
            .collect(),
    };
    Ok(html(StatusCode::OK, page.render()))
}

async fn body(mailbox: &Mailbox, id: &str) -> Result<Response<Bytes>, AwsError> {
    let Some(content) = mailbox.mail(id.to_owned()).await?.and_then(|mail| mail.html) else {
        return Ok(html(StatusCode::NOT_FOUND, MissingPage {}.render()));
    };
    let mut response = html(StatusCode::OK, Ok(with_links_for_the_window(&content)));
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(MAIL_POLICY),
    );
    Ok(response)
}

/// Puts `<base target>` where a browser takes it as part of the head.
fn with_links_for_the_window(content: &str) -> String {
    const BASE: &str = r#"<base target="_top">"#;
    let lower = content.to_ascii_lowercase();
    let after_tag = |tag: &str| {
        let start = lower.find(tag)?;
        let follows = lower[start + tag.len()..].chars().next()?;
        let end = start + lower[start..].find('>')? + 1;
        (follows == '>' || follows.is_whitespace()).then_some(end)
    };
    let place = after_tag("<head")
        .or_else(|| after_tag("<html"))
        .or_else(|| after_tag("<!doctype"));
    let (before, after) = content.split_at(place.unwrap_or(0));
    format!("{before}{BASE}{after}")
}

/// `21 Nov 2026, 09:00 UTC`.
fn day_and_time(time: &Timestamp) -> String {
    time.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// The text's beginning, in one line.
fn beginning(mail: &Mail) -> String {
    let text = mail.text.as_deref().unwrap_or_default();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 140 {
        return line;
    }
    let cut: String = line.chars().take(140).collect();
    format!("{}…", cut.trim_end())
}

fn html(status: StatusCode, page: askama::Result<String>) -> Response<Bytes> {
    let mut response = match page {
        Ok(page) => typed("text/html; charset=utf-8", page),
        Err(_) => typed("text/html; charset=utf-8", String::new()),
    };
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(PAGE_POLICY),
    );
    response
}

fn as_json(value: &Value) -> Response<Bytes> {
    typed("application/json", value.to_string())
}

/// An answer that nobody keeps.
pub(crate) fn typed(kind: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AwsLocal, Options};

    async fn aws() -> (AwsLocal, Mail) {
        let options = Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"));
        let aws = AwsLocal::start(options).await.expect("it starts");
        let identity =
            Request::post("/v2/email/identities").body(r#"{"EmailIdentity": "no-reply@example.com"}"#.into());
        assert_eq!(aws.handle(identity.expect("a request")).await.status(), 200);
        let body = json!({
            "FromEmailAddress": "no-reply@example.com",
            "Destination": {"ToAddresses": ["bob+a/b@example.com"]},
            "Content": {"Simple": {
                "Subject": {"Data": "<script>alert(1)</script>"},
                "Body": {
                    "Text": {"Data": "Open https://example.com/s/x?a=1&b=\"2\" <b>now</b>"},
                    "Html": {"Data": "<html><head><title>T</title></head><a href='https://example.com/s/x'>Open</a>"},
                },
            }},
        });
        let request = Request::post("/v2/email/outbound-emails").body(body.to_string().into());
        assert_eq!(aws.handle(request.expect("a request")).await.status(), 200);
        let mail = aws.mails().remove(0);
        (aws, mail)
    }

    async fn get(aws: &AwsLocal, path: &str, accept: &str) -> (u16, String, String) {
        let request = Request::get(path)
            .header("host", "localhost:8086")
            .header("accept", accept);
        let request = request.body(Bytes::new()).expect("a request");
        let response = crate::server::respond(&aws.inner, request).await;
        let policy = response.headers().get(header::CONTENT_SECURITY_POLICY);
        let policy = policy
            .map_or("", |policy| policy.to_str().expect("ASCII"))
            .to_owned();
        let body = String::from_utf8(response.body().to_vec()).expect("UTF-8");
        (response.status().as_u16(), policy, body)
    }

    #[tokio::test]
    async fn a_mail_is_listed_and_shown_with_nothing_running() {
        let (aws, mail) = aws().await;
        let (status, policy, list) = get(&aws, "/mailbox", "text/html").await;
        assert_eq!((status, policy.as_str()), (200, PAGE_POLICY));
        assert!(!list.contains("<script"), "{list}");
        assert!(
            list.contains(r#"href="/mailbox/bob%2Ba%2Fb%40example.com""#),
            "{list}"
        );
        let (_, _, one) = get(&aws, "/mailbox/bob%2Ba%2Fb%40example.com", "text/html").await;
        assert!(one.contains(&mail.id), "{one}");

        let page = format!("/mailbox/messages/{}", mail.id);
        let (status, policy, shown) = get(&aws, &page, "text/html").await;
        assert_eq!((status, policy.as_str()), (200, PAGE_POLICY));
        assert!(
            shown.contains(r#"<a href="https://example.com/s/x?a=1"#),
            "{shown}"
        );
        assert!(!shown.contains("<b>now") && !shown.contains("<script"), "{shown}");
        let (status, policy, body) = get(&aws, &format!("{page}/html"), "text/html").await;
        assert_eq!((status, policy.as_str()), (200, MAIL_POLICY));
        assert!(
            body.starts_with(r#"<html><head><base target="_top"><title>"#),
            "{body}"
        );
    }

    #[tokio::test]
    async fn programs_get_json() {
        let (aws, mail) = aws().await;
        let page = format!("/mailbox/messages/{}", mail.id);
        for (path, accept) in [
            ("/mailbox.json", "*/*"),
            ("/mailbox", "application/json"),
            ("/mailbox/bob+a%2Fb@example.com.json", ""),
        ] {
            let (_, _, body) = get(&aws, path, accept).await;
            let list: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(list["mails"], json!([mail]), "{path}");
        }
        let (_, _, body) = get(&aws, &format!("{page}.json"), "").await;
        assert_eq!(serde_json::from_str::<Mail>(&body).expect("a mail"), mail);
    }

    #[tokio::test]
    async fn what_is_not_there_says_so() {
        let (aws, _) = aws().await;
        let (status, _, body) = get(&aws, "/mailbox/carol@example.com", "text/html").await;
        assert_eq!((status, body.contains("No mail yet")), (200, true));
        for path in [
            "/mailbox/messages/none",
            "/mailbox/messages/none/html",
            "/mailbox/a/b/c",
        ] {
            assert_eq!(get(&aws, path, "text/html").await.0, 404, "{path}");
        }
        let request = Request::delete("/mailbox")
            .header("host", "localhost")
            .body(Bytes::new());
        let response = crate::server::respond(&aws.inner, request.expect("a request")).await;
        assert_eq!(response.status(), 405);
    }

    #[test]
    fn the_base_element_goes_into_the_head() {
        for (given, expected) in [
            ("<p>Hi", r#"<base target="_top"><p>Hi"#),
            (
                "<!DOCTYPE html><p>Hi",
                r#"<!DOCTYPE html><base target="_top"><p>Hi"#,
            ),
            (
                "<html><HEAD lang=x><title>",
                r#"<html><HEAD lang=x><base target="_top"><title>"#,
            ),
            (
                "<html><body><header>",
                r#"<html><base target="_top"><body><header>"#,
            ),
        ] {
            assert_eq!(with_links_for_the_window(given), expected);
        }
    }
}
