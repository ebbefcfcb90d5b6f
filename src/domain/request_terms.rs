//! The terms of a request, field by field: title, message, documents, outcomes, policy, deadline, and what the workflow
//! says of itself. Called by `request.rs`, which reads the token and the people.

use super::policy::Policy;
use super::request::{
    Document, Execution, MAX_DOCUMENT_BYTES, MAX_MESSAGE_BYTES, MAX_TITLE_CHARS, OnReject, Outcome,
    OutcomeKind, Reminders, Terms,
};
use super::request_fields::{Fields, check_line, kind_of};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The longest wait: a year, as Step Functions' own.
const MAX_SECONDS: u64 = 31_536_000;
const MAX_METADATA_BYTES: usize = 16 * 1024;

/// Reads what is asked: everything but the token and the people.
pub(super) fn terms(f: &mut Fields<'_>) -> Option<Terms> {
    let document_id = f.id("documentId", 200);
    let title = f.line("title", MAX_TITLE_CHARS);
    let title = match (title, &document_id) {
        (Some(title), _) => Some(title),
        (None, Some(id)) if f.value("title").is_none() => Some(format!("Sign document {id}")),
        (None, None) if f.value("title").is_none() => {
            f.problem(
                "title",
                "is missing; say what is to be decided (or give documentId)",
            );
            None
        }
        (None, _) => None,
    };
    let message = f.lines("message", MAX_MESSAGE_BYTES);
    let policy = policy(f);
    let documents = documents(f);
    let sign = document_id.is_some() || !documents.is_empty();
    let outcomes = outcomes(f, sign);
    let timeout_seconds = f.number("timeoutSeconds", 1, MAX_SECONDS);
    let on_timeout = on_timeout(f, &outcomes);
    let on_reject = match f.line("onReject", 20).as_deref() {
        None | Some("fail") => OnReject::Fail,
        Some("succeed") => OnReject::Succeed,
        Some(_) => {
            f.problem("onReject", "must be \"fail\" or \"succeed\"");
            OnReject::Fail
        }
    };
    let reminders = f.object("reminders").map(|map| reminders(f, map));
    let heartbeat_seconds = f
        .number("heartbeatSeconds", 15, MAX_SECONDS)
        .and_then(|n| u32::try_from(n).ok());
    let execution = f.object("execution").map(|map| execution(f, map));
    let external_id = f.id("externalId", 200).or_else(|| document_id.clone());
    let tags = tags(f);
    let metadata = metadata(f);
    let time_zone = time_zone(f);
    Some(Terms {
        title: title?,
        message,
        policy,
        documents,
        outcomes,
        timeout_seconds,
        on_timeout,
        on_reject,
        reminders,
        heartbeat_seconds,
        execution,
        external_id,
        document_id,
        tags,
        metadata,
        time_zone,
    })
}

fn policy(f: &mut Fields<'_>) -> Policy {
    let Some(map) = f.object("policy") else {
        return Policy::All;
    };
    let mut inner = Fields::new("policy", map);
    match inner.line("type", 20).as_deref() {
        Some("all") => {}
        Some(known @ ("any" | "quorum" | "sequence")) => {
            inner.value("count");
            inner.problem("type", format!("\"{known}\" is not supported yet; use \"all\""));
        }
        Some(_) => inner.problem("type", "must be \"all\", \"any\", \"quorum\" or \"sequence\""),
        None if inner.value("type").is_some() => {}
        None => inner.problem("type", "is missing"),
    }
    let problems = inner.finish();
    f.extend(problems);
    Policy::All
}

