//! Multipart uploads. Their parts become the object's as they are, so that completing one moves no data.

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use http::{Response, StatusCode};
use jiff::Timestamp;
use md5::{Digest, Md5};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::body::{self, Algorithm, Checksum, Content, Running};
use super::conditions::check_write;
use super::objects::{CopySource, Draft, kept, tell_version};
use super::refusal::{invalid_argument, malformed, no_such_bucket, no_such_upload};
use super::store::{self, Part};
use super::xml::{self, Xml};
use super::{Asked, S3, document, empty, iso_date, quoted, set};
use crate::error::AwsError;

/// The most parts of an upload, and the highest part number.
const PARTS: i64 = 10_000;
/// The least size of every part but the last, in bytes.
const LEAST: u64 = 5 * 1024 * 1024;

/// An upload under way.
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) begun: Timestamp,
    pub(super) content: i64,
    headers: Vec<(String, String)>,
    /// What the object's checksum is to be; where nothing was said, S3's own choice.
    pub(super) algorithm: Option<Algorithm>,
    /// Whether the checksum is over the object, rather than over its parts' checksums.
    whole: bool,
}

pub(super) const UPLOAD: &str = "SELECT id, key, begun, content, headers, algorithm, whole FROM uploads";

pub(super) fn find(
    connection: &Connection,
    bucket: &str,
    key: &str,
    id: &str,
) -> rusqlite::Result<Result<Upload, AwsError>> {
    if store::bucket(connection, bucket)?.is_none() {
        return Ok(Err(no_such_bucket(bucket)));
    }
    let found = connection
        .prepare_cached(&format!("{UPLOAD} WHERE id = ?1 AND bucket = ?2 AND key = ?3"))?
        .query_row(params![id, bucket, key.as_bytes()], upload)
        .optional()?;
    Ok(found.ok_or_else(|| no_such_upload(id)))
}

pub(super) fn upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
    let (headers, algorithm): (String, Option<String>) = (row.get(4)?, row.get(5)?);
    Ok(Upload {
        id: row.get(0)?,
        key: String::from_utf8_lossy(row.get_ref(1)?.as_blob()?).into_owned(),
        begun: store::time(row.get(2)?),
        content: row.get(3)?,
        headers: store::read_headers(&headers),
        algorithm: algorithm.as_deref().and_then(Algorithm::by_name),
        whole: row.get(6)?,
    })
}

/// Ends all uploads to a bucket that is about to go.
pub(super) fn abort_all(transaction: &Transaction<'_>, bucket: &str) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("SELECT content FROM uploads WHERE bucket = ?1")?;
    let contents: Vec<i64> = statement
        .query_map([bucket], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for content in contents {
        store::remove_content(transaction, content)?;
    }
    transaction.execute("DELETE FROM uploads WHERE bucket = ?1", [bucket])?;
    Ok(())
}

pub(super) async fn create(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let headers = kept(&asked.headers)?;
    let algorithm = match asked.header("x-amz-checksum-algorithm") {
        None => None,
        Some(name) => Some(Algorithm::by_name(name).ok_or_else(|| {
            AwsError::new(
                "InvalidRequest",
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            )
        })?),
    };
    let whole = match asked.header("x-amz-checksum-type") {
        Some(kind) => kind == "FULL_OBJECT",
        None => matches!(algorithm, None | Some(Algorithm::Crc64Nvme)),
    };
    let id = s3.new_version();
    let begun = s3.source.now().as_millisecond();
    let (name, key, upload_id) = (asked.bucket.clone(), asked.key.clone(), id.clone());
    s3.store
        .write(move |transaction| {
            if store::bucket(transaction, &name)?.is_none() {
                return Ok(Err(no_such_bucket(&name)));
            }
            let content = store::new_content(transaction)?;
            transaction.execute(
                "INSERT INTO uploads (id, bucket, key, begun, content, headers, algorithm, whole)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    upload_id,
                    name,
                    key.as_bytes(),
                    begun,
                    content,
                    store::headers_text(&headers),
                    algorithm.map(Algorithm::name),
                    whole,
                ],
            )?;
            Ok(Ok(()))
        })
        .await??;
    let mut response = document(Xml::document("InitiateMultipartUploadResult", |xml| {
        xml.text("Bucket", &asked.bucket);
        xml.text("Key", &asked.key);
        xml.text("UploadId", &id);
    }));
    if let Some(algorithm) = algorithm {
        set(&mut response, "x-amz-checksum-algorithm", algorithm.name());
        let kind = if whole { "FULL_OBJECT" } else { "COMPOSITE" };
        set(&mut response, "x-amz-checksum-type", kind);
    }
    Ok(response)
}

