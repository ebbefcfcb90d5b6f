//! JSONPath as Step Functions understands it.
//!
//! AWS evaluates paths with Jayway's library, whose meaning differs from RFC 9535: a path that can only lead to one
//! place gives that value or an error, any other gives a list, empty when nothing is there. So this is our own.

mod filter;
mod parse;
mod reference;
mod select;

pub(crate) use parse::InvalidPath;
pub(crate) use reference::ReferencePath;
pub(crate) use select::Miss;

use filter::Filter;

/// A path below its `$`.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Path {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq)]
enum Segment {
    Field(String),
    Index(i64),
    Fields(Vec<String>),
    Indexes(Vec<i64>),
    Slice {
        from: Option<i64>,
        to: Option<i64>,
        step: usize,
    },
    Wildcard,
    Filter(Filter),
    /// The value and everything below it.
    Descend,
}

impl Path {
    /// The name it begins with, if it begins with one.
    pub(crate) fn first_field(&self) -> Option<&str> {
        match self.segments.first()? {
            Segment::Field(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it can only lead to one place.
    pub(crate) fn is_definite(&self) -> bool {
        self.segments
            .iter()
            .all(|segment| matches!(segment, Segment::Field(_) | Segment::Index(_)))
    }
}
