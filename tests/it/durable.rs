//! Durable functions: a request with a callback id goes the same way as one with a task token, with the same promise.

use super::harness::{Fault, Harness, ask_bob};
use aws_local::{CallbackState, DurableCallback};
use countersign::domain::callback::Callback;
use countersign::domain::decision::RequestState;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;

const SUCCESS: &str = "SendDurableExecutionCallbackSuccess";

/// A durable function that waits, and Bob, who was asked for it.
struct Asked {
    harness: Harness,
    callback: DurableCallback,
    path: String,
}

impl Asked {
    /// `more` goes into the request; the execution's ARN only where `known`.
    async fn new(more: Value, known: bool) -> Self {
        Self::with_timeouts(more, known, None, None).await
    }

    async fn with_timeouts(
        more: Value,
        known: bool,
        timeout: Option<Duration>,
        heartbeat: Option<Duration>,
    ) -> Self {
        let harness = Harness::start().await;
        let callback = harness
            .aws
            .wait_for_callback("ask", timeout, heartbeat)
            .await
            .unwrap();
        let mut request = ask_bob();
        request["callbackId"] = json!(callback.id);
        if known {
            request["execution"] = json!({"arn": callback.execution_arn});
        }
        let more = more.as_object().unwrap().clone();
        request.as_object_mut().unwrap().extend(more);
        harness.open(request).await;
        let path = harness.link("bob@example.com").await;
        Self {
            harness,
            callback,
            path,
        }
    }

    async fn state(&self) -> CallbackState {
        self.harness.aws.callback(&self.callback.id).await.unwrap()
    }

    /// The JSON that the function got.
    async fn result(&self) -> Value {
        match self.state().await {
            CallbackState::Succeeded(bytes) => serde_json::from_slice(&bytes).unwrap(),
            other => panic!("not answered: {other:?}"),
        }
    }

    async fn callback(&self) -> Callback {
        match self.harness.only_approval().await.record.state {
            RequestState::Ended(ended) => ended.callback,
            other => panic!("not ended: {other:?}"),
        }
    }

    async fn approve(&self) {
        let page = self.harness.answer(&self.path, "approve", "", "Bob").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    }

