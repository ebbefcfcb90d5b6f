//! `dynamodb:getItem`, `putItem`, `updateItem`, `deleteItem`.

use crc::{CRC_32_ISO_HDLC, Crc};
use serde_json::{Map, Value};

use super::failure::{Failed, Naming};
use super::{json, metadata};
use crate::step_functions::engine::Engine;

const NAMING: Naming = Naming {
    prefix: "DynamoDB",
    service: "AmazonDynamoDBv2",
    other: "AmazonDynamoDBException",
};

static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

pub(super) async fn call(
    engine: &Engine,
    action: &str,
    parameters: Map<String, Value>,
) -> Result<Value, Failed> {
    let request_id = engine.source.uuid();
    let operation = super::sdk::pascal(action);
    let body = Value::Object(parameters).to_string();
    let answer = engine.services.dynamodb.call(operation, body.into()).await;
    let answer = answer.and_then(json);
    let mut answer = answer.map_err(|error| NAMING.optimised(&error, &request_id))?;
    let text = answer.to_string();
    let headers = [
        ("Server", "Server".to_owned()),
        ("Connection", "keep-alive".to_owned()),
        ("x-amzn-RequestId", request_id.clone()),
        ("x-amz-crc32", CRC32.checksum(text.as_bytes()).to_string()),
        ("Content-Length", text.len().to_string()),
        ("Date", metadata::date(engine.source.now())),
        ("Content-Type", "application/x-amz-json-1.0".to_owned()),
    ];
    metadata::add(&mut answer, &headers, &request_id);
    Ok(answer)
}
