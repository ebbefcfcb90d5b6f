//! How a service's refusal looks to a workflow. Optimised integrations name errors as AWS's first Java SDK did
//! (`DynamoDB.ConditionalCheckFailedException`, `SQS.AmazonSQSException` for what the service's model doesn't
//! have), the SDK integrations as its second (`DynamoDb.…`, `DynamoDb.DynamoDbException`).

use crate::error::AwsError;

/// A task's failure: error and cause, as a workflow catches them.
pub(in crate::step_functions) struct Failed {
    pub(in crate::step_functions) error: String,
    pub(in crate::step_functions) cause: String,
}

impl Failed {
    /// A failure of the engine's own.
    pub(super) fn runtime(cause: impl Into<String>) -> Failed {
        Failed {
            error: "States.Runtime".to_owned(),
            cause: cause.into(),
        }
    }

    pub(super) fn not_embedded(service: &str, action: &str) -> Failed {
        Failed::runtime(format!("{service}:{action} isn't part of the embedded AWS"))
    }
}

/// The names that a service has in errors.
pub(super) struct Naming {
    /// Before the point: `DynamoDB`.
    pub(super) prefix: &'static str,
    /// In the cause: `AmazonDynamoDBv2`.
    pub(super) service: &'static str,
    /// The error for what the model doesn't have: `AmazonDynamoDBException`.
    pub(super) other: &'static str,
}

/// Errors that no service's model has: what every AWS service answers to a malformed request.
const UNMODELLED: [&str; 8] = [
    "ValidationException",
    "SerializationException",
    "InvalidParameterValueException",
    "MissingRequiredParameterException",
    "AccessDeniedException",
    "InternalServerError",
    "InternalFailure",
    "ServiceUnavailable",
];

impl Naming {
    /// As an optimised integration fails.
    pub(super) fn optimised(&self, error: &AwsError, request_id: &str) -> Failed {
        if let Some(failed) = unsupported(error) {
            return failed;
        }
        // Where a service has a code from an older protocol, that is the one told.
        let code = error
            .header("x-amzn-query-error")
            .and_then(|header| header.split(';').next())
            .unwrap_or_else(|| shape(error));
        Failed {
            error: self.name(error),
            cause: format!(
                "{} (Service: {}; Status Code: {}; Error Code: {code}; Request ID: {request_id}; Proxy: null)",
                message(error),
                self.service,
                error.status(),
            ),
        }
    }

    /// As an SDK integration fails.
    pub(super) fn sdk(&self, error: &AwsError, request_id: &str) -> Failed {
        if let Some(failed) = unsupported(error) {
            return failed;
        }
        let extended = if self.prefix == "S3" {
            ", Extended Request ID: embedded"
        } else {
            ""
        };
        Failed {
            error: self.name(error),
            cause: format!(
                "{} (Service: {}, Status Code: {}, Request ID: {request_id}{extended})",
                message(error),
                self.service,
                error.status(),
            ),
        }
    }

    fn name(&self, error: &AwsError) -> String {
        let shape = shape(error);
        // Step Functions' own model has these.
        let modelled = self.prefix.eq_ignore_ascii_case("sfn") || self.prefix == "StepFunctions";
        let name = if UNMODELLED.contains(&shape) && !(modelled && shape == "ValidationException") {
            self.other.to_owned()
        } else if shape.ends_with("Exception") {
            shape.to_owned()
        } else {
            format!("{shape}Exception")
        };
        format!("{}.{name}", self.prefix)
    }
}

/// The error's name without the namespace of its shape.
fn shape(error: &AwsError) -> &str {
    error.code().rsplit('#').next().unwrap_or_default()
}

/// An error's text, also where the service has written the whole body.
fn message(error: &AwsError) -> String {
    let text = error.message();
    if !text.is_empty() {
        return text.to_owned();
    }
    let written = error.body().and_then(|body| serde_json::from_str(body).ok());
    let written: serde_json::Value = written.unwrap_or_default();
    ["message", "Message"]
        .iter()
        .find_map(|name| written[*name].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// What AWS has and the embedded AWS doesn't is no error of the service's.
fn unsupported(error: &AwsError) -> Option<Failed> {
    (error.code() == "UnsupportedOperation" && error.status() == 501)
        .then(|| Failed::runtime(error.message()))
}
