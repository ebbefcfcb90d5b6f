//! Starting executions and looking at them: StartExecution, DescribeExecution, and ListStateMachines for the account's and
//! the region's part of an ARN. As for callbacks, every error is sorted here, where it happens.

use super::StepFunctions;
use crate::aws_error::{sorted, without_tokens};
use crate::aws_faults::{Class, Service};
use crate::domain::execution::{ExecutionName, MachineArn};
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use std::error::Error;

/// An execution as Step Functions describes it.
#[derive(Clone, PartialEq, Debug)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// The ARN of its state machine.
    pub machine: String,
    /// Its name.
    pub name: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED` or `PENDING_REDRIVE`.
    pub status: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub stopped: Option<Timestamp>,
    /// The JSON that it was started with.
    pub input: Option<String>,
    /// The JSON that it ended with, where it succeeded.
    pub output: Option<String>,
    /// The error's name, where it failed.
    pub error: Option<String>,
    /// What the error says.
    pub cause: Option<String>,
}

/// Why a call about an execution isn't done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExecutionError {
    /// Repeating it would give the same.
    Refused {
        /// The kind of reason.
        why: Refusal,
        /// AWS's error code.
        code: String,
        /// What AWS says.
        message: String,
    },
    /// Throttled, or no answer that could be understood. Whether it took effect isn't known.
    Again {
        /// AWS's error code, or what went wrong on the way.
        code: String,
    },
}

/// The kinds of reasons for which Step Functions refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is no such state machine.
    NoMachine,
    /// There is no such execution.
    NoExecution,
    /// The name is taken, by an execution with another input or by one that has ended.
    NameTaken,
    /// The state machine is being deleted.
    Deleting,
    /// As many executions are open as may be.
    TooMany,
    /// The input isn't what Step Functions takes.
    Input,
    /// The name isn't.
    Name,
    /// The ARN isn't.
    Arn,
    /// Countersign's role lacks the permission.
    Permission,
    /// The state machine's KMS key can't be used.
    EncryptionKey,
    /// Anything else.
    Other,
}

impl StepFunctions {
    /// Starts an execution of `machine`; gives its ARN and when it was started. The name makes it safe to repeat, so the
    /// SDK's own retries are on.
    pub async fn start(
        &self,
        machine: &MachineArn,
        name: &ExecutionName,
        input: &str,
    ) -> Result<(String, Option<Timestamp>), ExecutionError> {
        let call = self
            .client
            .start_execution()
            .state_machine_arn(machine.to_string())
            .name(name.as_str())
            .input(input);
        let started = call.send().await.map_err(|error| sort(&error))?;
        Ok((started.execution_arn, time(started.start_date)))
    }

    /// The execution with this ARN.
    pub async fn execution(&self, arn: &str) -> Result<Execution, ExecutionError> {
        let call = self.client.describe_execution().execution_arn(arn);
        let found = call.send().await.map_err(|error| sort(&error))?;
        Ok(Execution {
            name: found.name.unwrap_or_default(),
            arn: found.execution_arn,
            machine: found.state_machine_arn,
            status: found.status.as_str().to_owned(),
            started: time(found.start_date),
            stopped: found.stop_date.and_then(time),
            input: found.input,
            output: found.output,
            error: found.error,
            cause: found.cause,
        })
    }

    /// Any state machine of this account and region, for the beginning of its ARN. Asked once.
    pub async fn some_machine(&self) -> Result<MachineArn, ExecutionError> {
        if let Some(known) = self.some_machine.get() {
            return Ok(known.clone());
        }
        let call = self.client.list_state_machines().max_results(1);
        let page = call.send().await.map_err(|error| sort(&error))?;
        let first = page
            .state_machines
            .first()
            .and_then(|machine| MachineArn::parse(&machine.state_machine_arn));
        match first {
            Some(machine) => Ok(self.some_machine.get_or_init(|| machine).clone()),
            None => Err(ExecutionError::Refused {
                why: Refusal::NoMachine,
                code: "StateMachineDoesNotExist".to_owned(),
                message: String::new(),
            }),
        }
    }
}

fn time(at: DateTime) -> Option<Timestamp> {
    at.to_millis()
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
}

pub(super) fn sort<E>(error: &SdkError<E, HttpResponse>) -> ExecutionError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (code, class) = sorted(Service::StepFunctions, error);
    let why = match code.as_str() {
        "StateMachineDoesNotExist" => Refusal::NoMachine,
        "ExecutionDoesNotExist" => Refusal::NoExecution,
        "ExecutionAlreadyExists" => Refusal::NameTaken,
        "StateMachineDeleting" => Refusal::Deleting,
        "ExecutionLimitExceeded" => Refusal::TooMany,
        "InvalidExecutionInput" => Refusal::Input,
        "InvalidName" => Refusal::Name,
        "InvalidArn" => Refusal::Arn,
        "AccessDeniedException" | "AccessDenied" => Refusal::Permission,
        "KmsAccessDeniedException" | "KmsInvalidStateException" => Refusal::EncryptionKey,
        _ if matches!(class, Class::Again | Class::Unclear) => return ExecutionError::Again { code },
        _ => Refusal::Other,
    };
    ExecutionError::Refused {
        why,
        code,
        message: without_tokens(error.message().unwrap_or_default()),
    }
}
