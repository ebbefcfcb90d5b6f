//! Following a path.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Path, Segment};
use crate::limits;

/// More places than this are not looked at: their list could not pass between two states (262,144 bytes) anyway, and
/// paths such as `$..*..*..*` would go on for ever.
const MOST: usize = 131_072;

/// So often may a path look for something: a definition has room for some ten thousand names in one pair of brackets, or for a
/// filter of as many comparisons, and the data for as many places where to look for them.
const MOST_LOOKS: usize = 20_000_000;

/// Why a path gives nothing; the text is that of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Miss(pub(crate) String);

impl Path {
    /// What the path leads to: for a definite path the value there, for any other the list of what it leads to.
    pub(crate) fn read(&self, root: &Value) -> Result<Value, Miss> {
        if self.is_definite() {
            return self.follow(root).cloned();
        }
        let (mut found, mut looks) = (vec![root], 0_usize);
        for segment in &self.segments {
            let mut next = Vec::new();
            for value in found {
                looks = looks.saturating_add(segment.looks(value));
                if looks > MOST_LOOKS {
                    return Err(Miss("The path looks at too many places".into()));
                }
                segment.select(value, root, &mut next);
                if next.len() > MOST {
                    return Err(Miss("The path leads to too many places".into()));
                }
            }
            found = next;
        }
        // The same value may have been found many times over.
        let mut weight = 0;
        for value in &found {
            weight += limits::weight(value);
            if weight > limits::MOST_WEIGHT {
                return Err(Miss("The path leads to too much data".into()));
            }
        }
        Ok(found.into_iter().cloned().collect())
    }

    fn follow<'v>(&self, root: &'v Value) -> Result<&'v Value, Miss> {
        let mut value = root;
        for (n, segment) in self.segments.iter().enumerate() {
            value = segment.step(value).ok_or_else(|| self.miss(n, value))?;
        }
        Ok(value)
    }

    /// What a definite path leads to, without words about why not.
    pub(super) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.segments
            .iter()
            .try_fold(root, |value, segment| segment.step(value))
    }

    /// Jayway's words for the three ways to miss.
    fn miss(&self, n: usize, value: &Value) -> Miss {
        let last = n + 1 == self.segments.len();
        Miss(match (&self.segments[n], value) {
            (Segment::Field(_), Value::Object(_)) if last => {
                format!("No results for path: {}", self.spelled(n + 1))
            }
            (Segment::Field(_), Value::Object(_)) => {
                format!("Missing property in path {}", self.spelled(n + 1))
            }
            (Segment::Field(name), _) => {
                format!(
                    "Expected to find an object with property ['{name}'] in path {} but found '{}'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'.",
                    self.spelled(n),
                    java_type(value)
                )
            }
            (_, Value::Array(_)) => format!("No results for path: {}", self.spelled(n + 1)),
            _ => format!(
                "Filter: {} can only be applied to arrays. Current context is: {value}",
                self.spelled_one(n)
            ),
        })
    }

    /// `$['a'][0]`, as far as the first `count` segments.
    fn spelled(&self, count: usize) -> String {
        (0..count).fold("$".to_owned(), |mut text, n| {
            let _ = write!(text, "{}", self.spelled_one(n));
            text
        })
    }

    fn spelled_one(&self, n: usize) -> String {
        match &self.segments[n] {
            Segment::Field(name) => format!("['{name}']"),
            Segment::Index(index) => format!("[{index}]"),
            _ => "[*]".to_owned(),
        }
    }
}

fn java_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "com.fasterxml.jackson.databind.node.BooleanNode",
        Value::Number(number) if number.is_f64() => "com.fasterxml.jackson.databind.node.DoubleNode",
        Value::Number(_) => "com.fasterxml.jackson.databind.node.IntNode",
        Value::String(_) => "com.fasterxml.jackson.databind.node.TextNode",
        Value::Array(_) => "com.fasterxml.jackson.databind.node.ArrayNode",
        Value::Object(_) => "com.fasterxml.jackson.databind.node.ObjectNode",
    }
}

/// An index, counted from the end when negative.
fn position(index: i64, length: usize) -> Option<usize> {
    if index >= 0 {
        usize::try_from(index).ok()
    } else {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    }
}

/// A bound of a slice: counted from the end when negative, and kept inside.
fn bound(index: i64, length: usize) -> usize {
    position(index, length).map_or(0, |at| at.min(length))
}

