//! An embedded AWS with a table and a bucket, and clients that lead to it through [`Faults`].

use crate::faults::Faults;
use aws_local::{AwsLocal, Options};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use task_tools::{StateDataClient, create_table};

pub(crate) const TABLE: &str = "state-data";
pub(crate) const BUCKET: &str = "state-data-bucket";
/// The time of day in all tests: 2026-11-21T09:00:00.5Z.
pub(crate) const NOW: Duration = Duration::from_millis(1_795_251_600_500);

/// A client of that SDK. Each has a configuration of its own, of the same form.
macro_rules! client {
    ($sdk:ident, $http_client:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("us-east-1"))
                .credentials_provider(Credentials::new("local", "local", None, None, "test"))
                .http_client($http_client)
                .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
                .build(),
        )
    };
}

pub(crate) struct World {
    pub(crate) aws: AwsLocal,
    pub(crate) faults: Faults,
    pub(crate) client: StateDataClient,
}

impl World {
    pub(crate) async fn start() -> Self {
        let at = jiff::Timestamp::from_millisecond(i64::try_from(NOW.as_millis()).expect("small"));
        let at = at.expect("a time");
        let aws = AwsLocal::start(Options::in_memory(move || at))
            .await
            .expect("in memory");
        let faults = Faults::default();
        let mut world = Self {
            client: StateDataClient::new(dynamodb(&aws.http_client()), "", "", now),
            aws,
            faults,
        };
        world.client = world.client_of("run-7");
        create_table(&world.dynamodb(), TABLE).await.expect("made");
        let bucket = world.s3().create_bucket().bucket(BUCKET).send().await;
        bucket.expect("a bucket");
        world.faults.forget();
        world
    }

    /// A client for another execution's items.
    pub(crate) fn client_of(&self, namespace: &str) -> StateDataClient {
        StateDataClient::new(self.dynamodb(), TABLE, namespace, now).bucket(self.s3(), BUCKET)
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        dynamodb(&self.faults.between(self.aws.http_client()))
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        client!(aws_sdk_s3, self.faults.between(self.aws.http_client()))
    }

    pub(crate) fn step_functions(&self) -> aws_sdk_sfn::Client {
        client!(aws_sdk_sfn, self.faults.between(self.aws.http_client()))
    }

    /// What is in the table, by partition and sort key; each attribute with its type: `{"S": …}`.
    pub(crate) async fn dump(&self) -> Vec<Value> {
        let scanned = dynamodb(&self.aws.http_client())
            .scan()
            .table_name(TABLE)
            .send()
            .await
            .expect("readable");
        let mut items: Vec<Value> = scanned
            .items()
            .iter()
            .map(|item| {
                let attributes = item.iter().map(|(name, value)| {
                    let value = match (value.as_s(), value.as_n()) {
                        (Ok(text), _) => json!({"S": text}),
                        (_, Ok(number)) => json!({"N": number}),
                        _ => panic!("{name}: neither S nor N"),
                    };
                    (name.clone(), value)
                });
                let mut attributes: Vec<_> = attributes.collect();
                attributes.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(Map::from_iter(attributes))
            })
            .collect();
        items.sort_by_key(|item| (item["partition_key"].to_string(), item["sort_key"].to_string()));
        items
    }

    /// The object at `key`, as text.
    pub(crate) async fn object(&self, key: &str) -> Option<String> {
        let got = self.s3().get_object().bucket(BUCKET).key(key).send().await;
        let bytes = got.ok()?.body.collect().await.expect("whole").to_vec();
        Some(String::from_utf8(bytes).expect("text"))
    }
}

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + NOW
}

fn dynamodb(http_client: &SharedHttpClient) -> aws_sdk_dynamodb::Client {
    client!(aws_sdk_dynamodb, http_client.clone())
}
