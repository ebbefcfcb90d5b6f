//! The direct invoke, as Lambda gives it to us.
//!
//! The right to ask is not the right to answer: the function that workflows may invoke only opens; looking at requests,
//! completing and withdrawing need the operations function, which the template gives its own permission. What tasks need
//! (`intake/task_tools.rs`) is done by that one, and by the task tools' function, which can do nothing else.

use super::task_tools;
use crate::domain::approval::Approval;
use crate::domain::decision::RequestState;
use crate::domain::ids::ApprovalId;
use crate::domain::request::InvalidRequest;
use crate::domain::request_fields::{Fields, Problem};
use crate::domain::shown::{summary, whole};
use crate::flow::list::Asked;
use crate::flow::open::OpenError;
use crate::flow::operate::{OperateError, Which};
use crate::flow::{Flow, list, open, operate};
use serde_json::{Map, Value, json};

/// Which of the functions this is. Never taken from the event: its fields grant nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// What workflows invoke: takes requests in.
    Intake,
    /// What programs of the operators invoke: lists, shows, completes, withdraws, mails again and retries as well.
    Operations,
    /// What tasks invoke: state data, and stopping an execution. No approvals.
    TaskTools,
}

/// A function error, as Lambda hands it to the workflow: `error_type` is what `Retry` and `Catch` name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvokeError {
    /// `Approval.InvalidRequest`, or `Approval.Unavailable`, the only one of ours that is worth a Retry. (Of the task tools
    /// see `intake/task_tools.rs`.)
    pub error_type: &'static str,
    /// What was wrong and what to do. Never a token.
    pub message: String,
}

impl InvokeError {
    /// The request is wrong: the same again will be refused again.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self {
            error_type: "Approval.InvalidRequest",
            message: message.into(),
        }
    }

    /// It may be right: try again.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            error_type: "Approval.Unavailable",
            message: message.into(),
        }
    }
}

/// What only the operations function does.
const OPERATIONS: [&str; 6] = ["complete", "cancel", "list", "show", "resend", "retry"];

/// Answers a direct invoke. An event without `action` opens an approval.
pub async fn direct_invoke(flow: &Flow, function: Function, event: &Value) -> Result<Value, InvokeError> {
    let Value::Object(map) = event else {
        return Err(InvokeError::invalid("the event must be a JSON object"));
    };
    let action = match map.get("action") {
        None => "open",
        Some(Value::String(action)) => action.as_str(),
        Some(_) => return Err(InvokeError::invalid("action: must be text")),
    };
    if function == Function::TaskTools || task_tools::is_action(action) {
        if function == Function::Intake {
            return Err(InvokeError::invalid(format!(
                "action: \"{action}\" is not allowed here; invoke the task tools' function or the operations function"
            )));
        }
        return task_tools::invoke(flow, action, map).await;
    }
    if function == Function::Intake && OPERATIONS.contains(&action) {
        return Err(InvokeError::invalid(format!(
            "action: \"{action}\" is not allowed here; invoke the operations function"
        )));
    }
    match action {
        "open" => {
            let mut request = map.clone();
            request.remove("action");
            open_request(flow, &Value::Object(request)).await
        }
        "complete" => complete(flow, map).await,
        "cancel" => cancel(flow, map).await,
        "list" => list_requests(flow, map).await,
        "show" => show(flow, map).await,
        "resend" => resend(flow, map).await,
        "retry" => retry(flow, map).await,
        _ => Err(InvokeError::invalid(format!(
            "action: must be one of open, {}",
            OPERATIONS.join(", ")
        ))),
    }
}

async fn open_request(flow: &Flow, request: &Value) -> Result<Value, InvokeError> {
    match open::open(flow, request).await {
        Ok(opened) => Ok(json!({"requestId": opened.id, "status": opened.status})),
        Err(OpenError::Invalid(invalid)) => Err(InvokeError::invalid(invalid.to_string())),
        Err(error @ OpenError::Unavailable(_)) => {
            tracing::warn!(error = ?error, "a request could not be taken in");
            Err(InvokeError::unavailable(error.to_string()))
        }
    }
}

async fn complete(flow: &Flow, event: &Map<String, Value>) -> Result<Value, InvokeError> {
    let mut f = Fields::new("", event);
    f.value("action");
    let which = which(&mut f);
    let outcome = f.line("outcome", 64);
    let comment = f.lines("comment", 8_000);
    let which = finish(f, which)?;
    let approval = operate::complete(flow, &which, outcome.as_deref(), comment.as_deref())
        .await
        .map_err(refused)?;
    Ok(result(&approval))
}

