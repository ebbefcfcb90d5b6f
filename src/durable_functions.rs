//! Lambda durable functions: answering a callback, beating for it, and asking what became of an execution (Lambda API
//! 2025-12-01). Every error is classified where it happens; the classes are those of `flow/call_back.rs`.

use crate::aws_error::{classify, code_of, unread_history};
use crate::aws_faults::Service;
use crate::domain::callback::{Answered, CallbackMessage, Found, SendError};
use crate::domain::task_token::CallbackId;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{ErrorObject, Event};
use jiff::Timestamp;

/// The events with which an execution ends, and all that waited in it.
const EXECUTION_ENDS: [&str; 4] = [
    "ExecutionSucceeded",
    "ExecutionFailed",
    "ExecutionTimedOut",
    "ExecutionStopped",
];
/// The most events that one call gives (Lambda API).
const LONGEST_PAGE: i32 = 1_000;
/// The statuses of an execution that has not ended.
const UNDER_WAY: [&str; 3] = ["RUNNING", "PAUSING", "PAUSED"];

/// The calls that Countersign makes of durable functions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DurableFunctions {
    client: Client,
}

impl DurableFunctions {
    /// Over `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends a decision: the same JSON that a state machine gets, as bytes; or the same error, with its JSON as data. The
    /// SDK's own retries are off: a hidden one would make `CallbackTimeoutException` ambiguous.
    pub async fn send(&self, id: &CallbackId, message: &CallbackMessage) -> Result<(), SendError> {
        match message {
            CallbackMessage::Success { output } => {
                let call = self
                    .client
                    .send_durable_execution_callback_success()
                    .callback_id(id.expose())
                    .result(Blob::new(output.as_bytes()));
                let sent = call.customize().config_override(no_retries()).send().await;
                sent.map(drop).map_err(|error| classify(Service::Lambda, &error))
            }
            CallbackMessage::Failure {
                error,
                summary,
                cause,
            } => {
                let error = ErrorObject::builder()
                    .error_type(*error)
                    .error_message(summary)
                    .error_data(cause)
                    .build();
                let call = self
                    .client
                    .send_durable_execution_callback_failure()
                    .callback_id(id.expose())
                    .error(error);
                let sent = call.customize().config_override(no_retries()).send().await;
                sent.map(drop).map_err(|error| classify(Service::Lambda, &error))
            }
        }
    }

    /// Tells the function that the request is alive; and so asks whether it still waits.
    pub async fn heartbeat(&self, id: &CallbackId) -> Result<(), SendError> {
        let call = self
            .client
            .send_durable_execution_callback_heartbeat()
            .callback_id(id.expose());
        let sent = call.customize().config_override(no_retries()).send().await;
        sent.map(drop).map_err(|error| classify(Service::Lambda, &error))
    }

    /// How an execution ended: its status and when; `None` while it runs or when it can't be asked.
    pub async fn ended(&self, execution_arn: &str) -> Option<(String, Option<Timestamp>)> {
        let call = self
            .client
            .get_durable_execution()
            .durable_execution_arn(execution_arn)
            .include_execution_data(false);
        match call.send().await {
            Ok(execution) => {
                let status = execution.status().as_str();
                let stopped = execution
                    .end_timestamp()
                    .and_then(|at| Timestamp::from_second(at.secs()).ok());
                (!UNDER_WAY.contains(&status)).then(|| (status.to_owned(), stopped))
            }
            Err(error) => {
                let code = code_of(&error);
                tracing::debug!(aws.operation = "GetDurableExecution", aws.error.code = %code, "can't ask about an execution");
                None
            }
        }
    }

    /// Finds out by an execution's history how the callback `id` ended: the CallbackStarted with that id, then the end of
    /// that operation. `request_id` is in everything that we send.
    pub async fn how_it_ended(&self, execution_arn: &str, id: &CallbackId, request_id: &str) -> Found {
        let mut search = HistorySearch {
            callback_id: id.expose(),
            request_id,
            operation: None,
            found: Found::Nothing,
        };
        let mut pages = self
            .client
            .get_durable_execution_history()
            .durable_execution_arn(execution_arn)
            .include_execution_data(true)
            .max_items(LONGEST_PAGE)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => page.events().iter().for_each(|event| search.take(event)),
                Err(error) => return unread_history(Service::Lambda, "GetDurableExecutionHistory", &error),
            }
        }
        search.found
    }
}

/// Reads a history from its beginning. The events of one operation carry the operation's id.
struct HistorySearch<'a> {
    callback_id: &'a str,
    request_id: &'a str,
    /// The operation that is our callback, from its beginning to its end.
    operation: Option<String>,
    found: Found,
}

