//! Reading a call for state data: which item or list is meant, and what is to be put there. Everything that is wrong is
//! told at once, by its field.

use super::{Call, CallError, What};
use crate::domain::request_fields::Fields;
use crate::state_data::Index;
use serde_json::Map;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The longest namespace, key or partition key, in bytes (DynamoDB's limit for a partition key).
const LONGEST_KEY: usize = 2_048;
/// The longest name of a table, in characters (DynamoDB's limits); an ARN stands for its table as well.
const LONGEST_TABLE: usize = 1_024;
/// The longest list that is put by one call: DynamoDB takes 25 entries at a time.
const MOST_ITEMS: usize = 10_000;

/// Which item, or which list.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// Only of a global one.
    pub(super) table: Option<String>,
    /// In full.
    pub(super) partition_key: String,
    /// Only of a local one.
    pub(super) key: Option<String>,
    pub(super) index: u64,
}

/// A call, read.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) place: Place,
    /// Of a put.
    pub(super) data: Box<RawValue>,
    /// Of a put of a list.
    pub(super) items: Vec<Box<RawValue>>,
}

impl Asked {
    pub(super) fn read(call: Call, given: &str) -> Result<Self, CallError> {
        let not_readable = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            CallError::NotReadable(format!(
                "this is no JSON object: see line {line}, column {column}"
            ))
        };
        let mut raw: BTreeMap<String, Box<RawValue>> = serde_json::from_str(given).map_err(not_readable)?;
        // Data is taken as it is written: read as values, its numbers could lose digits.
        let data = raw.remove("data");
        let items = raw.remove("items");
        let mut map = Map::new();
        for (name, value) in raw {
            // Text that a value can't hold (half of a surrogate pair) is wrong in every field but data.
            let value = serde_json::from_str(value.get()).map_err(not_readable)?;
            map.insert(name, value);
        }
        let mut f = Fields::new("", &map);
        let place = place(call, &mut f);
        let (takes_data, takes_items) = match call.what {
            What::PutItem | What::PutItemForMapIteration => (true, false),
            What::PutItems => (false, true),
            What::GetItem | What::GetItems | What::GetItemForMapIteration => (false, false),
        };
        for (name, given, takes) in [
            ("data", data.is_some(), takes_data),
            ("items", items.is_some(), takes_items),
        ] {
            if takes && !given {
                f.problem(name, "is missing");
            } else if given && !takes {
                f.problem(name, "is not a field of this call; remove it");
            }
        }
        let items = items.map(|items| serde_json::from_str::<Vec<Box<RawValue>>>(items.get()));
        match &items {
            Some(Err(_)) if takes_items => f.problem("items", "must be a list"),
            Some(Ok(items)) if items.len() > MOST_ITEMS => {
                let message = format!("has {} entries; at most {MOST_ITEMS} are allowed", items.len());
                f.problem("items", message);
            }
            _ => {}
        }
        let mut problems = f.finish();
        for problem in &mut problems {
            if problem.message.starts_with("is not a field of a request") {
                "is not a field of this call; remove it".clone_into(&mut problem.message);
            }
        }
        match place {
            Some(place) if problems.is_empty() => Ok(Self {
                place,
                data: data.unwrap_or_else(|| RawValue::NULL.to_owned()),
                items: items.and_then(Result::ok).unwrap_or_default(),
            }),
            _ => Err(CallError::Invalid(problems)),
        }
    }
}

fn place(call: Call, f: &mut Fields<'_>) -> Option<Place> {
    let namespace = if call.global {
        None
    } else {
        key(f, "namespace", LONGEST_KEY)
    };
    if matches!(
        call.what,
        What::PutItemForMapIteration | What::GetItemForMapIteration
    ) {
        return place_of_iteration(call, f, namespace);
    }
    let names = ["table_name", "partition_key", "key"];
    let index = match call.what {
        What::PutItem | What::GetItem => index(f, "index", Some(0)),
        _ => Some(0),
    };
    place_by(call, f, names, namespace, index)
}

/// What the event of an iteration points at. Fields that it has beside are the workflow's own.
fn place_of_iteration(call: Call, f: &mut Fields<'_>, namespace: Option<String>) -> Option<Place> {
    let Some(event) = f.object("event") else {
        missing(f, "event", "what the Map gave this iteration");
        return None;
    };
    let mut inside = Fields::new("event", event);
    let names = [
        "items_result_table_name",
        "items_result_partition_key",
        "items_result_key",
    ];
    let index = index(&mut inside, "context_index", None);
    let place = place_by(call, &mut inside, names, namespace, index);
    f.extend(inside.finish_leaving_others());
    place
}

