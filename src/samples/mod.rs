//! The functions of the workflows in `infra/workflows/` that are part of the program, so that those run with nothing to
//! install. `cli` puts them into the embedded AWS; on AWS each is a Lambda function of its own.

mod lambda_loop;
mod sign_document;

use aws_local::{Function, FunctionError, function};
use serde_json::Value;

/// The names that [`builtin`] knows.
pub const NAMES: [&str; 2] = ["sign-document", "lambda-loop"];

/// The function that a configuration calls `builtin = "name"`.
pub fn builtin(name: &str) -> Option<Function> {
    match name {
        "sign-document" => Some(function(|invocation| sign_document::sign(invocation.payload))),
        "lambda-loop" => Some(function(|invocation| async move {
            lambda_loop::next(&invocation.payload)
        })),
        _ => None,
    }
}

/// A field that may be text or a number, as text.
fn text_of(event: &Value, name: &str) -> Option<String> {
    match &event[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Names what an event lacks.
fn missing(names: &str) -> FunctionError {
    FunctionError::new("MissingField", format!("the event needs {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_function_and_no_other() {
        assert!(NAMES.into_iter().all(|name| builtin(name).is_some()));
        assert!(builtin("sign_document").is_none() && builtin("").is_none());
    }
}
