//! The objects that Map Runs read and write, in the S3 that is embedded; refusals in the words of Step Functions.

use bytes::Bytes;

use super::super::engine::Engine;
use crate::error::AwsError;
use crate::s3::S3;

pub(super) use crate::s3::Listed;

/// The most entries of one page of a listing.
const PAGE: usize = 1_000;

pub(super) struct Objects<'s>(&'s S3);

impl Engine {
    pub(super) fn objects(&self) -> Objects<'_> {
        Objects(&self.services.s3)
    }
}

impl Objects<'_> {
    /// The objects whose keys begin with `prefix`, by key, at most so many.
    pub(super) async fn list(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<Listed>, String> {
        let mut all: Vec<Listed> = Vec::new();
        loop {
            let after = all.last().map_or("", |listed| listed.key.as_str()).to_owned();
            let limit = PAGE.min(most - all.len());
            let listed = self.0.list(bucket, prefix, &after, limit).await;
            let (page, more) = listed.map_err(|error| refusal(&error))?;
            let empty = page.is_empty();
            all.extend(page);
            if !more || empty || all.len() >= most {
                return Ok(all);
            }
        }
    }

    pub(super) async fn get(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Bytes, String> {
        let found = self.0.get(bucket, key, version).await;
        found.map(|found| found.data).map_err(|error| refusal(&error))
    }

    pub(super) async fn put(&self, bucket: &str, key: &str, data: String) -> Result<(), String> {
        let stored = self.0.put(bucket, key, data.into(), "application/json").await;
        stored.map(drop).map_err(|error| refusal(&error))
    }
}

fn refusal(error: &AwsError) -> String {
    format!(
        "{} (Service: Amazon S3; Status Code: {}; Error Code: {})",
        error.message(),
        error.status(),
        error.code()
    )
}
