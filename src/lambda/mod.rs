//! The service as a Lambda function: takes any event that Lambda hands over, and answers as its sender expects.
//! `cli/lambda.rs` speaks to Lambda; here it is told what an event is, and done.
//!
//! Pages and API go to the same router as under `serve`, requests of workflows to the same `flow::open`. What an event
//! looks like says only how it is read: links, keys and signatures are checked as ever, and what only the operations
//! function may do, no event makes another one do.
//!
//! Nothing runs after the answer, for then the process is frozen. So what is due by an event is done before it is
//! answered, as far as there is time; but not while a person waits at a page. What is left comes back as a wake.

mod http;
mod wake;
mod work;

pub use wake::WakeQueue;

use crate::app::App;
use crate::domain::ids::ApprovalId;
use crate::flow::Flow;
use crate::flow::mail_event::{self, MailEventError};
use crate::intake::batch;
use crate::intake::invoke::{Function, InvokeError, direct_invoke};
use crate::web;
use axum::Router;
use http::Shape;
use lambda_runtime::tower::ServiceExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use wake::FURTHEST;
use work::{Until, Work};

/// How long steps are begun, at most, before a caller who waits is answered.
const WHILE_SOMEBODY_WAITS: Duration = Duration::from_secs(5);
/// What is kept back of the time that Lambda gives, for wakes and the answer.
const KEPT_BACK: Duration = Duration::from_millis(1_500);
/// And for the last steps that are begun, to be finished.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// The shortest heartbeat that ticks alone can keep up, in seconds: a beat is due every third of it, and may be a minute
/// late.
const LEAST_HEARTBEAT: u32 = 180;

/// The service, as Lambda calls it.
#[derive(Debug)]
pub struct Lambda {
    flow: Arc<Flow>,
    router: Router,
    base_path: String,
    function: Function,
    wakes: Option<WakeQueue>,
    /// Lambda hands over one event at a time, so nobody ever waits for this.
    work: Mutex<Work>,
}

/// What an event is.
#[derive(PartialEq, Debug)]
enum Event {
    Http(Shape),
    Queue,
    Tick,
    Mail,
    Direct,
}

impl Event {
    fn of(event: &Value) -> Self {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let scheduled = matches!(text("source"), Some("aws.scheduler" | "aws.events"))
            && text("detail-type") == Some("Scheduled Event");
        if let Some(shape) = Shape::of(event) {
            Self::Http(shape)
        } else if are_records(event, "eventSource", "aws:sqs") {
            Self::Queue
        } else if text("source") == Some("aws.ses") || are_records(event, "EventSource", "aws:sns") {
            Self::Mail
        } else if scheduled || text("countersign") == Some("tick") {
            Self::Tick
        } else {
            Self::Direct
        }
    }
}

/// Whether an event has records, all of them of one service.
fn are_records(event: &Value, source: &str, service: &str) -> bool {
    let records = event.get("Records").and_then(Value::as_array);
    records
        .is_some_and(|records| !records.is_empty() && records.iter().all(|record| record[source] == service))
}

impl Lambda {
    /// A function that does what `function` may.
    pub fn new(app: App, function: Function, wakes: Option<WakeQueue>) -> Self {
        let (flow, told) = app.into_parts(FURTHEST, LEAST_HEARTBEAT);
        let url: axum::http::Uri = flow.settings.public_url.parse().unwrap_or_default();
        Self {
            router: web::router::router(Arc::clone(&flow)),
            base_path: url.path().trim_end_matches('/').to_owned(),
            function,
            wakes,
            work: Mutex::new(Work::new(Arc::clone(&flow), told)),
            flow,
        }
    }

