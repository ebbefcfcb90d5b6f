//! Lambda: functions that live in this process, invoked as AWS's Invoke does, by SDKs over the API and by
//! workflows directly. A function that was begun goes on to its end, whoever waits for it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::dispatch::LambdaCall;
use crate::error::{Answer, AwsError};
use crate::source::Source;
use crate::tasks::Tasks;
use crate::{ACCOUNT, REGION};

/// The largest payload of a synchronous invocation and of an answer, in bytes.
const PAYLOAD: usize = 6 * 1024 * 1024;
/// The largest payload of an asynchronous invocation, in bytes.
const EVENT_PAYLOAD: usize = 1024 * 1024;
/// How long AWS waits before it tries an asynchronous invocation that failed again.
const EVENT_RETRIES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

/// What a function answers with, when it has.
pub type FunctionFuture = Pin<Box<dyn Future<Output = Result<Value, FunctionError>> + Send>>;

/// A Lambda function in this process.
pub type Function = Arc<dyn Fn(Invocation) -> FunctionFuture + Send + Sync>;

/// Makes a [`Function`] of an async closure.
pub fn function<F, A>(body: F) -> Function
where
    F: Fn(Invocation) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Value, FunctionError>> + Send + 'static,
{
    Arc::new(move |invocation| Box::pin(body(invocation)))
}

/// What a function is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The event.
    pub payload: Value,
    /// The function's ARN, without a version.
    pub function_arn: String,
    /// The same for each attempt at one asynchronous invocation.
    pub request_id: String,
}

/// How a function fails: what a caller sees with `X-Amz-Function-Error`, and a workflow as error and cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    /// The error's name, which `Catch` and `Retry` in a workflow match.
    pub error_type: String,
    /// A text for people.
    pub error_message: String,
}

impl FunctionError {
    /// An error of this name and text.
    pub fn new(error_type: impl Into<String>, error_message: impl Into<String>) -> FunctionError {
        FunctionError {
            error_type: error_type.into(),
            error_message: error_message.into(),
        }
    }

    /// As it stands in an answer's body.
    pub(crate) fn to_json(&self) -> Value {
        json!({"errorMessage": self.error_message, "errorType": self.error_type})
    }
}

pub(crate) struct Lambda {
    functions: Mutex<BTreeMap<String, Function>>,
    source: Source,
    tasks: Arc<Tasks>,
    pending: Arc<AtomicUsize>,
}

/// Counts an invocation for as long as it lives.
struct Pending(Arc<AtomicUsize>);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Lambda {
    pub(crate) fn new(source: Source, tasks: Arc<Tasks>) -> Lambda {
        Lambda {
            functions: Mutex::default(),
            source,
            tasks,
            pending: Arc::default(),
        }
    }

    pub(crate) fn register(&self, name: &str, function: Function) {
        self.functions().insert(name.to_owned(), function);
    }

