//! GetObject and HeadObject.

use bytes::Bytes;
use http::{HeaderName, Response, StatusCode};

use super::conditions::check_read;
use super::objects::{tell_checksum, tell_version};
use super::refusal::{invalid_argument, no_such_bucket, no_such_key, no_such_version};
use super::store::{self, Bucket, Object};
use super::{Asked, Found, S3, empty, http_date, quoted, set};
use crate::error::AwsError;

/// Query fields that put a header in place of the object's own.
const OVERRIDES: [&str; 6] = [
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

/// Which bytes of an object are to be read, without the last one of `to`.
struct Span {
    from: u64,
    to: u64,
    /// Whether they were asked for, rather than all of them.
    partial: bool,
    /// How many parts it has, where one of them was asked for.
    parts: Option<usize>,
}

pub(super) async fn get(s3: &S3, asked: Asked, with_data: bool) -> Result<Response<Bytes>, AwsError> {
    let version = asked.query.text("versionId").map(str::to_owned);
    let range = asked.header("range").map(str::to_owned);
    let part = match asked.query.text("partNumber") {
        None => None,
        Some(text) => match text.parse::<usize>() {
            Ok(part @ 1..=10_000) => Some(part),
            _ => {
                return Err(invalid_argument(
                    "Part number must be an integer between 1 and 10000, inclusive",
                    "partNumber",
                    text,
                ));
            }
        },
    };
    let (name, key, headers) = (asked.bucket.clone(), asked.key.clone(), asked.headers.clone());
    let (object, versioned, span, data) = s3
        .store
        .read(move |connection| {
            let Some(bucket) = store::bucket(connection, &name)? else {
                return Ok(Err(no_such_bucket(&name)));
            };
            let object = store::object(connection, &name, &key, version.as_deref())?;
            let object = match readable(&bucket, object, &key, version.as_deref()) {
                Ok(object) => object,
                Err(error) => return Ok(Err(error)),
            };
            if let Err(error) = check_read(&headers, "", &object) {
                return Ok(Err(told(error, &object)));
            }
            let span = match part {
                Some(part) => span_of_part(connection, &object, part)?,
                None => span_of_range(range.as_deref(), object.size),
            };
            let span = match span {
                Ok(span) => span,
                Err(error) => return Ok(Err(error)),
            };
            let data = match object.content.filter(|_| with_data) {
                Some(content) => store::read(connection, content, span.from, span.to)?,
                None => Bytes::new(),
            };
            Ok(Ok((object, bucket.versioning.is_some(), span, data)))
        })
        .await??;
    let mut response = empty(if span.partial {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    });
    describe(&mut response, &object, versioned);
    set(
        &mut response,
        "content-length",
        &(span.to - span.from).to_string(),
    );
    if span.partial {
        let last = span.to.saturating_sub(1);
        set(
            &mut response,
            "content-range",
            &format!("bytes {}-{last}/{}", span.from, object.size),
        );
    } else if asked
        .header("x-amz-checksum-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"))
        && let Some(checksum) = &object.checksum
    {
        tell_checksum(&mut response, checksum);
    }
    if let Some(parts) = span.parts {
        set(&mut response, "x-amz-mp-parts-count", &parts.to_string());
    }
    for field in OVERRIDES {
        if let Some(value) = asked.query.get(field) {
            set(&mut response, field.trim_start_matches("response-"), value);
        }
    }
    *response.body_mut() = data;
    Ok(response)
}

