//! `events:putEvents`.

use serde_json::{Map, Value, json};

use super::failure::{Failed, Naming};
use super::{Integration, as_text, metadata};
use crate::step_functions::engine::Engine;

pub(super) const NAMING: Naming = Naming {
    prefix: "EventBridge",
    service: "AmazonCloudWatchEvents",
    other: "AmazonCloudWatchEventsException",
};

pub(super) async fn put(
    engine: &Engine,
    what: &Integration<'_>,
    mut parameters: Map<String, Value>,
) -> Result<Value, Failed> {
    let request_id = engine.source.uuid();
    for entry in parameters
        .get_mut("Entries")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let Some(entry) = entry.as_object_mut() else {
            continue;
        };
        as_text(entry, "Detail");
        // As the guide says: who sent it can be read off the event.
        let resources = entry.entry("Resources").or_insert_with(|| json!([]));
        if let Some(resources) = resources.as_array_mut()
            && let Some((_, identity)) = what.execution
        {
            resources.push(identity.execution_arn.clone().into());
            resources.push(identity.state_machine_arn.clone().into());
        }
    }
    let answer = engine.services.events.put(&Value::Object(parameters)).await;
    let mut answer = answer.map_err(|error| NAMING.optimised(&error, &request_id))?;
    if answer["FailedEntryCount"].as_u64() != Some(0) {
        return Err(Failed {
            error: "EventBridge.FailedEntry".to_owned(),
            cause: answer.to_string(),
        });
    }
    let headers = [
        ("x-amzn-RequestId", request_id.clone()),
        ("Content-Length", answer.to_string().len().to_string()),
        ("Date", metadata::date(engine.source.now())),
        ("Content-Type", "application/x-amz-json-1.1".to_owned()),
    ];
    metadata::add(&mut answer, &headers, &request_id);
    Ok(answer)
}
