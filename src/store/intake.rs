//! Writing a new approval. Called by `flow/open.rs` only.
//!
//! A hundred signers don't fit into one transaction, so the parts are written one after another: the body first
//! (under the condition that there is none: the first request with a token stands), then people, signers, the first
//! event and the lookups, and last the state, which makes it an approval. Every part is made from the body alone, so
//! whoever finds a body without a state can write the missing rest, twice or at the same time.

use super::items::{self, BODY, Item, item, person_sk, pk, signer_item, state_item, text};
use super::lookup::Lookup;
use super::{Store, StoreError, unavailable};
use crate::domain::body::{Body, People, REQUESTER, SaltSeed};
use crate::domain::decision::RequestRecord;
use crate::domain::digest::Sha256;
use crate::domain::evidence::Event;
use crate::domain::ids::ApprovalId;
use crate::domain::keys::SealedTarget;
use crate::domain::signer::{Person, SignerRecord};
use aws_sdk_dynamodb::types::{PutRequest, ReturnValuesOnConditionCheckFailure, WriteRequest};
use serde::{Deserialize, Serialize};

/// The body as it is stored, with the encrypted token and the seed of the people's salts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StoredBody {
    /// What was asked.
    pub body: Body,
    /// Its digest.
    pub digest: Sha256,
    /// The token, encrypted.
    pub target: SealedTarget,
    /// From which the salts are made; gone once personal data is deleted.
    pub seed: Option<SaltSeed>,
}

/// What became of writing a body.
#[derive(Clone, PartialEq, Debug)]
pub enum BodyWrite {
    /// It is written.
    Written,
    /// Another one was there first.
    Exists(Box<StoredBody>),
}

impl Store {
    /// Writes the body, unless there is one. With `instead_of` it replaces the body of that digest.
    pub async fn write_body(
        &self,
        id: ApprovalId,
        stored: &StoredBody,
        instead_of: Option<&Sha256>,
    ) -> Result<BodyWrite, StoreError> {
        let mut item = item(pk(id), BODY.to_owned(), stored);
        item.insert("digest".to_owned(), text(stored.digest.to_string()));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match instead_of {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(digest) => put
                .condition_expression("digest = :digest")
                .expression_attribute_values(":digest", text(digest.to_string())),
        };
        match put.send().await {
            Ok(_) => Ok(BodyWrite::Written),
            Err(error) => {
                let there = match error.as_service_error() {
                    Some(
                        aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
                            e,
                        ),
                    ) => e.item.as_ref().map(items::read::<StoredBody>).transpose()?,
                    _ => None,
                };
                there.map_or_else(
                    || Err(unavailable("PutItem", error)),
                    |body| Ok(BodyWrite::Exists(Box::new(body))),
                )
            }
        }
    }

    /// Writes what belongs to a body: each signer (unless there already), and people, the first event and the
    /// lookups (the same whoever writes them).
    pub async fn write_parts(
        &self,
        id: ApprovalId,
        people: &People,
        signers: &[SignerRecord],
        event: &Event,
        lookups: &[Lookup],
    ) -> Result<(), StoreError> {
        let mut rest: Vec<Item> = vec![item(pk(id), items::event_sk(event.seq), event)];
        let person = |n: u8, person: &Person| item(pk(id), person_sk(n), person);
        rest.extend(
            (0..)
                .zip(&people.signers)
                .filter_map(|(n, p)| Some(person(n, p.as_ref()?))),
        );
        rest.extend(people.requester.as_ref().map(|p| person(REQUESTER, p)));
        rest.extend(lookups.iter().map(|lookup| lookup.item(id)));
        // Conditional puts can't go into a batch; all of a request's run at the same time.
        let mut writes = tokio::task::JoinSet::new();
        for signer in signers {
            let (store, item) = (self.clone(), signer_item(id, signer));
            writes.spawn(async move { store.put_unless_there(item).await.map(drop) });
        }
        for chunk in rest.chunks(25) {
            let (store, chunk) = (self.clone(), chunk.to_vec());
            writes.spawn(async move { store.put_all(chunk).await });
        }
        while let Some(written) = writes.join_next().await {
            written.expect("a write neither panics nor is aborted")?;
        }
        Ok(())
    }

    /// Writes the state: from here on the approval exists. `false` when it was there already.
    pub async fn write_state(
        &self,
        id: ApprovalId,
        body: &Body,
        record: &RequestRecord,
    ) -> Result<bool, StoreError> {
        self.put_unless_there(state_item(id, body.created, record)).await
    }

    async fn put_unless_there(&self, item: Item) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(true),
            Err(error) => match unavailable("PutItem", error) {
                StoreError::Conflict => Ok(false),
                other => Err(other),
            },
        }
    }

    async fn put_all(&self, items: Vec<Item>) -> Result<(), StoreError> {
        let put = |item| {
            let put = PutRequest::builder()
                .set_item(Some(item))
                .build()
                .expect("the item is set");
            WriteRequest::builder().put_request(put).build()
        };
        let mut left: Vec<WriteRequest> = items.into_iter().map(put).collect();
        for attempt in 0_u32..8 {
            let batch = self
                .client
                .batch_write_item()
                .request_items(&self.table, std::mem::take(&mut left));
            let written = batch
                .send()
                .await
                .map_err(|error| unavailable("BatchWriteItem", error))?;
            left = written
                .unprocessed_items
                .and_then(|mut by_table| by_table.remove(&self.table))
                .unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50 << attempt)).await;
        }
        Err(StoreError::Unavailable {
            operation: "BatchWriteItem",
            code: "UnprocessedItems".to_owned(),
        })
    }

    /// Takes a signer's item out of the due index when no approval came of it (its intake was cut off long ago).
    pub async fn forget_due(&self, id: ApprovalId, number: u8) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(pk(id)))
            .key("sk", text(items::signer_sk(number)))
            .update_expression("REMOVE due, due_at")
            .condition_expression("attribute_exists(pk)");
        update
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable("UpdateItem", error))
    }

    /// Checks that the table answers, reading nothing.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text("ping"))
            .key("sk", text("ping"));
        get.projection_expression("pk")
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable("GetItem", error))
    }
}
