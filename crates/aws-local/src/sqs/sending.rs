//! SendMessage and SendMessageBatch.

use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::attributes::{self, LARGEST};
use super::content::{self, Attributes};
use super::refusal::{
    batch_too_long, empty_batch, entry_code, invalid, invalid_id, invalid_value, missing, no_such_queue,
    repeated_id, too_many_entries,
};
use super::store::{self, Message, Queue};
use super::{Sqs, queue_name};
use crate::error::{Answer, AwsError};

/// The most entries of a batch.
const BATCH: usize = 10;
/// How long a deduplication id is remembered, in milliseconds.
const REMEMBERED: i64 = 5 * 60 * 1000;
/// The first sequence number; they have 20 digits.
const FIRST_NUMBER: u64 = 10_000_000_000_000_000_000;

/// A message as it is sent.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sent {
    message_body: Option<String>,
    #[serde(default)]
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: Option<Attributes>,
    #[serde(default)]
    message_system_attributes: Option<Attributes>,
    #[serde(default)]
    message_deduplication_id: Option<String>,
    #[serde(default)]
    message_group_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Send {
    queue_url: Option<String>,
    #[serde(flatten)]
    sent: Sent,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendBatch {
    queue_url: Option<String>,
    #[serde(default)]
    entries: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: Option<String>,
    #[serde(flatten)]
    sent: Sent,
}

pub(super) async fn send(sqs: &Sqs, request: Send) -> Result<Answer, AwsError> {
    let queue = queue_name(request.queue_url.as_deref())?.to_owned();
    let (now, id, name) = (sqs.now(), sqs.source.uuid(), queue.clone());
    let told = sqs
        .store
        .write(move |transaction| {
            let Some(queue) = store::queue(transaction, &name)? else {
                return Ok(Err(no_such_queue()));
            };
            store::expire(transaction, &queue, now)?;
            take(transaction, &queue, request.sent, id, now)
        })
        .await??;
    sqs.wake(&queue);
    Ok(told.into())
}

pub(super) async fn send_batch(sqs: &Sqs, request: SendBatch) -> Result<Answer, AwsError> {
    let queue = queue_name(request.queue_url.as_deref())?.to_owned();
    let entries = request.entries.unwrap_or_default();
    let ids = check_ids(
        "SendMessageBatchRequestEntry",
        entries.iter().map(|entry| entry.id.as_deref()),
    )?;
    let total: u64 = entries.iter().map(|entry| entry.sent.size()).sum();
    if total > LARGEST {
        let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        return Err(batch_too_long(bytes(LARGEST), bytes(total)));
    }
    let (now, name) = (sqs.now(), queue.clone());
    let entries: Vec<_> = entries
        .into_iter()
        .map(|entry| (entry.sent, sqs.source.uuid()))
        .collect();
    let results = sqs
        .store
        .write(move |transaction| {
            let Some(queue) = store::queue(transaction, &name)? else {
                return Ok(Err(no_such_queue()));
            };
            store::expire(transaction, &queue, now)?;
            let results: rusqlite::Result<Vec<_>> = entries
                .into_iter()
                .map(|(sent, id)| take(transaction, &queue, sent, id, now))
                .collect();
            results.map(Ok)
        })
        .await??;
    sqs.wake(&queue);
    Ok(batch_answer(ids, results).into())
}

/// The ids of a batch's entries, if they are right.
pub(super) fn check_ids<'a>(
    entry: &str,
    given: impl Iterator<Item = Option<&'a str>>,
) -> Result<Vec<String>, AwsError> {
    let mut ids: Vec<String> = Vec::new();
    for id in given {
        let id = id.ok_or_else(|| missing(&format!("{entry}.{}.Id", ids.len() + 1)))?;
        let right = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > 80 || !id.chars().all(right) {
            return Err(invalid_id());
        }
        ids.push(id.to_owned());
    }
    if ids.is_empty() {
        return Err(empty_batch(entry));
    }
    if ids.len() > BATCH {
        return Err(too_many_entries(ids.len()));
    }
    let repeated = ids.iter().enumerate().find(|(n, id)| ids[..*n].contains(id));
    match repeated {
        Some((_, id)) => Err(repeated_id(id)),
        None => Ok(ids),
    }
}

/// What became of each entry of a batch.
pub(super) fn batch_answer(ids: Vec<String>, results: Vec<Result<Value, AwsError>>) -> Value {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, result) in ids.into_iter().zip(results) {
        match result {
            Ok(mut told) => {
                told["Id"] = id.into();
                successful.push(told);
            }
            Err(error) => failed.push(json!({
                "Id": id,
                "SenderFault": true,
                "Code": entry_code(&error),
                "Message": error.message(),
            })),
        }
    }
    let mut answer = json!({});
    if !successful.is_empty() {
        answer["Successful"] = successful.into();
    }
    if !failed.is_empty() {
        answer["Failed"] = failed.into();
    }
    answer
}

