//! Describing and listing state machines.

use serde_json::{Map, Value, json};

use super::engine::Engine;
use super::machines::find;
use super::names::{MachineArn, Qualifier, no_machine};
use super::request::{Request, next_token};
use super::store::machines::{self as kept, Machine, Revision};
use super::store::versions;
use super::{executions, settings};
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

/// Describes a machine as it is, or a version of it.
pub(super) async fn machine(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = MachineArn::read(request.required("stateMachineArn"))?;
    let machine = match find(engine, &asked.machine).await {
        Err(error) if error.code() == "StateMachineDoesNotExist" => {
            return Err(no_machine(&asked.to_string()));
        }
        found => found?,
    };
    let revision = current(&machine);
    let (arn, revision, created, described) = match &asked.qualifier {
        None => (machine.arn.clone(), revision, machine.created, None),
        Some(Qualifier::Alias(_)) => return Err(no_machine(&asked.to_string())),
        Some(Qualifier::Version(_)) => {
            let arn = asked.to_string();
            let wanted = arn.clone();
            let version = engine.store.read(move |connection| {
                let Some(version) = versions::find(connection, &wanted)? else {
                    return Ok(None);
                };
                let revision = kept::revision(connection, version.revision)?;
                Ok(Some((version, revision)))
            });
            let (version, revision) = version.await?.ok_or_else(|| no_machine(&arn))?;
            (arn, revision, version.created, version.description)
        }
    };
    let mut answer = description(&arn, &machine.name, &revision, request.all_data());
    answer.insert("status".to_owned(), machine.status.into());
    answer.insert("type".to_owned(), machine.kind.into());
    answer.insert("creationDate".to_owned(), epoch_seconds(created));
    if let Some(described) = described {
        answer.insert("description".to_owned(), described.into());
    }
    Ok(Value::Object(answer).into())
}

/// Describes the machine as it was when the execution began.
pub(super) async fn for_execution(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let execution = executions::find(engine, request).await?;
    let revision = engine
        .store
        .read(move |connection| kept::revision(connection, execution.revision))
        .await?;
    let name = execution.machine.rsplit(':').next().unwrap_or_default();
    let mut answer = description(&execution.machine, name, &revision, request.all_data());
    answer.insert("updateDate".to_owned(), epoch_seconds(revision.updated));
    Ok(Value::Object(answer).into())
}

pub(super) async fn list(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let (size, after) = (request.page(), request.position::<String>()?.unwrap_or_default());
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

fn current(machine: &Machine) -> Revision {
    Revision {
        definition: machine.definition.clone(),
        role: machine.role.clone(),
        revision_id: machine.revision_id.clone(),
        settings: machine.settings.clone(),
        updated: machine.updated,
    }
}

/// What both descriptions have in common.
fn description(arn: &str, name: &str, revision: &Revision, all_data: bool) -> Map<String, Value> {
    let definition = if all_data {
        revision.definition.as_str()
    } else {
        "{}"
    };
    let mut answer = Map::new();
    for (name, value) in [
        ("stateMachineArn", arn),
        ("name", name),
        ("definition", definition),
        ("roleArn", &revision.role),
    ] {
        answer.insert(name.to_owned(), value.into());
    }
    if let Some(revision_id) = &revision.revision_id {
        answer.insert("revisionId".to_owned(), revision_id.as_str().into());
    }
    settings::show(&revision.settings, &mut answer);
    let parsed = asl::Definition::parse(definition);
    let references: Map<String, Value> = parsed
        .iter()
        .flat_map(asl::Definition::variable_references)
        .map(|(state, names)| (state.clone(), names.iter().cloned().collect()))
        .collect();
    if !references.is_empty() {
        answer.insert("variableReferences".to_owned(), references.into());
    }
    answer
}
