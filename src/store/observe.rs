//! Observations: what was seen and may have been a machine. They stand outside the chain and outside every
//! condition, so that scanners and bounces never contend with answers; the next transition takes them in.

use super::items::{item, mail_note_item, mail_note_sk, number, pk, text};
use super::{Store, StoreError, unavailable};
use crate::domain::approval::Approval;
use crate::domain::evidence::Observation;
use crate::domain::ids::ApprovalId;
use crate::domain::mail_status::MailNote;

impl Store {
    /// Writes an observation. The same one twice is one.
    pub async fn observe(&self, id: ApprovalId, seen: &Observation) -> Result<(), StoreError> {
        let sk = format!("O#{:013}#{:03}", seen.at.as_millisecond(), seen.signer);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item(pk(id), sk, seen)));
        put.send()
            .await
            .map(drop)
            .map_err(|error| unavailable("PutItem", error))
    }

    /// Notes what became of a mail, unless that is known already; of two that tell the same, the earlier is kept, so
    /// that their order makes no difference. Says whether it was written.
    pub async fn note_mail(&self, approval: &Approval, note: &MailNote) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(mail_note_item(approval.id, approval.body.created, note)))
            .condition_expression("attribute_not_exists(pk) OR happened > :happened")
            .expression_attribute_values(":happened", number(note.happened.as_millisecond()));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match unavailable("PutItem", error) {
                StoreError::Conflict => Ok(false),
                other => Err(other),
            },
        }
    }

    /// Takes a note out of the list of what needs somebody. The note stays.
    pub async fn unlist_mail(&self, id: ApprovalId, note: &MailNote) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(pk(id)))
            .key("sk", text(mail_note_sk(note)))
            // A reserved word.
            .update_expression("REMOVE #list, created")
            .expression_attribute_names("#list", "list")
            .condition_expression("attribute_exists(pk)");
        match update
            .send()
            .await
            .map_err(|error| unavailable("UpdateItem", error))
        {
            Err(StoreError::Conflict) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
