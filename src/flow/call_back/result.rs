//! A result that is longer than Step Functions takes: the comments of a hundred people, say. All of it is put down as
//! state data, before the attempt and always at the same place, so that an attempt made again finds it as it is; the
//! workflow gets a pointer.

use crate::aws_faults::TOO_SLOW;
use crate::domain::approval::{Approval, Responses};
use crate::domain::callback::{CallbackMessage, MAX_OUTPUT_BYTES};
use crate::flow::Flow;
use crate::state_data::StateDataError;
use serde_json::json;
use tokio::time::Instant;

/// Why a result couldn't be put down. Nothing has been sent then.
pub(super) enum Unkept {
    /// It may be possible later.
    ForNow(String),
    /// An operator has to look at it.
    ForGood(String),
}

/// The message, or one that says where the result is. Without a place for state data the comments are left out, and the
/// result says so.
pub(super) async fn that_fits(
    flow: &Flow,
    approval: &Approval,
    message: CallbackMessage,
    until: Instant,
) -> Result<CallbackMessage, Unkept> {
    let whole = match &message {
        CallbackMessage::Success { output } if output.len() > MAX_OUTPUT_BYTES => output,
        _ => return Ok(message),
    };
    let responses = match &flow.state_data {
        None => Responses::WithoutComments,
        Some(state_data) => {
            let kept = tokio::time::timeout_at(until, state_data.keep_result(approval.id, whole)).await;
            let pointer = kept.unwrap_or_else(|_| Err(took_too_long())).map_err(sort)?;
            tracing::info!(approval.id = %approval.id, bytes = whole.len(), "a long result was put down as state data");
            Responses::Elsewhere(json!(pointer))
        }
    };
    Ok(approval.callback_message(&responses).unwrap_or(message))
}

fn took_too_long() -> StateDataError {
    StateDataError::Aws {
        operation: "PutItem",
        code: TOO_SLOW.to_owned(),
        refused: false,
        cause: TOO_SLOW.into(),
    }
}

fn sort(error: StateDataError) -> Unkept {
    let told = format!("the result is too long to be sent, and could not be put down as state data: {error}");
    if error.is_passing() {
        Unkept::ForNow(told)
    } else {
        Unkept::ForGood(told)
    }
}
