//! The operations on state machines.

use asl::Definition;
use serde_json::{Map, Value, json};

use super::engine::Engine;
use super::store::machines::{self as kept, Machine};
use super::validation::{Request, arn, invalid, machine_arn, name, next_token, role};
use super::{ARN, DEFINITION, NAME};
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

pub(super) async fn create(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.required("name", NAME)?;
    name(asked)?;
    let definition = request.required("definition", DEFINITION)?;
    let asked_role = request.required("roleArn", ARN)?;
    role(asked_role)?;
    let kind = request
        .word("type", &["STANDARD", "EXPRESS"])?
        .unwrap_or("STANDARD");
    if kind == "EXPRESS" {
        return Err(AwsError::new(
            "StateMachineTypeNotSupported",
            "State Machine Type is not supported: EXPRESS isn't part of the embedded AWS",
        ));
    }
    refuse_versions(request, "CreateStateMachine")?;
    check(definition)?;
    let now = engine.source.now();
    let machine = Machine {
        arn: machine_arn(asked),
        name: asked.to_owned(),
        kind: kind.to_owned(),
        status: "ACTIVE".to_owned(),
        created: now,
        updated: now,
        revision: 0,
        revision_id: None,
        definition: definition.to_owned(),
        role: asked_role.to_owned(),
        settings: settings(request, None),
    };
    let created = engine.store.write(move |transaction| {
        let other = kept::find(transaction, &machine.arn)?;
        if other.is_none() {
            kept::insert(transaction, &machine)?;
        }
        Ok((machine, other))
    });
    let (machine, other) = created.await?;
    let created = match other {
        None => machine.created,
        Some(other) if other.status == "DELETING" => {
            return Err(AwsError::new(
                "StateMachineDeleting",
                format!("State Machine is being deleted: '{}'", other.arn),
            ));
        }
        // AWS leaves the role out of this comparison.
        Some(other)
            if (&other.definition, &other.kind, &other.settings)
                == (&machine.definition, &machine.kind, &machine.settings) =>
        {
            other.created
        }
        Some(other) => {
            return Err(AwsError::new(
                "StateMachineAlreadyExists",
                format!("State Machine Already Exists: '{}'", other.arn),
            ));
        }
    };
    Ok(json!({"stateMachineArn": machine.arn, "creationDate": epoch_seconds(created)}).into())
}

pub(super) async fn update(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let machine = find(engine, request).await?;
    let definition = request.text("definition", DEFINITION)?;
    let new_role = request.text("roleArn", ARN)?;
    let configured = ["loggingConfiguration", "tracingConfiguration"]
        .iter()
        .any(|name| request.0.contains_key(*name));
    if definition.is_none() && new_role.is_none() && !configured {
        return Err(AwsError::new(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified",
        ));
    }
    refuse_versions(request, "UpdateStateMachine")?;
    definition.map(check).transpose()?;
    new_role.map(role).transpose()?;
    let mut next = machine.clone();
    next.updated = engine.source.now();
    next.definition = definition.map_or(next.definition, str::to_owned);
    next.role = new_role.map_or(next.role, str::to_owned);
    next.settings = settings(request, Some(&machine.settings));
    let same = (&next.definition, &next.role, &next.settings)
        == (&machine.definition, &machine.role, &machine.settings);
    let revision_id = match machine.revision_id {
        Some(current) if same => current,
        _ => engine.source.uuid(),
    };
    next.revision_id = Some(revision_id.clone());
    let updated = epoch_seconds(next.updated);
    engine
        .store
        .write(move |transaction| kept::update(transaction, &next))
        .await?;
    Ok(json!({"updateDate": updated, "revisionId": revision_id}).into())
}

pub(super) async fn delete(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.required("stateMachineArn", ARN)?.to_owned();
    arn(&asked, "stateMachine")?;
    // One that isn't there is as good as deleted.
    engine
        .store
        .write(move |transaction| kept::delete(transaction, &asked))
        .await?;
    Ok(json!({}).into())
}

pub(super) async fn describe(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let machine = find(engine, request).await?;
    let mut answer = description(&machine);
    answer.insert("status".to_owned(), machine.status.into());
    answer.insert("type".to_owned(), machine.kind.into());
    answer.insert("creationDate".to_owned(), epoch_seconds(machine.created));
    if let Some(revision_id) = machine.revision_id {
        answer.insert("revisionId".to_owned(), revision_id.into());
    }
    if request.word("includedData", &["ALL_DATA", "METADATA_ONLY"])? == Some("METADATA_ONLY") {
        answer.insert("definition".to_owned(), "{}".into());
    }
    Ok(Value::Object(answer).into())
}

