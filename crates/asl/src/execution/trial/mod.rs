//! One state tried by itself, as TestState does it: with an input, a context and variables given, and where one is
//! wanted a result or an error in place of its work. Nothing is journalled; the state's own rules (paths, templates,
//! Retry, Catch) are those of an execution, because it is one.
//! <https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html>

mod attempt;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use attempt::Attempt;

use crate::definition::{Definition, InvalidDefinition, MachineId, State, Work};
use crate::interface::StartTask;
use crate::journal::{Failure, StateType};
use crate::resource::Resource;

/// A state to be tried.
#[derive(Clone, Debug)]
pub struct Trial {
    definition: Arc<Definition>,
    machine: MachineId,
    state: String,
}

/// What a state is tried with.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The state's raw input.
    pub input: Value,
    /// The context object.
    pub context: Value,
    /// The variables that the state finds.
    pub variables: Map<String, Value>,
    /// What stands in for the state's work.
    pub mock: Option<Mock>,
    /// How often the Retry rule that applies was used before.
    pub retries: u32,
    /// Of a Map: how many iterations are taken to have failed.
    pub failed_iterations: Option<u64>,
}

/// What stands in for the work of a Task, Map or Parallel.
#[derive(Clone, Debug, PartialEq)]
pub enum Mock {
    /// Its result.
    Result(Value),
    /// Its failure.
    #[expect(missing_docs, reason = "error and cause")]
    Failure {
        error: Option<String>,
        cause: Option<String>,
    },
}

/// What a state came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// SUCCEEDED, with its output.
    #[expect(missing_docs, reason = "output and the next state")]
    Succeeded { output: Value, next: Option<String> },
    /// CAUGHT_ERROR: a Catch took the failure on.
    #[expect(missing_docs, reason = "output, the next state and the failure")]
    Caught {
        output: Value,
        next: Option<String>,
        failure: Failure,
    },
    /// RETRIABLE: a Retry takes the failure on.
    #[expect(missing_docs, reason = "the failure")]
    Retriable { failure: Failure },
    /// FAILED.
    #[expect(missing_docs, reason = "the failure")]
    Failed { failure: Failure },
}

/// A trial that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// What the state came to.
    pub verdict: Verdict,
    /// What TestState's `inspectionData` says: data as JSON text, numbers, and `errorDetails`.
    pub inspection: Map<String, Value>,
}

/// How a trial stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// It waits: for these tasks, which are to be run, or for a timer.
    #[expect(missing_docs, reason = "tasks and timer")]
    Running {
        start: Vec<StartTask>,
        timer: Option<Timestamp>,
    },
    /// It is over.
    Over(Tried),
}

impl Trial {
    /// Reads the definition of a state, or of a machine whose state `name` is meant, at whatever depth. `Ok(None)` where
    /// the machine has no such state.
    pub fn parse(text: &str, name: Option<&str>) -> Result<Option<Self>, InvalidDefinition> {
        let Some(name) = name else {
            let definition = Definition::parse_state(text)?;
            let state = definition
                .machine(definition.root())
                .map(|machine| machine.start_at.clone())
                .unwrap_or_default();
            return Ok(Some(Self {
                machine: definition.root(),
                definition: Arc::new(definition),
                state,
            }));
        };
        let definition = Definition::parse(text)?;
        Ok(definition.home_of(name).map(|machine| Self {
            definition: Arc::new(definition),
            machine,
            state: name.to_owned(),
        }))
    }

    fn state(&self) -> Option<&State> {
        self.definition.machine(self.machine)?.states.get(&self.state)
    }

    /// The state's type.
    pub fn state_type(&self) -> StateType {
        self.state().map_or(StateType::Pass, State::kind)
    }

    /// What the state runs, where it is a Task.
    pub fn resource(&self) -> Option<&Resource> {
        match &self.state()?.work {
            Work::Task(task) => Some(&task.resource),
            _ => None,
        }
    }

    /// How many branches the state has, where it is a Parallel.
    pub fn branches(&self) -> Option<usize> {
        match &self.state()?.work {
            Work::Parallel { branches, .. } => Some(branches.len()),
            _ => None,
        }
    }

    /// Whether the state is a Map that writes its results elsewhere (ResultWriter).
    pub fn writes_results(&self) -> bool {
        self.state().is_some_and(|state| match &state.work {
            Work::Map(map) => map
                .distributed
                .as_ref()
                .is_some_and(|distributed| distributed.writer.is_some()),
            _ => false,
        })
    }
}
