//! Creating, changing, deleting and validating state machines.

use asl::{Definition, MachineType};
use serde_json::{Value, json};

use super::engine::{Engine, lock};
use super::names::{MachineArn, machine_arn, name, no_machine, role};
use super::request::Request;
use super::store::machines::{self as kept, Creation, Machine};
use super::store::{tags, versions};
use super::versions::quota;
use super::{settings, tagging};
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

pub(super) async fn create(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.required("name");
    name(asked)?;
    let definition = request.required("definition");
    let asked_role = request.required("roleArn");
    role(asked_role)?;
    let kind = request.text("type").unwrap_or("STANDARD");
    let creation = Creation {
        publish: request.flag("publish"),
        description: request.owned("versionDescription"),
    };
    check_description(request)?;
    let given_tags = tagging::read(request.list("tags"))?;
    let given_settings = settings::read(request, None)?;
    check(definition, kind)?;
    let now = engine.source.now();
    let mut machine = Machine {
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
        settings: given_settings,
        creation,
    };
    let arn = machine.arn.clone();
    let created = engine.store.write(move |transaction| {
        let other = kept::find(transaction, &machine.arn)?;
        let there = match other {
            None => {
                if !tags::add(transaction, &machine.arn, &given_tags)? {
                    return Ok(Err(tagging::too_many(&machine.arn)));
                }
                kept::insert(transaction, &mut machine)?;
                machine
            }
            Some(other) => match same(other, &machine) {
                Ok(other) => other,
                Err(error) => return Ok(Err(error)),
            },
        };
        let mut answer = json!({"stateMachineArn": there.arn, "creationDate": epoch_seconds(there.created)});
        if there.creation.publish {
            let description = there.creation.description.clone();
            let version = versions::publish(transaction, &there, description.as_deref(), now)?;
            answer["stateMachineVersionArn"] = version.arn.into();
        }
        Ok(Ok(answer))
    });
    let answer = created.await??;
    // One of this name may have been deleted before; this is another one.
    lock(&engine.deleting).remove(&arn);
    Ok(answer.into())
}

/// The machine of the same name that is there, if it is the one that was asked for. AWS leaves role and tags out of
/// this comparison.
fn same(other: Machine, asked: &Machine) -> Result<Machine, AwsError> {
    if other.status == "DELETING" {
        return Err(deleting(&other.arn));
    }
    let told = |machine: &Machine| {
        (
            machine.definition.clone(),
            machine.kind.clone(),
            machine.settings.clone(),
            machine.creation.clone(),
        )
    };
    if told(&other) == told(asked) {
        return Ok(other);
    }
    Err(AwsError::new(
        "StateMachineAlreadyExists",
        format!("State Machine Already Exists: '{}'", other.arn),
    ))
}

pub(super) async fn update(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.required("stateMachineArn").to_owned();
    let arn = MachineArn::unqualified(&asked)?;
    let definition = request.owned("definition");
    let new_role = request.owned("roleArn");
    if definition.is_none() && new_role.is_none() && !settings::given(request) {
        // Of a machine that isn't there AWS says so first.
        find(engine, &arn).await?;
        return Err(AwsError::new(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified",
        ));
    }
    let publish = request.flag("publish");
    let description = request.owned("versionDescription");
    check_description(request)?;
    new_role.as_deref().map(role).transpose()?;
    let before = find(engine, &arn).await?;
    if let Some(definition) = &definition {
        check(definition, &before.kind)?;
    }
    // Checked once before the transaction, whose answer it can't be.
    settings::read(request, None)?;
    let given: Vec<(String, Value)> = [
        "loggingConfiguration",
        "tracingConfiguration",
        "encryptionConfiguration",
    ]
    .into_iter()
    .filter_map(|name| Some((name.to_owned(), request.get(name)?.clone())))
    .collect();
    let (now, fresh) = (engine.source.now(), engine.source.uuid());
    let updated = engine.store.write(move |transaction| {
        let Some(machine) = kept::find(transaction, &arn)? else {
            return Ok(Err(no_machine(&arn)));
        };
        if machine.status == "DELETING" {
            return Ok(Err(deleting(&arn)));
        }
        let mut next = machine.clone();
        next.definition = definition.unwrap_or(next.definition);
        next.role = new_role.unwrap_or(next.role);
        for (name, value) in given {
            next.settings[name] = value;
        }
        let told = |machine: &Machine| {
            (
                machine.definition.clone(),
                machine.role.clone(),
                machine.settings.clone(),
            )
        };
        if told(&next) != told(&machine) {
            next.revision_id = Some(fresh);
            next.updated = now;
            kept::update(transaction, &mut next)?;
        }
        let mut answer = json!({"updateDate": epoch_seconds(now)});
        if let Some(revision_id) = &next.revision_id {
            answer["revisionId"] = revision_id.as_str().into();
        }
        if publish {
            if let Err(error) = quota(transaction, &next)? {
                return Ok(Err(error));
            }
            let version = versions::publish(transaction, &next, description.as_deref(), now)?;
            answer["stateMachineVersionArn"] = version.arn.into();
        }
        Ok(Ok(answer))
    });
    Ok(updated.await??.into())
}

