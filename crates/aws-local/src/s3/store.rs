//! What S3 keeps. An object's row points to its content; content is in parts, as it was uploaded, and a part
//! is in pieces, so that a range of it is read without the rest.

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::body::{Algorithm, Checksum};

pub(super) const FILE: &str = "objects.sqlite";

/// The size of a piece, in bytes.
const PIECE: usize = 1024 * 1024;

/// The version of what is written to a bucket without versioning.
pub(super) const NULL_VERSION: &str = "null";

/// Times are milliseconds since 1970. Keys are bytes, because S3 orders them as bytes. The newest version of a
/// key has the largest id, and `latest`.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS buckets (
        name TEXT PRIMARY KEY,
        created INTEGER NOT NULL,
        region TEXT,
        versioning TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS objects (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket TEXT NOT NULL,
        key BLOB NOT NULL,
        version TEXT NOT NULL,
        latest INTEGER NOT NULL,
        marker INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        content INTEGER,
        headers TEXT NOT NULL,
        algorithm TEXT,
        checksum TEXT
    ) STRICT;
    CREATE UNIQUE INDEX IF NOT EXISTS versions ON objects (bucket, key, id DESC);
    CREATE INDEX IF NOT EXISTS latest ON objects (bucket, key) WHERE latest = 1 AND marker = 0;
    CREATE TABLE IF NOT EXISTS contents (
        id INTEGER PRIMARY KEY AUTOINCREMENT
    ) STRICT;
    CREATE TABLE IF NOT EXISTS parts (
        content INTEGER NOT NULL,
        part INTEGER NOT NULL,
        size INTEGER NOT NULL,
        md5 BLOB NOT NULL,
        modified INTEGER NOT NULL,
        algorithm TEXT NOT NULL,
        checksum TEXT NOT NULL,
        PRIMARY KEY (content, part)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS pieces (
        content INTEGER NOT NULL,
        part INTEGER NOT NULL,
        start INTEGER NOT NULL,
        data BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX IF NOT EXISTS pieces_of ON pieces (content, part, start);
    CREATE TABLE IF NOT EXISTS uploads (
        id TEXT PRIMARY KEY,
        bucket TEXT NOT NULL,
        key BLOB NOT NULL,
        begun INTEGER NOT NULL,
        content INTEGER NOT NULL,
        headers TEXT NOT NULL,
        algorithm TEXT,
        whole INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS uploads_of ON uploads (bucket, key, id);
";

pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) created: Timestamp,
    /// Where it was made, as its creator said.
    pub(super) region: Option<String>,
    pub(super) versioning: Option<String>,
}

impl Bucket {
    /// Whether its versions are kept.
    pub(super) fn keeps_versions(&self) -> bool {
        self.versioning.as_deref() == Some("Enabled")
    }
}

/// One version of an object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) id: i64,
    pub(super) key: String,
    pub(super) version: String,
    pub(super) latest: bool,
    /// It stands for the deletion, and has no content.
    pub(super) marker: bool,
    pub(super) modified: Timestamp,
    pub(super) size: u64,
    /// Without quotation marks.
    pub(super) etag: String,
    pub(super) content: Option<i64>,
    /// What was said of it when it was written, and is said when it is read: content type, metadata.
    pub(super) headers: Vec<(String, String)>,
    pub(super) checksum: Option<Checksum>,
}

const OBJECT: &str = "
    SELECT id, key, version, latest, marker, modified, size, etag, content, headers, algorithm, checksum
    FROM objects";

pub(super) fn bucket(connection: &Connection, name: &str) -> rusqlite::Result<Option<Bucket>> {
    connection
        .prepare_cached("SELECT name, created, region, versioning FROM buckets WHERE name = ?1")?
        .query_row([name], bucket_row)
        .optional()
}