/// Reads an object for the engine.
pub(super) async fn found(
    s3: &S3,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<Found, AwsError> {
    let (name, key, version) = (bucket.to_owned(), key.to_owned(), version.map(str::to_owned));
    s3.store
        .read(move |connection| {
            let Some(bucket) = store::bucket(connection, &name)? else {
                return Ok(Err(no_such_bucket(&name)));
            };
            let object = store::object(connection, &name, &key, version.as_deref())?;
            let object = match readable(&bucket, object, &key, version.as_deref()) {
                Ok(object) => object,
                Err(error) => return Ok(Err(error)),
            };
            let data = match object.content {
                Some(content) => store::read(connection, content, 0, object.size)?,
                None => Bytes::new(),
            };
            let content_type = object.headers.iter().find(|(name, _)| name == "content-type");
            Ok(Ok(Found {
                data,
                etag: quoted(&object.etag),
                content_type: content_type.map(|(_, value)| value.clone()).unwrap_or_default(),
                modified: object.modified,
                version: bucket.versioning.is_some().then_some(object.version),
            }))
        })
        .await?
}

/// The object, unless it isn't there or is a marker of its deletion.
fn readable(
    bucket: &Bucket,
    object: Option<Object>,
    key: &str,
    version: Option<&str>,
) -> Result<Object, AwsError> {
    let marker = HeaderName::from_static("x-amz-delete-marker");
    match (object, version) {
        (None, Some(version)) => Err(no_such_version(key, version)),
        (None, None) => Err(no_such_key(key)),
        (Some(object), None) if object.marker => {
            let error = no_such_key(key).with_header(marker, "true");
            let version = bucket.versioning.as_ref().map_or("", |_| object.version.as_str());
            Err(error.with_header(HeaderName::from_static("x-amz-version-id"), version))
        }
        (Some(object), Some(_)) if object.marker => Err(AwsError::with_status(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
        .with("Method", "GET")
        .with("ResourceType", "DeleteMarker")
        .with_header(marker, "true")),
        (Some(object), _) => Ok(object),
    }
}

/// An answer that the object hasn't changed says what it is.
fn told(error: AwsError, object: &Object) -> AwsError {
    if error.status() != StatusCode::NOT_MODIFIED.as_u16() {
        return error;
    }
    error
        .with_header(http::header::ETAG, &quoted(&object.etag))
        .with_header(http::header::LAST_MODIFIED, &http_date(object.modified))
}

fn span_of_part(
    connection: &rusqlite::Connection,
    object: &Object,
    part: usize,
) -> rusqlite::Result<Result<Span, AwsError>> {
    let parts = match object.content {
        Some(content) => store::parts(connection, content, 0, 10_000)?,
        None => Vec::new(),
    };
    let Some(wanted) = parts.get(part - 1) else {
        return Ok(Err(AwsError::with_status(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "InvalidPartNumber",
            "The requested partnumber is not satisfiable",
        )));
    };
    let from = parts[..part - 1].iter().map(|part| part.size).sum();
    Ok(Ok(Span {
        from,
        to: from + wanted.size,
        partial: true,
        parts: object.etag.contains('-').then_some(parts.len()),
    }))
}

/// What a Range header means: `bytes=0-9`, `bytes=5-`, `bytes=-5`. S3 takes no notice of other forms.
fn span_of_range(range: Option<&str>, size: u64) -> Result<Span, AwsError> {
    let span = |from, to, partial| {
        Ok(Span {
            from,
            to,
            partial,
            parts: None,
        })
    };
    let bounds = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
        .map(|(first, last)| (first.trim(), last.trim()));
    let number = |text: &str| text.parse::<u64>().ok();
    match bounds {
        Some(("", last)) => match number(last) {
            None => span(0, size, false),
            Some(0) => Err(unsatisfiable(range, size)),
            Some(_) if size == 0 => Err(unsatisfiable(range, size)),
            Some(last) => span(size.saturating_sub(last), size, true),
        },
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), None) if last.is_empty() && first < size => span(first, size, true),
            (Some(first), Some(last)) if first <= last && first < size => {
                span(first, last.saturating_add(1).min(size), true)
            }
            (Some(_), None) if last.is_empty() => Err(unsatisfiable(range, size)),
            (Some(first), Some(last)) if first <= last => Err(unsatisfiable(range, size)),
            _ => span(0, size, false),
        },
        None => span(0, size, false),
    }
}

fn unsatisfiable(range: Option<&str>, size: u64) -> AwsError {
    AwsError::with_status(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "InvalidRange",
        "The requested range is not satisfiable",
    )
    .with("RangeRequested", range.unwrap_or_default())
    .with("ActualObjectSize", size)
}

fn describe(response: &mut Response<Bytes>, object: &Object, versioned: bool) {
    for (name, value) in &object.headers {
        set(response, name, value);
    }
    set(response, "etag", &quoted(&object.etag));
    set(response, "last-modified", &http_date(object.modified));
    set(response, "accept-ranges", "bytes");
    tell_version(response, versioned.then_some(object.version.as_str()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_s3_reads_them() {
        let read = |range| match span_of_range(Some(range), 10) {
            Ok(span) if span.partial => Some((span.from, span.to)),
            Ok(span) => {
                assert_eq!((span.from, span.to), (0, 10));
                None
            }
            Err(error) => {
                assert_eq!(error.code(), "InvalidRange");
                Some((0, 0))
            }
        };
        for (range, expected) in [
            ("bytes=0-0", Some((0, 1))),
            ("bytes=2-5", Some((2, 6))),
            ("bytes=2-", Some((2, 10))),
            ("bytes=2-99999999999999999999", None),
            ("bytes=2-18446744073709551615", Some((2, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=-30", Some((0, 10))),
            ("bytes=10-", Some((0, 0))),
            ("bytes=-0", Some((0, 0))),
            ("bytes=5-2", None),
            ("bytes=a-b", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(read(range), expected, "{range}");
        }
    }
}
