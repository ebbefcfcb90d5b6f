//! Makes the table: for tests, and for setting up an account.

use crate::StateDataError;
use crate::stored::{EXPIRES_AT, PARTITION_KEY, SORT_KEY};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveSpecification,
};
use std::time::Duration;

/// How long AWS may take to make a table. Seconds, usually.
const MOST_TO_MAKE: Duration = Duration::from_mins(2);

/// Makes the table `name`, paid by request, and waits until it can be used; then has DynamoDB delete what has expired.
/// A table that is there is left as it is.
pub async fn create_table(dynamodb: &Client, name: &str) -> Result<(), StateDataError> {
    let incomplete = |error| StateDataError::incomplete("CreateTable", error);
    let made = dynamodb
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute(PARTITION_KEY, ScalarAttributeType::S).map_err(incomplete)?)
        .attribute_definitions(attribute(SORT_KEY, ScalarAttributeType::N).map_err(incomplete)?)
        .key_schema(key(PARTITION_KEY, KeyType::Hash).map_err(incomplete)?)
        .key_schema(key(SORT_KEY, KeyType::Range).map_err(incomplete)?)
        .send()
        .await;
    if let Err(error) = made {
        let is_there = error
            .as_service_error()
            .is_some_and(CreateTableError::is_resource_in_use_exception);
        return if is_there {
            Ok(())
        } else {
            Err(StateDataError::aws("CreateTable", &error))
        };
    }
    let ready = dynamodb.wait_until_table_exists().table_name(name);
    ready
        .wait(MOST_TO_MAKE)
        .await
        .map_err(|error| StateDataError::Aws {
            operation: "DescribeTable",
            code: "the table isn't ready".to_owned(),
            refused: false,
            cause: error.to_string().into(),
        })?;
    let expiry = TimeToLiveSpecification::builder()
        .attribute_name(EXPIRES_AT)
        .enabled(true);
    dynamodb
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(expiry.build().map_err(incomplete)?)
        .send()
        .await
        .map(drop)
        .map_err(|error| StateDataError::aws("UpdateTimeToLive", &error))
}

fn attribute(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind)
        .build()
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
}
