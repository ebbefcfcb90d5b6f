//! Refusals, in the form in which each of AWS's protocols writes them, and answers.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Map, Value};

use crate::s3::escaped;

/// Which of AWS's protocols a client speaks, and so how its answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `application/x-amz-json-1.0` (DynamoDB, Step Functions, SQS).
    Json10,
    /// `application/x-amz-json-1.1` (EventBridge, Secrets Manager, …).
    Json11,
    /// JSON at resources (Lambda, SES v2).
    Rest,
    /// Form in, XML out (STS, IAM, SNS, …).
    Query,
    /// XML at resources (S3).
    RestXml,
}

/// A refusal, as AWS names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AwsError(Box<Refusal>);

#[derive(Clone, Debug, PartialEq)]
struct Refusal {
    status: StatusCode,
    code: String,
    message: String,
    more: Map<String, Value>,
    /// The whole body, where a service has written it already.
    body: Option<String>,
    headers: Vec<(header::HeaderName, String)>,
}

impl AwsError {
    /// A refusal with status 400: the caller's mistake.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> AwsError {
        AwsError::with_status(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn with_status(status: StatusCode, code: &str, message: impl Into<String>) -> AwsError {
        AwsError(Box::new(Refusal {
            status,
            code: code.to_owned(),
            message: message.into(),
            more: Map::new(),
            body: None,
            headers: Vec::new(),
        }))
    }

    /// A further member of the error, which a modelled exception has.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> AwsError {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    /// A header of the answer.
    pub(crate) fn with_header(mut self, name: header::HeaderName, value: &str) -> AwsError {
        self.0.headers.push((name, value.to_owned()));
        self
    }

    /// A refusal that a service has written in JSON by itself.
    pub(crate) fn written(status: u16, code: &str, body: String) -> AwsError {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut error = AwsError::with_status(status, code, "");
        error.0.body = Some(body);
        error
    }

    /// Our own fault, such as a disk that is full.
    pub(crate) fn internal(code: &str, reason: impl std::fmt::Display) -> AwsError {
        AwsError::with_status(StatusCode::INTERNAL_SERVER_ERROR, code, reason.to_string())
    }

    /// The stand-ins were stopped.
    pub(crate) fn ended() -> AwsError {
        AwsError::with_status(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "the embedded AWS has ended",
        )
    }

    /// The operation exists at AWS and not here.
    pub(crate) fn not_embedded(service: &str, operation: &str) -> AwsError {
        AwsError::with_status(
            StatusCode::NOT_IMPLEMENTED,
            "UnsupportedOperation",
            format!("{operation} of {service} isn't part of the embedded AWS"),
        )
    }

    pub(crate) fn code(&self) -> &str {
        &self.0.code
    }

    pub(crate) fn status(&self) -> u16 {
        self.0.status.as_u16()
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// The whole body, where a service has written it.
    pub(crate) fn body(&self) -> Option<&str> {
        self.0.body.as_deref()
    }

    /// A header that the answer has.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.0.headers.iter();
        headers
            .find(|(has, _)| has == name)
            .map(|(_, value)| value.as_str())
    }

    fn into_response(self, protocol: Protocol, request_id: &str) -> Response<Bytes> {
        let Refusal {
            status,
            code,
            message,
            more,
            body,
            headers,
        } = *self.0;
        let body = match (body, protocol) {
            (Some(body), _) => body,
            (None, Protocol::Json10 | Protocol::Json11) => {
                let mut body = Map::new();
                body.insert("__type".to_owned(), code.clone().into());
                body.insert("message".to_owned(), message.into());
                body.extend(more);
                Value::Object(body).to_string()
            }
            (None, Protocol::Rest) => {
                let mut body = Map::new();
                body.insert("message".to_owned(), message.into());
                body.extend(more);
                Value::Object(body).to_string()
            }
            (None, Protocol::Query) => format!(
                "<ErrorResponse><Error><Type>{}</Type><Code>{}</Code><Message>{}</Message></Error>\
                 <RequestId>{request_id}</RequestId></ErrorResponse>",
                if status.is_client_error() {
                    "Sender"
                } else {
                    "Receiver"
                },
                escaped(&code),
                escaped(&message),
            ),
            (None, Protocol::RestXml) => {
                let more: Vec<String> = more
                    .iter()
                    .map(|(name, value)| {
                        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        format!("<{name}>{}</{name}>", escaped(&value))
                    })
                    .collect();
                let more = more.concat();
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>\
                     {more}<RequestId>{request_id}</RequestId><HostId>embedded</HostId></Error>",
                    escaped(&code),
                    escaped(&message),
                )
            }
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        if protocol == Protocol::Rest
            && let Ok(code) = header::HeaderValue::from_str(&code)
        {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        for (name, value) in headers {
            if let Ok(value) = header::HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// What an operation answers with: a JSON value of status 200, or a whole response.
pub(crate) enum Answer {
    Json(Value),
    /// JSON text that a service has written already.
    Text(String),
    Whole(Response<Bytes>),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Answer {
        Answer::Json(value)
    }
}

/// Writes the response that `protocol`'s clients expect.
pub(crate) fn respond(
    answer: Result<Answer, AwsError>,
    protocol: Protocol,
    request_id: &str,
) -> Response<Bytes> {
    let mut response = match answer {
        Ok(Answer::Json(value)) => Response::new(Bytes::from(value.to_string())),
        Ok(Answer::Text(text)) => Response::new(Bytes::from(text)),
        Ok(Answer::Whole(response)) => response,
        Err(error) => error.into_response(protocol, request_id),
    };
    let content_type = match protocol {
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::Rest => "application/json",
        Protocol::Query => "text/xml",
        Protocol::RestXml => "application/xml",
    };
    let headers = response.headers_mut();
    headers
        .entry(header::CONTENT_TYPE)
        .or_insert(header::HeaderValue::from_static(content_type));
    if let Ok(request_id) = header::HeaderValue::from_str(request_id) {
        if protocol == Protocol::RestXml {
            headers.insert("x-amz-request-id", request_id);
            headers.insert("x-amz-id-2", header::HeaderValue::from_static("embedded"));
        } else {
            headers.insert("x-amzn-requestid", request_id);
        }
    }
    response
}

/// The body of a JSON operation. An empty one counts as `{}`, as with AWS.
pub(crate) fn json_object(body: &[u8]) -> Result<Map<String, Value>, AwsError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(AwsError::new(
            "SerializationException",
            "The request is no JSON object.",
        )),
    }
}
