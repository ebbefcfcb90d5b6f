//! The operations on aliases of state machines.

use rusqlite::Transaction;
use serde_json::{Value, json};

use super::engine::Engine;
use super::machines::deleting;
use super::names::{MachineArn, Qualifier, no_machine, no_resource};
use super::request::{Request, next_token};
use super::store::aliases::{self as kept, Alias, Route};
use super::store::{machines, versions};
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

/// AWS's limit to the aliases of a machine.
const MOST: usize = 100;

/// Where an alias leads, checked.
struct Routing {
    /// The machine whose versions they are.
    machine: String,
    routes: Vec<Route>,
}

pub(super) async fn create(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let name = request.required("name").to_owned();
    let Routing { machine, routes } = routing(request.list("routingConfiguration"))?;
    let now = engine.source.now();
    let alias = Alias {
        id: 0,
        arn: format!("{machine}:{name}"),
        machine,
        name,
        description: request.owned("description"),
        routing: routes,
        created: now,
        updated: now,
    };
    let created = engine.store.write(move |transaction| {
        if let Err(error) = check_routes(transaction, &alias.machine, &alias.routing)? {
            return Ok(Err(error));
        }
        if let Some(other) = kept::find(transaction, &alias.arn)? {
            return Ok(
                if (&other.description, &other.routing) == (&alias.description, &alias.routing) {
                    Ok(other)
                } else {
                    Err(AwsError::new(
                        "ConflictException",
                        "Failed to create alias because an alias with the same name and a different routing configuration already exists.",
                    ))
                },
            );
        }
        if kept::count(transaction, &alias.machine)? >= MOST {
            return Ok(Err(AwsError::new(
                "ServiceQuotaExceededException",
                format!("A state machine has at most {MOST} aliases: '{}'", alias.machine),
            )));
        }
        kept::insert(transaction, &alias)?;
        Ok(Ok(alias))
    });
    let alias = created.await??;
    Ok(json!({
        "stateMachineAliasArn": alias.arn,
        "creationDate": epoch_seconds(alias.created),
    })
    .into())
}

pub(super) async fn update(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = alias_arn(request)?;
    let description = request.owned("description");
    let routes = match request.get("routingConfiguration") {
        None => None,
        Some(_) => Some(routing(request.list("routingConfiguration"))?),
    };
    if description.is_none() && routes.is_none() {
        return Err(AwsError::new(
            "ValidationException",
            "Either the description or the RoutingConfiguration must be specified",
        ));
    }
    if let Some(routes) = routes.as_ref().filter(|routes| routes.machine != asked.machine) {
        return Err(AwsError::new(
            "ValidationException",
            format!(
                "Routing configuration must contain versions of the alias' own state machine. Received: [{}]",
                named(&routes.routes)
            ),
        ));
    }
    let now = engine.source.now();
    let updated = engine.store.write(move |transaction| {
        let Some(mut alias) = kept::find(transaction, &asked.to_string())? else {
            return Ok(Err(no_resource()));
        };
        if let Some(routes) = routes {
            if let Err(error) = check_routes(transaction, &alias.machine, &routes.routes)? {
                return Ok(Err(error));
            }
            alias.routing = routes.routes;
        }
        alias.description = description.or(alias.description);
        alias.updated = now;
        kept::update(transaction, &alias)?;
        Ok(Ok(()))
    });
    updated.await??;
    Ok(json!({"updateDate": epoch_seconds(now)}).into())
}

pub(super) async fn describe(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = alias_arn(request)?.to_string();
    let alias = engine
        .store
        .read(move |connection| kept::find(connection, &asked))
        .await?;
    let alias = alias.ok_or_else(no_resource)?;
    let mut answer = json!({
        "stateMachineAliasArn": alias.arn,
        "name": alias.name,
        "routingConfiguration": alias.routing,
        "creationDate": epoch_seconds(alias.created),
        "updateDate": epoch_seconds(alias.updated),
    });
    if let Some(description) = alias.description {
        answer["description"] = description.into();
    }
    Ok(answer.into())
}

pub(super) async fn delete(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = alias_arn(request)?.to_string();
    let there = engine
        .store
        .write(move |transaction| kept::delete(transaction, &asked))
        .await?;
    if there {
        Ok(json!({}).into())
    } else {
        Err(no_resource())
    }
}

