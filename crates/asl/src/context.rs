//! The context object, `$$`.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html>

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::interface::Identity;

/// What the context object says about the state that is running.
pub(crate) struct Current<'a> {
    pub(crate) name: &'a str,
    pub(crate) entered: Timestamp,
    /// For states that can be retried.
    pub(crate) retries: Option<u32>,
    /// For tasks that wait for one.
    pub(crate) token: Option<&'a str>,
}

pub(crate) fn context(
    identity: &Identity,
    started: Timestamp,
    input: &Value,
    current: &Current<'_>,
) -> Value {
    let mut context = json!({
        "Execution": {
            "Id": identity.execution_arn,
            "Input": input,
            "StartTime": moment(started),
            "Name": identity.execution_name,
            "RoleArn": identity.role_arn,
            "RedriveCount": 0,
        },
        "StateMachine": { "Id": identity.state_machine_arn, "Name": identity.state_machine_name },
        "State": { "Name": current.name, "EnteredTime": moment(current.entered) },
    });
    if let Some(retries) = current.retries {
        context["State"]["RetryCount"] = retries.into();
    }
    if let Some(token) = current.token {
        context["Task"] = json!({ "Token": token });
    }
    context
}

/// `2026-11-21T09:00:00.000Z`.
fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds() {
        assert_eq!(
            moment(Timestamp::from_millisecond(1_000).unwrap()),
            "1970-01-01T00:00:01.000Z"
        );
    }
}
