//! The context object, `$$`.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html>

use std::cell::OnceCell;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::interface::Identity;
use crate::variables::Variables;

/// The context object for a state that is running. It is put together when something asks for it: most states do not,
/// and it holds a copy of the execution's whole input. The item of a Map is apart, so that one that asks for nothing
/// else does not copy the input for each.
pub(crate) struct Context<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) started: Timestamp,
    pub(crate) redrives: u32,
    pub(crate) redriven: Option<Timestamp>,
    /// What stands in for all of it, in a trial.
    pub(crate) given: Option<&'a Value>,
    pub(crate) input: &'a Value,
    pub(crate) state: &'a str,
    pub(crate) entered: Timestamp,
    /// For states that can be retried.
    pub(crate) retries: Option<u32>,
    /// For what a Map state makes of its items.
    pub(crate) item: Option<Item<'a>>,
    /// For tasks that wait for one.
    pub(crate) token: Option<&'a str>,
    /// As they were when the state was entered.
    pub(crate) variables: &'a Variables,
    pub(crate) built: OnceCell<Value>,
    pub(crate) built_item: OnceCell<Value>,
}

/// `$$.Map.Item`.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) index: u64,
    /// Where the items are the fields of an object.
    pub(crate) key: Option<&'a str>,
    pub(crate) value: &'a Value,
    /// Of a distributed Map: where it comes from.
    pub(crate) source: Option<&'a str>,
}

impl Item<'_> {
    fn value(&self) -> Value {
        let mut item = json!({ "Index": self.index });
        if let Some(key) = self.key {
            item["Key"] = key.into();
        }
        item["Value"] = self.value.clone();
        if let Some(source) = self.source {
            item["Source"] = source.into();
        }
        item
    }
}

impl Context<'_> {
    /// The context object, or as much of it as a path can reach that begins with this name.
    pub(crate) fn value(&self, first: Option<&str>) -> &Value {
        match self.item {
            Some(item) if first == Some("Map") => self
                .built_item
                .get_or_init(|| json!({ "Map": { "Item": item.value() } })),
            _ if self.given.is_some() => self.given.unwrap_or(&Value::Null),
            _ => self.built.get_or_init(|| self.build()),
        }
    }

    fn build(&self) -> Value {
        let mut context = json!({
            "Execution": {
                "Id": self.identity.execution_arn,
                "Input": self.input,
                "StartTime": moment(self.started),
                "Name": self.identity.execution_name,
                "RoleArn": self.identity.role_arn,
                "RedriveCount": self.redrives,
            },
            "StateMachine": { "Id": self.identity.state_machine_arn, "Name": self.identity.state_machine_name },
            "State": { "Name": self.state, "EnteredTime": moment(self.entered) },
        });
        if let Some(redriven) = self.redriven {
            context["Execution"]["RedriveTime"] = moment(redriven).into();
        }
        if let Some(retries) = self.retries {
            context["State"]["RetryCount"] = retries.into();
        }
        if let Some(item) = self.item {
            context["Map"] = json!({ "Item": item.value() });
        }
        if let Some(token) = self.token {
            context["Task"] = json!({ "Token": token });
        }
        context
    }
}

/// `2026-11-21T09:00:00.000Z`.
fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds() {
        assert_eq!(
            moment(Timestamp::from_millisecond(1_000).unwrap()),
            "1970-01-01T00:00:01.000Z"
        );
    }
}
