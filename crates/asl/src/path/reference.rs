//! Reference paths: those that name one place, to write to. `ResultPath` is one.

use serde_json::{Map, Value};

use super::parse::InvalidPath;
use super::{Path, Segment};

/// A path of names and indexes only.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReferencePath {
    text: String,
    path: Path,
}

impl ReferencePath {
    /// `$`: the whole is replaced.
    pub(crate) fn whole() -> Self {
        Self {
            text: "$".into(),
            path: Path::default(),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPath> {
        let path = Path::parse(text.strip_prefix('$').ok_or(InvalidPath)?)?;
        let writable = |segment: &Segment| match segment {
            Segment::Field(_) => true,
            Segment::Index(index) => *index >= 0,
            _ => false,
        };
        if !path.segments.iter().all(writable) {
            return Err(InvalidPath);
        }
        Ok(Self {
            text: text.to_owned(),
            path,
        })
    }

    /// Puts `value` into `whole`, making objects on the way where there is nothing. `Err` gives AWS's words when
    /// something else is in the way.
    pub(crate) fn write(&self, whole: Value, value: Value) -> Result<Value, String> {
        let mut whole = whole;
        let mut place = &mut whole;
        for segment in &self.path.segments {
            let next = match (segment, place) {
                (Segment::Field(name), place @ (Value::Object(_) | Value::Null)) => {
                    if place.is_null() {
                        *place = Value::Object(Map::new());
                    }
                    place
                        .as_object_mut()
                        .map(|map| map.entry(name.as_str()).or_insert(Value::Null))
                }
                (Segment::Index(index), Value::Array(items)) => {
                    usize::try_from(*index).ok().and_then(|at| items.get_mut(at))
                }
                _ => None,
            };
            place = match next {
                Some(next) => next,
                None => return Err(format!("Unable to apply ReferencePath {}", self.text)),
            };
        }
        *place = value;
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(path: &str, whole: Value) -> Result<Value, String> {
        ReferencePath::parse(path).unwrap().write(whole, json!(1))
    }

    #[test]
    fn writes_where_it_points() {
        assert_eq!(write("$", json!({"a": 0})), Ok(json!(1)));
        assert_eq!(write("$.a", json!({"a": 0, "b": 2})), Ok(json!({"a": 1, "b": 2})));
        assert_eq!(
            write("$.x.y", json!({"b": 2})),
            Ok(json!({"b": 2, "x": {"y": 1}}))
        );
        assert_eq!(write("$.l[1]", json!({"l": [0, 0]})), Ok(json!({"l": [0, 1]})));
    }

    #[test]
    fn refuses_to_overwrite_what_is_no_object() {
        assert_eq!(
            write("$.a", json!("text")),
            Err("Unable to apply ReferencePath $.a".into())
        );
        assert!(write("$.a.b", json!({"a": 3})).is_err());
        assert!(write("$.l[5]", json!({"l": []})).is_err());
    }

    #[test]
    fn only_names_and_indexes() {
        for path in [
            "$.a[*]",
            "$..a",
            "$.a[1:2]",
            "a",
            "$.a[-1]",
            "$.a[?(@.b)]",
            "$$.a",
        ] {
            assert!(ReferencePath::parse(path).is_err(), "{path}");
        }
    }
}
