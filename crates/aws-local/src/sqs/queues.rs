//! The operations on queues.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::attributes::{self, Set};
use super::refusal::{
    invalid, invalid_value, missing, no_such_queue, purged_recently, queue_exists, unknown_attribute,
};
use super::store::{self, Queue};
use super::{Sqs, queue_arn, queue_name, queue_url};
use crate::error::{Answer, AwsError};

/// The longest name, in characters.
const NAME: usize = 80;
/// The most that a page of a list holds.
const PAGE: usize = 1000;
/// How long after a purge another one is refused, in milliseconds.
const PURGE: i64 = 60_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    queue_name: Option<String>,
    #[serde(default)]
    attributes: Option<Set>,
    #[serde(default, rename = "tags")]
    tags: Option<Set>,
}

pub(super) async fn create(sqs: &Sqs, host: Option<&str>, request: Create) -> Result<Answer, AwsError> {
    let name = request
        .queue_name
        .filter(|name| !name.is_empty())
        .ok_or_else(|| missing("QueueName"))?;
    let given = request.attributes.unwrap_or_default();
    let fifo = check_name(&name)?;
    if fifo != attributes::flag(&given, "FifoQueue", "true") {
        return Err(if fifo {
            invalid(
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length; its attribute FifoQueue must be true.",
            )
        } else if given.get("FifoQueue").is_some_and(|fifo| fifo == "true") {
            invalid(
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
            )
        } else {
            unknown_attribute("FifoQueue")
        });
    }
    let mut wanted = attributes::check(given, fifo)?;
    wanted.retain(|_, value| !value.is_empty());
    let queue = Queue {
        created: sqs.now(),
        modified: sqs.now(),
        purged: None,
        attributes: wanted,
        tags: request.tags.unwrap_or_default(),
        name: name.clone(),
    };
    sqs.store
        .write(move |transaction| {
            if let Some(there) = store::queue(transaction, &queue.name)? {
                let (now, asked) = (attributes::shown(&there.attributes, fifo), &queue.attributes);
                let differs = asked.iter().find(|(name, value)| now.get(*name) != Some(value));
                return Ok(differs.map_or(Ok(()), |(name, _)| Err(queue_exists(name))));
            }
            if let Err(error) = check_redrive(transaction, &queue)? {
                return Ok(Err(error));
            }
            store::put_queue(transaction, &queue).map(Ok)
        })
        .await??;
    Ok(json!({"QueueUrl": queue_url(host, &name)}).into())
}

