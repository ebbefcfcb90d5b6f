//! Configuration sets, their options, and the destinations of their events. Of destinations EventBridge's default bus is
//! embedded, and no other.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Ses, bad, no_content, not_found, read};
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
        if self.mailbox.configuration_set(name.clone()).await?.is_some() {
            return Err(AwsError::new(
                "AlreadyExistsException",
                format!("Configuration set <{name}> already exists."),
            ));
        }
        let mut kept = json!({
            "SendingOptions": {"SendingEnabled": true},
            "DeliveryOptions": {"TlsPolicy": "OPTIONAL"},
            "ReputationOptions": {"ReputationMetricsEnabled": false},
            "Tags": [],
            (DESTINATIONS): [],
        });
        for (field, value) in set.into_iter().filter(|(field, _)| field != DESTINATIONS) {
            kept[field] = value;
        }
        self.mailbox.keep_configuration_set(name, Some(kept)).await?;
        Ok(no_content())
    }

    pub(super) async fn list_sets(&self) -> Result<Answer, AwsError> {
        Ok(json!({"ConfigurationSets": self.mailbox.configuration_sets().await?}).into())
    }

    pub(super) async fn set(&self, name: String) -> Result<Answer, AwsError> {
        let mut set = self.kept_set(&name).await?;
        if let Some(set) = set.as_object_mut() {
            set.remove(DESTINATIONS);
        }
        Ok(set.into())
    }

    pub(super) async fn delete_set(&self, name: String) -> Result<Answer, AwsError> {
        self.kept_set(&name).await?;
        self.mailbox.keep_configuration_set(name, None).await?;
        Ok(no_content())
    }

    pub(super) async fn put_set_options(
        &self,
        name: String,
        options: &str,
        body: &[u8],
    ) -> Result<Answer, AwsError> {
        let given: Map<String, Value> = read(body)?;
        let mut set = self.kept_set(&name).await?;
        // Without anything in them, tracking options are taken away.
        set[options] = if given.is_empty() {
            Value::Null
        } else {
            Value::Object(given)
        };
        self.mailbox.keep_configuration_set(name, Some(set)).await?;
        Ok(no_content())
    }

    pub(super) async fn create_destination(&self, set: String, body: &[u8]) -> Result<Answer, AwsError> {
        let asked: Destination = read(body)?;
        let name = named(
            "Event destination name",
            asked.event_destination_name.as_deref().unwrap_or_default(),
        )?;
        let mut kept = self.kept_set(&set).await?;
        let all = destinations_of(&mut kept)?;
        if all.iter().any(|one| one["Name"] == name.as_str()) {
            return Err(AwsError::new(
                "AlreadyExistsException",
                format!("Event destination <{name}> already exists for configuration set <{set}>."),
            ));
        }
        if all.len() >= MOST {
            return Err(AwsError::new(
                "LimitExceededException",
                format!("A configuration set has {MOST} event destinations at most."),
            ));
        }
        all.push(checked(&name, asked.event_destination)?);
        self.mailbox.keep_configuration_set(set, Some(kept)).await?;
        Ok(no_content())
    }

    pub(super) async fn destinations(&self, set: String) -> Result<Answer, AwsError> {
        let kept = self.kept_set(&set).await?;
        Ok(json!({"EventDestinations": kept[DESTINATIONS]}).into())
    }

    pub(super) async fn update_destination(
        &self,
        set: String,
        name: String,
        body: &[u8],
    ) -> Result<Answer, AwsError> {
        let asked: Destination = read(body)?;
        let mut kept = self.kept_set(&set).await?;
        let one = destinations_of(&mut kept)?
            .iter_mut()
            .find(|one| one["Name"] == name.as_str());
        *one.ok_or_else(|| no_destination(&name))? = checked(&name, asked.event_destination)?;
        self.mailbox.keep_configuration_set(set, Some(kept)).await?;
        Ok(no_content())
    }

    pub(super) async fn delete_destination(&self, set: String, name: String) -> Result<Answer, AwsError> {
        let mut kept = self.kept_set(&set).await?;
        let all = destinations_of(&mut kept)?;
        let before = all.len();
        all.retain(|one| one["Name"] != name.as_str());
        if all.len() == before {
            return Err(no_destination(&name));
        }
        self.mailbox.keep_configuration_set(set, Some(kept)).await?;
        Ok(no_content())
    }

    /// Refuses a mail whose configuration set may not send.
    pub(super) async fn check_sending(&self, mail: &Mail) -> Result<(), AwsError> {
        let Some(name) = &mail.configuration_set else {
            return Ok(());
        };
        let set = self.mailbox.configuration_set(name.clone()).await?;
        if set.is_some_and(|set| set["SendingOptions"]["SendingEnabled"] == false) {
            return Err(AwsError::new(
                "SendingPausedException",
                format!("Email sending is paused for configuration set <{name}>."),
            ));
        }
        Ok(())
    }

    async fn kept_set(&self, name: &str) -> Result<Value, AwsError> {
        let set = self.mailbox.configuration_set(name.to_owned()).await?;
        set.ok_or_else(|| not_found(format!("Configuration set <{name}> does not exist.")))
    }
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

fn no_destination(name: &str) -> AwsError {
    not_found(format!("Event destination <{name}> does not exist."))
}
