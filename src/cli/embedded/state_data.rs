//! Tables and bucket for state data in the embedded AWS, made at the start unless they are there.

use crate::app::s3;
use crate::cli::Failure;
use crate::state_data::Places;
use aws_config::SdkConfig;
use aws_sdk_s3::error::DisplayErrorContext;

/// Makes what is missing.
pub(super) async fn make(sdk: &SdkConfig, places: &Places) -> Result<(), Failure> {
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    for table in [&places.table].into_iter().chain(&places.other_tables) {
        let made = task_tools::create_table(&dynamodb, table).await;
        made.map_err(|error| failed("table", table, &error.to_string()))?;
    }
    let Some(bucket) = &places.bucket else {
        return Ok(());
    };
    let s3 = s3(sdk);
    if s3.head_bucket().bucket(bucket).send().await.is_ok() {
        return Ok(());
    }
    let made = s3.create_bucket().bucket(bucket).send().await;
    made.map(drop)
        .map_err(|error| failed("bucket", bucket, &DisplayErrorContext(&error).to_string()))
}

fn failed(what: &str, name: &str, why: &str) -> Failure {
    Failure::failed(format!(
        "the {what} {name} for state data could not be made: {why}"
    ))
}
