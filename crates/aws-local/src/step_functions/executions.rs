//! The operations on executions.

use std::sync::Arc;

use asl::{Happened, Refused};
use serde_json::{Value, json};

use super::engine::Engine;
use super::names::{MachineArn, Qualifier, arn, execution_arn, name, no_machine};
use super::request::{Request, next_token};
use super::store::executions::{self as kept, Place, Record, Starter, Wanted};
use super::store::machines::{self, Machine};
use super::store::{aliases, map_runs, versions};
use super::{express, input};
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

/// What an execution is begun of.
pub(super) struct Origin {
    pub(super) machine: Machine,
    /// The revision that runs, its definition and its role are the machine's or the version's.
    pub(super) revision: i64,
    pub(super) role: String,
    pub(super) version: Option<String>,
    pub(super) alias: Option<String>,
}

/// The machine, version or alias that `stateMachineArn` names. An alias leads to one of its versions, by weight.
pub(super) async fn origin(engine: &Engine, request: &Request) -> Result<Origin, AwsError> {
    let asked = MachineArn::read(request.required("stateMachineArn"))?;
    let [draw] = engine.source.bytes::<1>();
    let found = engine.store.read(move |connection| {
        let Some(machine) = machines::find(connection, &asked.machine)? else {
            return Ok(Err(asked));
        };
        let (version, alias) = match &asked.qualifier {
            None => {
                return Ok(Ok(Origin {
                    revision: machine.revision,
                    role: machine.role.clone(),
                    machine,
                    version: None,
                    alias: None,
                }));
            }
            Some(Qualifier::Version(_)) => (asked.to_string(), None),
            Some(Qualifier::Alias(_)) => match aliases::find(connection, &asked.to_string())? {
                Some(alias) => (chosen(&alias.routing, draw), Some(alias.arn)),
                None => return Ok(Err(asked)),
            },
        };
        let Some(version) = versions::find(connection, &version)? else {
            return Ok(Err(asked));
        };
        Ok(Ok(Origin {
            revision: version.revision,
            role: machines::revision(connection, version.revision)?.role,
            machine,
            version: Some(version.arn),
            alias,
        }))
    });
    found.await?.map_err(|asked| no_machine(&asked.to_string()))
}

/// The version that a random byte falls to, by weights that add up to a hundred.
fn chosen(routing: &[aliases::Route], draw: u8) -> String {
    // 0 to 99, each as good as equally often.
    let mut point = u32::from(draw) * 100 / 256;
    for route in routing {
        let weight = u32::from(route.weight);
        if point < weight {
            return route.state_machine_version_arn.clone();
        }
        point -= weight;
    }
    String::new()
}

pub(super) async fn start(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    start_by(engine, request, None).await
}

/// StartExecution, by a task where `starter` is one: then the execution that this very task began before a crash is
/// the answer, however it stands meanwhile.
pub(super) async fn start_by(
    engine: &Arc<Engine>,
    request: &Request,
    starter: Option<Starter>,
) -> Result<Answer, AwsError> {
    let asked = request.text("name");
    asked.map(name).transpose()?;
    let input = request.text("input").unwrap_or("{}");
    let origin = origin(engine, request).await?;
    input::check(input)?;
    if origin.machine.status == "DELETING" {
        return Err(super::machines::deleting(&origin.machine.arn));
    }
    let name = asked.map_or_else(|| engine.source.uuid(), str::to_owned);
    if origin.machine.kind == "EXPRESS" {
        return express::start(engine, origin, name, input.to_owned()).await;
    }
    let record = Record {
        id: 0,
        arn: execution_arn(&origin.machine.name, &name),
        machine: origin.machine.arn,
        name,
        revision: origin.revision,
        status: "RUNNING".to_owned(),
        started: engine.source.now(),
        input: input.to_owned(),
        trace: request.owned("traceHeader"),
        end: None,
        version: origin.version,
        alias: origin.alias,
        redrives: 0,
        redriven: None,
        redrive_token: None,
        starter,
    };
    let (arn, started) = (record.arn.clone(), record.started);
    let started = match engine.start(record, origin.role, origin.machine.name).await? {
        Ok(()) => started,
        Err(other) if other.status == "RUNNING" && other.input == input => other.started,
        Err(other) if starter.is_some() && other.starter == starter => other.started,
        Err(other) => {
            return Err(AwsError::new(
                "ExecutionAlreadyExists",
                format!("Execution Already Exists: '{}'", other.arn),
            ));
        }
    };
    Ok(json!({"executionArn": arn, "startDate": epoch_seconds(started)}).into())
}

pub(super) async fn describe(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let record = find(engine, request).await?;
    let with_data = request.all_data();
    let why_not = super::redrive::why_not(engine, &record).await?;
    let mut answer = summary(&record);
    let id = record.id;
    let run = engine
        .store
        .read(move |connection| map_runs::of_child(connection, id))
        .await?;
    if let Some((run, _)) = run {
        answer["mapRunArn"] = run.run.arn.into();
    }
    if with_data {
        answer["input"] = record.input.into();
        answer["inputDetails"] = json!({"included": true});
    }
    if let Some(trace) = record.trace {
        answer["traceHeader"] = trace.into();
    }
    if let Some(end) = record.end.filter(|_| with_data) {
        if let Some(output) = end.output {
            answer["output"] = output.into();
            answer["outputDetails"] = json!({"included": true});
        }
        if let Some(error) = end.error {
            answer["error"] = error.into();
        }
        if let Some(cause) = end.cause {
            answer["cause"] = cause.into();
        }
    }
    match why_not {
        None if answer.get("mapRunArn").is_some() => answer["redriveStatus"] = "REDRIVABLE_BY_MAP_RUN".into(),
        None => answer["redriveStatus"] = "REDRIVABLE".into(),
        Some(reason) => {
            answer["redriveStatus"] = "NOT_REDRIVABLE".into();
            answer["redriveStatusReason"] = reason.into();
        }
    }
    Ok(answer.into())
}

