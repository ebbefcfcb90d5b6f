//! DynamoDB: the `dynoxide-rs` crate, called directly. Its request types read AWS's JSON and its errors write
//! it, so all that is left is to say which method an operation is; and, in `backups`, what dynoxide has no word of.

mod backups;

use std::sync::Arc;

use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use backups::Backups;

use crate::StartError;
use crate::database::Place;
use crate::error::{Answer, AwsError};
use crate::flush::Flush;
use crate::source::Clock;

const FILE: &str = "dynamodb.sqlite";
/// The operations that leave nothing behind.
const ONLY_READ: [&str; 11] = [
    "DescribeTable",
    "ListTables",
    "GetItem",
    "Query",
    "Scan",
    "BatchGetItem",
    "TransactGetItems",
    "ListStreams",
    "DescribeStream",
    "DescribeTimeToLive",
    "ListTagsOfResource",
];

pub(crate) struct DynamoDb {
    backups: Backups,
    database: Database,
    place: Place,
    /// Where it is in a file.
    flush: Option<Flush>,
    /// The database has one lock for everything. Waiting for it here keeps the blocking threads free.
    turn: Arc<Mutex<()>>,
}

impl DynamoDb {
    pub(crate) fn open(place: Place, clock: &Clock) -> Result<DynamoDb, StartError> {
        let database = match place.file(FILE) {
            Some(path) => Database::new(&path.to_string_lossy()),
            None => Database::memory_with_clock(Arc::new(Seconds(Arc::clone(clock)))),
        };
        let refused = |error: DynoxideError| StartError::Database {
            file: FILE,
            reason: error.to_string(),
        };
        let database = database.map_err(refused)?;
        let flush = place.file(FILE).map(|path| Flush::of(&path));
        if flush.is_some() {
            // What this says is that a commit no longer flushes, which is then our part.
            database.disable_bulk_loading().map_err(refused)?;
        }
        Ok(DynamoDb {
            backups: Backups::at(place.clone()),
            database,
            place,
            flush,
            turn: Arc::default(),
        })
    }

    pub(crate) async fn call(&self, operation: String, body: Bytes) -> Result<Answer, AwsError> {
        let database = self.database.clone();
        match operation.as_str() {
            "DescribeContinuousBackups" => return self.backups.describe(&database, &body).await,
            "UpdateContinuousBackups" => return self.backups.update(&database, &body).await,
            _ => {}
        }
        let Some(flush) = self.flush.clone() else {
            return run(&database, &operation, &body);
        };
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let committed = flush.clone();
        let answer = self
            .place
            .run(move || {
                let _turn = turn;
                let answer = run(&database, &operation, &body);
                // Whatever came of it: a batch that failed may have written half.
                if !ONLY_READ.contains(&operation.as_str()) {
                    committed.committed();
                }
                answer
            })
            .await?;
        flush
            .flushed()
            .await
            .map_err(|error| AwsError::internal("InternalServerError", error))?;
        answer
    }

    /// Waits for the write under way.
    pub(crate) async fn settle(&self) {
        drop(self.turn.lock().await);
        self.backups.settle().await;
    }
}

