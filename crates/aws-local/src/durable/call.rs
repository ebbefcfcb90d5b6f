//! Which of Lambda's operations about durable executions a request means, by its method and path.

use http::Method;

/// The operations about durable executions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DurableCall {
    Callback {
        id: String,
        call: CallbackCall,
    },
    Get {
        arn: String,
    },
    History {
        arn: String,
    },
    Stop {
        arn: String,
    },
    /// What only a runner of durable executions does.
    Other {
        operation: String,
    },
}

/// What is done to a durable execution's callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallbackCall {
    Succeed,
    Fail,
    Heartbeat,
}

impl DurableCall {
    /// Reads the parts of a path after the API's date.
    pub(crate) fn read(method: &Method, path: &[&str]) -> DurableCall {
        let owned = |text: &str| text.to_owned();
        let other = |name: &str| DurableCall::Other {
            operation: owned(name),
        };
        match (method.as_str(), path) {
            (
                "POST",
                [
                    "durable-execution-callbacks",
                    id,
                    what @ ("succeed" | "fail" | "heartbeat"),
                ],
            ) => {
                let call = match *what {
                    "succeed" => CallbackCall::Succeed,
                    "fail" => CallbackCall::Fail,
                    _ => CallbackCall::Heartbeat,
                };
                DurableCall::Callback { id: owned(id), call }
            }
            ("GET", ["durable-executions", arn]) => DurableCall::Get { arn: owned(arn) },
            ("GET", ["durable-executions", arn, "history"]) => DurableCall::History { arn: owned(arn) },
            ("POST", ["durable-executions", arn, "stop"]) => DurableCall::Stop { arn: owned(arn) },
            ("POST", ["durable-executions", _, "checkpoint"]) => other("CheckpointDurableExecution"),
            ("GET", ["durable-executions", _, "state"]) => other("GetDurableExecutionState"),
            ("POST", ["durable-executions", _, "pause"]) => other("PauseDurableExecution"),
            ("POST", ["durable-executions", _, "resume"]) => other("ResumeDurableExecution"),
            ("GET", ["functions", _, "durable-executions"]) => other("ListDurableExecutionsByFunction"),
            ("DELETE", ["durable-executions", _]) => other("DeleteDurableExecution"),
            // No more of the path: it may have a callback's id.
            (method, path) => DurableCall::Other {
                operation: format!("{method} /2025-12-01/{}", path.first().unwrap_or(&"")),
            },
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            DurableCall::Callback { call, .. } => match call {
                CallbackCall::Succeed => "SendDurableExecutionCallbackSuccess",
                CallbackCall::Fail => "SendDurableExecutionCallbackFailure",
                CallbackCall::Heartbeat => "SendDurableExecutionCallbackHeartbeat",
            },
            DurableCall::Get { .. } => "GetDurableExecution",
            DurableCall::History { .. } => "GetDurableExecutionHistory",
            DurableCall::Stop { .. } => "StopDurableExecution",
            DurableCall::Other { operation } => operation,
        }
    }
}
