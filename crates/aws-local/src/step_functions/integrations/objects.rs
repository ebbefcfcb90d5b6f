//! `aws-sdk:s3:…`: parameters become a request of S3's, its headers and XML a result.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use roxmltree::Node;
use serde_json::{Map, Value, json};

use crate::dispatch::percent_encoded;
use crate::error::{Answer, AwsError};
use crate::s3::{Operation, S3Call, escaped};
use crate::step_functions::engine::Engine;

/// Parameters and members of results that are headers.
const HEADERS: [(&str, &str); 22] = [
    ("AcceptRanges", "accept-ranges"),
    ("CacheControl", "cache-control"),
    ("ContentDisposition", "content-disposition"),
    ("ContentEncoding", "content-encoding"),
    ("ContentLanguage", "content-language"),
    ("ContentLength", "content-length"),
    ("ContentMD5", "content-md5"),
    ("ContentRange", "content-range"),
    ("ContentType", "content-type"),
    ("CopySource", "x-amz-copy-source"),
    ("CopySourceVersionId", "x-amz-copy-source-version-id"),
    ("DeleteMarker", "x-amz-delete-marker"),
    ("ETag", "etag"),
    ("Expires", "expires"),
    ("IfMatch", "if-match"),
    ("IfNoneMatch", "if-none-match"),
    ("LastModified", "last-modified"),
    ("Location", "location"),
    ("MetadataDirective", "x-amz-metadata-directive"),
    ("Range", "range"),
    ("StorageClass", "x-amz-storage-class"),
    ("VersionId", "x-amz-version-id"),
];

/// Parameters that are fields of the query.
const QUERY: [(&str, &str); 10] = [
    ("ContinuationToken", "continuation-token"),
    ("Delimiter", "delimiter"),
    ("FetchOwner", "fetch-owner"),
    ("KeyMarker", "key-marker"),
    ("Marker", "marker"),
    ("MaxKeys", "max-keys"),
    ("PartNumber", "partNumber"),
    ("Prefix", "prefix"),
    ("StartAfter", "start-after"),
    ("VersionId", "versionId"),
];

/// Elements that there may be several of, and the member that they are gathered in.
const LISTS: [(&str, &str); 8] = [
    ("Bucket", "Bucket"),
    ("CommonPrefixes", "CommonPrefixes"),
    ("Contents", "Contents"),
    ("DeleteMarker", "DeleteMarkers"),
    ("Deleted", "Deleted"),
    ("Error", "Errors"),
    ("Upload", "Uploads"),
    ("Version", "Versions"),
];

const META: &str = "x-amz-meta-";

pub(super) async fn call(
    engine: &Engine,
    operation: &str,
    parameters: Map<String, Value>,
) -> Result<Value, AwsError> {
    let known = Operation::by_name(operation).filter(|operation| {
        // These need a body that a workflow has no way to give.
        !matches!(
            operation,
            Operation::UploadPart | Operation::UploadPartCopy | Operation::CompleteMultipartUpload
        )
    });
    let Some(known) = known else {
        return Err(AwsError::not_embedded("S3", operation));
    };
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default();
    let call = S3Call {
        operation: known,
        bucket: text("Bucket").to_owned(),
        key: text("Key").to_owned(),
    };
    let answer = engine
        .services
        .s3
        .call(call, request(&parameters, known)?)
        .await?;
    match answer {
        Answer::Whole(response) => Ok(result(&response, known)),
        Answer::Json(value) => Ok(value),
        Answer::Text(text) => Ok(text.into()),
    }
}

fn request(parameters: &Map<String, Value>, operation: Operation) -> Result<Request<Bytes>, AwsError> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let query: Vec<String> = QUERY
        .iter()
        .filter_map(|(name, field)| {
            let value = plain(parameters.get(*name)?);
            Some(format!("{field}={}", percent_encoded(&value, b"-_.~")))
        })
        .collect();
    let mut request = Request::builder().uri(format!("http://s3.localhost/?{}", query.join("&")));
    for (name, header) in HEADERS {
        if let Some(value) = parameters.get(name) {
            request = request.header(header, plain(value));
        }
    }
    for (name, value) in parameters
        .get("Metadata")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(format!("{META}{name}")),
            HeaderValue::from_str(&plain(value)),
        ) {
            request = request.header(name, value);
        }
    }
    let body = match (operation, parameters.get("Body")) {
        (Operation::PutObject, Some(body)) => plain(body),
        (Operation::DeleteObjects, _) => element("Delete", parameters.get("Delete"), "Object"),
        (Operation::CreateBucket, _) if parameters.contains_key("CreateBucketConfiguration") => element(
            "CreateBucketConfiguration",
            parameters.get("CreateBucketConfiguration"),
            "",
        ),
        (Operation::PutBucketVersioning, _) => element(
            "VersioningConfiguration",
            parameters.get("VersioningConfiguration"),
            "",
        ),
        _ => String::new(),
    };
    request
        .body(body.into())
        .map_err(|error| AwsError::new("InvalidArgument", error.to_string()))
}

