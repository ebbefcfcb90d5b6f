//! The operations on versions of state machines.

use rusqlite::Transaction;
use serde_json::{Value, json};

use super::engine::Engine;
use super::machines::deleting;
use super::names::{MachineArn, Qualifier, no_machine};
use super::request::{Request, next_token};
use super::store::machines::{self, Machine};
use super::store::{aliases, versions as kept};
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

/// AWS's limit to the versions of a machine.
const MOST: usize = 1000;

/// What PublishStateMachineVersion calls the revision that CreateStateMachine made.
const INITIAL: &str = "INITIAL";

pub(super) async fn publish(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let arn = MachineArn::unqualified(request.required("stateMachineArn"))?;
    let wanted = request.owned("revisionId").filter(|id| !id.is_empty());
    let description = request.owned("description");
    let now = engine.source.now();
    let published = engine.store.write(move |transaction| {
        let Some(machine) = machines::find(transaction, &arn)? else {
            return Ok(Err(no_machine(&arn)));
        };
        if machine.status == "DELETING" {
            return Ok(Err(deleting(&arn)));
        }
        let current = machine.revision_id.as_deref().unwrap_or(INITIAL);
        if let Some(wanted) = wanted.filter(|wanted| wanted != current) {
            return Ok(Err(AwsError::new(
                "ConflictException",
                format!(
                    "Failed to publish the State Machine version for revision {wanted}. The current State Machine revision is {current}."
                ),
            )));
        }
        if let Err(error) = quota(transaction, &machine)? {
            return Ok(Err(error));
        }
        Ok(Ok(kept::publish(transaction, &machine, description.as_deref(), now)?))
    });
    let version = published.await??;
    Ok(json!({
        "stateMachineVersionArn": version.arn,
        "creationDate": epoch_seconds(version.created),
    })
    .into())
}

/// Whether the machine may have one more version.
pub(super) fn quota(
    transaction: &Transaction<'_>,
    machine: &Machine,
) -> rusqlite::Result<Result<(), AwsError>> {
    if kept::count(transaction, &machine.arn)? < MOST {
        return Ok(Ok(()));
    }
    Ok(Err(AwsError::new(
        "ServiceQuotaExceededException",
        format!("A state machine has at most {MOST} versions: '{}'", machine.arn),
    )))
}

pub(super) async fn list(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let machine = MachineArn::read(request.required("stateMachineArn"))?.machine;
    let (size, before) = (request.page(), request.position::<i64>()?.unwrap_or(i64::MAX));
    let mut versions = engine
        .store
        .read(move |connection| kept::list(connection, &machine, before, size + 1))
        .await?;
    let more = versions.len() > size;
    versions.truncate(size);
    let shown: Vec<Value> = versions
        .iter()
        .map(|version| {
            json!({
                "stateMachineVersionArn": version.arn,
                "creationDate": epoch_seconds(version.created),
            })
        })
        .collect();
    let mut answer = json!({"stateMachineVersions": shown});
    if more && let Some(last) = versions.last() {
        answer["nextToken"] = next_token(last.number);
    }
    Ok(answer.into())
}

/// Deletes a version that no alias leads to; one that isn't there is as good as deleted.
pub(super) async fn delete(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = MachineArn::read(request.required("stateMachineVersionArn"))?;
    if !matches!(asked.qualifier, Some(Qualifier::Version(_))) {
        return Err(AwsError::new(
            "ValidationException",
            format!("The ARN is not one of a state machine version: '{asked}'"),
        ));
    }
    let deleted = engine.store.write(move |transaction| {
        let arn = asked.to_string();
        let names = aliases::leading_to(transaction, &asked.machine, &arn)?;
        if !names.is_empty() {
            return Ok(Err(AwsError::new(
                "ConflictException",
                format!(
                    "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [{}]",
                    names.join(", ")
                ),
            )));
        }
        kept::delete(transaction, &arn)?;
        Ok(Ok(()))
    });
    deleted.await??;
    Ok(json!({}).into())
}
