//! Which S3 operation a request means, on which bucket and key: by method, path, host and the query.

use bytes::Bytes;
use http::{Method, Request, header};

use crate::dispatch::percent_decoded;

macro_rules! operations {
    ($($name:ident,)*) => {
        /// The operations of S3 that are answered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $($name,)*
        }

        impl Operation {
            /// As AWS names it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Operation::$name => stringify!($name),)*
                }
            }

            /// The operation of this name.
            pub(crate) fn by_name(name: &str) -> Option<Operation> {
                match name {
                    $(stringify!($name) => Some(Operation::$name),)*
                    _ => None,
                }
            }
        }
    };
}

operations! {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    GetBucketVersioning,
    PutBucketVersioning,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListMultipartUploads,
    DeleteObjects,
    PutObject,
    CopyObject,
    GetObject,
    HeadObject,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
}

/// What a request to S3 asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct S3Call {
    pub(crate) operation: Operation,
    /// Empty where the operation has none.
    pub(crate) bucket: String,
    /// Empty where the operation has none.
    pub(crate) key: String,
}

/// Query fields that name a part of a bucket or an object that isn't kept here.
const ELSEWHERE: [&str; 26] = [
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "website",
];

/// Reads what `request` asks of S3; the operation's description where it isn't embedded.
pub(crate) fn read(request: &Request<Bytes>) -> Result<S3Call, String> {
    let (bucket, key) = address(request);
    let query = Query::of(request);
    match operation(request, &bucket, &key, &query) {
        Some(operation) => Ok(S3Call {
            operation,
            bucket,
            key,
        }),
        None => Err(match ELSEWHERE.iter().find(|name| query.has(name)) {
            Some(part) => format!("{} of {part}", request.method()),
            None => format!("{} {}", request.method(), request.uri().path()),
        }),
    }
}

fn operation(request: &Request<Bytes>, bucket: &str, key: &str, query: &Query) -> Option<Operation> {
    use Operation as O;
    if ELSEWHERE.iter().any(|name| query.has(name)) {
        return None;
    }
    let copies = request.headers().contains_key("x-amz-copy-source");
    let (bucket, key) = (!bucket.is_empty(), !key.is_empty());
    let upload = query.has("uploadId");
    Some(match (request.method().as_str(), bucket, key) {
        ("GET", false, _) => O::ListBuckets,
        ("GET", true, false) if query.has("location") => O::GetBucketLocation,
        ("GET", true, false) if query.has("versioning") => O::GetBucketVersioning,
        ("GET", true, false) if query.has("versions") => O::ListObjectVersions,
        ("GET", true, false) if query.has("uploads") => O::ListMultipartUploads,
        ("GET", true, false) if query.get("list-type") == Some("2") => O::ListObjectsV2,
        ("GET", true, false) => O::ListObjects,
        ("HEAD", true, false) => O::HeadBucket,
        ("PUT", true, false) if query.has("versioning") => O::PutBucketVersioning,
        ("PUT", true, false) => O::CreateBucket,
        ("DELETE", true, false) => O::DeleteBucket,
        ("POST", true, false) if query.has("delete") => O::DeleteObjects,
        ("GET", true, true) if upload => O::ListParts,
        ("GET", true, true) => O::GetObject,
        ("HEAD", true, true) => O::HeadObject,
        ("PUT", true, true) if upload && copies => O::UploadPartCopy,
        ("PUT", true, true) if upload => O::UploadPart,
        ("PUT", true, true) if copies => O::CopyObject,
        ("PUT", true, true) => O::PutObject,
        ("DELETE", true, true) if upload => O::AbortMultipartUpload,
        ("DELETE", true, true) => O::DeleteObject,
        ("POST", true, true) if query.has("uploads") => O::CreateMultipartUpload,
        ("POST", true, true) if upload => O::CompleteMultipartUpload,
        _ => return None,
    })
}

/// Whether the request can only be meant for S3: it is signed for it, in a header or in the address, by the
/// present way of signing or by the one before, which S3 alone still has.
pub(crate) fn is_signed_for_s3(request: &Request<Bytes>, signed_service: Option<&str>) -> bool {
    let query = Query::of(request);
    let old_header = request
        .headers()
        .get(header::AUTHORIZATION)
        .is_some_and(|signed| signed.as_bytes().starts_with(b"AWS "));
    signed_service == Some("s3")
        || old_header
        || (query.has("AWSAccessKeyId") && query.has("Signature"))
        || query
            .get("X-Amz-Credential")
            .is_some_and(|scope| scope.split('/').nth(3) == Some("s3"))
}

/// Whether an unsigned request may be one to S3: S3 alone has objects that anybody may ask for by their path.
pub(crate) fn may_be_anonymous(request: &Request<Bytes>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD | Method::PUT)
        && !request.headers().contains_key(header::AUTHORIZATION)
}

