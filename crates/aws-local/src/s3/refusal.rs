//! S3's refusals, in its words.

use http::StatusCode;

use crate::error::AwsError;

fn not_found(code: &str, message: &str) -> AwsError {
    AwsError::with_status(StatusCode::NOT_FOUND, code, message)
}

pub(super) fn no_such_bucket(bucket: &str) -> AwsError {
    not_found("NoSuchBucket", "The specified bucket does not exist").with("BucketName", bucket)
}

pub(super) fn no_such_key(key: &str) -> AwsError {
    not_found("NoSuchKey", "The specified key does not exist.").with("Key", key)
}

pub(super) fn no_such_version(key: &str, version: &str) -> AwsError {
    not_found("NoSuchVersion", "The specified version does not exist.")
        .with("Key", key)
        .with("VersionId", version)
}

pub(super) fn no_such_upload(upload: &str) -> AwsError {
    not_found(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
    .with("UploadId", upload)
}

/// `condition` is the header whose condition doesn't hold.
pub(super) fn precondition_failed(condition: &str) -> AwsError {
    AwsError::with_status(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
    .with("Condition", condition)
}

pub(super) fn not_modified() -> AwsError {
    AwsError::with_status(StatusCode::NOT_MODIFIED, "304", "Not Modified")
}

pub(super) fn malformed() -> AwsError {
    AwsError::new(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

pub(super) fn invalid_argument(message: &str, name: &str, value: &str) -> AwsError {
    AwsError::new("InvalidArgument", message)
        .with("ArgumentName", name)
        .with("ArgumentValue", value)
}

pub(super) fn conflict(code: &str, message: &str, bucket: &str) -> AwsError {
    AwsError::with_status(StatusCode::CONFLICT, code, message).with("BucketName", bucket)
}
