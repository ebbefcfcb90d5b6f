//! How one item is stored: in the table by `partition_key` (text) and `sort_key` (a number), with `expires_at` and
//! either `data`, the JSON itself, or `s3_key`, where the JSON is an object in S3. This layout is that of the Python
//! package; whatever is written here, it reads, and the other way round.

use crate::client::Bucket;
use crate::json::to_text;
use crate::{StateDataClient, StateDataError};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// Data whose JSON is longer than this, in bytes, goes to S3. DynamoDB's limit is 400 KB (409,600 bytes) for an item
/// with its keys and all.
pub const MOST_IN_THE_TABLE: usize = 390_000;

/// How often a call is made before its failure is told; only for faults that pass.
const TRIES: u32 = 5;
/// The longest partition key, in bytes (DynamoDB's limits).
const LONGEST_PARTITION_KEY: usize = 2_048;
/// The longest key of an object, in bytes (S3's user guide, "Naming Amazon S3 objects").
const LONGEST_S3_KEY: usize = 1_024;

pub(crate) const PARTITION_KEY: &str = "partition_key";
pub(crate) const SORT_KEY: &str = "sort_key";
pub(crate) const EXPIRES_AT: &str = "expires_at";
const DATA: &str = "data";
const S3_KEY: &str = "s3_key";

pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// Which item.
pub(crate) struct Place<'a> {
    table_name: &'a str,
    partition_key: &'a str,
    index: u64,
}

impl<'a> Place<'a> {
    pub(crate) fn new(table_name: &'a str, partition_key: &'a str, index: u64) -> Self {
        Self {
            table_name,
            partition_key,
            index,
        }
    }

    /// Where its data stands in the bucket.
    fn s3_key(&self) -> Result<String, StateDataError> {
        let key = format!(
            "workflow_state_data/{}/{}/{}",
            self.table_name, self.partition_key, self.index
        );
        within(
            "the S3 key made from table, partition key and index",
            &key,
            LONGEST_S3_KEY,
        )?;
        Ok(key)
    }

    fn not_readable(&self, why: impl ToString) -> StateDataError {
        StateDataError::NotReadable {
            partition_key: self.partition_key.to_owned(),
            index: self.index,
            why: why.to_string(),
        }
    }

    fn no_item(&self) -> StateDataError {
        StateDataError::NoItemFound {
            table_name: self.table_name.to_owned(),
            partition_key: self.partition_key.to_owned(),
            index: self.index,
        }
    }
}

pub(crate) fn check_key(partition_key: &str) -> Result<(), StateDataError> {
    within("the partition key", partition_key, LONGEST_PARTITION_KEY)
}

fn within(what: &'static str, key: &str, most: usize) -> Result<(), StateDataError> {
    let bytes = key.len();
    if bytes > most {
        return Err(StateDataError::KeyTooLong { what, bytes, most });
    }
    Ok(())
}

/// More tries than the SDK makes by itself: longer pauses each time, and only after throttling, a 5xx or no answer.
pub(crate) fn dynamodb_retries() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::Config::builder().retry_config(RetryConfig::standard().with_max_attempts(TRIES))
}

fn s3_retries() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder().retry_config(RetryConfig::standard().with_max_attempts(TRIES))
}

/// Puts `data` there.
pub(crate) async fn put<T: Serialize + ?Sized>(
    client: &StateDataClient,
    place: &Place<'_>,
    data: &T,
) -> Result<(), StateDataError> {
    check_key(place.partition_key)?;
    let item = prepare(client, place, data, client.expires_at()).await?;
    let call = client
        .dynamodb
        .put_item()
        .table_name(place.table_name)
        .set_item(Some(item));
    let put = call.customize().config_override(dynamodb_retries()).send().await;
    put.map(drop)
        .map_err(|error| StateDataError::aws("PutItem", &error))
}

/// The attributes of an item with `data`. What is too long for the table is in S3 when this returns, so that whoever
/// finds the item finds its data.
pub(crate) async fn prepare<T: Serialize + ?Sized>(
    client: &StateDataClient,
    place: &Place<'_>,
    data: &T,
    expires_at: u64,
) -> Result<Attributes, StateDataError> {
    let text = to_text(data).map_err(StateDataError::NotWritable)?;
    let (name, value) = if text.len() > MOST_IN_THE_TABLE {
        (S3_KEY, upload(client, place, text).await?)
    } else {
        (DATA, text)
    };
    Ok(HashMap::from([
        (
            PARTITION_KEY.to_owned(),
            AttributeValue::S(place.partition_key.to_owned()),
        ),
        (SORT_KEY.to_owned(), AttributeValue::N(place.index.to_string())),
        (EXPIRES_AT.to_owned(), AttributeValue::N(expires_at.to_string())),
        (name.to_owned(), AttributeValue::S(value)),
    ]))
}

