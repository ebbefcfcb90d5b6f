//! Observations: what was seen and may have been a machine. They stand outside the chain and outside every
//! condition, so that scanners and bounces never contend with answers; the next transition takes them in.

use super::items::{item, pk};
use super::{Store, StoreError, unavailable};
use crate::domain::evidence::Observation;
use crate::domain::ids::ApprovalId;

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
}
