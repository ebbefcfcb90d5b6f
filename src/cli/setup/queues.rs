//! The queues: for requests, where that is asked for, and for what SES tells of mails; each with one for dead letters.

use super::{Failure, Making, Step, Wanted, failed};
use crate::aws_faults::Service::Sqs;
use crate::aws_faults::code_of;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;
use std::collections::HashMap;

/// How often a message is tried before it is put away.
const TRIES: u32 = 5;
/// How long a message that is being taken in is kept from others, in seconds.
const VISIBILITY: u32 = 90;
/// How long a dead letter is kept, in seconds: SQS's longest, 14 days.
const KEPT: u32 = 1_209_600;

/// One queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Queue {
    name: String,
    /// Where its messages end that can't be taken in.
    dead: Option<String>,
    /// Whether EventBridge sends to it.
    from_events: bool,
}

fn arn(wanted: &Wanted, name: &str) -> String {
    format!(
        "arn:{}:sqs:{}:{}:{name}",
        wanted.account.partition(),
        wanted.region,
        wanted.account.number
    )
}

fn mail_events(wanted: &Wanted) -> String {
    format!("{}-mail-events", wanted.name)
}

/// The ARN of the queue of mail events.
pub(super) fn mail_events_arn(wanted: &Wanted) -> String {
    arn(wanted, &mail_events(wanted))
}

/// The addresses of the queues for requests and for mail events, as the configuration names them.
pub(super) fn urls(wanted: &Wanted) -> (Option<String>, String) {
    let base = match wanted.aws.endpoint_url() {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None if wanted.region.starts_with("cn-") => format!("https://sqs.{}.amazonaws.com.cn", wanted.region),
        None => format!("https://sqs.{}.amazonaws.com", wanted.region),
    };
    let url = |name: &str| format!("{base}/{}/{name}", wanted.account.number);
    let requests = wanted.queue.then(|| url(&format!("{}-requests", wanted.name)));
    (requests, url(&mail_events(wanted)))
}

pub(super) async fn look(wanted: &Wanted) -> Result<Vec<Step>, Failure> {
    let client = Client::new(&wanted.aws);
    let mut steps = Vec::new();
    let mut names = Vec::new();
    if wanted.gathered.says("intake_queues") {
        steps.push(Step::There(
            "queues for requests (intake_queues in the configuration)".to_owned(),
        ));
    } else if wanted.queue {
        names.push((format!("{}-requests", wanted.name), false));
    }
    if wanted.gathered.says("mail_event_queues") {
        steps.push(Step::There(
            "queues for mail events (mail_event_queues in the configuration)".to_owned(),
        ));
    } else {
        names.push((mail_events(wanted), true));
    }
    for (name, from_events) in names {
        let dead = format!("{name}-dead");
        // The dead letters first: the policy of the other names them.
        let queues = [
            Queue {
                name: dead.clone(),
                dead: None,
                from_events: false,
            },
            Queue {
                name,
                dead: Some(dead),
                from_events,
            },
        ];
        for queue in queues {
            let shown = format!("queue {}", queue.name);
            steps.push(
                match client.get_queue_url().queue_name(&queue.name).send().await {
                    Ok(_) => Step::There(shown),
                    Err(error)
                        if code_of(&error).contains("NonExistentQueue")
                            || code_of(&error) == "QueueDoesNotExist" =>
                    {
                        Step::Make(shown, Making::Queue(queue))
                    }
                    Err(error) => return Err(failed(&shown, Sqs, &error)),
                },
            );
        }
    }
    Ok(steps)
}

pub(super) async fn make(wanted: &Wanted, queue: &Queue) -> Result<(), Failure> {
    let mut attributes = HashMap::from([(QueueAttributeName::SqsManagedSseEnabled, "true".to_owned())]);
    if let Some(dead) = &queue.dead {
        let policy = json!({"deadLetterTargetArn": arn(wanted, dead), "maxReceiveCount": TRIES});
        attributes.insert(QueueAttributeName::RedrivePolicy, policy.to_string());
        attributes.insert(QueueAttributeName::VisibilityTimeout, VISIBILITY.to_string());
    } else {
        attributes.insert(QueueAttributeName::MessageRetentionPeriod, KEPT.to_string());
    }
    if queue.from_events {
        let rule = format!(
            "arn:{}:events:{}:{}:rule/{}",
            wanted.account.partition(),
            wanted.region,
            wanted.account.number,
            mail_events(wanted)
        );
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn(wanted, &queue.name), "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }]});
        attributes.insert(QueueAttributeName::Policy, policy.to_string());
    }
    let call = Client::new(&wanted.aws)
        .create_queue()
        .queue_name(&queue.name)
        .set_attributes(Some(attributes));
    call.send()
        .await
        .map(drop)
        .map_err(|error| failed(&queue.name, Sqs, &error))
}
