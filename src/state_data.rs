//! State data: what is too big to stand in a workflow's state, in DynamoDB and S3. `flow/call_back.rs` keeps results
//! here that Step Functions wouldn't take; `flow/task_tools.rs` puts and gets for tasks in any language. The layout is
//! that of `crates/task-tools`, which does the work.

use crate::domain::ids::ApprovalId;
use serde_json::value::RawValue;
use std::time::SystemTime;
use task_tools::StateDataClient;

pub use task_tools::{Index, ItemPointer, ItemsPointer, StateDataError};

/// The namespace of what we keep ourselves. Nobody else may write there: a workflow takes what it reads there for a
/// decision.
const OURS: &str = "countersign";

/// The most that is read for a caller at once, in bytes of JSON: any result of ours, with the comments of a hundred people.
const MOST_READ: usize = 16 * 1024 * 1024;

/// Where state data is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    /// The table.
    pub table: String,
    /// The bucket for what the table can't hold.
    pub bucket: Option<String>,
    /// Other tables that callers may name.
    pub other_tables: Vec<String>,
    /// For how many days.
    pub keep_days: u32,
}

/// The store of state data. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StateData {
    client: StateDataClient,
    places: Places,
}

impl StateData {
    /// State data in `places`. `clock` says when things expire.
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        s3: aws_sdk_s3::Client,
        places: Places,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Self {
        let mut client = StateDataClient::new(dynamodb, &places.table, OURS, clock)
            .keep_days(places.keep_days)
            .read_at_most(MOST_READ);
        if let Some(bucket) = &places.bucket {
            client = client.bucket(s3, bucket);
        }
        Self { client, places }
    }

    /// Keeps the result (JSON) of a request, always at the same place.
    pub async fn keep_result(&self, id: ApprovalId, result: &str) -> Result<ItemPointer, StateDataError> {
        let result: &RawValue = serde_json::from_str(result).map_err(StateDataError::NotWritable)?;
        self.client.put_item(&id.to_string(), result, 0).await
    }

    /// The client, for items that are named in full.
    pub fn client(&self) -> &StateDataClient {
        &self.client
    }

    /// The table for items of which no other is named.
    pub fn table(&self) -> &str {
        &self.places.table
    }

    /// Whether callers may name this table.
    pub fn reaches(&self, table: &str) -> bool {
        self.places.table == table || self.places.other_tables.iter().any(|other| other == table)
    }
}

/// Whether this partition key is one of ours, so that callers may read it and not write it.
pub fn is_ours(partition_key: &str) -> bool {
    partition_key
        .strip_prefix(OURS)
        .is_some_and(|rest| rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_keys_are_told_by_their_namespace() {
        for (key, ours) in [
            ("countersign:req_1", true),
            ("countersign::", true),
            ("countersign", false),
            ("countersigned:req_1", false),
            ("run-7:countersign:req_1", false),
            ("", false),
        ] {
            assert_eq!(is_ours(key), ours, "{key}");
        }
    }
}
