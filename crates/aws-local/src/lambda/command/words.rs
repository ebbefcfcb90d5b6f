//! What is said to a function's process and about it, in the form and the words of Lambda.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::{HeaderName, HeaderValue, Response};
use http_body_util::Full;

use super::Inner;
use crate::lambda::api::MEMORY;
use crate::lambda::function::{Asked, FunctionError};
use crate::lambda::function_arn;
use crate::lambda::output::tail_of;

/// The answer to who asks for work.
pub(super) fn event(pool: &Inner, asked: &Asked, due: i64) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(asked.payload.clone().into_text()));
    let trace = asked.trace.clone().unwrap_or_else(|| {
        let hex = HEXLOWER.encode(&pool.source.bytes::<20>());
        let seconds = pool.source.now().as_second();
        format!(
            "Root=1-{seconds:08x}-{};Parent={};Sampled=0",
            &hex[..24],
            &hex[24..]
        )
    });
    let headers = [
        ("content-type", Some("application/json".to_owned())),
        ("lambda-runtime-aws-request-id", Some(asked.request_id.clone())),
        ("lambda-runtime-deadline-ms", Some(due.to_string())),
        (
            "lambda-runtime-invoked-function-arn",
            Some(function_arn(&pool.name)),
        ),
        ("lambda-runtime-trace-id", Some(trace)),
        ("lambda-runtime-client-context", asked.client_context.clone()),
    ];
    for (name, value) in headers {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The end of an invocation's log, as Invoke's `LogType: Tail` gives it.
pub(super) fn log(request_id: &str, printed: &str, took: Duration, error: Option<&FunctionError>) -> String {
    let milliseconds = took.as_secs_f64() * 1000.0;
    let status = match error.map(|error| error.error_type.as_str()) {
        Some("Sandbox.Timedout") => "\tStatus: timeout".to_owned(),
        Some(error_type) if error_type.starts_with("Runtime.") => {
            format!("\tStatus: error\tError Type: {error_type}")
        }
        _ => String::new(),
    };
    let line_end = if printed.is_empty() || printed.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    tail_of(format!(
        "START RequestId: {request_id} Version: $LATEST\n{printed}{line_end}END RequestId: {request_id}\n\
         REPORT RequestId: {request_id}\tDuration: {milliseconds:.2} ms\tBilled Duration: {:.0} ms\t\
         Memory Size: {MEMORY} MB{status}\n",
        milliseconds.ceil(),
    ))
}

/// The error when a process has ended in the middle of its work.
pub(super) fn exited(status: std::io::Result<ExitStatus>, request_id: &str) -> FunctionError {
    let status = match status {
        Ok(status) => status,
        Err(error) => return exited_with(&error.to_string(), request_id),
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => {
            let what = "Runtime exited without providing a reason";
            FunctionError::of_lambda("Runtime.ExitError", request_id, what)
        }
        (Some(code), _) => exited_with(&format!("exit status {code}"), request_id),
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            let name = SIGNALS
                .iter()
                .find(|(number, _)| *number == signal)
                .map(|(_, name)| *name);
            let name = name.map_or_else(|| format!("signal {signal}"), str::to_owned);
            let core = if status.core_dumped() {
                " (core dumped)"
            } else {
                ""
            };
            exited_with(&format!("signal: {name}{core}"), request_id)
        }
    }
}

/// The signals that end a process, under the names by which Lambda calls them.
const SIGNALS: [(i32, &str); 11] = [
    (1, "hangup"),
    (2, "interrupt"),
    (3, "quit"),
    (4, "illegal instruction"),
    (6, "aborted"),
    (8, "floating point exception"),
    (9, "killed"),
    (11, "segmentation fault"),
    (13, "broken pipe"),
    (14, "alarm clock"),
    (15, "terminated"),
];

/// The error when a process ends instead of answering, in Lambda's words.
pub(in crate::lambda) fn exited_with(how: &str, request_id: &str) -> FunctionError {
    let what = format_args!("Runtime exited with error: {how}").to_string();
    FunctionError::of_lambda("Runtime.ExitError", request_id, what)
}
