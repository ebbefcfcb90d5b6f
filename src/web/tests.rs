//! What holds whatever is behind the pages: the headers, the refusals, and what is said when the table can't be reached.
//! Here it can't: every call to AWS fails. What the pages do with a table behind them is tested in `tests/it`.

use super::router::router;
use crate::app::{App, embedded_aws};
use crate::config::Config;
use crate::domain::ids::ApprovalId;
use crate::domain::keys::MasterKey;
use crate::domain::link::LinkClaim;
use crate::flow::{Clock, Random};
use crate::intake::Ways;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use tower::util::ServiceExt;

#[derive(Debug)]
struct Unreachable;

impl HttpConnector for Unreachable {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::user("nobody answers".into())))
    }
}

struct Site {
    router: Router,
    /// A genuine link, as a path.
    link: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Site {
    fn new(public_url: &str) -> Self {
        let http: SharedHttpClient = http_client_fn(|_, _| SharedHttpConnector::new(Unreachable));
        let clock = Clock::new(|| Timestamp::UNIX_EPOCH);
        let aws = embedded_aws(http, "eu-central-1", &clock);
        let config = Config {
            public_url: public_url.to_owned(),
            organisation: "Example Ltd".to_owned(),
            time_zone: "UTC".to_owned(),
            table: "countersign".to_owned(),
            mail_from: "countersign@example.com".to_owned(),
            mail_configuration_set: None,
            mail_topics: Vec::new(),
            people: vec![],
            look_every: jiff::SignedDuration::from_secs(5),
            master_key: MasterKey::new(1, [1; 32]),
            older_keys: vec![],
            evidence_seed: [1; 32],
            api_keys: vec![],
            state_data: None,
            ways: Ways::default(),
        };
        let flow = App::new(config, &aws, clock, Random::new(|bytes| bytes.fill(7))).flow();
        let claim = LinkClaim {
            approval: ApprovalId::from_bytes([7; 16]),
            signer: 0,
            generation: 0,
        };
        let link = flow.signer_url(&claim).replace(public_url, "");
        Self {
            router: router(flow),
            link,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router always answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request"))
            .await
    }

    async fn post(&self, path: &str, site: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site);
        self.send(request.body(body.into()).expect("a request")).await
    }
}

fn site() -> Site {
    Site::new("https://sign.example.com")
}

#[tokio::test(start_paused = true)]
async fn every_answer_carries_the_strict_headers() {
    let site = site();
    let style = format!("/assets/{}", super::assets::stylesheet().name);
    let answers = [
        site.get("/s/x").await,
        site.get(&site.link).await,
        site.get("/nowhere").await,
        site.get(&style).await,
        site.get("/healthz").await,
        site.post("/s/x", "cross-site", "").await,
        site.send(Request::delete("/s/x").body(Body::empty()).expect("a request"))
            .await,
    ];
    for answer in &answers {
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'"),
            "{}",
            answer.status
        );
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert!(answer.header("strict-transport-security").starts_with("max-age="));
        let kept = answer.header(header::CACHE_CONTROL);
        assert!(
            kept == "no-store" || answer.header(header::CONTENT_TYPE).starts_with("text/css"),
            "{kept}"
        );
    }
    assert_eq!(
        answers[3].header(header::CACHE_CONTROL),
        "public, max-age=31536000, immutable"
    );
}

#[tokio::test(start_paused = true)]
async fn a_link_that_opens_nothing_is_answered_the_same_whatever_is_wrong_with_it() {
    let site = site();
    let forged = site.link.replace("/s/AQ", "/s/AR");
    let cut = &site.link[..site.link.len() - 3];
    let mut pages = Vec::new();
    for link in [
        "/s/x",
        &forged,
        cut,
        "/s/%00",
        "/s/%FF%FE",
        "/s/..%2F..%2Fetc%2Fpasswd",
    ] {
        let answer = site.get(link).await;
        assert!(
            answer.status == StatusCode::NOT_FOUND || answer.status == StatusCode::BAD_REQUEST,
            "{link}"
        );
        if answer.status == StatusCode::NOT_FOUND {
            pages.push(answer.body);
        }
    }
    assert!(
        pages.len() >= 4 && pages.iter().all(|page| *page == pages[0]),
        "always the same page"
    );
    assert!(pages[0].contains("This link isn’t valid"));
}