async fn cancel(flow: &Flow, event: &Map<String, Value>) -> Result<Value, InvokeError> {
    let mut f = Fields::new("", event);
    f.value("action");
    let which = which(&mut f);
    let reason = f.lines("reason", 2_000);
    let by = f.line("by", 100).unwrap_or_else(|| "operations".to_owned());
    let stop = f.flag("stop").unwrap_or_default();
    let which = finish(f, which)?;
    let approval = operate::cancel(flow, &which, &by, reason.as_deref(), stop)
        .await
        .map_err(refused)?;
    Ok(result(&approval))
}

/// A part of the list, newest first: what `GET /api/v1/requests` takes as its query are fields here.
async fn list_requests(flow: &Flow, event: &Map<String, Value>) -> Result<Value, InvokeError> {
    let mut pairs = Vec::new();
    for (name, value) in event.iter().filter(|(name, _)| *name != "action") {
        match value {
            Value::String(text) => pairs.push((name.clone(), text.clone())),
            Value::Number(number) => pairs.push((name.clone(), number.to_string())),
            // A filter may come several times.
            Value::Array(values) if values.iter().all(Value::is_string) => {
                let texts = values.iter().filter_map(Value::as_str);
                pairs.extend(texts.map(|text| (name.clone(), text.to_owned())));
            }
            Value::Null => {}
            _ => pairs.push((name.clone(), String::new())),
        }
    }
    let asked = Asked::read(pairs, flow.clock.now()).map_err(wrong)?;
    let page = list::page(flow, &asked.wanted, asked.after, asked.most)
        .await
        .map_err(|error| refused(error.into()))?;
    let requests: Vec<Value> = page.approvals.iter().map(summary).collect();
    Ok(json!({"requests": requests, "nextCursor": page.next.map(|place| place.cursor())}))
}

async fn show(flow: &Flow, event: &Map<String, Value>) -> Result<Value, InvokeError> {
    let mut f = Fields::new("", event);
    f.value("action");
    let which = which(&mut f);
    let which = finish(f, which)?;
    let approval = operate::find(flow, &which).await.map_err(refused)?;
    Ok(whole(&approval, flow.clock.now(), &flow.settings.time_zone))
}

async fn resend(flow: &Flow, event: &Map<String, Value>) -> Result<Value, InvokeError> {
    let mut f = Fields::new("", event);
    f.value("action");
    let which = which(&mut f);
    let to = f.line("signer", 254);
    let which = finish(f, which)?;
    let id = operate::find(flow, &which).await.map_err(refused)?.id;
    let (approval, numbers) = operate::resend(flow, id, to.as_deref()).await.map_err(refused)?;
    let mut done = result(&approval);
    let names = numbers.into_iter().map(|number| approval.people.name(number));
    done["mailedAgain"] = names.collect();
    Ok(done)
}

async fn retry(flow: &Flow, event: &Map<String, Value>) -> Result<Value, InvokeError> {
    let mut f = Fields::new("", event);
    f.value("action");
    let which = which(&mut f);
    let which = finish(f, which)?;
    let id = operate::find(flow, &which).await.map_err(refused)?.id;
    let approval = operate::retry(flow, id).await.map_err(refused)?;
    Ok(result(&approval))
}

fn which(f: &mut Fields<'_>) -> Option<Which> {
    let request_id = f.line("requestId", 40);
    let external = f.id("documentId", 200).or_else(|| f.id("externalId", 200));
    match (request_id, external) {
        (Some(id), None) => {
            let parsed = ApprovalId::parse(&id).map(Which::Id);
            if parsed.is_none() {
                f.problem("requestId", "must be an id of the form req_…");
            }
            parsed
        }
        (None, Some(external)) => Some(Which::ExternalId(external)),
        _ => {
            f.problem("requestId", "or documentId must be given, one of them");
            None
        }
    }
}

fn finish(f: Fields<'_>, which: Option<Which>) -> Result<Which, InvokeError> {
    let problems = f.finish();
    match which {
        Some(which) if problems.is_empty() => Ok(which),
        _ => Err(wrong(problems)),
    }
}

fn wrong(problems: Vec<Problem>) -> InvokeError {
    InvokeError::invalid(InvalidRequest { problems }.to_string())
}

fn refused(error: OperateError) -> InvokeError {
    match error {
        OperateError::Unavailable(_) => InvokeError::unavailable(error.to_string()),
        _ => InvokeError::invalid(error.to_string()),
    }
}

/// What became of an operation: just enough for a workflow to go on with.
fn result(approval: &Approval) -> Value {
    let mut result = json!({"requestId": approval.id, "status": approval.record.state.status()});
    if let RequestState::Ended(ended) = &approval.record.state {
        let callback = serde_json::to_value(&ended.callback).unwrap_or_default();
        result["callback"] = callback["is"].clone();
    }
    result
}
