//! An attempt to stop the execution of a request that was withdrawn with that wish. That the execution is ours was proven
//! before the wish was written down (`flow/operate.rs`).

use crate::aws_faults::TOO_SLOW;
use crate::domain::approval::Approval;
use crate::domain::callback::{Callback, CallbackMessage, Queued};
use crate::flow::Flow;
use crate::step_functions::ExecutionError;
use tokio::time::{Instant, timeout_at};

/// What DescribeExecution calls an execution that was stopped.
const STOPPED: &str = "ABORTED";

/// Stops it, with the error and the cause that it would have been told. One that has ended by itself is left alone.
pub(super) async fn attempt(
    flow: &Flow,
    approval: &Approval,
    begun: &Queued,
    message: CallbackMessage,
    until: Instant,
) -> Callback {
    let (CallbackMessage::Failure { error, cause, .. }, Some(arn)) = (message, approval.execution_arn())
    else {
        return Callback::Queued(begun.clone());
    };
    let attempt = async {
        if let Some((status, _)) = flow.step_functions.ended(arn).await {
            return Ok(Some(status));
        }
        let stopped = flow.step_functions.stop(arn, Some(error), Some(&cause)).await;
        stopped.map(|()| None)
    };
    let attempted = timeout_at(until, attempt).await;
    let now = flow.clock.now();
    let again = |code: String| Callback::Queued(begun.again(now, code, true, flow.random.unit()));
    match attempted {
        Ok(Ok(None)) => Callback::Delivered { at: now },
        Ok(Ok(Some(status))) if status == STOPPED && begun.earlier_may_have_landed() => {
            Callback::Delivered { at: now }
        }
        Ok(Ok(Some(status))) => Callback::Moot {
            at: now,
            because: format!("the execution is {status}"),
        },
        Ok(Err(ExecutionError::Again { code })) => again(code),
        Ok(Err(ExecutionError::Refused { code, message, .. })) => {
            Callback::Parked(begun.park(now, format!("{code}: {message}"), false))
        }
        Err(_elapsed) => again(TOO_SLOW.to_owned()),
    }
}
