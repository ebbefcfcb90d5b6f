//! What happens to calls on their way to AWS, and which were made.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// A fault for the next call of one operation.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// AWS refuses with this status and code.
    Refused(u16, &'static str),
    /// Of a batch, everything from the `done`th write on is left undone.
    Undone {
        /// How many writes are made.
        done: usize,
    },
}

#[derive(Clone, Default, Debug)]
pub(crate) struct Faults(Arc<Mutex<Inside>>);

#[derive(Default, Debug)]
struct Inside {
    coming: VecDeque<(&'static str, Fault)>,
    calls: Vec<String>,
}

impl Faults {
    /// The next `calls` calls of `operation` meet `fault`.
    pub(crate) fn next(&self, operation: &'static str, calls: usize, fault: &Fault) {
        let mut inside = self.0.lock().expect("no panic");
        inside
            .coming
            .extend((0..calls).map(|_| (operation, fault.clone())));
    }

    /// How often `operation` was called, faults and all.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        let inside = self.0.lock().expect("no panic");
        inside.calls.iter().filter(|call| *call == operation).count()
    }

    /// All calls so far, in order.
    pub(crate) fn all_calls(&self) -> Vec<String> {
        self.0.lock().expect("no panic").calls.clone()
    }

    pub(crate) fn forget(&self) {
        self.0.lock().expect("no panic").calls.clear();
    }

    pub(crate) fn between(&self, inner: SharedHttpClient) -> SharedHttpClient {
        let faults = self.clone();
        http_client_fn(move |settings, components| {
            use aws_smithy_runtime_api::client::http::HttpClient;
            SharedHttpConnector::new(Connector {
                inner: inner.http_connector(settings, components),
                faults: faults.clone(),
            })
        })
    }

    fn take(&self, request: &HttpRequest) -> Option<Fault> {
        let target = request.headers().get("x-amz-target");
        let operation = match target.and_then(|target| target.rsplit_once('.')) {
            Some((_, operation)) => operation,
            None if request.method() == "PUT" => "PutObject",
            None => "GetObject",
        };
        let mut inside = self.0.lock().expect("no panic");
        inside.calls.push(operation.to_owned());
        let at = inside.coming.iter().position(|(of, _)| *of == operation)?;
        inside.coming.remove(at).map(|(_, fault)| fault)
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    faults: Faults,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.faults.take(&request) {
            None => self.inner.call(request),
            Some(Fault::Refused(status, code)) => {
                let is_s3 = request.headers().get("x-amz-target").is_none();
                HttpConnectorFuture::ready(Ok(refusal(status, code, is_s3)))
            }
            Some(Fault::Undone { done }) => undone(&self.inner, request, done),
        }
    }
}

fn refusal(status: u16, code: &'static str, is_s3: bool) -> HttpResponse {
    let body = if is_s3 {
        format!("<Error><Code>{code}</Code><Message>as the test says</Message></Error>")
    } else {
        json!({"__type": code, "message": format!("{code}, says the test")}).to_string()
    };
    let mut response = HttpResponse::new(
        StatusCode::try_from(status).expect("a status"),
        SdkBody::from(body),
    );
    if !is_s3 {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// Makes the first writes of a batch alone, and names the others as AWS does.
fn undone(inner: &SharedHttpConnector, mut request: HttpRequest, done: usize) -> HttpConnectorFuture {
    let body = request.body().bytes().expect("in memory");
    let mut asked: Value = serde_json::from_slice(body).expect("JSON");
    let tables = asked["RequestItems"].as_object_mut().expect("tables");
    let (table, writes) = tables.iter_mut().next().expect("one table");
    let table = table.clone();
    let writes = writes.as_array_mut().expect("writes");
    let left = writes.split_off(done.min(writes.len()));
    let unprocessed = json!({"UnprocessedItems": {table: left}}).to_string();
    let answer = HttpResponse::new(
        StatusCode::try_from(200).expect("a status"),
        SdkBody::from(unprocessed),
    );
    if done == 0 {
        return HttpConnectorFuture::ready(Ok(answer));
    }
    let body = asked.to_string();
    request
        .headers_mut()
        .insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body);
    let made = inner.call(request);
    HttpConnectorFuture::new(async move { made.await.map(|_| answer) })
}
