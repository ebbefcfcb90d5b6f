//! Stopping an execution: StopExecution; and before that, for an approval that is withdrawn, the proof that the execution
//! which the request names is the one that waits for it. Whoever asks for an approval says which execution it belongs
//! to; that alone must not be enough to have another one stopped.

use super::executions::{ExecutionError, sort};
use super::{LONGEST_PAGE, StepFunctions, gives_out};
use crate::domain::callback::SendError;
use crate::domain::task_token::TaskToken;

/// Whether an execution is the one that waits with a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Its own history shows that it gave the token out.
    GaveToken,
    /// Its history is read, and the token isn't in it.
    DidNot,
    /// Nobody waits with that token any more.
    NobodyWaits,
    /// Step Functions refuses to say: its error code and message.
    Refused(String),
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
            Err(SendError::Closed) => return Ok(Proof::NobodyWaits),
            Err(SendError::Park { reason }) => return Ok(Proof::Refused(reason)),
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
