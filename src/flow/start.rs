//! Starting a workflow for a program, once: the execution's name is a key of the caller's, so that Step Functions itself
//! refuses a second one. Called by `web/api/executions.rs`.

use super::Flow;
use crate::domain::execution::{ExecutionName, StateMachine};
use crate::step_functions::{ExecutionError, Refusal};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// As far as the clocks of this machine and of AWS may be apart: an execution that began longer than this before it was
/// asked for was begun by an earlier call.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(2);

/// What is to be started.
#[derive(Clone, PartialEq, Debug)]
pub struct Start {
    /// Of which state machine.
    pub machine: StateMachine,
    /// Under which name. Without one every call starts an execution.
    pub name: Option<ExecutionName>,
    /// The input, as JSON. It reaches the workflow as it is written.
    pub input: String,
}

/// An execution that runs, or has run.
#[derive(Clone, PartialEq, Debug)]
pub struct Started {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: ExecutionName,
    /// How it is: `RUNNING`, or how it has ended where it was started before.
    pub status: String,
    /// When it began.
    pub at: Option<Timestamp>,
    /// Whether this call has started it, as far as the clocks tell, and not an earlier one.
    pub created: bool,
}

/// Why nothing was started.
#[derive(Clone, PartialEq, Debug)]
pub enum StartError {
    /// The name has been used for another input, by this execution.
    OtherInput(String),
    /// Step Functions doesn't do it.
    StepFunctions(ExecutionError),
}

/// Starts an execution. The same name and the same input (as JSON) give the execution that is there, also once it has
/// ended; the same name and another input are refused. Express state machines know no names: there, each call starts one.
pub async fn start(flow: &Flow, asked: Start) -> Result<Started, StartError> {
    let machine = match asked.machine {
        StateMachine::Arn(arn) => arn,
        StateMachine::Named(name) => match flow.step_functions.some_machine().await {
            Ok(machine) => machine.beside(&name),
            Err(error) => return Err(StartError::StepFunctions(error)),
        },
    };
    let given = asked.name.is_some();
    let name = asked
        .name
        .unwrap_or_else(|| ExecutionName::from_random(flow.random.bytes()));
    let now = flow.clock.now();
    match flow.step_functions.start(&machine, &name, &asked.input).await {
        Ok((arn, at)) => Ok(Started {
            arn,
            name,
            status: "RUNNING".to_owned(),
            at,
            created: !given || at.is_none_or(|at| now.duration_since(at) <= CLOCKS_APART),
        }),
        Err(ExecutionError::Refused {
            why: Refusal::NameTaken,
            code,
            message,
        }) => {
            let Ok(found) = flow.step_functions.execution(&machine.execution(&name)).await else {
                let why = Refusal::NameTaken;
                return Err(StartError::StepFunctions(ExecutionError::Refused {
                    why,
                    code,
                    message,
                }));
            };
            if !same(found.input.as_deref(), &asked.input) {
                return Err(StartError::OtherInput(found.arn));
            }
            // Under a name of our own it can only be this call's: an answer got lost, and the SDK asked again.
            Ok(Started {
                arn: found.arn,
                name,
                status: found.status,
                at: found.started,
                created: !given,
            })
        }
        Err(error) => Err(StartError::StepFunctions(error)),
    }
}

/// Whether two inputs are the same JSON, however they are written.
fn same(one: Option<&str>, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    one.is_some_and(|one| one == other || read(one).is_some_and(|one| Some(one) == read(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_compared_as_json() {
        assert!(same(Some(r#"{"a": 1, "b": [2]}"#), r#"{"b":[2],"a":1}"#));
        assert!(!same(Some(r#"{"a": 1}"#), r#"{"a": "1"}"#));
        assert!(!same(Some("[1, 2]"), "[2, 1]"));
        assert!(!same(None, "{}"));
        assert!(!same(Some("{"), "}"));
    }
}
