//! Step Functions: answering a task token, beating for it, and asking what became of an execution; and, in `executions`,
//! starting one, in `stopping`, stopping one, in `activities`, taking a task. Every error is classified where it happens;
//! the classes are those of `flow/call_back.rs`.

mod activities;
mod executions;
mod stopping;

use crate::aws_error::{classify, code_of, unread_history};
use crate::aws_faults::Service;
use crate::domain::callback::{Answered, CallbackMessage, Found, SendError};
use crate::domain::execution::MachineArn;
use crate::domain::task_token::TaskToken;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
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

impl StepFunctions {
    /// Over `client`.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            some_machine: Arc::default(),
        }
    }

    /// Sends a decision. The SDK's own retries are off: a hidden one would make `TaskTimedOut` ambiguous.
    pub async fn send(&self, token: &TaskToken, message: &CallbackMessage) -> Result<(), SendError> {
        let token = token.expose();
        match message {
            CallbackMessage::Success { output } => {
                let call = self.client.send_task_success().task_token(token).output(output);
                let sent = call.customize().config_override(no_retries()).send().await;
                sent.map(drop)
                    .map_err(|error| classify(Service::StepFunctions, &error))
            }
            CallbackMessage::Failure { error, cause, .. } => {
                let call = self
                    .client
                    .send_task_failure()
                    .task_token(token)
                    .error(*error)
                    .cause(cause);
                let sent = call.customize().config_override(no_retries()).send().await;
                sent.map(drop)
                    .map_err(|error| classify(Service::StepFunctions, &error))
            }
        }
    }

    /// Tells the workflow that the request is alive; and so asks whether it still waits.
    pub async fn heartbeat(&self, token: &TaskToken) -> Result<(), SendError> {
        let call = self.client.send_task_heartbeat().task_token(token.expose());
        let sent = call.customize().config_override(no_retries()).send().await;
        sent.map(drop)
            .map_err(|error| classify(Service::StepFunctions, &error))
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

    /// Finds out by an execution's history how the task with `token` ended: the TaskScheduled that gave the token out,
    /// then the end of that task. `request_id` is in everything that we send.
    pub async fn how_it_ended(&self, execution_arn: &str, token: &TaskToken, request_id: &str) -> Found {
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
            .max_results(LONGEST_PAGE)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => page.events().iter().for_each(|event| search.take(event)),
                Err(error) => return unread_history(Service::StepFunctions, "GetExecutionHistory", &error),
            }
        }
        search.found
    }
}

/// The most events that one call gives (Step Functions API).
const LONGEST_PAGE: i32 = 1_000;
/// The events with which an execution ends, and all that waited in it.
const EXECUTION_ENDS: [HistoryEventType; 4] = [
    HistoryEventType::ExecutionSucceeded,
    HistoryEventType::ExecutionFailed,
    HistoryEventType::ExecutionTimedOut,
    HistoryEventType::ExecutionAborted,
];

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
        if event.task_scheduled_event_details().is_some() {
            if gives_out(event, self.token) {
                self.scheduled.push(event.id());
            }
            return;
        }
        if EXECUTION_ENDS.contains(event.r#type()) && !self.scheduled.is_empty() {
            self.found = Found::OtherEnd(event.r#type().as_str().to_owned());
            return;
        }
        if !self.scheduled.contains(&event.previous_event_id()) {
            return;
        }
        let text = if let Some(details) = event.task_succeeded_event_details() {
            details.output()
        } else if let Some(details) = event.task_failed_event_details() {
            details.cause()
        } else if event.task_timed_out_event_details().is_some() {
            None
        } else {
            // TaskStarted, TaskSubmitted: the task goes on.
            self.scheduled.push(event.id());
            return;
        };
        self.scheduled.clear();
        let answered = text.and_then(|text| Answered::read(text, self.request_id));
        self.found = answered.map_or_else(
            || Found::OtherEnd(event.r#type().as_str().to_owned()),
            Found::Answered,
        );
    }
}

/// Whether this is the beginning of the task that waits with `token`. Others may hand it on in their parameters.
fn gives_out(event: &HistoryEvent, token: &str) -> bool {
    event.task_scheduled_event_details().is_some_and(|details| {
        details.resource().ends_with(".waitForTaskToken") && details.parameters().contains(token)
    })
}

fn no_retries() -> aws_sdk_sfn::config::Builder {
    aws_sdk_sfn::Config::builder().retry_config(RetryConfig::disabled())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sfn::types::{TaskScheduledEventDetails, TaskSucceededEventDetails};

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
        scheduled_as("invoke.waitForTaskToken", id, token)
    }

    fn scheduled_as(resource: &str, id: i64, token: &str) -> HistoryEvent {
        let details = TaskScheduledEventDetails::builder()
            .resource_type("lambda")
            .resource(resource)
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
    fn only_a_task_that_waits_gives_a_token_out() {
        assert!(gives_out(&scheduled(1, "AQB/x=="), "AQB/x=="));
        assert!(!gives_out(&scheduled(1, "AQB/x=="), "AQB/y=="));
        // Another task hands it on, and ends before the one that waits.
        let handed_on = scheduled_as("invoke", 2, "ours");
        assert!(!gives_out(&handed_on, "ours"));
        let asked = succeeded(3, 2, r#"{"requestId":"req_1","status":"pending"}"#);
        assert_eq!(search(&[handed_on, asked]), Found::Nothing);
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
        assert_eq!(search(&ours), Found::Answered(Answered::default()));
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
        let aborted = event(6, 0, HistoryEventType::ExecutionAborted);
        ours[4] = aborted.build().expect("complete");
        assert_eq!(search(&ours), Found::OtherEnd("ExecutionAborted".into()));
    }
}
