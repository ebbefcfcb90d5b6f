//! Step Functions: answering a task token, beating for it, and asking what became of an execution; and, in `executions`,
//! starting one, in `stopping`, stopping one. Every error is classified here, where it happens; the classes are those of `flow/call_back.rs`.

mod activities;
mod executions;
mod stopping;

use crate::domain::callback::CallbackMessage;
use crate::domain::execution::MachineArn;
use crate::domain::task_token::CallbackTarget;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;
use std::sync::{Arc, OnceLock};

pub use activities::{ActivityTask, LONGEST_POLL};
pub use executions::{Execution, ExecutionError, Refusal};
pub use stopping::Proof;

/// The calls that Countersign makes of Step Functions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StepFunctions {
    client: Client,
    /// Some state machine of this account and region, once it was asked for.
    some_machine: Arc<OnceLock<MachineArn>>,
}

/// Why a call about a token didn't do what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendError {
    /// Worth repeating: throttled, out of order, or no answer.
    Again {
        /// AWS's error code, or what went wrong on the way.
        code: String,
        /// Whether the call may have taken effect all the same.
        taken_perhaps: bool,
    },
    /// An operator has to look at it: repeating it would give the same.
    Park {
        /// AWS's error code and message.
        reason: String,
    },
    /// "Expired or already closed" (`TaskTimedOut`), or unknown by now (`TaskDoesNotExist`).
    Closed,
}

/// What the history of an execution says of one token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It ended by our own answer.
    OurAnswer,
    /// It ended by something else.
    OtherEnd(String),
    /// It can't be told from this history.
    Nothing,
}

impl StepFunctions {
    /// Over `client`.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            some_machine: Arc::default(),
        }
    }

    /// Sends a decision. The SDK's own retries are off: a hidden one would make `TaskTimedOut` ambiguous.
    pub async fn send(&self, target: &CallbackTarget, message: &CallbackMessage) -> Result<(), SendError> {
        let token = target.expose();
        match message {
            CallbackMessage::Success { output } => {
                let call = self.client.send_task_success().task_token(token).output(output);
                let sent = call.customize().config_override(no_retries()).send().await;
                sent.map(drop).map_err(|error| classify(&error))
            }
            CallbackMessage::Failure { error, cause } => {
                let call = self
                    .client
                    .send_task_failure()
                    .task_token(token)
                    .error(*error)
                    .cause(cause);
                let sent = call.customize().config_override(no_retries()).send().await;
                sent.map(drop).map_err(|error| classify(&error))
            }
        }
    }

    /// Tells the workflow that the request is alive; and so asks whether it still waits.
    pub async fn heartbeat(&self, target: &CallbackTarget) -> Result<(), SendError> {
        let call = self.client.send_task_heartbeat().task_token(target.expose());
        let sent = call.customize().config_override(no_retries()).send().await;
        sent.map(drop).map_err(|error| classify(&error))
    }

    /// How an execution ended: its status and when; `None` while it runs or when it can't be asked.
    pub async fn ended(&self, execution_arn: &str) -> Option<(String, Option<Timestamp>)> {
        match self
            .client
            .describe_execution()
            .execution_arn(execution_arn)
            .send()
            .await
        {
            Ok(execution)
                if matches!(
                    execution.status,
                    ExecutionStatus::Running | ExecutionStatus::PendingRedrive
                ) =>
            {
                None
            }
            Ok(execution) => {
                let stopped = execution
                    .stop_date
                    .and_then(|at| Timestamp::from_second(at.secs()).ok());
                Some((execution.status.as_str().to_owned(), stopped))
            }
            Err(error) => {
                let code = code_of(&error);
                tracing::debug!(aws.operation = "DescribeExecution", aws.error.code = %code, "can't ask about an execution");
                None
            }
        }
    }

    /// Finds out by an execution's history how the task with `token` ended: the TaskScheduled whose parameters hold
    /// the token, then the end of that task. `request_id` is in everything that we send.
    pub async fn how_it_ended(&self, execution_arn: &str, token: &CallbackTarget, request_id: &str) -> Found {
        let mut search = HistorySearch {
            token: token.expose(),
            request_id,
            scheduled: Vec::new(),
            found: Found::Nothing,
        };
        let mut pages = self
            .client
            .get_execution_history()
            .execution_arn(execution_arn)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => page.events().iter().for_each(|event| search.take(event)),
                Err(error) => {
                    let code = code_of(&error);
                    tracing::warn!(aws.operation = "GetExecutionHistory", aws.error.code = %code, "can't read a history");
                    return Found::Nothing;
                }
            }
        }
        search.found
    }
}

/// Reads a history from its beginning. Each event names the one before it in its branch; the events of our task are
/// those that lead back to its TaskScheduled.
struct HistorySearch<'a> {
    token: &'a str,
    request_id: &'a str,
    /// The ids of our task's events so far.
    scheduled: Vec<i64>,
    found: Found,
}