fn run(database: &Database, operation: &str, body: &[u8]) -> Result<Answer, AwsError> {
    /// One line for each operation: its name, and the method that does it.
    macro_rules! operations {
        ($($name:literal => $method:ident,)*) => {
            match operation {
                $($name => one(body, |request| database.$method(request)),)*
                _ => Err(AwsError::not_embedded("DynamoDB", operation)),
            }
        };
    }
    operations! {
        "CreateTable" => create_table,
        "DeleteTable" => delete_table,
        "DescribeTable" => describe_table,
        "ListTables" => list_tables,
        "UpdateTable" => update_table,
        "PutItem" => put_item,
        "GetItem" => get_item,
        "DeleteItem" => delete_item,
        "UpdateItem" => update_item,
        "Query" => query,
        "Scan" => scan,
        "BatchGetItem" => batch_get_item,
        "BatchWriteItem" => batch_write_item,
        "TransactWriteItems" => transact_write_items,
        "TransactGetItems" => transact_get_items,
        "ListStreams" => list_streams,
        "DescribeStream" => describe_stream,
        "GetShardIterator" => get_shard_iterator,
        "GetRecords" => get_records,
        "UpdateTimeToLive" => update_time_to_live,
        "DescribeTimeToLive" => describe_time_to_live,
        "ExecuteStatement" => execute_statement,
        "ExecuteTransaction" => execute_transaction,
        "BatchExecuteStatement" => batch_execute_statement,
        "TagResource" => tag_resource,
        "UntagResource" => untag_resource,
        "ListTagsOfResource" => list_tags_of_resource,
    }
}

fn one<Q: DeserializeOwned, R: Serialize>(
    body: &[u8],
    operation: impl FnOnce(Q) -> dynoxide::Result<R>,
) -> Result<Answer, AwsError> {
    let request = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let response = operation(request).map_err(|error| refusal(&error))?;
    let text =
        serde_json::to_string(&response).map_err(|error| AwsError::internal("InternalServerError", error))?;
    Ok(Answer::Text(text))
}

fn refusal(error: &DynoxideError) -> AwsError {
    let name = error.error_type();
    let name = name.rsplit_once('#').map_or(name, |(_, name)| name);
    AwsError::written(error.status_code(), name, error.to_json())
}

/// What AWS refuses by validation, dynoxide's request types refuse while they are read, with a message that
/// begins with the class of the error; what they refuse without one is told apart as AWS does.
fn unreadable(error: &serde_json::Error) -> AwsError {
    let message = error.to_string();
    let plain = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(text, _)| text);
    let validation = |text: &str| DynoxideError::ValidationException(text.to_owned());
    let marked = ["VALIDATION_AS_READ:", "VALIDATION_REQUEST:", "VALIDATION:"]
        .iter()
        .find_map(|marker| plain.strip_prefix(marker));
    let malformed = ["SERIALIZATION_AS_READ:", "SERIALIZATION:"]
        .iter()
        .find_map(|marker| plain.strip_prefix(marker));
    refusal(&match (marked, malformed) {
        (Some(text), _) => validation(text),
        (_, Some(text)) => DynoxideError::SerializationException(text.to_owned()),
        _ if plain.contains("Supplied AttributeValue") => validation(plain),
        _ if plain.contains("empty AttributeValue") => validation(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        _ if ["missing field", "unknown variant", "invalid type: null"]
            .iter()
            .any(|sign| plain.contains(sign)) =>
        {
            validation(plain)
        }
        _ => DynoxideError::SerializationException(plain.to_owned()),
    })
}

/// The clock as dynoxide asks for it.
struct Seconds(Clock);