impl Sent {
    fn size(&self) -> u64 {
        let none = Attributes::new();
        let attributes = self.message_attributes.as_ref().unwrap_or(&none);
        content::size(self.message_body.as_deref().unwrap_or_default(), attributes)
    }

    /// Checks it for `queue`; its delay in seconds, where it has one of its own.
    fn check(&self, queue: &Queue) -> Result<Option<i64>, AwsError> {
        let none = Attributes::new();
        content::check(
            self.message_body.as_deref(),
            self.message_attributes.as_ref().unwrap_or(&none),
        )?;
        let limit = attributes::number(&queue.attributes, "MaximumMessageSize");
        if self.size() > limit {
            return Err(invalid(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            )));
        }
        let system = self.message_system_attributes.as_ref().unwrap_or(&none);
        if let Some(name) = system.keys().find(|name| *name != "AWSTraceHeader") {
            return Err(invalid(format!(
                "The message system attribute '{name}' is not supported."
            )));
        }
        let other_kind = "The request include parameter that is not valid for this queue type";
        for (parameter, value) in [
            ("MessageGroupId", &self.message_group_id),
            ("MessageDeduplicationId", &self.message_deduplication_id),
        ] {
            if let Some(value) = value
                && !is_id(value)
            {
                return Err(invalid_value(
                    parameter,
                    value,
                    &format!(
                        "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
                    ),
                ));
            }
        }
        if queue.is_fifo() {
            if self.message_group_id.is_none() {
                return Err(missing("MessageGroupId"));
            }
            if self.message_deduplication_id.is_none()
                && !attributes::flag(&queue.attributes, "ContentBasedDeduplication", "true")
            {
                return Err(invalid(
                    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
                ));
            }
            if let Some(delay) = self.delay_seconds.filter(|delay| *delay != 0) {
                return Err(invalid_value("DelaySeconds", delay, other_kind));
            }
            return Ok(None);
        }
        if let Some(id) = &self.message_deduplication_id {
            return Err(invalid_value("MessageDeduplicationId", id, other_kind));
        }
        match self.delay_seconds {
            Some(delay) if !(0..=900).contains(&delay) => Err(invalid_value(
                "DelaySeconds",
                delay,
                "DelaySeconds must be >= 0 and <= 900.",
            )),
            delay => Ok(delay),
        }
    }
}

/// Ids of groups and of deduplication.
fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic())
}

/// Takes a message in; what is told of it.
fn take(
    transaction: &Transaction<'_>,
    queue: &Queue,
    sent: Sent,
    id: String,
    now: i64,
) -> rusqlite::Result<Result<Value, AwsError>> {
    let delay = match sent.check(queue) {
        Ok(delay) => delay.map_or_else(|| queue.milliseconds("DelaySeconds"), |delay| delay * 1000),
        Err(error) => return Ok(Err(error)),
    };
    let attributes = sent.message_attributes.unwrap_or_default();
    let system = sent.message_system_attributes.unwrap_or_default();
    let body = sent.message_body.unwrap_or_default();
    let deduplication = sent.message_deduplication_id.or_else(|| {
        queue
            .is_fifo()
            .then(|| data_encoding::HEXLOWER.encode(&Sha256::digest(&body)))
    });
    let by_group = attributes::flag(&queue.attributes, "DeduplicationScope", "messageGroup");
    let scope = sent
        .message_group_id
        .clone()
        .filter(|_| by_group)
        .unwrap_or_default();
    let message = Message {
        id: 0,
        message: id,
        body,
        trace: system
            .get("AWSTraceHeader")
            .and_then(|trace| trace.text())
            .map(str::to_owned),
        sent: now,
        visible: now + delay,
        first_received: None,
        receives: 0,
        receipt: None,
        group: sent.message_group_id,
        deduplication,
        source: None,
        attributes,
    };
    let (id, number) = match message.deduplication.as_deref().filter(|_| queue.is_fifo()) {
        None => {
            let number = store::add(transaction, &queue.name, &message)?;
            (message.message, number)
        }
        Some(deduplication) => {
            let key = (scope.as_str(), deduplication);
            let before = store::duplicate(transaction, &queue.name, key, now)?;
            if let Some(before) = before {
                before
            } else {
                let number = store::add(transaction, &queue.name, &message)?;
                let told = (message.message.as_str(), number);
                store::remember(transaction, &queue.name, key, told, now + REMEMBERED)?;
                (message.message, number)
            }
        }
    };
    let mut told = json!({"MD5OfMessageBody": content::md5_of_body(&message.body), "MessageId": id});
    if let Some(md5) = content::md5_of_attributes(&message.attributes) {
        told["MD5OfMessageAttributes"] = md5.into();
    }
    if let Some(md5) = content::md5_of_attributes(&system) {
        told["MD5OfMessageSystemAttributes"] = md5.into();
    }
    if queue.is_fifo() {
        told["SequenceNumber"] = sequence_number(number).into();
    }
    Ok(Ok(told))
}

pub(super) fn sequence_number(number: i64) -> String {
    (FIRST_NUMBER + u64::try_from(number).unwrap_or(0)).to_string()
}
