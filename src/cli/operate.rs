//! The operators' commands: `pending`, `show`, `cancel`, `complete`, `resend`, `retry`. Each is one call of the API.

use super::Failure;
use super::client::Service;
use super::system::system_clock;
use super::terminal::{BAD, FAINT, GOOD, STRONG, say, styled};
use crate::domain::display_text::DisplayText;
use crate::domain::ids::ApprovalId;
use crate::domain::when::Moment;
use clap::Args;
use http::Method;
use serde_json::{Map, Value, json};
use std::io::IsTerminal;

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
            let who = if waiting.is_empty() {
                format!("workflow: {}", text(&request["callback"]["state"]))
            } else {
                waiting.join(", ")
            };
            let who = DisplayText::new(&who).shortened(30).isolated();
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
    let left = std::io::stdout().is_terminal().then(|| {
        terminal_width()
            .saturating_sub(widths.iter().sum::<usize>() + 8)
            .max(10)
    });
    for [id, status, age, who, title] in &rows {
        let title = DisplayText::new(title)
            .shortened(left.unwrap_or(usize::MAX))
            .isolated();
        let [w0, w1, w2, w3] = widths;
        say(&format!("{id:w0$}  {status:w1$}  {age:w2$}  {who:w3$}  {title}"));
    }
}

fn terminal_width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .unwrap_or(100)
}

/// `countersign show`: explains one request.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The request: req_…
    id: String,
    #[command(flatten)]
    service: Service,
}

impl Show {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = format!("/requests/{}", request_id(&self.id)?);
        let shown = self.service.call(Method::GET, &path, None).await?;
        if self.service.json {
            return print_json(&shown);
        }
        print_status(&shown);
        for sentence in shown["explanation"].as_array().into_iter().flatten() {
            say(&text(sentence));
        }
        let execution = text(&shown["execution"]["arn"]);
        if !execution.is_empty() {
            say(&styled(FAINT, DisplayText::new(&execution)));
        }
        Ok(())
    }
}

/// `countersign cancel`: withdraws a pending request.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The request: req_…
    id: String,
    /// Why; the signers and the workflow are told
    #[arg(long)]
    reason: Option<String>,
    /// Who withdraws it; the API key's name without
    #[arg(long)]
    by: Option<String>,
    #[command(flatten)]
    service: Service,
}

impl Cancel {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        operate(
            &self.service,
            &self.id,
            "cancel",
            [("reason", self.reason), ("by", self.by)],
        )
        .await
    }
}

/// `countersign complete`: answers for everybody who hasn't.
#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// The request: req_…
    id: String,
    /// The outcome's id; the first that approves without
    #[arg(long)]
    outcome: Option<String>,
    /// A comment, as a signer would give it
    #[arg(long)]
    comment: Option<String>,
    #[command(flatten)]
    service: Service,
}

impl Complete {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let fields = [("outcome", self.outcome), ("comment", self.comment)];
        operate(&self.service, &self.id, "complete", fields).await
    }
}

/// `countersign resend`: mails the link again.
#[derive(Debug, Args)]
pub(crate) struct Resend {
    /// The request: req_…
    id: String,
    /// To this person alone: name or mail address
    #[arg(long, value_name = "WHO")]
    signer: Option<String>,
    #[command(flatten)]
    service: Service,
}

impl Resend {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        operate(&self.service, &self.id, "resend", [("signer", self.signer)]).await
    }
}

/// `countersign retry`: takes up a parked callback again.
#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// The request: req_…
    id: String,
    #[command(flatten)]
    service: Service,
}

impl Retry {
    /// Runs it to its end. A callback that is parked again is no success.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        operate(&self.service, &self.id, "retry", []).await
    }
}

async fn operate<const N: usize>(
    service: &Service,
    id: &str,
    what: &str,
    fields: [(&str, Option<String>); N],
) -> Result<(), Failure> {
    let path = format!("/requests/{}/{what}", request_id(id)?);
    let given = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    let body = Value::Object(given.collect::<Map<_, _>>());
    let done = service.call(Method::POST, &path, Some(&body)).await?;
    if service.json {
        print_json(&done)?;
    } else {
        print_status(&done);
        let again: Vec<String> = done["mailedAgain"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect();
        if !again.is_empty() {
            say(&format!(
                "Mailed again: {}",
                DisplayText::new(&again.join(", ")).isolated()
            ));
        }
    }
    if done["callback"]["state"] == "parked" {
        let reason = text(&done["callback"]["reason"]);
        return Err(Failure::failed(format!(
            "the workflow could not be told: {}",
            DisplayText::new(&reason)
        )));
    }
    Ok(())
}

/// "req_…  approved  workflow: delivered".
fn print_status(request: &Value) {
    let status = text(&request["status"]);
    let style = match status.as_str() {
        "approved" => GOOD,
        "pending" => STRONG,
        _ => BAD,
    };
    let callback = text(&request["callback"]["state"]);
    let told = if callback.is_empty() {
        String::new()
    } else {
        format!("  workflow: {callback}")
    };
    say(&format!(
        "{}  {}{told}",
        text(&request["requestId"]),
        styled(style, status)
    ));
}

fn print_json(value: &Value) -> Result<(), Failure> {
    let shown = serde_json::to_string_pretty(value).map_err(|error| Failure::failed(error.to_string()))?;
    say(&shown);
    Ok(())
}

fn request_id(text: &str) -> Result<ApprovalId, Failure> {
    ApprovalId::parse(text)
        .ok_or_else(|| Failure::usage("the request's id is req_ and 26 letters and digits"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