impl dynoxide::storage_backend::Clock for Seconds {
    fn now_unix_secs(&self) -> u64 {
        (self.0)().as_second().try_into().unwrap_or_default()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        (self.0)().as_duration().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{AwsLocal, Options};

    async fn call(aws: &AwsLocal, operation: &str, body: Value) -> (u16, Value) {
        let request = http::Request::post("/")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .body(body.to_string().into())
            .expect("a request");
        let response = aws.handle(request).await;
        let body = serde_json::from_slice(response.body()).expect("JSON");
        (response.status().as_u16(), body)
    }

    fn options() -> Options {
        Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"))
    }

    fn table() -> Value {
        json!({
            "TableName": "approvals",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        })
    }

    #[tokio::test]
    async fn a_condition_lets_one_write_win_and_answers_with_the_winner() {
        let aws = AwsLocal::start(options()).await.expect("it starts");
        assert_eq!(call(&aws, "CreateTable", table()).await.0, 200);
        let put = |who: &str| {
            json!({
                "TableName": "approvals",
                "Item": {"pk": {"S": "A#1"}, "who": {"S": who}},
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            })
        };
        assert_eq!(call(&aws, "PutItem", put("Alice")).await, (200, json!({})));
        let (status, refusal) = call(&aws, "PutItem", put("Bob")).await;
        assert_eq!(status, 400);
        assert_eq!(
            refusal["__type"],
            "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
        );
        assert_eq!(refusal["Item"]["who"], json!({"S": "Alice"}));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_a_validation_error() {
        let aws = AwsLocal::start(options()).await.expect("it starts");
        let (status, refusal) = call(&aws, "GetItem", json!({"TableName": "none", "Key": {"pk": {}}})).await;
        assert_eq!(
            (status, &refusal["__type"]),
            (400, &json!("com.amazon.coral.validate#ValidationException"))
        );
        let (status, refusal) = call(&aws, "CreateBackup", json!({})).await;
        assert_eq!(
            (status, &refusal["__type"]),
            (501, &json!("UnsupportedOperation"))
        );
    }

    #[tokio::test]
    async fn recovery_of_a_table_is_kept_until_it_is_another() {
        let folder = crate::testing::folder("backups");
        let options = Options {
            data: Some(folder.path().to_owned()),
            ..options()
        };
        let status = async |aws: &AwsLocal, table: &str| {
            let (status, answer) = call(aws, "DescribeContinuousBackups", json!({"TableName": table})).await;
            let description = &answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
            (
                status,
                description["PointInTimeRecoveryStatus"].clone(),
                answer["__type"].clone(),
            )
        };
        let off = (200, json!("DISABLED"), Value::Null);
        let on = (200, json!("ENABLED"), Value::Null);
        let update = |days: u8| {
            let asked = json!({"PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": days});
            json!({"TableName": "approvals", "PointInTimeRecoverySpecification": asked})
        };
        let aws = AwsLocal::start(options.clone()).await.expect("it starts");
        assert_eq!(
            status(&aws, "approvals").await,
            (400, Value::Null, json!("TableNotFoundException"))
        );
        assert_eq!(call(&aws, "CreateTable", table()).await.0, 200);
        assert_eq!(status(&aws, "approvals").await, off);
        let (refused, refusal) = call(&aws, "UpdateContinuousBackups", update(36)).await;
        assert_eq!(
            (refused, &refusal["__type"]),
            (400, &json!("ValidationException"))
        );
        assert_eq!(call(&aws, "UpdateContinuousBackups", update(7)).await.0, 200);
        drop(aws);
        let aws = AwsLocal::start(options).await.expect("it starts again");
        let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/approvals";
        assert_eq!(status(&aws, arn).await, on);
        assert_eq!(
            call(&aws, "DeleteTable", json!({"TableName": "approvals"}))
                .await
                .0,
            200
        );
        assert_eq!(call(&aws, "CreateTable", table()).await.0, 200);
        assert_eq!(status(&aws, "approvals").await, off);
    }

    #[tokio::test]
    async fn a_file_keeps_what_was_written_when_killed() {
        let folder = crate::testing::folder("dynamodb");
        let options = Options {
            data: Some(folder.path().to_owned()),
            ..options()
        };
        let aws = AwsLocal::start(options.clone()).await.expect("it starts");
        assert_eq!(call(&aws, "CreateTable", table()).await.0, 200);
        let put = json!({"TableName": "approvals", "Item": {"pk": {"S": "A#1"}}});
        assert_eq!(call(&aws, "PutItem", put).await.0, 200);
        drop(aws);
        let aws = AwsLocal::start(options).await.expect("it starts again");
        let get = json!({"TableName": "approvals", "Key": {"pk": {"S": "A#1"}}});
        assert_eq!(
            call(&aws, "GetItem", get).await,
            (200, json!({"Item": {"pk": {"S": "A#1"}}}))
        );
    }
}
