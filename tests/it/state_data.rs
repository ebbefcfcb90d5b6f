//! State data: results that Step Functions wouldn't take, and what tasks put and get over HTTP and by invoking.

use super::harness::{Fault, Harness, ask_bob};
use countersign::domain::api_key::Scope;
use countersign::domain::callback::{Callback, MAX_OUTPUT_BYTES};
use countersign::domain::decision::RequestState;
use countersign::intake::invoke::Function;
use countersign::state_data::Places;
use http::Method;
use serde_json::{Value, json};
use task_tools::StateDataClient;

const TABLE: &str = "state-data";
const OTHER: &str = "other-project";
const BUCKET: &str = "state-data-bucket";

fn places() -> Places {
    Places {
        table: TABLE.to_owned(),
        bucket: Some(BUCKET.to_owned()),
        other_tables: vec![OTHER.to_owned()],
        keep_days: 30,
    }
}

async fn start() -> Harness {
    let harness = Harness::start_with_state_data(places()).await;
    make(&harness).await;
    harness
}

async fn make(harness: &Harness) {
    let dynamodb = aws_sdk_dynamodb::Client::new(&harness.sdk);
    for table in [TABLE, OTHER, "a-third"] {
        task_tools::create_table(&dynamodb, table).await.expect("a table");
    }
    let bucket = countersign::app::s3(&harness.sdk).create_bucket().bucket(BUCKET);
    bucket.send().await.expect("a bucket");
}

/// What a task of the workflow has: the library, with nothing of ours.
fn library(harness: &Harness) -> StateDataClient {
    let dynamodb = aws_sdk_dynamodb::Client::new(&harness.sdk);
    let now = harness.clock.clone();
    StateDataClient::new(dynamodb, TABLE, "run-7", move || now.now().into())
        .bucket(countersign::app::s3(&harness.sdk), BUCKET)
}

/// A request to a hundred people, each of whom comments at length.
async fn a_hundred_comment(harness: &Harness) -> String {
    let signers: Vec<Value> = (0..100)
        .map(|n| json!({"name": format!("Person {n}"), "email": format!("p{n}@example.com")}))
        .collect();
    let execution = harness
        .start_workflow(&json!({"title": "Approve the budget", "signers": signers}))
        .await;
    harness.first_mail("p99@example.com").await;
    execution
}

