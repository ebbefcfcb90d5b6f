//! SQS: receiving requests, deleting what was taken in, putting away what can't be, and sending (with a delay). Every error
//! is classified here, where it happens: worth repeating, or for an operator to mend.
//!
//! A message's body holds a task token. It is never part of an error or of a log line.

use crate::aws_error::sorted;
use crate::aws_faults::{Class, Service};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::Value;
use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The most messages that one call receives or deletes (SQS quotas).
pub const BATCH: usize = 10;
/// How long a call waits for a message: the longest that SQS allows.
const WAIT: Duration = Duration::from_secs(20);
/// How much longer than [`WAIT`] its answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// The longest reason that goes along with a message, in characters.
const LONGEST_REASON: usize = 1_000;
/// How much of a body is kept that the dead-letter queue finds too long, in bytes.
const CUT_BODY: usize = 64 * 1024;

/// The calls that Countersign makes of SQS. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
    /// The dead-letter queue that the configuration names, for all queues.
    configured: Option<Arc<str>>,
    /// Dead-letter queues by the addresses and ARNs of their queues, once they were asked for.
    known: Arc<Mutex<HashMap<String, String>>>,
}

/// A message as it was received.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// What it is deleted by; changes with every receive.
    pub receipt: String,
    /// What was sent.
    pub body: String,
    /// Its group: within one, a FIFO queue keeps the order.
    pub group: Option<String>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, group, .. } = self;
        write!(f, "Message {{ id: {id:?}, group: {group:?}, .. }}")
    }
}

/// Why a call about a queue didn't do what it should.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueueError {
    /// Worth repeating: throttled, out of order, or no answer. It may have taken effect.
    #[error("SQS {operation} failed: {code}")]
    Again {
        /// The operation.
        operation: &'static str,
        /// AWS's error code, or what went wrong on the way.
        code: String,
    },
    /// Repeating it would give the same: a permission is missing, or the queue, or its key.
    #[error("SQS {operation} was refused: {code}: {message}")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// AWS's error code.
        code: String,
        /// What AWS says.
        message: String,
    },
}

