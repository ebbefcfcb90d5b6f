//! A run of a distributed Map, as the journal keeps it and its caller is asked for it. Everything that the definition
//! leaves to the data is worked out here already.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// So many items may fail.
    pub tolerated_count: u64,
    /// So many of a hundred items may fail.
    pub tolerated_percentage: f64,
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
    /// From the state's input: [`Execution::given_items`](crate::Execution::given_items) has them.
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
    Athena(Box<Format>),
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
