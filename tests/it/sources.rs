//! The service as a Lambda function, under the events that AWS documents for each source, and under a thousand broken ones:
//! each gets an answer that its source can do something with.

use super::events::{Canaries, Log, fill, malformed, sample};
use super::harness::{Harness, request};
use super::mail_events::{asked, message_of};
use super::sns::SNS;
use countersign::domain::explain::attention;
use countersign::flow::operate::{Which, complete};
use countersign::intake::Ways;
use countersign::intake::invoke::{Function, InvokeError};
use countersign::lambda::Lambda;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

const HTTP: [&str; 5] = [
    "api-gateway-v1",
    "api-gateway-v2",
    "function-url",
    "alb",
    "alb-multi-value",
];
const OTHERS: [&str; 8] = [
    "sqs-standard",
    "sqs-fifo",
    "sns",
    "eventbridge",
    "scheduler",
    "scheduled-rule",
    "ses-over-sns",
    "ses-over-eventbridge",
];

/// The function, and the queue for what can't be taken in.
async fn function(harness: &Harness) -> (Lambda, String) {
    let graves = harness.plain_queue("graves", false).await;
    let ways = Ways {
        dead_letter_queue: Some(graves.clone()),
        ..Ways::default()
    };
    let lambda = Lambda::new(harness.another_app(ways), Function::Intake, None);
    (lambda, graves)
}

async fn answered(lambda: &Lambda, event: &str) -> Result<Value, InvokeError> {
    lambda
        .answer(event, Instant::now() + Duration::from_secs(30))
        .await
}

#[tokio::test(start_paused = true)]
async fn every_documented_http_request_is_answered_in_its_own_shape() {
    let harness = Harness::start().await;
    let (lambda, _) = function(&harness).await;
    for name in HTTP {
        let answer = answered(&lambda, &sample(name).to_string()).await.expect(name);
        assert_eq!(answer["statusCode"], 404, "{name}: there is nothing at that path");
        assert!(
            answer["body"].is_string() && answer["isBase64Encoded"].is_boolean(),
            "{name}"
        );
        let several = ["api-gateway-v1", "alb-multi-value"].contains(&name);
        assert_eq!(answer["multiValueHeaders"].is_object(), several, "{name}");
        assert_eq!(answer["headers"].is_object(), !several, "{name}");
        assert_eq!(
            answer["statusDescription"].is_string(),
            name.starts_with("alb"),
            "{name}"
        );
    }
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn documented_events_of_queues_and_schedules_are_done() {
    let harness = Harness::start().await;
    let (lambda, graves) = function(&harness).await;
    let mut count = 0;
    for name in ["sqs-standard", "sqs-fifo"] {
        let mut event = sample(name);
        fill(&mut event, &mut |_| {
            count += 1;
            request(&format!("token-{count}")).to_string()
        });
        let answer = answered(&lambda, &event.to_string()).await;
        assert_eq!(answer, Ok(json!({"batchItemFailures": []})), "{name}");
        // Nothing is left to a process that is frozen by now.
        assert_eq!(harness.aws.mails().len(), count, "{name}");
    }
    let poison = sample("sqs-standard").to_string();
    assert_eq!(
        answered(&lambda, &poison).await,
        Ok(json!({"batchItemFailures": []}))
    );
    assert_eq!(harness.count(&graves).await, 2);
    for name in ["scheduler", "scheduled-rule"] {
        let answer = answered(&lambda, &sample(name).to_string()).await;
        assert!(answer.is_ok(), "{name}: {answer:?}");
    }
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn documented_events_of_mails_count_where_they_are_of_ours_and_signed() {
    let harness = Harness::start().await;
    let (lambda, _) = function(&harness).await;
    let approval = asked(&harness).await;
    let done = Ok(json!({"status": "done"}));
    // As they are documented: of somebody else's mails, and with no signature of SNS's.
    for name in ["ses-over-eventbridge", "ses-over-sns", "sns"] {
        assert_eq!(answered(&lambda, &sample(name).to_string()).await, done, "{name}");
    }
    assert!(harness.only_approval().await.mail_notes.is_empty());

    let of_ours = |event: &mut Value| {
        event["mail"]["messageId"] = json!(message_of(&approval.signers[0]));
        event["mail"]["tags"]["countersign-request"] = json!([approval.id.to_string()]);
        event["mail"]["tags"]["countersign-signer"] = json!(["0"]);
    };
    let mut delivered = sample("ses-over-eventbridge");
    of_ours(&mut delivered["detail"]);
    assert_eq!(answered(&lambda, &delivered.to_string()).await, done);
    let mut records = sample("ses-over-sns");
    let record = &mut records["Records"][0]["Sns"];
    let inside = record["Message"].as_str().expect("text");
    let mut bounced: Value = serde_json::from_str(inside).expect("JSON");
    of_ours(&mut bounced);
    *record = SNS.message("Notification", &json!({"Message": bounced.to_string()}));
    assert_eq!(answered(&lambda, &records.to_string()).await, done);
    let now = harness.only_approval().await;
    assert_eq!(now.mail_notes.len(), 2);
    assert!(
        attention(&now)[0].starts_with("the mail to Bob bounced"),
        "{:?}",
        attention(&now)
    );
    let which = Which::Id(approval.id);
    complete(&harness.flow, &which, None, None)
        .await
        .expect("completed");
    harness.finish().await;
}

#[expect(
    clippy::print_stdout,
    reason = "the counts, for who runs it with --no-capture"
)]
#[tokio::test(start_paused = true)]
async fn a_thousand_broken_events_are_each_answered_and_nothing_secret_is_said() {
    let (log, _guard) = Log::capture();
    let harness = Harness::start().await;
    let (lambda, graves) = function(&harness).await;
    let mut canaries = Canaries::default();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let names: Vec<&str> = HTTP.into_iter().chain(OTHERS).collect();
    for seed in 0..1_000 {
        let name = names[usize::try_from(seed).unwrap() % names.len()];
        let event = malformed(name, seed, &mut canaries);
        let kind = match answered(&lambda, &event).await {
            Ok(answer) => {
                Canaries::absent_from(&answer.to_string());
                if let Some(status) = answer.get("statusCode") {
                    let status = status.as_u64().expect("a number");
                    assert!((200..500).contains(&status), "seed {seed}, {name}: {answer}");
                    "answered over HTTP"
                } else if let Some(failures) = answer.get("batchItemFailures") {
                    // Nothing passing was wrong, so nothing may come again.
                    assert_eq!(failures, &json!([]), "seed {seed}, {name}");
                    "done with, message by message"
                } else {
                    "done"
                }
            }
            // Lambda repeats an asynchronous invoke twice, and then gives it to the failure destination.
            Err(error) => {
                Canaries::absent_from(&error.message);
                assert_eq!(
                    error.error_type, "Approval.InvalidRequest",
                    "seed {seed}, {name}: {}",
                    error.message
                );
                "refused by name"
            }
        };
        *seen.entry(kind).or_default() += 1;
    }
    println!(
        "1,000 broken events: {seen:?}; {} dead letters",
        harness.count(&graves).await
    );
    assert!(
        seen.values().all(|count| *count > 20) && seen.len() >= 3,
        "{seen:?}"
    );
    Canaries::absent_from(&log.text());
    harness.finish().await;
}
