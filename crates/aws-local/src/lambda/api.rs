//! Lambda's API: Invoke in its three forms, and what there is to know of the functions.

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::function::{Asked, FunctionError, Payload, Ran};
use super::{Kind, Lambda, Registered, function_arn};
use crate::ACCOUNT;
use crate::dispatch::LambdaCall;
use crate::error::{Answer, AwsError};

/// The largest event of a synchronous invocation, in bytes.
pub(super) const PAYLOAD: usize = 6 * 1024 * 1024;
/// The largest event of an asynchronous invocation, in bytes.
pub(super) const EVENT_PAYLOAD: usize = 1024 * 1024;
/// The largest answer of a function, in bytes: AWS adds a hundred for what is around it.
pub(super) const ANSWER: usize = PAYLOAD + 100;
/// The largest client context, in bytes of base64.
const CLIENT_CONTEXT: usize = 3583;
/// What a function without a size of its own is said to have, in MB.
pub(super) const MEMORY: u64 = 128;

impl Lambda {
    pub(crate) async fn call(
        &self,
        call: LambdaCall,
        headers: &HeaderMap,
        body: &Bytes,
        request_id: &str,
    ) -> Result<Answer, AwsError> {
        match call {
            LambdaCall::Invoke { function } => self.call_invoke(&function, headers, body, request_id).await,
            LambdaCall::GetFunction { function } => {
                let registered = self.find(&function)?;
                let mut answer = json!({
                    "Configuration": registered.configuration(),
                    "Code": registered.code(),
                    "Tags": {},
                });
                if let Kind::Command(pool) = &registered.kind {
                    let concurrency = pool.function().concurrency.max(1);
                    answer["Concurrency"] = json!({"ReservedConcurrentExecutions": concurrency});
                }
                Ok(answer.into())
            }
            LambdaCall::GetFunctionConfiguration { function } => {
                Ok(self.find(&function)?.configuration().into())
            }
            LambdaCall::ListFunctions => {
                let functions = self.functions();
                let listed: Vec<Value> = functions
                    .values()
                    .map(|function| function.configuration())
                    .collect();
                Ok(json!({"Functions": listed}).into())
            }
        }
    }

    /// Invokes a function with an event, and doesn't wait for it.
    pub(crate) fn invoke_event(&self, name: &str, event: &Value) -> Result<(), AwsError> {
        let payload = payload(&Bytes::from(event.to_string()), EVENT_PAYLOAD, "Event")?;
        self.accept(name, Asked::new(payload, &self.source.uuid(), None))
    }

    async fn call_invoke(
        &self,
        name: &str,
        headers: &HeaderMap,
        body: &Bytes,
        request_id: &str,
    ) -> Result<Answer, AwsError> {
        match text(headers, "x-amz-invocation-type").unwrap_or("RequestResponse") {
            "RequestResponse" => {
                let mut asked = Asked::new(payload(body, PAYLOAD, "RequestResponse")?, request_id, None);
                asked.client_context = client_context(headers)?;
                asked.trace = text(headers, "x-amzn-trace-id").map(str::to_owned);
                let with_log = text(headers, "x-amz-log-type") == Some("Tail");
                Ok(told(self.run(name, asked).await?, with_log))
            }
            "Event" => {
                let payload = payload(body, EVENT_PAYLOAD, "Event")?;
                self.accept(name, Asked::new(payload, request_id, None))?;
                Ok(status(StatusCode::ACCEPTED))
            }
            "DryRun" => {
                self.find(name)?;
                Ok(status(StatusCode::NO_CONTENT))
            }
            kind => Err(invalid(format!("Invalid invocation type: {kind}"))),
        }
    }
}

/// Invoke's answer.
fn told(ran: Ran, with_log: bool) -> Answer {
    let result = ran.result.map(Payload::into_text).and_then(|text| {
        if text.len() > ANSWER {
            return Err(too_large());
        }
        Ok(text)
    });
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    if result.is_err() {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    // Only programs have one.
    if with_log
        && !ran.log.is_empty()
        && let Ok(log) = HeaderValue::try_from(BASE64.encode(ran.log.as_bytes()))
    {
        headers.insert("x-amz-log-result", log);
    }
    *response.body_mut() = result.unwrap_or_else(|error| error.body().into());
    Answer::Whole(response)
}

pub(super) fn too_large() -> FunctionError {
    FunctionError::new(
        "Function.ResponseSizeTooLarge",
        format!("Response payload size exceeded maximum allowed payload size ({ANSWER} bytes)."),
    )
}

impl Registered {
    fn configuration(&self) -> Value {
        let mut configuration = json!({
            "FunctionName": self.name,
            "FunctionArn": function_arn(&self.name),
            "Role": format!("arn:aws:iam::{ACCOUNT}:role/embedded"),
            "LastModified": self.since.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string(),
            "MemorySize": MEMORY,
            "PackageType": "Image",
            "Version": "$LATEST",
            "State": "Active",
            "LastUpdateStatus": "Successful",
        });
        match &self.kind {
            // Nobody ends one that lives in this process.
            Kind::InProcess(_) => {}
            Kind::Command(pool) => {
                let function = pool.function();
                configuration["Timeout"] = function.timeout.as_secs().max(1).into();
                let image = json!({"Command": function.command, "WorkingDirectory": function.directory});
                configuration["ImageConfigResponse"] = json!({"ImageConfig": image});
                let variables: serde_json::Map<String, Value> = function
                    .environment
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone().into()))
                    .collect();
                configuration["Environment"] = json!({"Variables": variables});
            }
            Kind::Url(function) => configuration["Timeout"] = function.timeout.as_secs().max(1).into(),
        }
        configuration
    }

    fn code(&self) -> Value {
        match &self.kind {
            Kind::InProcess(_) => json!({"RepositoryType": "process"}),
            Kind::Command(_) => json!({"RepositoryType": "command"}),
            Kind::Url(function) => json!({"RepositoryType": "url", "Location": function.url}),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What the caller says of itself, read from its base64.
fn client_context(headers: &HeaderMap) -> Result<Option<String>, AwsError> {
    let Some(given) = text(headers, "x-amz-client-context") else {
        return Ok(None);
    };
    let read = (given.len() <= CLIENT_CONTEXT)
        .then(|| BASE64.decode(given.as_bytes()).ok())
        .flatten();
    // It goes on as a header of the runtime API.
    let read = read
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| {
            serde_json::from_str::<IgnoredAny>(text).is_ok() && HeaderValue::from_str(text).is_ok()
        });
    match read {
        Some(text) => Ok(Some(text)),
        None => Err(AwsError::new(
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        )
        .with("Type", "User")),
    }
}

fn payload(body: &Bytes, limit: usize, kind: &str) -> Result<Payload, AwsError> {
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
        return Ok(Payload::Read(json!({})));
    }
    serde_json::from_slice::<IgnoredAny>(body).map_err(|error| {
        AwsError::new(
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {error}"),
        )
        .with("Type", "User")
    })?;
    Ok(Payload::Text(body.clone()))
}

fn invalid(message: String) -> AwsError {
    AwsError::new("InvalidParameterValueException", message).with("Type", "User")
}

fn status(status: StatusCode) -> Answer {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    Answer::Whole(response)
}