    /// Invocations that have begun and not ended, and asynchronous ones that wait for another try.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::SeqCst)
    }

    pub(crate) async fn call(
        &self,
        call: LambdaCall,
        headers: &HeaderMap,
        body: &Bytes,
        request_id: &str,
    ) -> Result<Answer, AwsError> {
        match call {
            LambdaCall::Invoke { function } => {
                let kind = headers
                    .get("x-amz-invocation-type")
                    .and_then(|kind| kind.to_str().ok());
                match kind.unwrap_or("RequestResponse") {
                    "RequestResponse" => self.respond(&function, body, request_id).await,
                    "Event" => {
                        let payload = payload(body, EVENT_PAYLOAD, "Event")?;
                        self.accept(&function, payload, request_id)?;
                        Ok(status(StatusCode::ACCEPTED))
                    }
                    "DryRun" => {
                        self.find(&function)?;
                        Ok(status(StatusCode::NO_CONTENT))
                    }
                    kind => Err(invalid(format!("Invalid invocation type: {kind}"))),
                }
            }
            LambdaCall::GetFunction { function } => {
                let (name, _) = self.find(&function)?;
                Ok(json!({
                    "Configuration": configuration(&name),
                    "Code": {"RepositoryType": "process"},
                    "Tags": {},
                })
                .into())
            }
            LambdaCall::ListFunctions => {
                let names: Vec<Value> = self.functions().keys().map(|name| configuration(name)).collect();
                Ok(json!({"Functions": names}).into())
            }
        }
    }

    /// Runs the function that `name` means, which may be a name or an ARN, to its end. The outer error is
    /// Lambda's (there is no such function), the inner one the function's own.
    pub(crate) async fn invoke(
        &self,
        name: &str,
        payload: Value,
        request_id: &str,
    ) -> Result<Result<Value, FunctionError>, AwsError> {
        let (name, function) = self.find(name)?;
        let invocation = Invocation {
            payload,
            function_arn: function_arn(&name),
            request_id: request_id.to_owned(),
        };
        let pending = self.begin();
        let running = self.tasks.spawn(async move {
            let _pending = pending;
            function(invocation).await
        });
        Ok(running.await.unwrap_or_else(|_| Err(crashed(request_id))))
    }

    async fn respond(&self, name: &str, body: &Bytes, request_id: &str) -> Result<Answer, AwsError> {
        let payload = payload(body, PAYLOAD, "RequestResponse")?;
        let result = self.invoke(name, payload, request_id).await?;
        let mut response = Response::new(Bytes::new());
        let result = result.and_then(|value| {
            let text = value.to_string();
            if text.len() > PAYLOAD {
                return Err(FunctionError::new(
                    "Function.ResponseSizeTooLarge",
                    format!("Response payload size exceeded maximum allowed payload size ({PAYLOAD} bytes)."),
                ));
            }
            Ok(text)
        });
        let headers = response.headers_mut();
        headers.insert(
            "x-amz-executed-version",
            http::HeaderValue::from_static("$LATEST"),
        );
        if result.is_err() {
            headers.insert(
                "x-amz-function-error",
                http::HeaderValue::from_static("Unhandled"),
            );
        }
        *response.body_mut() = result.unwrap_or_else(|error| error.to_json().to_string()).into();
        Ok(Answer::Whole(response))
    }

    /// Takes an asynchronous invocation. It is tried three times, as AWS does, and not kept over a restart.
    pub(crate) fn accept(&self, name: &str, payload: Value, request_id: &str) -> Result<(), AwsError> {
        let (name, function) = self.find(name)?;
        let invocation = Invocation {
            payload,
            function_arn: function_arn(&name),
            request_id: request_id.to_owned(),
        };
        let pending = self.begin();
        let source = self.source.clone();
        self.tasks.spawn(async move {
            let _pending = pending;
            for pause in EVENT_RETRIES.into_iter().map(Some).chain([None]) {
                match (function(invocation.clone()).await, pause) {
                    (Err(_), Some(pause)) => {
                        let at = source.now().checked_add(pause).unwrap_or(Timestamp::MAX);
                        source
                            .sleep_until(at, format!("another try of the event for {name}"))
                            .await;
                    }
                    _ => break,
                }
            }
        });
        Ok(())
    }

    fn begin(&self) -> Pending {
        self.pending.fetch_add(1, Ordering::SeqCst);
        Pending(Arc::clone(&self.pending))
    }

    fn find(&self, named: &str) -> Result<(String, Function), AwsError> {
        let name = function_name(named);
        match self.functions().get(name) {
            Some(function) => Ok((name.to_owned(), Arc::clone(function))),
            None => Err(AwsError::with_status(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                format!("Function not found: {}", function_arn(name)),
            )
            .with("Type", "User")),
        }
    }

    fn functions(&self) -> MutexGuard<'_, BTreeMap<String, Function>> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name in `name`, `name:version`, `account:function:name` or a whole ARN with or without a version.
fn function_name(named: &str) -> &str {
    let parts: Vec<&str> = named.split(':').collect();
    match parts.iter().position(|part| *part == "function") {
        Some(at) if parts.len() > at + 1 => parts[at + 1],
        _ => parts[0],
    }
}

fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

fn configuration(name: &str) -> Value {
    json!({
        "FunctionName": name,
        "FunctionArn": function_arn(name),
        "Role": format!("arn:aws:iam::{ACCOUNT}:role/embedded"),
        "PackageType": "Image",
        "Version": "$LATEST",
        "State": "Active",
        "LastUpdateStatus": "Successful",
    })
}

fn payload(body: &Bytes, limit: usize, kind: &str) -> Result<Value, AwsError> {
    if body.len() > limit {
        return Err(AwsError::with_status(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestTooLargeException",
            format!(
                "{} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
                body.len()
            ),
        )
        .with("Type", "User"));
    }
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|error| {
        AwsError::new(
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {error}"),
        )
        .with("Type", "User")
    })
}

fn invalid(message: String) -> AwsError {
    AwsError::new("InvalidParameterValueException", message).with("Type", "User")
}

fn crashed(request_id: &str) -> FunctionError {
    let text = format!("RequestId: {request_id} Error: Runtime exited with error: exit status 101");
    FunctionError::new("Runtime.ExitError", text)
}

fn status(status: StatusCode) -> Answer {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    Answer::Whole(response)
}

#[cfg(test)]
mod tests;
