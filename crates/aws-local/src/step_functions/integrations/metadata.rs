//! What an optimised integration tells of the HTTP answer beside the service's own: `SdkHttpMetadata` and
//! `SdkResponseMetadata`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The headers of an answer in AWS's JSON protocol, `length` bytes long, as SQS and Step Functions have them.
pub(super) fn plain_headers(length: usize, now: Timestamp, request_id: &str) -> Vec<(&'static str, String)> {
    vec![
        ("x-amzn-RequestId", request_id.to_owned()),
        ("connection", "keep-alive".to_owned()),
        ("Content-Length", length.to_string()),
        ("Date", date(now)),
        ("Content-Type", "application/x-amz-json-1.0".to_owned()),
    ]
}

/// `Sat, 21 Nov 2026 09:00:00 GMT`.
pub(in super::super) fn date(now: Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Adds the two to an answer.
pub(super) fn add(answer: &mut Value, headers: &[(&'static str, String)], request_id: &str) {
    add_with_status(answer, 200, headers, request_id);
}

/// Adds the two to an answer of that HTTP status.
pub(in super::super) fn add_with_status(
    answer: &mut Value,
    status: u16,
    headers: &[(&'static str, String)],
    request_id: &str,
) {
    let one: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let all: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!([value])))
        .collect();
    answer["SdkHttpMetadata"] = json!({"AllHttpHeaders": all, "HttpHeaders": one, "HttpStatusCode": status});
    answer["SdkResponseMetadata"] = json!({"RequestId": request_id});
}
