//! The table: whether it has the shape that the store needs, whether it is kept safe, and whether an item can be
//! written, read and deleted. The shape is that of `store/schema.rs`.

use super::Patient;
use super::finding::{Finding, fault, said};
use crate::aws_faults::Service::DynamoDb;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, IndexStatus, KeySchemaElement, KeyType, PointInTimeRecoveryStatus, ProjectionType,
    SseStatus, TableDescription, TableStatus, TimeToLiveStatus,
};

const ABOUT: &str = "table";

/// The indexes: name, partition key, sort key.
const INDEXES: [(&str, &str, &str); 2] = [("due", "due", "due_at"), ("list", "list", "created")];

/// Looks at everything about the table.
pub(super) async fn examine(patient: &Patient) -> Vec<Finding> {
    let client = Client::new(&patient.aws);
    let table = patient.serve.config.table.as_str();
    let (shape, backups, expiry, probe) = tokio::join!(
        shape(&client, table),
        backups(&client, table),
        expiry(&client, table),
        probe(&client, table, &patient.probe),
    );
    // Without a table the rest would say the same once more.
    match shape {
        Err(missing) => vec![missing],
        Ok(found) => found.into_iter().chain([backups, expiry]).chain(probe).collect(),
    }
}

async fn shape(client: &Client, table: &str) -> Result<Vec<Finding>, Finding> {
    let described = client.describe_table().table_name(table).send().await;
    let described = match described {
        Ok(described) => described.table,
        Err(error) => {
            let finding = fault(ABOUT, DynamoDb, said(&error)).unseen("dynamodb:DescribeTable");
            return if finding.verdict == super::Verdict::Wrong {
                Err(finding)
            } else {
                Ok(vec![finding])
            };
        }
    };
    let Some(described) = described else {
        return Ok(Vec::new());
    };
    let mut found = vec![status(&described, table)];
    found.extend(keys_and_indexes(&described));
    found.extend(encryption(&described));
    Ok(found)
}

fn status(table: &TableDescription, name: &str) -> Finding {
    match table.table_status() {
        Some(TableStatus::Active) => {
            let arn = table.table_arn().unwrap_or(name);
            Finding::ok(ABOUT, format!("{arn} is active"))
        }
        Some(TableStatus::Updating | TableStatus::Creating) => Finding::warning(
            ABOUT,
            format!("{name} is being made or changed"),
            "wait a minute, and examine again",
        ),
        Some(TableStatus::InaccessibleEncryptionCredentials) => Finding::wrong(
            ABOUT,
            format!("{name} can't be decrypted: its KMS key is disabled or gone"),
            "enable the table's KMS key again, or cancel its deletion, within seven days",
        ),
        other => {
            let status = other.map_or("unknown", TableStatus::as_str);
            Finding::wrong(
                ABOUT,
                format!("{name} is {status}"),
                "look at the table in AWS's console",
            )
        }
    }
}

fn keys_and_indexes(table: &TableDescription) -> Vec<Finding> {
    let types = table.attribute_definitions();
    let fits = |keys: &[KeySchemaElement], partition: &str, sort: &str, number: bool| {
        let named = |kind: &KeyType, name: &str| {
            keys.iter()
                .any(|key| key.key_type() == kind && key.attribute_name() == name)
        };
        let typed = |name: &str, kind: &str| {
            types
                .iter()
                .any(|it| it.attribute_name() == name && it.attribute_type().as_str() == kind)
        };
        named(&KeyType::Hash, partition)
            && named(&KeyType::Range, sort)
            && typed(partition, "S")
            && typed(sort, if number { "N" } else { "S" })
    };
    if !fits(table.key_schema(), "pk", "sk", false) {
        return vec![Finding::wrong(
            ABOUT,
            "its key isn't pk and sk, both text",
            "give the service a table of its own: a key can't be changed; `countersign setup` makes one",
        )];
    }
    INDEXES
        .into_iter()
        .map(|(name, partition, sort)| {
            let about = format!("index {name}");
            let index = table.global_secondary_indexes().iter().find(|it| it.index_name() == Some(name));
            let Some(index) = index else {
                return Finding::wrong(
                    about,
                    "isn't there",
                    format!("add the index {name}: partition key {partition} (text), sort key {sort} (number), KEYS_ONLY"),
                );
            };
            let projection = index.projection().and_then(|it| it.projection_type());
            if !fits(index.key_schema(), partition, sort, true) {
                let what = format!("its key isn't {partition} (text) and {sort} (number)");
                return Finding::wrong(about, what, "delete the index and make it again with that key");
            }
            if index.index_status() != Some(&IndexStatus::Active) {
                return Finding::warning(about, "isn't active yet", "wait until it is filled, and examine again");
            }
            if projection != Some(&ProjectionType::KeysOnly) {
                let what = "projects more than keys, which costs more with each write";
                return Finding::warning(about, what, "make the index again with the projection KEYS_ONLY");
            }
            Finding::ok(about, format!("{partition} and {sort}, keys only"))
        })
        .collect()
}

