//! The client: what tasks call. Each pair of methods is one thing done to a *local* item, whose table and namespace the
//! client knows, and to a *global* one, which is named in full. Both end in `stored.rs`.

use crate::pointer::{ItemPointer, ItemsPointer, MapIteration};
use crate::stored::{Place, check_key};
use crate::{StateDataError, batch, stored};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long items are kept, unless [`StateDataClient::keep_days`] says otherwise.
pub const KEPT_DAYS: u32 = 7;

/// Puts and gets the data of tasks. Cheap to clone.
///
/// A *local* item is found by its key alone: its table is the client's, and its partition key is the client's namespace,
/// a colon and the key. A *global* item is found by table and partition key, whoever put it.
///
/// Data is anything that serde can write, and is read as anything that serde can read. A `serde_json::Value` holds whole
/// numbers up to 64 bits and rounds longer ones; a `Box<serde_json::value::RawValue>` holds every number as it is written.
#[derive(Clone)]
pub struct StateDataClient {
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) bucket: Option<Bucket>,
    table_name: String,
    namespace: String,
    keep_days: u32,
    /// The most that one call reads, in bytes of JSON.
    pub(crate) most: usize,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

/// Where data goes that is too big for the table.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) name: String,
}

impl StateDataClient {
    /// A client for the items of one execution in the table `table_name` (which [`crate::create_table`] makes).
    /// `namespace` comes before each local key: the execution's name, usually. `clock` says when an item put now expires:
    /// `SystemTime::now` in a task.
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        table_name: impl Into<String>,
        namespace: impl Into<String>,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Self {
        Self {
            dynamodb,
            bucket: None,
            table_name: table_name.into(),
            namespace: namespace.into(),
            keep_days: KEPT_DAYS,
            most: usize::MAX,
            clock: Arc::new(clock),
        }
    }

