//! Logging, tracing and encryption of machines and activities: checked and shown as AWS does. Nothing here is logged,
//! traced or encrypted by them.

use serde_json::{Map, Value, json};

use super::request::Request;
use crate::error::AwsError;

/// The settings of a machine that a request may give.
const NAMES: [&str; 3] = [
    "loggingConfiguration",
    "tracingConfiguration",
    "encryptionConfiguration",
];

/// Whether the request gives any.
pub(super) fn given(request: &Request) -> bool {
    NAMES.iter().any(|name| request.has(name))
}

/// The settings asked for, and for what isn't asked those of before.
pub(super) fn read(request: &Request, before: Option<&Value>) -> Result<Value, AwsError> {
    let mut settings = before.cloned().unwrap_or_else(|| json!({}));
    if let Some(logging) = request.get("loggingConfiguration") {
        check_logging(logging)?;
    }
    if let Some(tracing) = request.get("tracingConfiguration")
        && !tracing["enabled"].is_boolean()
        && !tracing["enabled"].is_null()
    {
        return Err(AwsError::new(
            "InvalidTracingConfiguration",
            "Invalid Tracing Configuration: 'enabled' must be true or false.",
        ));
    }
    encryption(request.get("encryptionConfiguration"))?;
    for name in NAMES {
        if let Some(value) = request.get(name) {
            settings[name] = value.clone();
        }
    }
    Ok(settings)
}

/// One destination, but for a level of OFF, which needs none.
fn check_logging(logging: &Value) -> Result<(), AwsError> {
    let destinations = logging["destinations"].as_array().map_or(0, Vec::len);
    let off = matches!(logging["level"].as_str(), None | Some("OFF"));
    if destinations == 1 || (off && destinations == 0) {
        return Ok(());
    }
    Err(AwsError::new(
        "InvalidLoggingConfiguration",
        "Invalid Logging Configuration: Must specify exactly one Log Destination.",
    ))
}

/// Checks an `encryptionConfiguration`: a key where the customer manages it, none where AWS does.
pub(super) fn encryption(given: Option<&Value>) -> Result<Option<Value>, AwsError> {
    let Some(given) = given else {
        return Ok(None);
    };
    let has = |name: &str| !given[name].is_null();
    let customers = given["type"] == "CUSTOMER_MANAGED_KMS_KEY";
    let wrong = if customers && !has("kmsKeyId") {
        "kmsKeyId must be given for a key of type CUSTOMER_MANAGED_KMS_KEY"
    } else if !customers && (has("kmsKeyId") || has("kmsDataKeyReusePeriodSeconds")) {
        "kmsKeyId and kmsDataKeyReusePeriodSeconds can't be given for a key of type AWS_OWNED_KEY"
    } else {
        return Ok(Some(given.clone()));
    };
    Err(AwsError::new(
        "InvalidEncryptionConfiguration",
        format!("Invalid Encryption Configuration: {wrong}"),
    ))
}

/// An `encryptionConfiguration` as a description shows it.
pub(super) fn shown_encryption(given: Option<&Value>) -> Value {
    match given {
        Some(given) if given["type"] == "CUSTOMER_MANAGED_KMS_KEY" => json!({
            "kmsKeyId": given["kmsKeyId"],
            "kmsDataKeyReusePeriodSeconds": given["kmsDataKeyReusePeriodSeconds"].as_u64().unwrap_or(300),
            "type": given["type"],
        }),
        _ => json!({"type": "AWS_OWNED_KEY"}),
    }
}

/// Adds a machine's settings to its description.
pub(super) fn show(settings: &Value, description: &mut Map<String, Value>) {
    let mut logging = json!({"level": "OFF", "includeExecutionData": false});
    for (name, value) in settings["loggingConfiguration"].as_object().into_iter().flatten() {
        logging[name] = value.clone();
    }
    let tracing = json!({"enabled": settings["tracingConfiguration"]["enabled"].as_bool().unwrap_or(false)});
    let encryption = shown_encryption(settings.get("encryptionConfiguration"));
    for (name, value) in NAMES.into_iter().zip([logging, tracing, encryption]) {
        description.insert(name.to_owned(), value);
    }
}