fn encryption(table: &TableDescription) -> Option<Finding> {
    let about = "encryption";
    let Some(sse) = table.sse_description() else {
        return Some(Finding::ok(about, "with DynamoDB's own key"));
    };
    if sse.inaccessible_encryption_date_time().is_some() {
        return Some(Finding::wrong(
            about,
            "the table's KMS key can't be used",
            "enable the key again, or let DynamoDB use it in the key's policy; after seven days the table is archived",
        ));
    }
    match sse.status() {
        Some(SseStatus::Enabled) => {
            let key = sse
                .kms_master_key_arn()
                .unwrap_or("the account's key aws/dynamodb");
            Some(Finding::ok(about, format!("with {key}")))
        }
        Some(SseStatus::Updating | SseStatus::Enabling) => Some(Finding::ok(about, "is being changed")),
        _ => None,
    }
}

async fn backups(client: &Client, table: &str) -> Finding {
    let about = "backups";
    let described = client
        .describe_continuous_backups()
        .table_name(table)
        .send()
        .await;
    let description = match described {
        Ok(described) => described.continuous_backups_description,
        Err(error) => {
            let finding = fault(about, DynamoDb, said(&error)).unseen("dynamodb:DescribeContinuousBackups");
            // Nothing that the service does depends on it.
            return Finding {
                verdict: super::Verdict::Warning,
                ..finding
            };
        }
    };
    let recovery = description.and_then(|it| it.point_in_time_recovery_description);
    match recovery.and_then(|it| it.point_in_time_recovery_status) {
        Some(PointInTimeRecoveryStatus::Enabled) => Finding::ok(about, "point-in-time recovery is on"),
        _ => Finding::warning(
            about,
            "point-in-time recovery is off: a deleted or overwritten table can't be had back",
            format!(
                "aws dynamodb update-continuous-backups --table-name {table} \
                 --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
            ),
        ),
    }
}

/// Nothing hangs on items being deleted in time, so without a TTL there is only more to store.
async fn expiry(client: &Client, table: &str) -> Finding {
    let about = "time to live";
    let described = client.describe_time_to_live().table_name(table).send().await;
    let description = match described {
        Ok(described) => described.time_to_live_description,
        Err(error) => {
            let finding = fault(about, DynamoDb, said(&error)).unseen("dynamodb:DescribeTimeToLive");
            return Finding {
                verdict: super::Verdict::Warning,
                ..finding
            };
        }
    };
    let attribute = description
        .as_ref()
        .and_then(|it| it.attribute_name())
        .unwrap_or_default();
    match description.as_ref().and_then(|it| it.time_to_live_status()) {
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) if attribute == TTL => {
            Finding::ok(about, format!("items go at their {TTL}"))
        }
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) => Finding::wrong(
            about,
            format!("is on for {attribute}, which isn't an attribute of ours"),
            format!("turn it off for {attribute}, and an hour later on for {TTL}"),
        ),
        _ => Finding::ok(about, "is off: nothing is deleted by itself"),
    }
}

/// The attribute that says when an item may go.
pub(in crate::cli) const TTL: &str = "expires_at";

/// Writes, reads and deletes an item of the doctor's own, and looks into both indexes, with the calls that the store
/// makes.
async fn probe(client: &Client, table: &str, key: &str) -> Vec<Finding> {
    let about = "item";
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = || {
        let put = client
            .put_item()
            .table_name(table)
            .item("pk", text(key))
            .item("sk", text("D"));
        put.condition_expression("attribute_not_exists(pk)").send()
    };
    if let Err(error) = put().await {
        return vec![fault(about, DynamoDb, said(&error))];
    }
    let mut found = Vec::new();
    match put().await {
        Err(error) if said(&error).0 == "ConditionalCheckFailedException" => {}
        Err(error) => found.push(fault(about, DynamoDb, said(&error))),
        Ok(_) => found.push(Finding::wrong(
            about,
            "a condition on a write isn't kept, so nothing would be guarded against repeats",
            "use DynamoDB itself: what answers at AWS_ENDPOINT_URL isn't like it",
        )),
    }
    let get = client
        .get_item()
        .table_name(table)
        .key("pk", text(key))
        .key("sk", text("D"));
    match get.consistent_read(true).send().await {
        Err(error) => found.push(fault(about, DynamoDb, said(&error))),
        Ok(read) if read.item.is_none() => found.push(Finding::wrong(
            about,
            "what was written can't be read",
            "use DynamoDB itself: what answers at AWS_ENDPOINT_URL isn't like it",
        )),
        Ok(_) => {}
    }
    for (index, partition, _) in INDEXES {
        let query = client.query().table_name(table).index_name(index).limit(1);
        let query = query
            .key_condition_expression("#key = :doctor")
            .expression_attribute_names("#key", partition);
        if let Err(error) = query
            .expression_attribute_values(":doctor", text(key))
            .send()
            .await
        {
            found.push(fault(format!("index {index}"), DynamoDb, said(&error)));
        }
    }
    let delete = client
        .delete_item()
        .table_name(table)
        .key("pk", text(key))
        .key("sk", text("D"));
    if let Err(error) = delete.send().await {
        found.push(fault(about, DynamoDb, said(&error)));
    }
    if found.is_empty() {
        found.push(Finding::ok(
            about,
            "written under a condition, read, looked up and deleted",
        ));
    }
    found
}
