//! Rules on the default bus, and their targets: SQS queues and Lambda functions, which get each event that fits as it is.

use serde_json::{Value, json};

use super::{Events, pattern};
use crate::error::AwsError;
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

/// The most targets of a rule.
const TARGETS: usize = 5;

impl Events {
    pub(super) async fn rule_call(&self, operation: &str, request: Value) -> Result<Value, AwsError> {
        let bus = request["EventBusName"].as_str().unwrap_or("default");
        if bus != "default" && !bus.ends_with(":event-bus/default") {
            return Err(not_found(format!("Event bus {bus} does not exist.")));
        }
        match operation {
            "PutRule" => self.put_rule(&request).await,
            "DescribeRule" => self.rule(name(&request, "Name")?).await,
            "DeleteRule" => self.delete_rule(name(&request, "Name")?).await,
            "ListRules" => self.list_rules(&request).await,
            "PutTargets" => self.put_targets(&request).await,
            "RemoveTargets" => self.remove_targets(&request).await,
            _ => self.list_targets(name(&request, "Rule")?).await,
        }
    }

    async fn put_rule(&self, request: &Value) -> Result<Value, AwsError> {
        let name = name(request, "Name")?;
        if request["ScheduleExpression"].is_string() {
            return Err(AwsError::not_embedded("EventBridge", "PutRule with a schedule"));
        }
        let text = request["EventPattern"].as_str().unwrap_or_default();
        let pattern: Value = serde_json::from_str(text)
            .map_err(|error| invalid_pattern(format!("Event pattern is not valid. Reason: {error}")))?;
        pattern::check(&pattern).map_err(invalid_pattern)?;
        let rule = json!({
            "Name": name,
            "Arn": rule_arn(&name),
            "EventPattern": text,
            "State": request["State"].as_str().unwrap_or("ENABLED"),
            "Description": request["Description"],
            "EventBusName": "default",
        });
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
            return Err(AwsError::new(
                "ValidationException",
                "Rule can't be deleted since it has targets.",
            ));
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
        Ok(json!({"Rules": rules}))
    }

    async fn put_targets(&self, request: &Value) -> Result<Value, AwsError> {
        let rule = name(request, "Rule")?;
        self.rule(rule.clone()).await?;
        let targets = request["Targets"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if targets.is_empty() || targets.len() > TARGETS {
            return Err(AwsError::new(
                "ValidationException",
                format!("A rule takes 1 to {TARGETS} targets at a time."),
            ));
        }
        let (mut kept, mut refused) = (Vec::new(), Vec::new());
        for target in targets {
            let (id, arn) = (target["Id"].as_str(), target["Arn"].as_str());
            let others = ["Input", "InputPath", "InputTransformer"];
            let why = match (id, arn.map(Service::of)) {
                (Some(_), Some(Some(_))) if others.iter().all(|name| target[*name].is_null()) => None,
                (Some(_), Some(Some(_))) => Some("only whole events are embedded, without Input".to_owned()),
                (Some(_), Some(None)) => Some("only SQS queues and Lambda functions are embedded".to_owned()),
                _ => Some("a target has an Id and an Arn".to_owned()),
            };
            match why {
                None => kept.push((id.unwrap_or_default().to_owned(), target.to_string())),
                Some(why) => refused.push(json!({
                    "TargetId": id, "ErrorCode": "ValidationException", "ErrorMessage": why,
                })),
            }
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
        let ids: Vec<String> = serde_json::from_value(request["Ids"].clone()).unwrap_or_default();
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

    async fn list_targets(&self, rule: String) -> Result<Value, AwsError> {
        self.rule(rule.clone()).await?;
        Ok(json!({"Targets": self.targets(rule).await?}))
    }

    async fn rules(&self) -> Result<Vec<Value>, AwsError> {
        self.column(
            "SELECT rule FROM rules WHERE ?1 = '' ORDER BY name",
            String::new(),
        )
        .await
    }

    async fn targets(&self, rule: String) -> Result<Vec<Value>, AwsError> {
        self.column("SELECT target FROM targets WHERE rule = ?1 ORDER BY id", rule)
            .await
    }

    async fn column(&self, query: &'static str, value: String) -> Result<Vec<Value>, AwsError> {
        self.store
            .read(move |connection| {
                let mut statement = connection.prepare_cached(query)?;
                let texts = statement.query_map([value], |row| row.get::<_, String>(0))?;
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
            if rule["State"] != "ENABLED" || !pattern::fits(&pattern, event) {
                continue;
            }
            let name = rule["Name"].as_str().unwrap_or_default().to_owned();
            for target in self.targets(name.clone()).await? {
                let arn = target["Arn"].as_str().unwrap_or_default();
                if let Err(error) = self.hand_over(arn, event).await {
                    tracing::warn!(
                        events.rule = name,
                        events.target = arn,
                        aws.error.code = error.code(),
                        "an event could not be handed to a target"
                    );
                }
            }
        }
        Ok(())
    }

    async fn hand_over(&self, arn: &str, event: &Value) -> Result<(), AwsError> {
        match Service::of(arn) {
            Some(Service::Sqs) => {
                let queue = arn.rsplit(':').next().unwrap_or_default();
                let body = json!({"QueueUrl": queue, "MessageBody": event.to_string()}).to_string();
                self.sqs
                    .call("SendMessage", None, body.as_bytes())
                    .await
                    .map(drop)
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

fn name(request: &Value, field: &str) -> Result<String, AwsError> {
    let name = request[field].as_str().unwrap_or_default();
    let fits = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if fits {
        Ok(name.to_owned())
    } else {
        Err(AwsError::new(
            "ValidationException",
            format!(
                "1 validation error detected: Value at '{}' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+",
                field.to_lowercase()
            ),
        ))
    }
}

fn rule_arn(name: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}")
}

fn invalid_pattern(message: String) -> AwsError {
    AwsError::new("InvalidEventPatternException", message)
}

fn not_found(message: String) -> AwsError {
    AwsError::new("ResourceNotFoundException", message)
}
