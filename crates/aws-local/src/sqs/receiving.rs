//! ReceiveMessage, and what a receiver does with a message: delete it, or change for how long nobody else
//! sees it.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::attributes;
use super::content::{self, Attributes};
use super::refusal::{invalid, invalid_receipt, invalid_value, missing, no_such_queue, not_in_flight};
use super::sending::{batch_answer, check_ids, sequence_number};
use super::store::{self, Message, Queue};
use super::{Sqs, is_fifo, queue_arn, queue_name};
use crate::error::{Answer, AwsError};

/// The longest that a message stays unseen, in seconds.
const LONGEST: i64 = 43_200;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Option<Vec<String>>,
    #[serde(default)]
    message_system_attribute_names: Option<Vec<String>>,
    #[serde(default)]
    message_attribute_names: Option<Vec<String>>,
    #[serde(default)]
    max_number_of_messages: Option<i64>,
    #[serde(default)]
    visibility_timeout: Option<i64>,
    #[serde(default)]
    wait_time_seconds: Option<i64>,
}

/// What a look at a queue gave.
struct Look {
    messages: Vec<Message>,
    /// When the next message can be received, where none can be now.
    next: Option<i64>,
    /// How long the queue lets receivers wait who don't say, in milliseconds.
    wait: i64,
    /// The dead-letter queue that got messages.
    fed: Option<String>,
}