impl HistorySearch<'_> {
    fn take(&mut self, event: &HistoryEvent) {
        if let Some(details) = event.task_scheduled_event_details() {
            if details.parameters().contains(self.token) {
                self.scheduled.push(event.id());
            }
            return;
        }
        if !self.scheduled.contains(&event.previous_event_id()) {
            return;
        }
        let ours = |text: Option<&str>| text.is_some_and(|text| text.contains(self.request_id));
        let mine = if let Some(details) = event.task_succeeded_event_details() {
            ours(details.output())
        } else if let Some(details) = event.task_failed_event_details() {
            ours(details.cause())
        } else if event.task_timed_out_event_details().is_some() {
            false
        } else {
            // TaskStarted, TaskSubmitted: the task goes on.
            self.scheduled.push(event.id());
            return;
        };
        self.scheduled.clear();
        self.found = if mine {
            Found::OurAnswer
        } else {
            Found::OtherEnd(event.r#type().as_str().to_owned())
        };
    }
}

fn no_retries() -> aws_sdk_sfn::config::Builder {
    aws_sdk_sfn::Config::builder().retry_config(RetryConfig::disabled())
}

fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> String {
    error.code().map_or_else(|| "no answer".to_owned(), str::to_owned)
}

/// Whether an error says that the call took no effect and may be made again: it was throttled, or the credentials were
/// stale, which the SDK renews by itself.
fn turned_away(code: &str) -> bool {
    matches!(
        code,
        "ThrottlingException"
            | "Throttling"
            | "TooManyRequestsException"
            | "KmsThrottlingException"
            | "RequestLimitExceeded"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "RequestExpired"
    )
}

/// Sorts an error into one of the three classes that `flow/call_back.rs` acts on.
fn classify<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> SendError {
    let code = code_of(error);
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (code.as_str(), status) {
        ("TaskTimedOut" | "TaskDoesNotExist", _) => SendError::Closed,
        (name, _) if turned_away(name) => SendError::Again {
            code,
            taken_perhaps: false,
        },
        (_, Some(status)) if (400..500).contains(&status) => {
            let message = error.message().unwrap_or_default();
            SendError::Park {
                reason: format!("{code}: {}", without_tokens(message)),
            }
        }
        _ => SendError::Again {
            code,
            taken_perhaps: true,
        },
    }
}

/// AWS quotes a bad token in some messages. What looks like one is cut out before the message goes to an operator.
fn without_tokens(message: &str) -> String {
    let words = message
        .split(' ')
        .map(|word| if word.len() > 60 { "(redacted)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sfn::types::{HistoryEventType, TaskScheduledEventDetails, TaskSucceededEventDetails};

    fn event(
        id: i64,
        previous: i64,
        kind: HistoryEventType,
    ) -> aws_sdk_sfn::types::builders::HistoryEventBuilder {
        HistoryEvent::builder()
            .id(id)
            .previous_event_id(previous)
            .r#type(kind)
            .timestamp(aws_smithy_types::DateTime::from_secs(0))
    }

    fn scheduled(id: i64, token: &str) -> HistoryEvent {
        let details = TaskScheduledEventDetails::builder()
            .resource_type("lambda")
            .resource("invoke.waitForTaskToken")
            .region("us-east-1")
            .parameters(format!("{{\"Payload\":{{\"taskToken\":\"{token}\"}}}}"))
            .build()
            .expect("complete");
        event(id, id - 1, HistoryEventType::TaskScheduled)
            .task_scheduled_event_details(details)
            .build()
            .expect("complete")
    }

    fn succeeded(id: i64, previous: i64, output: &str) -> HistoryEvent {
        let details = TaskSucceededEventDetails::builder()
            .resource_type("lambda")
            .resource("invoke.waitForTaskToken")
            .output(output)
            .build()
            .expect("complete");
        event(id, previous, HistoryEventType::TaskSucceeded)
            .task_succeeded_event_details(details)
            .build()
            .expect("complete")
    }

    fn search(events: &[HistoryEvent]) -> Found {
        let mut search = HistorySearch {
            token: "ours",
            request_id: "req_1",
            scheduled: vec![],
            found: Found::Nothing,
        };
        for event in events {
            search.take(event);
        }
        search.found
    }

    #[test]
    fn follows_its_own_task_through_a_history_with_others() {
        let started = event(4, 3, HistoryEventType::TaskStarted)
            .build()
            .expect("complete");
        let other = [
            scheduled(2, "theirs"),
            scheduled(3, "ours"),
            started,
            succeeded(5, 2, "req_1"),
        ];
        assert_eq!(search(&other), Found::Nothing);
        let mut ours = other.to_vec();
        ours.push(succeeded(6, 4, r#"{"requestId":"req_1"}"#));
        assert_eq!(search(&ours), Found::OurAnswer);
        ours[4] = succeeded(6, 4, r#"{"requestId":"req_2"}"#);
        assert_eq!(search(&ours), Found::OtherEnd("TaskSucceeded".into()));
        let timed_out = event(6, 4, HistoryEventType::TaskTimedOut).task_timed_out_event_details(
            aws_sdk_sfn::types::TaskTimedOutEventDetails::builder()
                .resource_type("l")
                .resource("i")
                .build()
                .expect("complete"),
        );
        ours[4] = timed_out.build().expect("complete");
        assert_eq!(search(&ours), Found::OtherEnd("TaskTimedOut".into()));
    }

    #[test]
    fn a_message_is_shown_without_what_looks_like_a_token() {
        let shown = without_tokens(&format!("Invalid Token: '{}' given", "canary".repeat(12)));
        assert_eq!(shown, "Invalid Token: (redacted) given");
    }
}
