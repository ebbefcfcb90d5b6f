//! A request that came in a message of a queue: taken in, or refused to its workflow, or put away with the reason. Called
//! by `queue.rs` for `serve` and `local`, and by `batch.rs` for a Lambda function; both do with the message what is said
//! here.

use super::envelope;
use crate::domain::callback::SendError;
use crate::domain::request;
use crate::flow::Flow;
use crate::flow::open::{self, OpenError};
use crate::queues::{Message, QueueError};
use std::collections::HashMap;

/// The longest reason that is logged and goes along with a dead letter, in bytes.
const LONGEST_REASON: usize = 1_000;

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// What it asks for is done, now or earlier.
    In,
    /// It is refused, and its workflow knows.
    Refused,
    /// A passing fault: it has to come again.
    Later,
    /// It can't be taken in, now or later, and there is no workflow to tell: why.
    Dead(String),
}

/// Takes in the request in a message's body.
pub async fn take_in(flow: &Flow, body: &str) -> Taken {
    let request = match envelope::request_in(body) {
        Ok(request) => request,
        Err(reason) => return Taken::Dead(reason.to_string()),
    };
    let Err(error) = open::open(flow, &request).await else {
        return Taken::In;
    };
    let OpenError::Invalid(invalid) = &error else {
        tracing::warn!(error = ?error, "a request from a queue could not be taken in; it comes again");
        return Taken::Later;
    };
    let Some(target) = request::target_of(&request) else {
        return Taken::Dead(invalid.to_string());
    };
    match open::fail(flow, &target, &error).await {
        Ok(()) => Taken::Refused,
        Err(SendError::Closed) => {
            tracing::info!("a refused request's workflow no longer waits");
            Taken::Refused
        }
        Err(SendError::Again { code, .. }) => {
            tracing::warn!(aws.error.code = %code, "a workflow could not be told of its refused request; it comes again");
            Taken::Later
        }
        Err(SendError::Park { reason }) => {
            Taken::Dead(format!("{invalid} (its workflow can't be told: {reason})"))
        }
    }
}

/// Does what is left to be done with a message of `queue` (its address or ARN) after it was taken: one that is dead goes
/// to the dead-letter queue. Whether it is done with; what isn't has to come again. `way` is for the metrics.
pub async fn settle(flow: &Flow, way: &'static str, queue: &str, message: &Message, taken: Taken) -> bool {
    let (result, done) = match taken {
        Taken::In => ("taken", true),
        Taken::Refused => ("refused", true),
        Taken::Dead(reason) if put_away(flow, queue, message, shortened(&reason)).await => ("dead", true),
        Taken::Later | Taken::Dead(_) => ("again", false),
    };
    flow.metrics.message(way, result);
    done
}

/// A reason can list a problem for each of a hundred signers.
fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(LONGEST_REASON)]
}

async fn put_away(flow: &Flow, queue: &str, message: &Message, reason: &str) -> bool {
    let put = match flow.queues.dead_letters_of(queue).await {
        Ok(Some(dead)) => flow.queues.put_away(&dead, queue, message, reason).await,
        Ok(None) => Err(no_dead_letters()),
        Err(error) => Err(error),
    };
    match put {
        Ok(()) => {
            tracing::error!(message.id = %message.id, queue, reason, "a message can't be taken in; it is in the dead-letter queue");
            true
        }
        Err(error) => {
            tracing::error!(message.id = %message.id, queue, reason, error = %error, "a message can't be taken in, nor put into a dead-letter queue; it comes again");
            false
        }
    }
}

fn no_dead_letters() -> QueueError {
    QueueError::Refused {
        operation: "GetQueueAttributes",
        code: "NoDeadLetterQueue".to_owned(),
        message: "give the queue a RedrivePolicy, or set dead_letter_queue".to_owned(),
    }
}

/// What has a group in common together, in its order; every other thing on its own.
pub(super) fn in_groups<T>(
    things: impl IntoIterator<Item = T>,
    group_of: impl Fn(&T) -> Option<String>,
) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut places = HashMap::new();
    for thing in things {
        let place = match group_of(&thing) {
            Some(group) => *places.entry(group).or_insert(groups.len()),
            None => groups.len(),
        };
        match groups.get_mut(place) {
            Some(group) => group.push(thing),
            None => groups.push(vec![thing]),
        }
    }
    groups
}
