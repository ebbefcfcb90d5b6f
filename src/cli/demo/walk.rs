//! `demo --walk`: acts as Bob, over HTTP and by what he sees alone: his mailbox, the mail's text, the page's form.

use super::super::Failure;
use super::super::terminal::{FAINT, say, styled};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::Duration;

const COMMENT: &str = "The price in section 3 is not what we agreed.";
/// How long Bob's mail may take.
const MAIL_WITHIN: Duration = Duration::from_secs(30);

/// Reads the mail in `mailbox`, opens its link (which must lead to `pages`), and signs or rejects.
pub(super) async fn as_bob(mailbox: &str, pages: &str, reject: bool) -> Result<(), Failure> {
    let bob = Browser {
        client: Client::builder(TokioExecutor::new()).build_http(),
    };
    let mail = tokio::time::timeout(MAIL_WITHIN, bob.first_mail(mailbox))
        .await
        .map_err(|_| Failure::failed("Bob got no mail within 30 seconds"))??;
    let subject = mail["subject"].as_str().unwrap_or_default();
    say(&styled(FAINT, format!("Bob reads   {subject}")));

    let text = mail["text"].as_str().unwrap_or_default();
    let link = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with(pages))
        .ok_or_else(|| Failure::failed("the mail has no link alone on a line"))?;
    let page = bob.get(link).await?;
    say(&styled(
        FAINT,
        format!(
            "Bob opens   {}",
            between(&page, "<title>", "</title>").unwrap_or_default()
        ),
    ));

    let token = hidden_field(&page, "csrf").ok_or_else(|| Failure::failed("the page has no form"))?;
    let outcome = if reject { "reject" } else { "approve" };
    let comment = if reject { COMMENT } else { "" };
    let form = [
        ("csrf", token.as_str()),
        ("outcome", outcome),
        ("comment", comment),
        ("name", "Bob"),
    ];
    let page = bob.post(link, &form).await?;
    say(&styled(
        FAINT,
        format!(
            "Bob sees    {}",
            between(&page, "<title>", "</title>").unwrap_or_default()
        ),
    ));
    say("");
    Ok(())
}

struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Browser {
    async fn first_mail(&self, mailbox: &str) -> Result<Value, Failure> {
        loop {
            let request = Request::get(mailbox).header(header::ACCEPT, "application/json");
            let list: Value =
                serde_json::from_str(&self.fetch(request, Bytes::new()).await?).unwrap_or_default();
            // A short name for what the mailbox lists: the newest is first.
            if let Some(mail) = list["mails"].as_array().and_then(|mails| mails.last()) {
                return Ok(mail.clone());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn get(&self, url: &str) -> Result<String, Failure> {
        self.fetch(
            Request::get(url).header(header::ACCEPT, "text/html"),
            Bytes::new(),
        )
        .await
    }

    async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<String, Failure> {
        let body = serde_urlencoded::to_string(form).map_err(|error| Failure::failed(error.to_string()))?;
        let request = Request::post(url)
            .header(header::ACCEPT, "text/html")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        self.fetch(request, body.into()).await
    }

    async fn fetch(&self, request: http::request::Builder, body: Bytes) -> Result<String, Failure> {
        let request = request
            .body(Full::new(body))
            .map_err(|error| Failure::failed(error.to_string()))?;
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;
        let status = answer.status();
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        if status == StatusCode::OK {
            Ok(text)
        } else {
            let title = between(&text, "<title>", "</title>").unwrap_or_default();
            Err(Failure::failed(format!("a page answered {status}: {title}")))
        }
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner.trim())
}

/// The value of a hidden field; our tokens need no unescaping.
fn hidden_field(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\""))?;
    between(rest, "value=\"", "\"").map(str::to_owned)
}
