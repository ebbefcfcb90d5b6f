//! `arn:aws:states:::aws-sdk:service:action` for the services that are here. Parameters and results are in
//! PascalCase, whatever the service's own API has, and nothing is told of the HTTP beneath.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::failure::{Failed, Naming};
use super::{Integration, as_text, executions, json as read, objects};
use crate::dispatch::{LambdaCall, SesCall};
use crate::error::AwsError;
use crate::lambda::{Asked, Caller, Payload};
use crate::step_functions::engine::Engine;

const fn naming(prefix: &'static str, other: &'static str) -> Naming {
    Naming {
        prefix,
        service: prefix,
        other,
    }
}

pub(super) async fn call(
    engine: &Arc<Engine>,
    service: &str,
    what: &Integration<'_>,
    mut parameters: Map<String, Value>,
) -> Result<Value, Failed> {
    let request_id = engine.source.uuid();
    let operation = pascal(what.action);
    let (naming, answer) = match service {
        "dynamodb" => {
            let body = Value::Object(parameters).to_string();
            let answer = engine.services.dynamodb.call(operation, body.into()).await;
            (naming("DynamoDb", "DynamoDbException"), answer.and_then(read))
        }
        "eventbridge" => {
            let entries = parameters.get_mut("Entries").and_then(Value::as_array_mut);
            for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
                as_text(entry, "Detail");
            }
            let body = Value::Object(parameters).to_string();
            let answer = engine.services.events.call(&operation, body.as_bytes()).await;
            (
                naming("EventBridge", "EventBridgeException"),
                answer.and_then(read),
            )
        }
        "lambda" => (
            naming("Lambda", "LambdaException"),
            lambda(engine, &operation, what.caller.clone(), parameters, &request_id).await,
        ),
        "s3" => (
            naming("S3", "S3Exception"),
            objects::call(engine, &operation, parameters).await,
        ),
        "sesv2" => (
            naming("SesV2", "SesV2Exception"),
            mail(engine, &operation, parameters).await,
        ),
        "sfn" => {
            for name in ["Input", "Output", "Definition"] {
                as_text(&mut parameters, name);
            }
            if operation == "StartExecution" {
                executions::give_name(what, &mut parameters);
            }
            let body = camel(Value::Object(parameters));
            let answer = match operation.as_str() {
                "StartExecution" => executions::begin(engine, what, &body).await,
                _ => executions::call(engine, &operation, &body).await,
            };
            (naming("Sfn", "SfnException"), answer.map(from_api))
        }
        "sqs" => {
            as_text(&mut parameters, "MessageBody");
            if let Some(tags) = parameters.remove("Tags") {
                let name = if operation == "CreateQueue" {
                    "tags"
                } else {
                    "Tags"
                };
                parameters.insert(name.to_owned(), tags);
            }
            let body = Value::Object(parameters).to_string();
            let answer = engine.services.sqs.call(&operation, None, body.as_bytes()).await;
            (naming("Sqs", "SqsException"), answer.and_then(read).map(from_api))
        }
        _ => return Err(Failed::not_embedded(&format!("aws-sdk:{service}"), what.action)),
    };
    answer.map_err(|error| naming.sdk(&error, &request_id))
}

async fn lambda(
    engine: &Engine,
    operation: &str,
    caller: Option<Caller>,
    mut parameters: Map<String, Value>,
    request_id: &str,
) -> Result<Value, AwsError> {
    let lambda = &engine.services.lambda;
    let name = parameters
        .get("FunctionName")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let other = match operation {
        "Invoke" => None,
        "GetFunction" => Some(LambdaCall::GetFunction {
            function: name.clone(),
        }),
        "GetFunctionConfiguration" => Some(LambdaCall::GetFunctionConfiguration {
            function: name.clone(),
        }),
        "ListFunctions" => Some(LambdaCall::ListFunctions),
        _ => return Err(AwsError::not_embedded("Lambda", operation)),
    };
    if let Some(other) = other {
        let (headers, body) = (http::HeaderMap::new(), bytes::Bytes::new());
        return lambda
            .call(other, &headers, &body, request_id)
            .await
            .and_then(read);
    }
    let payload = match parameters.remove("Payload") {
        None => json!({}),
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|error| {
            AwsError::new(
                "InvalidRequestContentException",
                format!("Could not parse request body into json: {error}"),
            )
        })?,
        Some(payload) => payload,
    };
    if parameters
        .get("InvocationType")
        .is_some_and(|kind| kind == "Event")
    {
        lambda.accept(&name, Asked::new(Payload::Read(payload), request_id, caller))?;
        return Ok(json!({"Payload": "", "StatusCode": 202}));
    }
    // A function's error is no error of the call's.
    Ok(
        match lambda.invoke_for_text(&name, payload, request_id, caller).await? {
            Ok(payload) => {
                json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200})
            }
            Err(error) => json!({
                "ExecutedVersion": "$LATEST",
                "FunctionError": "Unhandled",
                "Payload": error.body(),
                "StatusCode": 200,
            }),
        },
    )
}

async fn mail(engine: &Engine, operation: &str, parameters: Map<String, Value>) -> Result<Value, AwsError> {
    let identity = || {
        let identity = parameters.get("EmailIdentity").and_then(Value::as_str);
        identity.unwrap_or_default().to_owned()
    };
    let call = match operation {
        "SendEmail" => SesCall::SendEmail,
        "GetAccount" => SesCall::GetAccount,
        "CreateEmailIdentity" => SesCall::CreateEmailIdentity,
        "ListEmailIdentities" => SesCall::ListEmailIdentities,
        "GetEmailIdentity" => SesCall::GetEmailIdentity { identity: identity() },
        "DeleteEmailIdentity" => SesCall::DeleteEmailIdentity { identity: identity() },
        _ => return Err(AwsError::not_embedded("SES", operation)),
    };
    let body = Value::Object(parameters).to_string();
    engine
        .services
        .ses
        .call(call, body.as_bytes())
        .await
        .and_then(read)
}

/// `sendMessage` as `SendMessage`.
pub(super) fn pascal(name: &str) -> String {
    changed(name, |first| first.to_ascii_uppercase())
}

fn changed(name: &str, change: fn(char) -> char) -> String {
    let mut letters = name.chars();
    letters.next().map(change).into_iter().chain(letters).collect()
}

/// Members in camelCase, as Step Functions' own API has them.
pub(super) fn camel(value: Value) -> Value {
    renamed(value, &|name| changed(name, |first| first.to_ascii_lowercase()))
}

/// An answer of an API in the form of the SDK integrations.
fn from_api(value: Value) -> Value {
    let mut value = renamed(value, &|name| match name.strip_prefix("MD5") {
        Some(rest) => format!("Md5{rest}"),
        None => pascal(name),
    });
    dates(&mut value);
    value
}

fn renamed(value: Value, rename: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (rename(&name), renamed(value, rename)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(|item| renamed(item, rename)).collect(),
        other => other,
    }
}

/// Times as ISO 8601 writes them, to the millisecond.
fn dates(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                let named = name.ends_with("Date") || name.ends_with("Timestamp");
                let time = value.as_f64().filter(|_| named).and_then(|seconds| {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "a time in milliseconds is far below 2^63"
                    )]
                    let milliseconds = (seconds * 1000.0).round() as i64;
                    jiff::Timestamp::from_millisecond(milliseconds).ok()
                });
                match time {
                    Some(time) => *value = time.strftime("%Y-%m-%dT%H:%M:%S%.fZ").to_string().into(),
                    None => dates(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(dates),
        _ => {}
    }
}
