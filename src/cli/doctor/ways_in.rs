//! The ways in that the configuration names: queues and activities. And where big outputs go.

use super::Patient;
use super::finding::{Finding, fault, said};
use crate::aws_faults::Service::{DynamoDb, S3, Sqs, StepFunctions};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

/// Less time than this, and a message may come again while it is still being taken in.
const VISIBILITY_SECONDS: u32 = 60;

/// What a queue is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Requests,
    MailEvents,
    Wakes,
}

/// Looks at everything that is named.
pub(super) async fn examine(patient: &Patient) -> Vec<Finding> {
    let mut queues: Vec<(Use, String)> = Vec::new();
    let named = |key: &str| patient.gathered.texts(key);
    queues.extend(named("intake_queues").into_iter().map(|url| (Use::Requests, url)));
    queues.extend(
        named("mail_event_queues")
            .into_iter()
            .map(|url| (Use::MailEvents, url)),
    );
    queues.extend(named("wake_queue").into_iter().map(|url| (Use::Wakes, url)));
    let mut found = Vec::new();
    for (of, url) in queues {
        found.extend(queue(patient, of, &url).await);
    }
    for arn in patient.gathered.names("activities") {
        found.push(activity(patient, &arn).await);
    }
    for table in named("state_data_table") {
        found.push(state_data_table(patient, &table).await);
    }
    for bucket in named("state_data_bucket") {
        found.push(state_data_bucket(patient, &bucket).await);
    }
    found
}

async fn queue(patient: &Patient, of: Use, url: &str) -> Vec<Finding> {
    let name = url.rsplit('/').next().unwrap_or(url);
    let about = format!("queue {name}");
    let client = aws_sdk_sqs::Client::new(&patient.aws);
    let asked = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::All);
    let attributes = match asked.send().await {
        Ok(answer) => answer.attributes.unwrap_or_default(),
        Err(error) => return vec![fault(about, Sqs, said(&error)).unseen("sqs:GetQueueAttributes")],
    };
    let attribute = |name: &QueueAttributeName| attributes.get(name).map(String::as_str);
    let mut found = Vec::new();
    if of != Use::Wakes {
        found.extend(redrive(&client, &about, attribute(&QueueAttributeName::RedrivePolicy)).await);
        found.extend(deleting(&client, &about, url).await);
    }
    let visible =
        attribute(&QueueAttributeName::VisibilityTimeout).and_then(|seconds| seconds.parse::<u32>().ok());
    if let Some(seconds) = visible.filter(|seconds| *seconds < VISIBILITY_SECONDS) {
        found.push(Finding::warning(
            &about,
            format!("a message is delivered again after {seconds} s already"),
            format!("set its visibility time-out to {VISIBILITY_SECONDS} s at least: what comes twice counts once, but costs twice"),
        ));
    }
    if found.is_empty() {
        found.push(Finding::ok(&about, format!("{url} answers")));
    }
    found
}

/// A message that can't be taken in has to end somewhere.
async fn redrive(client: &aws_sdk_sqs::Client, about: &str, policy: Option<&str>) -> Option<Finding> {
    let advice = "give it a redrive policy with a dead-letter queue and a maxReceiveCount of 5; `countersign setup` does";
    let policy: Option<Value> = policy.and_then(|text| serde_json::from_str(text).ok());
    let Some(policy) = policy else {
        return Some(Finding::wrong(
            about,
            "has no dead-letter queue, so a message that can't be taken in comes back until it expires",
            advice,
        ));
    };
    let count = match &policy["maxReceiveCount"] {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    if count.is_some_and(|count| count < 3) {
        let what = format!(
            "gives a message up after {} deliveries",
            count.unwrap_or_default()
        );
        return Some(Finding::warning(
            about,
            what,
            "set maxReceiveCount to 5: one slow minute takes two deliveries",
        ));
    }
    let dead = policy["deadLetterTargetArn"]
        .as_str()?
        .rsplit(':')
        .next()?
        .to_owned();
    match client.get_queue_url().queue_name(&dead).send().await {
        Err(error)
            if said(&error).0.contains("NonExistentQueue") || said(&error).0 == "QueueDoesNotExist" =>
        {
            Some(Finding::wrong(
                about,
                format!("its dead-letter queue {dead} isn't there"),
                advice,
            ))
        }
        // It may be another account's, or not be allowed to be looked at.
        _ => None,
    }
}

/// A receipt handle that can't be one is refused by its form where the call is allowed.
async fn deleting(client: &aws_sdk_sqs::Client, about: &str, url: &str) -> Option<Finding> {
    let deleted = client
        .delete_message()
        .queue_url(url)
        .receipt_handle("countersigndoctor")
        .send()
        .await;
    let said = said(&deleted.err()?);
    let finding = fault(about, Sqs, said);
    finding.what.contains("(access denied)").then_some(finding)
}

async fn activity(patient: &Patient, arn: &str) -> Finding {
    let about = format!("activity {}", arn.rsplit(':').next().unwrap_or(arn));
    let client = aws_sdk_sfn::Client::new(&patient.aws);
    match client.describe_activity().activity_arn(arn).send().await {
        Ok(_) => Finding::ok(about, format!("{arn} is there")),
        Err(error) => fault(about, StepFunctions, said(&error)).unseen("states:DescribeActivity"),
    }
}

async fn state_data_table(patient: &Patient, table: &str) -> Finding {
    let about = "state data";
    let client = aws_sdk_dynamodb::Client::new(&patient.aws);
    match client.describe_table().table_name(table).send().await {
        Ok(_) => Finding::ok(about, format!("the table {table} is there")),
        Err(error) => {
            let mut finding = fault(about, DynamoDb, said(&error)).unseen("dynamodb:DescribeTable");
            if finding.what.contains("no such table") {
                finding.advice =
                    Some("look at state_data_table, at the region and at the account".to_owned());
            }
            finding
        }
    }
}

async fn state_data_bucket(patient: &Patient, bucket: &str) -> Finding {
    let about = "state data";
    // A bucket's name as part of the host needs DNS that a stand-in for AWS doesn't have.
    let mut config = aws_sdk_s3::config::Builder::from(&patient.aws);
    config.set_force_path_style(Some(patient.aws.endpoint_url().is_some()));
    let client = aws_sdk_s3::Client::from_conf(config.build());
    match client.head_bucket().bucket(bucket).send().await {
        Ok(_) => Finding::ok(about, format!("the bucket {bucket} is there")),
        // A HEAD has no body, so AWS gives the status alone.
        Err(error) => match error.raw_response().map(|response| response.status().as_u16()) {
            Some(404) => fault(about, S3, ("NoSuchBucket".to_owned(), String::new())),
            Some(403) => fault(about, S3, ("AccessDenied".to_owned(), String::new())),
            Some(301 | 400) => Finding::wrong(
                about,
                format!("the bucket {bucket} is in another region"),
                "name a bucket of this region in state_data_bucket",
            ),
            _ => fault(about, S3, said(&error)),
        },
    }
}
