//! Why an item isn't there, or wasn't put there.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, DisplayErrorContext, ProvideErrorMetadata, SdkError};
use std::error::Error;

/// AWS's names for "not now, later".
const THROTTLED: [&str; 6] = [
    "ThrottlingException",
    "Throttling",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "TooManyRequestsException",
];

/// AWS's names for credentials that it doesn't take at the moment: new ones, or a clock set right, mend every call.
const NOT_SIGNED_WELL: [&str; 8] = [
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "RequestExpired",
];

/// What a [`crate::StateDataClient`] answers when it can't do what it should. No message holds data.
#[derive(Debug, thiserror::Error)]
pub enum StateDataError {
    /// Nothing is stored there, or it has expired.
    #[error("no item at index {index} of {partition_key} in table {table_name}")]
    NoItemFound {
        /// The table.
        table_name: String,
        /// The partition key.
        partition_key: String,
        /// The index.
        index: u64,
    },
    /// The data is too long for the table, or stands in S3, and no bucket was named.
    #[error("item {index} of {partition_key} needs an S3 bucket; name one with StateDataClient::bucket")]
    NoBucket {
        /// The partition key.
        partition_key: String,
        /// The index.
        index: u64,
    },
    /// There is more than [`crate::StateDataClient::read_at_most`] allows.
    #[error("the data under {partition_key} is longer than the {most} bytes that are read at once")]
    TooMuch {
        /// The partition key.
        partition_key: String,
        /// How many bytes are read at most.
        most: usize,
    },
    /// A key is longer than AWS takes.
    #[error("{what} may have {most} bytes, not {bytes}")]
    KeyTooLong {
        /// Which: the partition key, or the S3 key made from it.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// What is to be stored has no form in JSON.
    #[error("the data can't be written as JSON: {0}")]
    NotWritable(#[source] serde_json::Error),
    /// What is stored isn't what was asked for: no JSON (Python also writes `NaN` and `Infinity`), another type,
    /// or an item that something else wrote.
    #[error("item {index} of {partition_key} can't be read: {why}")]
    NotReadable {
        /// The partition key.
        partition_key: String,
        /// The index.
        index: u64,
        /// Why.
        why: String,
    },
    /// An iteration's event lacks a field, or has another kind of value in it.
    #[error("the event's {field} {problem}")]
    Event {
        /// The field.
        field: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// DynamoDB went on leaving items of a batch undone. Those that it did are stored: put the whole list again.
    #[error("DynamoDB left {left} items of a batch undone, again and again")]
    Unprocessed {
        /// How many.
        left: usize,
    },
    /// AWS refused, or there was no answer, after the tries that are worth making.
    #[error("{operation} failed: {code}")]
    Aws {
        /// The operation, such as `GetItem`.
        operation: &'static str,
        /// AWS's error code, or what went wrong on the way: `HTTP 502`, `no answer`.
        code: String,
        /// Whether AWS refused for a reason that stays (HTTP 4xx, but for throttling and expired credentials).
        refused: bool,
        /// All that is known, for a log.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
}

impl StateDataError {
    /// Whether the same call may succeed later: AWS was throttling, out of order or silent, or the credentials had
    /// expired.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Aws { refused: false, .. } | Self::Unprocessed { .. })
    }

    /// A request that the SDK didn't find complete.
    pub(crate) fn incomplete(operation: &'static str, error: BuildError) -> Self {
        Self::Aws {
            operation,
            code: "the request is incomplete".to_owned(),
            refused: true,
            cause: error.into(),
        }
    }

    pub(crate) fn aws<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (code, refused) = classified(error);
        Self::Aws {
            operation,
            code,
            refused,
            cause: DisplayErrorContext(error).to_string().into(),
        }
    }
}

/// AWS's code for an error, and whether it stays however often the call is made.
pub(crate) fn classified<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> (String, bool) {
    let code = match (error.code(), error.raw_response()) {
        (Some(code), _) => code.to_owned(),
        (None, Some(answer)) => format!("HTTP {}", answer.status().as_u16()),
        (None, None) => "no answer".to_owned(),
    };
    let refused = match error.raw_response() {
        Some(answer) => {
            let passes = THROTTLED.iter().chain(&NOT_SIGNED_WELL).any(|name| *name == code);
            answer.status().is_client_error() && !passes
        }
        // Not even sent: it would be built the same way again.
        None => matches!(error, SdkError::ConstructionFailure(_)),
    };
    (code, refused)
}
