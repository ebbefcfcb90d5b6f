//! `sqs:sendMessage`.

use serde_json::{Map, Value};

use super::failure::{Failed, Naming};
use super::{as_text, json, metadata};
use crate::step_functions::engine::Engine;

const NAMING: Naming = Naming {
    prefix: "SQS",
    service: "AmazonSQS",
    other: "AmazonSQSException",
};

pub(super) async fn send(engine: &Engine, mut parameters: Map<String, Value>) -> Result<Value, Failed> {
    let request_id = engine.source.uuid();
    as_text(&mut parameters, "MessageBody");
    // The guide's name for it, beside the API's.
    if let Some(attributes) = parameters.remove("MessageAttribute") {
        parameters.insert("MessageAttributes".to_owned(), attributes);
    }
    let body = Value::Object(parameters).to_string();
    let answer = engine
        .services
        .sqs
        .call("SendMessage", None, body.as_bytes())
        .await
        .and_then(json);
    let mut answer = answer.map_err(|error| NAMING.optimised(&error, &request_id))?;
    let length = answer.to_string().len();
    let headers = metadata::plain_headers(length, engine.source.now(), &request_id);
    metadata::add(&mut answer, &headers, &request_id);
    Ok(answer)
}