async fn upload(client: &StateDataClient, place: &Place<'_>, text: String) -> Result<String, StateDataError> {
    let key = place.s3_key()?;
    let Bucket { s3, name } = bucket(client, place)?;
    let call = s3
        .put_object()
        .bucket(name)
        .key(&key)
        .body(text.into_bytes().into());
    let put = call.customize().config_override(s3_retries()).send().await;
    put.map_err(|error| StateDataError::aws("PutObject", &error))?;
    Ok(key)
}

fn bucket<'c>(client: &'c StateDataClient, place: &Place<'_>) -> Result<&'c Bucket, StateDataError> {
    client.bucket.as_ref().ok_or_else(|| StateDataError::NoBucket {
        partition_key: place.partition_key.to_owned(),
        index: place.index,
    })
}

/// The data there, as it was when the last put before now had returned.
pub(crate) async fn get<T: DeserializeOwned>(
    client: &StateDataClient,
    place: &Place<'_>,
) -> Result<T, StateDataError> {
    let call = client
        .dynamodb
        .get_item()
        .table_name(place.table_name)
        .key(PARTITION_KEY, AttributeValue::S(place.partition_key.to_owned()))
        .key(SORT_KEY, AttributeValue::N(place.index.to_string()))
        .consistent_read(true);
    let got = call.customize().config_override(dynamodb_retries()).send().await;
    let got = got.map_err(|error| StateDataError::aws("GetItem", &error))?;
    let item = got.item.ok_or_else(|| place.no_item())?;
    load(client, place, &item, &mut { client.most }).await
}

/// The data of all items there, by index.
pub(crate) async fn get_all<T: DeserializeOwned>(
    client: &StateDataClient,
    table_name: &str,
    partition_key: &str,
) -> Result<Vec<T>, StateDataError> {
    let mut all = Vec::new();
    let mut allowed = client.most;
    let mut from = None;
    loop {
        let call = client
            .dynamodb
            .query()
            .table_name(table_name)
            .key_condition_expression("#partition_key = :partition_key")
            .expression_attribute_names("#partition_key", PARTITION_KEY)
            .expression_attribute_values(":partition_key", AttributeValue::S(partition_key.to_owned()))
            .consistent_read(true)
            .set_exclusive_start_key(from);
        let page = call.customize().config_override(dynamodb_retries()).send().await;
        let page = page.map_err(|error| StateDataError::aws("Query", &error))?;
        for item in page.items.unwrap_or_default() {
            let index = item
                .get(SORT_KEY)
                .and_then(|index| index.as_n().ok()?.parse().ok());
            let place = Place::new(table_name, partition_key, index.unwrap_or_default());
            all.push(load(client, &place, &item, &mut allowed).await?);
        }
        from = page.last_evaluated_key.filter(|key| !key.is_empty());
        if from.is_none() {
            return Ok(all);
        }
    }
}

/// Reads the data of `item`, which may have as many bytes as are `allowed`; lowers that by what it has.
async fn load<T: DeserializeOwned>(
    client: &StateDataClient,
    place: &Place<'_>,
    item: &Attributes,
    allowed: &mut usize,
) -> Result<T, StateDataError> {
    let too_much = || StateDataError::TooMuch {
        partition_key: place.partition_key.to_owned(),
        most: client.most,
    };
    let mut take = |bytes: usize| {
        *allowed = allowed.checked_sub(bytes).ok_or_else(too_much)?;
        Ok(())
    };
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let read = match (text(S3_KEY), text(DATA)) {
        (Some(key), _) => {
            let object = object(client, place, key).await?;
            let length = object.content_length.and_then(|length| length.try_into().ok());
            take(length.unwrap_or_default())?;
            serde_json::from_slice(&body(object).await?)
        }
        (None, Some(data)) => {
            take(data.len())?;
            serde_json::from_str(data)
        }
        (None, None) => return Err(place.not_readable("it has neither data nor s3_key")),
    };
    read.map_err(|error| place.not_readable(error))
}

async fn object(
    client: &StateDataClient,
    place: &Place<'_>,
    key: &str,
) -> Result<GetObjectOutput, StateDataError> {
    let Bucket { s3, name } = bucket(client, place)?;
    let call = s3.get_object().bucket(name).key(key);
    let got = call.customize().config_override(s3_retries()).send().await;
    got.map_err(|error| {
        if error
            .as_service_error()
            .is_some_and(GetObjectError::is_no_such_key)
        {
            // A lifecycle rule was quicker than DynamoDB.
            place.no_item()
        } else {
            StateDataError::aws("GetObject", &error)
        }
    })
}

async fn body(object: GetObjectOutput) -> Result<Vec<u8>, StateDataError> {
    let body = object.body.collect().await.map_err(|error| StateDataError::Aws {
        operation: "GetObject",
        code: "the answer broke off".to_owned(),
        refused: false,
        cause: error.into(),
    })?;
    Ok(body.to_vec())
}
