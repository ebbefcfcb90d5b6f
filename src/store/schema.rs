//! The table itself. `infra/template.yaml` makes the same one on AWS; `demo` and the tests make it here.

use super::items::{INDEX_DUE, INDEX_LIST};
use super::{Store, StoreError, unavailable};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};

impl Store {
    /// Makes the table with its two sparse, KEYS_ONLY indexes, unless it is there.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let made = self
            .client
            .create_table()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(vec![
                attribute("pk", ScalarAttributeType::S),
                attribute("sk", ScalarAttributeType::S),
                attribute("due", ScalarAttributeType::S),
                attribute("due_at", ScalarAttributeType::N),
                attribute("list", ScalarAttributeType::S),
                attribute("created", ScalarAttributeType::N),
            ]))
            .set_key_schema(Some(keys("pk", "sk")))
            .global_secondary_indexes(index(INDEX_DUE, "due", "due_at"))
            .global_secondary_indexes(index(INDEX_LIST, "list", "created"))
            .send()
            .await;
        match made {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::create_table::CreateTableError::is_resource_in_use_exception,
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable("CreateTable", error)),
        }
    }
}

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind)
        .build()
        .expect("name and type are set")
}

fn keys(hash: &str, range: &str) -> Vec<KeySchemaElement> {
    [(hash, KeyType::Hash), (range, KeyType::Range)]
        .map(|(name, kind)| {
            KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(kind)
                .build()
                .expect("name and type are set")
        })
        .to_vec()
}

fn index(name: &str, hash: &str, range: &str) -> GlobalSecondaryIndex {
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .set_key_schema(Some(keys(hash, range)))
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::KeysOnly)
                .build(),
        )
        .build()
        .expect("name and keys are set")
}
