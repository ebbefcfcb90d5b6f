//! The operations that write objects.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use md5::{Digest, Md5};
use rusqlite::{Connection, Transaction};

use super::body::{self, Algorithm, Checksum, Content, checksum};
use super::conditions::{check_read, check_write};
use super::refusal::{invalid_argument, no_such_bucket, no_such_key, no_such_version};
use super::store::{self, Bucket, NULL_VERSION, Object, Part};
use super::xml::Xml;
use super::{Asked, S3, Stored, document, empty, iso_date, quoted, set};
use crate::dispatch::percent_decoded;
use crate::error::AwsError;

/// The largest source of a copy in one request, in bytes.
const COPY: u64 = 5 * 1024 * 1024 * 1024;
/// The most metadata of an object, in bytes of its names and values.
const METADATA: usize = 2048;

const DEFAULT_TYPE: &str = "binary/octet-stream";
const META: &str = "x-amz-meta-";

/// The headers that are kept with an object and given back with it, apart from its metadata.
const KEPT: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-language",
    "content-type",
    "expires",
    "x-amz-website-redirect-location",
];

/// A new object, but for its content.
pub(super) struct Draft {
    pub(super) key: String,
    /// The name of its version, in a bucket that keeps them.
    pub(super) version: String,
    pub(super) modified: jiff::Timestamp,
    pub(super) headers: Vec<(String, String)>,
}

impl Draft {
    /// Makes it an object of `bucket`; its version as answers name it.
    pub(super) fn put(
        self,
        transaction: &Transaction<'_>,
        bucket: &Bucket,
        content: Option<i64>,
        (size, etag, checksum): (u64, String, Option<Checksum>),
    ) -> rusqlite::Result<Option<String>> {
        let version = if bucket.keeps_versions() {
            self.version
        } else {
            NULL_VERSION.to_owned()
        };
        let object = Object {
            id: 0,
            key: self.key,
            version,
            latest: true,
            marker: content.is_none(),
            modified: self.modified,
            size,
            etag,
            content,
            headers: self.headers,
            checksum,
        };
        store::put(transaction, &bucket.name, &object)?;
        Ok(bucket.versioning.is_some().then_some(object.version))
    }
}

pub(super) async fn put(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let content = body::content(&asked.headers, asked.body)?;
    let headers = kept(&asked.headers)?;
    let (etag, sum) = (
        data_encoding::HEXLOWER.encode(&content.md5),
        content.checksum.clone(),
    );
    let version = write(s3, &asked.bucket, asked.key, headers, content, asked.headers).await?;
    let mut response = empty(StatusCode::OK);
    set(&mut response, "etag", &quoted(&etag));
    tell_checksum(&mut response, &sum);
    tell_version(&mut response, version.as_deref());
    Ok(response)
}

/// Writes an object for the engine.
pub(super) async fn store(
    s3: &S3,
    bucket: &str,
    key: &str,
    data: Bytes,
    content_type: &str,
) -> Result<Stored, AwsError> {
    let md5: [u8; 16] = Md5::digest(&data).into();
    let content = Content {
        checksum: Checksum {
            algorithm: Algorithm::Crc64Nvme,
            value: checksum(Algorithm::Crc64Nvme, &data),
        },
        data,
        md5,
    };
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    let version = write(s3, bucket, key.to_owned(), headers, content, HeaderMap::new()).await?;
    Ok(Stored {
        etag: quoted(&data_encoding::HEXLOWER.encode(&md5)),
        version,
    })
}

async fn write(
    s3: &S3,
    bucket: &str,
    key: String,
    headers: Vec<(String, String)>,
    content: Content,
    conditions: HeaderMap,
) -> Result<Option<String>, AwsError> {
    let draft = Draft {
        key,
        version: s3.new_version(),
        modified: s3.source.now(),
        headers,
    };
    let name = bucket.to_owned();
    s3.store
        .write(move |transaction| {
            let Some(bucket) = store::bucket(transaction, &name)? else {
                return Ok(Err(no_such_bucket(&name)));
            };
            let current = store::object(transaction, &name, &draft.key, None)?;
            if let Err(error) = check_write(&conditions, &draft.key, current.as_ref()) {
                return Ok(Err(error));
            }
            put_whole(transaction, &bucket, draft, content).map(Ok)
        })
        .await?
}

/// Makes `content` an object in one part.
fn put_whole(
    transaction: &Transaction<'_>,
    bucket: &Bucket,
    draft: Draft,
    content: Content,
) -> rusqlite::Result<Option<String>> {
    let id = store::new_content(transaction)?;
    let part = Part {
        number: 1,
        size: content.data.len() as u64,
        md5: content.md5.to_vec(),
        modified: draft.modified,
        checksum: content.checksum.clone(),
    };
    store::put_part(transaction, id, &part, &content.data)?;
    let etag = data_encoding::HEXLOWER.encode(&content.md5);
    draft.put(
        transaction,
        bucket,
        Some(id),
        (part.size, etag, Some(content.checksum)),
    )
}