pub(super) async fn history(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let size = request.page();
    let from = request.position::<u64>()?;
    let reverse = request.flag("reverseOrder");
    let with_data = !request.has("includeExecutionData") || request.flag("includeExecutionData");
    let record = find(engine, request).await?;
    let journal = engine
        .store
        .read(move |connection| kept::journal(connection, record.id));
    let (entries, _) = journal.await?;
    let shown = entries.iter().filter(|entry| entry.id != 0);
    let mut events: Vec<_> = if reverse {
        shown
            .rev()
            .filter(|entry| from.is_none_or(|from| entry.id <= from))
            .take(size + 1)
            .collect()
    } else {
        shown
            .filter(|entry| from.is_none_or(|from| entry.id >= from))
            .take(size + 1)
            .collect()
    };
    let next = events.get(size).map(|entry| entry.id);
    events.truncate(size);
    let events: Vec<Value> = events
        .into_iter()
        .filter_map(|entry| asl::history_event(entry, with_data))
        .collect();
    let mut answer = json!({"events": events});
    if let Some(next) = next {
        answer["nextToken"] = next_token(next);
    }
    Ok(answer.into())
}

pub(super) async fn stop(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let (error, cause) = (request.owned("error"), request.owned("cause"));
    let record = find(engine, request).await?;
    let refused = engine
        .happen(record.id, Happened::Stopped { error, cause })
        .await?;
    let stopped = match refused {
        None => engine.source.now(),
        Some(Refused::Ended | Refused::Closed | Refused::Unknown | Refused::WrongKind) => {
            let end = find(engine, request).await?.end;
            end.map_or_else(|| engine.source.now(), |end| end.at)
        }
    };
    Ok(json!({"stopDate": epoch_seconds(stopped)}).into())
}

pub(super) async fn list(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    if request.has("mapRunArn") {
        return super::map_runs::api::list_children(engine, request).await;
    }
    let size = request.page();
    if !request.has("stateMachineArn") {
        return Err(AwsError::new(
            "ValidationException",
            "Must specify either a State Machine ARN or a Map Run ARN",
        ));
    }
    let after = request.position::<Place>()?;
    let asked = MachineArn::read(request.required("stateMachineArn"))?;
    let status = request.owned("statusFilter");
    let redriven = request.text("redriveFilter").map(|filter| filter == "REDRIVEN");
    let listed = engine.store.read(move |connection| {
        let machine = machines::find(connection, &asked.machine)?;
        let by = asked.qualifier.is_some().then(|| asked.to_string());
        let there = match &asked.qualifier {
            None => true,
            Some(Qualifier::Version(_)) => versions::find(connection, &asked.to_string())?.is_some(),
            Some(Qualifier::Alias(_)) => aliases::find(connection, &asked.to_string())?.is_some(),
        };
        let Some(machine) = machine.filter(|_| there) else {
            return Ok(Err(no_machine(&asked.to_string())));
        };
        if machine.kind == "EXPRESS" {
            return Ok(Err(express::not_for_this_type()));
        }
        let wanted = Wanted {
            machine: machine.arn,
            by,
            status,
            redriven,
            after,
            limit: size + 1,
        };
        Ok(Ok(kept::list(connection, &wanted)?))
    });
    let mut records = listed.await??;
    let more = records.len() > size;
    records.truncate(size);
    let mut answer = json!({"executions": records.iter().map(summary).collect::<Vec<_>>()});
    if more && let Some(last) = records.last() {
        answer["nextToken"] = next_token(last.place());
    }
    Ok(answer.into())
}

/// The execution that `executionArn` names.
pub(super) async fn find(engine: &Engine, request: &Request) -> Result<Record, AwsError> {
    let asked = request.required("executionArn").to_owned();
    arn(&asked, "execution")?;
    let wanted = asked.clone();
    let record = engine
        .store
        .read(move |connection| kept::find(connection, &wanted))
        .await?;
    record.ok_or_else(|| {
        AwsError::new(
            "ExecutionDoesNotExist",
            format!("Execution Does Not Exist: '{asked}'"),
        )
    })
}

/// What a list says of an execution.
pub(super) fn summary(record: &Record) -> Value {
    let mut summary = json!({
        "executionArn": record.arn,
        "stateMachineArn": record.machine,
        "name": record.name,
        "status": record.status,
        "startDate": epoch_seconds(record.started),
        "redriveCount": record.redrives,
    });
    let further = [
        ("stopDate", record.end.as_ref().map(|end| epoch_seconds(end.at))),
        ("redriveDate", record.redriven.map(epoch_seconds)),
        (
            "stateMachineVersionArn",
            record.version.as_deref().map(Value::from),
        ),
        ("stateMachineAliasArn", record.alias.as_deref().map(Value::from)),
    ];
    for (name, value) in further {
        if let Some(value) = value {
            summary[name] = value;
        }
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_fall_to_versions_by_weight() {
        let route = |name: &str, weight| aliases::Route {
            state_machine_version_arn: name.to_owned(),
            weight,
        };
        for (weight, least, most) in [(0, 0, 0), (10, 25, 26), (50, 128, 128), (100, 256, 256)] {
            let routing = [route("one", weight), route("two", 100 - weight)];
            let count = (0..=u8::MAX)
                .filter(|draw| chosen(&routing, *draw) == "one")
                .count();
            assert!((least..=most).contains(&count), "{weight}: {count}");
        }
    }
}
