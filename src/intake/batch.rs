//! Lambda's event for a queue: takes in each message, and answers with those that have to come again.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use super::message::{self, Taken, in_groups};
use crate::flow::Flow;
use crate::queues::{Message, is_fifo};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How many groups of messages are taken in at the same time. A batch has up to 10,000 messages.
const CONCURRENT: usize = 32;

/// Why a batch as a whole can't be answered: then Lambda delivers all of it again, and what was taken in counts once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BatchError {
    /// It has no list of records, or a record that isn't a queue's.
    #[error("the event isn't one of SQS: Records must be a list of messages with eventSource aws:sqs")]
    NotOfSqs,
    /// What has to come again can't be named.
    #[error("not every message could be seen to, and one of those has no messageId")]
    Nameless,
}

/// A record of the event.
struct Record {
    message: Message,
    /// What can't be taken in whatever is done: why.
    broken: Option<String>,
    /// The queue's ARN.
    queue: String,
}

/// Takes in all messages of an event; the answer is Lambda's `{"batchItemFailures": […]}`. The event source mapping has
/// to have `ReportBatchItemFailures`.
///
/// In a FIFO queue whatever follows a message that has to come again, in the same group, comes again as well.
pub async fn answer(flow: &Arc<Flow>, event: &Value) -> Result<Value, BatchError> {
    let records = event["Records"].as_array().ok_or(BatchError::NotOfSqs)?;
    if records.iter().any(|record| record["eventSource"] != "aws:sqs") {
        return Err(BatchError::NotOfSqs);
    }
    let permits = Arc::new(Semaphore::new(CONCURRENT));
    let mut groups = JoinSet::new();
    for (place, group) in in_groups(records.iter().map(read), group_of)
        .into_iter()
        .enumerate()
    {
        let (flow, permits) = (Arc::clone(flow), Arc::clone(&permits));
        groups.spawn(async move {
            let _permit = permits.acquire_owned().await;
            (place, again(&flow, group).await)
        });
    }
    let mut failed = Vec::new();
    while let Some(group) = groups.join_next().await {
        // What panicked has lost its ids as well.
        failed.push(group.map_err(|_| BatchError::Nameless)?);
    }
    failed.sort();
    let mut failures = Vec::new();
    for id in failed.into_iter().flat_map(|(_, ids)| ids) {
        if id.is_empty() {
            return Err(BatchError::Nameless);
        }
        failures.push(json!({"itemIdentifier": id}));
    }
    Ok(json!({"batchItemFailures": failures}))
}

/// Takes in the messages of a group, one after another; gives the ids of those that have to come again.
async fn again(flow: &Flow, group: Vec<Record>) -> Vec<String> {
    let mut records = group.into_iter();
    while let Some(record) = records.next() {
        let taken = match record.broken {
            Some(reason) => Taken::Dead(reason),
            None => message::take_in(flow, &record.message.body).await,
        };
        if !message::settle(flow, "batch", &record.queue, &record.message, taken).await {
            let rest = records.map(|record| record.message.id);
            return std::iter::once(record.message.id).chain(rest).collect();
        }
    }
    Vec::new()
}

fn read(record: &Value) -> Record {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let body = record["body"].as_str();
    let message = Message {
        id: text("messageId"),
        receipt: String::new(),
        // What has no body is put away as it came.
        body: body.map_or_else(|| record.to_string(), str::to_owned),
        group: record["attributes"]["MessageGroupId"].as_str().map(str::to_owned),
    };
    Record {
        message,
        broken: body
            .is_none()
            .then(|| "the record has no body, or one that isn't text".to_owned()),
        queue: text("eventSourceARN"),
    }
}

/// Groups of a standard queue keep no order.
fn group_of(record: &Record) -> Option<String> {
    let fifo = is_fifo(&record.queue);
    record.message.group.clone().filter(|_| fifo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(queue: &str, messages: &[(&str, Option<&str>)]) -> Vec<Vec<String>> {
        let records = messages.iter().map(|(id, group)| {
            read(&json!({
                "messageId": id,
                "body": "{}",
                "attributes": group.map_or(json!({}), |group| json!({"MessageGroupId": group})),
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:123456789012:{queue}"),
            }))
        });
        let ids = |group: Vec<Record>| group.into_iter().map(|record| record.message.id).collect();
        in_groups(records, group_of).into_iter().map(ids).collect()
    }

    #[test]
    fn only_a_fifo_queue_keeps_its_groups_together() {
        let messages = [("1", Some("a")), ("2", Some("b")), ("3", Some("a")), ("4", None)];
        assert_eq!(
            groups("q.fifo", &messages),
            [vec!["1", "3"], vec!["2"], vec!["4"]]
        );
        assert_eq!(groups("q", &messages).len(), 4);
    }
}
