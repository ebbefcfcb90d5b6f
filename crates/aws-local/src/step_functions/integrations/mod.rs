//! What tasks call: the services beside Step Functions, and Step Functions itself. [`Engine::integrate`] says
//! which; a file for each says with which parameters, and what a workflow gets back or catches.
//!
//! [`dynamodb`], [`events`], [`http`], [`queues`] and [`executions`] are the optimised integrations beside
//! Lambda's; [`sdk`] is `aws-sdk:`, with [`objects`] for S3, which alone speaks no JSON. How failures are named is
//! in [`failure`], what optimised integrations tell of the answer's HTTP in [`metadata`].

mod dynamodb;
mod events;
mod executions;
mod failure;
mod http;
pub(super) mod metadata;
pub(super) mod nested;
mod objects;
mod queues;
mod sdk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use asl::{Identity, Pattern, TaskId};
use serde_json::{Map, Value};

use super::engine::Engine;
use crate::dynamodb::DynamoDb;
use crate::error::{Answer, AwsError};
use crate::events::Events;
use crate::happening::Listeners;
use crate::lambda::{Caller, Lambda};
use crate::s3::S3;
use crate::ses::Ses;
use crate::sqs::Sqs;

pub(super) use failure::Failed;
pub(crate) use http::Allowed;

/// The services that the engine calls.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) s3: Arc<S3>,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) dynamodb: Arc<DynamoDb>,
    pub(crate) ses: Arc<Ses>,
    pub(crate) events: Arc<Events>,
    /// Where HTTP tasks may go.
    pub(crate) http: Allowed,
    /// Who wants to know what happens.
    pub(crate) listeners: Arc<Listeners>,
}

/// A task that calls a service.
pub(super) struct Integration<'a> {
    /// The execution's number, and whose it is; `None` where none is kept.
    pub(super) execution: Option<(i64, &'a Identity)>,
    /// The execution and its state, as functions are told; `None` where a state is tried by itself.
    pub(super) caller: Option<Caller>,
    pub(super) task: TaskId,
    pub(super) service: &'a str,
    pub(super) action: &'a str,
    pub(super) pattern: Pattern,
}

impl Engine {
    /// Calls the service that a task names, all but Lambda.
    pub(super) async fn integrate(
        self: &Arc<Self>,
        what: Integration<'_>,
        arguments: Value,
    ) -> Result<Value, Failed> {
        let Some(arguments) = parameters(arguments) else {
            return Err(Failed::runtime("The task's parameters are no JSON object."));
        };
        if let Some(service) = what.service.strip_prefix("aws-sdk:") {
            return sdk::call(self, service, &what, arguments).await;
        }
        match (what.service, what.action) {
            ("sqs", "sendMessage") => queues::send(self, arguments).await,
            ("dynamodb", action) => dynamodb::call(self, action, arguments).await,
            ("events", "putEvents") => events::put(self, &what, arguments).await,
            ("states", "startExecution") => executions::start(self, &what, arguments).await,
            ("http", "invoke") => http::invoke(self, arguments).await,
            (service, action) => Err(Failed::not_embedded(service, action)),
        }
    }
}

/// The parameters without those that are null, which mean that nothing is given.
fn parameters(arguments: Value) -> Option<Map<String, Value>> {
    match arguments {
        Value::Object(mut parameters) => {
            parameters.retain(|_, value| !value.is_null());
            Some(parameters)
        }
        _ => None,
    }
}

/// Where a service takes text and a workflow gives JSON, that is written as text.
fn as_text(parameters: &mut Map<String, Value>, name: &str) {
    if let Some(value) = parameters.get_mut(name)
        && !value.is_string()
    {
        *value = value.to_string().into();
    }
}

/// What a service answered in JSON.
fn json(answer: Answer) -> Result<Value, AwsError> {
    let read = |text: &[u8]| {
        serde_json::from_slice(text).map_err(|error| AwsError::internal("InternalServerError", error))
    };
    match answer {
        Answer::Json(value) => Ok(value),
        Answer::Text(text) => read(text.as_bytes()),
        Answer::Whole(response) => read(response.body()),
    }
}
