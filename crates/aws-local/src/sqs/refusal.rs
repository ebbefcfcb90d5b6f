//! SQS's refusals. Its JSON protocol names each by its shape, and by the code of the older protocol in a
//! header, which SDKs prefer.

use http::HeaderName;

use crate::error::AwsError;

/// `code` is the older protocol's.
fn refusal(shape: &str, code: &str, message: impl Into<String>) -> AwsError {
    AwsError::new(&format!("com.amazonaws.sqs#{shape}"), message).with_header(
        HeaderName::from_static("x-amzn-query-error"),
        &format!("{code};Sender"),
    )
}

/// One whose older code has SQS's prefix.
fn prefixed(shape: &str, message: impl Into<String>) -> AwsError {
    refusal(shape, &format!("AWS.SimpleQueueService.{shape}"), message)
}

/// The code by which an entry of a batch is refused: the older protocol's.
pub(super) fn entry_code(error: &AwsError) -> &str {
    let header = error.header("x-amzn-query-error").unwrap_or_else(|| error.code());
    header.split(';').next().unwrap_or_default()
}

pub(super) fn no_such_queue() -> AwsError {
    refusal(
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist.",
    )
}

pub(super) fn queue_exists(attribute: &str) -> AwsError {
    refusal(
        "QueueNameExists",
        "QueueAlreadyExists",
        format!("A queue already exists with the same name and a different value for attribute {attribute}"),
    )
}

pub(super) fn missing(parameter: &str) -> AwsError {
    refusal(
        "MissingRequiredParameterException",
        "MissingParameter",
        format!("The request must contain the parameter {parameter}."),
    )
}

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    refusal("InvalidParameterValueException", "InvalidParameterValue", message)
}

/// `reason` ends with its full stop.
pub(super) fn invalid_value(parameter: &str, value: impl std::fmt::Display, reason: &str) -> AwsError {
    invalid(format!(
        "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    ))
}

pub(super) fn unknown_attribute(name: &str) -> AwsError {
    refusal(
        "InvalidAttributeName",
        "InvalidAttributeName",
        format!("Unknown Attribute {name}."),
    )
}

pub(super) fn invalid_attribute(name: &str) -> AwsError {
    refusal(
        "InvalidAttributeValue",
        "InvalidAttributeValue",
        format!("Invalid value for the parameter {name}."),
    )
}

pub(super) fn invalid_contents(message: &str) -> AwsError {
    refusal("InvalidMessageContents", "InvalidMessageContents", message)
}

pub(super) fn invalid_receipt(handle: &str) -> AwsError {
    refusal(
        "ReceiptHandleIsInvalid",
        "ReceiptHandleIsInvalid",
        format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
    )
}

pub(super) fn not_in_flight() -> AwsError {
    prefixed("MessageNotInflight", "The specified message isn't in flight.")
}

pub(super) fn purged_recently(queue: &str) -> AwsError {
    prefixed(
        "PurgeQueueInProgress",
        format!("Only one PurgeQueue operation on {queue} is allowed every 60 seconds."),
    )
}

pub(super) fn empty_batch(entry: &str) -> AwsError {
    prefixed(
        "EmptyBatchRequest",
        format!("There should be at least one {entry} in the request."),
    )
}

pub(super) fn too_many_entries(count: usize) -> AwsError {
    prefixed(
        "TooManyEntriesInBatchRequest",
        format!("Maximum number of entries per request are 10. You have sent {count}."),
    )
}

pub(super) fn repeated_id(id: &str) -> AwsError {
    prefixed("BatchEntryIdsNotDistinct", format!("Id {id} repeated."))
}

pub(super) fn invalid_id() -> AwsError {
    prefixed(
        "InvalidBatchEntryId",
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
    )
}

pub(super) fn batch_too_long(limit: usize, sent: usize) -> AwsError {
    prefixed(
        "BatchRequestTooLong",
        format!("Batch requests cannot be longer than {limit} bytes. You have sent {sent} bytes."),
    )
}
