//! Lists: written in batches, read in pages.

use crate::faults::Fault;
use crate::world::{BUCKET, TABLE, World};
use aws_sdk_s3::types::Object;
use serde_json::{Value, json};
use task_tools::{ItemsPointer, MOST_IN_THE_TABLE, StateDataError, create_table};

#[tokio::test(start_paused = true)]
async fn a_list_is_written_25_at_a_time_and_read_in_its_order() {
    let world = World::start().await;
    let items: Vec<Value> = (0..60).map(|n| json!({"n": n})).collect();
    let put = world.client.put_items("list", &items).await.expect("put");
    let pointer = ItemsPointer {
        table_name: TABLE.into(),
        partition_key: "run-7:list".into(),
        items: vec![1; 60],
        key: Some("list".into()),
    };
    assert_eq!(put, pointer);
    assert_eq!(world.faults.all_calls(), ["BatchWriteItem"; 3]);
    let read: Vec<Value> = world.client.get_items("list").await.expect("there");
    assert_eq!(read, items);
    let read: Value = world.client.get_item("list", 59).await.expect("there");
    assert_eq!(read, json!({"n": 59}));
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_a_list() {
    let world = World::start().await;
    let put = world.client.put_items::<Value>("list", &[]).await.expect("put");
    assert_eq!(put.items, Vec::<u8>::new());
    assert_eq!(world.faults.all_calls(), Vec::<String>::new());
    let read: Vec<Value> = world.client.get_items("list").await.expect("an empty list");
    assert!(read.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_list_may_go_to_another_table() {
    let world = World::start().await;
    create_table(&world.dynamodb(), "other").await.expect("made");
    let put = world
        .client
        .put_global_items("other", "theirs", &[json!(1), json!([])])
        .await;
    let put = put.expect("put");
    assert_eq!((put.table_name.as_str(), put.key), ("other", None));
    let read: Vec<Value> = world
        .client
        .get_global_items("other", "theirs")
        .await
        .expect("there");
    assert_eq!(read, [json!(1), json!([])]);
    let none: Vec<Value> = world
        .client
        .get_global_items(TABLE, "theirs")
        .await
        .expect("empty");
    assert!(none.is_empty());
}

#[tokio::test(start_paused = true)]
async fn large_items_are_read_over_several_pages_and_some_from_s3() {
    let world = World::start().await;
    // DynamoDB ends a page at 1 MB: two of these in each.
    let mut items: Vec<String> = (0..5)
        .map(|n| n.to_string().repeat(MOST_IN_THE_TABLE - 2))
        .collect();
    items[3].push_str("and more than the table holds");
    world.client.put_items("large", &items).await.expect("put");
    let read: Vec<String> = world.client.get_items("large").await.expect("there");
    assert!(
        read == items,
        "lengths {:?}",
        read.iter().map(String::len).collect::<Vec<_>>()
    );
    assert!(world.faults.calls("Query") >= 2);
    assert_eq!(world.faults.calls("GetObject"), 1);
    let listed = world
        .s3()
        .list_objects_v2()
        .bucket(BUCKET)
        .send()
        .await
        .expect("listed");
    let keys: Vec<_> = listed.contents().iter().filter_map(Object::key).collect();
    assert_eq!(keys, ["workflow_state_data/state-data/run-7:large/3"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_leaves_undone_is_sent_again() {
    let world = World::start().await;
    let items: Vec<u32> = (0..30).collect();
    for done in [10, 0, 0, 5] {
        world.faults.next("BatchWriteItem", 1, &Fault::Undone { done });
    }
    let began = tokio::time::Instant::now();
    world.client.put_items("list", &items).await.expect("put");
    // 25: 10 done, none, none, 5 done, the last 10; then the other 5.
    assert_eq!(world.faults.calls("BatchWriteItem"), 6);
    assert_eq!(world.client.get_items::<u32>("list").await.expect("there"), items);
    // Half the longest pause and half of that again (the clock stands at half a second): 37.5, 75, 150, 37.5 ms.
    let waited = began.elapsed().as_millis();
    assert!((300..=310).contains(&waited), "{waited} ms");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_takes_nothing_is_given_up_in_the_end() {
    let world = World::start().await;
    world
        .faults
        .next("BatchWriteItem", 100, &Fault::Undone { done: 0 });
    let gave_up = world
        .client
        .put_items("list", &[1, 2, 3])
        .await
        .expect_err("nothing done");
    assert!(
        matches!(gave_up, StateDataError::Unprocessed { left: 3 }),
        "{gave_up}"
    );
    assert!(gave_up.is_passing());
    assert_eq!(world.faults.calls("BatchWriteItem"), 8);
}

#[tokio::test(start_paused = true)]
async fn throttled_batches_and_pages_are_tried_again() {
    let world = World::start().await;
    let throttled = Fault::Refused(400, "ThrottlingException");
    world.faults.next("BatchWriteItem", 4, &throttled);
    world.client.put_items("list", &[1, 2]).await.expect("put");
    world.faults.next("Query", 4, &throttled);
    assert_eq!(world.client.get_items::<u32>("list").await.expect("read"), [1, 2]);
    let large = ["a".repeat(MOST_IN_THE_TABLE)];
    world
        .faults
        .next("PutObject", 4, &Fault::Refused(503, "SlowDown"));
    world.client.put_items("large", &large).await.expect("put");
    world
        .faults
        .next("GetObject", 4, &Fault::Refused(500, "InternalError"));
    assert_eq!(
        world.client.get_items::<String>("large").await.expect("read"),
        large
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_is_read_at_once_than_is_allowed() {
    let world = World::start().await;
    let items = ["a".repeat(998), "b".repeat(998), "c".repeat(MOST_IN_THE_TABLE)];
    world.client.put_items("list", &items).await.expect("put");
    let exactly = world.client.clone().read_at_most(2_000 + MOST_IN_THE_TABLE + 2);
    assert_eq!(exactly.get_items::<String>("list").await.expect("read"), items);
    let less = world.client.clone().read_at_most(2_000 + MOST_IN_THE_TABLE + 1);
    let refused = less
        .get_items::<String>("list")
        .await
        .expect_err("a byte too much");
    assert_eq!(
        refused.to_string(),
        "the data under run-7:list is longer than the 392001 bytes that are read at once"
    );
    assert_eq!(less.get_item::<String>("list", 2).await.expect("alone"), items[2]);
    let small = world.client.clone().read_at_most(999);
    let refused = small
        .get_item::<String>("list", 0)
        .await
        .expect_err("a byte too much");
    assert!(
        matches!(refused, StateDataError::TooMuch { most: 999, .. }),
        "{refused}"
    );
}
