//! DynamoDB: the one place where an approval is kept. Called by `flow`, once or twice for each step.
//!
//! One table. `pk = A#<approval id>`, and by `sk`: `B` the body, `P#<n>` a person's data, `S` the state, `R#<n>` a
//! signer, `E#<seq>` an evidence event, `O#…` an observation; lookups are items of their own, `L#<kind>#<value>`.
//! Every guard against a repeat is a condition here, next to the write that it guards.
//!
//! What an item means stands as JSON text in the attribute `json`, exactly as it was hashed; beside it stand only
//! the attributes that conditions and indexes need.

mod commit;
mod due;
mod intake;
mod items;
mod list;
mod lookup;
mod observe;
mod read;
mod schema;

pub use commit::Change;
pub use due::{DueItem, DueWhat};
pub use intake::{BodyWrite, StoredBody};
pub use items::SHARDS;
pub use list::{Listed, Place};
pub use lookup::{Known, Lookup};
pub use read::Loaded;

use crate::aws_faults::code_of;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// The table behind every approval. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    table: String,
}

impl Store {
    /// The store in `table`, over `client`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }
}

/// Why the store didn't do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote in between: read again.
    #[error("somebody else wrote in between")]
    Conflict,
    /// DynamoDB didn't do it, or didn't say.
    #[error("DynamoDB {operation} failed: {code}")]
    Unavailable {
        /// The operation.
        operation: &'static str,
        /// AWS's error code, or what went wrong on the way.
        code: String,
    },
    /// A newer version of this program wrote it, and will see to it.
    #[error("{pk} was written by a newer version")]
    Newer {
        /// The partition key.
        pk: String,
    },
    /// An item can't be read.
    #[error("item {sk} of {pk} can't be read: {why}")]
    Unreadable {
        /// Its partition key.
        pk: String,
        /// Its sort key.
        sk: String,
        /// Why.
        why: String,
    },
}

/// Classifies an error of the SDK. The log line holds AWS's message; it never holds an item.
fn unavailable<E, R>(operation: &'static str, error: SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let code = code_of(&error).to_owned();
    let conflict = matches!(
        code.as_str(),
        "ConditionalCheckFailedException" | "TransactionConflictException"
    );
    if conflict {
        return StoreError::Conflict;
    }
    tracing::warn!(aws.operation = operation, aws.error.code = %code, error = %DisplayErrorContext(&error), "DynamoDB call failed");
    StoreError::Unavailable { operation, code }
}
