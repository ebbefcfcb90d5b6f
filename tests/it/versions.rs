//! An older and a newer version side by side, over one table. What this version finds of an older one it takes up; what a
//! newer one wrote it leaves alone, or carries over.

use super::harness::{Fault, Harness, ask_bob};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign::domain::callback::Callback;
use countersign::domain::decision::RequestState;
use countersign::domain::ids::ApprovalId;
use countersign::flow::list::{self, Wanted};
use countersign::store::Listed;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The table as version 0.1.0 leaves it, of three requests as [`ask`] makes them: Dora is asked; Erik has answered and
/// Fritz has not; Greta has rejected while Step Functions didn't answer. A field that version 0.1.0 doesn't write has to have
/// a default.
const WRITTEN_BY_0_1_0: &str = include_str!("versions/written-by-0.1.0.json");

/// The attributes that are numbers.
const NUMBERS: [&str; 5] = ["v", "version", "revision", "due_at", "created"];

impl Harness {
    /// Puts an item as [`Harness::dump`] shows it.
    async fn put(&self, item: &Value) {
        let item: HashMap<String, AttributeValue> = item
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                let text = value.as_str().unwrap().to_owned();
                let value = if NUMBERS.contains(&name.as_str()) {
                    AttributeValue::N(text)
                } else {
                    AttributeValue::S(text)
                };
                (name.clone(), value)
            })
            .collect();
        let client = aws_sdk_dynamodb::Client::new(&self.sdk);
        let put = client.put_item().table_name("countersign").set_item(Some(item));
        put.send().await.unwrap();
    }

    async fn item(&self, pk: &str, sk: &str) -> Value {
        let mut items = self.dump().await.into_iter();
        items.find(|item| item["pk"] == pk && item["sk"] == sk).unwrap()
    }

    /// What is in the table of one approval, but for notes that its page was opened.
    async fn parts(&self, pk: &str) -> Vec<Value> {
        let mut items = self.dump().await;
        items.retain(|item| item["pk"] == pk && !item["sk"].as_str().unwrap().starts_with("O#"));
        items
    }

    async fn pending(&self) -> Vec<ApprovalId> {
        let wanted = Wanted {
            list: Listed::Pending,
            known: Vec::new(),
            created_before: None,
            created_after: None,
        };
        let page = list::page(&self.flow, &wanted, None, 10).await.unwrap();
        page.approvals.iter().map(|approval| approval.id).collect()
    }
}

fn ask(token: &str, signers: &[&str]) -> Value {
    let person = |name: &&str| json!({"name": name, "email": format!("{}@example.com", name.to_lowercase())});
    json!({
        "taskToken": token,
        "title": format!("Release {token}"),
        "signers": signers.iter().map(person).collect::<Vec<_>>(),
        "requester": {"name": "Carol", "email": "carol@example.com"},
        "externalId": token,
        "tags": {"team": "legal"},
        "metadata": {"build": 7},
        "timeoutSeconds": 14_400,
        "heartbeatSeconds": 600,
        "reminders": {"afterSeconds": 3600, "everySeconds": 3600, "max": 2},
    })
}

#[tokio::test(start_paused = true)]
async fn what_version_0_1_0_left_is_taken_up() {
    let harness = Harness::start().await;
    let items: Vec<Value> = serde_json::from_str(WRITTEN_BY_0_1_0).unwrap();
    for item in &items {
        harness.put(item).await;
    }
    let down = Fault::Refused(503, "ServiceUnavailable");
    harness.faults.next("SendTaskHeartbeat", usize::MAX / 4, down);
    let mut ids = HashMap::new();
    for item in items.iter().filter(|item| item["sk"] == "S") {
        let id = ApprovalId::parse(&item["pk"].as_str().unwrap()[2..]).unwrap();
        let approval = harness.approval(id).await;
        ids.insert(approval.body.terms.external_id.clone().unwrap(), id);
    }
    assert_eq!(harness.pending().await.len(), 2);
    // The reminders that are owed lead to the pages.
    harness.pass(SignedDuration::from_hours(2)).await;
    for (name, email) in [("Dora", "dora@example.com"), ("Fritz", "fritz@example.com")] {
        let path = harness.link(email).await;
        let page = harness.answer(&path, "approve", "", name).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    }
    harness.settle().await;
    // Nobody waits for these tokens: each decision is recorded, and its callback finds that out.
    for (external_id, status) in [
        ("asked", "approved"),
        ("half", "approved"),
        ("decided", "rejected"),
    ] {
        let state = harness.approval(ids[external_id]).await.record.state;
        assert_eq!(state.status(), status, "{external_id}");
        let RequestState::Ended(ended) = state else {
            panic!("{external_id}")
        };
        let callback = &ended.callback;
        assert!(
            matches!(callback, Callback::Moot { .. } | Callback::Parked(_)),
            "{external_id}: {callback:?}"
        );
    }
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_newer_version_wrote_is_left_alone() {
    for sk in ["S", "R#000", "B", "P#000"] {
        let harness = Harness::start().await;
        let newer = harness.open(ask("newer", &["Dora"])).await;
        let ours = harness.open(ask("ours", &["Erik"])).await;
        let path = harness.link("dora@example.com").await;
        harness.link("erik@example.com").await;
        harness.settle().await;
        let pk = format!("A#{newer}");
        let was = harness.item(&pk, sk).await;
        let mut item = was.clone();
        item["v"] = json!("2");
        item["json"] = json!(r#"{"all": "different"}"#);
        item["also"] = json!("an attribute");
        harness.put(&item).await;
        harness
            .put(&json!({"pk": pk, "sk": "Z#1", "v": "2", "json": "{}"}))
            .await;
        let before = harness.parts(&pk).await;

        assert_eq!(harness.pending().await, [ours], "{sk}");
        let page = harness.get(&path).await;
        assert_eq!(
            page.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{sk}: {}",
            page.text()
        );
        // Heartbeats, reminders and the deadline fall due.
        tokio::time::sleep(std::time::Duration::from_hours(5)).await;
        assert_eq!(harness.parts(&pk).await, before, "{sk}: it was touched");
        assert_eq!(harness.aws.mails_to("dora@example.com").len(), 1, "{sk}");

        harness.put(&was).await;
        harness.pass(SignedDuration::from_hours(1)).await;
        assert!(harness.pending().await.is_empty());
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_newer_version_keeps_beside_it_is_carried_over() {
    let harness = Harness::start().await;
    let execution = harness.start_workflow(&ask_bob()).await;
    let path = harness.link("bob@example.com").await;
    harness.settle().await;
    let pk = format!("A#{}", harness.only_approval().await.id);
    let note = json!({"since": "0.9", "list": [1, 2]});
    for sk in ["S", "R#000"] {
        let mut item = harness.item(&pk, sk).await;
        let mut data: Value = serde_json::from_str(item["json"].as_str().unwrap()).unwrap();
        data["laterField"] = note.clone();
        item["json"] = json!(data.to_string());
        harness.put(&item).await;
    }
    harness.answer(&path, "approve", "", "Bob").await;
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.settle().await;
    for sk in ["S", "R#000"] {
        let item = harness.item(&pk, sk).await;
        let data: Value = serde_json::from_str(item["json"].as_str().unwrap()).unwrap();
        assert_eq!(data["laterField"], note, "{sk}");
    }
    harness.finish().await;
}
