//! Countersign as the worker of activities: what a task asks for stands in the configuration, its token comes once, and
//! so whoever has received one takes it in or fails its state.

use super::harness::{Fault, Harness};
use super::ways::Polling;
use countersign::domain::activity::{Activity, Asks};
use countersign::domain::signer::Directory;
use countersign::intake::Ways;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;

/// Makes an activity that asks for this, and works it.
async fn worked(harness: &Harness, asks: Value) -> (String, Polling) {
    let created = harness.sfn().create_activity().name("validation").send().await;
    let arn = created.expect("an activity").activity_arn;
    let asks = Asks::new(asks.as_object().unwrap(), &Directory::new([])).expect("right");
    let activity = Activity {
        arn: arn.clone(),
        asks,
    };
    let ways = Ways {
        activities: vec![activity],
        ..Ways::default()
    };
    (arn, harness.poll(ways))
}

fn validate() -> Value {
    json!({
        "title": "Validate {id}",
        "message": "The whole input: `{}`",
        "signers": [{"name": "Bob", "email": "bob@example.com"}],
        "external_id": "{id}",
        "timeout_seconds": 600,
        "heartbeat_seconds": 60
    })
}

fn machine(activity: &str, more: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": activity, "TimeoutSeconds": 3600, "End": true});
    if let (Value::Object(state), Value::Object(more)) = (&mut state, more) {
        state.extend(more);
    }
    json!({"StartAt": "Validate", "States": {"Validate": state}})
}

/// Starts a machine whose one task is the activity's, without a Retry or a heartbeat; gives the execution.
async fn begin(harness: &Harness, activity: &str, input: &str) -> String {
    harness.start_machine(&machine(activity, json!({})), input).await
}

