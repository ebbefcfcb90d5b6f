//! Speaks to a running service over its API, for the operators' commands. The key comes from a variable or a file,
//! never from the command line, which every user of the machine can read.

use super::Failure;
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Which service, and with which key. The key itself stands in COUNTERSIGN_API_KEY
#[derive(Debug, Args)]
pub(crate) struct Service {
    /// Where the service is: its `public_url`
    #[arg(long, env = "COUNTERSIGN_URL", value_name = "URL")]
    url: Option<String>,
    /// A file with the API key, where COUNTERSIGN_API_KEY isn't set
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Print the API's JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(crate) struct CallError {
    failure: Failure,
    /// Whether it may be otherwise in a moment: there was no answer, or the fault is the service's.
    pub(crate) passing: bool,
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            passing: false,
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        error.failure
    }
}

impl Service {
    /// Calls `path` below `/api/v1` and gives the answer.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let answer = self.send(method, path, body.map(ToString::to_string)).await?;
        serde_json::from_str(&answer).map_err(|error| Failure::failed(error.to_string()))
    }

    /// Calls `path` below `/api/v1` with a body of JSON and gives the answer, which is JSON, as it is written.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<String, CallError> {
        let url = self.url.as_deref().ok_or_else(|| {
            Failure::usage(
                "where is the service? Set COUNTERSIGN_URL or --url, such as https://sign.example.com",
            )
        })?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", url.trim_end_matches('/')))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key()?))
            .header(header::ACCEPT, "application/json");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        // The builder's error could show the key.
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|_| Failure::usage("the address or the key has characters that can't be sent"))?;
        let answered = exchange(request).await?;
        let (status, body) = answered.map_err(|why| CallError {
            failure: Failure::failed(format!("{url} doesn't answer: {why}")),
            passing: true,
        })?;
        let passing = status.is_server_error();
        let told = std::str::from_utf8(&body).unwrap_or_default();
        let Ok(answer) = serde_json::from_str::<Value>(told) else {
            let failure = Failure::failed(format!(
                "{url} answered {status}, and no JSON: is that Countersign's address?"
            ));
            return Err(CallError { failure, passing });
        };
        if status.is_success() {
            Ok(told.to_owned())
        } else {
            let failure = refused(status, &answer);
            Err(CallError { failure, passing })
        }
    }

    fn key(&self) -> Result<String, Failure> {
        let key = match (std::env::var("COUNTERSIGN_API_KEY"), &self.key_file) {
            (_, Some(file)) => std::fs::read_to_string(file)
                .map_err(|error| Failure::usage(format!("{} can't be read: {error}", file.display())))?,
            (Ok(key), None) => key,
            (Err(_), None) => {
                return Err(Failure::usage(
                    "an API key is needed: set COUNTERSIGN_API_KEY or --key-file; `countersign keys new` makes one",
                ));
            }
        };
        Ok(key.trim().to_owned())
    }
}

/// Sends a request and takes the whole answer. The inner error says why there is none.
pub(crate) async fn exchange(
    request: Request<Full<Bytes>>,
) -> Result<Result<(StatusCode, Bytes), String>, Failure> {
    let client = Client::builder(TokioExecutor::new()).build(connector()?);
    let answered = tokio::time::timeout(PATIENCE, async {
        let (parts, body) = client
            .request(request)
            .await
            .map_err(|error| causes(&error))?
            .into_parts();
        let body = body.collect().await.map_err(|error| causes(&error))?;
        Ok::<_, String>((parts.status, body.to_bytes()))
    });
    Ok(answered
        .await
        .unwrap_or_else(|_| Err("no answer within 40 seconds".to_owned())))
}

fn connector() -> Result<HttpsConnector<HttpConnector>, Failure> {
    let builder = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| Failure::failed(format!("the system's certificates can't be read: {error}")))?;
    Ok(builder.https_or_http().enable_http1().build())
}

/// What the API refuses: with a wrong key or wrong arguments, the caller has something to put right.
fn refused(status: StatusCode, answer: &Value) -> Failure {
    let detail = answer["detail"].as_str().unwrap_or("no reason was given");
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY => {
            Failure::usage(detail)
        }
        _ => Failure::failed(detail),
    }
}

/// An error with what caused it: the outermost says little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    told
}
