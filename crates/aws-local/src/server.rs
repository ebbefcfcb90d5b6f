//! The loopback port: the AWS APIs for programs, the mailbox and the executions for a browser.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};

use crate::mailbox::pages;
use crate::{Inner, console, travel};

/// The largest request body, in bytes: SES takes mails of 40 MB, which base64 makes longer.
const BODY: usize = 64 * 1024 * 1024;

pub(crate) async fn serve(
    inner: Arc<Inner>,
    listener: tokio::net::TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new().fallback(move |request: Request<Body>| {
        let inner = Arc::clone(&inner);
        async move {
            let (parts, body) = request.into_parts();
            match to_bytes(body, BODY).await {
                Ok(body) => respond(&inner, Request::from_parts(parts, body)).await,
                Err(_) => plain(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large."),
            }
            .map(Body::from)
        }
    });
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await
}

/// Answers one request that came over the network.
pub(crate) async fn respond(inner: &Arc<Inner>, request: Request<Bytes>) -> Response<Bytes> {
    if !names_this_machine(&request) || !comes_from_this_machine(&request) {
        return plain(
            StatusCode::FORBIDDEN,
            "The embedded AWS answers under loopback addresses only.",
        );
    }
    let path = request.uri().path();
    if is_for_aws(&request) {
        return inner.handle(request).await;
    }
    if pages::owns(path) && request.method() != Method::POST {
        return pages::respond(&inner.mailbox, &request).await;
    }
    if travel::owns(&request) {
        return travel::respond(inner, request).await;
    }
    if console::owns(&request) {
        return console::respond(inner, request).await;
    }
    inner.handle(request).await
}

/// Whether it is signed, in its headers or in its address: then it means S3 or another API of AWS, whatever its path.
fn is_for_aws(request: &Request<Bytes>) -> bool {
    let signed_address = |query: &str| query.contains("X-Amz-") || query.contains("AWSAccessKeyId=");
    request.headers().contains_key(header::AUTHORIZATION)
        || request.headers().contains_key("x-amz-target")
        || request.uri().query().is_some_and(signed_address)
}

/// Whether the Host is this machine. A website can point a name of its own at 127.0.0.1 and have a visitor's
/// browser ask us; the Host then still names the website.
fn names_this_machine(request: &Request<Bytes>) -> bool {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    host.is_some_and(is_loopback)
}

/// Whether no other website's page makes the request. A browser lets any page post to us, without seeing the
/// answer; it then says by Origin whose page that is.
fn comes_from_this_machine(request: &Request<Bytes>) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else {
        return true;
    };
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    host.is_some_and(|(_, host)| is_loopback(host))
}

/// Whether `host`, which may have a port, is a name or an address of this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_port_answers_until_it_is_shut() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let options = crate::Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"));
        let aws = crate::AwsLocal::start(options).await.expect("it starts");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let (shut, shutdown) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let shutdown = async {
                let _ = shutdown.await;
            };
            aws.serve(listener, shutdown).await
        });
        for (host, expected) in [("localhost", "200 OK"), ("evil.example", "403 Forbidden")] {
            let mut stream = tokio::net::TcpStream::connect(address)
                .await
                .expect("a connection");
            let request = format!(
                "POST / HTTP/1.1\r\nhost: {host}\r\nx-amz-target: DynamoDB_20120810.ListTables\r\n\
                 content-length: 2\r\nconnection: close\r\n\r\n{{}}"
            );
            stream.write_all(request.as_bytes()).await.expect("it is sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{answer}");
        }
        shut.send(()).expect("it still runs");
        serving.await.expect("no panic").expect("no error");
    }

    #[test]
    fn only_loopback_hosts_are_answered() {
        for (host, expected) in [
            ("127.0.0.1:8086", true),
            ("localhost:8086", true),
            ("LOCALHOST", true),
            ("sync-states.localhost:8086", true),
            ("[::1]:8086", true),
            ("127.1.2.3", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example:8086", false),
            ("localhost.evil.example", false),
            ("192.168.1.4", false),
            ("", false),
        ] {
            let request = Request::get("/").header("host", host);
            let request = request.body(Bytes::new()).expect("a request");
            assert_eq!(names_this_machine(&request), expected, "{host}");
        }
        assert!(!names_this_machine(
            &Request::get("/").body(Bytes::new()).expect("a request")
        ));
    }

    #[test]
    fn no_other_websites_page_is_answered() {
        for (origin, expected) in [
            (None, true),
            (Some("http://localhost:3000"), true),
            (Some("http://127.0.0.1:8085"), true),
            (Some("https://evil.example"), false),
            (Some("https://localhost.evil.example"), false),
            (Some("null"), false),
        ] {
            let mut request = Request::post("/v2/email/outbound-emails").header("host", "localhost");
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let request = request.body(Bytes::new()).expect("a request");
            assert_eq!(comes_from_this_machine(&request), expected, "{origin:?}");
        }
    }
}
