//! SQS: standard and FIFO queues in one SQLite file, or in memory, over the JSON protocol.
//!
//! [`queues`] has the operations on queues, with their [`attributes`]; [`sending`] and [`receiving`] those on
//! messages, whose [`content`] is checked and hashed as AWS does; [`store`] keeps both.
//!
//! Not as AWS: a queue can be made again right after it was deleted; a batch is taken in whole or not at all
//! when its file can't be written to; ReceiveRequestAttemptId is taken and not heeded.

mod attributes;
mod content;
mod queues;
mod receiving;
mod refusal;
mod sending;
mod store;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::StartError;
use crate::database::Place;
use crate::error::{Answer, AwsError};
use crate::source::Source;
use crate::store::Store;
use crate::{ACCOUNT, REGION};

pub(crate) struct Sqs {
    source: Source,
    store: Store,
    /// Those who wait for a message, by the queue.
    waiting: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Sqs {
    /// Opens what is kept. Must be called within a tokio runtime.
    pub(crate) fn open(place: Place, source: Source) -> Result<Sqs, StartError> {
        let store = Store::open(place, store::FILE, store::SCHEMA)?;
        Ok(Sqs {
            source,
            store,
            waiting: Mutex::default(),
        })
    }

    /// Does an operation. `host` is where the caller asked, and so where the addresses of queues begin.
    pub(crate) async fn call(
        &self,
        operation: &str,
        host: Option<&str>,
        body: &[u8],
    ) -> Result<Answer, AwsError> {
        match operation {
            "CreateQueue" => queues::create(self, host, read(body)?).await,
            "DeleteQueue" => queues::delete(self, read(body)?).await,
            "GetQueueUrl" => queues::url(self, host, read(body)?).await,
            "ListQueues" => queues::list(self, host, read(body)?).await,
            "ListDeadLetterSourceQueues" => queues::sources(self, host, read(body)?).await,
            "GetQueueAttributes" => queues::attributes(self, read(body)?).await,
            "SetQueueAttributes" => queues::set_attributes(self, read(body)?).await,
            "PurgeQueue" => queues::purge(self, read(body)?).await,
            "TagQueue" => queues::tag(self, read(body)?).await,
            "UntagQueue" => queues::untag(self, read(body)?).await,
            "ListQueueTags" => queues::tags(self, read(body)?).await,
            "SendMessage" => sending::send(self, read(body)?).await,
            "SendMessageBatch" => sending::send_batch(self, read(body)?).await,
            "ReceiveMessage" => receiving::receive(self, read(body)?).await,
            "DeleteMessage" => receiving::delete(self, read(body)?).await,
            "DeleteMessageBatch" => receiving::delete_batch(self, read(body)?).await,
            "ChangeMessageVisibility" => receiving::change(self, read(body)?).await,
            "ChangeMessageVisibilityBatch" => receiving::change_batch(self, read(body)?).await,
            _ => Err(AwsError::not_embedded("SQS", operation)),
        }
    }

    /// Lets everybody who waits look again: the clock may have been moved.
    pub(crate) fn clock_moved(&self) {
        for waiting in self.waiting().values() {
            waiting.notify_waiters();
        }
    }

    /// Waits for the writes under way.
    pub(crate) async fn settle(&self) {
        self.store.settle().await;
    }

    /// Lets those who wait for a message of `queue` look again.
    fn wake(&self, queue: &str) {
        if let Some(waiting) = self.waiting().get(queue) {
            waiting.notify_waiters();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of day in milliseconds since 1970.
    fn now(&self) -> i64 {
        self.source.now().as_millisecond()
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AwsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        AwsError::new(
            "com.amazon.coral.service#SerializationException",
            error.to_string(),
        )
    })
}

/// The name in a queue's address, or the name itself.
fn queue_name(url: Option<&str>) -> Result<&str, AwsError> {
    match url {
        None | Some("") => Err(refusal::missing("QueueUrl")),
        Some(url) => Ok(url.trim_end_matches('/').rsplit('/').next().unwrap_or(url)),
    }
}

fn queue_url(host: Option<&str>, name: &str) -> String {
    let host = host.unwrap_or("sqs.us-east-1.amazonaws.com");
    let scheme = if host.contains(".amazonaws.com") {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{host}/{ACCOUNT}/{name}")
}

/// Whether a name, or an ARN, is a FIFO queue's.
pub(crate) fn is_fifo(queue: &str) -> bool {
    queue.rsplit_once('.').is_some_and(|(_, kind)| kind == "fifo")
}

fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}
