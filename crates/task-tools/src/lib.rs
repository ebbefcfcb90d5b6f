//! What code inside a task of AWS Step Functions needs: data too big for the state, and stopping the execution.
//!
//! A state hands at most 262,144 bytes to the next. [`StateDataClient`] puts what is longer (or a list that a Map is to
//! work through) into a DynamoDB table, or into S3 where the table can't hold it, and answers with a pointer for the
//! state. [`stop_execution`] ends the running workflow.
//!
//! Tables, items and pointers are those of the Python package `py2sfn-task-tools` 0.2.1: each reads what the other wrote.
//!
//! ```no_run
//! use serde_json::{Value, json};
//! use std::time::SystemTime;
//! use task_tools::{MapIteration, StateDataClient, stop_execution};
//!
//! # async fn task(dynamodb: aws_sdk_dynamodb::Client, s3: aws_sdk_s3::Client,
//! #     step_functions: aws_sdk_sfn::Client, event: Value) -> Result<(), Box<dyn std::error::Error>> {
//! // In any task: `event.execution` is $$.Execution.Name.
//! let execution = event["execution"].as_str().unwrap_or_default();
//! let state_data = StateDataClient::new(dynamodb, "state-data", execution, SystemTime::now)
//!     .bucket(s3, "state-data-example");
//!
//! // A task puts a list and returns the pointer …
//! let characters = [json!({"name": "jerry"}), json!({"name": "elaine"})];
//! let pointer = state_data.put_items("characters", &characters).await?;
//!
//! // … a Map iterates over pointer.items, and its task gets each one.
//! let iteration: MapIteration = serde_json::from_value(event.clone())?;
//! let character: Value = state_data.get_item_for_map_iteration(&iteration).await?;
//!
//! // A task that finds nothing to do ends the whole.
//! let arn = event["execution_arn"].as_str().unwrap_or_default();
//! stop_execution(&step_functions, arn, Some("FeatureOff"), Some("the flag is false")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The modules: `client` what tasks call, `stored` how an item is stored, `batch` lists, `json` the text, `pointer` what
//! stands in the state, `table` makes the table, `stop` stops.

mod batch;
mod client;
mod error;
mod json;
mod pointer;
mod stop;
mod stored;
mod table;

pub use client::{KEPT_DAYS, StateDataClient};
pub use error::StateDataError;
pub use pointer::{Index, ItemPointer, ItemsPointer, MapIteration};
pub use stop::{LONGEST_CAUSE, LONGEST_ERROR, StopError, stop_execution};
pub use stored::MOST_IN_THE_TABLE;
pub use table::create_table;
