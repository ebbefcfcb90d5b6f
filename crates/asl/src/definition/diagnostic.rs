//! What is wrong with a definition, in AWS's words where they are known.

use std::fmt;

use crate::jsonata::Problem;

/// Everything that is wrong with a definition. Its text is what stands between the quotes of AWS's
/// `Invalid State Machine Definition: '…'`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidDefinition {
    /// At least one.
    pub diagnostics: Vec<Diagnostic>,
}

/// One thing that is wrong, as ValidateStateMachineDefinition lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `SCHEMA_VALIDATION_FAILED`, `MISSING_TRANSITION_TARGET`, `MISSING_END_STATE`, `DUPLICATE_STATE_NAME`,
    /// `INVALID_JSON_DESCRIPTION`, `INVALID_JSONATA_EXPRESSION`, `UNSUPPORTED_JSONATA_EXPRESSION`, or `NOT_SUPPORTED` for what AWS would take and this interpreter does not run.
    pub code: &'static str,
    /// Where: `/States/Name/Field`. Empty where AWS gives no location, which it then writes as `null`.
    pub location: String,
    /// What.
    pub message: String,
}

impl fmt::Display for InvalidDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.diagnostics.iter().enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            let location = if diagnostic.location.is_empty() {
                "null"
            } else {
                &diagnostic.location
            };
            write!(
                f,
                "{separator}{}: {} at {location}",
                diagnostic.code, diagnostic.message
            )?;
        }
        Ok(())
    }
}

/// Collects what is wrong while a definition is read.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Diagnostic>);

impl Findings {
    fn add(&mut self, code: &'static str, location: impl Into<String>, message: impl Into<String>) {
        self.0.push(Diagnostic {
            code,
            location: location.into(),
            message: message.into(),
        });
    }

    pub(super) fn schema(&mut self, location: impl Into<String>, message: impl Into<String>) {
        self.add("SCHEMA_VALIDATION_FAILED", location, message);
    }

    pub(super) fn target(&mut self, location: impl Into<String>, message: impl Into<String>) {
        self.add("MISSING_TRANSITION_TARGET", location, message);
    }

    pub(super) fn no_end(&mut self) {
        self.add("MISSING_END_STATE", "", "Workflow has no terminal state");
    }

    pub(super) fn duplicate(&mut self, location: impl Into<String>, message: impl Into<String>) {
        self.add("DUPLICATE_STATE_NAME", location, message);
    }

    pub(super) fn unsupported(&mut self, location: impl Into<String>, message: impl Into<String>) {
        self.add("NOT_SUPPORTED", location, message);
    }

    pub(super) fn jsonata(&mut self, location: impl Into<String>, problem: Problem) {
        let (code, message) = match problem {
            Problem::Unbalanced => (
                "INVALID_JSONATA_EXPRESSION",
                "A JSONata expression must start with '{%' and end with '%}'".to_owned(),
            ),
            Problem::Invalid(message) => ("INVALID_JSONATA_EXPRESSION", message),
            Problem::Unsupported(message) => ("UNSUPPORTED_JSONATA_EXPRESSION", message),
        };
        self.add(code, location, message);
    }

    pub(super) fn json(&mut self, location: impl Into<String>, message: impl Into<String>) {
        self.add("INVALID_JSON_DESCRIPTION", location, message);
    }

    /// `value`, if nothing is wrong.
    pub(super) fn verdict<T>(self, value: Option<T>) -> Result<T, InvalidDefinition> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(InvalidDefinition { diagnostics: self.0 }),
        }
    }
}
