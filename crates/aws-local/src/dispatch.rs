//! Which service and operation a request means. AWS's JSON services name both in `X-Amz-Target`, its REST
//! services by method and path, the older ones by a form field; the signature's scope names the service in
//! every case.

use bytes::Bytes;
use http::{Method, Request};

use crate::durable::DurableCall;
use crate::error::Protocol;
use crate::s3::{self, S3Call};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call {
    DynamoDb {
        operation: String,
    },
    /// Lambda's durable executions.
    Durable(DurableCall),
    Events {
        operation: String,
    },
    Lambda(LambdaCall),
    S3(S3Call),
    Ses(SesCall),
    Sqs {
        operation: String,
    },
    StepFunctions {
        operation: String,
    },
    Sts(StsCall),
    /// Something that the stand-ins don't do.
    Unsupported {
        service: String,
        operation: String,
        protocol: Protocol,
    },
}

/// The operations of Lambda that are answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LambdaCall {
    Invoke { function: String },
    GetFunction { function: String },
    GetFunctionConfiguration { function: String },
    ListFunctions,
}

/// The operations of STS that are answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StsCall {
    GetCallerIdentity,
}

/// The operations of SES v2 that are answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SesCall {
    SendEmail,
    GetAccount,
    CreateEmailIdentity,
    ListEmailIdentities,
    GetEmailIdentity { identity: String },
    DeleteEmailIdentity { identity: String },
    CreateConfigurationSet,
    ListConfigurationSets,
    GetConfigurationSet { set: String },
    DeleteConfigurationSet { set: String },
    PutConfigurationSetOptions { set: String, options: &'static str },
    CreateConfigurationSetEventDestination { set: String },
    GetConfigurationSetEventDestinations { set: String },
    UpdateConfigurationSetEventDestination { set: String, name: String },
    DeleteConfigurationSetEventDestination { set: String, name: String },
}

impl SesCall {
    fn name(&self) -> &'static str {
        match self {
            Self::SendEmail => "SendEmail",
            Self::GetAccount => "GetAccount",
            Self::CreateEmailIdentity => "CreateEmailIdentity",
            Self::ListEmailIdentities => "ListEmailIdentities",
            Self::GetEmailIdentity { .. } => "GetEmailIdentity",
            Self::DeleteEmailIdentity { .. } => "DeleteEmailIdentity",
            Self::CreateConfigurationSet => "CreateConfigurationSet",
            Self::ListConfigurationSets => "ListConfigurationSets",
            Self::GetConfigurationSet { .. } => "GetConfigurationSet",
            Self::DeleteConfigurationSet { .. } => "DeleteConfigurationSet",
            Self::PutConfigurationSetOptions { .. } => "PutConfigurationSetOptions",
            Self::CreateConfigurationSetEventDestination { .. } => "CreateConfigurationSetEventDestination",
            Self::GetConfigurationSetEventDestinations { .. } => "GetConfigurationSetEventDestinations",
            Self::UpdateConfigurationSetEventDestination { .. } => "UpdateConfigurationSetEventDestination",
            Self::DeleteConfigurationSetEventDestination { .. } => "DeleteConfigurationSetEventDestination",
        }
    }
}

impl Call {
    /// The service and the operation, for a log or an error.
    pub(crate) fn names(&self) -> (&str, &str) {
        match self {
            Call::DynamoDb { operation } => ("DynamoDB", operation),
            Call::Durable(call) => ("Lambda", call.name()),
            Call::Events { operation } => ("EventBridge", operation),
            Call::Sqs { operation } => ("SQS", operation),
            Call::StepFunctions { operation } => ("Step Functions", operation),
            Call::Lambda(LambdaCall::Invoke { .. }) => ("Lambda", "Invoke"),
            Call::Lambda(LambdaCall::GetFunction { .. }) => ("Lambda", "GetFunction"),
            Call::Lambda(LambdaCall::GetFunctionConfiguration { .. }) => {
                ("Lambda", "GetFunctionConfiguration")
            }
            Call::Lambda(LambdaCall::ListFunctions) => ("Lambda", "ListFunctions"),
            Call::S3(call) => ("S3", call.operation.name()),
            Call::Ses(call) => ("SES", call.name()),
            Call::Sts(StsCall::GetCallerIdentity) => ("STS", "GetCallerIdentity"),
            Call::Unsupported {
                service, operation, ..
            } => (service, operation),
        }
    }

    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Call::DynamoDb { .. } | Call::Sqs { .. } | Call::StepFunctions { .. } => Protocol::Json10,
            Call::Events { .. } => Protocol::Json11,
            Call::Durable(_) | Call::Lambda(_) | Call::Ses(_) => Protocol::Rest,
            Call::S3(_) => Protocol::RestXml,
            Call::Sts(_) => Protocol::Query,
            Call::Unsupported { protocol, .. } => *protocol,
        }
    }
}

