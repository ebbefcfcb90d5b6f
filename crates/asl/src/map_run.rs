//! A run of a distributed Map, as the journal keeps it and its caller is asked for it. Everything that the definition
//! leaves to the data is worked out here already.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::journal::Failure;
use crate::limits;

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
    /// The Map state's name.
    state: &'b str,
    batch: Option<&'b Batch>,
    items: Vec<Value>,
    /// Of the JSON of a batch with the [`Batching::items`].
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
    /// By the run's [`Batch`]; without one every item is a child's input. `state` is the Map's name.
    pub fn new(batch: Option<&'b Batch>, state: &'b str) -> Self {
        let empty = batch.map_or(0, |batch| limits::bytes(&batch.wrap(Vec::new())));
        Self {
            state,
            batch,
            items: Vec::new(),
            bytes: empty,
            empty,
        }
    }

    /// Takes an item, as [`Selecting::select`](crate::Selecting::select) made it. Answers with the child before it,
    /// when that one is full: by the batch's own limits, or as it would be more than 262,144 bytes of JSON, which no
    /// execution begins with. An item that is larger than the state lets a batch be stands alone; one that no
    /// execution can begin with fails the run with `States.DataLimitExceeded`.
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html>
    pub fn push(&mut self, item: Value) -> Result<Option<Child>, Failure> {
        let Some(batch) = self.batch else {
            return Ok(Some(Child {
                input: item,
                items: 1,
            }));
        };
        let bytes = limits::bytes(&item);
        let with_it = self.bytes + 1 + bytes;
        let most = batch.bytes.map_or(limits::MOST_BYTES, |most| {
            usize::try_from(most)
                .unwrap_or(usize::MAX)
                .min(limits::MOST_BYTES)
        });
        let full = !self.items.is_empty()
            && (with_it > most || batch.items.is_some_and(|most| self.items.len() as u64 >= most));
        let before = if full { self.finish() } else { None };
        // Between two items is a comma.
        self.bytes += bytes + usize::from(!self.items.is_empty());
        if self.bytes > limits::MOST_BYTES {
            return Err(limits::too_large(self.state));
        }
        self.items.push(item);
        Ok(before)
    }

    /// The last child; `None` when there are no items left.
    pub fn finish(&mut self) -> Option<Child> {
        let items = std::mem::take(&mut self.items);
        self.bytes = self.empty;
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
        let mut batching = Batching::new(Some(batch), "M");
        let full: Vec<Child> = items
            .iter()
            .filter_map(|item| batching.push(item.clone()).unwrap())
            .collect();
        let all = full.into_iter().chain(batching.finish());
        all.map(|child| child.items).collect()
    }

    fn by(items: Option<u64>, bytes: Option<u64>) -> Batch {
        Batch {
            items,
            bytes,
            input: None,
        }
    }

    #[test]
    fn a_batch_is_full_by_items_or_by_bytes() {
        let items: Vec<Value> = (0..5).map(|_| "x".repeat(10).into()).collect();
        assert_eq!(sizes(&by(Some(2), None), &items), [2, 2, 1]);
        // {"Items":["…","…"]} is 12 bytes, 12 for each and a comma.
        assert_eq!(sizes(&by(None, Some(37)), &items), [2, 2, 1]);
        assert_eq!(sizes(&by(None, Some(36)), &items), [1; 5]);
        assert_eq!(sizes(&by(Some(3), Some(1)), &items), [1; 5]);
        assert_eq!(sizes(&by(None, None), &items), [5]);
        assert_eq!(sizes(&by(Some(2), None), &[]), [0; 0]);
    }

    #[test]
    fn a_batch_is_never_more_than_an_execution_begins_with() {
        // Two of these with the rest of their batch are exactly as much as may be.
        let half = limits::MOST_BYTES / 2 - 6;
        let mut items: Vec<Value> = vec!["x".repeat(half - 2).into(), "x".repeat(half - 3).into()];
        assert_eq!(sizes(&by(Some(10), None), &items), [2]);
        assert_eq!(sizes(&by(None, Some(1_000_000)), &items), [2]);
        items.push(json!(1));
        assert_eq!(sizes(&by(Some(10), None), &items), [2, 1]);
        items[1] = "x".repeat(half - 2).into();
        assert_eq!(sizes(&by(Some(10), None), &items), [1, 2]);

        let batch = by(Some(1), None);
        let mut batching = Batching::new(Some(&batch), "M");
        assert!(batching.push("x".repeat(limits::MOST_BYTES - 14).into()).is_ok());
        let failure = batching.push("x".repeat(limits::MOST_BYTES - 13).into());
        assert_eq!(
            failure.unwrap_err().error.as_deref(),
            Some("States.DataLimitExceeded")
        );
    }

    #[test]
    fn what_every_batch_has_stands_beside_its_items() {
        let batch = Batch {
            items: Some(9),
            bytes: None,
            input: Some(json!({"a": 1})),
        };
        let mut batching = Batching::new(Some(&batch), "M");
        assert_eq!(batching.push(json!(7)), Ok(None));
        let child = batching.finish().unwrap();
        assert_eq!(child.input.to_string(), r#"{"BatchInput":{"a":1},"Items":[7]}"#);
        assert_eq!(batching.finish(), None);
    }
}
