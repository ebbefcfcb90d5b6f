//! What a browser does, without one: opens pages of the real router and sends their forms.

use super::harness::{Harness, PUBLIC_URL};
use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The page's text, without markup and with white space as single blanks.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut rest = self.body.as_str();
        while let Some((before, tag)) = rest.split_once('<') {
            text.push_str(before);
            let inline = [
                "bdi", "/bdi", "time", "/time", "strong", "/strong", "em", "/em", "b>", "/b>",
            ];
            if !inline.iter().any(|name| tag.starts_with(name)) {
                text.push(' ');
            }
            rest = tag.split_once('>').map_or("", |(_, after)| after);
        }
        text.push_str(rest);
        let text = text
            .replace("&#39;", "'")
            .replace("&#x27;", "'")
            .replace("&quot;", "\"")
            .replace("&amp;", "&");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The form's token.
    pub(crate) fn form_token(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrf\"").expect("a form");
        between(rest, "value=\"", "\"").expect("a value").to_owned()
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inner, _)| inner)
}

impl Harness {
    pub(crate) async fn request(&self, method: Method, path: &str, form: Option<&[(&str, &str)]>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "text/html");
        request = request.header(header::USER_AGENT, "Mozilla/5.0 (X11; Linux) Firefox/140.0");
        let body = match form {
            Some(form) => {
                request = request
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .header(header::ORIGIN, PUBLIC_URL)
                    .header("sec-fetch-site", "same-origin");
                Body::from(serde_urlencoded::to_string(form).expect("a form"))
            }
            None => Body::empty(),
        };
        self.send(request.body(body).expect("a request")).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let router = countersign::web::router::router(std::sync::Arc::clone(&self.flow));
        let response = router.oneshot(request).await.expect("the router always answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).expect("UTF-8"),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None).await
    }

    /// Opens the page, fills in its form and sends it.
    pub(crate) async fn answer(&self, path: &str, outcome: &str, comment: &str, name: &str) -> Answer {
        let token = self.get(path).await.form_token();
        self.post(path, &token, outcome, comment, name).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        token: &str,
        outcome: &str,
        comment: &str,
        name: &str,
    ) -> Answer {
        let form = [
            ("csrf", token),
            ("outcome", outcome),
            ("comment", comment),
            ("name", name),
        ];
        self.request(Method::POST, path, Some(&form)).await
    }
}
