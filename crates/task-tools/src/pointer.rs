//! What says where an item is: what `put_…` answers, for the state's output; and what an iteration of a Map is given.

use crate::StateDataError;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Where one item is. As JSON `{"table_name": …, "partition_key": …, "key": …}`: a task returns it, so that it stands
/// in the state, and a later task reads the item by it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ItemPointer {
    /// The table.
    pub table_name: String,
    /// The partition key: `<namespace>:<key>` for a local item.
    pub partition_key: String,
    /// The key within the namespace; only for a local item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Where a list of items is. As JSON `{"table_name": …, "partition_key": …, "items": [1, 1, …], "key": …}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ItemsPointer {
    /// The table.
    pub table_name: String,
    /// The partition key of all of them.
    pub partition_key: String,
    /// A 1 for each item: what a Map state iterates over. The items themselves are too big for that.
    pub items: Vec<u8>,
    /// The key within the namespace; only for local items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What the task inside a Map is given for its iteration, by the Map's `ItemSelector` (or `Parameters`). Other fields
/// of the event, such as `context_value`, are left alone.
///
/// ```
/// use task_tools::{Index, MapIteration};
///
/// let iteration: MapIteration = serde_json::from_str(
///     r#"{"items_result_table_name": "state-data", "items_result_partition_key": "run-7:characters",
///         "items_result_key": "characters", "context_index": "1", "context_value": 1}"#,
/// )?;
/// assert_eq!(iteration.context_index, Some(Index(1)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MapIteration {
    /// `table_name` of what `put_items` answered. Needed by the global variants.
    pub items_result_table_name: Option<String>,
    /// `partition_key` of what `put_items` answered. Needed by the global variants.
    pub items_result_partition_key: Option<String>,
    /// `key` of what `put_items` answered. Needed by the local variants.
    pub items_result_key: Option<String>,
    /// `$$.Map.Item.Index`: a number, or text of digits.
    pub context_index: Option<Index>,
}

impl MapIteration {
    pub(crate) fn key(&self) -> Result<&str, StateDataError> {
        given("items_result_key", self.items_result_key.as_deref())
    }

    pub(crate) fn table_name(&self) -> Result<&str, StateDataError> {
        given("items_result_table_name", self.items_result_table_name.as_deref())
    }

    pub(crate) fn partition_key(&self) -> Result<&str, StateDataError> {
        given(
            "items_result_partition_key",
            self.items_result_partition_key.as_deref(),
        )
    }

    pub(crate) fn index(&self) -> Result<u64, StateDataError> {
        given("context_index", self.context_index).map(|Index(index)| index)
    }
}

fn given<T>(field: &'static str, value: Option<T>) -> Result<T, StateDataError> {
    value.ok_or(StateDataError::Event {
        field,
        problem: "is missing",
    })
}

/// An item's place in its list, from 0. Read from a number or from text of digits, as `States.Format` makes it; always
/// written as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
pub struct Index(pub u64);

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumberOrDigits;
        impl Visitor<'_> for NumberOrDigits {
            type Value = Index;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an index: a whole number from 0, or text of digits")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Index, E> {
                Ok(Index(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Index, E> {
                let index = u64::try_from(value);
                index
                    .map(Index)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Index, E> {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                match value.parse() {
                    Ok(index) if digits => Ok(Index(index)),
                    _ => Err(E::invalid_value(Unexpected::Str(value), &self)),
                }
            }
        }
        from.deserialize_any(NumberOrDigits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_index_is_a_number_or_digits() {
        for (given, index) in [
            (json!(0), 0),
            (json!(24), 24),
            (json!("24"), 24),
            (json!("007"), 7),
            (json!(u64::MAX), u64::MAX),
            (json!(u64::MAX.to_string()), u64::MAX),
        ] {
            assert_eq!(
                serde_json::from_value::<Index>(given).expect("an index"),
                Index(index)
            );
        }
        for wrong in [
            json!(-1),
            json!(1.5),
            json!(""),
            json!("+1"),
            json!("-1"),
            json!(" 1"),
            json!("1e3"),
            json!("١"),
            json!("18446744073709551616"),
            json!(null),
            json!([0]),
        ] {
            assert!(serde_json::from_value::<Index>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pointers_have_the_fields_of_the_python_package() {
        let item = ItemPointer {
            table_name: "t".into(),
            partition_key: "e:k".into(),
            key: Some("k".into()),
        };
        assert_eq!(
            serde_json::to_string(&item).expect("JSON"),
            r#"{"table_name":"t","partition_key":"e:k","key":"k"}"#
        );
        let items = ItemsPointer {
            table_name: "t".into(),
            partition_key: "e:k".into(),
            items: vec![1; 3],
            key: None,
        };
        assert_eq!(
            serde_json::to_string(&items).expect("JSON"),
            r#"{"table_name":"t","partition_key":"e:k","items":[1,1,1]}"#
        );
    }

    #[test]
    fn an_iteration_says_what_it_lacks() {
        let nothing = MapIteration::default();
        let lacks = |error: StateDataError| error.to_string();
        assert_eq!(
            lacks(nothing.key().expect_err("none")),
            "the event's items_result_key is missing"
        );
        assert_eq!(
            lacks(nothing.table_name().expect_err("none")),
            "the event's items_result_table_name is missing"
        );
        assert_eq!(
            lacks(nothing.partition_key().expect_err("none")),
            "the event's items_result_partition_key is missing"
        );
        assert_eq!(
            lacks(nothing.index().expect_err("none")),
            "the event's context_index is missing"
        );
    }
}
