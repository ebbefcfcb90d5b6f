//! Workflow variables: what one state assigns, later states read.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use unicode_ident::{is_xid_continue, is_xid_start};

use crate::journal::Failure;
use crate::limits;

/// AWS's limit to the characters of a name.
const LONGEST_NAME: usize = 80;
/// AWS's limit in bytes of JSON text to one variable, and to all that one state assigns.
const MOST_ASSIGNED: usize = limits::MOST_BYTES;
/// AWS's limit in bytes of JSON text to all variables of an execution.
const MOST_STORED: usize = 10 * 1024 * 1024;

/// The variables that a line of execution can see: those of its own scope, and those of the scopes around it, which
/// it cannot change. Cloning is cheap; a state keeps the ones it found when it was entered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Variables {
    own: Arc<BTreeMap<String, Variable>>,
    outer: Option<Arc<Variables>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Variable {
    value: Arc<Value>,
    /// Of its JSON text.
    bytes: usize,
}

impl Variables {
    /// The scope of a Parallel's branch or of an iteration: empty, with these around it.
    pub(crate) fn inside(outer: &Self) -> Self {
        Self {
            own: Arc::default(),
            outer: Some(Arc::new(outer.clone())),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        match self.own.get(name) {
            Some(variable) => Some(&variable.value),
            None => self.outer.as_ref()?.get(name),
        }
    }

    /// Takes in what a state assigned.
    pub(crate) fn assign(&mut self, assigned: &Map<String, Value>) {
        if assigned.is_empty() {
            return;
        }
        let own = Arc::make_mut(&mut self.own);
        for (name, value) in assigned {
            let (value, bytes) = (Arc::new(value.clone()), limits::bytes(value));
            own.insert(name.clone(), Variable { value, bytes });
        }
    }

    /// The bytes of JSON text in this scope alone.
    pub(crate) fn stored(&self) -> usize {
        self.own.values().map(|variable| variable.bytes).sum()
    }

    /// `assigned`, if it may be; `stored` is what all scopes of the execution hold before.
    pub(crate) fn check(
        &self,
        assigned: Map<String, Value>,
        stored: usize,
        state: &str,
    ) -> Result<Map<String, Value>, Failure> {
        let mut new = 0;
        let mut replaced = 0;
        for (name, value) in &assigned {
            limits::shallow(value, state)?;
            new += limits::bytes(value);
            replaced += self.own.get(name).map_or(0, |variable| variable.bytes);
        }
        if new > MOST_ASSIGNED || stored + new - replaced > MOST_STORED {
            let cause = format!(
                "The variables assigned by the state '{state}' have a size exceeding the maximum number of bytes service limit."
            );
            return Err(Failure {
                error: Some("States.DataLimitExceeded".into()),
                cause: Some(cause),
                also: None,
            });
        }
        Ok(assigned)
    }
}

/// Why text cannot be the name of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidName {
    /// It is no identifier of Unicode's (UAX 31), which rules out a part of a variable (`x.y`) too.
    Syntax,
    TooLong,
    /// `states` is AWS's own.
    Reserved,
}

/// Whether a variable may be assigned under this name.
pub(crate) fn check_name(name: &str) -> Result<(), InvalidName> {
    if split_name(name).is_none_or(|(_, rest)| !rest.is_empty()) {
        return Err(InvalidName::Syntax);
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(InvalidName::TooLong);
    }
    if name == "states" {
        return Err(InvalidName::Reserved);
    }
    Ok(())
}

/// The name that `text` begins with, and what follows it.
pub(crate) fn split_name(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with(is_xid_start) {
        return None;
    }
    let end = text.find(|c| !is_xid_continue(c)).unwrap_or(text.len());
    Some(text.split_at(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("no object: {other}"),
        }
    }

    #[test]
    fn names_are_identifiers() {
        for good in ["x", "größe", "名", "x1_2", &"x".repeat(80)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "1x", "x.y", "x[2]", "x y", "$x", "_x", "x-y"] {
            assert_eq!(check_name(bad), Err(InvalidName::Syntax), "{bad}");
        }
        assert_eq!(check_name(&"ä".repeat(81)), Err(InvalidName::TooLong));
        assert_eq!(check_name("states"), Err(InvalidName::Reserved));
    }

    #[test]
    fn an_inner_scope_reads_the_outer_one_and_keeps_its_own() {
        let mut outer = Variables::default();
        outer.assign(&object(json!({"x": 1})));
        let mut inner = Variables::inside(&outer);
        inner.assign(&object(json!({"y": 2})));
        assert_eq!(inner.get("x"), Some(&json!(1)));
        assert_eq!(inner.get("y"), Some(&json!(2)));
        assert_eq!(outer.get("y"), None);
        assert_eq!(inner.stored(), 1);
    }

    #[test]
    fn sizes_have_limits() {
        let variables = Variables::default();
        let text = |bytes: usize| Value::from("x".repeat(bytes - 2));
        let whole = object(json!({"a": text(MOST_ASSIGNED)}));
        assert!(variables.check(whole.clone(), 0, "S").is_ok());
        let two = object(json!({"a": text(MOST_ASSIGNED / 2), "b": text(MOST_ASSIGNED / 2 + 1)}));
        let failure = variables.check(two, 0, "S").unwrap_err();
        assert_eq!(failure.error.as_deref(), Some("States.DataLimitExceeded"));
        let room = MOST_STORED - MOST_ASSIGNED;
        assert!(variables.check(whole.clone(), room, "S").is_ok());
        assert!(variables.check(whole.clone(), room + 1, "S").is_err());
        let mut variables = variables;
        variables.assign(&whole);
        assert!(
            variables.check(whole, MOST_STORED, "S").is_ok(),
            "it replaces what was there"
        );
    }
}
