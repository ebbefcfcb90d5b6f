//! `http:invoke`, to the addresses that whoever started the stand-ins allows, and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use super::failure::Failed;
use crate::REGION;
use crate::dispatch::percent_encoded;
use crate::outgoing::Address;
use crate::step_functions::engine::Engine;

/// How long an answer may take, as with AWS.
const PATIENCE: Duration = Duration::from_mins(1);
/// The most of an answer that is read, in bytes; a state takes less.
const ANSWER: usize = 1024 * 1024;

/// The hosts that may be called, each with a port or without.
#[derive(Clone)]
pub(crate) struct Allowed(Arc<[String]>);

impl Allowed {
    pub(crate) fn new(hosts: &[String]) -> Allowed {
        Allowed(hosts.iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    fn takes(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let with_port = format!("{host}:{port}");
        self.0
            .iter()
            .any(|allowed| *allowed == host || *allowed == with_port)
    }
}

pub(super) async fn invoke(engine: &Engine, parameters: Map<String, Value>) -> Result<Value, Failed> {
    let endpoint = parameters
        .get("ApiEndpoint")
        .and_then(Value::as_str)
        .ok_or_else(|| Failed::runtime("The field 'ApiEndpoint' is required but was missing"))?;
    let address = Address::parse(endpoint).map_err(Failed::runtime)?;
    let Address { host, port, .. } = &address;
    if !engine.services.http.takes(host, *port) {
        return Err(Failed::runtime(format!(
            "'{host}:{port}' is not among the hosts that HTTP tasks may call"
        )));
    }
    let request = request(&address, &parameters)?;
    match tokio::time::timeout(PATIENCE, address.send(request, ANSWER)).await {
        Ok(Ok(answer)) => result(&answer),
        Ok(Err(reason)) => Err(socket(reason)),
        Err(_) => Err(socket("the server gave no answer within 60 seconds".to_owned())),
    }
}

fn socket(reason: String) -> Failed {
    Failed {
        error: "States.Http.Socket".to_owned(),
        cause: reason,
    }
}

fn request(address: &Address, parameters: &Map<String, Value>) -> Result<Request<Full<Bytes>>, Failed> {
    let method = parameters
        .get("Method")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes())
        .ok()
        .filter(|method| {
            ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"].contains(&method.as_str())
        })
        .ok_or_else(|| Failed::runtime(format!("'{method}' is no method that an HTTP task may use")))?;
    let mut fields: Vec<String> = address.uri.query().map(str::to_owned).into_iter().collect();
    for (name, value) in object(parameters.get("QueryParameters")) {
        let values = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            fields.push(format!("{}={}", encoded(name), encoded(&plain(value))));
        }
    }
    let path = address.path();
    let target = if fields.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", fields.join("&"))
    };
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", address.authority())
        .header("user-agent", format!("Amazon|StepFunctions|HttpInvoke|{REGION}"))
        .header("range", "bytes=0-262144");
    let transform = parameters.get("Transform").cloned().unwrap_or_default();
    let form = transform["RequestBodyEncoding"] == "URL_ENCODED";
    let mut typed = false;
    for (name, value) in object(parameters.get("Headers")) {
        if [
            "host",
            "range",
            "user-agent",
            "content-length",
            "transfer-encoding",
        ]
        .contains(&name.to_ascii_lowercase().as_str())
        {
            continue;
        }
        typed |= name.eq_ignore_ascii_case("content-type");
        request = request.header(name, plain(value));
    }
    let body = match parameters.get("RequestBody") {
        None => String::new(),
        Some(body) if form => {
            let arrays = transform["RequestEncodingOptions"]["ArrayFormat"]
                .as_str()
                .unwrap_or("INDICES");
            let mut fields = Vec::new();
            form_fields("", body, arrays, &mut fields);
            fields.join("&")
        }
        Some(body) => body.to_string(),
    };
    if !typed && !body.is_empty() {
        let kind = if form {
            "application/x-www-form-urlencoded"
        } else {
            "application/json"
        };
        request = request.header("content-type", kind);
    }
    request
        .body(Full::new(body.into()))
        .map_err(|error| Failed::runtime(error.to_string()))
}

fn object(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

/// A body as a form: members of members as `a[b]`, lists as `arrays` says.
fn form_fields(name: &str, value: &Value, arrays: &str, fields: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let member = encoded(member);
                let name = if name.is_empty() {
                    member
                } else {
                    format!("{name}[{member}]")
                };
                form_fields(&name, value, arrays, fields);
            }
        }
        Value::Array(items) if arrays == "COMMAS" => {
            let items: Vec<String> = items.iter().map(|item| encoded(&plain(item))).collect();
            fields.push(format!("{name}={}", items.join(",")));
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                let name = match arrays {
                    "REPEAT" => name.to_owned(),
                    "BRACKETS" => format!("{name}[]"),
                    _ => format!("{name}[{n}]"),
                };
                form_fields(&name, item, arrays, fields);
            }
        }
        value => fields.push(format!("{name}={}", encoded(&plain(value)))),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn encoded(text: &str) -> String {
    percent_encoded(text, b"-_.~")
}

/// What a workflow gets of an answer.
fn result(answer: &Response<Bytes>) -> Result<Value, Failed> {
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let status = answer.status();
    if status.is_client_error() || status.is_server_error() {
        return Err(Failed {
            error: format!("States.Http.StatusCode.{}", status.as_u16()),
            cause: text,
        });
    }
    let mut headers = Map::new();
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let values = headers.entry(name.as_str()).or_insert_with(|| json!([]));
        if let Some(values) = values.as_array_mut() {
            values.push(value.into());
        }
    }
    Ok(json!({
        "Headers": headers,
        "ResponseBody": serde_json::from_str(&text).unwrap_or(Value::String(text)),
        "StatusCode": status.as_u16(),
        "StatusText": status.canonical_reason().unwrap_or_default(),
    }))
}
