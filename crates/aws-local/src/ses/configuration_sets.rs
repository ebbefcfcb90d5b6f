//! Configuration sets, their options, and the destinations of their events. Of destinations EventBridge's default bus is
//! embedded, and no other.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Page, Ses, bad, no_content, not_found, read};
use crate::error::{Answer, AwsError};
use crate::mailbox::Mail;

/// The events that a destination can be for.
const EVENT_TYPES: [&str; 10] = [
    "SEND",
    "REJECT",
    "BOUNCE",
    "COMPLAINT",
    "DELIVERY",
    "OPEN",
    "CLICK",
    "RENDERING_FAILURE",
    "DELIVERY_DELAY",
    "SUBSCRIPTION",
];
/// What is kept of a set beside its options. Not part of what GetConfigurationSet answers.
const DESTINATIONS: &str = "EventDestinations";
/// The most destinations of a set.
const MOST: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    event_destination_name: Option<String>,
    event_destination: Map<String, Value>,
}

impl Ses {
    pub(super) async fn create_set(&self, body: &[u8]) -> Result<Answer, AwsError> {
        let set: Map<String, Value> = read(body)?;
        let name = set
            .get("ConfigurationSetName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let name = named("Configuration set name", name)?;
        let mut kept = json!({
            "SendingOptions": {"SendingEnabled": true},
            "DeliveryOptions": {"TlsPolicy": "OPTIONAL"},
            "ReputationOptions": {"ReputationMetricsEnabled": false},
            "Tags": [],
        });
        for (field, value) in set {
            kept[&field] = match value {
                Value::Object(given) => options(&field, given),
                other => other,
            };
        }
        kept[DESTINATIONS] = json!([]);
        let exists = format!("Configuration set <{name}> already exists.");
        self.mailbox
            .change_configuration_set(name, move |before| match before {
                None => Ok(Some(kept)),
                Some(_) => Err(AwsError::new("AlreadyExistsException", exists)),
            })
            .await?;
        Ok(no_content())
    }

    pub(super) async fn list_sets(&self, body: &[u8]) -> Result<Answer, AwsError> {
        let asked: Map<String, Value> = read(body)?;
        if asked.get("Filter").is_some_and(|filter| !filter.is_null()) {
            return Err(AwsError::not_embedded(
                "SES",
                "ListConfigurationSets with a Filter",
            ));
        }
        let asked = Page::deserialize(Value::Object(asked)).map_err(|error| bad(error.to_string()))?;
        let (sets, next) = asked.of(self.mailbox.configuration_sets().await?)?;
        let mut answer = json!({"ConfigurationSets": sets});
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer.into())
    }

    pub(super) async fn set(&self, name: String) -> Result<Answer, AwsError> {
        let mut set = self.kept_set(name).await?;
        if let Some(set) = set.as_object_mut() {
            set.remove(DESTINATIONS);
        }
        Ok(set.into())
    }

    pub(super) async fn delete_set(&self, name: String) -> Result<Answer, AwsError> {
        let missing = no_set(&name);
        self.mailbox
            .change_configuration_set(name, |before| before.map(|_| None).ok_or(missing))
            .await?;
        Ok(no_content())
    }

    pub(super) async fn put_set_options(
        &self,
        name: String,
        field: &'static str,
        body: &[u8],
    ) -> Result<Answer, AwsError> {
        let mut given: Map<String, Value> = read(body)?;
        // The only ones that have a field of their name around them.
        if field == "VdmOptions" {
            let inner = given.remove(field).unwrap_or_default();
            given = inner.as_object().cloned().unwrap_or_default();
        }
        self.change_set(name, move |set| {
            set[field] = options(field, given);
            Ok(())
        })
        .await
    }

    pub(super) async fn create_destination(&self, set: String, body: &[u8]) -> Result<Answer, AwsError> {
        let asked: Destination = read(body)?;
        let name = named(
            "Event destination name",
            asked.event_destination_name.as_deref().unwrap_or_default(),
        )?;
        let destination = checked(&name, asked.event_destination)?;
        let exists = format!("Event destination <{name}> already exists for configuration set <{set}>.");
        self.change_set(set, move |set| {
            let all = destinations_of(set)?;
            if all.iter().any(|one| one["Name"] == name.as_str()) {
                return Err(AwsError::new("AlreadyExistsException", exists));
            }
            if all.len() >= MOST {
                return Err(AwsError::new(
                    "LimitExceededException",
                    format!("A configuration set has {MOST} event destinations at most."),
                ));
            }
            all.push(destination);
            Ok(())
        })
        .await
    }

    pub(super) async fn destinations(&self, set: String) -> Result<Answer, AwsError> {
        let kept = self.kept_set(set).await?;
        Ok(json!({"EventDestinations": kept[DESTINATIONS]}).into())
    }

