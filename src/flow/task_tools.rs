//! What `crates/task-tools` gives tasks in Rust, for tasks in any language: over HTTP (`web/api/task_tools.rs`) and by
//! invoking (`intake/task_tools.rs`). Names and fields are those of the library; data passes through as it is written.

mod asked;

use super::Flow;
use crate::domain::request_fields::{Fields, Problem};
use crate::state_data::{ItemPointer, ItemsPointer, StateDataError, is_ours};
use crate::step_functions::ExecutionError;
use asked::Asked;
use serde_json::json;
use serde_json::value::RawValue;

/// The longest error and cause of a stop, in characters (Step Functions API).
const LONGEST_ERROR: usize = 256;
const LONGEST_CAUSE: usize = 32_768;

/// One call for state data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    what: What,
    global: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    PutItem,
    PutItems,
    GetItem,
    GetItems,
    PutItemForMapIteration,
    GetItemForMapIteration,
}

/// Why a call wasn't done.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No table is configured.
    #[error("state data is not set up here: give the configuration a state_data_table")]
    NotSetUp,
    /// What was given isn't JSON, or no object.
    #[error("{0}")]
    NotReadable(String),
    /// Fields are wrong: all of them, by name.
    #[error("{}", .0.iter().map(|p| format!("{}: {}", p.field, p.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Problem>),
    /// The table isn't one of those that callers may name.
    #[error(
        "table {0} is not one of those that may be used: name it in the configuration's state_data_tables"
    )]
    OtherTable(String),
    /// The items are Countersign's own.
    #[error("items of the namespace \"countersign\" are Countersign's own, and can only be read")]
    Ours,
    /// The store doesn't do it.
    #[error("{0}")]
    StateData(#[from] StateDataError),
}

impl Call {
    /// The call of this name, such as `get_item` or `put_global_items`.
    pub fn named(name: &str) -> Option<Self> {
        let local = name.replacen("_global_", "_", 1);
        let what = match local.as_str() {
            "put_item" => What::PutItem,
            "put_items" => What::PutItems,
            "get_item" => What::GetItem,
            "get_items" => What::GetItems,
            "put_item_for_map_iteration" => What::PutItemForMapIteration,
            "get_item_for_map_iteration" => What::GetItemForMapIteration,
            _ => return None,
        };
        let global = local != name;
        Some(Self { what, global })
    }
}

/// Does `call` with what `given` (a JSON object) says. Gives JSON: of a put the pointer, of a get `data` or `items`.
pub async fn call(flow: &Flow, call: Call, given: &str) -> Result<String, CallError> {
    let state_data = flow.state_data.as_ref().ok_or(CallError::NotSetUp)?;
    let Asked { place, data, items } = Asked::read(call, given)?;
    let table = place.table.as_deref().unwrap_or(state_data.table());
    if !state_data.reaches(table) {
        return Err(CallError::OtherTable(table.to_owned()));
    }
    let (client, at) = (state_data.client(), &place.partition_key);
    let puts = !matches!(
        call.what,
        What::GetItem | What::GetItems | What::GetItemForMapIteration
    );
    if puts && is_ours(at) {
        return Err(CallError::Ours);
    }
    match call.what {
        What::GetItem | What::GetItemForMapIteration => {
            let data: Box<RawValue> = client.get_global_item(table, at, place.index).await?;
            Ok(format!(r#"{{"data":{}}}"#, data.get()))
        }
        What::GetItems => {
            let items: Vec<Box<RawValue>> = client.get_global_items(table, at).await?;
            let items: Vec<&str> = items.iter().map(|item| item.get()).collect();
            Ok(format!(r#"{{"items":[{}]}}"#, items.join(",")))
        }
        What::PutItem | What::PutItemForMapIteration => {
            let put = client.put_global_item(table, at, &data, place.index).await?;
            Ok(json!(ItemPointer {
                key: place.key,
                ..put
            })
            .to_string())
        }
        What::PutItems => {
            let put = client.put_global_items(table, at, &items).await?;
            Ok(json!(ItemsPointer {
                key: place.key,
                ..put
            })
            .to_string())
        }
    }
}

/// Stops an execution: for a task that finds that its workflow has nothing to do.
pub async fn stop_execution(
    flow: &Flow,
    arn: &str,
    error: Option<&str>,
    cause: Option<&str>,
) -> Result<(), ExecutionError> {
    flow.step_functions.stop(arn, error, cause).await
}

/// `error` and `cause` of a stop, checked.
pub fn words_of_a_stop(f: &mut Fields<'_>) -> (Option<String>, Option<String>) {
    let mut text = |name, most: usize| {
        let text = f.text(name)?;
        let characters = text.chars().count();
        if characters > most {
            f.problem(
                name,
                format!("has {characters} characters; at most {most} are allowed"),
            );
        }
        Some(text)
    };
    (text("error", LONGEST_ERROR), text("cause", LONGEST_CAUSE))
}
