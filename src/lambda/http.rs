//! HTTP requests that come as Lambda events, and the answers to them: from API Gateway (REST APIs, format 1.0; HTTP
//! APIs and function URLs, format 2.0) and from Application Load Balancers. `mod.rs` hands them to the router.
//!
//! The shapes are those of the AWS documentation; beyond what is read here they may hold what they like. They are read
//! by hand: `lambda_http` builds its requests with `unwrap`, so that a Host header that is no host, or a query with a
//! character that none may have, would panic. Nothing here fails: what can't be an address leads where nothing is.

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// What an answer may have at most, in bytes: as much as Lambda hands on.
const MOST_OF_AN_ANSWER: usize = 6 * 1024 * 1024;

/// Which of the shapes a request came in, and so which its answer has to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// API Gateway's REST API.
    RestApi,
    /// API Gateway's HTTP API, or a function URL.
    HttpApi,
    /// A load balancer, which takes headers with one value or with several, as its target group says.
    LoadBalancer {
        /// Whether with several.
        multi_value: bool,
    },
}

impl Shape {
    /// The shape of an event, if it is an HTTP request.
    pub(super) fn of(event: &Value) -> Option<Self> {
        let context = event.get("requestContext")?;
        if context.get("elb").is_some() {
            let multi_value = event.get("multiValueHeaders").is_some_and(Value::is_object);
            Some(Self::LoadBalancer { multi_value })
        } else if context.get("http").is_some() {
            Some(Self::HttpApi)
        } else if event.get("httpMethod").is_some() && context.is_object() {
            Some(Self::RestApi)
        } else {
            None
        }
    }
}

/// The request that an event of this shape holds. `base_path` is that of our address, such as `/approvals`: a stage's
/// name before the path is taken off unless it is part of that.
pub(super) fn request(shape: Shape, event: &Value, base_path: &str) -> Request {
    let context = &event["requestContext"];
    let method = match shape {
        Shape::HttpApi => &context["http"]["method"],
        Shape::RestApi | Shape::LoadBalancer { .. } => &event["httpMethod"],
    };
    let path = match shape {
        Shape::HttpApi => &event["rawPath"],
        Shape::RestApi | Shape::LoadBalancer { .. } => &event["path"],
    };
    let path = without_stage(
        path.as_str().unwrap_or_default(),
        context["stage"].as_str(),
        base_path,
    );
    let headers = headers(event);
    let address = match shape {
        Shape::HttpApi => context["http"]["sourceIp"].as_str().map(str::to_owned),
        Shape::RestApi => context["identity"]["sourceIp"].as_str().map(str::to_owned),
        Shape::LoadBalancer { .. } => last_forwarded(&headers),
    };
    let mut request = Request::new(Body::from(body(event)));
    *request.method_mut() = method
        .as_str()
        .and_then(|method| Method::from_bytes(method.as_bytes()).ok())
        .unwrap_or_default();
    *request.uri_mut() = uri(path, &query(shape, event));
    *request.headers_mut() = headers;
    if let Some(ip) = address.as_deref().and_then(ip) {
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::new(ip, 0)));
    }
    request
}

/// An HTTP API, and whoever calls a REST API by its own address, puts the stage before the path.
fn without_stage<'a>(path: &'a str, stage: Option<&str>, base_path: &str) -> &'a str {
    let is_below = |prefix: &str| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !base_path.is_empty() && is_below(base_path) {
        return path;
    }
    match stage {
        Some(stage) if !stage.is_empty() && is_below(&format!("/{stage}")) => &path[stage.len() + 1..],
        _ => path,
    }
}

/// Path and query as an address. A character that none may have is written as `%` and its code; what is no address
/// then becomes `/`, where nothing is.
fn uri(path: &str, query: &str) -> Uri {
    let mut text = String::with_capacity(path.len() + query.len() + 1);
    if !path.starts_with('/') {
        text.push('/');
    }
    escape_into(&mut text, path, b"?#");
    if !query.is_empty() {
        text.push('?');
        escape_into(&mut text, query, b"#");
    }
    text.parse().unwrap_or_default()
}