async fn complete(harness: &Harness) -> Value {
    let id = harness.only_approval().await.id;
    let comment = format!("{}\u{fc}", "x".repeat(7_998));
    let event = json!({"action": "complete", "requestId": id, "comment": comment});
    harness
        .invoke(Function::Operations, event)
        .await
        .expect("completed")
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_too_long_is_put_down_and_pointed_at() {
    let harness = start().await;
    let execution = a_hundred_comment(&harness).await;
    let done = complete(&harness).await;
    assert_eq!(done["callback"], "delivered", "{done}");
    let (status, result) = harness.ended(&execution).await;
    assert_eq!(status, "SUCCEEDED", "{result}");
    let id = harness.only_approval().await.id.to_string();
    assert_eq!(
        result["stateData"],
        json!({"table_name": TABLE, "partition_key": format!("countersign:{id}"), "key": id})
    );
    // What a workflow chooses by stands in the state as ever.
    assert_eq!(
        (&result["status"], &result["approved"], &result["requestId"]),
        (&json!("approved"), &json!(true), &json!(id))
    );
    assert_eq!(result.get("responses"), None);
    assert!(result["evidence"]["head"].is_string() && result["decidedAt"].is_string());

    let whole: Value = library(&harness)
        .get_global_item(TABLE, &format!("countersign:{id}"), 0)
        .await
        .expect("there");
    assert!(whole.to_string().len() > 3 * MAX_OUTPUT_BYTES);
    let responses = whole["responses"].as_array().expect("a list");
    assert_eq!(responses.len(), 100);
    assert!(responses.iter().all(|response| {
        let comment = response["comment"].as_str().expect("a comment");
        comment.len() == 8_000 && comment.ends_with('ü')
    }));
    assert_eq!(whole["signature"], result["signature"]);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_while_the_store_for_long_results_is_away() {
    // Neither table nor bucket are there: an operator has to look at it.
    let harness = Harness::start_with_state_data(places()).await;
    let execution = a_hundred_comment(&harness).await;
    assert_eq!(complete(&harness).await["callback"], "parked");
    let approval = harness.only_approval().await;
    let RequestState::Ended(ended) = &approval.record.state else {
        panic!("not ended")
    };
    let Callback::Parked(parked) = &ended.callback else {
        panic!("not parked: {:?}", ended.callback)
    };
    assert!(
        parked.reason.starts_with(
            "the result is too long to be sent, and could not be put down as state data: PutObject failed"
        ),
        "{}",
        parked.reason
    );
    assert_eq!(parked.unanswered, 0, "nothing was sent");
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    make(&harness).await;

    // Mended, but slow for a while.
    harness
        .faults
        .next("PutObject", 30, Fault::Refused(503, "SlowDown"));
    let retry = json!({"action": "retry", "requestId": approval.id});
    harness
        .invoke(Function::Operations, retry)
        .await
        .expect("retried");
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    harness.faults.clear();
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_result_waits_for_credentials_that_have_expired() {
    let harness = start().await;
    let execution = a_hundred_comment(&harness).await;
    harness.settle().await;
    harness
        .faults
        .next("PutItem", 1, Fault::Refused(400, "ExpiredTokenException"));
    assert_eq!(complete(&harness).await["callback"], "queued");
    assert_eq!(harness.faults.left(), 0);
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_made_again_writes_the_same_and_is_counted_once() {
    let harness = start().await;
    let execution = a_hundred_comment(&harness).await;
    harness.faults.next("SendTaskSuccess", 1, Fault::AnswerLost);
    complete(&harness).await;
    assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED");
    harness.settle().await;
    let approval = harness.only_approval().await;
    let RequestState::Ended(ended) = &approval.record.state else {
        panic!("not ended")
    };
    assert!(
        matches!(ended.callback, Callback::Delivered { .. }),
        "{:?}",
        ended.callback
    );
    let listed = countersign::app::s3(&harness.sdk)
        .list_objects_v2()
        .bucket(BUCKET)
        .send()
        .await;
    assert_eq!(listed.expect("listed").key_count(), Some(1));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_place_for_it_a_long_result_goes_without_its_comments_and_says_so() {
    let harness = Harness::start().await;
    let execution = a_hundred_comment(&harness).await;
    complete(&harness).await;
    let (status, result) = harness.ended(&execution).await;
    assert_eq!(
        (status.as_str(), &result["commentsOmitted"]),
        ("SUCCEEDED", &json!(true))
    );
    assert_eq!(result["responses"].as_array().expect("a list").len(), 100);
    assert_eq!(result["responses"][0].get("comment"), None);
    harness.finish().await;
}

impl Harness {
    async fn state_data(&self, call: &str, given: &Value) -> (u16, Value) {
        let path = format!("/api/v1/state-data/{call}");
        self.call(Scope::StateData, Method::POST, &path, given).await
    }

    /// The same by invoking; errors by their type.
    async fn invoke_state_data(&self, call: &str, given: &Value) -> Result<Value, (String, String)> {
        let mut event = given.clone();
        event["action"] = json!(call);
        self.invoke(Function::TaskTools, event).await
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_in_any_language_put_and_get_as_the_library_does() {
    let harness = start().await;
    let here = |more: Value| {
        let mut given = json!({"namespace": "run-7", "key": "characters"});
        given
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        given
    };
    let characters = json!([{"name": "jerry"}, {"name": "elaine"}]);
    let pointer = json!({"table_name": TABLE, "partition_key": "run-7:characters", "items": [1, 1], "key": "characters"});
    for by_http in [true, false] {
        let put = here(json!({"items": characters}));
        let (get, all) = (here(json!({"index": "1"})), here(json!({})));
        let (put, got, all) = if by_http {
            (
                harness.state_data("put_items", &put).await.1,
                harness.state_data("get_item", &get).await.1,
                harness.state_data("get_items", &all).await.1,
            )
        } else {
            (
                harness.invoke_state_data("put_items", &put).await.expect("put"),
                harness.invoke_state_data("get_item", &get).await.expect("there"),
                harness.invoke_state_data("get_items", &all).await.expect("there"),
            )
        };
        assert_eq!(put, pointer);
        assert_eq!(got, json!({"data": {"name": "elaine"}}));
        assert_eq!(all, json!({"items": characters}));
    }
    let read: Vec<Value> = library(&harness).get_items("characters").await.expect("there");
    assert_eq!(json!(read), characters);

    let event = json!({"items_result_table_name": TABLE, "items_result_partition_key": "run-7:characters",
        "items_result_key": "characters", "context_index": 0, "context_value": 1});
    let put = json!({"event": event, "data": "done"});
    let (status, pointer) = harness
        .state_data("put_global_item_for_map_iteration", &put)
        .await;
    assert_eq!(
        (status, pointer),
        (
            200,
            json!({"table_name": TABLE, "partition_key": "run-7:characters"})
        )
    );
    let get = json!({"event": event, "namespace": "run-7"});
    let (_, got) = harness.state_data("get_item_for_map_iteration", &get).await;
    assert_eq!(got, json!({"data": "done"}));
    let (_, got) = harness
        .state_data("get_global_item_for_map_iteration", &json!({"event": event}))
        .await;
    assert_eq!(got, json!({"data": "done"}));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_megabyte_and_every_digit_pass_over_http() {
    let harness = start().await;
    let big = format!("[{}1180591620717411303424, 1.10]", "0.1, ".repeat(220_000));
    assert!(big.len() > 1_048_576);
    let given = format!(r#"{{"namespace": "run-7", "key": "big", "data": {big}}}"#);
    let key = super::api::key(Scope::StateData);
    let put = harness
        .call_with(
            Some(key.expose()),
            Method::POST,
            "/api/v1/state-data/put_item",
            given,
        )
        .await;
    assert_eq!(put.status, 200, "{}", put.body);
    let get = json!({"table_name": TABLE, "partition_key": "run-7:big"}).to_string();
    let got = harness
        .call_with(
            Some(key.expose()),
            Method::POST,
            "/api/v1/state-data/get_global_item",
            get,
        )
        .await;
    assert!(got.body == format!(r#"{{"data":{big}}}"#), "as it was written");
    // Three of them are more than is read at once.
    let items = vec!["x".repeat(6_000_000); 2];
    library(&harness).put_items("long", &items).await.expect("put");
    library(&harness)
        .put_item("long", &items[0], 2)
        .await
        .expect("put");
    let (status, refused) = harness
        .state_data("get_items", &json!({"namespace": "run-7", "key": "long"}))
        .await;
    assert_eq!((status, &refused["code"]), (413, &json!("TooMuch")), "{refused}");
    let too_long = format!(r#"{{"data": "{}"}}"#, "x".repeat(8 * 1024 * 1024));
    let refused = harness
        .call_with(
            Some(key.expose()),
            Method::POST,
            "/api/v1/state-data/put_item",
            too_long,
        )
        .await;
    assert_eq!(refused.status, 413);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn only_tables_that_are_named_are_reached_and_our_own_items_are_only_read() {
    let harness = start().await;
    let at = |table: &str| json!({"table_name": table, "partition_key": "theirs", "data": 1});
    assert_eq!(harness.state_data("put_global_item", &at(OTHER)).await.0, 200);
    for table in [
        "countersign",
        "a-third",
        "state-data2",
        "arn:aws:dynamodb:us-east-1:123456789012:table/countersign",
    ] {
        for call in ["put_global_item", "get_global_item", "get_global_items"] {
            let mut given = at(table);
            if call.starts_with("get") {
                given.as_object_mut().unwrap().remove("data");
            }
            let (status, refused) = harness.state_data(call, &given).await;
            assert_eq!(
                (status, &refused["code"]),
                (403, &json!("OtherTable")),
                "{table} {call}"
            );
            let (kind, told) = harness
                .invoke_state_data(call, &given)
                .await
                .expect_err("another table");
            assert_eq!(kind, "TaskTools.InvalidRequest");
            assert!(told.contains("state_data_tables"), "{told}");
        }
    }
    // A workflow takes what stands here for a decision.
    library(&harness)
        .put_global_item(TABLE, "countersign:req_1", &json!({"approved": false}), 0)
        .await
        .expect("put");
    for (call, given) in [
        (
            "put_item",
            json!({"namespace": "countersign", "key": "req_1", "data": 1}),
        ),
        (
            "put_items",
            json!({"namespace": "countersign:req_1", "key": "", "items": [1]}),
        ),
        (
            "put_global_item",
            json!({"table_name": TABLE, "partition_key": "countersign:req_1", "data": 1}),
        ),
        (
            "put_global_items",
            json!({"table_name": OTHER, "partition_key": "countersign:x", "items": []}),
        ),
        (
            "put_global_item_for_map_iteration",
            json!({"data": 1, "event": {"items_result_table_name": TABLE,
                "items_result_partition_key": "countersign:req_1", "context_index": 0}}),
        ),
    ] {
        let (status, refused) = harness.state_data(call, &given).await;
        assert!(status == 403 || status == 422, "{call}: {status} {refused}");
        assert!(harness.invoke_state_data(call, &given).await.is_err(), "{call}");
    }
    let read = json!({"table_name": TABLE, "partition_key": "countersign:req_1"});
    let (status, read) = harness.state_data("get_global_item", &read).await;
    assert_eq!((status, read), (200, json!({"data": {"approved": false}})));
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_says_why() {
    let harness = start().await;
    let item = json!({"namespace": "run-7", "key": "k"});
    let (status, told) = harness.state_data("get_item", &item).await;
    assert_eq!((status, &told["code"]), (404, &json!("NoItemFound")));
    assert_eq!(
        told["detail"],
        "NoItemFound: no item at index 0 of run-7:k in table state-data"
    );
    let (kind, _) = harness
        .invoke_state_data("get_item", &item)
        .await
        .expect_err("none");
    assert_eq!(kind, "TaskTools.NoItemFound");

    let (status, told) = harness.state_data("get_everything", &item).await;
    assert_eq!((status, &told["code"]), (404, &json!("NoSuchCall")));
    let (status, told) = harness.state_data("put_item", &item).await;
    assert_eq!(
        (status, &told["errors"]),
        (422, &json!([{"field": "data", "message": "is missing"}]))
    );

    harness
        .faults
        .next("GetItem", 5, Fault::Refused(500, "InternalServerError"));
    let (status, _) = harness.state_data("get_item", &item).await;
    assert_eq!(status, 503);
    harness
        .faults
        .next("GetItem", 5, Fault::Refused(500, "InternalServerError"));
    let (kind, _) = harness
        .invoke_state_data("get_item", &item)
        .await
        .expect_err("away");
    assert_eq!(kind, "TaskTools.Unavailable");
    harness
        .faults
        .next("GetItem", 1, Fault::Refused(400, "AccessDeniedException"));
    let (status, told) = harness.state_data("get_item", &item).await;
    assert_eq!((status, &told["code"]), (403, &json!("AccessDeniedException")));
    harness.finish().await;

    let without = Harness::start().await;
    let (status, told) = without.state_data("get_item", &item).await;
    assert_eq!((status, &told["code"]), (404, &json!("NotSetUp")));
    without.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_task_tools_function_does_nothing_but_that() {
    let harness = start().await;
    let item = json!({"namespace": "run-7", "key": "k", "data": 1});
    let mut put = item.clone();
    put["action"] = json!("put_item");
    let (kind, told) = harness
        .invoke(Function::Intake, put.clone())
        .await
        .expect_err("not there");
    assert_eq!(kind, "Approval.InvalidRequest");
    assert!(told.contains("task tools"), "{told}");
    harness
        .invoke(Function::Operations, put)
        .await
        .expect("there as well");
    for event in [
        ask_bob(),
        json!({"action": "open"}),
        json!({"action": "complete", "documentId": "3"}),
        json!({"action": "list"}),
        json!({"action": "format"}),
    ] {
        let (kind, told) = harness
            .invoke(Function::TaskTools, event.clone())
            .await
            .expect_err("another's");
        assert_eq!(kind, "TaskTools.InvalidRequest", "{event}");
        assert!(
            told.contains("must be stop_execution or a call for state data"),
            "{told}"
        );
    }
    harness.finish().await;
}
