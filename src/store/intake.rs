//! Writing a new approval. Called by `flow/open.rs` only.
//!
//! A hundred signers don't fit into one transaction, so the parts are written one after another: the body first
//! (under the condition that there is none: the first request with a token stands), then people, signers, the first
//! event and the lookups, and last the state, which makes it an approval. Every part is made from the body alone, so
//! whoever finds a body without a state can write the missing rest, twice or at the same time.

use super::items::{self, BODY, Item, STATE, item, person_sk, pk, signer_item, state_item, text};
use super::lookup::Lookup;
use super::{Store, StoreError, unavailable};
use crate::domain::body::{Body, People, REQUESTER, SaltSeed};
use crate::domain::decision::RequestRecord;
use crate::domain::digest::Sha256;
use crate::domain::evidence::Event;
use crate::domain::ids::ApprovalId;
use crate::domain::keys::SealedTarget;
use crate::domain::signer::{Person, SignerRecord};
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, PutRequest, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update, WriteRequest,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The condition of what may not be there yet.
const MISSING: &str = "attribute_not_exists(pk)";
/// The condition of a signer's item at intake: not there, or [forgotten](Store::forget_due). Whoever finishes that
/// intake after all makes its mail due again.
const MISSING_OR_FORGOTTEN: &str =
    "attribute_not_exists(pk) OR (revision = :first AND attribute_not_exists(due))";

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

fn body_item(id: ApprovalId, stored: &StoredBody) -> Item {
    let mut item = item(pk(id), BODY.to_owned(), stored);
    item.insert("digest".to_owned(), text(stored.digest.to_string()));
    item
}

impl Store {
    /// Writes the body, unless there is one.
    pub async fn write_body(&self, id: ApprovalId, stored: &StoredBody) -> Result<BodyWrite, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(body_item(id, stored)))
            .condition_expression(MISSING)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
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

    /// Puts a body in the place of the one of this digest, of which no approval came, and deletes what belonged to that.
    ///
    /// [`StoreError::Conflict`] when it has become an approval by now, or another body was put there.
    pub async fn replace_body(
        &self,
        id: ApprovalId,
        stored: &StoredBody,
        digest: &Sha256,
    ) -> Result<(), StoreError> {
        self.clear_parts(id, digest).await?;
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(body_item(id, stored)))
            .condition_expression("digest = :digest")
            .expression_attribute_values(":digest", text(digest.to_string()));
        let put = put.build().expect("all is set");
        self.transact(vec![
            self.no_state(id),
            TransactWriteItem::builder().put(put).build(),
        ])
        .await
    }

    /// Deletes people, signers and event of a body: the request that takes its place may have fewer signers, and those
    /// left over would be waited for. Lookups stay: they find candidates only.
    async fn clear_parts(&self, id: ApprovalId, digest: &Sha256) -> Result<(), StoreError> {
        let mut items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(pk(id)))
            .projection_expression("pk, sk")
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut parts = Vec::new();
        while let Some(key) = items.next().await {
            let key = key.map_err(|error| unavailable("Query", error))?;
            if items::read_text(&key, "sk") != BODY {
                parts.push(key);
            }
        }
        for chunk in parts.chunks(98) {
            let body = ConditionCheck::builder()
                .table_name(&self.table)
                .key("pk", text(pk(id)))
                .key("sk", text(BODY))
                .condition_expression("digest = :digest")
                .expression_attribute_values(":digest", text(digest.to_string()))
                .build()
                .expect("all is set");
            let body = TransactWriteItem::builder().condition_check(body).build();
            let deleted = chunk.iter().map(|key| {
                let key = Some(key.clone());
                let delete = Delete::builder().table_name(&self.table).set_key(key);
                let delete = delete.build().expect("all is set");
                TransactWriteItem::builder().delete(delete).build()
            });
            let all = [self.no_state(id), body].into_iter().chain(deleted);
            self.transact(all.collect()).await?;
        }
        Ok(())
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
            let first = HashMap::from([(":first".to_owned(), items::number(signer.revision))]);
            writes.spawn(async move {
                let put = store.put_if(item, MISSING_OR_FORGOTTEN, Some(first));
                put.await.map(drop)
            });
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
        self.put_if(state_item(id, body.created, record), MISSING, None)
            .await
    }

    /// `false` when `condition` doesn't hold.
    async fn put_if(
        &self,
        item: Item,
        condition: &str,
        values: Option<HashMap<String, AttributeValue>>,
    ) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values(values);
        match put.send().await {
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
    ///
    /// [`StoreError::Conflict`] when one has come of it by now: then its mail stays due.
    pub async fn forget_due(&self, id: ApprovalId, number: u8) -> Result<(), StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", text(pk(id)))
            .key("sk", text(items::signer_sk(number)))
            .update_expression("REMOVE due, due_at")
            .condition_expression("attribute_exists(pk)")
            .build()
            .expect("all is set");
        self.transact(vec![
            self.no_state(id),
            TransactWriteItem::builder().update(update).build(),
        ])
        .await
    }

    /// The condition that no approval has come of a body.
    fn no_state(&self, id: ApprovalId) -> TransactWriteItem {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", text(pk(id)))
            .key("sk", text(STATE))
            .condition_expression(MISSING)
            .build()
            .expect("all is set");
        TransactWriteItem::builder().condition_check(check).build()
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
