//! `states:startExecution`, and what a parent that waits for it is told at its end.

use std::sync::Arc;

use asl::{Identity, Pattern, TaskId};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::failure::{Failed, Naming};
use super::nested::Link;
use super::sdk::camel;
use super::{Integration, as_text, json, metadata};
use crate::error::AwsError;
use crate::step_functions::engine::Engine;
use crate::step_functions::executions::start_by;
use crate::step_functions::request::Request;
use crate::step_functions::store::executions::Starter;
use crate::step_functions::{StepFunctions, whole};

const NAMING: Naming = Naming {
    prefix: "StepFunctions",
    service: "AWSStepFunctions",
    other: "AWSStepFunctionsException",
};

/// Calls Step Functions as over its API.
pub(super) async fn call(engine: &Arc<Engine>, operation: &str, body: &Value) -> Result<Value, AwsError> {
    let api = StepFunctions {
        engine: Arc::clone(engine),
    };
    api.call(operation, body.to_string().as_bytes())
        .await
        .and_then(json)
}

/// Starts an execution on behalf of a task.
pub(super) async fn begin(
    engine: &Arc<Engine>,
    what: &Integration<'_>,
    request: &Value,
) -> Result<Value, AwsError> {
    let starter = what.execution.map(|(execution, _)| Starter {
        execution,
        task: what.task,
    });
    let body = request.as_object().cloned().unwrap_or_default();
    let request = Request::read("StartExecution", body)?;
    let at_work = Arc::clone(engine);
    whole(engine, async move { start_by(&at_work, &request, starter).await })
        .await
        .and_then(json)
}

pub(super) async fn start(
    engine: &Arc<Engine>,
    what: &Integration<'_>,
    mut parameters: Map<String, Value>,
) -> Result<Value, Failed> {
    let request_id = engine.source.uuid();
    as_text(&mut parameters, "Input");
    let waits = matches!(what.pattern, Pattern::Sync | Pattern::SyncAsJson);
    give_name(what, &mut parameters);
    let link = match what.execution {
        Some((parent, _)) if waits => Some(Link {
            parent,
            task: what.task,
            as_json: what.pattern == Pattern::SyncAsJson,
        }),
        None if waits => {
            return Err(Failed::runtime(
                "Only an execution that is kept can wait for another one",
            ));
        }
        _ => None,
    };
    let request = camel(Value::Object(parameters));
    let answer = match link {
        None => begin(engine, what, &request).await,
        Some(link) => engine.start_nested(&request, link).await,
    };
    let answer = answer.map_err(|error| NAMING.optimised(&error, &request_id))?;
    let started = answer["startDate"].as_f64().unwrap_or_default();
    // As AWS writes it, so that its length is right.
    let written = format!(
        "{{\"executionArn\":{},\"startDate\":{started:E}}}",
        answer["executionArn"]
    );
    let mut told = json!({
        "ExecutionArn": answer["executionArn"],
        "StartDate": milliseconds(&answer["startDate"]),
    });
    let headers = metadata::plain_headers(written.len(), engine.source.now(), &request_id);
    metadata::add(&mut told, &headers, &request_id);
    Ok(told)
}

/// Names the execution that a task is to start, where the task doesn't: the same each time, so that a start that is
/// repeated after a crash begins no second one.
pub(super) fn give_name(what: &Integration<'_>, parameters: &mut Map<String, Value>) {
    if let Some((_, identity)) = what.execution {
        parameters
            .entry("Name")
            .or_insert_with(|| name_of_child(identity, what.task).into());
    }
}

fn name_of_child(parent: &Identity, task: TaskId) -> String {
    let named = format!("{}#{}", parent.execution_arn, task.0);
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(named));
    format!(
        "{}-{}-{}-{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[12..16],
        &hash[16..20],
        &hash[20..32]
    )
}

/// How an execution ended, as its parent gets it, or fails with it.
pub(super) fn end(described: &Value, as_json: bool) -> Result<Value, Failed> {
    let text = |name: &str| described[name].clone();
    let data = |name: &str| match described[name].as_str() {
        Some(text) if as_json => serde_json::from_str(text).unwrap_or_default(),
        _ => described[name].clone(),
    };
    let included = json!({"Included": true});
    let mut told = json!({
        "Cause": text("cause"),
        "Error": text("error"),
        "ExecutionArn": text("executionArn"),
        "Input": data("input"),
        "InputDetails": included,
        "Name": text("name"),
        "Output": data("output"),
        "OutputDetails": included,
        "StartDate": milliseconds(&described["startDate"]),
        "StateMachineArn": text("stateMachineArn"),
        "Status": text("status"),
        "StopDate": milliseconds(&described["stopDate"]),
    });
    let succeeded = described["status"] == "SUCCEEDED";
    if let Some(told) = told.as_object_mut() {
        for name in ["Cause", "Error"] {
            if told.get(name).is_some_and(Value::is_null) {
                told.shift_remove(name);
            }
        }
        if !succeeded {
            told.shift_remove("Output");
            told.shift_remove("OutputDetails");
        }
    }
    if succeeded {
        Ok(told)
    } else {
        Err(Failed {
            error: "States.TaskFailed".to_owned(),
            cause: told.to_string(),
        })
    }
}

/// A time as the first Java SDK writes it: milliseconds since 1970.
fn milliseconds(seconds: &Value) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a time in milliseconds is far below 2^63"
    )]
    seconds
        .as_f64()
        .map_or(Value::Null, |seconds| ((seconds * 1000.0).round() as i64).into())
}
