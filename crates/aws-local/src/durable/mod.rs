//! Lambda's durable executions (API 2025-12-01), as far as callbacks go: executions that wait for one callback, and the
//! calls that answer it, beat for it and ask about it. Nobody runs a durable function's code here: AWS's testing SDKs do
//! that, and [`crate::AwsLocal::hand_durable_executions_to`] hands all calls on to one. Without, an execution is begun by
//! [`crate::AwsLocal::wait_for_callback`], and ends as its callback does.
//!
//! No timer runs: whether a callback has timed out is seen when somebody asks.

mod call;
mod history;
mod record;
mod runner;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::{Request, Response, StatusCode};
use rusqlite::OptionalExtension;
use serde_json::{Map, Value, json};

use crate::database::Place;
use crate::error::{Answer, AwsError, json_object};
use crate::source::{Source, epoch_seconds};
use crate::store::Store;
use crate::{ACCOUNT, AwsLocal, REGION, StartError};
use call::CallbackCall;
use record::{End, How, Record};

pub(crate) use call::DurableCall;

const FILE: &str = "durable.sqlite";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS executions (
        arn TEXT PRIMARY KEY,
        callback TEXT NOT NULL UNIQUE,
        record TEXT NOT NULL
    ) STRICT;
";

/// The largest result, and the largest error with all its fields, in bytes.
const PAYLOAD: usize = 1_048_576;
/// The longest callback id, in characters.
const CALLBACK_ID: usize = 1024;
const ERROR_FIELDS: [&str; 4] = ["ErrorMessage", "ErrorType", "ErrorData", "StackTrace"];

/// A durable execution that waits for a callback.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DurableCallback {
    /// What answers it: base64, at most 1,024 characters.
    pub id: String,
    /// The execution's ARN.
    pub execution_arn: String,
}

/// How a durable execution's callback stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallbackState {
    /// The function waits.
    Waiting,
    /// It was answered with these bytes.
    Succeeded(Vec<u8>),
    /// It was answered with this error object (`ErrorType`, `ErrorMessage`, `ErrorData`, `StackTrace`).
    Failed(Value),
    /// Nobody answered in time, or nobody beat for it.
    TimedOut,
    /// The execution was stopped.
    Stopped,
}

impl AwsLocal {
    /// Begins a durable execution of `function` that waits for a callback, at most `timeout` long, and for as long as
    /// somebody beats for it within `heartbeat_timeout`: whole seconds, as AWS counts, and no limit where there are none.
    /// Nobody runs code for it: it ends as its callback does.
    pub async fn wait_for_callback(
        &self,
        function: &str,
        timeout: Option<Duration>,
        heartbeat_timeout: Option<Duration>,
    ) -> std::io::Result<DurableCallback> {
        let begun = self.inner.durable.begin(function, timeout, heartbeat_timeout);
        begun
            .await
            .map_err(|error| std::io::Error::other(error.message().to_owned()))
    }

    /// Hands all calls about durable executions on to the runner at `url` (`http://127.0.0.1:5000`), such as the server of
    /// AWS's testing SDK. A second word changes nothing.
    pub fn hand_durable_executions_to(&self, url: &str) {
        let _ = self.inner.durable.runner.set(url.to_owned());
    }

    /// How a durable execution's callback stands; `None` where there is none of this id.
    pub async fn callback(&self, id: &str) -> Option<CallbackState> {
        self.inner.durable.state(id).await.ok().flatten()
    }
}

pub(crate) struct Durable {
    source: Source,
    store: Store,
    /// The address of the runner that has the executions, where there is one.
    runner: OnceLock<String>,
}

impl Durable {
    /// Opens what is kept. Must be called within a tokio runtime.
    pub(crate) fn open(place: Place, source: Source) -> Result<Durable, StartError> {
        let store = Store::open(place, FILE, SCHEMA)?;
        Ok(Durable {
            source,
            store,
            runner: OnceLock::new(),
        })
    }

