//! EventBridge's default bus: the events that were put, in order, for whoever wants to see what was sent; and
//! [`rules`], which hand those that fit their [`pattern`] to queues and functions.

mod pattern;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

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
                    events.push(self.event(entry, &id));
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

    /// An event of one of the services here, such as `aws.ses`.
    pub(crate) async fn put_own(&self, source: &str, kind: &str, detail: &Value) -> Result<(), AwsError> {
        let entry = json!({"Source": source, "DetailType": kind, "Detail": detail.to_string()});
        let event = self.event(&entry, &self.source.uuid());
        self.keep(&[event]).await
    }

    /// Keeps events, and hands them to whom they are for.
    async fn keep(&self, events: &[Value]) -> Result<(), AwsError> {
        let texts: Vec<String> = events.iter().map(Value::to_string).collect();
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
        for event in events {
            self.deliver(event).await?;
        }
        Ok(())
    }

    /// An event as a rule's target would get it.
    fn event(&self, entry: &Value, id: &str) -> Value {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let detail = serde_json::from_str(text("Detail")).unwrap_or_else(|_| json!({}));
        json!({
            "version": "0",
            "id": id,
            "detail-type": text("DetailType"),
            "source": text("Source"),
            "account": ACCOUNT,
            "time": self.source.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
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
