//! Listing approvals, newest first: by state from the sharded index, or by what is known of them from the lookups. One
//! cursor for all shards; no scan. Gives candidates: the base items decide, which whoever lists reads.

use super::items::{INDEX_LIST, Item, SHARDS, number, read_text, text};
use super::lookup::Known;
use super::{Store, StoreError, unavailable};
use crate::domain::ids::ApprovalId;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use jiff::Timestamp;
use tokio::task::JoinSet;

/// Which of the index's lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listed {
    /// People are being asked.
    Pending,
    /// Needs an operator.
    Attention,
    /// Ended in that month, such as `2026-11`.
    Done(String),
}

impl Listed {
    fn key(&self, shard: u8) -> String {
        match self {
            Self::Pending => format!("pending#{shard}"),
            Self::Attention => format!("attention#{shard}"),
            Self::Done(month) => format!("done#{month}#{shard}"),
        }
    }
}

/// A place in a list: the newest of what comes after it is older, or of the same moment with a lower id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// When the approval was made.
    pub created: Timestamp,
    /// Which it is.
    pub id: ApprovalId,
}

impl Place {
    /// The place that comes before everything older than `moment`, and after all else.
    pub fn before(moment: Timestamp) -> Self {
        Self {
            created: moment,
            id: ApprovalId::from_bytes([0; 16]),
        }
    }

    /// As it stands in a cursor, and in the lookups' sort keys.
    fn key(&self) -> String {
        format!("{:013}#{}", self.created.as_millisecond(), self.id)
    }

    fn parse(key: &str) -> Option<Self> {
        let (created, id) = key.split_once('#')?;
        Some(Self {
            created: Timestamp::from_millisecond(created.parse().ok()?).ok()?,
            id: ApprovalId::parse(id)?,
        })
    }

    /// As a caller is given it, to go on from.
    pub fn cursor(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(self.key().as_bytes())
    }

    /// Reads what [`Self::cursor`] gave.
    pub fn from_cursor(cursor: &str) -> Option<Self> {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
        Self::parse(std::str::from_utf8(&bytes).ok()?)
    }
}

impl Store {
    /// The next at most `most` of a list after `after`, newest first.
    pub async fn listed(
        &self,
        list: &Listed,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<Place>, StoreError> {
        let mut shards = JoinSet::new();
        for shard in 0..SHARDS {
            let (store, key) = (self.clone(), list.key(shard));
            shards.spawn(async move { store.listed_in_shard(key, after, most).await });
        }
        let mut places = Vec::new();
        while let Some(found) = shards.join_next().await {
            places.extend(found.expect("a query neither panics nor is aborted")?);
        }
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.truncate(most);
        Ok(places)
    }

    /// The index orders by time alone: whoever has the same time as the last one taken is read as well, so that the cut
    /// falls between two moments and the ids can order what is of one. An approval may stand in a shard more than once,
    /// with each of its mails that needs somebody.
    async fn listed_in_shard(
        &self,
        key: String,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<Place>, StoreError> {
        let newest = after.map_or(Timestamp::MAX, |place| place.created);
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX_LIST)
            .key_condition_expression("#list = :list AND created <= :newest")
            // A reserved word.
            .expression_attribute_names("#list", "list")
            .expression_attribute_values(":list", text(key))
            .expression_attribute_values(":newest", number(newest.as_millisecond()))
            .scan_index_forward(false);
        let place = |item: &Item| {
            let created = item.get("created")?.as_n().ok()?.parse().ok()?;
            let id = ApprovalId::parse(read_text(item, "pk").strip_prefix("A#")?)?;
            let created = Timestamp::from_millisecond(created).ok()?;
            Some(Place { created, id })
        };
        let enough =
            |places: &[Place]| match (places.len().checked_sub(1), places.get(most.saturating_sub(1))) {
                (Some(last), Some(at)) => places.len() > most && places[last].created < at.created,
                _ => false,
            };
        pages(query, after, most, place, enough).await
    }

    /// The next at most `most` of those that have `known`, after `after`, newest first.
    pub async fn known(
        &self,
        known: &Known,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<Place>, StoreError> {
        // Above every sort key: they begin with a digit.
        let below = after.map_or_else(|| "~".to_owned(), |place| place.key());
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk < :below")
            .expression_attribute_values(":pk", text(known.key()))
            .expression_attribute_values(":below", text(below))
            .scan_index_forward(false);
        let place = |item: &Item| Place::parse(read_text(item, "sk"));
        let mut places = pages(query, after, most, place, |places| places.len() >= most).await?;
        places.truncate(most);
        Ok(places)
    }
}

/// Reads pages of a query until there is enough.
async fn pages(
    query: QueryFluentBuilder,
    after: Option<Place>,
    most: usize,
    place: impl Fn(&Item) -> Option<Place>,
    enough: impl Fn(&[Place]) -> bool,
) -> Result<Vec<Place>, StoreError> {
    let limit = i32::try_from(most + 1).unwrap_or(i32::MAX);
    let (mut places, mut start) = (Vec::new(), None);
    loop {
        let page = query
            .clone()
            .limit(limit)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| unavailable("Query", error))?;
        let found = page.items().iter().filter_map(&place);
        places.extend(found.filter(|place| after.is_none_or(|after| *place < after)));
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.dedup();
        start = page.last_evaluated_key;
        if start.is_none() || enough(&places) {
            return Ok(places);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let place = Place {
            created: Timestamp::from_millisecond(1_763_715_600_123).expect("a time"),
            id: ApprovalId::from_bytes([9; 16]),
        };
        assert_eq!(Place::from_cursor(&place.cursor()), Some(place));
        for wrong in ["", "x", "MTIz", "!!!"] {
            assert_eq!(Place::from_cursor(wrong), None);
        }
    }
}