    /// Begins an execution of `function` that waits for a callback.
    pub(crate) async fn begin(
        &self,
        function: &str,
        timeout: Option<Duration>,
        heartbeat_timeout: Option<Duration>,
    ) -> Result<DurableCallback, AwsError> {
        let (name, run, now) = (self.source.uuid(), self.source.uuid(), self.source.now());
        let arn = format!(
            "arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}:$LATEST/durable-execution/{name}/{run}"
        );
        let record = Record {
            callback: BASE64.encode(&self.source.bytes::<48>()),
            arn,
            function: function.to_owned(),
            name,
            began: now,
            beat: now,
            timeout: timeout.map(|time| time.as_secs()),
            heartbeat_timeout: heartbeat_timeout.map(|time| time.as_secs()),
            end: None,
        };
        let told = DurableCallback {
            id: record.callback.clone(),
            execution_arn: record.arn.clone(),
        };
        let text = record.text();
        self.store
            .write(move |transaction| {
                transaction
                    .prepare_cached("INSERT INTO executions (arn, callback, record) VALUES (?1, ?2, ?3)")?
                    .execute((&record.arn, &record.callback, text))
            })
            .await?;
        Ok(told)
    }

    /// How the callback `id` stands; `None` where there is none.
    pub(crate) async fn state(&self, id: &str) -> Result<Option<CallbackState>, AwsError> {
        let now = self.source.now();
        let record = self.find("callback", id).await?;
        Ok(record.map(|record| record.state(now)))
    }

    pub(crate) async fn call(&self, call: DurableCall, request: Request<Bytes>) -> Result<Answer, AwsError> {
        if let Some(url) = self.runner.get() {
            return runner::forward(url, request).await.map(Answer::Whole);
        }
        let body = request.body();
        match call {
            DurableCall::Callback { id, call } => {
                check_id(&id)?;
                let how = match call {
                    CallbackCall::Succeed => Some(How::Succeeded(result(body)?)),
                    CallbackCall::Fail => Some(How::Failed(error_object(body)?)),
                    CallbackCall::Heartbeat => None,
                };
                self.answer(id, how).await?;
                Ok(Answer::Whole(Response::new(Bytes::new())))
            }
            DurableCall::Get { arn } => {
                let with_data = history::wants_data(request.uri().query());
                let record = self.execution(&arn).await?;
                Ok(record.described(self.source.now(), with_data).into())
            }
            DurableCall::History { arn } => {
                let record = self.execution(&arn).await?;
                history::page(&record, self.source.now(), request.uri().query()).map(Answer::from)
            }
            DurableCall::Other { operation } => Err(AwsError::not_embedded("Lambda", &operation)),
            DurableCall::Stop { arn } => {
                let error = error_object(body)?;
                let now = self.source.now();
                let stopped = self
                    .change("arn", arn.clone(), move |record| {
                        if record.end_at(now).is_none() {
                            record.end = Some(End {
                                at: now,
                                how: How::Stopped(error),
                            });
                        }
                        true
                    })
                    .await?;
                match stopped {
                    None => Err(no_execution(&arn)),
                    Some(_) => Ok(json!({"StopTimestamp": epoch_seconds(now)}).into()),
                }
            }
        }
    }

    /// Ends the callback, or beats for it. Only one that waits takes it.
    async fn answer(&self, id: String, how: Option<How>) -> Result<(), AwsError> {
        let now = self.source.now();
        let changed = self
            .change("callback", id, move |record| {
                if record.end_at(now).is_some() {
                    return false;
                }
                match how {
                    Some(how) => record.end = Some(End { at: now, how }),
                    None => record.beat = now,
                }
                true
            })
            .await?;
        match changed {
            Some(true) => Ok(()),
            // AWS's own sentence for this error.
            Some(false) => Err(user_error(
                StatusCode::BAD_REQUEST,
                "CallbackTimeoutException",
                "The callback ID token has either expired or the callback associated with the token has already been closed.",
            )),
            None => Err(user_error(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                "Callback not found.",
            )),
        }
    }