pub(super) async fn receive(sqs: &Sqs, request: Receive) -> Result<Answer, AwsError> {
    let name = queue_name(request.queue_url.as_deref())?.to_owned();
    let most = within(request.max_number_of_messages, "MaxNumberOfMessages", (1, 10))?.unwrap_or(1);
    let wait = within(request.wait_time_seconds, "WaitTimeSeconds", (0, 20))?;
    let hidden = within(request.visibility_timeout, "VisibilityTimeout", (0, LONGEST))?;
    let began = sqs.now();
    loop {
        // Before the look, so that nothing that comes after it is missed.
        let waiting = Arc::clone(sqs.waiting().entry(name.clone()).or_default());
        let mut notified = std::pin::pin!(waiting.notified());
        notified.as_mut().enable();
        let (queue, now) = (name.clone(), sqs.now());
        let receipts: Vec<String> = (0..most).map(|_| sqs.source.uuid()).collect();
        let looked = sqs
            .store
            .write(move |transaction| look(transaction, &queue, receipts, hidden, now))
            .await?;
        let look = match looked {
            Ok(look) => look,
            Err(error) => {
                sqs.waiting().remove(&name);
                return Err(error);
            }
        };
        if let Some(fed) = &look.fed {
            sqs.wake(fed);
        }
        let until = began + wait.map_or(look.wait, |seconds| seconds * 1000);
        if !look.messages.is_empty() {
            let shown: Vec<Value> = look
                .messages
                .iter()
                .map(|message| request.show(&name, message))
                .collect();
            return Ok(json!({"Messages": shown}).into());
        }
        let now = sqs.now();
        if now >= until {
            return Ok(json!({}).into());
        }
        let pause = look.next.map_or(until, |next| next.min(until)) - now;
        let pause = Duration::from_millis(u64::try_from(pause.max(1)).unwrap_or(1));
        tokio::select! {
            () = notified => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn within(given: Option<i64>, name: &str, (least, most): (i64, i64)) -> Result<Option<i64>, AwsError> {
    match given {
        Some(value) if !(least..=most).contains(&value) => Err(invalid_value(
            name,
            value,
            &format!("Must be >= {least} and <= {most}, if provided."),
        )),
        given => Ok(given),
    }
}

/// Takes as many messages as there are receipts for, and puts away what was received too often.
fn look(
    transaction: &Transaction<'_>,
    name: &str,
    receipts: Vec<String>,
    hidden: Option<i64>,
    now: i64,
) -> rusqlite::Result<Result<Look, AwsError>> {
    let Some(queue) = store::queue(transaction, name)? else {
        return Ok(Err(no_such_queue()));
    };
    store::expire(transaction, &queue, now)?;
    let redrive = attributes::redrive(&queue.attributes);
    let hidden = hidden.map_or_else(
        || queue.milliseconds("VisibilityTimeout"),
        |seconds| seconds * 1000,
    );
    let mut look = Look {
        messages: Vec::new(),
        next: None,
        wait: queue.milliseconds("ReceiveMessageWaitTimeSeconds"),
        fed: None,
    };
    let messages = loop {
        let messages = store::next(transaction, name, queue.is_fifo(), now, receipts.len())?;
        let mut stayed = true;
        for message in &messages {
            let dead = redrive
                .as_ref()
                .filter(|redrive| message.receives >= redrive.most && redrive.target != name);
            let Some(dead) = dead else { continue };
            if store::queue(transaction, &dead.target)?.is_none() {
                continue;
            }
            let moved = Message {
                receipt: None,
                source: Some(queue_arn(name)),
                ..message.clone()
            };
            store::update(transaction, &dead.target, &moved)?;
            look.fed = Some(dead.target.clone());
            stayed = false;
        }
        if stayed {
            break messages;
        }
    };
    for (mut message, receipt) in messages.into_iter().zip(receipts) {
        message.receipt = Some(receipt);
        message.receives += 1;
        message.first_received.get_or_insert(now);
        message.visible = now + hidden;
        store::update(transaction, name, &message)?;
        look.messages.push(message);
    }
    if look.messages.is_empty() {
        look.next = store::next_time(transaction, name, now)?;
    }
    Ok(Ok(look))
}

impl Receive {
    /// A message as its receiver gets it.
    fn show(&self, queue: &str, message: &Message) -> Value {
        let mut shown = json!({
            "MessageId": message.message,
            "ReceiptHandle": handle(queue, message),
            "MD5OfBody": content::md5_of_body(&message.body),
            "Body": message.body,
        });
        let asked = |name: &str| {
            let both = [&self.attribute_names, &self.message_system_attribute_names];
            let mut names = both.into_iter().flatten().flatten();
            names.any(|asked| asked == "All" || asked == name)
        };
        let fifo = is_fifo(queue);
        let system = [
            ("SenderId", Some("AIDAEMBEDDEDEMBEDDED1".to_owned())),
            ("SentTimestamp", Some(message.sent.to_string())),
            ("ApproximateReceiveCount", Some(message.receives.to_string())),
            (
                "ApproximateFirstReceiveTimestamp",
                message.first_received.map(|at| at.to_string()),
            ),
            ("SequenceNumber", fifo.then(|| sequence_number(message.id))),
            ("MessageDeduplicationId", message.deduplication.clone()),
            ("MessageGroupId", message.group.clone()),
            ("AWSTraceHeader", message.trace.clone()),
            ("DeadLetterQueueSourceArn", message.source.clone()),
        ];
        let system: Map<String, Value> = system
            .into_iter()
            .filter(|(name, _)| asked(name))
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
            .collect();
        if !system.is_empty() {
            shown["Attributes"] = system.into();
        }
        let attributes: Attributes = message
            .attributes
            .iter()
            .filter(|(name, _)| self.wants(name))
            .map(|(name, attribute)| (name.clone(), attribute.clone()))
            .collect();
        if let Some(md5) = content::md5_of_attributes(&attributes) {
            shown["MD5OfMessageAttributes"] = md5.into();
            shown["MessageAttributes"] = json!(attributes);
        }
        shown
    }

    /// Whether the receiver asked for the sender's attribute `name`: by name, by `bar.*`, or for all.
    fn wants(&self, name: &str) -> bool {
        self.message_attribute_names.iter().flatten().any(|asked| {
            asked == "All"
                || asked == name
                || asked
                    .strip_suffix(".*")
                    .is_some_and(|prefix| name.starts_with(prefix))
        })
    }
}

/// What a receiver holds of one receive of a message.
fn handle(queue: &str, message: &Message) -> String {
    let receipt = message.receipt.as_deref().unwrap_or_default();
    data_encoding::BASE64.encode(format!("{queue} {} {receipt}", message.id).as_bytes())
}

/// The message's number and the receipt in a handle.
fn read_handle(queue: &str, handle: Option<&str>) -> Result<(i64, String), AwsError> {
    let handle = handle
        .filter(|handle| !handle.is_empty())
        .ok_or_else(|| missing("ReceiptHandle"))?;
    let decoded = data_encoding::BASE64.decode(handle.as_bytes()).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let read = decoded.as_deref().and_then(|text| {
        let mut words = text.split(' ');
        let (of, id, receipt) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        (of == queue).then(|| (id, receipt.to_owned()))
    });
    read.ok_or_else(|| invalid_receipt(handle))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Handled {
    queue_url: Option<String>,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HandledBatch {
    queue_url: Option<String>,
    #[serde(default)]
    entries: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    id: Option<String>,
    receipt_handle: Option<String>,
    #[serde(default)]
    visibility_timeout: Option<i64>,
}

/// What is done to one message at a time of day.
type Work = fn(&Transaction<'_>, &Queue, &Entry, i64) -> rusqlite::Result<Result<(), AwsError>>;

/// Does `work` to each entry, in one transaction.
async fn each(
    sqs: &Sqs,
    name: String,
    entries: Vec<Entry>,
    work: Work,
) -> Result<Vec<Result<Value, AwsError>>, AwsError> {
    let (now, queue) = (sqs.now(), name.clone());
    let results = sqs
        .store
        .write(move |transaction| {
            let Some(queue) = store::queue(transaction, &queue)? else {
                return Ok(Err(no_such_queue()));
            };
            let results: rusqlite::Result<Vec<_>> = entries
                .iter()
                .map(|entry| Ok(work(transaction, &queue, entry, now)?.map(|()| json!({}))))
                .collect();
            results.map(Ok)
        })
        .await??;
    // A group of a FIFO queue may go on, a message may be seen again.
    sqs.wake(&name);
    Ok(results)
}

async fn one(sqs: &Sqs, request: Handled, work: Work) -> Result<Answer, AwsError> {
    let name = queue_name(request.queue_url.as_deref())?.to_owned();
    let mut results = each(sqs, name, vec![request.entry], work).await?;
    results.pop().unwrap_or(Ok(json!({}))).map(Answer::from)
}

async fn batch(sqs: &Sqs, request: HandledBatch, kind: &str, work: Work) -> Result<Answer, AwsError> {
    let name = queue_name(request.queue_url.as_deref())?.to_owned();
    let entries = request.entries.unwrap_or_default();
    let ids = check_ids(kind, entries.iter().map(|entry| entry.id.as_deref()))?;
    let results = each(sqs, name, entries, work).await?;
    Ok(batch_answer(ids, results).into())
}

pub(super) async fn delete(sqs: &Sqs, request: Handled) -> Result<Answer, AwsError> {
    one(sqs, request, remove).await
}

pub(super) async fn delete_batch(sqs: &Sqs, request: HandledBatch) -> Result<Answer, AwsError> {
    batch(sqs, request, "DeleteMessageBatchRequestEntry", remove).await
}

pub(super) async fn change(sqs: &Sqs, request: Handled) -> Result<Answer, AwsError> {
    one(sqs, request, hide).await
}

pub(super) async fn change_batch(sqs: &Sqs, request: HandledBatch) -> Result<Answer, AwsError> {
    batch(sqs, request, "ChangeMessageVisibilityBatchRequestEntry", hide).await
}

/// Deletes a message. With the handle of an earlier receive a standard queue says yes and deletes nothing; a
/// FIFO queue refuses a handle whose time has passed.
fn remove(
    transaction: &Transaction<'_>,
    queue: &Queue,
    entry: &Entry,
    now: i64,
) -> rusqlite::Result<Result<(), AwsError>> {
    let (id, receipt) = match read_handle(&queue.name, entry.receipt_handle.as_deref()) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    let Some(message) = store::message(transaction, &queue.name, id)? else {
        return Ok(Ok(()));
    };
    let current = message.receipt.as_deref() == Some(receipt.as_str());
    if queue.is_fifo() && (!current || message.visible <= now) {
        return Ok(Err(invalid_value(
            "ReceiptHandle",
            entry.receipt_handle.as_deref().unwrap_or_default(),
            "The receipt handle has expired.",
        )));
    }
    if current {
        store::remove(transaction, id)?;
    }
    Ok(Ok(()))
}

/// Begins the time anew in which nobody else sees a message.
fn hide(
    transaction: &Transaction<'_>,
    queue: &Queue,
    entry: &Entry,
    now: i64,
) -> rusqlite::Result<Result<(), AwsError>> {
    let Some(seconds) = entry.visibility_timeout else {
        return Ok(Err(missing("VisibilityTimeout")));
    };
    if !(0..=LONGEST).contains(&seconds) {
        return Ok(Err(invalid(format!(
            "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and {LONGEST}."
        ))));
    }
    let (id, receipt) = match read_handle(&queue.name, entry.receipt_handle.as_deref()) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    let handle = entry.receipt_handle.as_deref().unwrap_or_default();
    let message = store::message(transaction, &queue.name, id)?;
    match message.filter(|message| message.receipt.as_deref() == Some(receipt.as_str())) {
        None => Ok(Err(invalid_value(
            "ReceiptHandle",
            handle,
            "Message does not exist or is not available for visibility timeout change.",
        ))),
        Some(message) if message.visible <= now => Ok(Err(not_in_flight())),
        Some(mut message) => {
            message.visible = now + seconds * 1000;
            store::update(transaction, &queue.name, &message)?;
            Ok(Ok(()))
        }
    }
}
