//! An event-sourced interpreter for the Amazon States Language.
//!
//! Pure: no clock, no I/O, no threads. Each call takes something that happened, the time and a source of randomness,
//! and answers with entries for the journal and commands to carry out. The journal is the execution: replaying it
//! gives the same execution, and the history that AWS shows is read off it. So an execution that waits costs nothing
//! but its place in a list of timers and tokens.
//!
//! # The loop around it
//!
//! ```
//! use std::sync::Arc;
//! use asl::{Command, Definition, Execution, Happened, Identity, Randomness, Status};
//!
//! struct Counter(u8); // production fills from the operating system
//! impl Randomness for Counter {
//!     fn fill(&mut self, bytes: &mut [u8]) {
//!         self.0 += 1;
//!         bytes.fill(self.0);
//!     }
//! }
//!
//! let definition = Arc::new(Definition::parse(r#"{
//!     "StartAt": "Ask",
//!     "States": {"Ask": {
//!         "Type": "Task",
//!         "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
//!         "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}},
//!         "TimeoutSeconds": 60,
//!         "End": true
//!     }}
//! }"#)?);
//! let identity = Identity {
//!     execution_arn: "arn:aws:states:us-east-1:123456789012:execution:machine:one".into(),
//!     execution_name: "one".into(),
//!     role_arn: "arn:aws:iam::123456789012:role/r".into(),
//!     state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:machine".into(),
//!     state_machine_name: "machine".into(),
//! };
//! let (now, mut random, mut journal) = (jiff::Timestamp::UNIX_EPOCH, Counter(0), Vec::new());
//!
//! let (mut execution, step) = Execution::start(definition.clone(), identity, "{}", now, &mut random)?;
//! journal.extend(step.entries); // durably, in one transaction, and only then:
//! let mut tasks = Vec::new();
//! for command in step.commands {
//!     match command {
//!         Command::StartTask(task) => tasks.push(task), // run it; remember which execution has task.token
//!         Command::SetTimer { at } => assert_eq!(at, now + jiff::SignedDuration::from_secs(60)),
//!         _ => {}
//!     }
//! }
//! execution.handle(Happened::TaskStarted { task: tasks[0].task }, now, &mut random); // and so on for its entries
//! # drop(execution);
//!
//! // Nothing needs to stay in memory. When the token is answered, tomorrow or after a restart:
//! let mut execution = Execution::replay(definition, &journal)?;
//! let token = tasks[0].token.clone().unwrap_or_default();
//! let step = execution.handle(Happened::TokenSucceeded { token, output: "yes".into() }, now, &mut random);
//! assert_eq!(step.refused, None);
//! journal.extend(step.entries);
//! assert_eq!(execution.status(), &Status::Succeeded { output: "yes".into() });
//! assert_eq!(asl::history(&journal, true).last().unwrap()["type"], "ExecutionSucceeded");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! After a crash, [`Execution::open_tasks`] and [`Execution::next_timer`] give again what the lost commands asked
//! for: a task may so be run twice, never not at all.
//!
//! # Where it differs from AWS in JSONata
//!
//! JSONata is `jlens-core`'s, held to 2.0.6 and to the bounds of Step Functions: 100 levels, one second, lists of 873,782
//! items. What is known to differ:
//!
//! - Arithmetic that leaves the numbers (`1/0`) fails with JSONata's own D1001; AWS gives the text `"Infinity"`.
//! - Numbers are doubles. A whole number above 2^53 that only passes through an expression stays exact, unless another
//!   one in sight becomes the same double; one that is calculated with does not.
//! - `$base64decode` of what is no base64 gives text; AWS fails with an internal error.
//! - Regular expressions are ECMAScript's.
//! - The bound of a second is looked at between steps: a single comparison of two very large objects may take longer.
//! - The words for an unbalanced `{%`, for a bad name of a variable, for too much in `Assign`, and for a bad algorithm
//!   of `$hash` or text of `$parse` are ours; AWS documents none.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test"))]

mod choice;
mod compare;
mod context;
mod definition;
mod execution;
mod expression;
mod history;
mod integrations;
mod interface;
mod intrinsic;
mod journal;
mod jsonata;
mod limits;
mod map_run;
mod outline;
mod path;
mod random;
mod resource;
mod retry;
mod template;
mod variables;

pub use definition::{Definition, Diagnostic, InvalidDefinition, MachineType};
pub use execution::trial;
pub use execution::{Execution, InvalidInput, InvalidJournal, Selecting, Timer};
pub use history::{event_type, history, history_event};
pub use interface::{Command, Happened, Identity, Refused, StartTask, Status, Step, TaskId, TokenState};
pub use journal::{BranchId, Entry, Event, Failure, StateType};
pub use map_run::{Batch, Batching, Child, Export, Format, MapRun, Results, Source, Transformation};
pub use outline::{Outline, OutlinedState, Way};
pub use random::Randomness;
pub use resource::{Pattern, Resource, UnknownResource};