    async fn execution(&self, arn: &str) -> Result<Record, AwsError> {
        self.find("arn", arn).await?.ok_or_else(|| no_execution(arn))
    }

    async fn find(&self, column: &'static str, value: &str) -> Result<Option<Record>, AwsError> {
        let value = value.to_owned();
        self.store
            .read(move |connection| {
                connection
                    .prepare_cached(&select(column))?
                    .query_row([value], |row| row.get::<_, String>(0))
                    .optional()
            })
            .await
            .map(|text| text.and_then(|text| Record::read(&text)))
    }

    /// Lets `change` change a record, and keeps it when that says so. Gives what it said; `None` without a record.
    async fn change(
        &self,
        column: &'static str,
        value: String,
        change: impl FnOnce(&mut Record) -> bool + Send + 'static,
    ) -> Result<Option<bool>, AwsError> {
        self.store
            .write(move |transaction| {
                let found: Option<String> = transaction
                    .prepare_cached(&select(column))?
                    .query_row([value], |row| row.get(0))
                    .optional()?;
                let Some(mut record) = found.and_then(|text| Record::read(&text)) else {
                    return Ok(None);
                };
                let changed = change(&mut record);
                if changed {
                    transaction
                        .prepare_cached("UPDATE executions SET record = ?2 WHERE arn = ?1")?
                        .execute((&record.arn, record.text()))?;
                }
                Ok(Some(changed))
            })
            .await
    }

    /// Waits for the writes under way.
    pub(crate) async fn settle(&self) {
        self.store.settle().await;
    }
}

fn select(column: &str) -> String {
    format!("SELECT record FROM executions WHERE {column} = ?1")
}

fn check_id(id: &str) -> Result<(), AwsError> {
    let body = id.trim_end_matches('=');
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    if id.len() > CALLBACK_ID {
        return Err(invalid(&format!(
            "1 validation error detected: Value at 'callbackId' failed to satisfy constraint: Member must have length less than or equal to {CALLBACK_ID}"
        )));
    }
    if body.is_empty() || id.len() - body.len() > 2 || !body.bytes().all(base64) {
        return Err(invalid(
            "1 validation error detected: Value at 'callbackId' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9+/]+={0,2}",
        ));
    }
    Ok(())
}

fn result(body: &Bytes) -> Result<Vec<u8>, AwsError> {
    if body.len() > PAYLOAD {
        return Err(invalid(&format!(
            "1 validation error detected: Value at 'result' failed to satisfy constraint: Member must have length less than or equal to {PAYLOAD}"
        )));
    }
    Ok(body.to_vec())
}

/// The error in a body: only the fields that AWS knows, each of its kind.
fn error_object(body: &Bytes) -> Result<Value, AwsError> {
    if body.len() > PAYLOAD {
        return Err(invalid("The error is larger than 1 MB."));
    }
    let mut given = json_object(body)?;
    let mut kept = Map::new();
    for name in ERROR_FIELDS {
        let Some(value) = given.remove(name).filter(|value| !value.is_null()) else {
            continue;
        };
        let right = match name {
            "StackTrace" => value
                .as_array()
                .is_some_and(|lines| lines.iter().all(Value::is_string)),
            _ => value.is_string(),
        };
        if !right {
            return Err(AwsError::new(
                "SerializationException",
                format!("{name} is of the wrong type."),
            ));
        }
        kept.insert(name.to_owned(), value);
    }
    Ok(Value::Object(kept))
}

fn no_execution(arn: &str) -> AwsError {
    user_error(
        StatusCode::NOT_FOUND,
        "ResourceNotFoundException",
        &format!("Durable execution not found: {arn}"),
    )
}

fn invalid(message: &str) -> AwsError {
    user_error(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message)
}

fn user_error(status: StatusCode, code: &str, message: &str) -> AwsError {
    AwsError::with_status(status, code, message).with("Type", "User")
}