impl Queues {
    /// Over `client`.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            configured: None,
            known: Arc::default(),
        }
    }

    /// With one dead-letter queue for all queues, by its address, whatever their redrive policies say.
    pub fn with_dead_letter_queue(mut self, url: Option<&str>) -> Self {
        self.configured = url.map(Arc::from);
        self
    }

    /// Receives up to [`BATCH`] messages; waits up to twenty seconds for the first.
    ///
    /// The SDK doesn't repeat it: who polls does, after a pause.
    pub async fn receive(&self, url: &str) -> Result<Vec<Message>, QueueError> {
        let call = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(BATCH).unwrap_or(1))
            .wait_time_seconds(i32::try_from(WAIT.as_secs()).unwrap_or(0))
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
        let patient = TimeoutConfig::builder()
            .read_timeout(WAIT + ANSWER)
            .operation_timeout(WAIT + 2 * ANSWER)
            .build();
        let patient = aws_sdk_sqs::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(patient);
        let received = call.customize().config_override(patient).send().await;
        let received = received.map_err(|error| classify("ReceiveMessage", &error))?;
        let messages = received.messages.unwrap_or_default().into_iter();
        Ok(messages
            .map(|message| {
                let mut attributes = message.attributes.unwrap_or_default();
                Message {
                    id: message.message_id.unwrap_or_default(),
                    receipt: message.receipt_handle.unwrap_or_default(),
                    body: message.body.unwrap_or_default(),
                    group: attributes.remove(&MessageSystemAttributeName::MessageGroupId),
                }
            })
            .collect())
    }

    /// Deletes messages. One that couldn't be deleted comes again.
    pub async fn delete(&self, url: &str, messages: &[Message]) -> Result<(), QueueError> {
        for batch in messages.chunks(BATCH) {
            let entry = |(n, message): (usize, &Message)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(n.to_string())
                    .receipt_handle(&message.receipt)
                    .build()
                    .expect("id and receipt are set")
            };
            let entries: Vec<_> = batch.iter().enumerate().map(entry).collect();
            let call = self.client.delete_message_batch().queue_url(url);
            let deleted = call.set_entries(Some(entries)).send().await;
            let deleted = deleted.map_err(|error| classify("DeleteMessageBatch", &error))?;
            for failed in deleted.failed() {
                tracing::warn!(
                    aws.operation = "DeleteMessageBatch",
                    aws.error.code = failed.code(),
                    "a message couldn't be deleted; it comes again"
                );
            }
        }
        Ok(())
    }

    /// Sends a message, which can be received after `delay`: whole seconds, at most 15 minutes.
    pub async fn send(&self, url: &str, body: &str, delay: Duration) -> Result<(), QueueError> {
        let call = self.client.send_message().queue_url(url).message_body(body);
        let delay = i32::try_from(delay.as_secs().min(900)).unwrap_or(900);
        let sent = call.delay_seconds(delay).send().await;
        sent.map(drop).map_err(|error| classify("SendMessage", &error))
    }

    /// The address of the queue with this ARN.
    pub async fn url_of(&self, arn: &str) -> Result<String, QueueError> {
        let operation = "GetQueueUrl";
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "sqs", _, account, name] = parts[..] else {
            return Err(QueueError::Refused {
                operation,
                code: "InvalidAddress".to_owned(),
                message: "that isn't the ARN of a queue".to_owned(),
            });
        };
        let call = self.client.get_queue_url().queue_name(name);
        let found = call.queue_owner_aws_account_id(account).send().await;
        let found = found.map_err(|error| classify(operation, &error))?;
        Ok(found.queue_url.unwrap_or_default())
    }

    /// The address of the queue where messages of `queue` (its address or its ARN) go that can't be taken in: the one
    /// that the configuration names, or else the one of the queue's own redrive policy. `None` where there is neither.
    pub async fn dead_letters_of(&self, queue: &str) -> Result<Option<String>, QueueError> {
        if let Some(url) = &self.configured {
            return Ok(Some(url.to_string()));
        }
        if let Some(url) = self.known().get(queue) {
            return Ok(Some(url.clone()));
        }
        let url = if queue.starts_with("arn:") {
            self.url_of(queue).await?
        } else {
            queue.to_owned()
        };
        let call = self.client.get_queue_attributes().queue_url(url);
        let asked = call
            .attribute_names(QueueAttributeName::RedrivePolicy)
            .send()
            .await;
        let asked = asked.map_err(|error| classify("GetQueueAttributes", &error))?;
        let policy = asked
            .attributes()
            .and_then(|all| all.get(&QueueAttributeName::RedrivePolicy));
        let policy: Value = policy
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let Some(arn) = policy["deadLetterTargetArn"].as_str() else {
            return Ok(None);
        };
        let dead = self.url_of(arn).await?;
        self.known().insert(queue.to_owned(), dead.clone());
        Ok(Some(dead))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message of `queue` on to the dead-letter queue `dead`, with the reason in the attribute
    /// `CountersignReason`. A body that is too long to go there is cut, and `CountersignBodyBytes` says how long it was.
    pub async fn put_away(
        &self,
        dead: &str,
        queue: &str,
        message: &Message,
        reason: &str,
    ) -> Result<(), QueueError> {
        let mut put = self.put(dead, queue, message, &message.body, reason).await;
        if let Err(QueueError::Refused { code, .. }) = &put
            && message.body.len() > CUT_BODY
            && code.starts_with("InvalidParameterValue")
        {
            // Whatever is wrong with a parameter, it is the length of the body: all else is made here.
            let cut = &message.body[..message.body.floor_char_boundary(CUT_BODY)];
            put = self.put(dead, queue, message, cut, reason).await;
        }
        if matches!(put, Err(QueueError::Refused { .. })) {
            // It may not be that queue any more.
            self.known().remove(queue);
        }
        put
    }

    async fn put(
        &self,
        dead: &str,
        queue: &str,
        message: &Message,
        body: &str,
        reason: &str,
    ) -> Result<(), QueueError> {
        let mut call = self.client.send_message().queue_url(dead);
        // A message without text can't be sent.
        call = call.message_body(if body.is_empty() {
            "(empty)".to_owned()
        } else {
            with_what_sqs_takes(body, '\u{fffd}')
        });
        let attributes = [
            ("CountersignReason", sendable(reason)),
            ("CountersignQueue", sendable(queue)),
            ("CountersignMessageId", sendable(&message.id)),
        ];
        let cut = (body.len() < message.body.len())
            .then(|| ("CountersignBodyBytes", message.body.len().to_string()));
        for (name, value) in attributes.into_iter().chain(cut) {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value);
            call = call.message_attributes(name, value.build().expect("the type is set"));
        }
        if is_fifo(dead) {
            let group = message.group.as_deref().unwrap_or(&message.id);
            call = call.message_group_id(group).message_deduplication_id(&message.id);
        }
        let sent = call.send().await;
        sent.map(drop).map_err(|error| classify("SendMessage", &error))
    }
}

/// Text as an attribute may hold it: neither empty nor long.
fn sendable(text: &str) -> String {
    let cut: String = text.chars().take(LONGEST_REASON).collect();
    if cut.is_empty() {
        "(none)".to_owned()
    } else {
        with_what_sqs_takes(&cut, ' ')
    }
}

/// Text with `other` for characters that SQS doesn't take. What was received has none.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn with_what_sqs_takes(text: &str, other: char) -> String {
    let takes = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if takes(c) { c } else { other }).collect()
}

/// Whether a queue is a FIFO queue, by its name, its address or its ARN.
pub fn is_fifo(queue: &str) -> bool {
    queue.strip_suffix(".fifo").is_some()
}

fn classify<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> QueueError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (code, class) = sorted(Service::Sqs, error);
    match class {
        Class::Again | Class::Unclear => QueueError::Again { operation, code },
        Class::Mend | Class::Refused | Class::Closed | Class::Conflict => QueueError::Refused {
            operation,
            message: error.message().unwrap_or_default().to_owned(),
            code,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_prints_nothing_that_was_sent() {
        let message = Message {
            id: "1".into(),
            receipt: "receipt".into(),
            body: "canary".into(),
            group: None,
        };
        let shown = format!("{message:?}");
        assert!(!shown.contains("canary") && !shown.contains("receipt"), "{shown}");
    }

    #[test]
    fn an_attribute_holds_what_sqs_takes() {
        assert_eq!(sendable("title: is\u{7}missing\u{ffff}"), "title: is missing ");
        assert_eq!(sendable(""), "(none)");
        assert_eq!(sendable(&"é".repeat(2_000)).chars().count(), LONGEST_REASON);
    }
}
