//! S3: buckets and objects in one SQLite file, or in memory. Everything is its owner's; signatures, access
//! lists and policies are not looked at.
//!
//! In the order in which a request meets them: [`route`] reads what is asked for, [`body`] takes the content
//! out of its wrapping, then [`buckets`], [`objects`], [`deleting`], [`reading`],
//! [`listing`] or [`uploads`] answer from
//! [`store`]. The Step Functions engine calls [`S3::list`], [`S3::get`] and [`S3::put`] directly.
//!
//! The crates s3s and s3s-fs do not fit: s3s verifies signatures against secrets that it must be told, while
//! anybody's credentials are good here; s3s-fs maps keys to paths, so that `a` and `a/b` exclude each other,
//! knows no versions, and takes the time from the machine.

mod body;
mod buckets;
mod conditions;
mod deleting;
mod listing;
mod objects;
mod reading;
mod refusal;
mod route;
mod store;
mod upload_lists;
mod uploads;
mod xml;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use jiff::Timestamp;

use crate::StartError;
use crate::database::Place;
use crate::error::{Answer, AwsError};
use crate::source::Source;
use crate::store::Store;

pub(crate) use route::{Operation, S3Call, is_signed_for_s3, may_be_anonymous, names_a_bucket, read};
pub(crate) use xml::escaped;

use route::Query;

/// The longest key, in bytes.
const KEY: usize = 1024;

pub(crate) struct S3 {
    source: Source,
    store: Store,
}

/// A request, read.
struct Asked {
    bucket: String,
    key: String,
    query: Query,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        body::text(&self.headers, name)
    }

    /// A number in the query; `default` where it is left out.
    fn number(&self, name: &'static str, default: usize) -> Result<usize, AwsError> {
        match self.query.text(name) {
            None => Ok(default),
            Some(text) => text.parse::<u32>().map_or_else(
                |_| {
                    Err(refusal::invalid_argument(
                        &format!("Provided {name} not an integer or within integer range"),
                        name,
                        text,
                    ))
                },
                |number| Ok(usize::try_from(number).unwrap_or(default)),
            ),
        }
    }
}

/// An object as a list shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    /// With its quotation marks, as S3's answers have it.
    pub(crate) etag: String,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) modified: Timestamp,
}

/// An object, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) data: Bytes,
    /// With its quotation marks.
    pub(crate) etag: String,
    pub(crate) content_type: String,
    pub(crate) modified: Timestamp,
    /// In a bucket that has ever had versioning.
    pub(crate) version: Option<String>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    /// With its quotation marks.
    pub(crate) etag: String,
    /// In a bucket that has ever had versioning.
    pub(crate) version: Option<String>,
}

impl S3 {
    /// Opens what is kept. Must be called within a tokio runtime.
    pub(crate) fn open(place: Place, source: Source) -> Result<S3, StartError> {
        let store = Store::open(place, store::FILE, store::SCHEMA)?;
        Ok(S3 { source, store })
    }

    pub(crate) async fn call(&self, call: S3Call, request: Request<Bytes>) -> Result<Answer, AwsError> {
        let query = Query::of(&request);
        let (parts, body) = request.into_parts();
        let asked = Asked {
            bucket: call.bucket,
            key: call.key,
            query,
            headers: parts.headers,
            body,
        };
        if asked.key.len() > KEY {
            return Err(AwsError::new("KeyTooLongError", "Your key is too long")
                .with("Size", asked.key.len())
                .with("MaxSizeAllowed", KEY));
        }
        let answer = match call.operation {
            Operation::ListBuckets => buckets::list(self, asked).await,
            Operation::CreateBucket => buckets::create(self, asked).await,
            Operation::HeadBucket => buckets::head(self, asked).await,
            Operation::DeleteBucket => buckets::delete(self, asked).await,
            Operation::GetBucketLocation => buckets::location(self, asked).await,
            Operation::GetBucketVersioning => buckets::versioning(self, asked).await,
            Operation::PutBucketVersioning => buckets::set_versioning(self, asked).await,
            Operation::ListObjects => listing::objects(self, asked, listing::Edition::First).await,
            Operation::ListObjectsV2 => listing::objects(self, asked, listing::Edition::Second).await,
            Operation::ListObjectVersions => listing::versions(self, asked).await,
            Operation::DeleteObjects => deleting::delete_many(self, asked).await,
            Operation::PutObject => objects::put(self, asked).await,
            Operation::CopyObject => objects::copy(self, asked).await,
            Operation::GetObject => reading::get(self, asked, true).await,
            Operation::HeadObject => reading::get(self, asked, false).await,
            Operation::DeleteObject => deleting::delete(self, asked).await,
            Operation::CreateMultipartUpload => uploads::create(self, asked).await,
            Operation::UploadPart => uploads::part(self, asked).await,
            Operation::UploadPartCopy => uploads::part_copy(self, asked).await,
            Operation::CompleteMultipartUpload => uploads::complete(self, asked).await,
            Operation::AbortMultipartUpload => uploads::abort(self, asked).await,
            Operation::ListParts => upload_lists::list_parts(self, asked).await,
            Operation::ListMultipartUploads => upload_lists::list(self, asked).await,
        };
        answer.map(Answer::Whole)
    }

    /// The objects of `bucket` whose keys begin with `prefix` and come after `after`, in the order of their
    /// keys, at most `limit` (1 to 1,000); and whether there are more. `NoSuchBucket` where it isn't there.
    pub(crate) async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<Listed>, bool), AwsError> {
        listing::list(self, bucket, prefix, after, limit).await
    }

    /// An object, whole: its latest version, or the one given. `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`.
    pub(crate) async fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Found, AwsError> {
        reading::found(self, bucket, key, version).await
    }

    /// Writes an object. `NoSuchBucket` where the bucket isn't there.
    pub(crate) async fn put(
        &self,
        bucket: &str,
        key: &str,
        data: Bytes,
        content_type: &str,
    ) -> Result<Stored, AwsError> {
        objects::store(self, bucket, key, data, content_type).await
    }

    /// Waits for the writes under way.
    pub(crate) async fn settle(&self) {
        self.store.settle().await;
    }

    fn new_version(&self) -> String {
        data_encoding::BASE64URL.encode(&self.source.bytes::<24>())
    }
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// An answer in XML.
fn document(text: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text));
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/xml"),
    );
    response
}

/// Sets a header, unless its value can't be one.
fn set(response: &mut Response<Bytes>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (
        HeaderName::try_from(name),
        HeaderValue::from_bytes(value.as_bytes()),
    ) {
        response.headers_mut().insert(name, value);
    }
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// `Sat, 21 Nov 2026 09:00:00 GMT`.
fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `2026-11-21T09:00:00.000Z`.
fn iso_date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
