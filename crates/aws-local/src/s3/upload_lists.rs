//! The lists of uploads under way, and of their parts.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::Response;
use rusqlite::params;

use super::body::Algorithm;
use super::refusal::no_such_bucket;
use super::store;
use super::uploads::{UPLOAD, find, upload, upload_id};
use super::xml::Xml;
use super::{Asked, S3, document, iso_date, quoted};
use crate::error::AwsError;

pub(super) async fn list_parts(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let limit = asked.number("max-parts", 1000)?.min(1000);
    let after = asked.number("part-number-marker", 0)?;
    let id = upload_id(&asked);
    let (name, key) = (asked.bucket.clone(), asked.key.clone());
    let (upload, mut parts) = s3
        .store
        .read(move |connection| {
            let upload = match find(connection, &name, &key, &id)? {
                Ok(upload) => upload,
                Err(error) => return Ok(Err(error)),
            };
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let parts = store::parts(connection, upload.content, after, limit + 1)?;
            Ok(Ok((upload, parts)))
        })
        .await??;
    let more = parts.len() > limit;
    parts.truncate(limit);
    Ok(document(Xml::document("ListPartsResult", |xml| {
        xml.text("Bucket", &asked.bucket);
        xml.text("Key", &asked.key);
        xml.text("UploadId", &upload.id);
        xml.owner("Initiator");
        xml.owner("Owner");
        xml.text("StorageClass", "STANDARD");
        xml.text("PartNumberMarker", after);
        xml.text("NextPartNumberMarker", parts.last().map_or(0, |part| part.number));
        xml.text("MaxParts", limit);
        xml.text("IsTruncated", more);
        xml.some("ChecksumAlgorithm", upload.algorithm.map(Algorithm::name));
        for part in &parts {
            xml.element("Part", |xml| {
                xml.text("PartNumber", part.number);
                xml.text("LastModified", iso_date(part.modified));
                xml.text("ETag", quoted(&HEXLOWER.encode(&part.md5)));
                xml.text("Size", part.size);
                xml.text(&part.checksum.algorithm.element(), &part.checksum.value);
            });
        }
    })))
}

pub(super) async fn list(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let limit = asked.number("max-uploads", 1000)?.clamp(1, 1000);
    let text = |name| asked.query.get(name).unwrap_or_default().to_owned();
    let (prefix, key_marker, id_marker) = (text("prefix"), text("key-marker"), text("upload-id-marker"));
    let (name, from, id_from) = (asked.bucket.clone(), key_marker.clone(), id_marker.clone());
    let starts_with = prefix.clone();
    let mut uploads = s3
        .store
        .read(move |connection| {
            if store::bucket(connection, &name)?.is_none() {
                return Ok(Err(no_such_bucket(&name)));
            }
            // Behind the marker's key; or, where an upload of that key is named, behind that one.
            let mut statement = connection.prepare_cached(&format!(
                "{UPLOAD} WHERE bucket = ?1 AND (key > ?2 OR (key = ?2 AND ?3 <> '' AND id > ?3))
                 AND substr(key, 1, ?5) = ?4 ORDER BY key, id LIMIT ?6"
            ))?;
            let prefix = starts_with.as_bytes();
            let rows = statement.query_map(
                params![name, from.as_bytes(), id_from, prefix, prefix.len(), limit + 1],
                upload,
            )?;
            rows.collect::<Result<Vec<_>, _>>().map(Ok)
        })
        .await??;
    let more = uploads.len() > limit;
    uploads.truncate(limit);
    Ok(document(Xml::document("ListMultipartUploadsResult", |xml| {
        xml.text("Bucket", &asked.bucket);
        xml.text("KeyMarker", &key_marker);
        xml.text("UploadIdMarker", &id_marker);
        if let Some(last) = uploads.last().filter(|_| more) {
            xml.text("NextKeyMarker", &last.key);
            xml.text("NextUploadIdMarker", &last.id);
        }
        xml.text("Prefix", &prefix);
        xml.text("MaxUploads", limit);
        xml.text("IsTruncated", more);
        for upload in &uploads {
            xml.element("Upload", |xml| {
                xml.text("Key", &upload.key);
                xml.text("UploadId", &upload.id);
                xml.owner("Initiator");
                xml.owner("Owner");
                xml.text("StorageClass", "STANDARD");
                xml.text("Initiated", iso_date(upload.begun));
                xml.some("ChecksumAlgorithm", upload.algorithm.map(Algorithm::name));
            });
        }
    })))
}
