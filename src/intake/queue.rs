//! The poller of `serve` and `local`: takes messages from a queue by long polling and deletes what is done with. What
//! isn't stays in the queue, and comes again once the queue's own visibility time-out is over; nothing is extended.
//!
//! While there is little to do one poll is open; while polls come back full there are several. After a fault it asks
//! whether the table answers before it receives again, so that an outage uses up no receives: a redrive policy would
//! take good requests for bad ones.

use super::message::{self, Taken, in_groups};
use super::pause::{Pause, is_stopped, rest_for, stopped};
use crate::flow::Flow;
use crate::queues::{BATCH, Message, QueueError, is_fifo};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many polls of a queue are open at most.
const MOST_POLLS: usize = 8;
/// How long a queue without dead letters is left alone before it is looked at again.
const WITHOUT_DEAD_LETTERS: Duration = Duration::from_mins(1);

/// What a poll came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Polled {
    /// No message was there.
    Nothing,
    /// Some were; all are done with.
    Some,
    /// As many as one call receives; all are done with.
    Full,
    /// SQS didn't answer, or a message has to come again.
    Fault,
}

/// Polls the queue at `url` for requests until `stop` turns true, then finishes what was received.
pub async fn run(flow: Arc<Flow>, url: String, stop: watch::Receiver<bool>) {
    let take = |flow: Arc<Flow>, body: String| async move { message::take_in(&flow, &body).await };
    run_with(flow, url, take, stop).await;
}

/// Polls the queue at `url` and has `take` see to the messages' bodies, until `stop` turns true; then finishes what was
/// received.
pub async fn run_with<T, F>(flow: Arc<Flow>, url: String, take: T, mut stop: watch::Receiver<bool>)
where
    T: Fn(Arc<Flow>, String) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Taken> + Send + 'static,
{
    let mut pause = Pause::default();
    let mut polls: JoinSet<Polled> = JoinSet::new();
    let mut wanted = 1;
    let mut ready = false;
    while !is_stopped(&stop) {
        if !ready {
            ready = may_be_polled(&flow, &url, &mut pause, &mut stop).await;
            continue;
        }
        while polls.len() < wanted {
            let (flow, url, take, stop) = (Arc::clone(&flow), url.clone(), take.clone(), stop.clone());
            polls.spawn(async move { poll(&flow, &url, &take, stop).await });
        }
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(ended) = polls.join_next() => match ended.unwrap_or(Polled::Fault) {
                Polled::Full => (wanted, pause) = ((wanted + 1).min(MOST_POLLS), Pause::default()),
                Polled::Some => pause = Pause::default(),
                Polled::Nothing => (wanted, pause) = (wanted.saturating_sub(1).max(1), Pause::default()),
                Polled::Fault => {
                    wanted = 1;
                    pause.rest(&flow.random, &mut stop).await;
                    ready = false;
                }
            }
        }
    }
    while polls.join_next().await.is_some() {}
}

/// Whether there is a place for what can't be taken in, and a table for what can; waits a while when there isn't.
async fn may_be_polled(flow: &Flow, url: &str, pause: &mut Pause, stop: &mut watch::Receiver<bool>) -> bool {
    match flow.queues.dead_letters_of(url).await {
        Ok(Some(dead)) if dead != url => {}
        Ok(_) => {
            tracing::error!(
                queue = url,
                "a queue without a dead-letter queue isn't polled: give it a RedrivePolicy, or set dead_letter_queue"
            );
            rest_for(WITHOUT_DEAD_LETTERS, stop).await;
            return false;
        }
        Err(error) => {
            tell(url, &error);
            pause.rest(&flow.random, stop).await;
            return false;
        }
    }
    if let Err(error) = flow.store.ping().await {
        tracing::warn!(queue = url, error = %error, "the table doesn't answer: nothing is received until it does");
        pause.rest(&flow.random, stop).await;
        return false;
    }
    true
}

fn tell(url: &str, error: &QueueError) {
    match error {
        QueueError::Again { .. } => {
            tracing::warn!(queue = url, error = %error, "a queue can't be polled; it is tried again");
        }
        QueueError::Refused { .. } => {
            tracing::error!(queue = url, error = %error, "a queue can't be polled: an operator has to look at it");
        }
    }
}

/// Receives once, sees to what came, and deletes what is done with. A stop ends the wait: what SQS was about to give
/// comes again.
async fn poll<T, F>(flow: &Arc<Flow>, url: &str, take: &T, mut stop: watch::Receiver<bool>) -> Polled
where
    T: Fn(Arc<Flow>, String) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Taken> + Send + 'static,
{
    let received = tokio::select! {
        biased;
        received = flow.queues.receive(url) => received,
        () = stopped(&mut stop) => return Polled::Nothing,
    };
    let messages = match received {
        Ok(messages) => messages,
        Err(error) => {
            tell(url, &error);
            return Polled::Fault;
        }
    };
    let count = messages.len();
    let mut groups = JoinSet::new();
    let fifo = is_fifo(url);
    for group in in_groups(messages, |message| message.group.clone().filter(|_| fifo)) {
        let (flow, url, take) = (Arc::clone(flow), url.to_owned(), take.clone());
        groups.spawn(async move { done_with(&flow, &url, group, &take).await });
    }
    let mut done = Vec::with_capacity(count);
    while let Some(group) = groups.join_next().await {
        // What panicked comes again, until the queue's redrive policy takes it away.
        done.extend(group.unwrap_or_default());
    }
    if !done.is_empty()
        && let Err(error) = flow.queues.delete(url, &done).await
    {
        tell(url, &error);
        return Polled::Fault;
    }
    match count {
        _ if done.len() < count => Polled::Fault,
        0 => Polled::Nothing,
        BATCH => Polled::Full,
        _ => Polled::Some,
    }
}

/// Sees to the messages of a group, one after another; gives those that are done with. In a FIFO queue nothing overtakes
/// one that has to come again.
async fn done_with<T, F>(flow: &Arc<Flow>, url: &str, group: Vec<Message>, take: &T) -> Vec<Message>
where
    T: Fn(Arc<Flow>, String) -> F,
    F: Future<Output = Taken>,
{
    let mut done = Vec::with_capacity(group.len());
    for message in group {
        let taken = take(Arc::clone(flow), message.body.clone()).await;
        if !message::settle(flow, "queue", url, &message, taken).await {
            break;
        }
        done.push(message);
    }
    done
}
