//! The way back to workflows, of either kind: a state machine behind a task token, a durable function behind a callback
//! id. The one place below `flow` that tells them apart.

use crate::domain::callback::{CallbackMessage, Found, SendError};
use crate::domain::task_token::CallbackTarget;
use crate::durable_functions::DurableFunctions;
use crate::step_functions::StepFunctions;
use jiff::Timestamp;

/// The calls that answer a wait and ask about it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Callbacks {
    step_functions: StepFunctions,
    durable_functions: DurableFunctions,
}

impl Callbacks {
    /// Over the two services.
    pub fn new(step_functions: StepFunctions, durable_functions: DurableFunctions) -> Self {
        Self {
            step_functions,
            durable_functions,
        }
    }

    /// Sends a decision, once: nothing below repeats it.
    pub async fn send(&self, target: &CallbackTarget, message: &CallbackMessage) -> Result<(), SendError> {
        match target {
            CallbackTarget::TaskToken(token) => self.step_functions.send(token, message).await,
            CallbackTarget::DurableCallback(id) => self.durable_functions.send(id, message).await,
        }
    }

    /// Tells the workflow that the request is alive; and so asks whether it still waits.
    pub async fn heartbeat(&self, target: &CallbackTarget) -> Result<(), SendError> {
        match target {
            CallbackTarget::TaskToken(token) => self.step_functions.heartbeat(token).await,
            CallbackTarget::DurableCallback(id) => self.durable_functions.heartbeat(id).await,
        }
    }

    /// How the execution of the workflow behind `target` ended: its status and when; `None` while it runs or when it
    /// can't be asked.
    pub async fn ended(
        &self,
        target: &CallbackTarget,
        execution_arn: &str,
    ) -> Option<(String, Option<Timestamp>)> {
        match target {
            CallbackTarget::TaskToken(_) => self.step_functions.ended(execution_arn).await,
            CallbackTarget::DurableCallback(_) => self.durable_functions.ended(execution_arn).await,
        }
    }

    /// Finds out by an execution's history how the wait behind `target` ended. `request_id` is in everything that we
    /// send.
    pub async fn how_it_ended(
        &self,
        execution_arn: &str,
        target: &CallbackTarget,
        request_id: &str,
    ) -> Found {
        match target {
            CallbackTarget::TaskToken(token) => {
                let search = self.step_functions.how_it_ended(execution_arn, token, request_id);
                search.await
            }
            CallbackTarget::DurableCallback(id) => {
                let search = self.durable_functions.how_it_ended(execution_arn, id, request_id);
                search.await
            }
        }
    }
}