    pub(super) async fn update_destination(
        &self,
        set: String,
        name: String,
        body: &[u8],
    ) -> Result<Answer, AwsError> {
        let asked: Destination = read(body)?;
        let destination = checked(&name, asked.event_destination)?;
        self.change_set(set, move |set| {
            let mut all = destinations_of(set)?.iter_mut();
            let one = all.find(|one| one["Name"] == name.as_str());
            *one.ok_or_else(|| no_destination(&name))? = destination;
            Ok(())
        })
        .await
    }

    pub(super) async fn delete_destination(&self, set: String, name: String) -> Result<Answer, AwsError> {
        self.change_set(set, move |set| {
            let all = destinations_of(set)?;
            let before = all.len();
            all.retain(|one| one["Name"] != name.as_str());
            if all.len() == before {
                return Err(no_destination(&name));
            }
            Ok(())
        })
        .await
    }

    /// What is kept of a mail's configuration set, where there is one. Refuses a mail whose set may not send.
    pub(super) async fn sending_set(&self, mail: &Mail) -> Result<Option<Value>, AwsError> {
        let Some(name) = &mail.configuration_set else {
            return Ok(None);
        };
        let set = self.mailbox.configuration_set(name.clone()).await?;
        let paused = |set: &Value| set["SendingOptions"]["SendingEnabled"] == false;
        if set.as_ref().is_some_and(paused) {
            return Err(AwsError::new(
                "SendingPausedException",
                format!("Email sending is paused for configuration set <{name}>."),
            ));
        }
        Ok(set)
    }

    async fn kept_set(&self, name: String) -> Result<Value, AwsError> {
        let missing = no_set(&name);
        let set = self.mailbox.configuration_set(name).await?;
        set.ok_or(missing)
    }

    async fn change_set(
        &self,
        name: String,
        change: impl FnOnce(&mut Value) -> Result<(), AwsError> + Send + 'static,
    ) -> Result<Answer, AwsError> {
        let missing = no_set(&name);
        self.mailbox
            .change_configuration_set(name, |before| {
                let mut set = before.ok_or(missing)?;
                change(&mut set)?;
                Ok(Some(set))
            })
            .await?;
        Ok(no_content())
    }
}

/// What is kept of options that were given. A switch that isn't mentioned is off; without anything in them, tracking
/// options are taken away.
fn options(field: &str, mut given: Map<String, Value>) -> Value {
    let switch = match field {
        "SendingOptions" => Some("SendingEnabled"),
        "ReputationOptions" => Some("ReputationMetricsEnabled"),
        "TrackingOptions" if given.is_empty() => return Value::Null,
        _ => None,
    };
    if let Some(switch) = switch {
        given.entry(switch).or_insert(Value::Bool(false));
    }
    Value::Object(given)
}

/// Whether a set has a destination for events of this type.
pub(super) fn wants(set: &Value, event_type: &str) -> bool {
    let all = set[DESTINATIONS]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    all.iter().any(|one| {
        let types = one["MatchingEventTypes"].as_array();
        one["Enabled"] == true && types.is_some_and(|types| types.iter().any(|one| one == event_type))
    })
}

fn destinations_of(set: &mut Value) -> Result<&mut Vec<Value>, AwsError> {
    set[DESTINATIONS]
        .as_array_mut()
        .ok_or_else(|| bad("The configuration set is not as it was kept."))
}

fn checked(name: &str, mut given: Map<String, Value>) -> Result<Value, AwsError> {
    let types = given.get("MatchingEventTypes").and_then(Value::as_array);
    let known = |one: &Value| one.as_str().is_some_and(|one| EVENT_TYPES.contains(&one));
    if types.is_none_or(|types| types.is_empty() || !types.iter().all(known)) {
        return Err(bad(format!(
            "MatchingEventTypes must be of {}.",
            EVENT_TYPES.join(", ")
        )));
    }
    let others = given
        .keys()
        .find(|field| field.ends_with("Destination") && *field != "EventBridgeDestination");
    if let Some(other) = others {
        return Err(AwsError::not_embedded(
            "SES",
            &format!("an event destination of kind {other}"),
        ));
    }
    let bus = given
        .get("EventBridgeDestination")
        .and_then(|destination| destination["EventBusArn"].as_str());
    match bus {
        Some(bus) if bus.ends_with(":event-bus/default") => {}
        Some(_) => return Err(bad("Only the default event bus is supported.")),
        None => return Err(bad("Exactly one destination type must be given.")),
    }
    given.insert("Name".to_owned(), name.into());
    given.entry("Enabled").or_insert(Value::Bool(false));
    Ok(Value::Object(given))
}

fn named(what: &str, name: &str) -> Result<String, AwsError> {
    let fits = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if fits {
        Ok(name.to_owned())
    } else {
        Err(bad(format!(
            "{what} must be 1 to 64 letters, digits, underscores and dashes."
        )))
    }
}

fn no_set(name: &str) -> AwsError {
    not_found(format!("Configuration set <{name}> does not exist."))
}

fn no_destination(name: &str) -> AwsError {
    not_found(format!("Event destination <{name}> does not exist."))
}
