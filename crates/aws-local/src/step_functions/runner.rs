//! Runs one task of an execution: what its resource names, done here, and told in the words of the
//! interpreter.

use std::sync::Arc;

use asl::{Happened, Identity, Resource, StartTask};
use serde_json::{Value, json};

use super::engine::Engine;
use super::integrations::{Failed, Integration, metadata};
use crate::error::AwsError;
use crate::lambda::{Asked, Caller, FunctionError, Payload};

impl Engine {
    /// Runs a task to its end, and says how it ended. `execution` is whose task it is, by number; `None` where
    /// the execution isn't kept. `caller` says the same to functions, with the state.
    pub(super) async fn run_task(
        self: &Arc<Self>,
        execution: Option<(i64, &Identity)>,
        caller: Option<Caller>,
        task: StartTask,
    ) -> Happened {
        let StartTask {
            task,
            resource,
            arguments,
            ..
        } = task;
        let result = match &resource {
            Resource::Function { arn } => self.function(arn, arguments, caller).await,
            Resource::Service { service, action, .. } if service == "lambda" && action == "invoke" => {
                self.lambda_invoke(arguments, caller).await
            }
            // A worker has to ask for it; nobody runs it here.
            Resource::Activity { arn } => Err(Failed {
                error: "States.Runtime".to_owned(),
                cause: format!("The activity {arn} can't be run by the engine"),
            }),
            Resource::Service {
                service,
                action,
                pattern,
                ..
            } => {
                let what = Integration {
                    execution,
                    caller,
                    task,
                    service,
                    action,
                    pattern: *pattern,
                };
                self.integrate(what, arguments).await
            }
        };
        match (result, resource.begins_only()) {
            (Ok(output), true) => Happened::TaskSubmitted { task, output },
            (Ok(output), false) => Happened::TaskSucceeded { task, output },
            (Err(Failed { error, cause }), _) => Happened::TaskFailed {
                task,
                error: Some(error),
                cause: Some(cause),
            },
        }
    }

    /// A function's own ARN: its payload is the result.
    async fn function(&self, arn: &str, payload: Value, caller: Option<Caller>) -> Result<Value, Failed> {
        let request_id = self.source.uuid();
        match self
            .services
            .lambda
            .invoke(arn, payload, &request_id, caller)
            .await
        {
            Ok(Ok(payload)) => Ok(payload),
            Ok(Err(error)) => Err(thrown(&error)),
            Err(refused) => Err(refusal(&refused, &request_id)),
        }
    }

    /// `lambda:invoke`: the whole response is the result.
    async fn lambda_invoke(&self, mut arguments: Value, caller: Option<Caller>) -> Result<Value, Failed> {
        let request_id = self.source.uuid();
        let Some(name) = arguments["FunctionName"].as_str().map(str::to_owned) else {
            return Err(Failed {
                error: "States.Runtime".to_owned(),
                cause: "The field 'FunctionName' is missing or is no text".to_owned(),
            });
        };
        let payload = arguments["Payload"].take();
        let payload = if payload.is_null() { json!({}) } else { payload };
        if arguments["InvocationType"] == "Event" {
            let asked = Asked::new(Payload::Read(payload), &request_id, caller);
            let accepted = self.services.lambda.accept(&name, asked);
            accepted.map_err(|refused| refusal(&refused, &request_id))?;
            return Ok(self.response(202, &json!(""), &request_id));
        }
        match self
            .services
            .lambda
            .invoke(&name, payload, &request_id, caller)
            .await
        {
            Ok(Ok(payload)) => Ok(self.response(200, &payload, &request_id)),
            Ok(Err(error)) => Err(thrown(&error)),
            Err(refused) => Err(refusal(&refused, &request_id)),
        }
    }

    /// Invoke's response as Step Functions shows it.
    fn response(&self, status: u16, payload: &Value, request_id: &str) -> Value {
        let length = if status == 202 {
            0
        } else {
            payload.to_string().len()
        };
        let headers = [
            ("X-Amz-Executed-Version", "$LATEST".to_owned()),
            ("x-amzn-Remapped-Content-Length", "0".to_owned()),
            ("Connection", "keep-alive".to_owned()),
            ("x-amzn-RequestId", request_id.to_owned()),
            ("Content-Length", length.to_string()),
            ("Date", metadata::date(self.source.now())),
            ("Content-Type", "application/json".to_owned()),
        ];
        let mut answer = json!({"ExecutedVersion": "$LATEST", "Payload": payload});
        metadata::add_with_status(&mut answer, status, &headers, request_id);
        answer["StatusCode"] = json!(status);
        answer
    }
}

/// The function's own error, under the name that it gave it.
fn thrown(error: &FunctionError) -> Failed {
    let body = error.body();
    if error.error_type.is_empty() {
        return Failed {
            error: "Lambda.Unknown".to_owned(),
            cause: format!(
                "The cause could not be determined because Lambda did not return an error type. Returned payload: {body}"
            ),
        };
    }
    Failed {
        error: error.error_type.clone(),
        cause: body,
    }
}

/// Lambda's refusal, such as of a function that doesn't exist.
fn refusal(refused: &AwsError, request_id: &str) -> Failed {
    Failed {
        error: format!("Lambda.{}", refused.code()),
        cause: format!(
            "{} (Service: Lambda, Status Code: {}, Request ID: {request_id})",
            refused.message(),
            refused.status(),
        ),
    }
}
