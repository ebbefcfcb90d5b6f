//! Lambda's events for queues: what is answered for each message, in the documented shapes and in a thousand broken ones.

use super::events::{self, Canaries, malformed, sample, wrapped};
use super::harness::{Fault, Harness, request};
use super::ways::{machine_over, reason};
use countersign::intake::Ways;
use countersign::intake::batch::{self, BatchError};
use serde_json::{Value, json};

/// An event with these bodies, from the queue `name`; the message ids are `m0`, `m1`…
fn event(name: &str, bodies: &[String]) -> Value {
    let mut event = sample(if countersign::queues::is_fifo(name) {
        "sqs-fifo"
    } else {
        "sqs-standard"
    });
    let shape = event["Records"][0].clone();
    let records = bodies.iter().enumerate().map(|(n, body)| {
        let mut record = shape.clone();
        record["messageId"] = json!(format!("m{n}"));
        record["body"] = json!(body);
        record["eventSourceARN"] = json!(format!("arn:aws:sqs:us-east-1:123456789012:{name}"));
        record
    });
    event["Records"] = records.collect();
    event
}

/// The ids that are to come again.
async fn answered(harness: &Harness, event: &Value) -> Vec<String> {
    let answer = batch::answer(&harness.flow, event).await.expect("an answer");
    let failures = answer["batchItemFailures"].as_array().expect("a list").iter();
    failures
        .map(|failure| failure["itemIdentifier"].as_str().expect("text").to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_documented_event_is_taken_in_message_by_message() {
    for name in ["sqs-standard", "sqs-fifo"] {
        let harness = Harness::start().await;
        let mut event = sample(name);
        for (n, record) in event["Records"].as_array_mut().unwrap().iter_mut().enumerate() {
            record["body"] = json!(request(&format!("token-{n}")).to_string());
        }
        assert_eq!(
            batch::answer(&harness.flow, &event).await,
            Ok(json!({"batchItemFailures": []}))
        );
        harness.settle().await;
        assert_eq!(
            harness.aws.mails().len(),
            event["Records"].as_array().unwrap().len()
        );
        // Lambda delivers at least once.
        assert_eq!(answered(&harness, &event).await, Vec::<String>::new());
        harness.settle().await;
        assert_eq!(
            harness.aws.mails().len(),
            event["Records"].as_array().unwrap().len()
        );
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_documented_envelopes_are_taken_off() {
    let harness = Harness::start().await;
    let by_both = wrapped("sns-notification", &wrapped("eventbridge", &request("three")));
    let bodies = [
        wrapped("sns-notification", &request("one")).to_string(),
        wrapped("eventbridge", &request("two")).to_string(),
        by_both.to_string(),
    ];
    assert_eq!(
        answered(&harness, &event("approvals", &bodies)).await,
        Vec::<String>::new()
    );
    harness.settle().await;
    assert_eq!(harness.aws.mails().len(), 3);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn each_message_has_its_own_answer() {
    let harness = Harness::start().await;
    let queue = harness.queue("approvals").await;
    let refused = harness
        .start_machine(
            &machine_over(&queue, &json!({"title": "Approve"}), json!({})),
            "{}",
        )
        .await;
    let refused_body = harness.received(&queue.url).await.pop().unwrap().body.unwrap();
    let bodies = [
        request("one").to_string(),
        "poison".to_owned(),
        refused_body,
        request("two").to_string(),
    ];
    assert_eq!(
        answered(&harness, &event("approvals", &bodies)).await,
        Vec::<String>::new()
    );
    assert_eq!(
        harness.ended(&refused).await.1["error"],
        "Approval.InvalidRequest"
    );
    harness.settle().await;
    assert_eq!(harness.aws.mails().len(), 2);
    let letters = harness.received(&queue.dead).await;
    assert_eq!(letters.len(), 1);
    assert!(reason(&letters[0]).contains("no JSON"));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_meets_a_passing_fault_comes_again_and_nothing_else() {
    let harness = Harness::start().await;
    harness.queue("approvals").await;
    let bodies: Vec<String> = (0..8)
        .map(|n| request(&format!("token-{n}")).to_string())
        .collect();
    let event = event("approvals", &bodies);
    harness
        .faults
        .next("PutItem", 1, Fault::Refused(400, "AccessDeniedException"));
    let again = answered(&harness, &event).await;
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(answered(&harness, &event).await, Vec::<String>::new());
    harness.settle().await;
    assert_eq!(harness.aws.mails().len(), 8);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn in_a_fifo_queue_the_rest_of_a_group_comes_again_and_other_groups_go_on() {
    let harness = Harness::start().await;
    harness.queue("approvals.fifo").await;
    let bodies: Vec<String> = (0..6)
        .map(|n| request(&format!("token-{n}")).to_string())
        .collect();
    let mut event = event("approvals.fifo", &bodies);
    for (n, record) in event["Records"].as_array_mut().unwrap().iter_mut().enumerate() {
        record["attributes"]["MessageGroupId"] = json!(if n % 2 == 0 { "even" } else { "odd" });
    }
    // Each group's first message meets its own first write; one of them fails.
    harness
        .faults
        .next("PutItem", 1, Fault::Refused(400, "AccessDeniedException"));
    let again = answered(&harness, &event).await;
    assert!(
        again == ["m0", "m2", "m4"] || again == ["m1", "m3", "m5"],
        "{again:?}"
    );
    assert_eq!(answered(&harness, &event).await, Vec::<String>::new());
    harness.settle().await;
    assert_eq!(harness.aws.mails().len(), 6);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_put_away_comes_again() {
    let harness = Harness::start().await;
    // A queue that nobody knows, and one without dead letters.
    let url = harness.plain_queue("approvals", false).await;
    let poison = event("approvals", &["poison".to_owned()]);
    assert_eq!(answered(&harness, &poison).await, ["m0"]);
    assert_eq!(
        answered(&harness, &event("elsewhere", &["poison".to_owned()])).await,
        ["m0"]
    );
    assert_eq!(harness.count(&url).await, 0);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_configured_dead_letter_queue_wins() {
    let ways = Ways {
        dead_letter_queue: Some("https://sqs.us-east-1.amazonaws.com/123456789012/graves".to_owned()),
        ..Ways::default()
    };
    let harness = Harness::start_with(ways).await;
    let queue = harness.queue("approvals").await;
    let graves = harness.plain_queue("graves", false).await;
    let poison = event("approvals", &["poison".to_owned()]);
    assert_eq!(answered(&harness, &poison).await, Vec::<String>::new());
    assert_eq!(
        (harness.count(&queue.dead).await, harness.count(&graves).await),
        (0, 1)
    );
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_none_of_a_queue_is_refused_as_a_whole() {
    let harness = Harness::start().await;
    for other in [
        json!({}),
        json!({"Records": {}}),
        sample("sns"),
        sample("eventbridge"),
    ] {
        assert_eq!(
            batch::answer(&harness.flow, &other).await,
            Err(BatchError::NotOfSqs),
            "{other}"
        );
    }
    let mut nameless = event("elsewhere", &["poison".to_owned()]);
    nameless["Records"][0]
        .as_object_mut()
        .unwrap()
        .remove("messageId");
    assert_eq!(
        batch::answer(&harness.flow, &nameless).await,
        Err(BatchError::Nameless)
    );
    harness.finish().await;
}

/// Every message is accounted for: there is an approval of it, or it lies with the dead letters. None comes again, for
/// nothing passing was wrong.
#[expect(
    clippy::print_stdout,
    reason = "the counts, for who runs it with --no-capture"
)]
#[tokio::test(start_paused = true)]
async fn a_thousand_broken_events_lose_nothing_and_say_nothing_secret() {
    let (log, _guard) = events::Log::capture();
    let ways = Ways {
        dead_letter_queue: Some("https://sqs.us-east-1.amazonaws.com/123456789012/graves".to_owned()),
        ..Ways::default()
    };
    let harness = Harness::start_with(ways).await;
    let graves = harness.plain_queue("graves", false).await;
    let (mut canaries, mut sent, mut refused) = (Canaries::default(), 0, 0);
    for seed in 0..1_000 {
        let name = ["sqs-standard", "sqs-fifo"][usize::from(seed % 2 == 1)];
        let text = malformed(name, seed, &mut canaries);
        // What isn't JSON doesn't get past the runtime; see `events.rs`.
        let Ok(event) = serde_json::from_str::<Value>(&text) else {
            refused += 1;
            continue;
        };
        match batch::answer(&harness.flow, &event).await {
            Ok(answer) => {
                assert_eq!(answer, json!({"batchItemFailures": []}), "seed {seed}");
                sent += event["Records"].as_array().unwrap().len();
            }
            Err(error) => {
                assert_eq!(error, BatchError::NotOfSqs, "seed {seed}");
                refused += 1;
            }
        }
    }
    harness.settle().await;
    let approvals = harness.approval_ids().await.len();
    let letters = harness.received(&graves).await;
    println!(
        "{sent} messages of 1,000 events: {} approvals, {} dead letters, {refused} events refused as a whole",
        approvals,
        letters.len()
    );
    assert_eq!(approvals + letters.len(), sent);
    assert!(approvals > 50 && letters.len() > 500, "both kinds were tried");
    for letter in &letters {
        Canaries::absent_from(reason(letter));
    }
    Canaries::absent_from(&log.text());
    assert!(log.text().contains("dead-letter queue"));
    harness.finish().await;
}
