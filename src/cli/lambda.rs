//! The program as a Lambda function: what is run when it is started with no command where Lambda's runtime API is.
//! Reads the configuration and makes the clients, once for each process; then hands each event to [`Lambda`].

use super::Failure;
use super::client::exchange;
use super::serve::{configuration, variables};
use super::system::{fill_random, system_clock};
use crate::app::{App, aws_of_environment};
use crate::config::{self, Runs};
use crate::flow::{Clock, Random};
use crate::intake::invoke::InvokeError;
use crate::lambda::{Lambda, WakeQueue};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// Where Lambda's runtime API is, for a process that Lambda starts.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// What `lambda_runtime` panics without. Lambda sets all of them.
const NEEDED: [&str; 3] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Whether this process was started by Lambda.
pub(super) fn is_wanted() -> bool {
    std::env::args_os().len() <= 1 && std::env::var_os(RUNTIME_API).is_some()
}

/// Answers events until Lambda ends the process.
pub(super) async fn run() -> Result<(), Failure> {
    let clock = &system_clock();
    let lambda = match start(clock).await {
        Ok(lambda) => lambda,
        Err(failure) => {
            tell_lambda(&failure).await;
            return Err(failure);
        }
    };
    let lambda = &lambda;
    let answer = async |event: LambdaEvent<Box<RawValue>>| -> Result<Value, Diagnostic> {
        let deadline = deadline(event.context.deadline, clock);
        lambda.answer(event.payload.get(), deadline).await.map_err(told)
    };
    lambda_runtime::Runtime::new(service_fn(answer))
        .run()
        .await
        .map_err(|error| Failure::failed(format!("Lambda's runtime API: {error}")))
}

async fn start(clock: &Clock) -> Result<Lambda, Failure> {
    for name in NEEDED {
        if std::env::var_os(name).is_none() {
            return Err(Failure::usage(format!(
                "{RUNTIME_API} is set, but not {name}: it isn't Lambda that started this"
            )));
        }
    }
    let file = std::env::var_os("COUNTERSIGN_CONFIG").map(PathBuf::from);
    let text = configuration(file.as_deref())?;
    let read = config::read(text.as_deref(), variables(), Runs::Function, &|path| {
        std::fs::read(path)
    })
    .map_err(|error| Failure::usage(error.to_string()))?;
    let aws = aws_of_environment().await;
    let app = App::new(read.config, &aws, clock.clone(), Random::new(fill_random));
    let queues = app.queues();
    let wakes = read.wake_queue.map(|url| WakeQueue::new(queues, url));
    Ok(Lambda::new(app, read.function, wakes))
}

/// When an event has to be answered, which Lambda says in milliseconds since 1970.
fn deadline(at: u64, clock: &Clock) -> Instant {
    let now = Duration::from_millis(clock.now().as_millisecond().unsigned_abs());
    Instant::now() + Duration::from_millis(at).saturating_sub(now)
}

/// The error as the workflow sees it: its type is what `Retry` and `Catch` name.
fn told(error: InvokeError) -> Diagnostic {
    Diagnostic {
        error_type: error.error_type.to_owned(),
        error_message: error.message,
    }
}

/// Why the function can't be started, so that whoever invokes it reads it there, and not only in the log.
async fn tell_lambda(failure: &Failure) {
    let api = std::env::var(RUNTIME_API).unwrap_or_default();
    let error = json!({"errorType": "Runtime.ConfigurationInvalid", "errorMessage": failure.message});
    let request = Request::post(format!("http://{api}/2018-06-01/runtime/init/error"))
        .header(
            "Lambda-Runtime-Function-Error-Type",
            "Runtime.ConfigurationInvalid",
        )
        .body(Full::new(Bytes::from(error.to_string())));
    if let Ok(request) = request {
        // What went wrong is in the log in any case.
        let _ = exchange(request).await;
    }
}