/// Those after the one named `after` that begin with `prefix`.
pub(super) fn buckets(
    connection: &Connection,
    prefix: &str,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Bucket>> {
    connection
        .prepare_cached(
            "SELECT name, created, region, versioning FROM buckets
             WHERE name > ?1 AND substr(name, 1, length(?2)) = ?2 ORDER BY name LIMIT ?3",
        )?
        .query_map(params![after, prefix, limit], bucket_row)?
        .collect()
}

/// The object's version `version`, or its latest, which may be a marker of its deletion.
pub(super) fn object(
    connection: &Connection,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> rusqlite::Result<Option<Object>> {
    let sql = match version {
        Some(_) => format!("{OBJECT} WHERE bucket = ?1 AND key = ?2 AND version = ?3"),
        None => format!("{OBJECT} WHERE bucket = ?1 AND key = ?2 AND ?3 IS NULL ORDER BY id DESC LIMIT 1"),
    };
    connection
        .prepare_cached(&sql)?
        .query_row(params![bucket, key.as_bytes(), version], object_row)
        .optional()
}

/// The latest versions of keys from `from` on, in their order.
pub(super) fn latest_from(
    connection: &Connection,
    bucket: &str,
    from: &[u8],
    limit: usize,
) -> rusqlite::Result<Vec<Object>> {
    connection
        .prepare_cached(&format!(
            "{OBJECT} WHERE bucket = ?1 AND key >= ?2 AND latest = 1 AND marker = 0 ORDER BY key LIMIT ?3"
        ))?
        .query_map(params![bucket, from, limit], object_row)?
        .collect()
}

/// All versions from the key `from` on, and of that one only those older than the row `before`.
pub(super) fn versions_from(
    connection: &Connection,
    bucket: &str,
    from: &[u8],
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Object>> {
    connection
        .prepare_cached(&format!(
            "{OBJECT} WHERE bucket = ?1 AND key >= ?2 AND NOT (key = ?2 AND id >= ?3)
             ORDER BY key, id DESC LIMIT ?4"
        ))?
        .query_map(params![bucket, from, before, limit], object_row)?
        .collect()
}

/// Makes `object` the latest of its key, in place of the version of its name if there is one. Its id is given
/// here.
pub(super) fn put(transaction: &Transaction<'_>, bucket: &str, object: &Object) -> rusqlite::Result<()> {
    let key = object.key.as_bytes();
    if object.version == NULL_VERSION {
        remove_version(transaction, bucket, &object.key, NULL_VERSION)?;
    }
    transaction
        .prepare_cached("UPDATE objects SET latest = 0 WHERE bucket = ?1 AND key = ?2")?
        .execute(params![bucket, key])?;
    transaction
        .prepare_cached(
            "INSERT INTO objects (bucket, key, version, latest, marker, modified, size, etag, content, headers,
             algorithm, checksum) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            bucket,
            key,
            object.version,
            object.marker,
            object.modified.as_millisecond(),
            i64::try_from(object.size).unwrap_or(i64::MAX),
            object.etag,
            object.content,
            headers_text(&object.headers),
            object.checksum.as_ref().map(|checksum| checksum.algorithm.name()),
            object.checksum.as_ref().map(|checksum| &checksum.value),
        ])?;
    Ok(())
}

/// Removes one version with its content; what was, when it was there.
pub(super) fn remove_version(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
    version: &str,
) -> rusqlite::Result<Option<Object>> {
    let Some(object) = object(transaction, bucket, key, Some(version))? else {
        return Ok(None);
    };
    transaction
        .prepare_cached("DELETE FROM objects WHERE id = ?1")?
        .execute([object.id])?;
    if let Some(content) = object.content {
        remove_content(transaction, content)?;
    }
    if object.latest {
        transaction
            .prepare_cached(
                "UPDATE objects SET latest = 1 WHERE id =
                 (SELECT max(id) FROM objects WHERE bucket = ?1 AND key = ?2)",
            )?
            .execute(params![bucket, key.as_bytes()])?;
    }
    Ok(Some(object))
}

pub(super) fn new_content(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached("INSERT INTO contents DEFAULT VALUES")?
        .execute([])?;
    Ok(transaction.last_insert_rowid())
}

pub(super) fn remove_content(transaction: &Transaction<'_>, content: i64) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM pieces WHERE content = ?1",
        "DELETE FROM parts WHERE content = ?1",
        "DELETE FROM contents WHERE id = ?1",
    ] {
        transaction.prepare_cached(sql)?.execute([content])?;
    }
    Ok(())
}

/// A part of some content.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// From 1 on.
    pub(super) number: i64,
    pub(super) size: u64,
    pub(super) md5: Vec<u8>,
    pub(super) modified: Timestamp,
    pub(super) checksum: Checksum,
}

/// Writes a part, in place of the one of its number.
pub(super) fn put_part(
    transaction: &Transaction<'_>,
    content: i64,
    part: &Part,
    data: &[u8],
) -> rusqlite::Result<()> {
    remove_part(transaction, content, part.number)?;
    transaction
        .prepare_cached(
            "INSERT INTO parts (content, part, size, md5, modified, algorithm, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            content,
            part.number,
            i64::try_from(part.size).unwrap_or(i64::MAX),
            part.md5,
            part.modified.as_millisecond(),
            part.checksum.algorithm.name(),
            part.checksum.value,
        ])?;
    let mut insert = transaction
        .prepare_cached("INSERT INTO pieces (content, part, start, data) VALUES (?1, ?2, ?3, ?4)")?;
    for (n, piece) in data.chunks(PIECE).enumerate() {
        insert.execute(params![content, part.number, n * PIECE, piece])?;
    }
    Ok(())
}