fn documents(f: &mut Fields<'_>) -> Vec<Document> {
    let mut documents = Vec::new();
    for (index, value) in f.list("documents", 20).unwrap_or_default().iter().enumerate() {
        let path = format!("documents[{index}]");
        let Value::Object(map) = value else {
            f.problem(&path, format!("must be an object, not {}", kind_of(value)));
            continue;
        };
        let mut inner = Fields::new(path, map);
        let name = inner.line("name", 200);
        if inner.value("name").is_none() {
            inner.problem("name", "is missing");
        }
        if inner.value("s3").is_some() || inner.value("sha256").is_some() {
            inner.problem("s3", "is not supported yet; give the document's text");
        } else if inner.value("text").is_none() {
            inner.problem("text", "is missing");
        }
        let text = inner.lines("text", MAX_DOCUMENT_BYTES);
        if let (Some(name), Some(text)) = (name, text) {
            documents.push(Document {
                name,
                sha256: super::digest::Sha256::of(text.as_bytes()),
                text,
            });
        }
        f.extend(inner.finish());
    }
    let total: usize = documents.iter().map(|document| document.text.len()).sum();
    if total > 2 * MAX_DOCUMENT_BYTES {
        f.problem(
            "documents",
            format!(
                "have {total} bytes together; at most {} are allowed",
                2 * MAX_DOCUMENT_BYTES
            ),
        );
    }
    documents
}

fn outcomes(f: &mut Fields<'_>, sign: bool) -> Vec<Outcome> {
    let Some(list) = f.list("outcomes", 10) else {
        let (approve, reject) = if sign {
            ("Sign", "Do not sign")
        } else {
            ("Approve", "Reject")
        };
        return vec![
            Outcome {
                id: "approve".into(),
                label: approve.into(),
                kind: OutcomeKind::Approve,
            },
            Outcome {
                id: "reject".into(),
                label: reject.into(),
                kind: OutcomeKind::Reject,
            },
        ];
    };
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let path = format!("outcomes[{index}]");
        let Value::Object(map) = value else {
            f.problem(&path, format!("must be an object, not {}", kind_of(value)));
            continue;
        };
        let mut inner = Fields::new(path, map);
        let id = inner.line("id", 64).filter(|id| {
            let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
            if !plain {
                inner.problem("id", "may hold only letters, digits, '-', '_' and '.'");
            }
            plain
        });
        let label = inner.line("label", 80).or_else(|| id.clone());
        let kind = match inner.line("kind", 20).as_deref() {
            Some("approve") => Some(OutcomeKind::Approve),
            Some("reject") => Some(OutcomeKind::Reject),
            _ => {
                inner.problem("kind", "must be \"approve\" or \"reject\"");
                None
            }
        };
        if inner.value("id").is_none() {
            inner.problem("id", "is missing");
        }
        if let (Some(id), Some(label), Some(kind)) = (id, label, kind) {
            if outcomes.iter().any(|outcome| outcome.id == id) {
                inner.problem("id", "is the id of an earlier outcome");
            }
            outcomes.push(Outcome { id, label, kind });
        }
        f.extend(inner.finish());
    }
    if !outcomes
        .iter()
        .any(|outcome| outcome.kind == OutcomeKind::Approve)
    {
        f.problem("outcomes", "must hold at least one of kind \"approve\"");
    }
    outcomes
}

fn on_timeout(f: &mut Fields<'_>, outcomes: &[Outcome]) -> Option<String> {
    let id = f.line("onTimeout", 64).filter(|id| id != "fail")?;
    if !outcomes.iter().any(|outcome| outcome.id == id) {
        f.problem("onTimeout", "must be \"fail\" or the id of an outcome");
    }
    Some(id)
}

fn reminders(f: &mut Fields<'_>, map: &Map<String, Value>) -> Reminders {
    let mut inner = Fields::new("reminders", map);
    let after = inner.number("afterSeconds", 60, MAX_SECONDS);
    let every = inner.number("everySeconds", 60, MAX_SECONDS);
    let max = inner.number("max", 1, 100);
    let problems = inner.finish();
    f.extend(problems);
    let after_seconds = after.or(every).unwrap_or(86_400);
    Reminders {
        after_seconds,
        every_seconds: every.unwrap_or(after_seconds),
        max: max.and_then(|n| u32::try_from(n).ok()).unwrap_or(3),
    }
}

