//! What `countersign new approval` writes: nothing is found in it, and it runs to its end either way.

use super::harness::Harness;
use super::ways::Polling;
use countersign::domain::activity::{Activity, Asks};
use countersign::domain::signer::{Directory, Person};
use countersign::intake::Ways;
use countersign::lint::approval::{NotWritten, Rejection, Via, Wanted, written};
use countersign::lint::{MachineType, lint};
use jiff::SignedDuration;
use serde_json::{Value, json};

fn wanted() -> Wanted {
    Wanted {
        name: "Ask Bob".into(),
        via: Via::Function("countersign".into()),
        signers: vec![Person {
            name: "Bob".into(),
            email: Some("bob@example.com".into()),
        }],
        title: "Approve the release".into(),
        message: None,
        seconds: 3_600,
        rejection: Rejection::Fail,
        next: None,
        jsonata: false,
    }
}

/// Every way in which it can be written, as whole machines: from `workflow()`, and with the states of `states()` put
/// into another machine.
fn machines() -> Vec<(Wanted, Value)> {
    let mut machines = Vec::new();
    let queue = |name: &str| Via::Queue(format!("https://sqs.us-east-1.amazonaws.com/123456789012/{name}"));
    let vias = [
        wanted().via,
        queue("approvals"),
        queue("approvals.fifo"),
        Via::Activity("arn:aws:states:us-east-1:123456789012:activity:approvals".into()),
    ];
    let kinds = [
        (false, Rejection::Fail),
        (false, Rejection::Catch),
        (true, Rejection::Fail),
        (true, Rejection::Catch),
    ];
    for (n, via) in vias.into_iter().enumerate() {
        // What a way has of its own doesn't hang on all the rest.
        for (jsonata, rejection) in kinds.into_iter().skip(n % 2).step_by(if n == 0 { 1 } else { 2 }) {
            let whole = Wanted {
                jsonata,
                rejection,
                via: via.clone(),
                ..wanted()
            };
            machines.push((whole.clone(), whole.workflow().unwrap()));
            let part = Wanted {
                next: Some("Done".into()),
                message: Some("All **tests** of {version} pass.".into()),
                ..whole
            };
            let mut states = part.states().unwrap();
            states.insert(
                "Done".into(),
                json!({"Type": "Pass", "Result": "done", "End": true}),
            );
            machines.push((part, json!({"StartAt": "Ask Bob", "States": states})));
        }
    }
    machines
}

/// A Countersign that is asked in the way that was wanted.
async fn asked_by(wanted: &Wanted) -> (Harness, Polling) {
    let harness = Harness::start().await;
    let mut ways = Ways::default();
    match &wanted.via {
        Via::Function(_) => {}
        Via::Queue(url) => {
            harness.queue(url.rsplit('/').next().unwrap()).await;
            ways.queues.push(url.clone());
        }
        Via::Activity(arn) => {
            harness
                .sfn()
                .create_activity()
                .name("approvals")
                .send()
                .await
                .unwrap();
            let lines = wanted.configuration().expect("what the activity asks for");
            let read: toml::Table = toml::from_str(&lines).unwrap();
            let mut fields = serde_json::to_value(&read["activities"][arn]).unwrap();
            assert_eq!(
                fields.as_object_mut().unwrap().remove("output"),
                Some(json!("envelope"))
            );
            let asks = Asks::new(fields.as_object().unwrap(), &Directory::new([])).expect("right");
            ways.activities.push(Activity {
                arn: arn.clone(),
                asks,
            });
        }
    }
    let polling = harness.poll(ways);
    (harness, polling)
}

#[test]
fn nothing_is_found_in_it() {
    for (wanted, machine) in machines() {
        let text = written(&machine);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), machine);
        assert_eq!(lint(&text, MachineType::Standard), [], "{wanted:?}");
        assert!(text.lines().all(|line| line.chars().count() < 110), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_approval_leads_on() {
    for (wanted, machine) in machines() {
        let (harness, polling) = asked_by(&wanted).await;
        let execution = harness.start_machine(&machine, "{}").await;
        let path = harness.link("bob@example.com").await;
        if wanted.message.is_some() {
            // What looks like a reference is meant as it is written.
            assert!(
                harness
                    .get(&path)
                    .await
                    .text()
                    .contains("tests of {version} pass")
            );
        }
        assert_eq!(harness.answer(&path, "approve", "", "Bob").await.status, 200);
        let (status, output) = harness.ended(&execution).await;
        assert_eq!(status, "SUCCEEDED", "{wanted:?}: {output}");
        if wanted.next.is_some() {
            assert_eq!(output, "done");
        } else {
            assert_eq!(output["approved"], true);
        }
        polling.stop().await;
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejection_does_what_was_wanted() {
    for (wanted, machine) in machines() {
        let (harness, polling) = asked_by(&wanted).await;
        let execution = harness.start_machine(&machine, "{}").await;
        let path = harness.link("bob@example.com").await;
        assert_eq!(
            harness.answer(&path, "reject", "Not today.", "Bob").await.status,
            200
        );
        let (status, output) = harness.ended(&execution).await;
        match wanted.rejection {
            Rejection::Fail => {
                assert_eq!(status, "FAILED", "{wanted:?}: {output}");
                assert_eq!(output["error"], "Approval.Rejected");
            }
            Rejection::Catch => {
                assert_eq!(status, "SUCCEEDED", "{wanted:?}: {output}");
                assert_eq!(output["rejection"]["rejectedBy"], "Bob");
                assert_eq!(output["rejection"]["comment"], "Not today.");
            }
        }
        polling.stop().await;
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn when_nobody_answers_it_fails_and_says_who_was_missing() {
    for (wanted, machine) in machines() {
        let (harness, polling) = asked_by(&wanted).await;
        let execution = harness.start_machine(&machine, "{}").await;
        harness.first_mail("bob@example.com").await;
        harness.pass(SignedDuration::from_secs(3_601)).await;
        let (status, output) = harness.ended(&execution).await;
        assert_eq!(
            (status.as_str(), &output["error"]),
            ("FAILED", &json!("Approval.Expired")),
            "{wanted:?}: {output}"
        );
        polling.stop().await;
        harness.finish().await;
    }
}

#[test]
fn what_step_functions_or_countersign_would_refuse_is_not_written() {
    let name = |name: &str| Wanted {
        name: name.into(),
        ..wanted()
    };
    for bad in ["", " Ask", "Ask\n", &"n".repeat(81)] {
        assert_eq!(name(bad).states(), Err(NotWritten::Name), "{bad:?}");
        assert_eq!(
            Wanted {
                next: Some(bad.into()),
                ..wanted()
            }
            .states(),
            Err(NotWritten::Name)
        );
    }
    for seconds in [0, 59, 31_535_401] {
        assert_eq!(Wanted { seconds, ..wanted() }.workflow(), Err(NotWritten::Time));
    }
    let refused = Wanted {
        title: "t".repeat(201),
        ..wanted()
    }
    .states()
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "title: has 201 characters; at most 200 are allowed"
    );
    // As long as may be: the states beside it get short names.
    for length in [68, 80] {
        let machine = name(&"ñ".repeat(length)).workflow().unwrap();
        assert_eq!(lint(&written(&machine), MachineType::Standard), []);
    }
}
