//! Continuous backups: whether point-in-time recovery of a table is on, which is all that is kept of them. There is no
//! restoring here.

use bytes::Bytes;
use dynoxide::Database;
use dynoxide::actions::describe_table::DescribeTableRequest;
use rusqlite::OptionalExtension as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{refusal, unreadable};
use crate::database::Place;
use crate::error::{Answer, AwsError};
use crate::store::Store;

const FILE: &str = "backups.sqlite";
const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS recovery (table_id TEXT PRIMARY KEY, days INTEGER NOT NULL) STRICT;";
/// How many days a table can be recovered from, where nobody says.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PointInTimeRecoverySpecification.html>
const DAYS: u8 = 35;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    table_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    table_name: String,
    point_in_time_recovery_specification: Specification,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Specification {
    point_in_time_recovery_enabled: bool,
    recovery_period_in_days: Option<u8>,
}

/// The tables whose recovery is on.
pub(super) struct Backups {
    place: Place,
    /// Opened when somebody first asks, which most never do.
    store: OnceCell<Store>,
}

impl Backups {
    pub(super) fn at(place: Place) -> Backups {
        Backups {
            place,
            store: OnceCell::new(),
        }
    }

    pub(super) async fn describe(&self, database: &Database, body: &Bytes) -> Result<Answer, AwsError> {
        let Describe { table_name } = read(body)?;
        let (table, now) = identify(database, table_name)?;
        let store = self.store().await?;
        let days = store
            .read(move |connection| {
                let query = "SELECT days FROM recovery WHERE table_id = ?1";
                connection.query_row(query, [table], |row| row.get(0)).optional()
            })
            .await?;
        Ok(described(days, now))
    }

    pub(super) async fn update(&self, database: &Database, body: &Bytes) -> Result<Answer, AwsError> {
        let Update {
            table_name,
            point_in_time_recovery_specification: asked,
        } = read(body)?;
        let days = asked.recovery_period_in_days.unwrap_or(DAYS);
        if !(1..=DAYS).contains(&days) {
            let message = format!("RecoveryPeriodInDays must be from 1 to {DAYS}");
            return Err(AwsError::new("ValidationException", message));
        }
        let (table, created) = identify(database, table_name)?;
        let on = asked.point_in_time_recovery_enabled;
        let store = self.store().await?;
        store
            .write(move |transaction| {
                if on {
                    transaction.execute("REPLACE INTO recovery VALUES (?1, ?2)", (table, days))
                } else {
                    transaction.execute("DELETE FROM recovery WHERE table_id = ?1", [table])
                }
            })
            .await?;
        Ok(described(on.then_some(days), created))
    }

    /// Waits for the write under way.
    pub(super) async fn settle(&self) {
        if let Some(store) = self.store.get() {
            store.settle().await;
        }
    }

    async fn store(&self) -> Result<&Store, AwsError> {
        let open = async || Store::open(self.place.clone(), FILE, SCHEMA);
        let opened = self.store.get_or_try_init(open).await;
        opened.map_err(|error| AwsError::internal("InternalServerError", error))
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, AwsError> {
    serde_json::from_slice(body).map_err(|error| unreadable(&error))
}

/// What tells a table from a later one of its name, and when it was made.
fn identify(database: &Database, name: String) -> Result<(String, Option<f64>), AwsError> {
    // A table may be named by its ARN as well.
    let table_name = name.rsplit('/').next().unwrap_or_default().to_owned();
    let described = database.describe_table(DescribeTableRequest { table_name });
    match described {
        Ok(described) => Ok((
            described.table.table_id.unwrap_or(name),
            described.table.creation_date_time,
        )),
        Err(dynoxide::DynoxideError::ResourceNotFoundException(_)) => Err(AwsError::new(
            "TableNotFoundException",
            format!("Table not found: {name}"),
        )),
        Err(error) => Err(refusal(&error)),
    }
}

/// `days` are those of recovery, where it is on; `created` is the first moment that there was anything to recover.
fn described(days: Option<u8>, created: Option<f64>) -> Answer {
    let recovery: Value = match days {
        Some(days) => json!({
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": days,
            "EarliestRestorableDateTime": created,
            "LatestRestorableDateTime": created,
        }),
        None => json!({"PointInTimeRecoveryStatus": "DISABLED"}),
    };
    let description = json!({
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": recovery,
    });
    json!({"ContinuousBackupsDescription": description}).into()
}
