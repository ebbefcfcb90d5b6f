//! Activities: taking a task by a long poll. Step Functions gives each task's token once, to whoever polls; if its answer is
//! lost, so is the token, and the state waits until it times out.

use super::{StepFunctions, no_retries};
use crate::aws_error::classify;
use crate::aws_faults::Service;
use crate::domain::callback::SendError;
use aws_sdk_sfn::config::timeout::TimeoutConfig;
use std::time::Duration;

/// How long a poll's answer may take: AWS holds it for a minute, and asks for 65 seconds of patience.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html>
pub const LONGEST_POLL: Duration = Duration::from_secs(65);

/// A task of an activity.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivityTask {
    /// What it is answered by.
    pub token: String,
    /// What the state gives it: JSON, as text.
    pub input: String,
}

impl std::fmt::Debug for ActivityTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ActivityTask(redacted)")
    }
}

impl StepFunctions {
    /// Asks for a task of the activity with this ARN; `None` when a minute brought none.
    ///
    /// A poll that is given up may lose a task: let it come to its end.
    pub async fn activity_task(&self, arn: &str) -> Result<Option<ActivityTask>, SendError> {
        let patient = TimeoutConfig::builder()
            .read_timeout(LONGEST_POLL)
            .operation_timeout(LONGEST_POLL + Duration::from_secs(5))
            .build();
        let call = self
            .client
            .get_activity_task()
            .activity_arn(arn)
            .worker_name("countersign");
        let patient = no_retries().timeout_config(patient);
        let polled = call.customize().config_override(patient).send().await;
        let polled = polled.map_err(|error| classify(Service::StepFunctions, &error))?;
        let task = polled.task_token.filter(|token| !token.is_empty());
        Ok(task.map(|token| ActivityTask {
            token,
            input: polled.input.unwrap_or_default(),
        }))
    }
}