/// JSON as an element; each item of a list as an element `item`.
fn element(name: &str, value: Option<&Value>, item: &str) -> String {
    let content = match value {
        Some(Value::Object(members)) => members
            .iter()
            .map(|(name, value)| match value {
                Value::Array(items) => {
                    let items: Vec<String> =
                        items.iter().map(|value| element(item, Some(value), "")).collect();
                    items.concat()
                }
                value => element(name, Some(value), ""),
            })
            .collect::<Vec<_>>()
            .concat(),
        Some(Value::String(text)) => escaped(text),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    format!("<{name}>{content}</{name}>")
}

fn result(response: &http::Response<Bytes>, operation: Operation) -> Value {
    let mut result = Map::new();
    let is_xml = response
        .headers()
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/xml");
    let object = matches!(operation, Operation::GetObject | Operation::HeadObject);
    for (member, header) in HEADERS {
        let value = response
            .headers()
            .get(header)
            .and_then(|value| value.to_str().ok());
        // The type of an answer in XML says nothing of the object.
        if let Some(value) = value.filter(|_| object || !(is_xml && member == "ContentType")) {
            result.insert(member.to_owned(), typed(member, value));
        }
    }
    if object {
        let metadata: Map<String, Value> = response
            .headers()
            .iter()
            .filter_map(|(name, value)| {
                let name = name.as_str().strip_prefix(META)?;
                Some((name.to_owned(), value.to_str().ok()?.into()))
            })
            .collect();
        result.insert("Metadata".to_owned(), metadata.into());
    }
    if operation == Operation::GetObject {
        let body = String::from_utf8_lossy(response.body()).into_owned();
        result.insert("Body".to_owned(), body.into());
    } else if let Ok(text) = std::str::from_utf8(response.body())
        && let Ok(document) = roxmltree::Document::parse(text)
    {
        let read = members(document.root_element());
        match operation {
            Operation::CopyObject => {
                result.insert("CopyObjectResult".to_owned(), read);
            }
            _ => result.extend(read.as_object().cloned().unwrap_or_default()),
        }
    }
    Value::Object(result)
}

/// An element's children as members.
fn members(node: Node<'_, '_>) -> Value {
    let mut read = Map::new();
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        let value = if child.children().any(|inner| inner.is_element()) {
            members(child)
        } else {
            let text: String = child.children().filter_map(|inner| inner.text()).collect();
            typed(name, &text)
        };
        match LISTS.iter().find(|(element, _)| *element == name) {
            // `Buckets` holds nothing but its elements.
            Some(("Bucket", _)) if node.tag_name().name() != "Buckets" => {
                read.insert(name.to_owned(), value);
            }
            Some((_, member)) => {
                let list = read.entry(*member).or_insert_with(|| json!([]));
                if let Some(list) = list.as_array_mut() {
                    list.push(value);
                }
            }
            None => {
                read.insert(name.to_owned(), value);
            }
        }
    }
    match read.remove("Bucket") {
        Some(list) if node.tag_name().name() == "Buckets" => list,
        Some(bucket) => {
            read.insert("Bucket".to_owned(), bucket);
            Value::Object(read)
        }
        None => Value::Object(read),
    }
}

/// A member's value in its type.
fn typed(member: &str, text: &str) -> Value {
    let number = ["ContentLength", "KeyCount", "MaxKeys", "Size"].contains(&member);
    let truth = ["DeleteMarker", "IsLatest", "IsTruncated"].contains(&member);
    if number && let Ok(number) = text.parse::<u64>() {
        return number.into();
    }
    if truth && (text == "true" || text == "false") {
        return (text == "true").into();
    }
    // Headers have another form of time than XML.
    if member == "LastModified"
        && let Ok(time) = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text)
    {
        return time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
    }
    text.into()
}
