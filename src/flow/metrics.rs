//! What is counted, for Prometheus and whoever reads its format. Every transition is written by one process, and that
//! process counts it, so the sums over all processes are right. Labels are words of ours, never a person's or a path:
//! nothing private can get in, and the number of series is bounded.

use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::AnsweredBy;
use crate::domain::signer::MailKind;
use jiff::SignedDuration;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The media type of what [`Metrics::text`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The upper bounds of how long an answer took, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

type Label = (&'static str, &'static str);
type Counters<const N: usize> = Family<[Label; N], Counter>;

/// The counters of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Counters<1>,
    messages: Counters<2>,
    answers: Counters<1>,
    ended: Counters<1>,
    callbacks: Counters<1>,
    mails: Counters<2>,
    mail_events: Counters<1>,
    steps_failed: Counter,
    overdue: Gauge<f64, AtomicU64>,
    http: Family<OwnedLabels<3>, Counter>,
    http_seconds: Durations,
}

type OwnedLabels<const N: usize> = [(&'static str, String); N];
type Durations = Family<OwnedLabels<1>, Histogram, fn() -> Histogram>;

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("countersign"),
            requests: Family::default(),
            messages: Family::default(),
            answers: Family::default(),
            ended: Family::default(),
            callbacks: Family::default(),
            mails: Family::default(),
            mail_events: Family::default(),
            steps_failed: Counter::default(),
            overdue: Gauge::default(),
            http: Family::default(),
            http_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let all = &mut self.registry;
        all.register(
            "requests",
            "Requests that came in, by what became of them",
            self.requests.clone(),
        );
        all.register(
            "messages",
            "Messages and activities' tasks that came in, by way and what became of them",
            self.messages.clone(),
        );
        all.register(
            "answers",
            "Answers recorded, by who gave them",
            self.answers.clone(),
        );
        all.register("ended", "Requests that ended, by how", self.ended.clone());
        all.register(
            "callbacks",
            "Attempts to tell a workflow, by what came of them",
            self.callbacks.clone(),
        );
        all.register(
            "mails",
            "Mails handed to the mail service, by kind and what it said",
            self.mails.clone(),
        );
        all.register(
            "mail_events",
            "What became of mails, as the mail service told it",
            self.mail_events.clone(),
        );
        all.register(
            "steps_failed",
            "Steps of the worker that failed and stay due",
            self.steps_failed.clone(),
        );
        all.register_with_unit(
            "overdue",
            "How late the worker was with the oldest thing that it took up last",
            Unit::Seconds,
            self.overdue.clone(),
        );
        all.register(
            "http_requests",
            "HTTP requests answered, by route, method and status",
            self.http.clone(),
        );
        all.register_with_unit(
            "http_request_duration",
            "How long HTTP requests took, by route",
            Unit::Seconds,
            self.http_seconds.clone(),
        );
        self
    }

    /// All of them, in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut written = String::new();
        text::encode(&mut written, &self.registry).expect("a string takes whatever is written");
        written
    }

    /// A request came in: `created`, `known`, `refused` or `unavailable`.
    pub(super) fn request(&self, result: &'static str) {
        self.requests.get_or_create(&[("result", result)]).inc();
    }

    /// A message or a task came in by `queue`, `batch` or `activity`: it is `taken`, `refused` to its workflow, comes
    /// `again`, or is `dead`.
    pub fn message(&self, way: &'static str, result: &'static str) {
        self.messages
            .get_or_create(&[("way", way), ("result", result)])
            .inc();
    }

    /// A change was written, of these signers among others: counts the transitions in it.
    pub(super) fn changed(&self, before: &Approval, after: &Approval, signers: &[u8]) {
        for number in signers.iter().map(|number| usize::from(*number)) {
            let (earlier, later) = (&before.signers[number].state, &after.signers[number].state);
            if let (None, Some(answer)) = (earlier.answer(), later.answer()) {
                let by = match answer.by {
                    AnsweredBy::Link => "link",
                    AnsweredBy::Operations => "operations",
                };
                self.answers.get_or_create(&[("by", by)]).inc();
            }
        }
        if before.is_pending() && !after.is_pending() {
            let status = after.record.state.status();
            self.ended.get_or_create(&[("status", status)]).inc();
        }
    }

    /// An attempt to tell a workflow came to its end.
    pub(super) fn attempt(&self, callback: &Callback) {
        let result = match callback {
            Callback::Delivered { .. } => "delivered",
            Callback::Moot { .. } => "moot",
            Callback::Parked(_) => "parked",
            Callback::Queued(_) => "again",
            Callback::Held { .. } => return,
        };
        self.callbacks.get_or_create(&[("result", result)]).inc();
    }

    /// The mail service was handed a mail: it was `sent`, `refused`, or is to be tried `again`.
    pub(super) fn mail(&self, kind: MailKind, result: &'static str) {
        self.mails
            .get_or_create(&[("kind", kind.word()), ("result", result)])
            .inc();
    }

    /// Something was told about a mail: a [`Fate`](crate::domain::mail_status::Fate)'s word, `known` or `not_ours`.
    pub(super) fn mail_event(&self, event: &'static str) {
        self.mail_events.get_or_create(&[("event", event)]).inc();
    }

    /// A step of the worker failed.
    pub fn step_failed(&self) {
        self.steps_failed.inc();
    }

    /// The worker takes up what has been due for so long.
    pub fn overdue(&self, by: SignedDuration) {
        self.overdue.set(by.as_secs_f64().max(0.0));
    }

    /// An HTTP request was answered. `route` is the pattern, such as `/s/{link}`: paths are secrets.
    pub fn http(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let labels = [
            ("route", route.to_owned()),
            ("method", method.to_owned()),
            ("status", status.to_string()),
        ];
        self.http.get_or_create(&labels).inc();
        self.http_seconds
            .get_or_create(&[("route", route.to_owned())])
            .observe(took.as_secs_f64());
    }
}