    /// Answers an event, given as JSON, by `deadline`.
    pub async fn answer(&self, event: &str, deadline: Instant) -> Result<Value, InvokeError> {
        let event: Value = serde_json::from_str(event).map_err(|error| {
            // The parser's own words could repeat what stands there.
            InvokeError::invalid(format!(
                "the event can't be read as JSON: see line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        let end = deadline.checked_sub(KEPT_BACK).unwrap_or(deadline);
        let last = end.checked_sub(LAST_STEPS).unwrap_or(end);
        let soon = last.min(Instant::now() + WHILE_SOMEBODY_WAITS);
        let mut work = self.work.lock().await;
        let answer = match Event::of(&event) {
            Event::Http(shape) => {
                let request = http::request(shape, &event, &self.base_path);
                let path = request.uri().path();
                let path = path.strip_prefix(self.base_path.as_str()).unwrap_or(path);
                let person_waits = !path.starts_with("/api/");
                // The router answers everything, also what goes wrong.
                let Ok(response) = self.router.clone().oneshot(request).await;
                if !person_waits {
                    work.run(Until { begin: soon, end }).await;
                }
                Ok(http::answer(shape, response).await)
            }
            Event::Direct => {
                let answer = direct_invoke(&self.flow, self.function, &event).await;
                work.run(Until { begin: soon, end }).await;
                answer
            }
            Event::Tick => {
                let ran = work.run_all(Until { begin: last, end }).await;
                ran.map(|()| json!({"status": "done"})).map_err(unavailable)
            }
            Event::Mail => {
                let answer = self.mail_events(&event).await;
                work.run(Until { begin: last, end }).await;
                answer
            }
            Event::Queue => {
                let until = Until { begin: last, end };
                let answer = self.messages(&mut work, event, until).await;
                work.run(until).await;
                answer
            }
        };
        let left = work.left();
        if let Some(wakes) = &self.wakes
            && !left.is_empty()
        {
            wakes.send(&left, self.flow.clock.now(), deadline).await;
        }
        answer
    }

    /// What SES tells of mails, by SNS or by EventBridge. What never will be one is dropped, for Lambda would only bring it
    /// again; so is what is taken, should it come again with others.
    async fn mail_events(&self, event: &Value) -> Result<Value, InvokeError> {
        let events = match event.get("Records") {
            Some(records) => records.as_array().map_or(&[][..], Vec::as_slice),
            None => std::slice::from_ref(event),
        };
        let mut later = None;
        for event in events {
            match mail_event::take(&self.flow, event).await {
                Ok(_) => {}
                Err(error @ MailEventError::Malformed(_)) => {
                    tracing::warn!(error = %error, "an event about a mail is dropped");
                }
                Err(error @ MailEventError::Unavailable(_)) => later = Some(error),
            }
        }
        match later {
            Some(error) => Err(unavailable(error)),
            None => Ok(json!({"status": "done"})),
        }
    }

    /// Messages of queues: wakes of our own, and requests.
    async fn messages(&self, work: &mut Work, mut event: Value, until: Until) -> Result<Value, InvokeError> {
        let records = event["Records"].take();
        let Value::Array(records) = records else {
            return Err(InvokeError::invalid("Records: must be a list"));
        };
        let woken = |record: &Value| wake::woken(record["body"].as_str()?);
        let (wakes, requests): (Vec<Value>, Vec<Value>) =
            records.into_iter().partition(|record| woken(record).is_some());
        if !wakes.is_empty() {
            let mut ids: Vec<ApprovalId> = wakes.iter().filter_map(woken).collect();
            ids.sort_unstable();
            ids.dedup();
            work.run_those(&ids, until).await;
        }
        if requests.is_empty() {
            return Ok(json!({"batchItemFailures": []}));
        }
        event["Records"] = Value::Array(requests);
        batch::answer(&self.flow, &event).await.map_err(unavailable)
    }
}

fn unavailable(error: impl std::fmt::Display) -> InvokeError {
    InvokeError::unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_by_its_shape_and_whatever_else_is_a_direct_invoke() {
        let http = json!({"requestContext": {"http": {"method": "GET"}}});
        let records = |sources: &[&str]| {
            let records: Vec<Value> = sources
                .iter()
                .map(|source| json!({"eventSource": source, "body": "{}"}))
                .collect();
            json!({"Records": records})
        };
        for (event, is) in [
            (http, Event::Http(Shape::HttpApi)),
            (records(&["aws:sqs", "aws:sqs"]), Event::Queue),
            (records(&["aws:sqs", "aws:s3"]), Event::Direct),
            (records(&["aws:s3"]), Event::Direct),
            (records(&[]), Event::Direct),
            (
                json!({"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {"Type": "Notification"}}]}),
                Event::Mail,
            ),
            (
                json!({"version": "0", "detail-type": "Email Bounced", "source": "aws.ses", "detail": {}}),
                Event::Mail,
            ),
            (json!({"countersign": "tick"}), Event::Tick),
            // EventBridge Scheduler's own payload, and that of a rule with a schedule.
            (
                json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"}),
                Event::Tick,
            ),
            (
                json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
                Event::Tick,
            ),
            (
                json!({"detail-type": "Scheduled Event", "source": "mine"}),
                Event::Direct,
            ),
            (json!({"taskToken": "x"}), Event::Direct),
            (json!([1]), Event::Direct),
            (json!("text"), Event::Direct),
            (json!(null), Event::Direct),
        ] {
            assert_eq!(Event::of(&event), is, "{event}");
        }
    }
}