/// Reads where an item is from the fields of these `names`: table and partition key, or the key of a local one.
fn place_by(
    call: Call,
    f: &mut Fields<'_>,
    [table_name, partition_key, local_key]: [&'static str; 3],
    namespace: Option<String>,
    index: Option<u64>,
) -> Option<Place> {
    if call.global {
        let table = key(f, table_name, LONGEST_TABLE);
        let partition_key = key(f, partition_key, LONGEST_KEY);
        return Some(Place {
            table: Some(table?),
            partition_key: partition_key?,
            key: None,
            index: index?,
        });
    }
    let key = key(f, local_key, LONGEST_KEY);
    let (namespace, key) = (namespace?, key?);
    Some(Place {
        table: None,
        partition_key: format!("{namespace}:{key}"),
        key: Some(key),
        index: index?,
    })
}

fn missing(f: &mut Fields<'_>, name: &'static str, what: &str) {
    if f.value(name).is_none() {
        f.problem(name, format!("is missing: {what}"));
    }
}

/// A text that says where something is: as it is, and not empty.
fn key(f: &mut Fields<'_>, name: &'static str, most: usize) -> Option<String> {
    missing(f, name, "a text");
    let text = f.text(name)?;
    if text.is_empty() {
        f.problem(name, "must not be empty");
    } else if text.len() > most {
        f.problem(
            name,
            format!("has {} bytes; at most {most} are allowed", text.len()),
        );
    } else {
        return Some(text);
    }
    None
}

fn index(f: &mut Fields<'_>, name: &'static str, without: Option<u64>) -> Option<u64> {
    let Some(given) = f.value(name) else {
        if without.is_none() {
            f.problem(name, "is missing: $$.Map.Item.Index");
        }
        return without;
    };
    if let Ok(Index(index)) = serde_json::from_value(given.clone()) {
        return Some(index);
    }
    f.problem(name, "must be a whole number from 0, or text of digits");
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn asked(name: &str, given: &Value) -> Result<Asked, Vec<String>> {
        let call = Call::named(name).expect("a call");
        Asked::read(call, &given.to_string()).map_err(|error| match error {
            CallError::Invalid(problems) => problems
                .into_iter()
                .map(|problem| format!("{} {}", problem.field, problem.message))
                .collect(),
            other => vec![other.to_string()],
        })
    }

    #[test]
    fn the_calls_are_those_of_the_library() {
        let names = [
            "put_item",
            "put_items",
            "get_item",
            "get_items",
            "put_item_for_map_iteration",
            "get_item_for_map_iteration",
        ];
        for name in names {
            let call = Call::named(name).expect("a call");
            let global = Call::named(&name.replacen('_', "_global_", 1)).expect("a call");
            assert!(
                !call.global && global.global && call.what == global.what,
                "{name}"
            );
        }
        for other in [
            "",
            "put",
            "global_put_item",
            "get_global_global_item",
            "PUT_ITEM",
            "put_item_global",
        ] {
            assert_eq!(Call::named(other), None, "{other}");
        }
    }

    #[test]
    fn a_place_is_read_from_the_fields_of_its_call() {
        let local = asked(
            "get_item",
            &json!({"namespace": "run-7", "key": "k", "index": "24"}),
        )
        .expect("right");
        assert_eq!(
            local.place,
            Place {
                table: None,
                partition_key: "run-7:k".into(),
                key: Some("k".into()),
                index: 24
            }
        );
        let event = json!({"items_result_table_name": "t", "items_result_partition_key": "run-7:k",
            "items_result_key": "k", "context_index": 1, "context_value": 1, "flag": false});
        let global = asked("get_global_item_for_map_iteration", &json!({"event": event})).expect("right");
        assert_eq!(
            global.place,
            Place {
                table: Some("t".into()),
                partition_key: "run-7:k".into(),
                key: None,
                index: 1
            }
        );
        let same = asked(
            "get_item_for_map_iteration",
            &json!({"namespace": "run-7", "event": event}),
        );
        assert_eq!(same.expect("right").place.partition_key, "run-7:k");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, given, problems) in [
            (
                "get_item",
                json!({}),
                vec!["namespace is missing: a text", "key is missing: a text"],
            ),
            (
                "get_global_item",
                json!({"table_name": "", "partition_key": 7, "index": -1}),
                vec![
                    "index must be a whole number from 0, or text of digits",
                    "table_name must not be empty",
                    "partition_key must be text, not a number",
                ],
            ),
            (
                "put_item",
                json!({"namespace": "n", "key": "k", "items": []}),
                vec!["data is missing", "items is not a field of this call; remove it"],
            ),
            (
                "put_items",
                json!({"namespace": "n", "key": "k", "items": {}}),
                vec!["items must be a list"],
            ),
            (
                "put_items",
                json!({"namespace": "n", "key": "k", "items": vec![1; MOST_ITEMS + 1]}),
                vec!["items has 10001 entries; at most 10000 are allowed"],
            ),
            (
                "get_items",
                json!({"namespace": "n", "key": "k", "index": 0}),
                vec!["index is not a field of this call; remove it"],
            ),
            (
                "get_item_for_map_iteration",
                json!({"namespace": "n", "event": {}}),
                vec![
                    "event.context_index is missing: $$.Map.Item.Index",
                    "event.items_result_key is missing: a text",
                ],
            ),
            (
                "get_global_item_for_map_iteration",
                json!({}),
                vec!["event is missing: what the Map gave this iteration"],
            ),
        ] {
            assert_eq!(
                asked(name, &given).expect_err("wrong"),
                problems,
                "{name} {given}"
            );
        }
        let none = Asked::read(Call::named("get_item").expect("a call"), "[1,").expect_err("no object");
        assert!(none.to_string().starts_with("this is no JSON object"), "{none}");
    }

    #[test]
    fn data_is_taken_as_it_is_written() {
        let call = Call::named("put_item").expect("a call");
        for data in ["1180591620717411303424", "1.10", "null", "\"\\ud800\"", "[ ]"] {
            let given = format!(r#"{{"namespace": "n", "key": "k", "data": {data} }}"#);
            assert_eq!(Asked::read(call, &given).expect("right").data.get(), data);
        }
    }
}