    /// Somebody else answers the callback.
    async fn answered_by_another(&self) {
        aws_sdk_lambda::Client::new(&self.harness.sdk)
            .send_durable_execution_callback_success()
            .callback_id(&self.callback.id)
            .result(aws_sdk_lambda::primitives::Blob::new("\"by hand\""))
            .send()
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_durable_function_gets_the_decision_as_json() {
    let asked = Asked::new(json!({"documentId": "3"}), true).await;
    asked.approve().await;
    let result = asked.result().await;
    assert_eq!(
        (&result["status"], &result["approved"]),
        (&json!("approved"), &json!(true))
    );
    assert_eq!(result["signature"], "Bob signed 3");
    assert!(matches!(asked.callback().await, Callback::Delivered { .. }));
    asked.harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_an_error_with_type_message_and_data() {
    let asked = Asked::new(json!({}), false).await;
    asked
        .harness
        .answer(&asked.path, "reject", "Not on a Friday", "Bob")
        .await;
    let CallbackState::Failed(error) = asked.state().await else {
        panic!("not failed")
    };
    assert_eq!(error["ErrorType"], "Approval.Rejected");
    assert_eq!(error["ErrorMessage"], "Rejected by Bob: Not on a Friday");
    let data: Value = serde_json::from_str(error["ErrorData"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&data["rejectedBy"], &data["comment"]),
        (&json!("Bob"), &json!("Not on a Friday"))
    );
    asked.harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn its_deadline_and_its_heartbeats_are_kept() {
    let heartbeat = Some(Duration::from_mins(10));
    let more = json!({"timeoutSeconds": 7200, "heartbeatSeconds": 600});
    let asked = Asked::with_timeouts(more, true, None, heartbeat).await;
    asked.harness.pass(SignedDuration::from_mins(110)).await;
    assert_eq!(asked.state().await, CallbackState::Waiting);
    asked.harness.pass(SignedDuration::from_mins(11)).await;
    let CallbackState::Failed(error) = asked.state().await else {
        panic!("not failed")
    };
    assert_eq!(error["ErrorType"], "Approval.Expired");
    assert_eq!(error["ErrorMessage"], "Not answered in time by Bob");
    asked.harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_page_says_when_the_function_no_longer_waits() {
    for known in [false, true] {
        let timeout = Some(Duration::from_mins(5));
        let asked = Asked::with_timeouts(json!({}), known, timeout, None).await;
        assert_eq!(asked.harness.get(&asked.path).await.status, StatusCode::OK);
        tokio::time::sleep(Duration::from_mins(6)).await;
        let page = asked.harness.get(&asked.path).await;
        assert!(page.text().contains("too late"), "{known}: {}", page.text());
        let state = asked.harness.only_approval().await.record.state;
        assert!(
            matches!(state, RequestState::Orphaned { .. }),
            "{known}: {state:?}"
        );
        asked.harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn lambda_down_for_72_hours_delays_the_decision_and_loses_nothing() {
    let asked = Asked::new(json!({}), true).await;
    let down = Fault::Refused(500, "ServiceException");
    asked.harness.faults.next(SUCCESS, usize::MAX / 2, down);
    asked.approve().await;
    asked.harness.pass(SignedDuration::from_hours(72)).await;
    assert_eq!(asked.state().await, CallbackState::Waiting);
    asked.harness.faults.clear();
    asked.harness.pass(SignedDuration::from_mins(90)).await;
    assert_eq!(asked.result().await["status"], "approved");
    asked.harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_from_the_history_where_the_execution_is_known() {
    for known in [true, false] {
        let asked = Asked::new(json!({}), known).await;
        asked.harness.faults.next(SUCCESS, 1, Fault::AnswerLost);
        asked.approve().await;
        asked.harness.settle().await;
        assert_eq!(asked.result().await["status"], "approved");
        match asked.callback().await {
            Callback::Delivered { .. } => assert!(known),
            Callback::Parked(parked) => {
                assert!(
                    !known && parked.reason.contains("may have ended it"),
                    "{}",
                    parked.reason
                );
            }
            other => panic!("{known}: {other:?}"),
        }
        asked.harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_somebody_else_s_is_moot() {
    let asked = Asked::new(json!({}), true).await;
    asked.harness.faults.next("GetDurableExecution", 1, Fault::Lost);
    let token = asked.harness.get(&asked.path).await.form_token();
    asked.answered_by_another().await;
    let page = asked
        .harness
        .post(&asked.path, &token, "approve", "", "Bob")
        .await;
    assert!(page.text().contains("too late"), "{}", page.text());
    let Callback::Moot { because, .. } = asked.callback().await else {
        panic!("not moot")
    };
    assert!(because.contains("CallbackSucceeded"), "{because}");
    asked.harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_has_to_mend_is_parked() {
    for (status, code) in [
        (403, "AccessDeniedException"),
        (502, "KMSAccessDeniedException"),
        (400, "InvalidParameterValueException"),
    ] {
        let asked = Asked::new(json!({}), false).await;
        asked
            .harness
            .faults
            .next(SUCCESS, 1, Fault::Refused(status, code));
        asked.approve().await;
        asked.harness.settle().await;
        let Callback::Parked(parked) = asked.callback().await else {
            panic!("{code}: not parked")
        };
        assert!(parked.reason.contains(code), "{}", parked.reason);
        assert_eq!(asked.harness.faults.left(), 0);
        asked.harness.finish().await;
    }
    let asked = Asked::new(json!({}), false).await;
    let throttled = Fault::Refused(429, "TooManyRequestsException");
    asked.harness.faults.next(SUCCESS, 4, throttled);
    asked.approve().await;
    asked.harness.pass(SignedDuration::from_mins(1)).await;
    assert_eq!(asked.result().await["status"], "approved");
    asked.harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_callback_twice_is_one_request_and_its_id_is_kept_encrypted() {
    let asked = Asked::new(json!({}), true).await;
    let mut again = ask_bob();
    again["callbackId"] = json!(asked.callback.id);
    again["title"] = json!("Another title");
    asked.harness.open(again).await;
    asked.harness.settle().await;
    assert_eq!(asked.harness.aws.mails_to("bob@example.com").len(), 1);
    let dump = asked.harness.dump().await;
    let kept = Value::from(dump).to_string();
    assert!(
        !kept.contains(&asked.callback.id),
        "the callback's id is in the table"
    );
    asked.harness.finish().await;
}
