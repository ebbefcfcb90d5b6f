//! The context object that a state is tried with: one that is given, checked, or one that is made.

use asl::trial::Trial;
use asl::{Identity, Resource, StateType};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{invalid, waits};
use crate::error::AwsError;
use crate::step_functions::engine::Engine;

/// What a field of the context object holds.
enum Field {
    Text,
    Number,
    Anything,
}

/// The parts of a context object that may be given, and their fields.
const PARTS: [(&str, &[(&str, Field)]); 4] = [
    (
        "Execution",
        &[
            ("Id", Field::Text),
            ("Input", Field::Anything),
            ("Name", Field::Text),
            ("RoleArn", Field::Text),
            ("StartTime", Field::Text),
            ("RedriveCount", Field::Number),
            ("RedriveTime", Field::Text),
        ],
    ),
    (
        "State",
        &[
            ("EnteredTime", Field::Text),
            ("Name", Field::Text),
            ("RetryCount", Field::Number),
        ],
    ),
    ("StateMachine", &[("Id", Field::Text), ("Name", Field::Text)]),
    ("Task", &[("Token", Field::Text)]),
];

/// Reads a context object that stands in for a state's own.
pub(super) fn read(text: &str, resource: Option<&Resource>) -> Result<Value, AwsError> {
    let wrong = |what: &str| Err(invalid(&format!("Invalid Context object provided: {what}")));
    let Ok(context) = serde_json::from_str::<Map<String, Value>>(text) else {
        return wrong("Context object must be a valid JSON object");
    };
    for (name, part) in &context {
        let Some((_, fields)) = PARTS.iter().find(|(known, _)| known == name) else {
            return wrong(&if name == "Map" {
                "'Map' field is not supported when mocking a Context object".to_owned()
            } else {
                format!("Field '{name}' is not allowed")
            });
        };
        if name == "Task" && !resource.is_some_and(waits) {
            return wrong(
                "Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' service integration pattern",
            );
        }
        let Some(part) = part.as_object() else {
            return wrong(&format!("{name} must be an object"));
        };
        for (field, value) in part {
            let Some((_, kind)) = fields.iter().find(|(known, _)| known == field) else {
                return wrong(&format!("Field '{field}' is not allowed"));
            };
            match kind {
                Field::Text if !value.is_string() => {
                    return wrong(&format!("{name}.{field} must be a string"));
                }
                Field::Number if !value.is_number() => {
                    return wrong(&format!("{name}.{field} must be a number"));
                }
                _ => {}
            }
        }
    }
    Ok(Value::Object(context))
}

/// The context object of a state that is tried without one.
pub(super) fn made(
    engine: &Engine,
    identity: &Identity,
    input: &Value,
    trial: &Trial,
    role: Option<&str>,
    now: Timestamp,
) -> Value {
    let now = format!("{now:.3}");
    let mut context = json!({
        "Execution": {
            "Id": identity.execution_arn,
            "Input": input,
            "StartTime": now,
            "Name": identity.execution_name,
            "RoleArn": role,
        },
        "StateMachine": {"Id": identity.state_machine_arn, "Name": identity.state_machine_name},
        "State": {"Name": "StateName", "EnteredTime": now},
    });
    if matches!(
        trial.state_type(),
        StateType::Task | StateType::Map | StateType::Parallel
    ) {
        context["State"]["RetryCount"] = 0.into();
    }
    if trial.resource().is_some_and(waits) {
        let token: [u8; 96] = engine.source.bytes();
        context["Task"] = json!({"Token": data_encoding::BASE64URL_NOPAD.encode(&token)});
    }
    context
}
