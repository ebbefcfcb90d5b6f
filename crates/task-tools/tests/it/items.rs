//! Single items: where they are put, what is written, how they are found.

use crate::faults::Fault;
use crate::world::{BUCKET, NOW, TABLE, World, now};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use task_tools::{Index, ItemPointer, MOST_IN_THE_TABLE, MapIteration, StateDataClient, StateDataError};

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn an_item_is_found_by_its_key_and_is_stored_as_the_python_package_stores_it() {
    let world = World::start().await;
    let put = world
        .client
        .put_item("characters", &json!({"name": "Zoë"}), 0)
        .await;
    let pointer = ItemPointer {
        table_name: TABLE.into(),
        partition_key: "run-7:characters".into(),
        key: Some("characters".into()),
    };
    assert_eq!(put.expect("put"), pointer);
    let put = world
        .client
        .put_item("characters", &json!({"name": "elaine"}), 24)
        .await;
    assert_eq!(put.expect("put"), pointer);

    let week = NOW.as_secs() + 7 * 86_400;
    assert_eq!(
        world.dump().await,
        [
            json!({"data": {"S": r#"{"name": "Zo\u00eb"}"#}, "expires_at": {"N": week.to_string()},
                   "partition_key": {"S": "run-7:characters"}, "sort_key": {"N": "0"}}),
            json!({"data": {"S": r#"{"name": "elaine"}"#}, "expires_at": {"N": week.to_string()},
                   "partition_key": {"S": "run-7:characters"}, "sort_key": {"N": "24"}}),
        ]
    );
    let first: Value = world.client.get_item("characters", 0).await.expect("there");
    assert_eq!(first, json!({"name": "Zoë"}));
    let other = world.client_of("run-8");
    let by_pointer: Value = other
        .get_global_item(&pointer.table_name, &pointer.partition_key, 24)
        .await
        .expect("there");
    assert_eq!(by_pointer, json!({"name": "elaine"}));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_named() {
    let world = World::start().await;
    world.client.put_item("here", &1, 0).await.expect("put");
    for (client, key, index) in [
        (&world.client, "there", 0),
        (&world.client, "here", 1),
        (&world.client_of("run-8"), "here", 0),
    ] {
        let missing = client.get_item::<Value>(key, index).await.expect_err("nothing");
        assert!(matches!(missing, StateDataError::NoItemFound { .. }), "{missing}");
        assert!(!missing.is_passing());
    }
    let missing = world
        .client
        .get_item::<Value>("there", 3)
        .await
        .expect_err("nothing");
    assert_eq!(
        missing.to_string(),
        "no item at index 3 of run-7:there in table state-data"
    );
    let none: Vec<Value> = world.client.get_items("there").await.expect("an empty list");
    assert_eq!(none, Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn everything_that_json_holds_comes_back_as_it_was() {
    let world = World::start().await;
    let texts = [
        "null",
        "[]",
        "{}",
        "\"\"",
        "[[null,{\"a\":[null]}]]",
        "1180591620717411303424",
        "-0.1",
        "1e400",
        "18446744073709551615",
        "\"\\ud800\"",
    ];
    for (index, text) in (0..).zip(texts) {
        world.client.put_item("k", &raw(text), index).await.expect("put");
        let read: Box<RawValue> = world.client.get_item("k", index).await.expect("there");
        assert_eq!(read.get(), text);
    }
    let big: u128 = world.client.get_item("k", 5).await.expect("a number");
    assert_eq!(big, 1 << 70);
    let text: String = "\u{0}\u{7f} Ünï©ødé 😀 \"\\/\r\n\u{2028}".to_owned();
    world.client.put_item("text", &text, 0).await.expect("put");
    assert_eq!(
        world.client.get_item::<String>("text", 0).await.expect("there"),
        text
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_table_cannot_hold_is_in_s3_before_the_item_is_there() {
    let world = World::start().await;
    // With its two quotation marks: as long as is allowed, and a byte longer.
    let most = "a".repeat(MOST_IN_THE_TABLE - 2);
    let more = format!("{most}a");
    // Each é is six bytes as it is written.
    let escaped = "é".repeat(MOST_IN_THE_TABLE / 6);
    for (index, text) in (0..).zip([&most, &more, &escaped]) {
        world.client.put_item("big", text, index).await.expect("put");
        assert_eq!(
            &world
                .client
                .get_item::<String>("big", index)
                .await
                .expect("there"),
            text
        );
    }
    let items = world.dump().await;
    assert!(
        items[0]["data"]["S"]
            .as_str()
            .is_some_and(|data| data.len() == MOST_IN_THE_TABLE)
    );
    for (index, text) in [(1, more), (2, "\\u00e9".repeat(MOST_IN_THE_TABLE / 6))] {
        let key = format!("workflow_state_data/state-data/run-7:big/{index}");
        assert_eq!(items[index]["s3_key"]["S"], key.as_str());
        assert_eq!(items[index].get("data"), None);
        assert_eq!(world.object(&key).await, Some(format!("\"{text}\"")));
    }
    let all: Vec<String> = world.client.get_items("big").await.expect("there");
    assert_eq!(all, [most, "a".repeat(MOST_IN_THE_TABLE - 1), escaped]);

    // S3 refuses: no item that points to nothing.
    world.faults.forget();
    world
        .faults
        .next("PutObject", 1, &Fault::Refused(403, "AccessDenied"));
    let refused = world
        .client
        .put_item("other", &all[1], 0)
        .await
        .expect_err("refused");
    assert_eq!(refused.to_string(), "PutObject failed: AccessDenied");
    assert_eq!(world.faults.all_calls(), ["PutObject"]);

    // The object is gone: so is the item, as far as anyone can tell.
    let gone = world
        .s3()
        .delete_object()
        .bucket(BUCKET)
        .key("workflow_state_data/state-data/run-7:big/1");
    gone.send().await.expect("deleted");
    let missing = world.client.get_item::<String>("big", 1).await.expect_err("gone");
    assert!(
        matches!(missing, StateDataError::NoItemFound { index: 1, .. }),
        "{missing}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_bucket_what_is_too_long_is_refused_before_anything_is_written() {
    let world = World::start().await;
    let long = "a".repeat(MOST_IN_THE_TABLE);
    world.client.put_item("long", &long, 2).await.expect("put");
    let without = StateDataClient::new(world.dynamodb(), TABLE, "run-7", now);
    world.faults.forget();
    let refused = without.put_item("k", &long, 0).await.expect_err("too long");
    assert_eq!(
        refused.to_string(),
        "item 0 of run-7:k needs an S3 bucket; name one with StateDataClient::bucket"
    );
    assert_eq!(world.faults.all_calls(), Vec::<String>::new());
    let refused = without.get_item::<String>("long", 2).await.expect_err("in S3");
    assert!(
        matches!(refused, StateDataError::NoBucket { index: 2, .. }),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_aws_would_not_take_is_refused_before_anything_is_written() {
    let world = World::start().await;
    let long = "k".repeat(2_048);
    let refused = world.client.put_item(&long, &1, 0).await.expect_err("too long");
    assert_eq!(
        refused.to_string(),
        "the partition key may have 2048 bytes, not 2054"
    );
    let refused = world.client.put_items(&long, &[1]).await.expect_err("too long");
    assert!(matches!(refused, StateDataError::KeyTooLong { .. }), "{refused}");
    let big = "a".repeat(MOST_IN_THE_TABLE);
    let refused = world
        .client
        .put_item(&long[..1_024], &big, 0)
        .await
        .expect_err("too long");
    assert!(
        matches!(refused, StateDataError::KeyTooLong { most: 1_024, .. }),
        "{refused}"
    );
    assert_eq!(world.faults.all_calls(), Vec::<String>::new());
    let longest = &long[..2_048 - "run-7:".len()];
    world
        .client
        .put_item(longest, &1, 0)
        .await
        .expect("as long as can be");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_something_else_wrote_is_told_apart() {
    let world = World::start().await;
    for (index, name, value) in [(0, "data", "NaN"), (1, "other", "1")] {
        let put = world
            .dynamodb()
            .put_item()
            .table_name(TABLE)
            .item(
                "partition_key",
                aws_sdk_dynamodb::types::AttributeValue::S("run-7:k".into()),
            )
            .item(
                "sort_key",
                aws_sdk_dynamodb::types::AttributeValue::N(index.to_string()),
            )
            .item(name, aws_sdk_dynamodb::types::AttributeValue::S(value.into()));
        put.send().await.expect("put");
    }
    let no_json = world.client.get_item::<Value>("k", 0).await.expect_err("NaN");
    assert!(
        no_json
            .to_string()
            .starts_with("item 0 of run-7:k can't be read: expected value"),
        "{no_json}"
    );
    let other = world.client.get_item::<Value>("k", 1).await.expect_err("no data");
    assert_eq!(
        other.to_string(),
        "item 1 of run-7:k can't be read: it has neither data nor s3_key"
    );
    world.client.put_item("text", "three", 0).await.expect("put");
    let other_type = world.client.get_item::<u32>("text", 0).await.expect_err("text");
    assert!(
        matches!(other_type, StateDataError::NotReadable { .. }),
        "{other_type}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_iteration_reads_and_writes_its_own_item() {
    let world = World::start().await;
    let put = world
        .client
        .put_items(
            "characters",
            &[json!({"name": "jerry"}), json!({"name": "elaine"})],
        )
        .await
        .expect("put");
    let event = |index: Value| -> MapIteration {
        serde_json::from_value(json!({
            "items_result_table_name": put.table_name, "items_result_partition_key": put.partition_key,
            "items_result_key": put.key, "context_index": index, "context_value": 1,
        }))
        .expect("an iteration")
    };
    let elsewhere = world.client_of("run-8");
    for index in [json!(1), json!("1")] {
        let event = event(index);
        let local: Value = world
            .client
            .get_item_for_map_iteration(&event)
            .await
            .expect("there");
        let global: Value = elsewhere
            .get_global_item_for_map_iteration(&event)
            .await
            .expect("there");
        assert_eq!(
            (&local["name"], &global["name"]),
            (&json!("elaine"), &json!("elaine"))
        );
        let none = elsewhere
            .get_item_for_map_iteration::<Value>(&event)
            .await
            .expect_err("of another run");
        assert!(matches!(none, StateDataError::NoItemFound { .. }), "{none}");
    }
    let first = event(json!(0));
    let done = world
        .client
        .put_item_for_map_iteration(&first, &json!("done"))
        .await
        .expect("put");
    assert_eq!(done.key.as_deref(), Some("characters"));
    let done = elsewhere
        .put_global_item_for_map_iteration(&event(json!(1)), &json!("too"))
        .await;
    assert_eq!(done.expect("put").key, None);
    let all: Vec<Value> = world.client.get_items("characters").await.expect("there");
    assert_eq!(all, ["done", "too"]);
    assert_eq!(first.context_index, Some(Index(0)));
}

#[tokio::test(start_paused = true)]
async fn items_are_kept_for_as_many_days_as_asked() {
    let world = World::start().await;
    let client = world.client.clone().keep_days(30).namespace("run-9");
    client.put_item("k", &1, 0).await.expect("put");
    let items = world.dump().await;
    assert_eq!(items[0]["partition_key"]["S"], "run-9:k");
    assert_eq!(
        items[0]["expires_at"]["N"],
        (NOW.as_secs() + 30 * 86_400).to_string()
    );
    let expiry = world
        .dynamodb()
        .describe_time_to_live()
        .table_name(TABLE)
        .send()
        .await;
    let expiry = expiry.expect("described").time_to_live_description.expect("set");
    assert_eq!(expiry.attribute_name.as_deref(), Some("expires_at"));
    // A table that is there is left alone.
    task_tools::create_table(&world.dynamodb(), TABLE)
        .await
        .expect("there");
    assert_eq!(world.dump().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_and_what_stays_is_told_at_once() {
    let world = World::start().await;
    for (status, code) in [
        (400, "ProvisionedThroughputExceededException"),
        (400, "ThrottlingException"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
    ] {
        world.faults.next("PutItem", 4, &Fault::Refused(status, code));
        world
            .client
            .put_item("k", &status, 0)
            .await
            .expect("put at the fifth try");
        world.faults.next("GetItem", 4, &Fault::Refused(status, code));
        assert_eq!(world.client.get_item::<u16>("k", 0).await.expect("read"), status);
    }
    world.faults.forget();
    world
        .faults
        .next("PutItem", 5, &Fault::Refused(500, "InternalServerError"));
    let down = world.client.put_item("k", &1, 0).await.expect_err("down");
    assert_eq!(down.to_string(), "PutItem failed: InternalServerError");
    assert!(down.is_passing());
    assert_eq!(world.faults.calls("PutItem"), 5);

    world
        .faults
        .next("GetItem", 1, &Fault::Refused(400, "AccessDeniedException"));
    let denied = world.client.get_item::<u16>("k", 0).await.expect_err("denied");
    assert_eq!(denied.to_string(), "GetItem failed: AccessDeniedException");
    assert!(!denied.is_passing());
    assert_eq!(world.faults.calls("GetItem"), 1);

    world
        .faults
        .next("PutItem", 1, &Fault::Refused(400, "ExpiredTokenException"));
    let expired = world.client.put_item("k", &1, 0).await.expect_err("expired");
    assert!(expired.is_passing(), "{expired}");
}
