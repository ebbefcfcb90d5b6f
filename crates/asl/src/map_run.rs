//! A run of a distributed Map, as the journal keeps it and its caller is asked for it. Everything that the definition
//! leaves to the data is worked out here already.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A Map Run: for every item, or batch of items, a child execution of the Map's processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapRun {
    /// `arn:aws:states:…:mapRun:machine/label:uuid`.
    pub arn: String,
    /// The Map state's name; [`Definition::processor`](crate::Definition::processor) is what its children run.
    pub state: String,
    /// The state's `Label`, or one that was made for it.
    pub label: String,
    /// Whether the children are EXPRESS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub express: bool,
    /// How many children run at once, at most; 0 leaves it to the caller.
    pub concurrency: u64,
    /// So many items may fail, where the state says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerated_count: Option<u64>,
    /// So many of a hundred items may fail, where the state says so. Without either none may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerated_percentage: Option<f64>,
    /// Where the items are.
    pub source: Source,
    /// Whether a child takes several items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// What is made of the results.
    pub results: Results,
}

/// Where the items of a Map Run come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from")]
pub enum Source {
    /// From the state's input: [`Selecting::given`](crate::Selecting::given) has them.
    Given,
    /// From a listing of S3 objects.
    Listing {
        /// The bucket.
        bucket: String,
        /// What the keys begin with; empty for all.
        #[serde(default)]
        prefix: String,
        /// What each object is read as; `None` where the entries of the listing are the items.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        load: Option<Format>,
        /// How many items are taken, at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u64>,
    },
    /// From one S3 object.
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The version, where one was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// What it is read as.
        format: Format,
        /// How many items are taken, at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u64>,
    },
}

/// How an object is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as")]
pub enum Format {
    /// Text with a delimiter; each row is an object of texts.
    Csv {
        /// What divides the fields: one byte of ASCII.
        delimiter: char,
        /// The fields' names; `None` where the first row has them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        headers: Option<Vec<String>>,
    },
    /// An array, or an object whose fields are the items.
    Json {
        /// Where in it, as a JSON pointer (RFC 6901).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pointer: Option<String>,
    },
    /// A value on each line.
    JsonLines,
    /// The manifest of an S3 inventory: the files it names list objects.
    Inventory,
    /// The data manifest of an Athena UNLOAD: on each line the URI of an object to read.
    Athena {
        /// What each is read as.
        of: Box<Format>,
    },
}

/// How items are put together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Items in a batch, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// Bytes of JSON of a batch, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What every batch has besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// What is made of the children's results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    /// How each is told.
    pub transformation: Transformation,
    /// Whether files hold a value on each line, and no array.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lines: bool,
    /// Where they are written; `None` where they are the state's result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<Export>,
}

/// How a child's result is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transformation {
    /// With everything that is known of the execution.
    None,
    /// Its output.
    Compact,
    /// Its output; of an array its elements.
    Flatten,
}

/// Where results are written in S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The bucket.
    pub bucket: String,
    /// What the keys begin with; empty for nothing.
    #[serde(default)]
    pub prefix: String,
}

/// Puts items together to the inputs of children.
#[derive(Debug)]
pub struct Batching<'b> {
    batch: Option<&'b Batch>,
    items: Vec<Value>,
    /// Of the JSON that [`Batching::items`] make, with the rest of the batch.
    bytes: usize,
    /// Of the JSON of a batch without items.
    empty: usize,
}

/// What a child begins with, and how many items are in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// The input.
    pub input: Value,
    /// How many items.
    pub items: u64,
}

impl<'b> Batching<'b> {
    /// By the run's [`Batch`]; without one every item is a child's input.
    pub fn new(batch: Option<&'b Batch>) -> Self {
        Self {
            batch,
            items: Vec::new(),
            bytes: 0,
            empty: batch.map_or(0, |batch| batch.wrap(Vec::new()).to_string().len()),
        }
    }

    /// Takes an item, as [`Selecting::select`](crate::Selecting::select) made it. Answers with the child before it,
    /// when that one is full. An item that is larger than a batch may be stands alone.
    pub fn push(&mut self, item: Value) -> Option<Child> {
        let Some(batch) = self.batch else {
            return Some(Child {
                input: item,
                items: 1,
            });
        };
        let bytes = item.to_string().len() + 1;
        let over = |limit: Option<u64>, size: usize| limit.is_some_and(|limit| size as u64 > limit);
        let full = !self.items.is_empty()
            && (over(batch.items, self.items.len() + 1)
                || over(batch.bytes, self.bytes + bytes + self.empty));
        let before = if full { self.finish() } else { None };
        self.bytes += bytes;
        self.items.push(item);
        before
    }

    /// The last child; `None` when there are no items left.
    pub fn finish(&mut self) -> Option<Child> {
        let items = std::mem::take(&mut self.items);
        self.bytes = 0;
        let batch = self.batch.filter(|_| !items.is_empty())?;
        Some(Child {
            items: items.len() as u64,
            input: batch.wrap(items),
        })
    }
}

impl Batch {
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html>
    fn wrap(&self, items: Vec<Value>) -> Value {
        match &self.input {
            Some(input) => json!({ "BatchInput": input, "Items": items }),
            None => json!({ "Items": items }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(batch: &Batch, items: &[Value]) -> Vec<u64> {
        let mut batching = Batching::new(Some(batch));
        let full: Vec<Child> = items
            .iter()
            .filter_map(|item| batching.push(item.clone()))
            .collect();
        let all = full.into_iter().chain(batching.finish());
        all.map(|child| child.items).collect()
    }

    #[test]
    fn a_batch_is_full_by_items_or_by_bytes() {
        let by = |items, bytes| Batch {
            items,
            bytes,
            input: None,
        };
        let items: Vec<Value> = (0..5).map(|_| "x".repeat(10).into()).collect();
        assert_eq!(sizes(&by(Some(2), None), &items), [2, 2, 1]);
        // {"Items":["…","…"]} is 12 bytes and 13 for each but the last, which has no comma.
        assert_eq!(sizes(&by(None, Some(38)), &items), [2, 2, 1]);
        assert_eq!(sizes(&by(None, Some(37)), &items), [1; 5]);
        assert_eq!(sizes(&by(Some(3), Some(1)), &items), [1; 5]);
        assert_eq!(sizes(&by(None, None), &items), [5]);
        assert_eq!(sizes(&by(Some(2), None), &[]), [0; 0]);
    }

    #[test]
    fn what_every_batch_has_stands_beside_its_items() {
        let batch = Batch {
            items: Some(9),
            bytes: None,
            input: Some(json!({"a": 1})),
        };
        let mut batching = Batching::new(Some(&batch));
        assert_eq!(batching.push(json!(7)), None);
        let child = batching.finish().unwrap();
        assert_eq!(child.input.to_string(), r#"{"BatchInput":{"a":1},"Items":[7]}"#);
        assert_eq!(batching.finish(), None);
    }
}