pub(super) async fn copy(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let source = CopySource::read(&asked)?;
    let replaces = match asked.header("x-amz-metadata-directive") {
        None | Some("COPY") => None,
        Some("REPLACE") => Some(kept(&asked.headers)?),
        Some(other) => {
            return Err(invalid_argument(
                "Unknown metadata directive.",
                "x-amz-metadata-directive",
                other,
            ));
        }
    };
    let itself = source.bucket == asked.bucket && source.key == asked.key && source.version.is_none();
    if itself && replaces.is_none() {
        return Err(AwsError::new(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    let (name, headers) = (asked.bucket, asked.headers);
    let draft = Draft {
        key: asked.key,
        version: s3.new_version(),
        modified: s3.source.now(),
        headers: Vec::new(),
    };
    let modified = draft.modified;
    let (object, of_source, version) = s3
        .store
        .write(move |transaction| {
            let Some(bucket) = store::bucket(transaction, &name)? else {
                return Ok(Err(no_such_bucket(&name)));
            };
            let (object, versioned) = match source.find(transaction, &headers)? {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            if object.size > COPY {
                return Ok(Err(AwsError::new(
                    "InvalidRequest",
                    format!("The specified copy source is larger than the maximum allowable size for a copy source: {COPY}"),
                )));
            }
            let current = store::object(transaction, &name, &draft.key, None)?;
            if let Err(error) = check_write(&headers, &draft.key, current.as_ref()) {
                return Ok(Err(error));
            }
            let data = match object.content {
                Some(content) => store::read(transaction, content, 0, object.size)?,
                None => Bytes::new(),
            };
            let sum = match &object.checksum {
                Some(sum) if sum.kind() == "FULL_OBJECT" => sum.clone(),
                _ => Checksum {
                    algorithm: Algorithm::Crc64Nvme,
                    value: checksum(Algorithm::Crc64Nvme, &data),
                },
            };
            // What was in parts is copied into one.
            let content = Content {
                md5: Md5::digest(&data).into(),
                data,
                checksum: sum,
            };
            let copied = Object {
                etag: data_encoding::HEXLOWER.encode(&content.md5),
                checksum: Some(content.checksum.clone()),
                ..object.clone()
            };
            let draft = Draft {
                headers: replaces.unwrap_or_else(|| object.headers.clone()),
                ..draft
            };
            let version = put_whole(transaction, &bucket, draft, content)?;
            Ok(Ok((copied, versioned.then_some(object.version), version)))
        })
        .await??;
    let mut response = document(Xml::document("CopyObjectResult", |xml| {
        xml.text("LastModified", iso_date(modified));
        xml.text("ETag", quoted(&object.etag));
        if let Some(sum) = &object.checksum {
            xml.text(&sum.algorithm.element(), &sum.value);
            xml.text("ChecksumType", sum.kind());
        }
    }));
    if let Some(version) = of_source {
        set(&mut response, "x-amz-copy-source-version-id", &version);
    }
    tell_version(&mut response, version.as_deref());
    Ok(response)
}

/// What `x-amz-copy-source` names.
pub(super) struct CopySource {
    bucket: String,
    key: String,
    version: Option<String>,
}

impl CopySource {
    pub(super) fn read(asked: &Asked) -> Result<CopySource, AwsError> {
        let header = asked.header("x-amz-copy-source").unwrap_or_default();
        let (path, version) = match header.split_once("?versionId=") {
            Some((path, version)) => (path, Some(percent_decoded(version))),
            None => (header, None),
        };
        let path = percent_decoded(path);
        match path.trim_start_matches('/').split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => Ok(CopySource {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                version,
            }),
            _ => Err(invalid_argument(
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
                "x-amz-copy-source",
                header,
            )),
        }
    }

    /// The object, and whether its bucket has ever had versioning.
    pub(super) fn find(
        &self,
        connection: &Connection,
        headers: &HeaderMap,
    ) -> rusqlite::Result<Result<(Object, bool), AwsError>> {
        let Some(bucket) = store::bucket(connection, &self.bucket)? else {
            return Ok(Err(no_such_bucket(&self.bucket)));
        };
        let object = store::object(connection, &self.bucket, &self.key, self.version.as_deref())?;
        let found = match (object.filter(|object| !object.marker), &self.version) {
            (Some(object), _) => check_read(headers, "x-amz-copy-source-", &object)
                .map(|()| (object, bucket.versioning.is_some())),
            (None, Some(version)) => Err(no_such_version(&self.key, version)),
            (None, None) => Err(no_such_key(&self.key)),
        };
        Ok(found)
    }
}

/// What is kept of a request's headers with the object that it writes.
pub(super) fn kept(headers: &HeaderMap) -> Result<Vec<(String, String)>, AwsError> {
    let mut kept = Vec::new();
    let mut metadata = 0;
    for (name, value) in headers {
        let name = name.as_str();
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if let Some(short) = name.strip_prefix(META) {
            metadata += short.len() + value.len();
            kept.push((name.to_owned(), value));
        } else if KEPT.contains(&name) {
            kept.push((name.to_owned(), value));
        } else if name == "content-encoding" {
            // How the request was sent says nothing of the object.
            let own: Vec<_> = value
                .split(',')
                .map(str::trim)
                .filter(|own| *own != "aws-chunked")
                .collect();
            if !own.is_empty() {
                kept.push((name.to_owned(), own.join(",")));
            }
        } else if name == "x-amz-storage-class" && value != "STANDARD" {
            kept.push((name.to_owned(), value));
        }
    }
    if metadata > METADATA {
        return Err(AwsError::new(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
        )
        .with("Size", metadata)
        .with("MaxSizeAllowed", METADATA));
    }
    if !kept.iter().any(|(name, _)| name == "content-type") {
        kept.push(("content-type".to_owned(), DEFAULT_TYPE.to_owned()));
    }
    Ok(kept)
}

pub(super) fn tell_version(response: &mut Response<Bytes>, version: Option<&str>) {
    if let Some(version) = version {
        set(response, "x-amz-version-id", version);
    }
}

pub(super) fn tell_checksum(response: &mut Response<Bytes>, checksum: &Checksum) {
    set(response, checksum.algorithm.header(), &checksum.value);
    set(response, "x-amz-checksum-type", checksum.kind());
}
