//! The lists of a bucket's objects, and of their versions.

use bytes::Bytes;
use http::Response;
use rusqlite::Connection;

use super::refusal::{invalid_argument, no_such_bucket};
use super::store::{self, Object};
use super::xml::Xml;
use super::{Asked, Listed, S3, document, iso_date, quoted};
use crate::dispatch::percent_encoded;
use crate::error::AwsError;

/// The most that a page holds.
const PAGE: usize = 1000;

/// Which of the two ListObjects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edition {
    First,
    Second,
}

/// One page: objects and the prefixes under which others are gathered, both in order.
#[derive(Default)]
struct Page {
    objects: Vec<Object>,
    prefixes: Vec<String>,
    /// The last that is on the page, where there are more.
    next: Option<Last>,
}

/// The last of a page: a key with its version, or a prefix.
struct Last {
    key: String,
    version: Option<String>,
}

/// What is to be listed.
struct Wanted {
    bucket: String,
    prefix: String,
    delimiter: Option<String>,
    /// Only what comes after it.
    after: String,
    limit: usize,
}

impl Wanted {
    fn read(asked: &Asked, after: String) -> Result<Wanted, AwsError> {
        Ok(Wanted {
            bucket: asked.bucket.clone(),
            prefix: asked.query.get("prefix").unwrap_or_default().to_owned(),
            delimiter: asked.query.text("delimiter").map(str::to_owned),
            after,
            limit: asked.number("max-keys", PAGE)?.min(PAGE),
        })
    }

    /// The prefix under which `key` is gathered, up to and with the delimiter.
    fn gathered<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = key.get(self.prefix.len()..)?;
        let at = rest.find(delimiter)?;
        key.get(..self.prefix.len() + at + delimiter.len())
    }

    /// Where to begin: behind `after`, and not before the prefix.
    fn begin(&self) -> Vec<u8> {
        let mut after = self.after.clone().into_bytes();
        if !after.is_empty() {
            after.push(0);
        }
        after.max(self.prefix.clone().into_bytes())
    }

    /// Reads a page of what `more` gives from a key on, in order.
    fn page(
        &self,
        mut from: Vec<u8>,
        mut more: impl FnMut(&[u8], usize) -> rusqlite::Result<Vec<Object>>,
    ) -> rusqlite::Result<Page> {
        let mut page = Page::default();
        if self.limit == 0 {
            return Ok(page);
        }
        loop {
            // One more than there is room for tells whether there are more.
            let room = self.limit - page.objects.len() - page.prefixes.len();
            let mut jump = None;
            for object in more(&from, room + 1)? {
                if !object.key.starts_with(&self.prefix) {
                    return Ok(page);
                }
                let gathered = self.gathered(&object.key).map(str::to_owned);
                // The page before ended with this prefix.
                if let Some(gathered) = gathered.as_ref().filter(|gathered| **gathered == self.after) {
                    jump = Some(successor(gathered));
                    break;
                }
                if page.objects.len() + page.prefixes.len() == self.limit {
                    page.next = page.last();
                    return Ok(page);
                }
                if let Some(gathered) = gathered {
                    jump = Some(successor(&gathered));
                    page.prefixes.push(gathered);
                    break;
                }
                page.objects.push(object);
            }
            match jump {
                Some(jump) => from = jump,
                None => return Ok(page),
            }
        }
    }
}

impl Page {
    fn last(&self) -> Option<Last> {
        let object = self.objects.last().map(|object| Last {
            key: object.key.clone(),
            version: Some(object.version.clone()),
        });
        let prefix = self.prefixes.last().map(|prefix| Last {
            key: prefix.clone(),
            version: None,
        });
        match (object, prefix) {
            (Some(object), Some(prefix)) if object.key < prefix.key => Some(prefix),
            (object, prefix) => object.or(prefix),
        }
    }
}

