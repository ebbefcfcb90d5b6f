//! Rules on the default bus, and their targets: SQS queues and Lambda functions, which get each event that fits as it is.
//!
//! Not as AWS: an event is handed over once, whatever a target's RetryPolicy and DeadLetterConfig say.

use std::collections::BTreeMap;

use rusqlite::params_from_iter;
use serde_json::{Value, json};

use super::{Events, is_default, pattern};
use crate::error::AwsError;
use crate::sqs;
use crate::{ACCOUNT, REGION};

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS rules (name TEXT PRIMARY KEY, rule TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS targets (
        rule TEXT NOT NULL,
        id TEXT NOT NULL,
        target TEXT NOT NULL,
        PRIMARY KEY (rule, id)
    ) STRICT, WITHOUT ROWID;
";

/// The most targets of a rule, and the most of a request.
const TARGETS: usize = 5;
const TARGETS_AT_ONCE: usize = 100;
/// The longest event pattern, in characters.
const PATTERN: usize = 4096;
/// The largest page of a list.
const PAGE: usize = 100;
/// The states of a rule. In all but the last it hands events over.
const STATES: [&str; 3] = [ENABLED, "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", DISABLED];
const ENABLED: &str = "ENABLED";
const DISABLED: &str = "DISABLED";
/// What a rule is described with only where it was given.
const KEPT_FIELDS: [&str; 2] = ["Description", "RoleArn"];
/// What would change the event that a target gets.
const INPUTS: [&str; 3] = ["Input", "InputPath", "InputTransformer"];

impl Events {
    pub(super) async fn rule_call(&self, operation: &str, request: Value) -> Result<Value, AwsError> {
        if !is_default(&request) {
            let bus = request["EventBusName"].as_str().unwrap_or_default();
            return Err(not_found(format!("Event bus {bus} does not exist.")));
        }
        match operation {
            "PutRule" => self.put_rule(&request).await,
            "DescribeRule" => self.rule(name(&request, "Name")?).await,
            "DeleteRule" => self.delete_rule(name(&request, "Name")?).await,
            "ListRules" => self.list_rules(&request).await,
            "PutTargets" => self.put_targets(&request).await,
            "RemoveTargets" => self.remove_targets(&request).await,
            _ => self.list_targets(&request).await,
        }
    }

    async fn put_rule(&self, request: &Value) -> Result<Value, AwsError> {
        let name = name(request, "Name")?;
        if request["ScheduleExpression"].is_string() {
            return Err(AwsError::not_embedded("EventBridge", "PutRule with a schedule"));
        }
        let Some(text) = request["EventPattern"].as_str() else {
            return Err(invalid(
                "Parameter(s) EventPattern or ScheduleExpression must be specified.",
            ));
        };
        if text.chars().count() > PATTERN {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'eventPattern' failed to satisfy constraint: Member must have length less than or equal to {PATTERN}"
            )));
        }
        let state = request["State"].as_str().unwrap_or(ENABLED);
        if !STATES.contains(&state) {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'state' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
                STATES.join(", ")
            )));
        }
        let pattern = serde_json::from_str(text).map_err(|error| pattern::invalid(&error.to_string()))?;
        pattern::check(&pattern)?;
        let mut rule = json!({
            "Name": name,
            "Arn": rule_arn(&name),
            "EventPattern": text,
            "State": state,
            "EventBusName": "default",
        });
        for field in KEPT_FIELDS {
            if let Some(value) = request[field].as_str() {
                rule[field] = value.into();
            }
        }
        let (arn, rule) = (rule["Arn"].clone(), rule.to_string());
        self.store
            .write(move |transaction| {
                transaction.execute(
                    "INSERT OR REPLACE INTO rules (name, rule) VALUES (?1, ?2)",
                    [name, rule],
                )
            })
            .await?;
        Ok(json!({"RuleArn": arn}))
    }

    async fn rule(&self, name: String) -> Result<Value, AwsError> {
        let rules = self.rules().await?;
        let found = rules.into_iter().find(|rule| rule["Name"] == name.as_str());
        found.ok_or_else(|| not_found(format!("Rule {name} does not exist on EventBus default.")))
    }

    async fn delete_rule(&self, name: String) -> Result<Value, AwsError> {
        if !self.targets(name.clone()).await?.is_empty() {
            return Err(invalid("Rule can't be deleted since it has targets."));
        }
        self.store
            .write(move |transaction| transaction.execute("DELETE FROM rules WHERE name = ?1", [name]))
            .await?;
        Ok(json!({}))
    }

    async fn list_rules(&self, request: &Value) -> Result<Value, AwsError> {
        let prefix = request["NamePrefix"].as_str().unwrap_or_default();
        let mut rules = self.rules().await?;
        rules.retain(|rule| rule["Name"].as_str().is_some_and(|name| name.starts_with(prefix)));
        page(request, "Rules", "Name", rules)
    }

    async fn put_targets(&self, request: &Value) -> Result<Value, AwsError> {
        let rule = name(request, "Rule")?;
        self.rule(rule.clone()).await?;
        let targets = request["Targets"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if !(1..=TARGETS_AT_ONCE).contains(&targets.len()) {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'targets' failed to satisfy constraint: Member must have length between 1 and {TARGETS_AT_ONCE}"
            )));
        }
        let (mut kept, mut refused) = (BTreeMap::new(), Vec::new());
        for target in targets {
            let id = name(target, "Id")?;
            match refusal(target) {
                None => drop(kept.insert(id, target.to_string())),
                Some(why) => refused.push(json!({
                    "TargetId": id, "ErrorCode": "ValidationException", "ErrorMessage": why,
                })),
            }
        }
        let before = self.targets(rule.clone()).await?;
        let others = before
            .iter()
            .filter(|target| target["Id"].as_str().is_none_or(|id| !kept.contains_key(id)));
        if others.count() + kept.len() > TARGETS {
            return Err(AwsError::new(
                "LimitExceededException",
                "The requested resource exceeds the maximum number allowed.",
            ));
        }
        self.store
            .write(move |transaction| {
                for (id, target) in kept {
                    transaction.execute(
                        "INSERT OR REPLACE INTO targets (rule, id, target) VALUES (?1, ?2, ?3)",
                        [&rule, &id, &target],
                    )?;
                }
                Ok(())
            })
            .await?;
        Ok(json!({"FailedEntryCount": refused.len(), "FailedEntries": refused}))
    }

    async fn remove_targets(&self, request: &Value) -> Result<Value, AwsError> {
        let rule = name(request, "Rule")?;
        self.rule(rule.clone()).await?;
        let ids: Vec<String> = serde_json::from_value(request["Ids"].clone()).unwrap_or_default();
        if ids.is_empty() {
            return Err(invalid(
                "1 validation error detected: Value at 'ids' failed to satisfy constraint: Member must not be null or empty",
            ));
        }
        self.store
            .write(move |transaction| {
                for id in ids {
                    transaction.execute("DELETE FROM targets WHERE rule = ?1 AND id = ?2", [&rule, &id])?;
                }
                Ok(())
            })
            .await?;
        Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
    }

    async fn list_targets(&self, request: &Value) -> Result<Value, AwsError> {
        let rule = name(request, "Rule")?;
        self.rule(rule.clone()).await?;
        page(request, "Targets", "Id", self.targets(rule).await?)
    }

    async fn rules(&self) -> Result<Vec<Value>, AwsError> {
        self.column("SELECT rule FROM rules ORDER BY name", None).await
    }

    async fn targets(&self, rule: String) -> Result<Vec<Value>, AwsError> {
        let of_rule = "SELECT target FROM targets WHERE rule = ?1 ORDER BY id";
        self.column(of_rule, Some(rule)).await
    }

    async fn column(&self, query: &'static str, value: Option<String>) -> Result<Vec<Value>, AwsError> {
        self.store
            .read(move |connection| {
                let mut statement = connection.prepare_cached(query)?;
                let texts = statement.query_map(params_from_iter(value), |row| row.get::<_, String>(0))?;
                texts
                    .map(|text| Ok(serde_json::from_str(&text?).unwrap_or_default()))
                    .collect()
            })
            .await
    }

    /// Hands an event to the targets of every rule that it fits. As with AWS it is best effort: a target that doesn't
    /// take it is told in the log, and nobody else is kept from it.
    pub(super) async fn deliver(&self, event: &Value) -> Result<(), AwsError> {
        for rule in self.rules().await? {
            let text = rule["EventPattern"].as_str().unwrap_or_default();
            let pattern: Value = serde_json::from_str(text).unwrap_or_default();
            if rule["State"] == DISABLED || !pattern::fits(&pattern, event) {
                continue;
            }
            let name = rule["Name"].as_str().unwrap_or_default().to_owned();
            for target in self.targets(name.clone()).await? {
                if let Err(error) = self.hand_over(&target, event).await {
                    tracing::warn!(
                        events.rule = name,
                        events.target = target["Arn"].as_str(),
                        aws.error.code = error.code(),
                        "an event could not be handed to a target"
                    );
                }
            }
        }
        Ok(())
    }

    async fn hand_over(&self, target: &Value, event: &Value) -> Result<(), AwsError> {
        let arn = target["Arn"].as_str().unwrap_or_default();
        match Service::of(arn) {
            Some(Service::Sqs) => {
                let queue = arn.rsplit(':').next().unwrap_or_default();
                let body = json!({
                    "QueueUrl": queue,
                    "MessageBody": event.to_string(),
                    "MessageGroupId": target["SqsParameters"]["MessageGroupId"],
                })
                .to_string();
                let sent = self.sqs.call("SendMessage", None, body.as_bytes());
                sent.await.map(drop)
            }
            Some(Service::Lambda) => self.lambda.invoke_event(arn, event),
            None => Ok(()),
        }
    }
}

