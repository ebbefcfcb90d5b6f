//! Conditions on reading and writing: `If-Match` and its kin.

use http::HeaderMap;
use jiff::Timestamp;

use super::body::text;
use super::refusal::{no_such_key, not_modified, precondition_failed};
use super::store::Object;
use crate::error::AwsError;

/// Whether the object may be read under the conditions in `headers`, whose names begin with `prefix`
/// (`x-amz-copy-source-` for the source of a copy). As RFC 9110 and S3 have it, tags come before times.
pub(super) fn check_read(headers: &HeaderMap, prefix: &str, object: &Object) -> Result<(), AwsError> {
    let header = |name: &str| text(headers, &format!("{prefix}{name}"));
    let since = |name| header(name).and_then(date);
    // A header of HTTP tells the time in whole seconds.
    let modified = object.modified.as_second();
    if let Some(tags) = header("if-match") {
        if !matches(tags, &object.etag) {
            return Err(precondition_failed(&condition(prefix, "If-Match")));
        }
    } else if since("if-unmodified-since").is_some_and(|since| modified > since.as_second()) {
        return Err(precondition_failed(&condition(prefix, "If-Unmodified-Since")));
    }
    let unchanged = match header("if-none-match") {
        Some(tags) => matches(tags, &object.etag),
        None => since("if-modified-since").is_some_and(|since| modified <= since.as_second()),
    };
    match unchanged {
        false => Ok(()),
        true if prefix.is_empty() => Err(not_modified()),
        true => Err(precondition_failed(&condition(prefix, "If-None-Match"))),
    }
}

/// Whether `current` may be written over, or deleted.
pub(super) fn check_write(headers: &HeaderMap, key: &str, current: Option<&Object>) -> Result<(), AwsError> {
    let current = current.filter(|object| !object.marker);
    if let Some(tags) = text(headers, "if-none-match")
        && current.is_some_and(|object| matches(tags, &object.etag))
    {
        return Err(precondition_failed("If-None-Match"));
    }
    match (text(headers, "if-match"), current) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(no_such_key(key)),
        (Some(tags), Some(object)) if matches(tags, &object.etag) => Ok(()),
        (Some(_), Some(_)) => Err(precondition_failed("If-Match")),
    }
}

fn condition(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}{name}")
    }
}

/// Whether one of the tags in a header is `etag`; `*` is any.
fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == etag
    })
}

fn date(text: &str) -> Option<Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Object {
        Object {
            id: 1,
            key: "key".to_owned(),
            version: "null".to_owned(),
            latest: true,
            marker: false,
            modified: "2026-11-21T09:00:00.7Z".parse().expect("a time"),
            size: 1,
            etag: "abc".to_owned(),
            content: None,
            headers: Vec::new(),
            checksum: None,
        }
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(name),
            value.parse().expect("a value"),
        )])
    }

    #[test]
    fn reading_depends_on_tag_and_time() {
        for (name, value, status) in [
            ("if-match", "\"abc\"", 200),
            ("if-match", "abc, def", 200),
            ("if-match", "\"def\"", 412),
            ("if-none-match", "\"abc\"", 304),
            ("if-none-match", "*", 304),
            ("if-none-match", "\"def\"", 200),
            ("if-modified-since", "Sat, 21 Nov 2026 09:00:00 GMT", 304),
            ("if-modified-since", "Sat, 21 Nov 2026 08:59:59 GMT", 200),
            ("if-unmodified-since", "Sat, 21 Nov 2026 09:00:00 GMT", 200),
            ("if-unmodified-since", "Sat, 21 Nov 2026 08:59:59 GMT", 412),
            ("if-unmodified-since", "yesterday", 200),
        ] {
            let read = check_read(&headers(name, value), "", &object());
            assert_eq!(
                read.map_or_else(|error| error.status(), |()| 200),
                status,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn writing_depends_on_what_is_there() {
        let check = |name, value, current: Option<&Object>| {
            check_write(&headers(name, value), "key", current).map_or_else(|error| error.status(), |()| 200)
        };
        let object = object();
        let marker = Object {
            marker: true,
            ..object.clone()
        };
        assert_eq!(check("if-none-match", "*", None), 200);
        assert_eq!(check("if-none-match", "*", Some(&marker)), 200);
        assert_eq!(check("if-none-match", "*", Some(&object)), 412);
        assert_eq!(check("if-match", "\"abc\"", Some(&object)), 200);
        assert_eq!(check("if-match", "\"def\"", Some(&object)), 412);
        assert_eq!(check("if-match", "\"abc\"", None), 404);
    }
}
