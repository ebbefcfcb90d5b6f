//! The table, its recovery, and its time to live.

use super::super::doctor::TTL;
use super::{Failure, Making, Step, Wanted, failed};
use crate::aws_faults::Service::DynamoDb;
use crate::aws_faults::code_of;
use crate::store::Store;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    PointInTimeRecoverySpecification, PointInTimeRecoveryStatus, TableStatus, TimeToLiveSpecification,
    TimeToLiveStatus,
};
use std::time::Duration;

/// How often and how long it is waited for a table.
const LOOKS: u32 = 60;
const BETWEEN: Duration = Duration::from_secs(2);

pub(super) async fn look(wanted: &Wanted) -> Result<Vec<Step>, Failure> {
    let client = Client::new(&wanted.aws);
    let table = wanted.table.as_str();
    let recovery = || Step::Make(format!("point-in-time recovery of {table}"), Making::Recovery);
    let expiry = || Step::Make(format!("time to live of {table}, by {TTL}"), Making::Expiry);
    match client.describe_table().table_name(table).send().await {
        Ok(_) => {}
        Err(error) if code_of(&error) == "ResourceNotFoundException" => {
            let made = Step::Make(
                format!("table {table}, with its indexes due and list, on demand"),
                Making::Table,
            );
            return Ok(vec![made, recovery(), expiry()]);
        }
        Err(error) => return Err(failed("the table", DynamoDb, &error)),
    }
    let mut steps = vec![Step::There(format!("table {table}"))];
    let backups = client
        .describe_continuous_backups()
        .table_name(table)
        .send()
        .await;
    let backups = backups.map_err(|error| failed("the table's backups", DynamoDb, &error))?;
    let status = backups
        .continuous_backups_description
        .and_then(|it| it.point_in_time_recovery_description)
        .and_then(|it| it.point_in_time_recovery_status);
    steps.push(match status {
        Some(PointInTimeRecoveryStatus::Enabled) => Step::There(format!("point-in-time recovery of {table}")),
        _ => recovery(),
    });
    let ttl = client.describe_time_to_live().table_name(table).send().await;
    let ttl = ttl.map_err(|error| failed("the table's time to live", DynamoDb, &error))?;
    steps.push(
        match ttl.time_to_live_description.and_then(|it| it.time_to_live_status) {
            Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) => {
                Step::There(format!("time to live of {table}"))
            }
            _ => expiry(),
        },
    );
    Ok(steps)
}

/// Refuses where the table holds something already: it was written with other keys than those that are to be made, which
/// could neither read its links nor answer its workflows.
pub(super) async fn needs_no_other_key(wanted: &Wanted) -> Result<(), Failure> {
    let (table, file) = (&wanted.table, wanted.file.display());
    let looked = Client::new(&wanted.aws)
        .scan()
        .table_name(table)
        .limit(1)
        .send()
        .await;
    match looked {
        Ok(found) if found.items().is_empty() => Ok(()),
        Ok(_) => Err(Failure::failed(format!(
            "the table {table} holds requests already, and the keys that they were written with aren't here: name them in \
             {file} (master_key, evidence_key), or have another table made with --name"
        ))),
        Err(error) if code_of(&error) == "ResourceNotFoundException" => Ok(()),
        Err(error) => Err(failed("the table", DynamoDb, &error)),
    }
}

pub(super) async fn make(wanted: &Wanted) -> Result<(), Failure> {
    let client = Client::new(&wanted.aws);
    let store = Store::new(client.clone(), wanted.table.clone());
    store
        .create_table()
        .await
        .map_err(|error| Failure::failed(error.to_string()))?;
    for _ in 0..LOOKS {
        let described = client.describe_table().table_name(&wanted.table).send().await;
        let described = described.map_err(|error| failed("the table", DynamoDb, &error))?;
        if described.table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Err(Failure::failed(
        "the table isn't active after two minutes; run it again later",
    ))
}

pub(super) async fn recover(wanted: &Wanted) -> Result<(), Failure> {
    let on = PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(true)
        .build();
    let on = on.map_err(|error| Failure::failed(error.to_string()))?;
    let call = Client::new(&wanted.aws)
        .update_continuous_backups()
        .table_name(&wanted.table);
    let set = call.point_in_time_recovery_specification(on).send().await;
    set.map(drop)
        .map_err(|error| failed("point-in-time recovery", DynamoDb, &error))
}

pub(super) async fn expire(wanted: &Wanted) -> Result<(), Failure> {
    let on = TimeToLiveSpecification::builder()
        .attribute_name(TTL)
        .enabled(true)
        .build();
    let on = on.map_err(|error| Failure::failed(error.to_string()))?;
    let call = Client::new(&wanted.aws)
        .update_time_to_live()
        .table_name(&wanted.table);
    let set = call.time_to_live_specification(on).send().await;
    set.map(drop)
        .map_err(|error| failed("time to live", DynamoDb, &error))
}