/// What a target can be.
enum Service {
    Sqs,
    Lambda,
}

impl Service {
    fn of(arn: &str) -> Option<Service> {
        match arn.split(':').nth(2) {
            Some("sqs") => Some(Service::Sqs),
            Some("lambda") => Some(Service::Lambda),
            _ => None,
        }
    }
}

/// Why a target can't be had, if it can't.
fn refusal(target: &Value) -> Option<&'static str> {
    let Some(arn) = target["Arn"].as_str() else {
        return Some("Parameter Arn must be specified");
    };
    if Service::of(arn).is_none() {
        return Some("only SQS queues and Lambda functions are embedded");
    }
    if sqs::is_fifo(arn) && target["SqsParameters"]["MessageGroupId"].is_null() {
        return Some("Parameter(s) SqsParameters must be specified");
    }
    let whole = INPUTS.iter().all(|name| target[*name].is_null());
    (!whole).then_some("only whole events are embedded, without Input, InputPath and InputTransformer")
}

/// The page of `all` that `request` asks for by `Limit` and `NextToken`. They are in the order of `key`.
fn page(request: &Value, list: &str, key: &str, mut all: Vec<Value>) -> Result<Value, AwsError> {
    let limit = match &request["Limit"] {
        Value::Null => Some(PAGE),
        limit => limit.as_u64().and_then(|limit| usize::try_from(limit).ok()),
    };
    let Some(limit) = limit.filter(|limit| (1..=PAGE).contains(limit)) else {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must be between 1 and {PAGE}"
        )));
    };
    let after = request["NextToken"].as_str().unwrap_or_default();
    all.retain(|one| one[key].as_str().is_some_and(|key| key > after));
    let more = all.len() > limit;
    all.truncate(limit);
    let last = all.last().map(|last| last[key].clone());
    let mut answer = json!({(list): all});
    if let Some(last) = last.filter(|_| more) {
        answer["NextToken"] = last;
    }
    Ok(answer)
}

fn name(request: &Value, field: &str) -> Result<String, AwsError> {
    let name = request[field].as_str().unwrap_or_default();
    let fits = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if fits {
        Ok(name.to_owned())
    } else {
        Err(invalid(format!(
            "1 validation error detected: Value at '{}' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+",
            field.to_lowercase()
        )))
    }
}

fn rule_arn(name: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}")
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("ValidationException", message)
}

fn not_found(message: String) -> AwsError {
    AwsError::new("ResourceNotFoundException", message)
}
