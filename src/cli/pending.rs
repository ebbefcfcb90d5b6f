//! The operators' list: `countersign pending`. One call of the API, as a table or as JSON.

use super::Failure;
use super::client::Service;
use super::operate::{print_json, text};
use super::system::system_clock;
use super::terminal::{FAINT, say, styled, width as line_width};
use crate::domain::display_text::DisplayText;
use crate::domain::when::Moment;
use clap::Args;
use http::Method;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde_json::Value;

/// `countersign pending`: lists requests, newest first.
#[derive(Debug, Args)]
pub(crate) struct Pending {
    /// Those that need an operator instead
    #[arg(long, conflicts_with = "done")]
    attention: bool,
    /// Those that ended in this month instead: 2026-11
    #[arg(long, value_name = "MONTH")]
    done: Option<String>,
    /// Only those that ask the person with this mail address
    #[arg(long, value_name = "EMAIL")]
    assignee: Option<String>,
    /// Only those with this label: team=legal
    #[arg(long, value_name = "NAME=VALUE")]
    tag: Vec<String>,
    /// Only those of this state machine
    #[arg(long, value_name = "ARN")]
    workflow: Option<String>,
    /// Only those of this execution
    #[arg(long, value_name = "ARN")]
    execution: Option<String>,
    /// Only those with this id of the author's own
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Only those asked longer ago than this: 2d, 12h, 1d12h
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<SignedDuration>,
    /// Only those asked no longer ago than this
    #[arg(long, value_name = "AGE", value_parser = age)]
    newer_than: Option<SignedDuration>,
    /// How many, 1 to 100
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    /// Go on where the last list ended
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    service: Service,
}

impl Pending {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let status = match (self.attention, &self.done) {
            (true, _) => "attention",
            (false, Some(_)) => "done",
            (false, None) => "pending",
        };
        let mut query = vec![("status", status.to_owned()), ("limit", self.limit.to_string())];
        let given = [
            ("month", self.done),
            ("assignee", self.assignee),
            ("workflow", self.workflow),
            ("execution", self.execution),
            ("externalId", self.external_id),
            ("createdBefore", self.older_than.map(ago).transpose()?),
            ("createdAfter", self.newer_than.map(ago).transpose()?),
            ("cursor", self.cursor),
        ];
        query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
        query.extend(self.tag.into_iter().map(|tag| ("tag", tag)));
        let query = serde_urlencoded::to_string(query).map_err(|error| Failure::failed(error.to_string()))?;
        let page = self
            .service
            .call(Method::GET, &format!("/requests?{query}"), None)
            .await?;
        if self.service.json {
            return print_json(&page);
        }
        let requests = page["requests"].as_array().map(Vec::as_slice).unwrap_or_default();
        if requests.is_empty() {
            say("Nothing.");
        } else {
            print_table(requests);
        }
        if let Some(cursor) = page["nextCursor"].as_str() {
            say(&styled(FAINT, format!("More: --cursor {cursor}")));
        }
        Ok(())
    }
}

fn age(text: &str) -> Result<SignedDuration, String> {
    let age = text
        .parse::<Span>()
        .and_then(|span| span.abs().to_duration(SpanRelativeTo::days_are_24_hours()));
    age.map_err(|_| "an age is written like 2d, 12h, 1d12h or 90m".to_owned())
}

/// The moment that lies so far back.
fn ago(age: SignedDuration) -> Result<String, Failure> {
    match system_clock().now().checked_sub(age) {
        Ok(then) => Ok(then.to_string()),
        Err(_) => Err(Failure::usage("nothing is as old as that")),
    }
}

fn print_table(requests: &[Value]) {
    let now = system_clock().now();
    let rows: Vec<[String; 5]> = requests
        .iter()
        .map(|request| {
            let created = text(&request["createdAt"]).parse();
            let age = created.map_or_else(|_| String::new(), |at| Moment::new(at, now, "UTC").relative);
            let waiting: Vec<String> = request["waitingFor"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect();
            let attention: Vec<String> = request["attention"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect();
            let who = if !attention.is_empty() {
                attention.join("; ")
            } else if waiting.is_empty() {
                format!("workflow: {}", text(&request["callback"]["state"]))
            } else {
                waiting.join(", ")
            };
            let most = if attention.is_empty() { 30 } else { 60 };
            let who = DisplayText::new(&who).shortened(most).isolated();
            [
                text(&request["requestId"]),
                text(&request["status"]),
                age,
                who,
                text(&request["title"]),
            ]
        })
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let left = line_width().map(|width| width.saturating_sub(widths.iter().sum::<usize>() + 8).max(10));
    for [id, status, age, who, title] in &rows {
        let title = DisplayText::new(title)
            .shortened(left.unwrap_or(usize::MAX))
            .isolated();
        let [w0, w1, w2, w3] = widths;
        say(&format!("{id:w0$}  {status:w1$}  {age:w2$}  {who:w3$}  {title}"));
    }
}