impl HistorySearch<'_> {
    fn take(&mut self, event: &Event) {
        if let Some(started) = event.callback_started_details() {
            if started.callback_id() == self.callback_id {
                self.operation = event.id().map(str::to_owned);
            }
            return;
        }
        let end = |kind: &str| Found::OtherEnd(kind.to_owned());
        let kind = event.event_type().map_or("", |kind| kind.as_str());
        if EXECUTION_ENDS.contains(&kind) && self.operation.is_some() {
            self.found = end(kind);
            return;
        }
        if self.operation.is_none() || self.operation.as_deref() != event.id() {
            return;
        }
        if let Some(details) = event.callback_succeeded_details() {
            let result = details.result();
            let text = result.and_then(|result| result.payload());
            let cut = result.is_some_and(|result| result.truncated() == Some(true));
            self.found = match text.and_then(|text| Answered::read(text, self.request_id)) {
                Some(answered) => Found::Answered(answered),
                None if cut || text.is_none() => Found::Nothing,
                None => end("CallbackSucceeded"),
            };
        } else if let Some(details) = event.callback_failed_details() {
            let error = details.error();
            let text = error.and_then(|error| error.payload()?.error_data());
            let cut = error.is_some_and(|error| error.truncated() == Some(true));
            self.found = match text.and_then(|text| Answered::read(text, self.request_id)) {
                Some(answered) => Found::Answered(answered),
                None if cut => Found::Nothing,
                None => end("CallbackFailed"),
            };
        } else if event.callback_timed_out_details().is_some() {
            self.found = end("CallbackTimedOut");
        } else {
            return;
        }
        self.operation = None;
    }
}

fn no_retries() -> aws_sdk_lambda::config::Builder {
    aws_sdk_lambda::Config::builder().retry_config(RetryConfig::disabled())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_lambda::types::{
        CallbackFailedDetails, CallbackStartedDetails, CallbackSucceededDetails, CallbackTimedOutDetails,
        EventError, EventResult, EventType,
    };

    fn started(operation: &str, callback_id: &str) -> Event {
        let details = CallbackStartedDetails::builder().callback_id(callback_id);
        Event::builder()
            .id(operation)
            .callback_started_details(details.build().expect("complete"))
            .build()
    }

    fn succeeded(operation: &str, payload: &str, truncated: bool) -> Event {
        let result = EventResult::builder()
            .payload(payload)
            .truncated(truncated)
            .build();
        Event::builder()
            .id(operation)
            .callback_succeeded_details(CallbackSucceededDetails::builder().result(result).build())
            .build()
    }

    fn search(events: &[Event]) -> Found {
        let mut search = HistorySearch {
            callback_id: "b3Vycw==",
            request_id: "req_1",
            operation: None,
            found: Found::Nothing,
        };
        for event in events {
            search.take(event);
        }
        search.found
    }

    #[test]
    fn follows_its_own_callback_through_a_history_with_others() {
        let approved = r#"{"requestId":"req_1","status":"approved","outcome":"approve"}"#;
        let began = [started("1", "dGhlaXJz"), started("2", "b3Vycw==")];
        let with = |end: Event| search(&[began[0].clone(), began[1].clone(), end]);
        assert_eq!(search(&began), Found::Nothing);
        assert_eq!(with(succeeded("1", approved, false)), Found::Nothing);
        let Found::Answered(answered) = with(succeeded("2", approved, false)) else {
            panic!("answered")
        };
        assert_eq!(answered.status.as_deref(), Some("approved"));
        assert_eq!(
            with(succeeded("2", "\"another\"", false)),
            Found::OtherEnd("CallbackSucceeded".into())
        );
        assert_eq!(with(succeeded("2", "{\"reque", true)), Found::Nothing);

        let data = r#"{"requestId":"req_1","status":"rejected"}"#;
        let error = EventError::builder().payload(ErrorObject::builder().error_data(data).build());
        let failed = CallbackFailedDetails::builder().error(error.build()).build();
        let failed = Event::builder().id("2").callback_failed_details(failed).build();
        let Found::Answered(answered) = with(failed) else {
            panic!("answered")
        };
        assert_eq!(answered.status.as_deref(), Some("rejected"));

        let stopped = Event::builder().event_type(EventType::ExecutionStopped).build();
        assert_eq!(with(stopped), Found::OtherEnd("ExecutionStopped".into()));
        let timed_out = CallbackTimedOutDetails::builder().build();
        let timed_out = Event::builder()
            .id("2")
            .callback_timed_out_details(timed_out)
            .build();
        assert_eq!(with(timed_out), Found::OtherEnd("CallbackTimedOut".into()));
    }
}
