//! A list, written 25 items at a time. DynamoDB may leave some of a batch undone without an error; those are sent
//! again, after a pause that grows for as long as nothing moves.

use crate::stored::{Place, dynamodb_retries, prepare};
use crate::{StateDataClient, StateDataError};
use aws_sdk_dynamodb::config::AsyncSleep;
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// The most items of one BatchWriteItem. 25 of the largest are under its 16 MB.
const BATCH: usize = 25;
/// How often in a row nothing at all may get done.
const FRUITLESS: u32 = 8;
/// The first pause; each further one is up to twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// Puts `items` at the indexes from 0.
pub(crate) async fn put<T: Serialize>(
    client: &StateDataClient,
    table_name: &str,
    partition_key: &str,
    items: &[T],
) -> Result<(), StateDataError> {
    let expires_at = client.expires_at();
    let mut index = 0;
    for batch in items.chunks(BATCH) {
        let mut writes = Vec::with_capacity(batch.len());
        for data in batch {
            let place = Place::new(table_name, partition_key, index);
            writes.push(write_of(prepare(client, &place, data, expires_at).await?)?);
            index += 1;
        }
        write(client, table_name, writes).await?;
    }
    Ok(())
}

fn write_of(item: crate::stored::Attributes) -> Result<WriteRequest, StateDataError> {
    let put = PutRequest::builder().set_item(Some(item)).build();
    let put = put.map_err(|error| StateDataError::incomplete("BatchWriteItem", error))?;
    Ok(WriteRequest::builder().put_request(put).build())
}

async fn write(
    client: &StateDataClient,
    table_name: &str,
    mut writes: Vec<WriteRequest>,
) -> Result<(), StateDataError> {
    let mut fruitless = 0;
    while !writes.is_empty() {
        let before = writes.len();
        let call = client
            .dynamodb
            .batch_write_item()
            .set_request_items(Some(HashMap::from([(table_name.to_owned(), writes)])));
        let written = call.customize().config_override(dynamodb_retries()).send().await;
        let written = written.map_err(|error| StateDataError::aws("BatchWriteItem", &error))?;
        let undone = written.unprocessed_items.unwrap_or_default();
        writes = undone.into_values().flatten().collect();
        fruitless = if writes.len() < before { 0 } else { fruitless + 1 };
        if fruitless == FRUITLESS {
            return Err(StateDataError::Unprocessed { left: writes.len() });
        }
        if !writes.is_empty() {
            pause(client, fruitless).await;
        }
    }
    Ok(())
}

async fn pause(client: &StateDataClient, fruitless: u32) {
    let longest = PAUSE * 2_u32.pow(fruitless);
    if let Some(sleep) = client.dynamodb.config().sleep_impl() {
        sleep.sleep(longest.mul_f64(0.5 + client.jitter() / 2.0)).await;
    }
}