fn execution(f: &mut Fields<'_>, map: &Map<String, Value>) -> Execution {
    let durable = f.value("callbackId").is_some();
    let mut inner = Fields::new("execution", map);
    let arn = inner.line("arn", 1024).filter(|arn| {
        let valid = if durable {
            is_durable_execution(arn)
        } else {
            arn.starts_with("arn:") && (arn.contains(":execution:") || arn.contains(":express:"))
        };
        if !valid {
            let message = if durable {
                "is not a durable execution's ARN; pass context.execution_context.durable_execution_arn"
            } else {
                "is not an execution's ARN; pass \"$$.Execution.Id\""
            };
            inner.problem("arn", message);
        }
        valid
    });
    let entered_time = inner.line("enteredTime", 40).and_then(|text| {
        if let Ok(time) = text.parse() {
            Some(time)
        } else {
            inner.problem("enteredTime", "is not a time; pass \"$$.State.EnteredTime\"");
            None
        }
    });
    let execution = Execution {
        arn,
        name: inner.line("name", 200),
        state_name: inner.line("stateName", 200),
        entered_time,
        retry_count: inner.number("retryCount", 0, 1_000_000).unwrap_or(0),
    };
    let problems = inner.finish();
    f.extend(problems);
    execution
}

/// Whether `id` names a durable execution: by its ARN, or as AWS's testing SDK does, by `<uuid>/<name>`.
fn is_durable_execution(id: &str) -> bool {
    let in_a_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    match id.split_once("/durable-execution/") {
        Some((function, _)) => function.starts_with("arn:") && function.contains(":lambda:"),
        None => id.split_once('/').is_some_and(|(run, name)| {
            run.len() == 36 && run.chars().all(in_a_name) && !name.is_empty() && name.chars().all(in_a_name)
        }),
    }
}

fn tags(f: &mut Fields<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let Some(map) = f.object("tags") else { return tags };
    if map.len() > 20 {
        f.problem(
            "tags",
            format!("has {} entries; at most 20 are allowed", map.len()),
        );
    }
    for (key, value) in map {
        let text = value
            .as_str()
            .ok_or_else(|| format!("must hold text, not {}", kind_of(value)));
        match (check_line(key, 64), text.and_then(|text| check_line(text, 200))) {
            (Ok(key), Ok(value)) if !key.contains('=') => {
                tags.insert(key, value);
            }
            (Ok(_), Ok(_)) => f.problem("tags", "must not have \"=\" in a name"),
            (Err(message), _) | (_, Err(message)) => f.problem("tags", message),
        }
    }
    tags
}

fn metadata(f: &mut Fields<'_>) -> Option<Map<String, Value>> {
    let map = f.object("metadata")?;
    let bytes = super::digest::canonical_json(map).len();
    if bytes > MAX_METADATA_BYTES {
        f.problem(
            "metadata",
            format!("has {bytes} bytes as JSON; at most {MAX_METADATA_BYTES} are allowed"),
        );
    }
    Some(map.clone())
}

fn time_zone(f: &mut Fields<'_>) -> Option<String> {
    let name = f.line("timeZone", 64)?;
    if jiff::tz::TimeZone::get(&name).is_err() {
        f.problem(
            "timeZone",
            "is not a known time zone; write it like Europe/Berlin",
        );
    }
    Some(name)
}

/// Parts of the format whose time has not come. They are refused rather than ignored: an approval that quietly
/// lacks its form or its second factor would be worse than none.
pub(super) fn refuse_what_is_not_supported(f: &mut Fields<'_>) {
    for name in ["form", "escalate"] {
        if f.value(name).is_some() {
            f.problem(name, "is not supported yet");
        }
    }
    if f.flag("allowDelegation") == Some(true) {
        f.problem("allowDelegation", "true is not supported yet");
    }
    if f.number("undoSeconds", 0, 3600)
        .is_some_and(|seconds| seconds > 0)
    {
        f.problem("undoSeconds", "is not supported yet; leave it out or give 0");
    }
    match f.line("identify", 20).as_deref() {
        None | Some("link") => {}
        Some("code") => f.problem("identify", "\"code\" is not supported yet; use \"link\""),
        Some(_) => f.problem("identify", "must be \"link\" or \"code\""),
    }
}