#[tokio::test(start_paused = true)]
async fn a_fault_keeps_what_was_typed_and_names_a_number() {
    let site = site();
    let opened = site.get(&site.link).await;
    assert_eq!(opened.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        opened.body.contains("Something went wrong on our side") && opened.body.contains("9999-9999"),
        "{}",
        opened.body
    );
    let sent = site
        .post(
            &site.link,
            "same-origin",
            "csrf=abc&outcome=reject&comment=Not+%3Cnow%3E&name=Bob",
        )
        .await;
    assert_eq!(sent.status, StatusCode::SERVICE_UNAVAILABLE);
    for kept in [
        "value=\"abc\"",
        "value=\"reject\"",
        "value=\"Bob\"",
        "Not &#60;now&#62;</textarea>",
    ] {
        assert!(sent.body.contains(kept), "{kept} is missing in {}", sent.body);
    }
    assert!(
        !sent.body.contains("nobody answers") && !sent.body.contains("DynamoDB"),
        "internals stay inside"
    );
}

#[tokio::test(start_paused = true)]
async fn forms_are_taken_from_our_page_alone_and_only_if_they_can_be_read() {
    let site = site();
    let elsewhere = site
        .post(&site.link, "cross-site", "csrf=abc&outcome=approve&name=Bob")
        .await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    assert!(elsewhere.body.contains("This didn’t come from our page"));
    let large = site
        .post(
            &site.link,
            "same-origin",
            format!("comment={}", "x".repeat(70_000)),
        )
        .await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let twice = site
        .post(&site.link, "same-origin", "outcome=approve&outcome=reject")
        .await;
    assert_eq!(
        twice.status,
        StatusCode::BAD_REQUEST,
        "which of the two was meant?"
    );
    let json = Request::post(&site.link)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("{}"));
    assert_eq!(
        site.send(json.expect("a request")).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test(start_paused = true)]
async fn programs_get_problem_json() {
    let site = site();
    let request = Request::get("/nowhere")
        .header(header::ACCEPT, "application/json")
        .body(Body::empty());
    let answer = site.send(request.expect("a request")).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
    let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(
        (&body["status"], &body["title"]),
        (&404.into(), &"There is no such page".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_method_is_told_which_are_right() {
    let site = site();
    let request = Request::builder()
        .method(Method::PUT)
        .uri(&site.link)
        .body(Body::empty());
    let answer = site.send(request.expect("a request")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(
        answer.header(header::ALLOW).contains("POST"),
        "{}",
        answer.header(header::ALLOW)
    );
    assert!(answer.body.contains("This page can’t be used that way"));
}

#[tokio::test(start_paused = true)]
async fn a_path_prefix_works_whether_or_not_a_proxy_strips_it() {
    let site = Site::new("https://example.com/approvals");
    for path in ["/s/x", "/approvals/s/x"] {
        let answer = site.get(path).await;
        assert!(answer.body.contains("This link isn’t valid"), "{path}");
        let style = format!("/approvals/assets/{}", super::assets::stylesheet().name);
        assert!(answer.body.contains(&format!("href=\"{style}\"")), "{path}");
        assert_eq!(site.get(&style).await.status, StatusCode::OK);
    }
    let host = Request::get("/s/x")
        .header(header::HOST, "evil.example")
        .header("x-forwarded-host", "evil.example");
    let answer = site.send(host.body(Body::empty()).expect("a request")).await;
    assert!(
        !answer.body.contains("evil.example")
            && answer
                .body
                .contains("<strong class=\"host\">example.com</strong>")
    );
}