/// The machine as it was when the execution began.
pub(super) async fn describe_for_execution(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let execution = super::executions::find(engine, request).await?;
    let found = engine.store.read(move |connection| {
        let (definition, role) = kept::revision(connection, execution.revision)?;
        let machine = kept::find(connection, &execution.machine)?;
        Ok((execution, definition, role, machine))
    });
    let (execution, definition, role, machine) = found.await?;
    let current = machine.filter(|machine| machine.revision == execution.revision);
    let mut answer = description(&Machine {
        name: execution
            .machine
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_owned(),
        arn: execution.machine,
        kind: String::new(),
        status: String::new(),
        created: execution.started,
        updated: execution.started,
        revision: execution.revision,
        revision_id: None,
        definition,
        role,
        settings: current
            .as_ref()
            .map_or_else(|| json!({}), |machine| machine.settings.clone()),
    });
    let updated = current
        .as_ref()
        .map_or(execution.started, |machine| machine.updated);
    answer.insert("updateDate".to_owned(), epoch_seconds(updated));
    if let Some(revision_id) = current.and_then(|machine| machine.revision_id) {
        answer.insert("revisionId".to_owned(), revision_id.into());
    }
    Ok(Value::Object(answer).into())
}

pub(super) async fn list(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let size = request.page()?;
    let after = request.position()?.unwrap_or_default();
    let mut machines = engine
        .store
        .read(move |connection| kept::list(connection, &after, size + 1))
        .await?;
    let more = machines.len() > size;
    machines.truncate(size);
    let mut answer = json!({
        "stateMachines": machines
            .iter()
            .map(|machine| json!({
                "stateMachineArn": machine.arn,
                "name": machine.name,
                "type": machine.kind,
                "creationDate": epoch_seconds(machine.created),
            }))
            .collect::<Vec<_>>(),
    });
    if more && let Some(last) = machines.last() {
        answer["nextToken"] = next_token(&last.name);
    }
    Ok(answer.into())
}

/// The machine that `stateMachineArn` names.
pub(super) async fn find(engine: &Engine, request: &Request) -> Result<Machine, AwsError> {
    let asked = request.required("stateMachineArn", ARN)?.to_owned();
    arn(&asked, "stateMachine")?;
    let wanted = asked.clone();
    let machine = engine
        .store
        .read(move |connection| kept::find(connection, &wanted))
        .await?;
    machine.ok_or_else(|| {
        AwsError::new(
            "StateMachineDoesNotExist",
            format!("State Machine Does Not Exist: '{asked}'"),
        )
    })
}

/// What both descriptions have in common.
fn description(machine: &Machine) -> Map<String, Value> {
    let mut logging = json!({"level": "OFF", "includeExecutionData": false});
    if let Some(Value::Object(given)) = machine.settings.get("loggingConfiguration") {
        for (name, value) in given {
            logging[name] = value.clone();
        }
    }
    // AWS's answer says so whatever was asked for.
    logging["includeExecutionData"] = false.into();
    let tracing = machine.settings.get("tracingConfiguration").cloned();
    let mut answer = Map::new();
    for (name, value) in [
        ("stateMachineArn", machine.arn.clone().into()),
        ("name", machine.name.clone().into()),
        ("definition", machine.definition.clone().into()),
        ("roleArn", machine.role.clone().into()),
        ("loggingConfiguration", logging),
        (
            "tracingConfiguration",
            tracing.unwrap_or_else(|| json!({"enabled": false})),
        ),
    ] {
        answer.insert(name.to_owned(), value);
    }
    answer
}

/// The settings asked for, and for what isn't asked those of before.
fn settings(request: &Request, before: Option<&Value>) -> Value {
    let mut settings = before.cloned().unwrap_or_else(|| json!({}));
    for name in ["loggingConfiguration", "tracingConfiguration"] {
        if let Some(value) = request.0.get(name) {
            settings[name] = value.clone();
        }
    }
    settings
}

fn refuse_versions(request: &Request, operation: &str) -> Result<(), AwsError> {
    if request.flag("publish") {
        return Err(AwsError::not_embedded(
            "Step Functions",
            &format!("{operation} with publish"),
        ));
    }
    if request.0.contains_key("versionDescription") {
        return Err(AwsError::new(
            "ValidationException",
            "Version description can only be set when publish is true",
        ));
    }
    Ok(())
}

fn check(definition: &str) -> Result<(), AwsError> {
    if definition.is_empty() {
        return Err(invalid(
            "Value '' at 'definition' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    match Definition::parse(definition) {
        Ok(_) => Ok(()),
        Err(error) => Err(AwsError::new(
            "InvalidDefinition",
            format!("Invalid State Machine Definition: '{error}'"),
        )),
    }
}
