//! Changing an approval: state, signers and evidence together, each under the condition that nobody else wrote it
//! since it was read. The only way in which an approval that exists is changed.

use super::items::{Item, event_sk, item, mail_note_item, number, pk, signer_item, state_item};
use super::{Store, StoreError, unavailable};
use crate::domain::approval::Approval;
use crate::domain::decision::RequestState;
use crate::domain::evidence::{Event, Head};
use crate::domain::mail_status::MailNote;
use crate::domain::signer::SignerRecord;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

/// What is to change of an approval that was read.
#[derive(Clone, Default, Debug)]
pub struct Change {
    /// The new state.
    pub state: Option<RequestState>,
    /// A new evidence event, signed.
    pub event: Option<(Event, Head)>,
    /// Signers as they are to be, with the revision that was read.
    pub signers: Vec<SignerRecord>,
    /// What is to be noted of mails beside it.
    pub mail_notes: Vec<MailNote>,
}

impl Store {
    /// Writes a change and gives the approval as it is afterwards.
    ///
    /// [`StoreError::Conflict`] when somebody else wrote one of its parts since `approval` was read: nothing was
    /// written then.
    pub async fn commit(&self, approval: &Approval, change: Change) -> Result<Approval, StoreError> {
        let mut after = approval.clone();
        let mut puts = Vec::new();
        if change.state.is_some() || change.event.is_some() {
            let was = after.record.version;
            after.record.version += 1;
            if let Some(state) = change.state {
                after.record.state = state;
            }
            if let Some((event, head)) = change.event {
                puts.push(
                    self.put(item(pk(after.id), event_sk(event.seq), &event))
                        .condition_expression("attribute_not_exists(pk)"),
                );
                after.record.evidence = head;
                after.events.push(event);
            }
            let item = state_item(after.id, after.body.created, &after.record);
            puts.push(
                self.put(item)
                    .condition_expression("version = :was")
                    .expression_attribute_values(":was", number(was)),
            );
        }
        for mut signer in change.signers {
            let was = signer.revision;
            signer.revision += 1;
            let item = signer_item(after.id, &signer);
            puts.push(
                self.put(item)
                    .condition_expression("revision = :was")
                    .expression_attribute_values(":was", number(was)),
            );
            let index = usize::from(signer.number);
            after.signers[index] = signer;
        }
        for note in change.mail_notes {
            puts.push(self.put(mail_note_item(after.id, after.body.created, &note)));
            after.mail_notes.push(note);
        }
        let mut puts: Vec<Put> = puts
            .into_iter()
            .map(|put| put.build().expect("table and item are set"))
            .collect();
        match puts.len() {
            0 => {}
            1 => self.commit_one(puts.remove(0)).await?,
            _ => self.commit_all(puts).await?,
        }
        Ok(after)
    }

    fn put(&self, item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        Put::builder().table_name(&self.table).set_item(Some(item))
    }

    /// One item needs no transaction, which would cost double.
    async fn commit_one(&self, put: Put) -> Result<(), StoreError> {
        let sent = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_values(put.expression_attribute_values)
            .send()
            .await;
        sent.map(drop).map_err(|error| unavailable("PutItem", error))
    }

    async fn commit_all(&self, puts: Vec<Put>) -> Result<(), StoreError> {
        let items = puts
            .into_iter()
            .map(|put| TransactWriteItem::builder().put(put).build())
            .collect();
        self.transact(items).await
    }

    /// Writes all of `items` or none.
    ///
    /// [`StoreError::Conflict`] when a condition doesn't hold, or somebody else writes one of them at this moment.
    pub(super) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        sent.map(drop).map_err(|error| {
            let conflict = error.as_service_error().is_some_and(|service| {
                use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError as E;
                match service {
                    E::TransactionCanceledException(cancelled) => {
                        cancelled.cancellation_reasons().iter().any(|reason| {
                            matches!(
                                reason.code(),
                                Some("ConditionalCheckFailed" | "TransactionConflict")
                            )
                        })
                    }
                    E::TransactionInProgressException(_) => true,
                    _ => false,
                }
            });
            if conflict {
                StoreError::Conflict
            } else {
                unavailable("TransactWriteItems", error)
            }
        })
    }
}
