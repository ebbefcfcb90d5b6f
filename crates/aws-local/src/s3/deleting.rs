//! The operations that delete objects.

use bytes::Bytes;
use http::{Response, StatusCode};
use rusqlite::Transaction;

use super::body;
use super::conditions::check_write;
use super::objects::{Draft, tell_version};
use super::refusal::{malformed, no_such_bucket};
use super::store::{self, Bucket, NULL_VERSION};
use super::xml::{self, Xml};
use super::{Asked, S3, document, empty, set};
use crate::error::AwsError;

/// The most objects that one request deletes.
const DELETE: usize = 1000;

/// What a deletion did.
struct Deleted {
    /// What is gone, or the marker that was put there.
    version: Option<String>,
    /// Whether that is a marker.
    marker: bool,
}

/// Deletes a version, or puts a marker of the deletion in front of the versions that are kept.
fn remove(
    transaction: &Transaction<'_>,
    bucket: &Bucket,
    version: Option<&str>,
    draft: Draft,
) -> rusqlite::Result<Deleted> {
    if let Some(version) = version {
        let removed = store::remove_version(transaction, &bucket.name, &draft.key, version)?;
        return Ok(Deleted {
            version: Some(version.to_owned()),
            marker: removed.is_some_and(|object| object.marker),
        });
    }
    if bucket.versioning.is_none() {
        store::remove_version(transaction, &bucket.name, &draft.key, NULL_VERSION)?;
        return Ok(Deleted {
            version: None,
            marker: false,
        });
    }
    let version = draft.put(transaction, bucket, None, (0, String::new(), None))?;
    Ok(Deleted {
        version,
        marker: true,
    })
}

pub(super) async fn delete(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let version = asked.query.text("versionId").map(str::to_owned);
    let draft = draft_of_deletion(s3, asked.key);
    let (name, headers) = (asked.bucket, asked.headers);
    let deleted = s3
        .store
        .write(move |transaction| {
            let Some(bucket) = store::bucket(transaction, &name)? else {
                return Ok(Err(no_such_bucket(&name)));
            };
            if headers.contains_key("if-match") {
                let current = store::object(transaction, &name, &draft.key, version.as_deref())?;
                if let Err(error) = check_write(&headers, &draft.key, current.as_ref()) {
                    return Ok(Err(error));
                }
            }
            remove(transaction, &bucket, version.as_deref(), draft).map(Ok)
        })
        .await??;
    let mut response = empty(StatusCode::NO_CONTENT);
    if deleted.marker {
        set(&mut response, "x-amz-delete-marker", "true");
    }
    tell_version(&mut response, deleted.version.as_deref());
    Ok(response)
}

pub(super) async fn delete_many(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let body = body::document(&asked.headers, asked.body)?;
    let (objects, quiet) = xml::read(&body, "Delete", |root| {
        let objects: Option<Vec<(String, Option<String>)>> = xml::children(root, "Object")
            .map(|object| {
                let key = xml::child_text(object, "Key").filter(|key| !key.is_empty())?;
                let version = xml::child_text(object, "VersionId").filter(|version| !version.is_empty());
                Some((key, version))
            })
            .collect();
        let objects = objects.filter(|objects| (1..=DELETE).contains(&objects.len()));
        let quiet = xml::child_text(root, "Quiet").is_some_and(|quiet| quiet == "true");
        Ok((objects.ok_or_else(malformed)?, quiet))
    })?;
    let drafts: Vec<_> = objects
        .into_iter()
        .map(|(key, version)| (draft_of_deletion(s3, key), version))
        .collect();
    let name = asked.bucket;
    let done = s3
        .store
        .write(move |transaction| {
            let Some(bucket) = store::bucket(transaction, &name)? else {
                return Ok(Err(no_such_bucket(&name)));
            };
            let mut done = Vec::with_capacity(drafts.len());
            for (draft, version) in drafts {
                let key = draft.key.clone();
                let deleted = remove(transaction, &bucket, version.as_deref(), draft)?;
                done.push((key, version, deleted));
            }
            Ok(Ok(done))
        })
        .await??;
    Ok(document(Xml::document("DeleteResult", |xml| {
        for (key, version, deleted) in done.iter().filter(|_| !quiet) {
            xml.element("Deleted", |xml| {
                xml.text("Key", key);
                xml.some("VersionId", version.as_ref());
                if deleted.marker {
                    xml.text("DeleteMarker", true);
                    xml.some("DeleteMarkerVersionId", deleted.version.as_ref());
                }
            });
        }
    })))
}

fn draft_of_deletion(s3: &S3, key: String) -> Draft {
    Draft {
        key,
        version: s3.new_version(),
        modified: s3.source.now(),
        headers: Vec::new(),
    }
}
