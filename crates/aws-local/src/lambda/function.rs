//! What a function is: the three kinds, what each is given, and how it answers.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

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

/// A function that is a program of its own, which asks the
/// [Lambda runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) for its work: AWS's runtime clients
/// do that, and run unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandFunction {
    /// The program and its arguments, such as `python3 -m awslambdaric index.handler`. What has the form of a handler
    /// (`index.handler`) at the end is also given as `_HANDLER`.
    pub command: Vec<String>,
    /// Where it is run, which is also its `LAMBDA_TASK_ROOT`.
    pub directory: PathBuf,
    /// Variables on top of those that Lambda gives, and of this process's own but for AWS's. Theirs count more.
    pub environment: Vec<(String, String)>,
    /// How long one invocation may take; the process is killed at its end. AWS has 3 seconds unless said, and 900 at
    /// most. Starting up may take another ten seconds, as with AWS.
    pub timeout: Duration,
    /// How many processes may run, each with one invocation at a time; at least one. More invocations wait, first come
    /// first served.
    pub concurrency: usize,
}

/// A function behind a web address: the event is posted to it as JSON, the body of its answer is the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlFunction {
    /// `http://` and a host, with a port, path and query or without.
    pub url: String,
    /// How long one invocation may take.
    pub timeout: Duration,
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
    /// The state of a workflow that asks; `None` where the API was called.
    pub caller: Option<Caller>,
}

/// Which state of which execution invokes a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The execution's ARN.
    pub execution_arn: String,
    /// The state's name.
    pub state: String,
}

/// How a function fails: what a caller sees with `X-Amz-Function-Error`, and a workflow as error and cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    /// The error's name, which `Catch` and `Retry` in a workflow match. Empty where the function gave none.
    pub error_type: String,
    /// A text for people.
    pub error_message: String,
    /// The body as a runtime posted it, which callers get as it is: with a stack trace, or what else is in it.
    posted: Option<String>,
}

impl FunctionError {
    /// An error of this name and text.
    pub fn new(error_type: impl Into<String>, error_message: impl Into<String>) -> FunctionError {
        FunctionError {
            error_type: error_type.into(),
            error_message: error_message.into(),
            posted: None,
        }
    }

    /// An error of Lambda's own, in its words.
    pub(super) fn of_lambda(
        error_type: &str,
        request_id: &str,
        what: impl std::fmt::Display,
    ) -> FunctionError {
        let message = format!("RequestId: {request_id} Error: {what}");
        let body = json!({"errorType": error_type, "errorMessage": message}).to_string();
        FunctionError {
            posted: Some(body),
            ..FunctionError::new(error_type, message)
        }
    }

    /// The error that a runtime posted.
    pub(super) fn posted(body: &[u8]) -> FunctionError {
        let read: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| read[name].as_str().unwrap_or_default().to_owned();
        FunctionError {
            error_type: text("errorType"),
            error_message: text("errorMessage"),
            posted: Some(String::from_utf8_lossy(body).into_owned()),
        }
    }

    /// The time is up.
    pub(super) fn timed_out(request_id: &str, after: Duration) -> FunctionError {
        let what = format_args!("Task timed out after {:.2} seconds", after.as_secs_f64()).to_string();
        FunctionError::of_lambda("Sandbox.Timedout", request_id, what)
    }

    /// As it stands in an answer's body.
    pub(crate) fn body(&self) -> String {
        match &self.posted {
            Some(body) => body.clone(),
            None => json!({"errorMessage": self.error_message, "errorType": self.error_type}).to_string(),
        }
    }
}

/// An event or a result: read, or as text, which is passed on as it is.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Read(Value),
    Text(Bytes),
}

impl Payload {
    pub(super) fn into_text(self) -> Bytes {
        match self {
            Payload::Read(value) => value.to_string().into(),
            Payload::Text(text) => text,
        }
    }

    /// The value; the error is why the text is no JSON.
    pub(super) fn into_value(self) -> Result<Value, serde_json::Error> {
        match self {
            Payload::Read(value) => Ok(value),
            Payload::Text(text) => serde_json::from_slice(&text),
        }
    }
}

/// What a function is asked, whatever its kind.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) payload: Payload,
    pub(crate) request_id: String,
    pub(crate) caller: Option<Caller>,
    /// What the caller of Invoke says of itself, as JSON.
    pub(crate) client_context: Option<String>,
    /// `X-Amzn-Trace-Id`, where the caller gave one.
    pub(crate) trace: Option<String>,
}

impl Asked {
    pub(crate) fn new(payload: Payload, request_id: &str, caller: Option<Caller>) -> Asked {
        Asked {
            payload,
            request_id: request_id.to_owned(),
            caller,
            client_context: None,
            trace: None,
        }
    }
}

/// How an invocation ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) result: Result<Payload, FunctionError>,
    /// The end of what it printed, with Lambda's own lines around it.
    pub(crate) log: String,
}

impl Ran {
    pub(super) fn new(result: Result<Payload, FunctionError>) -> Ran {
        Ran {
            result,
            log: String::new(),
        }
    }
}