fn escape_into(text: &mut String, part: &str, but: &[u8]) {
    for byte in part.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) && !but.contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string doesn't fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

/// The query, encoded. Load balancers hand names and values on as they were sent, REST APIs decoded.
fn query(shape: Shape, event: &Value) -> String {
    if shape == Shape::HttpApi {
        return event["rawQueryString"].as_str().unwrap_or_default().to_owned();
    }
    let pairs = pairs(event, "multiValueQueryStringParameters", "queryStringParameters");
    if shape == Shape::RestApi {
        // Names and values of text always have an encoding.
        return serde_urlencoded::to_string(pairs).unwrap_or_default();
    }
    let pairs = pairs.into_iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

/// The headers. Those that can't be any (REST APIs pass on nearly everything) are left out.
fn headers(event: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(event, "multiValueHeaders", "headers") {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// Names with all their values, from the field that has several for each, or else from the one that has one.
fn pairs<'a>(event: &'a Value, several: &str, one: &str) -> Vec<(&'a str, &'a str)> {
    let entries = |field: &str| event.get(field).and_then(Value::as_object);
    if let Some(map) = entries(several).filter(|map| !map.is_empty()) {
        let values = map.iter().flat_map(|(name, values)| {
            let values = values.as_array().into_iter().flatten();
            values.filter_map(move |value| Some((name.as_str(), value.as_str()?)))
        });
        return values.collect();
    }
    let values = entries(one).into_iter().flatten();
    values
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect()
}

fn body(event: &Value) -> Bytes {
    let body = event["body"].as_str().unwrap_or_default();
    let encoded = event["isBase64Encoded"].as_bool().unwrap_or_default();
    let decoded = encoded.then(|| data_encoding::BASE64.decode(body.as_bytes()));
    match decoded {
        Some(Ok(bytes)) => bytes.into(),
        // What isn't base64 in spite of its word is refused by whoever reads it.
        Some(Err(_)) | None => Bytes::copy_from_slice(body.as_bytes()),
    }
}

/// Who connected to the load balancer: the last entry is its own, those before it are the client's word.
fn last_forwarded(headers: &HeaderMap) -> Option<String> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    Some(last.to_str().ok()?.rsplit(',').next()?.trim().to_owned())
}

/// An address, perhaps with a port.
fn ip(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port)
}

/// The answer as the sender of the event expects it.
pub(super) async fn answer(shape: Shape, response: Response) -> Value {
    let (mut parts, body) = response.into_parts();
    let body = match axum::body::to_bytes(body, MOST_OF_AN_ANSWER).await {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(error = %error, "an answer is too large for Lambda");
            parts.status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
            Bytes::new()
        }
    };
    // Whoever sends the answer counts its bytes; after HEAD there are none.
    parts.headers.remove(header::CONTENT_LENGTH);
    let (body, encoded) = match std::str::from_utf8(&body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (data_encoding::BASE64.encode(&body), true),
    };
    let mut answer = json!({
        "statusCode": parts.status.as_u16(),
        "body": body,
        "isBase64Encoded": encoded,
    });
    match shape {
        Shape::RestApi => answer["multiValueHeaders"] = several(&parts.headers),
        Shape::HttpApi => answer["headers"] = one(&parts.headers),
        Shape::LoadBalancer { multi_value } => {
            answer["statusDescription"] = json!(parts.status.to_string());
            if multi_value {
                answer["multiValueHeaders"] = several(&parts.headers);
            } else {
                answer["headers"] = one(&parts.headers);
            }
        }
    }
    answer
}

/// The values of one header that are text.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok())
}

fn several(headers: &HeaderMap) -> Value {
    headers
        .keys()
        .map(|name| (name.to_string(), values(headers, name).collect::<Value>()))
        .collect::<Map<_, _>>()
        .into()
}

/// Several values of one name stand in one header, with commas (RFC 9110, 5.3). No answer of ours sets cookies, which
/// alone can't be told so.
fn one(headers: &HeaderMap) -> Value {
    headers
        .keys()
        .map(|name| {
            (
                name.to_string(),
                json!(values(headers, name).collect::<Vec<_>>().join(", ")),
            )
        })
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
