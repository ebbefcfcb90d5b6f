//! An execution's input: JSON, or refused in the words of AWS's parser where they are known.

use crate::error::AwsError;

/// Refuses what is no JSON, for the most common mistakes in the words of AWS's parser.
pub(super) fn check(input: &str) -> Result<(), AwsError> {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(input) else {
        return Ok(());
    };
    let rest = input.trim_start();
    let token: String = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '$')
        .collect();
    let reason = if rest.is_empty() {
        "Invalid execution input.".to_owned()
    } else if !token.is_empty() && !token.starts_with(|c: char| c.is_ascii_digit()) {
        format!(
            "Unrecognized token '{token}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        )
    } else if let Some(odd) = rest
        .strip_prefix('{')
        .and_then(|rest| rest.trim_start().chars().next())
        && odd != '"'
        && odd != '}'
    {
        format!(
            "Unexpected character ('{odd}' (code {})): was expecting double-quote to start field name",
            u32::from(odd)
        )
    } else {
        error.to_string()
    };
    Err(invalid(&reason))
}

pub(super) fn invalid(reason: &dyn std::fmt::Display) -> AwsError {
    AwsError::new(
        "InvalidExecutionInput",
        format!("Invalid State Machine Execution Input: '{reason}'"),
    )
}