pub(super) fn remove_part(transaction: &Transaction<'_>, content: i64, part: i64) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM pieces WHERE content = ?1 AND part = ?2",
        "DELETE FROM parts WHERE content = ?1 AND part = ?2",
    ] {
        transaction.prepare_cached(sql)?.execute([content, part])?;
    }
    Ok(())
}

/// The parts of some content after the one numbered `after`.
pub(super) fn parts(
    connection: &Connection,
    content: i64,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Part>> {
    connection
        .prepare_cached(
            "SELECT part, size, md5, modified, algorithm, checksum FROM parts
             WHERE content = ?1 AND part > ?2 ORDER BY part LIMIT ?3",
        )?
        .query_map(params![content, after, limit], |row| {
            Ok(Part {
                number: row.get(0)?,
                size: size(row.get(1)?),
                md5: row.get(2)?,
                modified: time(row.get(3)?),
                checksum: checksum(row.get(4)?, row.get(5)?).unwrap_or(Checksum {
                    algorithm: Algorithm::Crc64Nvme,
                    value: String::new(),
                }),
            })
        })?
        .collect()
}

/// The bytes of some content from `from` up to, and without, `to`.
pub(super) fn read(connection: &Connection, content: i64, from: u64, to: u64) -> rusqlite::Result<Bytes> {
    let mut data = Vec::with_capacity(usize::try_from(to.saturating_sub(from)).unwrap_or(0));
    let mut begin = 0;
    for part in parts(connection, content, 0, usize::MAX >> 1)? {
        let end = begin + part.size;
        if begin < to && from < end {
            read_part(
                connection,
                content,
                part.number,
                (from.max(begin) - begin, to.min(end) - begin),
                |piece| {
                    data.extend_from_slice(piece);
                },
            )?;
        }
        begin = end;
    }
    Ok(data.into())
}

/// Gives `take` the pieces of a part within a range, cut to it.
pub(super) fn read_part(
    connection: &Connection,
    content: i64,
    part: i64,
    (from, to): (u64, u64),
    mut take: impl FnMut(&[u8]),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT start, data FROM pieces WHERE content = ?1 AND part = ?2 AND start > ?3 AND start < ?4
         ORDER BY start",
    )?;
    let piece = i64::try_from(PIECE).unwrap_or(i64::MAX);
    let bound = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![content, part, bound(from) - piece, bound(to)])?;
    while let Some(row) = rows.next()? {
        let start = size(row.get(0)?);
        let data = row.get_ref(1)?.as_blob()?;
        let within = |at: u64| {
            usize::try_from(at.saturating_sub(start))
                .unwrap_or(usize::MAX)
                .min(data.len())
        };
        take(&data[within(from)..within(to)]);
    }
    Ok(())
}

fn bucket_row(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    Ok(Bucket {
        name: row.get(0)?,
        created: time(row.get(1)?),
        region: row.get(2)?,
        versioning: row.get(3)?,
    })
}

fn object_row(row: &Row<'_>) -> rusqlite::Result<Object> {
    let headers: String = row.get(9)?;
    Ok(Object {
        id: row.get(0)?,
        key: String::from_utf8_lossy(row.get_ref(1)?.as_blob()?).into_owned(),
        version: row.get(2)?,
        latest: row.get(3)?,
        marker: row.get(4)?,
        modified: time(row.get(5)?),
        size: size(row.get(6)?),
        etag: row.get(7)?,
        content: row.get(8)?,
        headers: read_headers(&headers),
        checksum: checksum(row.get(10)?, row.get(11)?),
    })
}

pub(super) fn headers_text(headers: &[(String, String)]) -> String {
    serde_json::to_string(headers).unwrap_or_default()
}

pub(super) fn read_headers(text: &str) -> Vec<(String, String)> {
    serde_json::from_str(text).unwrap_or_default()
}

fn checksum(algorithm: Option<String>, value: Option<String>) -> Option<Checksum> {
    Some(Checksum {
        algorithm: Algorithm::by_name(&algorithm?)?,
        value: value?,
    })
}

pub(super) fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

pub(super) fn size(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}
