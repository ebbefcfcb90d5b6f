//! The API: who may use it, and that what comes in over HTTP is taken in like anything else.

use super::browser::Answer;
use super::harness::{Fault, Harness, request};
use axum::body::Body;
use countersign::domain::api_key::{ApiKey, PlainKey, Scope};
use http::{Method, Request, header};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every route, and the scope that it asks for.
const ROUTES: [(Method, &str, Scope); 13] = [
    (Method::POST, "/api/v1/requests", Scope::Write),
    (Method::GET, "/api/v1/requests", Scope::Read),
    (Method::GET, "/api/v1/requests/{id}", Scope::Read),
    (Method::GET, "/api/v1/requests/{id}/events", Scope::Read),
    (Method::GET, "/metrics", Scope::Read),
    (Method::POST, "/api/v1/requests/{id}/cancel", Scope::Operate),
    (Method::POST, "/api/v1/requests/{id}/complete", Scope::Operate),
    (Method::POST, "/api/v1/requests/{id}/resend", Scope::Operate),
    (Method::POST, "/api/v1/requests/{id}/retry", Scope::Operate),
    (Method::POST, "/api/v1/executions", Scope::Start),
    (Method::GET, "/api/v1/executions/{id}", Scope::Follow),
    (Method::POST, "/api/v1/executions/{id}/stop", Scope::Stop),
    (Method::POST, "/api/v1/state-data/get_item", Scope::StateData),
];

/// The key for one scope.
pub(crate) fn key(scope: Scope) -> PlainKey {
    PlainKey::from_random([scope as u8 + 1; 32])
}

/// A key for each scope, as they are configured.
pub(crate) fn keys() -> Vec<ApiKey> {
    let for_one = |scope: Scope| ApiKey {
        id: scope.name().to_owned(),
        sha256: key(scope).sha256(),
        scopes: BTreeSet::from([scope]),
    };
    Scope::ALL.map(for_one).to_vec()
}

impl Harness {
    /// Calls the API with the key for `scope`.
    pub(crate) async fn call(&self, scope: Scope, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let answer = self
            .call_with(Some(key(scope).expose()), method, path, body.to_string())
            .await;
        let json = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", answer.body));
        (answer.status.as_u16(), json)
    }

    pub(crate) async fn call_with(
        &self,
        key: Option<&str>,
        method: Method,
        path: &str,
        body: String,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}

#[tokio::test(start_paused = true)]
async fn every_route_needs_a_key_with_its_scope() {
    let harness = Harness::start().await;
    for (method, path, scope) in ROUTES {
        let path = &path.replace("{id}", "req_aaaaaaaaaaaaaaaaaaaaaaaaaa");
        let no_key = harness.call_with(None, method.clone(), path, String::new()).await;
        assert_eq!(no_key.status, 401, "{method} {path}");
        assert_eq!(
            no_key.headers[header::WWW_AUTHENTICATE],
            "Bearer realm=\"countersign\""
        );
        assert_eq!(no_key.headers[header::CONTENT_TYPE], "application/problem+json");

        let right = key(scope);
        let hash = right.sha256().to_string();
        for wrong in [
            "",
            "x",
            &right.expose()[..46],
            &hash,
            &format!("{}x", right.expose()),
        ] {
            let answer = harness
                .call_with(Some(wrong), method.clone(), path, String::new())
                .await;
            assert_eq!(answer.status, 401, "{method} {path} {wrong}");
            let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
            assert!(challenge.contains("invalid_token"), "{challenge}");
            assert!(wrong.len() < 2 || !answer.body.contains(wrong), "{}", answer.body);
        }
        for other in Scope::ALL.into_iter().filter(|other| *other != scope) {
            let answer = harness
                .call_with(Some(key(other).expose()), method.clone(), path, String::new())
                .await;
            assert_eq!(answer.status, 403, "{method} {path} {other:?}");
            let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
            assert!(
                challenge.contains(&format!("scope=\"{}\"", scope.name())),
                "{challenge}"
            );
        }
        let answer = harness
            .call_with(Some(right.expose()), method.clone(), path, String::new())
            .await;
        assert!(
            answer.status != 401 && answer.status != 403 && !answer.status.is_server_error(),
            "{method} {path}: {}",
            answer.status
        );
    }
    let basic = Request::post("/api/v1/requests").header(header::AUTHORIZATION, "Basic YTpi");
    let answer = harness.send(basic.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 401);
    let twice = Request::post("/api/v1/requests")
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", key(Scope::Write).expose()),
        )
        .header(header::AUTHORIZATION, "Bearer x");
    assert_eq!(harness.send(twice.body(Body::empty()).unwrap()).await.status, 401);
    assert_eq!(harness.dump().await, Vec::<Value>::new());
    harness.finish().await;
}

async fn open(harness: &Harness, request: &Value) -> (u16, Value) {
    harness
        .call(Scope::Write, Method::POST, "/api/v1/requests", request)
        .await
}

#[tokio::test(start_paused = true)]
async fn a_request_over_http_is_taken_in_once() {
    let harness = Harness::start().await;
    let (status, made) = open(&harness, &request("token")).await;
    assert_eq!((status, &made["status"]), (201, &json!("pending")));
    assert_eq!(made["requestId"], json!(harness.only_approval().await.id));
    let (status, again) = open(&harness, &request("token")).await;
    assert_eq!((status, &again), (200, &made));
    // A token that is known is never failed by a bad duplicate.
    let (status, again) = open(&harness, &json!({"taskToken": "token", "colour": "blue"})).await;
    assert_eq!((status, &again), (200, &made));
    harness.settle().await;
    assert_eq!(harness.aws.mails().len(), 1);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_named_field_by_field_and_leaves_nothing() {
    let harness = Harness::start().await;
    let mut wrong = request("canary-token");
    wrong["title"] = json!("\n");
    wrong["colour"] = json!("blue");
    wrong["signers"] = json!([{"name": "Bob", "email": "bob at example"}]);
    let (status, problem) = open(&harness, &wrong).await;
    assert_eq!(status, 422);
    let fields: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["signers[0].email", "title", "colour"]);
    assert!(!problem.to_string().contains("canary"), "{problem}");

    for (body, status) in [
        (String::new(), 400),
        ("{".to_owned(), 400),
        ("[]".to_owned(), 422),
        ("null".to_owned(), 422),
        ("[".repeat(100_000), 400),
        (format!("{{\"title\": \"{}\"}}", "x".repeat(256 * 1024)), 413),
    ] {
        let key = key(Scope::Write);
        let answer = harness
            .call_with(Some(key.expose()), Method::POST, "/api/v1/requests", body)
            .await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    }
    let form = Request::post("/api/v1/requests")
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", key(Scope::Write).expose()),
        )
        .header(header::CONTENT_TYPE, "text/plain");
    assert_eq!(
        harness.send(form.body(Body::from("{}")).unwrap()).await.status,
        400
    );
    harness.settle().await;
    assert_eq!(harness.dump().await, Vec::<Value>::new());
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_table_is_away_the_caller_is_told_to_come_again() {
    let harness = Harness::start().await;
    harness.faults.next("PutItem", 3, Fault::Lost);
    let body = request("canary-token").to_string();
    let key = key(Scope::Write);
    let answer = harness
        .call_with(Some(key.expose()), Method::POST, "/api/v1/requests", body)
        .await;
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert!(
        !answer.body.contains("canary") && !answer.body.contains("DynamoDB"),
        "{}",
        answer.body
    );
    harness.faults.clear();
    assert_eq!(open(&harness, &request("canary-token")).await.0, 201);
    harness.finish().await;
}
