//! The direct invoke, as Lambda gives it to us.
//!
//! The right to ask is not the right to answer: the function that workflows may invoke only opens; completing and
//! withdrawing need the operations function, which the template gives its own permission.

use crate::domain::approval::Approval;
use crate::domain::ids::ApprovalId;
use crate::domain::request_fields::Fields;
use crate::flow::open::OpenError;
use crate::flow::operate::{OperateError, Which};
use crate::flow::{Flow, open, operate};
use serde_json::{Map, Value, json};

/// Which of the two functions this is. Never taken from the event: its fields grant nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// What workflows invoke: takes requests in.
    Intake,
    /// What programs of the operators invoke: completes and withdraws as well.
    Operations,
}

/// A function error, as Lambda hands it to the workflow: `error_type` is what `Retry` and `Catch` name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvokeError {
    /// `Approval.InvalidRequest`, or `Approval.Unavailable`, the only one of ours that is worth a Retry.
    pub error_type: &'static str,
    /// What was wrong and what to do. Never a token.
    pub message: String,
}

impl InvokeError {
    fn invalid(message: impl Into<String>) -> Self {
        Self {
            error_type: "Approval.InvalidRequest",
            message: message.into(),
        }
    }

    fn unavailable(message: impl Into<String>) -> Self {
        Self {
            error_type: "Approval.Unavailable",
            message: message.into(),
        }
    }
}

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
    match (action, function) {
        ("open", _) => {
            let mut request = map.clone();
            request.remove("action");
            open_request(flow, &Value::Object(request)).await
        }
        ("complete", Function::Operations) => complete(flow, map).await,
        ("cancel", Function::Operations) => cancel(flow, map).await,
        ("complete" | "cancel", Function::Intake) => Err(InvokeError::invalid(format!(
            "action: \"{action}\" is not allowed here; invoke the operations function"
        ))),
        _ => Err(InvokeError::invalid(
            "action: must be \"open\", \"complete\" or \"cancel\"",
        )),
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
    Ok(summary(&approval))
}

async fn cancel(flow: &Flow, event: &Map<String, Value>) -> Result<Value, InvokeError> {
    let mut f = Fields::new("", event);
    f.value("action");
    let which = which(&mut f);
    let reason = f.lines("reason", 2_000);
    let by = f.line("by", 100).unwrap_or_else(|| "operations".to_owned());
    let which = finish(f, which)?;
    let approval = operate::cancel(flow, &which, &by, reason.as_deref())
        .await
        .map_err(refused)?;
    Ok(summary(&approval))
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
        _ => Err(InvokeError::invalid(
            crate::domain::request::InvalidRequest { problems }.to_string(),
        )),
    }
}

fn refused(error: OperateError) -> InvokeError {
    match error {
        OperateError::Unavailable(_) => InvokeError::unavailable(error.to_string()),
        _ => InvokeError::invalid(error.to_string()),
    }
}

fn summary(approval: &Approval) -> Value {
    let mut summary = json!({"requestId": approval.id, "status": approval.record.state.status()});
    if let crate::domain::decision::RequestState::Ended(ended) = &approval.record.state {
        let callback = serde_json::to_value(&ended.callback).unwrap_or_default();
        summary["callback"] = callback["is"].clone();
    }
    summary
}