/// The first key that is behind all that begin with `prefix`.
fn successor(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    // No byte of UTF-8 is 255.
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

fn latest_page(connection: &Connection, wanted: &Wanted) -> rusqlite::Result<Page> {
    wanted.page(wanted.begin(), |from, limit| {
        store::latest_from(connection, &wanted.bucket, from, limit)
    })
}

/// Lists objects for the engine.
pub(super) async fn list(
    s3: &S3,
    bucket: &str,
    prefix: &str,
    after: &str,
    limit: usize,
) -> Result<(Vec<Listed>, bool), AwsError> {
    let wanted = Wanted {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        delimiter: None,
        after: after.to_owned(),
        limit: limit.clamp(1, PAGE),
    };
    let page = read_page(s3, wanted, latest_page).await?;
    let more = page.next.is_some();
    let listed = page.objects.into_iter().map(|object| Listed {
        etag: quoted(&object.etag),
        key: object.key,
        size: object.size,
        modified: object.modified,
    });
    Ok((listed.collect(), more))
}

async fn read_page(
    s3: &S3,
    wanted: Wanted,
    page: impl FnOnce(&Connection, &Wanted) -> rusqlite::Result<Page> + Send + 'static,
) -> Result<Page, AwsError> {
    s3.store
        .read(move |connection| {
            if store::bucket(connection, &wanted.bucket)?.is_none() {
                return Ok(Err(no_such_bucket(&wanted.bucket)));
            }
            page(connection, &wanted).map(Ok)
        })
        .await?
}

pub(super) async fn objects(s3: &S3, asked: Asked, edition: Edition) -> Result<Response<Bytes>, AwsError> {
    let after = match edition {
        Edition::First => asked.query.get("marker").unwrap_or_default().to_owned(),
        Edition::Second => match asked.query.get("continuation-token") {
            Some(token) => read_token(token)?,
            None => asked.query.get("start-after").unwrap_or_default().to_owned(),
        },
    };
    let wanted = Wanted::read(&asked, after)?;
    let (limit, delimited) = (wanted.limit, wanted.delimiter.is_some());
    let page = read_page(s3, wanted, latest_page).await?;
    let names = Names::of(&asked);
    Ok(document(Xml::document("ListBucketResult", |xml| {
        xml.text("Name", &asked.bucket);
        xml.text(
            "Prefix",
            names.encode(asked.query.get("prefix").unwrap_or_default()),
        );
        if edition == Edition::First {
            xml.text(
                "Marker",
                names.encode(asked.query.get("marker").unwrap_or_default()),
            );
            // Without a delimiter the last key says where to go on.
            let next = page.next.as_ref().filter(|_| delimited);
            xml.some("NextMarker", next.map(|last| names.encode(&last.key)));
        } else {
            xml.some(
                "StartAfter",
                asked.query.get("start-after").map(|key| names.encode(key)),
            );
            xml.some("ContinuationToken", asked.query.get("continuation-token"));
            let next = page.next.as_ref().map(|last| token(&last.key));
            xml.some("NextContinuationToken", next);
            xml.text("KeyCount", page.objects.len() + page.prefixes.len());
        }
        xml.text("MaxKeys", limit);
        xml.some(
            "Delimiter",
            asked.query.text("delimiter").map(|text| names.encode(text)),
        );
        xml.some("EncodingType", asked.query.text("encoding-type"));
        xml.text("IsTruncated", page.next.is_some());
        let owned = edition == Edition::First || asked.query.get("fetch-owner") == Some("true");
        for object in &page.objects {
            xml.element("Contents", |xml| {
                xml.text("Key", names.encode(&object.key));
                shown(xml, object);
                if owned {
                    xml.owner("Owner");
                }
            });
        }
        common_prefixes(xml, &page, &names);
    })))
}

pub(super) async fn versions(s3: &S3, asked: Asked) -> Result<Response<Bytes>, AwsError> {
    let after = asked.query.get("key-marker").unwrap_or_default().to_owned();
    let before = asked.query.text("version-id-marker").map(str::to_owned);
    let wanted = Wanted::read(&asked, after)?;
    let limit = wanted.limit;
    let page = read_page(s3, wanted, move |connection, wanted| {
        let marker = match &before {
            Some(version) => store::object(connection, &wanted.bucket, &wanted.after, Some(version))?,
            None => None,
        };
        // Behind the marker's version come the older ones of its key.
        let (from, before) = match &marker {
            Some(marker) => (wanted.after.clone().into_bytes(), marker.id),
            None => (wanted.begin(), i64::MAX),
        };
        wanted.page(from.clone(), |at, limit| {
            let before = if at == from { before } else { i64::MAX };
            store::versions_from(connection, &wanted.bucket, at, before, limit)
        })
    })
    .await?;
    let names = Names::of(&asked);
    Ok(document(Xml::document("ListVersionsResult", |xml| {
        xml.text("Name", &asked.bucket);
        xml.text(
            "Prefix",
            names.encode(asked.query.get("prefix").unwrap_or_default()),
        );
        xml.text(
            "KeyMarker",
            names.encode(asked.query.get("key-marker").unwrap_or_default()),
        );
        xml.text(
            "VersionIdMarker",
            asked.query.get("version-id-marker").unwrap_or_default(),
        );
        if let Some(last) = &page.next {
            xml.text("NextKeyMarker", names.encode(&last.key));
            xml.some("NextVersionIdMarker", last.version.as_ref());
        }
        xml.text("MaxKeys", limit);
        xml.some(
            "Delimiter",
            asked.query.text("delimiter").map(|text| names.encode(text)),
        );
        xml.some("EncodingType", asked.query.text("encoding-type"));
        xml.text("IsTruncated", page.next.is_some());
        for object in &page.objects {
            let kind = if object.marker { "DeleteMarker" } else { "Version" };
            xml.element(kind, |xml| {
                xml.text("Key", names.encode(&object.key));
                xml.text("VersionId", &object.version);
                xml.text("IsLatest", object.latest);
                if object.marker {
                    xml.text("LastModified", iso_date(object.modified));
                } else {
                    shown(xml, object);
                }
                xml.owner("Owner");
            });
        }
        common_prefixes(xml, &page, &names);
    })))
}

fn shown(xml: &mut Xml, object: &Object) {
    xml.text("LastModified", iso_date(object.modified));
    xml.text("ETag", quoted(&object.etag));
    if let Some(checksum) = &object.checksum {
        xml.text("ChecksumAlgorithm", checksum.algorithm.name());
        xml.text("ChecksumType", checksum.kind());
    }
    xml.text("Size", object.size);
    let class = object
        .headers
        .iter()
        .find(|(name, _)| name == "x-amz-storage-class");
    xml.text("StorageClass", class.map_or("STANDARD", |(_, class)| class));
}

fn common_prefixes(xml: &mut Xml, page: &Page, names: &Names) {
    for prefix in &page.prefixes {
        xml.element("CommonPrefixes", |xml| xml.text("Prefix", names.encode(prefix)));
    }
}

/// Whether names are to be written as in an address, because XML can't hold every character.
struct Names {
    encoded: bool,
}

impl Names {
    fn of(asked: &Asked) -> Names {
        Names {
            encoded: asked.query.get("encoding-type") == Some("url"),
        }
    }

    fn encode(&self, name: &str) -> String {
        if self.encoded {
            percent_encoded(name, b"-_.~/*")
        } else {
            name.to_owned()
        }
    }
}

fn token(key: &str) -> String {
    data_encoding::BASE64URL.encode(format!("after:{key}").as_bytes())
}

fn read_token(token: &str) -> Result<String, AwsError> {
    let decoded = data_encoding::BASE64URL.decode(token.as_bytes()).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = decoded.and_then(|text| text.strip_prefix("after:").map(str::to_owned));
    key.ok_or_else(|| {
        invalid_argument(
            "The continuation token provided is incorrect",
            "continuation-token",
            token,
        )
    })
}
