//! SES's events about mails, in a queue: put there by a rule of EventBridge, or by a topic of SNS. What is no such event
//! goes to the dead-letter queue, where an operator can see why.

use super::message::Taken;
use super::queue;
use crate::flow::Flow;
use crate::flow::mail_event::{self, MailEventError};
use std::sync::Arc;
use tokio::sync::watch;

/// Polls the queue at `url` for events until `stop` turns true, then finishes what was received.
pub async fn run(flow: Arc<Flow>, url: String, stop: watch::Receiver<bool>) {
    let take = |flow: Arc<Flow>, body: String| async move { take_in(&flow, &body).await };
    queue::run_with(flow, url, take, stop).await;
}

/// Takes the event in a message's body.
pub async fn take_in(flow: &Flow, body: &str) -> Taken {
    let Ok(event) = serde_json::from_str(body) else {
        return Taken::Dead("the message is no JSON".to_owned());
    };
    match mail_event::take(flow, &event).await {
        Ok(_) => Taken::In,
        Err(MailEventError::Malformed(why)) => Taken::Dead(why),
        Err(error @ MailEventError::Unavailable(_)) => {
            tracing::warn!(error = %error, "an event about a mail comes again");
            Taken::Later
        }
    }
}