/// Reads what `request` asks for.
pub(crate) fn read(request: &Request<Bytes>) -> Call {
    if let Some(target) = header(request, "x-amz-target") {
        return by_target(request, target);
    }
    // Before any path is looked at: a bucket may be called v2, and its keys anything.
    if s3::is_signed_for_s3(request, signed_service(request)) {
        return by_bucket(request);
    }
    let path: Vec<String> = request
        .uri()
        .path()
        .split('/')
        .skip(1)
        .map(percent_decoded)
        .collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (request.method(), path.as_slice()) {
        (&Method::POST, ["2015-03-31", "functions", function, "invocations"]) => {
            Call::Lambda(LambdaCall::Invoke {
                function: (*function).to_owned(),
            })
        }
        (&Method::GET, ["2015-03-31", "functions", function]) if !function.is_empty() => {
            Call::Lambda(LambdaCall::GetFunction {
                function: (*function).to_owned(),
            })
        }
        (&Method::GET, ["2015-03-31", "functions", function, "configuration"]) => {
            Call::Lambda(LambdaCall::GetFunctionConfiguration {
                function: (*function).to_owned(),
            })
        }
        (&Method::GET, ["2015-03-31", "functions"] | ["2015-03-31", "functions", ""]) => {
            Call::Lambda(LambdaCall::ListFunctions)
        }
        (method, ["2025-12-01", rest @ ..]) => Call::Durable(DurableCall::read(method, rest)),
        (method, ["v2", "email", rest @ ..]) => ses(method, rest).map_or_else(|| by_form(request), Call::Ses),
        _ if s3::may_be_anonymous(request) => by_bucket(request),
        _ => by_form(request),
    }
}

fn ses(method: &Method, path: &[&str]) -> Option<SesCall> {
    match (method.as_str(), path) {
        ("POST", ["outbound-emails"]) => Some(SesCall::SendEmail),
        ("GET", ["account"]) => Some(SesCall::GetAccount),
        ("POST", ["identities"]) => Some(SesCall::CreateEmailIdentity),
        ("POST", ["list-identities"]) => Some(SesCall::ListEmailIdentities),
        ("GET", ["identities", identity]) => Some(SesCall::GetEmailIdentity {
            identity: (*identity).to_owned(),
        }),
        ("DELETE", ["identities", identity]) => Some(SesCall::DeleteEmailIdentity {
            identity: (*identity).to_owned(),
        }),
        ("POST", ["configuration-sets"]) => Some(SesCall::CreateConfigurationSet),
        // A list by POST since 2026, by GET before.
        ("POST", ["list-configuration-sets"]) | ("GET", ["configuration-sets"]) => {
            Some(SesCall::ListConfigurationSets)
        }
        (method, ["configuration-sets", set, rest @ ..]) => {
            configuration_set(method, (*set).to_owned(), rest)
        }
        _ => None,
    }
}

fn configuration_set(method: &str, set: String, path: &[&str]) -> Option<SesCall> {
    Some(match (method, path) {
        ("GET", []) => SesCall::GetConfigurationSet { set },
        ("DELETE", []) => SesCall::DeleteConfigurationSet { set },
        ("PUT", [options]) => {
            let options = match *options {
                "archiving-options" => "ArchivingOptions",
                "delivery-options" => "DeliveryOptions",
                "reputation-options" => "ReputationOptions",
                "sending" => "SendingOptions",
                "suppression-options" => "SuppressionOptions",
                "tracking-options" => "TrackingOptions",
                "vdm-options" => "VdmOptions",
                _ => return None,
            };
            SesCall::PutConfigurationSetOptions { set, options }
        }
        ("POST", ["event-destinations"]) => SesCall::CreateConfigurationSetEventDestination { set },
        ("GET", ["event-destinations"]) => SesCall::GetConfigurationSetEventDestinations { set },
        ("PUT", ["event-destinations", name]) => SesCall::UpdateConfigurationSetEventDestination {
            set,
            name: (*name).to_owned(),
        },
        ("DELETE", ["event-destinations", name]) => SesCall::DeleteConfigurationSetEventDestination {
            set,
            name: (*name).to_owned(),
        },
        _ => return None,
    })
}

fn by_bucket(request: &Request<Bytes>) -> Call {
    match s3::read(request) {
        Ok(call) => Call::S3(call),
        Err(operation) => Call::Unsupported {
            service: "S3".to_owned(),
            operation,
            protocol: Protocol::RestXml,
        },
    }
}

