//! EventBridge: the events that were put, in order, for whoever wants to see what was sent; and [`rules`] of the default
//! bus, which hand those that fit their [`pattern`] to queues and functions. There is no other bus: what is put to one is
//! kept, and goes nowhere.

mod pattern;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::error::{Answer, AwsError, json_object};
use crate::lambda::Lambda;
use crate::source::Source;
use crate::sqs::Sqs;
use crate::store::Store;
use crate::{ACCOUNT, REGION, StartError};

const FILE: &str = "events.sqlite";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        event TEXT NOT NULL
    ) STRICT;
";

/// How many events are kept; the oldest go first.
const KEPT: i64 = 10_000;
/// The most entries of a request, and the most bytes of an entry.
const ENTRIES: usize = 10;
const ENTRY: usize = 1_048_576;
/// How the sources of AWS's own events begin; nobody else may put them.
const OWN: &str = "aws.";

pub(crate) struct Events {
    source: Source,
    store: Store,
    sqs: Arc<Sqs>,
    lambda: Arc<Lambda>,
}

impl Events {
    /// Opens what is kept. Must be called within a tokio runtime.
    pub(crate) fn open(
        place: crate::database::Place,
        source: Source,
        sqs: Arc<Sqs>,
        lambda: Arc<Lambda>,
    ) -> Result<Events, StartError> {
        let store = Store::open(place, FILE, &format!("{SCHEMA}{}", rules::SCHEMA))?;
        Ok(Events {
            source,
            store,
            sqs,
            lambda,
        })
    }

    pub(crate) async fn call(&self, operation: &str, body: &[u8]) -> Result<Answer, AwsError> {
        match operation {
            "PutEvents" => Ok(self.put(&Value::Object(json_object(body)?)).await?.into()),
            "PutRule" | "DescribeRule" | "DeleteRule" | "ListRules" | "PutTargets" | "RemoveTargets"
            | "ListTargetsByRule" => {
                let request = Value::Object(json_object(body)?);
                Ok(self.rule_call(operation, request).await?.into())
            }
            _ => Err(AwsError::not_embedded("EventBridge", operation)),
        }
    }

    /// PutEvents. An entry that is wrong is refused by itself, as AWS does.
    pub(crate) async fn put(&self, request: &Value) -> Result<Value, AwsError> {
        let entries = request["Entries"]
            .as_array()
            .filter(|entries| !entries.is_empty());
        let Some(entries) = entries.filter(|entries| entries.len() <= ENTRIES) else {
            return Err(AwsError::new(
                "ValidationException",
                format!(
                    "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and {ENTRIES}"
                ),
            ));
        };
        let (mut told, mut events, mut failed) = (Vec::new(), Vec::new(), 0);
        for entry in entries {
            match check(entry) {
                Ok(()) => {
                    let id = self.source.uuid();
                    events.push((self.event(entry, &id), is_default(entry)));
                    told.push(json!({"EventId": id}));
                }
                Err((code, message)) => {
                    failed += 1;
                    told.push(json!({"ErrorCode": code, "ErrorMessage": message}));
                }
            }
        }
        self.keep(&events).await?;
        Ok(json!({"Entries": told, "FailedEntryCount": failed}))
    }

    /// An event of one of the services here, such as `aws.ses`, about what has the ARN `resource`.
    pub(crate) async fn put_own(
        &self,
        source: &str,
        kind: &str,
        resource: &str,
        detail: &Value,
    ) -> Result<(), AwsError> {
        let entry = json!({
            "Source": source, "DetailType": kind, "Resources": [resource], "Detail": detail.to_string(),
        });
        let event = self.event(&entry, &self.source.uuid());
        self.keep(&[(event, true)]).await
    }

    /// Keeps events, and hands those of the default bus (`true`) to whom they are for.
    async fn keep(&self, events: &[(Value, bool)]) -> Result<(), AwsError> {
        let texts: Vec<String> = events.iter().map(|(event, _)| event.to_string()).collect();
        self.store
            .write(move |transaction| {
                for event in &texts {
                    transaction
                        .prepare_cached("INSERT INTO events (event) VALUES (?1)")?
                        .execute([event])?;
                }
                transaction
                    .prepare_cached("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?1")?
                    .execute([KEPT])
            })
            .await?;
        for (event, _) in events.iter().filter(|(_, on_default)| *on_default) {
            self.deliver(event).await?;
        }
        Ok(())
    }

    /// An event as a rule's target would get it.
    fn event(&self, entry: &Value, id: &str) -> Value {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let detail = serde_json::from_str(text("Detail")).unwrap_or_else(|_| json!({}));
        let time = given_time(&entry["Time"]).unwrap_or_else(|| self.source.now());
        json!({
            "version": "0",
            "id": id,
            "detail-type": text("DetailType"),
            "source": text("Source"),
            "account": ACCOUNT,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": REGION,
            "resources": entry.get("Resources").cloned().unwrap_or_else(|| json!([])),
            "detail": detail,
        })
    }

    /// The events that are kept, oldest first.
    pub(crate) async fn all(&self) -> Result<Vec<Value>, AwsError> {
        self.store
            .read(|connection| {
                let mut statement = connection.prepare_cached("SELECT event FROM events ORDER BY id")?;
                let texts = statement.query_map([], |row| row.get::<_, String>(0))?;
                texts
                    .map(|text| Ok(serde_json::from_str(&text?).unwrap_or_default()))
                    .collect()
            })
            .await
    }

    /// Waits for the writes under way.
    pub(crate) async fn settle(&self) {
        self.store.settle().await;
    }
}

/// Whether something is for the default bus, by its `EventBusName`: a name or an ARN.
fn is_default(asked: &Value) -> bool {
    let bus = asked["EventBusName"].as_str().unwrap_or("default");
    bus == "default" || bus.ends_with(":event-bus/default")
}

/// An entry's `Time`: seconds since 1970, or as text.
fn given_time(time: &Value) -> Option<Timestamp> {
    match time {
        Value::String(text) => text.parse().ok(),
        time => SignedDuration::try_from_secs_f64(time.as_f64()?)
            .ok()
            .and_then(|since| Timestamp::from_duration(since).ok()),
    }
}

fn check(entry: &Value) -> Result<(), (&'static str, String)> {
    let missing = |name: &str| {
        Err((
            "InvalidArgument",
            format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
        ))
    };
    for name in ["Source", "DetailType", "Detail"] {
        if entry[name].as_str().is_none_or(str::is_empty) {
            return missing(name);
        }
    }
    if entry["Source"]
        .as_str()
        .is_some_and(|source| source.starts_with(OWN))
    {
        return Err((
            "NotAuthorizedForSourceException",
            "Not authorized for the source.".to_owned(),
        ));
    }
    let detail = entry["Detail"].as_str().unwrap_or_default();
    if !matches!(serde_json::from_str(detail), Ok(Value::Object(_))) {
        return Err(("MalformedDetail", "Detail is malformed.".to_owned()));
    }
    if entry.to_string().len() > ENTRY {
        return Err((
            "InvalidArgument",
            "Total size of the entry is over the limit.".to_owned(),
        ));
    }
    Ok(())
}
