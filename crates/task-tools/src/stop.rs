//! Stops an execution from within: for a task that finds out that the workflow has nothing to do.

use crate::error::classified;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::DisplayErrorContext;
use aws_sdk_sfn::operation::stop_execution::StopExecutionError;
use std::error::Error;

/// The longest error of a stop, in characters (`SensitiveError` in the API of Step Functions).
pub const LONGEST_ERROR: usize = 256;
/// The longest cause of a stop, in characters (`SensitiveCause` in the API of Step Functions).
pub const LONGEST_CAUSE: usize = 32_768;

/// Why an execution wasn't stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// A text is longer than Step Functions takes.
    #[error("the {what} may have {most} characters, not {characters}")]
    TooLong {
        /// Which: `error` or `cause`.
        what: &'static str,
        /// How long it is.
        characters: usize,
        /// How long it may be.
        most: usize,
    },
    /// There is no such execution: an ARN of another account or region, or one that ended more than 90 days ago.
    #[error("there is no such execution")]
    NoSuchExecution,
    /// AWS refused, or there was no answer.
    #[error("StopExecution failed: {code}")]
    Aws {
        /// AWS's error code, or `no answer`.
        code: String,
        /// Whether AWS refused for a reason that stays (HTTP 4xx, but for throttling and expired credentials).
        refused: bool,
        /// All that is known, for a log.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
}

/// Stops the execution `execution_arn` (`$$.Execution.Id` of its context object), which ends as `ABORTED`. `error` is a
/// short word, such as a code; `cause` a longer description. Both are shown with the execution.
///
/// The task that calls this is not ended by it, and what it returns is dropped: return at once. Stopping what has ended
/// changes nothing and is no error. Express executions can't be stopped.
pub async fn stop_execution(
    step_functions: &Client,
    execution_arn: &str,
    error: Option<&str>,
    cause: Option<&str>,
) -> Result<(), StopError> {
    within("error", error, LONGEST_ERROR)?;
    within("cause", cause, LONGEST_CAUSE)?;
    let call = step_functions
        .stop_execution()
        .execution_arn(execution_arn)
        .set_error(error.map(str::to_owned))
        .set_cause(cause.map(str::to_owned));
    call.send().await.map(drop).map_err(|failed| {
        if failed
            .as_service_error()
            .is_some_and(StopExecutionError::is_execution_does_not_exist)
        {
            return StopError::NoSuchExecution;
        }
        let (code, refused) = classified(&failed);
        StopError::Aws {
            code,
            refused,
            cause: DisplayErrorContext(&failed).to_string().into(),
        }
    })
}

fn within(what: &'static str, text: Option<&str>, most: usize) -> Result<(), StopError> {
    let characters = text.map_or(0, |text| text.chars().count());
    if characters > most {
        return Err(StopError::TooLong {
            what,
            characters,
            most,
        });
    }
    Ok(())
}