#[tokio::test(start_paused = true)]
async fn a_task_is_asked_of_people_and_goes_on_as_was_decided() {
    for (outcome, expected) in [
        ("approve", ("SUCCEEDED", "approved")),
        ("reject", ("FAILED", "Approval.Rejected")),
    ] {
        let harness = Harness::start().await;
        let (activity, polling) = worked(&harness, validate()).await;
        let machine = machine(&activity, json!({"HeartbeatSeconds": 60}));
        let execution = harness.start_machine(&machine, r#"{"id": 7}"#).await;
        let mail = harness.first_mail("bob@example.com").await;
        assert!(mail.subject.contains("Validate 7"), "{}", mail.subject);
        let path = super::harness::path_of_link(&mail);
        // The state sees Countersign's heartbeats.
        harness.pass(SignedDuration::from_mins(5)).await;
        assert!(harness.get(&path).await.text().contains("{\"id\":7}"));
        assert_eq!(
            harness.answer(&path, outcome, "Because.", "Bob").await.status,
            200
        );
        let (status, result) = harness.ended(&execution).await;
        let told = result["status"].as_str().or(result["error"].as_str()).unwrap();
        assert_eq!((status.as_str(), told), expected, "{result}");
        polling.stop().await;
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_nobody_answers_expires() {
    let harness = Harness::start().await;
    let (activity, polling) = worked(&harness, validate()).await;
    let execution = begin(&harness, &activity, r#"{"id": 7}"#).await;
    harness.pass(SignedDuration::from_mins(11)).await;
    let (_, result) = harness.ended(&execution).await;
    assert_eq!(result["error"], "Approval.Expired");
    assert_eq!(result["cause"]["notAnswered"], json!(["Bob"]));
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_input_may_be_one_text() {
    let harness = Harness::start().await;
    let asks = json!({"title": "Validate {}", "signers": [{"name": "Bob", "email": "bob@example.com"}]});
    let (activity, polling) = worked(&harness, asks).await;
    begin(&harness, &activity, r#""some:special:id""#).await;
    let mail = harness.first_mail("bob@example.com").await;
    assert!(
        mail.subject.contains("Validate some:special:id"),
        "{}",
        mail.subject
    );
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_input_does_not_fit_fails_its_state_and_says_why() {
    let harness = Harness::start().await;
    let (activity, polling) = worked(&harness, validate()).await;
    for (input, field, why) in [
        ("{}", "title", "refers to {id}, which the input doesn't have"),
        (r#"{"id": "two\nlines"}"#, "title", "must be on one line"),
        ("7", "title", "refers to {id}"),
    ] {
        let execution = begin(&harness, &activity, input).await;
        let (status, result) = harness.ended(&execution).await;
        assert_eq!(
            (status.as_str(), &result["error"]),
            ("FAILED", &json!("Approval.InvalidRequest"))
        );
        let error = &result["cause"]["errors"][0];
        assert_eq!(error["field"], field, "{result}");
        assert!(error["message"].as_str().unwrap().contains(why), "{result}");
    }
    assert!(harness.dump().await.is_empty());
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn many_tasks_are_each_taken_in_once() {
    let harness = Harness::start().await;
    let (activity, polling) = worked(&harness, validate()).await;
    let mut state = machine(&activity, json!({}))["States"]["Validate"].clone();
    state["Parameters"] = json!({"id.$": "$"});
    let map = json!({
        "Type": "Map", "ItemsPath": "$", "End": true,
        "ItemProcessor": {"StartAt": "Validate", "States": {"Validate": state}}
    });
    let machine = json!({"StartAt": "Each", "States": {"Each": map}});
    let items: Vec<u32> = (0..40).collect();
    let execution = harness.start_machine(&machine, &json!(items).to_string()).await;
    harness.settle().await;
    let mut subjects = harness.subjects();
    subjects.sort();
    subjects.dedup();
    assert_eq!((harness.aws.mails().len(), subjects.len()), (40, 40));
    for mail in harness.aws.mails() {
        harness
            .answer(&super::harness::path_of_link(&mail), "approve", "", "Bob")
            .await;
    }
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_comes_after_the_stop_is_taken_in_before_the_process_ends() {
    let harness = Harness::start().await;
    let (activity, polling) = worked(&harness, validate()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let stopping = tokio::spawn(polling.stop());
    tokio::time::sleep(Duration::from_secs(30)).await;
    // The polls were open when the stop came; Step Functions may still answer them.
    assert!(!stopping.is_finished());
    begin(&harness, &activity, r#"{"id": 7}"#).await;
    harness.first_mail("bob@example.com").await;
    stopping.await.unwrap();
    // Nobody polls any more.
    begin(&harness, &activity, r#"{"id": 8}"#).await;
    harness.pass(SignedDuration::from_mins(5)).await;
    assert_eq!(harness.aws.mails().len(), 1);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_table_is_away_a_token_is_kept_and_then_taken_in() {
    let harness = Harness::start().await;
    let (activity, polling) = worked(&harness, validate()).await;
    harness
        .faults
        .next("PutItem", 21, Fault::Refused(500, "InternalServerError"));
    let execution = begin(&harness, &activity, r#"{"id": 7}"#).await;
    harness.pass(SignedDuration::from_mins(4)).await;
    assert_eq!(harness.faults.left(), 0);
    assert_eq!(harness.aws.mails().len(), 1);
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn when_the_table_stays_away_the_state_fails_with_what_its_retry_takes() {
    for stops in [false, true] {
        let harness = Harness::start().await;
        let (activity, polling) = worked(&harness, validate()).await;
        harness.faults.next(
            "PutItem",
            usize::MAX / 2,
            Fault::Refused(500, "InternalServerError"),
        );
        let retry = json!({"Retry": [{"ErrorEquals": ["Approval.Unavailable"], "IntervalSeconds": 400, "MaxAttempts": 1}]});
        let execution = harness
            .start_machine(&machine(&activity, retry), r#"{"id": 7}"#)
            .await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(harness.result(&execution).await.0, "RUNNING");
        let polling = if stops {
            // It gives up sooner when the process is to end.
            polling.stop().await;
            None
        } else {
            tokio::time::sleep(Duration::from_mins(6)).await;
            Some(polling)
        };
        let history = harness
            .sfn()
            .get_execution_history()
            .execution_arn(&execution)
            .send()
            .await
            .unwrap();
        let failed = history
            .events()
            .iter()
            .find_map(|event| event.activity_failed_event_details());
        assert_eq!(
            failed.expect("it has failed").error(),
            Some("Approval.Unavailable")
        );
        harness.faults.clear();
        if let Some(polling) = polling {
            harness.pass(SignedDuration::from_mins(8)).await;
            assert_eq!(harness.aws.mails().len(), 1);
            polling.stop().await;
        }
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_lost_on_its_way_is_offered_again_where_the_state_retries() {
    let harness = Harness::start().await;
    let (activity, polling) = worked(&harness, validate()).await;
    // Those that are open hear nothing; the next one's answer is lost.
    harness.faults.next("GetActivityTask", 1, Fault::AnswerLost);
    tokio::time::sleep(Duration::from_secs(61)).await;
    let again = json!({
        "HeartbeatSeconds": 60,
        "Retry": [{"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 3}]
    });
    for id in 0..4 {
        harness
            .start_machine(&machine(&activity, again.clone()), &json!({"id": id}).to_string())
            .await;
    }
    harness.pass(SignedDuration::from_mins(4)).await;
    assert_eq!(harness.faults.left(), 0);
    assert_eq!(harness.aws.mails().len(), 4);
    polling.stop().await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_activity_that_is_not_there_is_polled_again_later() {
    let harness = Harness::start().await;
    let (activity, polling) = worked(&harness, validate()).await;
    harness
        .sfn()
        .delete_activity()
        .activity_arn(&activity)
        .send()
        .await
        .unwrap();
    harness.pass(SignedDuration::from_mins(10)).await;
    harness
        .sfn()
        .create_activity()
        .name("validation")
        .send()
        .await
        .unwrap();
    begin(&harness, &activity, r#"{"id": 7}"#).await;
    harness.pass(SignedDuration::from_mins(2)).await;
    assert_eq!(harness.aws.mails().len(), 1);
    polling.stop().await;
    harness.finish().await;
}
