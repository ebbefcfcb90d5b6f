//! The operators' commands on one request: `show`, `events`, `cancel`, `complete`, `resend`, `retry`. Each is one call of
//! the API. The list is `pending.rs`.

use super::Failure;
use super::client::Service;
use super::terminal::{BAD, FAINT, GOOD, STRONG, say, styled};
use crate::domain::display_text::DisplayText;
use crate::domain::ids::ApprovalId;
use clap::Args;
use http::Method;
use serde_json::{Map, Value};

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

/// `countersign events`: what happened to one request.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// The request: req_…
    id: String,
    #[command(flatten)]
    service: Service,
}

impl Events {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = format!("/requests/{}/events", request_id(&self.id)?);
        let shown = self.service.call(Method::GET, &path, None).await?;
        if self.service.json {
            return print_json(&shown);
        }
        for happened in shown["timeline"].as_array().into_iter().flatten() {
            let at = styled(FAINT, text(&happened["at"]));
            say(&format!("{at}  {}", text(&happened["what"])));
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
    /// Stop its execution, too, if that is proven to be the one that waits for it
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    service: Service,
}

impl Cancel {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let fields = [
            ("reason", self.reason.map(Value::from)),
            ("by", self.by.map(Value::from)),
            ("stop", self.stop.then_some(Value::from(true))),
        ];
        operate(&self.service, &self.id, "cancel", fields).await
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
        let fields = [
            ("outcome", self.outcome.map(Value::from)),
            ("comment", self.comment.map(Value::from)),
        ];
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
        let signer = self.signer.map(Value::from);
        operate(&self.service, &self.id, "resend", [("signer", signer)]).await
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
    fields: [(&str, Option<Value>); N],
) -> Result<(), Failure> {
    let path = format!("/requests/{}/{what}", request_id(id)?);
    let given = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
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

pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    let shown = serde_json::to_string_pretty(value).map_err(|error| Failure::failed(error.to_string()))?;
    say(&shown);
    Ok(())
}

fn request_id(text: &str) -> Result<ApprovalId, Failure> {
    ApprovalId::parse(text)
        .ok_or_else(|| Failure::usage("the request's id is req_ and 26 letters and digits"))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
