//! The way back to workflows: whether the calls are allowed. A token that can't be one is refused by its form where
//! the call is allowed, and by IAM where it isn't; so nothing is changed.

use super::Patient;
use super::finding::{Finding, fault, said};
use crate::aws_faults::Service::{Lambda, StepFunctions};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// No workflow ever got this one.
const IMPOSSIBLE: &str = "countersigndoctor";

/// Looks at task tokens, executions, and callbacks of durable functions.
pub(super) async fn examine(patient: &Patient) -> Vec<Finding> {
    let (mut found, executions, durable) =
        tokio::join!(tokens(patient), executions(patient), durable(patient));
    found.extend(executions);
    found.extend(durable);
    found
}

async fn tokens(patient: &Patient) -> Vec<Finding> {
    let about = "task tokens";
    let client = aws_sdk_sfn::Client::new(&patient.aws);
    let (success, failure, heartbeat) = tokio::join!(
        client
            .send_task_success()
            .task_token(IMPOSSIBLE)
            .output("{}")
            .send(),
        client.send_task_failure().task_token(IMPOSSIBLE).send(),
        client.send_task_heartbeat().task_token(IMPOSSIBLE).send(),
    );
    let refused = ["InvalidToken", "TaskDoesNotExist", "TaskTimedOut"];
    let found: Vec<Finding> = [
        wrong(about, "states:SendTaskSuccess", &refused, success.err()),
        wrong(about, "states:SendTaskFailure", &refused, failure.err()),
        wrong(about, "states:SendTaskHeartbeat", &refused, heartbeat.err()),
    ]
    .into_iter()
    .flatten()
    .collect();
    if found.is_empty() {
        return vec![Finding::ok(about, "workflows may be answered")];
    }
    found
}

/// What is wrong, where a call isn't refused for its token.
fn wrong<E, R>(about: &str, action: &str, refused: &[&str], error: Option<SdkError<E, R>>) -> Option<Finding>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let said = said(&error?);
    if refused.contains(&said.0.as_str()) {
        return None;
    }
    let mut finding = fault(about, StepFunctions, said);
    finding.what = format!("{action}: {}", finding.what);
    Some(finding)
}

/// The execution is made up, so a permission for some state machines only says no as well.
async fn executions(patient: &Patient) -> Vec<Finding> {
    let about = "executions";
    let Some(account) = &patient.account else {
        return Vec::new();
    };
    let partition = account.partition();
    let arn = format!(
        "arn:{partition}:states:{}:{}:execution:countersign-doctor:none",
        patient.region, account.number
    );
    let client = aws_sdk_sfn::Client::new(&patient.aws);
    let (execution, history) = tokio::join!(
        client.describe_execution().execution_arn(&arn).send(),
        client
            .get_execution_history()
            .execution_arn(&arn)
            .max_results(1)
            .send(),
    );
    let refused = ["ExecutionDoesNotExist", "StateMachineDoesNotExist", "InvalidArn"];
    let found: Vec<Finding> = [
        wrong(about, "states:DescribeExecution", &refused, execution.err()),
        wrong(about, "states:GetExecutionHistory", &refused, history.err()),
    ]
    .into_iter()
    .flatten()
    .map(|finding| {
        if !finding.what.contains("(access denied)") {
            return finding;
        }
        Finding::warning(
            about,
            format!("{} for an execution of the doctor's own", finding.what),
            "this is right if it is allowed for some state machines only; else a signer whose workflow has ended is \
             not told in time",
        )
    })
    .collect();
    if found.is_empty() {
        return vec![Finding::ok(
            about,
            "may be looked at, to see whether one still waits",
        )];
    }
    found
}

/// Needed only where durable functions ask. Not every region has them, nor every stand-in for AWS.
async fn durable(patient: &Patient) -> Vec<Finding> {
    let about = "durable functions";
    let client = aws_sdk_lambda::Client::new(&patient.aws);
    let answer = client
        .send_durable_execution_callback_heartbeat()
        .callback_id(IMPOSSIBLE)
        .send()
        .await;
    let Some(error) = answer.err() else {
        return Vec::new();
    };
    let said = said(&error);
    let refused = [
        "InvalidParameterValueException",
        "ResourceNotFoundException",
        "CallbackTimeoutException",
    ];
    if refused.contains(&said.0.as_str()) {
        return vec![Finding::ok(about, "may be answered")];
    }
    let finding = fault(about, Lambda, said);
    vec![Finding::warning(
        about,
        finding.what,
        "this matters only if durable functions ask for approvals: then allow \
         lambda:SendDurableExecutionCallbackSuccess, …Failure and …Heartbeat for them",
    )]
}