impl Segment {
    /// The one place it leads to from `value`, for the segments of a definite path.
    fn step<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match (self, value) {
            (Self::Field(name), Value::Object(map)) => map.get(name),
            (Self::Index(index), Value::Array(items)) => items.get(position(*index, items.len())?),
            _ => None,
        }
    }

    /// How often it looks for something in `value`.
    fn looks(&self, value: &Value) -> usize {
        match (self, value) {
            (Self::Fields(names), Value::Object(_)) => names.len(),
            (Self::Indexes(indexes), Value::Array(_)) => indexes.len(),
            (Self::Filter(filter), Value::Array(items)) => filter.looks().saturating_mul(items.len()),
            (Self::Filter(filter), Value::Object(_)) => filter.looks(),
            _ => 1,
        }
    }

    fn select<'v>(&self, value: &'v Value, root: &Value, found: &mut Vec<&'v Value>) {
        match (self, value) {
            (Self::Field(name), Value::Object(map)) => found.extend(map.get(name)),
            (Self::Fields(names), Value::Object(map)) => {
                found.extend(names.iter().filter_map(|name| map.get(name)));
            }
            (Self::Index(index), Value::Array(items)) => {
                found.extend(position(*index, items.len()).and_then(|at| items.get(at)));
            }
            (Self::Indexes(indexes), Value::Array(items)) => {
                found.extend(
                    indexes
                        .iter()
                        .filter_map(|&index| items.get(position(index, items.len())?)),
                );
            }
            (Self::Slice { from, to, step }, Value::Array(items)) => {
                let from = from.map_or(0, |from| bound(from, items.len()));
                let to = to.map_or(items.len(), |to| bound(to, items.len()));
                found.extend(items.get(from..to).unwrap_or_default().iter().step_by(*step));
            }
            (Self::Wildcard, Value::Array(items)) => found.extend(items),
            (Self::Wildcard, Value::Object(map)) => found.extend(map.values()),
            (Self::Filter(filter), Value::Array(items)) => {
                found.extend(items.iter().filter(|item| filter.accepts(item, root)));
            }
            (Self::Filter(filter), Value::Object(_)) if filter.accepts(value, root) => {
                found.push(value);
            }
            (Self::Descend, _) => descend(value, found),
            _ => {}
        }
    }
}

/// The value and all below it, parents first. Values are at most some hundred levels deep: see `limits`.
fn descend<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    if found.len() > MOST {
        return;
    }
    found.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| descend(item, found)),
        Value::Object(map) => map.values().for_each(|item| descend(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(path: &str, value: &Value) -> Result<Value, String> {
        Path::parse(path).unwrap().read(value).map_err(|miss| miss.0)
    }

    #[test]
    fn a_definite_path_gives_the_value_or_says_what_is_missing() {
        let value = json!({"a": {"b": [10, 20, 30]}, "n": null});
        assert_eq!(read("", &value), Ok(value.clone()));
        assert_eq!(read(".a.b[1]", &value), Ok(json!(20)));
        assert_eq!(read(".a['b'][-1]", &value), Ok(json!(30)));
        assert_eq!(read(".n", &value), Ok(Value::Null));
        assert_eq!(read(".x", &value), Err("No results for path: $['x']".into()));
        assert_eq!(
            read(".x.y", &value),
            Err("Missing property in path $['x']".into())
        );
        assert_eq!(
            read(".a.b[3]", &value),
            Err("No results for path: $['a']['b'][3]".into())
        );
        assert!(
            read(".a.b.c", &value)
                .unwrap_err()
                .starts_with("Expected to find an object with property ['c']")
        );
    }

    #[test]
    fn any_other_path_gives_a_list() {
        let value = json!({"items": [{"k": 1, "s": "x"}, {"k": 2}, {"k": 3, "s": "y"}], "k": 0});
        assert_eq!(read(".items[*].k", &value), Ok(json!([1, 2, 3])));
        assert_eq!(read(".items[1:].k", &value), Ok(json!([2, 3])));
        assert_eq!(read(".items[-2:-1].k", &value), Ok(json!([2])));
        assert_eq!(read(".items[0,2].k", &value), Ok(json!([1, 3])));
        assert_eq!(read(".items[::2].k", &value), Ok(json!([1, 3])));
        assert_eq!(read(".items[2:1]", &value), Ok(json!([])));
        assert_eq!(read("..k", &value), Ok(json!([0, 1, 2, 3])));
        assert_eq!(read(".nothing[*]", &value), Ok(json!([])));
    }

    #[test]
    fn filters() {
        let value = json!({"items": [{"k": 1, "s": "x"}, {"k": 2}, {"k": 3, "s": "y"}], "limit": 2});
        assert_eq!(read(".items[?(@.k >= 2)].k", &value), Ok(json!([2, 3])));
        assert_eq!(read(".items[?(@.s)].k", &value), Ok(json!([1, 3])));
        assert_eq!(read(".items[?(!@.s)].k", &value), Ok(json!([2])));
        assert_eq!(
            read(".items[?(@.s == 'x' || @.k == 2.0)].k", &value),
            Ok(json!([1, 2]))
        );
        assert_eq!(
            read(".items[?(@.k > $.limit && (@.s != 'x'))].k", &value),
            Ok(json!([3]))
        );
    }

    #[test]
    fn a_path_that_would_never_end_is_given_up() {
        let value = json!(vec![vec![vec![0; 50]; 50]; 50]);
        assert!(read("..*..*..*", &value).is_err());
        let many = vec!["'x'"; 20_000].join(",");
        assert!(read(&format!("..[{many}]"), &json!(vec![json!({}); 2_000])).is_err());
        let many = vec!["@.x == 1"; 20_000].join(" || ");
        assert!(read(&format!("[?({many})]"), &json!(vec![json!({}); 2_000])).is_err());
        let (many, large) = (vec!["0"; 100_000].join(","), json!([vec![0; 60_000]]));
        assert_eq!(
            read(&format!("[{many}]"), &large),
            Err("The path leads to too much data".into())
        );
    }
}
