//! What is due: the worker's question to the sparse, sharded index. The index only finds candidates; the step that
//! runs reads the base item and decides.

use super::items::{INDEX_DUE, SHARDS, STATE, due_key, number, read_text, text};
use super::{Store, StoreError, unavailable};
use crate::domain::ids::ApprovalId;
use jiff::Timestamp;

/// Something that is due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DueItem {
    /// Of which approval.
    pub id: ApprovalId,
    /// What of it.
    pub what: DueWhat,
}

/// What of an approval is due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DueWhat {
    /// The request's own: deadline, heartbeat, callback, notices.
    Request,
    /// A mail to the signer of this number.
    Mail(u8),
}

impl Store {
    /// What is due at `now` in one shard and since when, longest due first, at most `limit`.
    pub async fn due(
        &self,
        shard: u8,
        now: Timestamp,
        limit: i32,
    ) -> Result<Vec<(Timestamp, DueItem)>, StoreError> {
        debug_assert!(shard < SHARDS);
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX_DUE)
            .key_condition_expression("due = :shard AND due_at <= :now")
            .expression_attribute_values(":shard", text(due_key(shard)))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .limit(limit)
            .send()
            .await
            .map_err(|error| unavailable("Query", error))?;
        let parse = |item: &super::items::Item| {
            let id = ApprovalId::parse(read_text(item, "pk").strip_prefix("A#")?)?;
            let what = match read_text(item, "sk") {
                STATE => DueWhat::Request,
                sk => DueWhat::Mail(sk.strip_prefix("R#")?.parse().ok()?),
            };
            let since = item.get("due_at")?.as_n().ok()?.parse().ok()?;
            Some((Timestamp::from_millisecond(since).ok()?, DueItem { id, what }))
        };
        Ok(page.items().iter().filter_map(parse).collect())
    }
}
