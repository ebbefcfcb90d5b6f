//! What the tests of queues and activities share: queues with dead letters, and the pollers of `serve` over them.

use super::harness::Harness;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use countersign::intake::Ways;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A queue and the one for its dead letters, by their addresses.
pub(crate) struct Queue {
    pub(crate) url: String,
    pub(crate) dead: String,
}

/// The pollers of a process that goes on until it is told to stop.
pub(crate) struct Polling {
    stop: watch::Sender<bool>,
    pollers: JoinHandle<()>,
}

impl Polling {
    /// Tells them to stop, as SIGTERM does, and waits until they have.
    pub(crate) async fn stop(self) {
        // Nobody listens where nothing is polled.
        let _ = self.stop.send(true);
        self.pollers.await.expect("they end without a panic");
    }
}

impl Harness {
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk)
    }

    /// Makes a queue whose messages go to another after five receives.
    pub(crate) async fn queue(&self, name: &str) -> Queue {
        let fifo = countersign::queues::is_fifo(name);
        let dead = self.plain_queue(&format!("dead-{name}"), fifo).await;
        let url = self.plain_queue(name, fifo).await;
        let arn = format!("arn:aws:sqs:us-east-1:123456789012:dead-{name}");
        let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 5}).to_string();
        let set = self.sqs().set_queue_attributes().queue_url(&url);
        let set = set.attributes(QueueAttributeName::RedrivePolicy, policy);
        set.send().await.expect("a redrive policy");
        Queue { url, dead }
    }

    /// Makes a queue without dead letters.
    pub(crate) async fn plain_queue(&self, name: &str, fifo: bool) -> String {
        let mut create = self.sqs().create_queue().queue_name(name);
        if fifo {
            create = create.attributes(QueueAttributeName::FifoQueue, "true");
            create = create.attributes(QueueAttributeName::ContentBasedDeduplication, "true");
        }
        create
            .send()
            .await
            .expect("a queue")
            .queue_url
            .expect("its address")
    }

    /// Sends a message.
    pub(crate) async fn send_to(&self, url: &str, body: &str) {
        let mut send = self.sqs().send_message().queue_url(url).message_body(body);
        if countersign::queues::is_fifo(url) {
            send = send.message_group_id("one");
        }
        send.send().await.expect("sent");
    }

    /// Everything that can be received now.
    pub(crate) async fn received(&self, url: &str) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let receive = self
                .sqs()
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(10);
            let receive = receive
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All);
            let messages = receive
                .send()
                .await
                .expect("an answer")
                .messages
                .unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            all.extend(messages);
        }
    }

    /// How many messages there are, received or not.
    pub(crate) async fn count(&self, url: &str) -> usize {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let asked = self.sqs().get_queue_attributes().queue_url(url);
        let asked = asked.set_attribute_names(Some(names.to_vec())).send().await;
        let counted = asked.expect("an answer").attributes.unwrap_or_default();
        counted
            .values()
            .map(|count| count.parse::<usize>().expect("a number"))
            .sum()
    }

    /// How many messages are left, received or not, and how many dead ones there are.
    pub(crate) async fn left(&self, queue: &Queue) -> (usize, usize) {
        (self.count(&queue.url).await, self.count(&queue.dead).await)
    }

    /// Polls as `serve` does.
    pub(crate) fn poll(&self, ways: Ways) -> Polling {
        let (stop, stopped) = watch::channel(false);
        let pollers = tokio::spawn(ways.run(Arc::clone(&self.flow), stopped));
        Polling { stop, pollers }
    }

    pub(crate) fn poll_queue(&self, queue: &Queue) -> Polling {
        self.poll(Ways {
            queues: vec![queue.url.clone()],
            ..Ways::default()
        })
    }
}

/// The reason that goes along with a dead letter.
pub(crate) fn reason(letter: &Message) -> &str {
    let attributes = letter.message_attributes.as_ref().expect("attributes");
    attributes["CountersignReason"].string_value().expect("text")
}

/// A machine of one state that asks Countersign by a queue. `more` is put into the state.
pub(crate) fn machine_over(queue: &Queue, request: &Value, more: Value) -> Value {
    let mut machine = super::harness::approval_machine(request, more);
    let state = &mut machine["States"]["Ask"];
    state["Resource"] = json!("arn:aws:states:::sqs:sendMessage.waitForTaskToken");
    state["Parameters"] = json!({"QueueUrl": queue.url, "MessageBody": state["Parameters"]["Payload"]});
    machine
}
