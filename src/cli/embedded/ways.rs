//! Queues and activities from which the embedded Countersign is asked: made through the API, unless they are there.

use super::super::Failure;
use crate::config::local::Settings;
use crate::domain::activity::Activity;
use crate::intake::Ways;
use crate::queues::is_fifo;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_types::error::display::DisplayErrorContext;
use serde_json::json;
use std::error::Error;

/// After how many receives a message goes to the dead-letter queue. What can't be taken in goes there at once.
const RECEIVES: u32 = 5;

/// Makes what the settings name.
pub(super) async fn make(sdk: &SdkConfig, settings: &Settings) -> Result<Ways, Failure> {
    let (sqs, sfn) = (Client::new(sdk), aws_sdk_sfn::Client::new(sdk));
    let mut ways = Ways::default();
    for name in &settings.intake_queues {
        let url = with_dead_letters(&sqs, name).await;
        ways.queues
            .push(url.map_err(|error| failure("intake_queues", name, &*error))?);
    }
    for (name, asks) in &settings.worked {
        // One of this name that is there is the answer.
        let made = sfn.create_activity().name(name).send().await;
        let arn = made
            .map_err(|error| failure("activities", name, &error))?
            .activity_arn;
        let asks = asks.clone();
        ways.activities.push(Activity { arn, asks });
    }
    Ok(ways)
}

fn failure(key: &str, name: &str, error: &(dyn Error + 'static)) -> Failure {
    Failure::failed(format!(
        "{key}: {name} can't be made: {}",
        DisplayErrorContext(error)
    ))
}

/// The address of a queue that has a dead-letter queue: its own, or else one that is called after it.
async fn with_dead_letters(sqs: &Client, name: &str) -> Result<String, Box<dyn Error>> {
    let url = queue(sqs, name).await?;
    let asked = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::RedrivePolicy);
    let has = asked.send().await?.attributes.unwrap_or_default();
    if has.contains_key(&QueueAttributeName::RedrivePolicy) {
        return Ok(url);
    }
    let dead = queue(sqs, &dead_letters(name)).await?;
    let asked = sqs
        .get_queue_attributes()
        .queue_url(&dead)
        .attribute_names(QueueAttributeName::QueueArn);
    let arn = asked.send().await?.attributes.unwrap_or_default();
    let arn = arn
        .get(&QueueAttributeName::QueueArn)
        .cloned()
        .unwrap_or_default();
    let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES}).to_string();
    let set = sqs.set_queue_attributes().queue_url(&url);
    set.attributes(QueueAttributeName::RedrivePolicy, policy)
        .send()
        .await?;
    Ok(url)
}

fn dead_letters(name: &str) -> String {
    match name.strip_suffix(".fifo") {
        Some(stem) => format!("{stem}-dead.fifo"),
        None => format!("{name}-dead"),
    }
}

/// The address of a queue; one that is there keeps its attributes.
async fn queue(sqs: &Client, name: &str) -> Result<String, Box<dyn Error>> {
    if let Ok(there) = sqs.get_queue_url().queue_name(name).send().await {
        return Ok(there.queue_url.unwrap_or_default());
    }
    let mut create = sqs.create_queue().queue_name(name);
    if is_fifo(name) {
        create = create.attributes(QueueAttributeName::FifoQueue, "true");
    }
    Ok(create.send().await?.queue_url.unwrap_or_default())
}