fn part_number(asked: &Asked) -> Result<i64, AwsError> {
    let text = asked.query.get("partNumber").unwrap_or_default();
    match text.parse::<i64>() {
        Ok(number) if (1..=PARTS).contains(&number) => Ok(number),
        _ => Err(invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            text,
        )),
    }
}

pub(super) fn upload_id(asked: &Asked) -> String {
    asked.query.get("uploadId").unwrap_or_default().to_owned()
}

fn put_part(
    transaction: &Transaction<'_>,
    upload: &Upload,
    (number, modified): (i64, Timestamp),
    content: &Content,
) -> rusqlite::Result<()> {
    let part = Part {
        number,
        size: content.data.len() as u64,
        md5: content.md5.to_vec(),
        modified,
        checksum: content.checksum.clone(),
    };
    store::put_part(transaction, upload.content, &part, &content.data)
}

pub(super) async fn part(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let (number, id) = (part_number(&asked)?, upload_id(&asked));
    let content = body::content(&asked.headers, asked.body)?;
    let modified = s3.source.now();
    let (etag, sum) = (HEXLOWER.encode(&content.md5), content.checksum.clone());
    s3.store
        .write(move |transaction| {
            let upload = match find(transaction, &asked.bucket, &asked.key, &id)? {
                Ok(upload) => upload,
                Err(error) => return Ok(Err(error)),
            };
            put_part(transaction, &upload, (number, modified), &content).map(Ok)
        })
        .await??;
    let mut response = empty(StatusCode::OK);
    set(&mut response, "etag", &quoted(&etag));
    set(&mut response, sum.algorithm.header(), &sum.value);
    Ok(response)
}

pub(super) async fn part_copy(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let (number, id) = (part_number(&asked)?, upload_id(&asked));
    let source = CopySource::read(&asked)?;
    let range = match asked.header("x-amz-copy-source-range") {
        None => None,
        Some(text) => Some(copy_range(text).ok_or_else(|| {
            invalid_argument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
                "x-amz-copy-source-range",
                text,
            )
        })?),
    };
    let modified = s3.source.now();
    let (etag, of_source) = s3
        .store
        .write(move |transaction| {
            let upload = match find(transaction, &asked.bucket, &asked.key, &id)? {
                Ok(upload) => upload,
                Err(error) => return Ok(Err(error)),
            };
            let (object, versioned) = match source.find(transaction, &asked.headers)? {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            let (from, to) = range.unwrap_or((0, object.size));
            if to > object.size {
                return Ok(Err(AwsError::new(
                    "InvalidArgument",
                    format!(
                        "Range specified is not valid for source object of size: {}",
                        object.size
                    ),
                )));
            }
            let data = match object.content {
                Some(content) => store::read(transaction, content, from, to)?,
                None => Bytes::new(),
            };
            let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
            let content = Content {
                md5: Md5::digest(&data).into(),
                checksum: Checksum {
                    algorithm,
                    value: body::checksum(algorithm, &data),
                },
                data,
            };
            put_part(transaction, &upload, (number, modified), &content)?;
            Ok(Ok((
                HEXLOWER.encode(&content.md5),
                versioned.then_some(object.version),
            )))
        })
        .await??;
    let mut response = document(Xml::document("CopyPartResult", |xml| {
        xml.text("LastModified", iso_date(modified));
        xml.text("ETag", quoted(&etag));
    }));
    if let Some(version) = of_source {
        set(&mut response, "x-amz-copy-source-version-id", &version);
    }
    Ok(response)
}

/// `bytes=first-last` as the first byte and the one behind the last.
fn copy_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse::<u64>().ok()?);
    (first <= last).then_some((first, last.checked_add(1)?))
}

/// A part as the request to complete names it.
struct Named {
    number: i64,
    etag: String,
}