    /// With the bucket `name` for what the table can't hold: data whose JSON is longer than
    /// [`crate::MOST_IN_THE_TABLE`] bytes. Without one such an item is refused.
    pub fn bucket(self, s3: aws_sdk_s3::Client, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            bucket: Some(Bucket { s3, name }),
            ..self
        }
    }

    /// Keeps items for so many days. DynamoDB deletes an item within days after that; an object in S3 stays until a
    /// lifecycle rule of the bucket takes it.
    pub fn keep_days(self, days: u32) -> Self {
        Self {
            keep_days: days,
            ..self
        }
    }

    /// Reads at most so many bytes of JSON by one call, and refuses what is longer; for a service that reads for others.
    /// Any amount, otherwise.
    pub fn read_at_most(self, bytes: usize) -> Self {
        Self { most: bytes, ..self }
    }

    /// The same client for another execution's local items.
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            ..self
        }
    }

    /// Puts one local item, in place of what was there. `index` is 0 for an item that stands alone, else its place in a
    /// list that [`Self::put_items`] has put.
    pub async fn put_item<T: Serialize + ?Sized>(
        &self,
        key: &str,
        data: &T,
        index: u64,
    ) -> Result<ItemPointer, StateDataError> {
        let partition_key = self.partition_key(key);
        let put = self
            .put_global_item(&self.table_name, &partition_key, data, index)
            .await?;
        Ok(ItemPointer {
            key: Some(key.to_owned()),
            ..put
        })
    }

    /// Puts one item of any table and partition key. As [`Self::put_item`].
    pub async fn put_global_item<T: Serialize + ?Sized>(
        &self,
        table_name: &str,
        partition_key: &str,
        data: &T,
        index: u64,
    ) -> Result<ItemPointer, StateDataError> {
        let place = Place::new(table_name, partition_key, index);
        stored::put(self, &place, data).await?;
        Ok(ItemPointer {
            table_name: table_name.to_owned(),
            partition_key: partition_key.to_owned(),
            key: None,
        })
    }

    /// Puts a list of local items, each at its index. A longer list that was put under the same key before keeps its
    /// items beyond the end of this one.
    ///
    /// Items are written 25 at a time, and it isn't one transaction: after an error some are stored. Putting the same
    /// list again is right then.
    pub async fn put_items<T: Serialize>(
        &self,
        key: &str,
        items: &[T],
    ) -> Result<ItemsPointer, StateDataError> {
        let partition_key = self.partition_key(key);
        let put = self
            .put_global_items(&self.table_name, &partition_key, items)
            .await?;
        Ok(ItemsPointer {
            key: Some(key.to_owned()),
            ..put
        })
    }

    /// Puts a list of items into any table and partition key. As [`Self::put_items`].
    ///
    /// Here the Python package 0.2.1 differs: it writes into its default table, whichever it is told.
    pub async fn put_global_items<T: Serialize>(
        &self,
        table_name: &str,
        partition_key: &str,
        items: &[T],
    ) -> Result<ItemsPointer, StateDataError> {
        check_key(partition_key)?;
        batch::put(self, table_name, partition_key, items).await?;
        Ok(ItemsPointer {
            table_name: table_name.to_owned(),
            partition_key: partition_key.to_owned(),
            items: vec![1; items.len()],
            key: None,
        })
    }

    /// The data of a local item. `index` is 0 for an item that stands alone.
    pub async fn get_item<T: DeserializeOwned>(&self, key: &str, index: u64) -> Result<T, StateDataError> {
        self.get_global_item(&self.table_name, &self.partition_key(key), index)
            .await
    }

    /// The data of any item. As [`Self::get_item`].
    pub async fn get_global_item<T: DeserializeOwned>(
        &self,
        table_name: &str,
        partition_key: &str,
        index: u64,
    ) -> Result<T, StateDataError> {
        stored::get(self, &Place::new(table_name, partition_key, index)).await
    }

    /// The data of all items under a local key, by their index. None is an empty list.
    pub async fn get_items<T: DeserializeOwned>(&self, key: &str) -> Result<Vec<T>, StateDataError> {
        self.get_global_items(&self.table_name, &self.partition_key(key))
            .await
    }

    /// The data of all items under any table's partition key. As [`Self::get_items`].
    pub async fn get_global_items<T: DeserializeOwned>(
        &self,
        table_name: &str,
        partition_key: &str,
    ) -> Result<Vec<T>, StateDataError> {
        stored::get_all(self, table_name, partition_key).await
    }

    /// Inside a Map: the data of this iteration's item, where the list was put by this execution.
    pub async fn get_item_for_map_iteration<T: DeserializeOwned>(
        &self,
        event: &MapIteration,
    ) -> Result<T, StateDataError> {
        self.get_item(event.key()?, event.index()?).await
    }

    /// Inside a Map: the data of this iteration's item, wherever the list was put.
    pub async fn get_global_item_for_map_iteration<T: DeserializeOwned>(
        &self,
        event: &MapIteration,
    ) -> Result<T, StateDataError> {
        self.get_global_item(event.table_name()?, event.partition_key()?, event.index()?)
            .await
    }

    /// Inside a Map: puts this iteration's item, where the list was put by this execution.
    pub async fn put_item_for_map_iteration<T: Serialize + ?Sized>(
        &self,
        event: &MapIteration,
        data: &T,
    ) -> Result<ItemPointer, StateDataError> {
        self.put_item(event.key()?, data, event.index()?).await
    }

    /// Inside a Map: puts this iteration's item, wherever the list was put.
    pub async fn put_global_item_for_map_iteration<T: Serialize + ?Sized>(
        &self,
        event: &MapIteration,
        data: &T,
    ) -> Result<ItemPointer, StateDataError> {
        self.put_global_item(event.table_name()?, event.partition_key()?, data, event.index()?)
            .await
    }

    /// The partition key of the local items under `key`.
    pub fn partition_key(&self, key: &str) -> String {
        format!("{}:{key}", self.namespace)
    }

    /// When an item put now expires, in seconds since 1970.
    pub(crate) fn expires_at(&self) -> u64 {
        let now = self.since_1970();
        now.as_secs() + u64::from(self.keep_days) * 86_400
    }

    /// From 0 up to 1, for the length of a pause: tasks that were turned away together should not come back together.
    pub(crate) fn jitter(&self) -> f64 {
        f64::from(self.since_1970().subsec_nanos()) / 1e9
    }

    fn since_1970(&self) -> Duration {
        (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl fmt::Debug for StateDataClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateDataClient")
            .field("table_name", &self.table_name)
            .field("namespace", &self.namespace)
            .field("bucket", &self.bucket.as_ref().map(|bucket| &bucket.name))
            .finish_non_exhaustive()
    }
}