/// Deletes a machine; one that isn't there is as good as deleted. Its executions end at their next transition.
pub(super) async fn delete(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let arn = match MachineArn::unqualified(request.required("stateMachineArn")) {
        Ok(arn) => arn,
        Err(error) if error.code() == "StateMachineDoesNotExist" => {
            return Err(AwsError::new(
                "ValidationException",
                "The state machine ARN must not name a version or an alias.",
            ));
        }
        Err(error) => return Err(error),
    };
    let gone = arn.clone();
    let still_there = engine.store.write(move |transaction| {
        kept::delete(transaction, &gone)?;
        kept::find(transaction, &gone)
    });
    if still_there.await?.is_some() {
        engine.end_executions_of(arn);
    }
    Ok(json!({}).into())
}

/// The machine of an ARN that names no version and no alias.
pub(super) async fn find(engine: &Engine, arn: &str) -> Result<Machine, AwsError> {
    let wanted = arn.to_owned();
    let machine = engine
        .store
        .read(move |connection| kept::find(connection, &wanted))
        .await?;
    machine.ok_or_else(|| no_machine(arn))
}

pub(super) fn deleting(arn: &str) -> AwsError {
    AwsError::new(
        "StateMachineDeleting",
        format!("State Machine is being deleted: '{arn}'"),
    )
}

fn check_description(request: &Request) -> Result<(), AwsError> {
    if request.has("versionDescription") && !request.flag("publish") {
        return Err(AwsError::new(
            "ValidationException",
            "Version description can only be set when publish is true",
        ));
    }
    Ok(())
}

fn machine_type(kind: &str) -> MachineType {
    if kind == "EXPRESS" {
        MachineType::Express
    } else {
        MachineType::Standard
    }
}

fn check(definition: &str, kind: &str) -> Result<(), AwsError> {
    match Definition::parse_as(definition, machine_type(kind)) {
        Ok(_) => Ok(()),
        Err(error) => Err(AwsError::new(
            "InvalidDefinition",
            format!("Invalid State Machine Definition: '{error}'"),
        )),
    }
}

/// ValidateStateMachineDefinition. Everything that is found here is an error: of what AWS only warns of, nothing is
/// found.
pub(super) fn validate(request: &Request) -> Answer {
    let most = match request.number("maxResults").map(usize::try_from) {
        Some(Ok(most)) if most > 0 => most,
        _ => 100,
    };
    let kind = machine_type(request.text("type").unwrap_or("STANDARD"));
    let found = match Definition::parse_as(request.required("definition"), kind) {
        Ok(_) => Vec::new(),
        Err(error) => error.diagnostics,
    };
    let diagnostics: Vec<Value> = found
        .iter()
        .take(most)
        .map(|diagnostic| {
            let mut shown = json!({
                "severity": "ERROR",
                "code": diagnostic.code,
                "message": diagnostic.message,
            });
            if !diagnostic.location.is_empty() {
                shown["location"] = diagnostic.location.as_str().into();
            }
            shown
        })
        .collect();
    json!({
        "result": if found.is_empty() { "OK" } else { "FAIL" },
        "diagnostics": diagnostics,
        "truncated": found.len() > most,
    })
    .into()
}