/// Bucket and key, by the path (`/bucket/key`) or with the bucket in the host's name.
fn address(request: &Request<Bytes>) -> (String, String) {
    let path = request.uri().path().trim_start_matches('/');
    let leading = request.uri().path().len() - path.len();
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    if let Some(bucket) = host.and_then(bucket_of_host) {
        // A key may begin with a slash of its own.
        let key = request.uri().path().get(1..).unwrap_or_default();
        return (bucket, percent_decoded(key));
    }
    let path = if leading > 1 {
        &request.uri().path()[1..]
    } else {
        path
    };
    match path.split_once('/') {
        Some((bucket, key)) => (percent_decoded(bucket), percent_decoded(key)),
        None => (percent_decoded(path), String::new()),
    }
}

/// Whether the host's name is a bucket's, as with virtual-hosted addresses.
pub(crate) fn names_a_bucket(request: &Request<Bytes>) -> bool {
    crate::dispatch::host(request).and_then(bucket_of_host).is_some()
}

/// The bucket in `bucket.s3.eu-central-1.amazonaws.com`, `bucket.s3.localhost` or `bucket.localhost`.
fn bucket_of_host(host: &str) -> Option<String> {
    let host = host.split(':').next()?.to_ascii_lowercase();
    let bucket = if let Some(name) = host.strip_suffix(".localhost") {
        match name.strip_suffix(".s3") {
            Some(bucket) => bucket.to_owned(),
            None if name == "s3" => return None,
            None => name.to_owned(),
        }
    } else if host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn") {
        let at = [".s3.", ".s3-"]
            .iter()
            .filter_map(|mark| host.rfind(mark))
            .max()?;
        host[..at].to_owned()
    } else {
        return None;
    };
    (!bucket.is_empty()).then_some(bucket)
}

/// The fields of a query.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(request: &Request<Bytes>) -> Query {
        Query::parse(request.uri().query().unwrap_or_default())
    }

    pub(crate) fn parse(query: &str) -> Query {
        let decoded = |text: &str| percent_decoded(&text.replace('+', " "));
        Query(
            query
                .split('&')
                .filter(|field| !field.is_empty())
                .map(|field| {
                    let (name, value) = field.split_once('=').unwrap_or((field, ""));
                    (decoded(name), decoded(value))
                })
                .collect(),
        )
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// The field's value unless it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, address: &str) -> Result<S3Call, String> {
        let request = Request::builder().method(method).uri(address);
        read(&request.body(Bytes::new()).expect("a request"))
    }

    fn expected(operation: Operation, bucket: &str, key: &str) -> S3Call {
        S3Call {
            operation,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }
    }

    #[test]
    fn a_bucket_is_named_by_the_path_or_by_the_host() {
        for address in [
            "http://127.0.0.1:8086/my.bucket/a%20b/c%2Fd",
            "https://s3.us-east-1.amazonaws.com/my.bucket/a%20b/c/d",
            "https://my.bucket.s3.us-east-1.amazonaws.com/a%20b/c/d",
            "https://my.bucket.s3.amazonaws.com/a%20b/c/d",
            "https://my.bucket.s3-eu-west-1.amazonaws.com/a%20b/c/d",
            "http://my.bucket.s3.localhost:8086/a%20b/c/d",
            "http://my.bucket.localhost:8086/a%20b/c/d",
            "http://s3.localhost:8086/my.bucket/a%20b/c/d",
        ] {
            let read = call("GET", address);
            assert_eq!(
                read,
                Ok(expected(Operation::GetObject, "my.bucket", "a b/c/d")),
                "{address}"
            );
        }
    }

    #[test]
    fn a_key_keeps_its_slashes() {
        assert_eq!(
            call("PUT", "http://localhost/bucket//a//"),
            Ok(expected(Operation::PutObject, "bucket", "/a//"))
        );
        assert_eq!(
            call("PUT", "https://bucket.s3.amazonaws.com//a"),
            Ok(expected(Operation::PutObject, "bucket", "/a"))
        );
    }

    #[test]
    fn the_query_tells_operations_apart() {
        for (method, query, operation) in [
            ("GET", "?list-type=2&prefix=a", Operation::ListObjectsV2),
            ("GET", "?prefix=a", Operation::ListObjects),
            ("GET", "?versions", Operation::ListObjectVersions),
            ("POST", "?delete", Operation::DeleteObjects),
            ("PUT", "", Operation::CreateBucket),
        ] {
            let read = call(method, &format!("http://localhost/bucket{query}"));
            assert_eq!(read, Ok(expected(operation, "bucket", "")), "{method} {query}");
        }
        assert_eq!(
            call("POST", "http://localhost/bucket/key?uploads"),
            Ok(expected(Operation::CreateMultipartUpload, "bucket", "key"))
        );
        assert_eq!(
            call("GET", "http://localhost/bucket?policy"),
            Err("GET of policy".to_owned())
        );
    }
}