fn by_target(request: &Request<Bytes>, target: &str) -> Call {
    let (prefix, operation) = target.rsplit_once('.').unwrap_or(("", target));
    match prefix {
        "DynamoDB_20120810" | "DynamoDBStreams_20120810" => Call::DynamoDb {
            operation: operation.to_owned(),
        },
        "AWSEvents" => Call::Events {
            operation: operation.to_owned(),
        },
        "AmazonSQS" => Call::Sqs {
            operation: operation.to_owned(),
        },
        "AWSStepFunctions" => Call::StepFunctions {
            operation: operation.to_owned(),
        },
        _ => {
            let service = signed_service(request).unwrap_or(prefix).to_owned();
            let content_type = header(request, "content-type").unwrap_or_default();
            let protocol = if content_type.ends_with("json-1.1") {
                Protocol::Json11
            } else {
                Protocol::Json10
            };
            Call::Unsupported {
                service,
                operation: operation.to_owned(),
                protocol,
            }
        }
    }
}

/// The older services name the operation by a field. What is left is nothing that the stand-ins do.
fn by_form(request: &Request<Bytes>) -> Call {
    let service = signed_service(request).unwrap_or("an unknown service").to_owned();
    let form = header(request, "content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if form && let Some(action) = form_action(request.body()) {
        if service == "sts" && action == "GetCallerIdentity" {
            return Call::Sts(StsCall::GetCallerIdentity);
        }
        return Call::Unsupported {
            service,
            operation: action,
            protocol: Protocol::Query,
        };
    }
    Call::Unsupported {
        service,
        operation: format!("{} {}", request.method(), request.uri().path()),
        protocol: Protocol::Rest,
    }
}

/// The service in `Credential=AKID/20261121/us-east-1/states/aws4_request`.
fn signed_service(request: &Request<Bytes>) -> Option<&str> {
    let authorization = header(request, "authorization")?;
    let (_, scope) = authorization.split_once("Credential=")?;
    scope.split([',', ' ']).next()?.split('/').nth(3)
}

fn form_action(body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    body.split('&')
        .find_map(|field| field.strip_prefix("Action="))
        .map(percent_decoded)
}

/// Where the caller asked: the host's name, with its port.
pub(crate) fn host(request: &Request<Bytes>) -> Option<&str> {
    header(request, "host").or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// `%3A` and the like as the characters they stand for. What isn't an escape is left as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok());
        if let Some(byte) = escape {
            out.extend(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The characters that stand for others as `%3A` and the like, but for letters, digits and those of `kept`.
pub(crate) fn percent_encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(request: http::request::Builder, body: &'static str) -> Call {
        read(
            &request
                .body(Bytes::from_static(body.as_bytes()))
                .expect("a request"),
        )
    }

    #[test]
    fn a_target_names_service_and_operation() {
        let request = Request::post("/").header("x-amz-target", "DynamoDB_20120810.PutItem");
        assert_eq!(
            call(request, "{}"),
            Call::DynamoDb {
                operation: "PutItem".to_owned()
            }
        );
    }

    #[test]
    fn a_function_is_named_by_an_escaped_arn() {
        let path =
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A1%3Afunction%3Aalice/invocations";
        let function = "arn:aws:lambda:eu-central-1:1:function:alice".to_owned();
        assert_eq!(
            call(Request::post(path), ""),
            Call::Lambda(LambdaCall::Invoke { function })
        );
    }

    #[test]
    fn what_is_not_embedded_keeps_its_name() {
        let signed =
            "AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/sts/aws4_request, SignedHeaders=host";
        let request = Request::post("/")
            .header("authorization", signed)
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let expected = Call::Unsupported {
            service: "sts".to_owned(),
            operation: "AssumeRole".to_owned(),
            protocol: Protocol::Query,
        };
        assert_eq!(call(request, "Action=AssumeRole&Version=2011-06-15"), expected);
        let signed = signed.replace("sts", "s3");
        let request = Request::get("/bucket?policy").header("authorization", signed);
        let expected = Call::Unsupported {
            service: "S3".to_owned(),
            operation: "GET of policy".to_owned(),
            protocol: Protocol::RestXml,
        };
        assert_eq!(call(request, ""), expected);
    }

    #[test]
    fn a_signature_for_s3_counts_more_than_the_path() {
        let signed =
            "AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/s3/aws4_request, SignedHeaders=host";
        let request = Request::get("/v2/email/account").header("authorization", signed);
        let expected = S3Call {
            operation: s3::Operation::GetObject,
            bucket: "v2".to_owned(),
            key: "email/account".to_owned(),
        };
        assert_eq!(call(request, ""), Call::S3(expected));
    }

    #[test]
    fn escapes_that_are_none_are_left() {
        assert_eq!(percent_decoded("100%25 %zz %"), "100% %zz %");
    }
}