pub(super) async fn complete(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let id = upload_id(&asked);
    let body = body::document(&asked.headers, asked.body.clone())?;
    let named = xml::read(&body, "CompleteMultipartUpload", |root| {
        let named: Option<Vec<Named>> = xml::children(root, "Part")
            .map(|part| {
                Some(Named {
                    number: xml::child_text(part, "PartNumber")?.trim().parse().ok()?,
                    etag: xml::child_text(part, "ETag")?.trim().trim_matches('"').to_owned(),
                })
            })
            .collect();
        named.filter(|named| !named.is_empty()).ok_or_else(malformed)
    })?;
    if !named.is_sorted_by(|one, next| one.number < next.number) {
        return Err(AwsError::new(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    let (version, modified) = (s3.new_version(), s3.source.now());
    let (name, key, headers) = (asked.bucket.clone(), asked.key.clone(), asked.headers);
    let (etag, sum, version) = s3
        .store
        .write(move |transaction| {
            let upload = match find(transaction, &name, &key, &id)? {
                Ok(upload) => upload,
                Err(error) => return Ok(Err(error)),
            };
            let Some(bucket) = store::bucket(transaction, &name)? else {
                return Ok(Err(no_such_bucket(&name)));
            };
            let current = store::object(transaction, &name, &key, None)?;
            if let Err(error) = check_write(&headers, &key, current.as_ref()) {
                return Ok(Err(error));
            }
            let there = store::parts(transaction, upload.content, 0, 10_000)?;
            let parts = match chosen(&id, &there, &named) {
                Ok(parts) => parts,
                Err(error) => return Ok(Err(error)),
            };
            for part in there
                .iter()
                .filter(|part| !parts.iter().any(|kept| kept.number == part.number))
            {
                store::remove_part(transaction, upload.content, part.number)?;
            }
            let tags = parts.iter().flat_map(|part| part.md5.clone()).collect::<Vec<_>>();
            let etag = format!("{}-{}", HEXLOWER.encode(&Md5::digest(&tags)), parts.len());
            let sum = object_checksum(transaction, &upload, &parts)?;
            let size = parts.iter().map(|part| part.size).sum();
            let draft = Draft {
                key,
                version,
                modified,
                headers: upload.headers,
            };
            let version = draft.put(
                transaction,
                &bucket,
                Some(upload.content),
                (size, etag.clone(), Some(sum.clone())),
            )?;
            transaction.execute("DELETE FROM uploads WHERE id = ?1", [&id])?;
            Ok(Ok((etag, sum, version)))
        })
        .await??;
    let mut response = document(Xml::document("CompleteMultipartUploadResult", |xml| {
        xml.text(
            "Location",
            format!("http://s3.localhost/{}/{}", asked.bucket, asked.key),
        );
        xml.text("Bucket", &asked.bucket);
        xml.text("Key", &asked.key);
        xml.text("ETag", quoted(&etag));
        xml.text(&sum.algorithm.element(), &sum.value);
        xml.text("ChecksumType", sum.kind());
    }));
    tell_version(&mut response, version.as_deref());
    Ok(response)
}

/// The parts that the request names, if they are as it says.
fn chosen(id: &str, there: &[Part], named: &[Named]) -> Result<Vec<Part>, AwsError> {
    let mut parts = Vec::with_capacity(named.len());
    for (n, wanted) in named.iter().enumerate() {
        let found = there
            .binary_search_by_key(&wanted.number, |part| part.number)
            .ok()
            .and_then(|at| there.get(at))
            .filter(|part| HEXLOWER_PERMISSIVE.decode(wanted.etag.as_bytes()) == Ok(part.md5.clone()));
        let Some(part) = found else {
            return Err(AwsError::new(
                "InvalidPart",
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
            )
            .with("UploadId", id)
            .with("PartNumber", wanted.number)
            .with("ETag", wanted.etag.as_str()));
        };
        if part.size < LEAST && n + 1 < named.len() {
            return Err(AwsError::new(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            )
            .with("ProposedSize", part.size)
            .with("MinSizeAllowed", LEAST)
            .with("PartNumber", part.number)
            .with("ETag", wanted.etag.as_str()));
        }
        parts.push(part.clone());
    }
    Ok(parts)
}

/// The checksum of an object in parts: over all of it, or over its parts' checksums.
fn object_checksum(connection: &Connection, upload: &Upload, parts: &[Part]) -> rusqlite::Result<Checksum> {
    let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let mut running = Running::new(algorithm);
    let composite = !upload.whole && parts.iter().all(|part| part.checksum.algorithm == algorithm);
    for part in parts {
        if composite {
            running.update(&BASE64.decode(part.checksum.value.as_bytes()).unwrap_or_default());
        } else {
            store::read_part(connection, upload.content, part.number, (0, part.size), |piece| {
                running.update(piece);
            })?;
        }
    }
    let value = match running.finish() {
        value if composite => format!("{value}-{}", parts.len()),
        value => value,
    };
    Ok(Checksum { algorithm, value })
}

pub(super) async fn abort(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let id = upload_id(&asked);
    s3.store
        .write(move |transaction| {
            let upload = match find(transaction, &asked.bucket, &asked.key, &id)? {
                Ok(upload) => upload,
                Err(error) => return Ok(Err(error)),
            };
            store::remove_content(transaction, upload.content)?;
            transaction.execute("DELETE FROM uploads WHERE id = ?1", [&id])?;
            Ok(Ok(()))
        })
        .await??;
    Ok(empty(StatusCode::NO_CONTENT))
}
