//! Reading what JSONata states have instead of paths: `Arguments`, `Output`, `Assign`, and a Map's items.

use super::Expressions;
use super::fields::Fields;
use crate::journal::StateType;
use crate::jsonata::Available;

/// The fields that only JSONPath has, whatever the state's type.
const PATHS: [&str; 16] = [
    "InputPath",
    "OutputPath",
    "ResultPath",
    "Parameters",
    "ResultSelector",
    "Result",
    "ItemsPath",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "ErrorPath",
    "CausePath",
    "MaxConcurrencyPath",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentagePath",
];

pub(super) fn read(fields: &mut Fields<'_, '_>, kind: StateType) -> Expressions {
    fields.jsonpath_only(&PATHS);
    let before = Available::default();
    let after = Available {
        result: matches!(kind, StateType::Task | StateType::Parallel | StateType::Map),
        error_output: false,
    };
    let mut transformation = Expressions::default();
    match kind {
        StateType::Task | StateType::Parallel => {
            transformation.arguments = fields.jsonata("Arguments", before);
        }
        StateType::Map => {
            transformation.items = fields.jsonata("Items", before);
            transformation.arguments = fields.jsonata("ItemSelector", before);
        }
        _ => {}
    }
    if kind != StateType::Fail {
        transformation.output = fields.jsonata("Output", after);
    }
    if !matches!(kind, StateType::Succeed | StateType::Fail) {
        transformation.assign = fields.jsonata_assign(after);
    }
    transformation
}

/// What a rule of a Choice has.
pub(super) fn rule(fields: &mut Fields<'_, '_>) -> Expressions {
    outcome(fields, Available::default())
}

/// What a catcher has.
pub(super) fn catcher(fields: &mut Fields<'_, '_>) -> Expressions {
    fields.jsonpath_only(&["ResultPath"]);
    let available = Available {
        result: false,
        error_output: true,
    };
    outcome(fields, available)
}

fn outcome(fields: &mut Fields<'_, '_>, available: Available) -> Expressions {
    Expressions {
        output: fields.jsonata("Output", available),
        assign: fields.jsonata_assign(available),
        ..Expressions::default()
    }
}