/// Lists the aliases of a machine, or of one of its versions.
pub(super) async fn list(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = MachineArn::read(request.required("stateMachineArn"))?;
    let size = request.page();
    let after = request.position::<i64>()?.unwrap_or(0);
    let listed = engine.store.read(move |connection| {
        let there = match &asked.qualifier {
            None => machines::find(connection, &asked.machine)?.is_some(),
            Some(Qualifier::Version(_)) => versions::find(connection, &asked.to_string())?.is_some(),
            Some(Qualifier::Alias(_)) => false,
        };
        if !there {
            return Ok(Err(no_machine(&asked.to_string())));
        }
        // A machine has a hundred at most.
        let mut aliases = kept::list(connection, &asked.machine, after, MOST)?;
        if asked.qualifier.is_some() {
            let version = asked.to_string();
            aliases.retain(|alias| {
                let mut routes = alias.routing.iter();
                routes.any(|route| route.state_machine_version_arn == version)
            });
        }
        Ok(Ok(aliases))
    });
    let mut aliases = listed.await??;
    let more = aliases.len() > size;
    aliases.truncate(size);
    let shown: Vec<Value> = aliases
        .iter()
        .map(|alias| {
            json!({
                "stateMachineAliasArn": alias.arn,
                "creationDate": epoch_seconds(alias.created),
            })
        })
        .collect();
    let mut answer = json!({"stateMachineAliases": shown});
    if more && let Some(last) = aliases.last() {
        answer["nextToken"] = next_token(last.id);
    }
    Ok(answer.into())
}

fn alias_arn(request: &Request) -> Result<MachineArn, AwsError> {
    let asked = MachineArn::read(request.required("stateMachineAliasArn"))?;
    match asked.qualifier {
        Some(Qualifier::Alias(_)) => Ok(asked),
        _ => Err(AwsError::new(
            "InvalidArn",
            format!("Invalid Arn: 'Resource type not valid in this context: {asked}'"),
        )),
    }
}

/// Reads where an alias shall lead: to distinct versions of one machine, by weights that add up to a hundred.
fn routing(given: &[Value]) -> Result<Routing, AwsError> {
    let invalid = |message: String| Err(AwsError::new("ValidationException", message));
    let routes: Vec<Route> = given
        .iter()
        .filter_map(|route| serde_json::from_value(route.clone()).ok())
        .collect();
    let mut found = Vec::with_capacity(routes.len());
    for route in &routes {
        found.push(MachineArn::read(&route.state_machine_version_arn)?);
    }
    let versions = |arn: &MachineArn| matches!(arn.qualifier, Some(Qualifier::Version(_)));
    if !found.iter().all(versions) {
        return invalid(format!(
            "Routing configuration must contain state machine version ARNs. Received: [{}]",
            named(&routes)
        ));
    }
    if let [one, other] = routes.as_slice()
        && one.state_machine_version_arn == other.state_machine_version_arn
    {
        return invalid(format!(
            "Routing configuration must contain distinct state machine version ARNs. Received: [{}]",
            named(&routes)
        ));
    }
    let weights: Vec<u32> = routes.iter().map(|route| u32::from(route.weight)).collect();
    if weights.iter().sum::<u32>() != 100 {
        let shown: Vec<String> = weights.iter().map(u32::to_string).collect();
        return invalid(format!(
            "Sum of routing configuration weights must equal 100. Received: [{}]",
            shown.join(", ")
        ));
    }
    if found.windows(2).any(|pair| pair[0].machine != pair[1].machine) {
        return invalid(format!(
            "Routing configuration must contain versions of one state machine. Received: [{}]",
            named(&routes)
        ));
    }
    let machine = found
        .into_iter()
        .next()
        .map(|arn| arn.machine)
        .unwrap_or_default();
    Ok(Routing { machine, routes })
}

fn named(routes: &[Route]) -> String {
    let arns: Vec<&str> = routes
        .iter()
        .map(|route| route.state_machine_version_arn.as_str())
        .collect();
    arns.join(", ")
}

/// Whether the machine and the versions are there.
fn check_routes(
    transaction: &Transaction<'_>,
    machine: &str,
    routes: &[Route],
) -> rusqlite::Result<Result<(), AwsError>> {
    match machines::find(transaction, machine)? {
        None => return Ok(Err(no_resource())),
        Some(machine) if machine.status == "DELETING" => return Ok(Err(deleting(&machine.arn))),
        Some(_) => {}
    }
    for route in routes {
        if versions::find(transaction, &route.state_machine_version_arn)?.is_none() {
            return Ok(Err(no_resource()));
        }
    }
    Ok(Ok(()))
}
