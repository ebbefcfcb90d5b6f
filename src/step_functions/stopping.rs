//! Stopping an execution: StopExecution; and before that, for an approval that is withdrawn, the proof that the execution
//! which the request names is the one that waits for it. Whoever asks for an approval says which execution it belongs
//! to; that alone must not be enough to have another one stopped.

use super::executions::{ExecutionError, sort};
use super::{LONGEST_PAGE, StepFunctions};
use crate::domain::callback::SendError;
use crate::domain::task_token::TaskToken;
use aws_sdk_sfn::types::HistoryEvent;

/// Whether an execution is the one that waits with a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Its own history shows that it gave the token out.
    GaveToken,
    /// Its history is read, and the token isn't in it.
    DidNot,
    /// Step Functions doesn't know the token as one that is waited for.
    NobodyWaits,
}

impl StepFunctions {
    /// Whether `execution_arn` waits with `token`: Step Functions takes it as a live token (so that no other text passes
    /// for one), and a waiting task of the execution was scheduled with it in its parameters.
    ///
    /// An activity's history doesn't hold its tokens; nor does any other where the parameters are hidden.
    pub async fn prove(&self, execution_arn: &str, token: &TaskToken) -> Result<Proof, ExecutionError> {
        match self.heartbeat(token).await {
            Ok(()) => {}
            Err(SendError::Again { code, .. }) => return Err(ExecutionError::Again { code }),
            Err(SendError::Park { .. } | SendError::Closed) => return Ok(Proof::NobodyWaits),
        }
        let mut pages = self
            .client
            .get_execution_history()
            .execution_arn(execution_arn)
            .max_results(LONGEST_PAGE)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| sort(&error))?;
            if page.events().iter().any(|event| gives_out(event, token.expose())) {
                return Ok(Proof::GaveToken);
            }
        }
        Ok(Proof::DidNot)
    }

    /// Stops an execution, with an error of at most 256 and a cause of at most 32,768 characters. Stopping what has ended
    /// changes nothing, so it is safe to repeat.
    pub async fn stop(
        &self,
        execution_arn: &str,
        error: Option<&str>,
        cause: Option<&str>,
    ) -> Result<(), ExecutionError> {
        let call = self
            .client
            .stop_execution()
            .execution_arn(execution_arn)
            .set_error(error.map(str::to_owned))
            .set_cause(cause.map(str::to_owned));
        call.send().await.map(drop).map_err(|error| sort(&error))
    }
}

fn gives_out(event: &HistoryEvent, token: &str) -> bool {
    event.task_scheduled_event_details().is_some_and(|details| {
        details.resource().ends_with(".waitForTaskToken") && details.parameters().contains(token)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sfn::types::{HistoryEventType, TaskScheduledEventDetails};

    #[test]
    fn only_a_task_that_waits_gives_a_token_out() {
        let event = |resource: &str, parameters: &str| {
            let details = TaskScheduledEventDetails::builder()
                .resource_type("lambda")
                .resource(resource)
                .region("us-east-1")
                .parameters(parameters);
            HistoryEvent::builder()
                .id(1)
                .r#type(HistoryEventType::TaskScheduled)
                .timestamp(aws_smithy_types::DateTime::from_secs(0))
                .task_scheduled_event_details(details.build().expect("complete"))
                .build()
                .expect("complete")
        };
        let parameters = r#"{"Payload":{"taskToken":"AQB/x=="}}"#;
        assert!(gives_out(
            &event("invoke.waitForTaskToken", parameters),
            "AQB/x=="
        ));
        assert!(!gives_out(
            &event("invoke.waitForTaskToken", parameters),
            "AQB/y=="
        ));
        // Handed on by another execution.
        assert!(!gives_out(&event("invoke", parameters), "AQB/x=="));
    }
}