/// Whether the name is a FIFO queue's.
fn check_name(name: &str) -> Result<bool, AwsError> {
    let (stem, fifo) = match name.strip_suffix(".fifo") {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let right = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if stem.is_empty() || name.len() > NAME || !stem.chars().all(right) {
        return Err(invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    Ok(fifo)
}

/// A dead-letter queue must be there, and be of the same kind.
fn check_redrive(connection: &rusqlite::Connection, queue: &Queue) -> rusqlite::Result<Result<(), AwsError>> {
    let Some(redrive) = attributes::redrive(&queue.attributes) else {
        return Ok(Ok(()));
    };
    let policy = queue.attributes.get("RedrivePolicy").map_or("", String::as_str);
    let reason = match store::queue(connection, &redrive.target)? {
        None => "Dead letter target does not exist.",
        Some(target) if target.is_fifo() != queue.is_fifo() => {
            "Dead-letter queue must be same type of queue as the source."
        }
        Some(_) => return Ok(Ok(())),
    };
    Ok(Err(invalid_value("RedrivePolicy", policy, reason)))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Option<Vec<String>>,
    #[serde(default)]
    attributes: Option<Set>,
    #[serde(default)]
    tags: Option<Set>,
    #[serde(default)]
    tag_keys: Option<Vec<String>>,
    #[serde(default)]
    max_results: Option<i64>,
    #[serde(default)]
    next_token: Option<String>,
}

impl Named {
    fn name(&self) -> Result<String, AwsError> {
        queue_name(self.queue_url.as_deref()).map(str::to_owned)
    }
}

async fn find(sqs: &Sqs, name: String) -> Result<Queue, AwsError> {
    let found = sqs
        .store
        .read(move |connection| store::queue(connection, &name))
        .await?;
    found.ok_or_else(no_such_queue)
}

/// Changes a queue as `change` says.
async fn alter(
    sqs: &Sqs,
    name: String,
    change: impl FnOnce(&mut Queue) -> Result<(), AwsError> + Send + 'static,
) -> Result<Answer, AwsError> {
    sqs.store
        .write(move |transaction| {
            let Some(mut queue) = store::queue(transaction, &name)? else {
                return Ok(Err(no_such_queue()));
            };
            if let Err(error) = change(&mut queue) {
                return Ok(Err(error));
            }
            if let Err(error) = check_redrive(transaction, &queue)? {
                return Ok(Err(error));
            }
            store::put_queue(transaction, &queue).map(Ok)
        })
        .await??;
    Ok(json!({}).into())
}

pub(super) async fn delete(sqs: &Sqs, request: Named) -> Result<Answer, AwsError> {
    let name = request.name()?;
    let queue = name.clone();
    sqs.store
        .write(move |transaction| {
            if store::queue(transaction, &queue)?.is_none() {
                return Ok(Err(no_such_queue()));
            }
            store::clear(transaction, &queue, true).map(Ok)
        })
        .await??;
    sqs.wake(&name);
    sqs.waiting().remove(&name);
    Ok(json!({}).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Url {
    queue_name: Option<String>,
}

pub(super) async fn url(sqs: &Sqs, host: Option<&str>, request: Url) -> Result<Answer, AwsError> {
    let name = request.queue_name.ok_or_else(|| missing("QueueName"))?;
    let queue = find(sqs, name).await?;
    Ok(json!({"QueueUrl": queue_url(host, &queue.name)}).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    #[serde(default)]
    queue_name_prefix: Option<String>,
    #[serde(default)]
    max_results: Option<i64>,
    #[serde(default)]
    next_token: Option<String>,
}

pub(super) async fn list(sqs: &Sqs, host: Option<&str>, request: List) -> Result<Answer, AwsError> {
    let limit = page(request.max_results)?;
    let prefix = request.queue_name_prefix.unwrap_or_default();
    let after = position(request.next_token.as_deref())?;
    let queues = sqs
        .store
        .read(move |connection| store::queues(connection, &prefix, &after, limit + 1))
        .await?;
    let names: Vec<String> = queues.into_iter().map(|queue| queue.name).collect();
    Ok(listed(
        host,
        "QueueUrls",
        names,
        limit,
        request.max_results.is_some(),
    ))
}

pub(super) async fn sources(sqs: &Sqs, host: Option<&str>, request: Named) -> Result<Answer, AwsError> {
    let limit = page(request.max_results)?;
    let after = position(request.next_token.as_deref())?;
    let name = find(sqs, request.name()?).await?.name;
    let all = sqs
        .store
        .read(move |connection| store::queues(connection, "", &after, usize::MAX >> 1))
        .await?;
    let feeds =
        |queue: &Queue| attributes::redrive(&queue.attributes).is_some_and(|redrive| redrive.target == name);
    let names = all
        .into_iter()
        .filter(feeds)
        .map(|queue| queue.name)
        .take(limit + 1);
    Ok(listed(
        host,
        "queueUrls",
        names.collect(),
        limit,
        request.max_results.is_some(),
    ))
}

fn listed(host: Option<&str>, member: &str, mut names: Vec<String>, limit: usize, paged: bool) -> Answer {
    let more = names.len() > limit;
    names.truncate(limit);
    let mut answer = Map::new();
    if !names.is_empty() {
        let urls: Vec<Value> = names.iter().map(|name| queue_url(host, name).into()).collect();
        answer.insert(member.to_owned(), urls.into());
    }
    if let Some(last) = names.last().filter(|_| more && paged) {
        let token = data_encoding::BASE64.encode(format!("after:{last}").as_bytes());
        answer.insert("NextToken".to_owned(), token.into());
    }
    Value::Object(answer).into()
}

fn page(asked: Option<i64>) -> Result<usize, AwsError> {
    match asked {
        None => Ok(PAGE),
        Some(number @ 1..=1000) => Ok(usize::try_from(number).unwrap_or(PAGE)),
        Some(number) => Err(invalid_value(
            "MaxResults",
            number,
            "MaxResults must be an integer between 1 and 1000.",
        )),
    }
}

fn position(token: Option<&str>) -> Result<String, AwsError> {
    let Some(token) = token else {
        return Ok(String::new());
    };
    let decoded = data_encoding::BASE64.decode(token.as_bytes()).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    decoded
        .and_then(|text| text.strip_prefix("after:").map(str::to_owned))
        .ok_or_else(|| invalid("Invalid or expired next token."))
}

pub(super) async fn attributes(sqs: &Sqs, request: Named) -> Result<Answer, AwsError> {
    let asked = request.attribute_names.clone().unwrap_or_default();
    if let Some(unknown) = asked.iter().find(|name| !attributes::may_be_asked(name)) {
        return Err(unknown_attribute(unknown));
    }
    let (name, now) = (request.name()?, sqs.now());
    let (queue, (visible, in_flight, delayed)) = sqs
        .store
        .write(move |transaction| {
            let Some(queue) = store::queue(transaction, &name)? else {
                return Ok(Err(no_such_queue()));
            };
            store::expire(transaction, &queue, now)?;
            let count = store::count(transaction, &name, now)?;
            Ok(Ok((queue, count)))
        })
        .await??;
    let mut all = attributes::shown(&queue.attributes, queue.is_fifo());
    for (name, value) in [
        ("ApproximateNumberOfMessages", visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
        ("CreatedTimestamp", (queue.created / 1000).to_string()),
        ("LastModifiedTimestamp", (queue.modified / 1000).to_string()),
        ("QueueArn", queue_arn(&queue.name)),
    ] {
        all.insert(name.to_owned(), value);
    }
    if !asked.iter().any(|name| name == "All") {
        all.retain(|name, _| asked.contains(name));
    }
    Ok(if all.is_empty() {
        json!({})
    } else {
        json!({"Attributes": all})
    }
    .into())
}

pub(super) async fn set_attributes(sqs: &Sqs, request: Named) -> Result<Answer, AwsError> {
    let name = request.name()?;
    let given = request.attributes.ok_or_else(|| missing("Attributes"))?;
    let now = sqs.now();
    let answer = alter(sqs, name.clone(), move |queue| {
        if given.contains_key("FifoQueue") {
            return Err(invalid_value(
                "FifoQueue",
                "true",
                "Modifying queue type is not supported.",
            ));
        }
        for (name, value) in attributes::check(given, queue.is_fifo())? {
            if value.is_empty() {
                queue.attributes.remove(&name);
            } else {
                queue.attributes.insert(name, value);
            }
        }
        queue.modified = now;
        Ok(())
    })
    .await?;
    sqs.wake(&name);
    Ok(answer)
}

pub(super) async fn purge(sqs: &Sqs, request: Named) -> Result<Answer, AwsError> {
    let (name, now) = (request.name()?, sqs.now());
    sqs.store
        .write(move |transaction| {
            let Some(mut queue) = store::queue(transaction, &name)? else {
                return Ok(Err(no_such_queue()));
            };
            if queue.purged.is_some_and(|purged| now < purged + PURGE) {
                return Ok(Err(purged_recently(&name)));
            }
            queue.purged = Some(now);
            store::put_queue(transaction, &queue)?;
            store::clear(transaction, &name, false).map(Ok)
        })
        .await??;
    Ok(json!({}).into())
}

pub(super) async fn tag(sqs: &Sqs, request: Named) -> Result<Answer, AwsError> {
    let name = request.name()?;
    let tags = request.tags.ok_or_else(|| missing("Tags"))?;
    alter(sqs, name, move |queue| {
        queue.tags.extend(tags);
        if queue.tags.len() > 50 {
            return Err(invalid("Too many tags added for queue."));
        }
        Ok(())
    })
    .await
}

pub(super) async fn untag(sqs: &Sqs, request: Named) -> Result<Answer, AwsError> {
    let name = request.name()?;
    let keys = request.tag_keys.ok_or_else(|| missing("TagKeys"))?;
    alter(sqs, name, move |queue| {
        queue.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    })
    .await
}

pub(super) async fn tags(sqs: &Sqs, request: Named) -> Result<Answer, AwsError> {
    let queue = find(sqs, request.name()?).await?;
    Ok(if queue.tags.is_empty() {
        json!({})
    } else {
        json!({"Tags": queue.tags})
    }
    .into())
}
