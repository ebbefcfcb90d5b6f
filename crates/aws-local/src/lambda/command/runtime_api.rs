//! The [runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) over HTTP: reads what a function's
//! process asks, and writes the answers. What they are is the [`keeper`](super::keeper)'s business.

use bytes::{Bytes, BytesMut};
use data_encoding::BASE64;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use crate::dispatch::percent_decoded;
use crate::lambda::api::{ANSWER, too_large};
use crate::lambda::function::{FunctionError, Payload};

/// The largest head of a request, in bytes: clients send up to a megabyte about an error in one header.
const HEAD: usize = 4 * 1024 * 1024;
/// The most of a body that is read though it is too large, so that the client hears of it.
const READ: usize = 16 * ANSWER;

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";

/// What a process asks.
pub(super) enum Ask {
    /// The next invocation; the answer may take as long as there is none.
    Next,
    /// This is how an invocation ended.
    Answer {
        request_id: String,
        result: Result<Payload, FunctionError>,
        /// What to say instead of `202`.
        refusal: Option<Refusal>,
    },
    /// It couldn't begin.
    InitError(FunctionError),
}

pub(super) type Reply = oneshot::Sender<Response<Full<Bytes>>>;
pub(super) type Asks = mpsc::Sender<(Ask, Reply)>;

/// A refusal as AWS's runtime API words it.
pub(super) struct Refusal(StatusCode, &'static str, String);

impl Refusal {
    /// No invocation of that id is under way.
    pub(super) fn unknown_id() -> Refusal {
        Refusal(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID".to_owned(),
        )
    }

    /// Such as a second answer.
    pub(super) fn not_now(from: &str, to: &str) -> Refusal {
        let message = format!(
            "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
        );
        Refusal(StatusCode::FORBIDDEN, "InvalidStateTransition", message)
    }

    fn too_large() -> Refusal {
        let message = format!("Exceeded maximum allowed payload size ({ANSWER} bytes).");
        Refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
    }

    fn truncated() -> Refusal {
        let message = "HTTP request detected as truncated".to_owned();
        Refusal(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", message)
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let Refusal(status, error_type, message) = self;
        written(status, &json!({"errorMessage": message, "errorType": error_type}))
    }
}

/// `202`: taken.
pub(super) fn accepted() -> Response<Full<Bytes>> {
    written(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}

fn written(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.to_string().into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// Answers what comes over one connection.
pub(super) async fn serve(stream: TcpStream, asks: Asks) {
    let service = hyper::service::service_fn(move |request| {
        let asks = asks.clone();
        async move { Ok::<_, std::convert::Infallible>(respond(request, &asks).await) }
    });
    // An answer is small and waited for.
    let _ = stream.set_nodelay(true);
    let mut http = hyper::server::conn::http1::Builder::new();
    // A connection that breaks is the client's affair.
    let _ = http
        .max_buf_size(HEAD)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn respond(request: Request<Incoming>, asks: &Asks) -> Response<Full<Bytes>> {
    let ask = match read(request).await {
        Ok(ask) => ask,
        Err(refusal) => return refusal.into_response(),
    };
    let (reply, answer) = oneshot::channel();
    if asks.send((ask, reply)).await.is_err() {
        return ending();
    }
    answer.await.unwrap_or_else(|_| ending())
}

fn ending() -> Response<Full<Bytes>> {
    Refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "InternalServerError",
        "the function's environment has ended".to_owned(),
    )
    .into_response()
}

async fn read(request: Request<Incoming>) -> Result<Ask, Refusal> {
    let (parts, body) = request.into_parts();
    // A page in a browser, which can't be a runtime.
    if parts.headers.contains_key("origin") {
        return Err(Refusal(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "for runtimes only".to_owned(),
        ));
    }
    let path: Vec<String> = parts.uri.path().split('/').skip(1).map(percent_decoded).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let ["2018-06-01", "runtime", rest @ ..] = path.as_slice() else {
        return Err(not_found());
    };
    match (&parts.method, rest) {
        (&Method::GET, ["invocation", "next"]) => Ok(Ask::Next),
        (&Method::POST, ["invocation", request_id, "response"]) => answer(request_id, &parts, body).await,
        (&Method::POST, ["invocation", request_id, "error"]) => {
            let body = whole(body).await?;
            Ok(Ask::Answer {
                request_id: (*request_id).to_owned(),
                result: Err(FunctionError::posted(&body.bytes)),
                refusal: None,
            })
        }
        (&Method::POST, ["init", "error"]) => {
            let body = whole(body).await?;
            Ok(Ask::InitError(FunctionError::posted(&body.bytes)))
        }
        (_, ["invocation", "next"] | ["invocation", _, "response" | "error"] | ["init", "error"]) => {
            Err(Refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                format!("{} can't be used here", parts.method),
            ))
        }
        _ => Err(not_found()),
    }
}

fn not_found() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, "NotFound", "404 page not found".to_owned())
}

async fn answer(request_id: &str, parts: &Parts, body: Incoming) -> Result<Ask, Refusal> {
    let request_id = request_id.to_owned();
    let mode = parts.headers.get(RESPONSE_MODE);
    if mode.is_some_and(|mode| mode != "streaming") {
        let error = FunctionError::new(
            "Runtime.InvalidResponseModeHeader",
            "Invalid function response mode",
        );
        return Ok(Ask::Answer {
            request_id,
            result: Err(error),
            refusal: Some(Refusal(
                StatusCode::BAD_REQUEST,
                "InvalidFunctionResponseMode",
                "Invalid function response mode".to_owned(),
            )),
        });
    }
    let body = whole(body).await?;
    let (result, refusal) = if body.too_large {
        (Err(too_large()), Some(Refusal::too_large()))
    } else if let Some(error) = body.trailers.as_ref().and_then(broken_off) {
        (Err(error), None)
    } else {
        (Ok(Payload::Text(body.bytes)), None)
    };
    Ok(Ask::Answer {
        request_id,
        result,
        refusal,
    })
}

/// The error that a function which had begun to stream its answer ended with.
fn broken_off(trailers: &HeaderMap) -> Option<FunctionError> {
    let error_type = trailers.get(ERROR_TYPE)?.to_str().ok()?;
    let body = trailers
        .get(ERROR_BODY)
        .and_then(|body| BASE64.decode(body.as_bytes()).ok());
    Some(match body {
        Some(body) => FunctionError::posted(&body),
        None => FunctionError::new(error_type, ""),
    })
}

#[derive(Default)]
struct Whole {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
    /// Its end is missing.
    too_large: bool,
}

async fn whole(mut body: Incoming) -> Result<Whole, Refusal> {
    let mut whole = Whole::default();
    let (mut bytes, mut length) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| Refusal::truncated())?.into_data() {
            Ok(data) => {
                length += data.len();
                if length <= ANSWER {
                    bytes.extend_from_slice(&data);
                }
            }
            Err(other) => whole.trailers = other.into_trailers().ok(),
        }
        if length > READ {
            break;
        }
    }
    whole.too_large = length > ANSWER;
    whole.bytes = bytes.freeze();
    Ok(whole)
}
