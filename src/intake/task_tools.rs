//! What tasks invoke: `{"action": "put_item", …}` and the other calls for state data, and `{"action": "stop_execution", …}`.
//! Done by the task tools' function, which takes no other action, and by the operations function.

use super::invoke::InvokeError;
use crate::domain::request::InvalidRequest;
use crate::domain::request_fields::Fields;
use crate::flow::Flow;
use crate::flow::task_tools::{self, Call, CallError};
use crate::state_data::StateDataError;
use crate::step_functions::ExecutionError;
use serde_json::{Map, Value, json};

/// The action beside the calls for state data.
const STOP: &str = "stop_execution";
/// What can't be done as it is asked.
const INVALID: &str = "TaskTools.InvalidRequest";
/// There is no such item.
const NO_ITEM: &str = "TaskTools.NoItemFound";
/// AWS is out of reach: the only one that is worth a Retry.
const UNAVAILABLE: &str = "TaskTools.Unavailable";

/// Whether this is one of the task tools' actions.
pub(super) fn is_action(action: &str) -> bool {
    action == STOP || Call::named(action).is_some()
}

/// Does what the event says.
pub(super) async fn invoke(
    flow: &Flow,
    action: &str,
    event: &Map<String, Value>,
) -> Result<Value, InvokeError> {
    let mut given = event.clone();
    given.remove("action");
    match Call::named(action) {
        Some(call) => state_data(flow, call, given).await,
        None if action == STOP => stop(flow, &given).await,
        None => Err(refused(
            INVALID,
            "action: must be stop_execution or a call for state data, such as put_item",
        )),
    }
}

async fn state_data(flow: &Flow, call: Call, given: Map<String, Value>) -> Result<Value, InvokeError> {
    let done = task_tools::call(flow, call, &Value::Object(given).to_string()).await;
    let done = done.map_err(|error| match &error {
        CallError::StateData(StateDataError::NoItemFound { .. }) => refused(NO_ITEM, error),
        CallError::StateData(passing) if passing.is_passing() => {
            tracing::warn!(error = ?error, "state data out of reach");
            refused(UNAVAILABLE, error)
        }
        _ => refused(INVALID, error),
    })?;
    serde_json::from_str(&done)
        .map_err(|error| refused(INVALID, format!("the data can't be handed on: {error}")))
}

async fn stop(flow: &Flow, given: &Map<String, Value>) -> Result<Value, InvokeError> {
    let mut f = Fields::new("", given);
    let arn = f.line("execution_arn", 2_048);
    if f.value("execution_arn").is_none() {
        f.problem("execution_arn", "is missing: $$.Execution.Id");
    }
    let (error, cause) = task_tools::words_of_a_stop(&mut f);
    let problems = f.finish();
    let Some(arn) = arn.filter(|_| problems.is_empty()) else {
        return Err(refused(INVALID, InvalidRequest { problems }));
    };
    match task_tools::stop_execution(flow, &arn, error.as_deref(), cause.as_deref()).await {
        Ok(()) => Ok(json!({"execution_arn": arn})),
        Err(ExecutionError::Again { code }) => Err(refused(
            UNAVAILABLE,
            format!("Step Functions can't be asked just now: {code}"),
        )),
        Err(ExecutionError::Refused { code, message, .. }) => {
            Err(refused(INVALID, format!("{code}: {message}")))
        }
    }
}

fn refused(error_type: &'static str, message: impl ToString) -> InvokeError {
    InvokeError {
        error_type,
        message: message.to_string(),
    }
}
