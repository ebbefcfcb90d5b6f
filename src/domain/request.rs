//! What a workflow sends: the request, checked. Called by `flow/open.rs` with the JSON that came in, whichever way it
//! came. Every rule of the format stands here; what is refused is refused by the field's name.

use super::policy::Policy;
use super::request_fields::{Fields, Problem, check_line, kind_of};
use super::request_terms::{refuse_what_is_not_supported, terms};
use super::signer::{Directory, Person, Signer};
use super::task_token::{CallbackId, CallbackTarget, TaskToken};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The largest message, in bytes of UTF-8.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// The largest text document, in bytes of UTF-8; all of a request's together may have twice that. An item of the
/// table has at most 400 KB.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// The most signers of a request.
pub const MAX_SIGNERS: usize = 100;
/// The longest title, in characters: it becomes a mail's subject.
pub const MAX_TITLE_CHARS: usize = 200;
/// The longest comment to an answer, in characters.
pub const MAX_COMMENT_CHARS: usize = 2_000;
const MAX_NAME_CHARS: usize = 100;

/// A request as it was asked for, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct ApprovalRequest {
    /// What is answered.
    pub target: CallbackTarget,
    /// Who is asked.
    pub signers: Vec<Signer>,
    /// Who asks.
    pub requester: Option<Person>,
    /// Everything else.
    pub terms: Terms,
}

/// What is asked, without the people and without the token.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Terms {
    /// What it is about, on one line.
    pub title: String,
    /// Markdown.
    pub message: Option<String>,
    /// Who has to answer.
    pub policy: Policy,
    /// What there is to read.
    pub documents: Vec<Document>,
    /// What can be answered.
    pub outcomes: Vec<Outcome>,
    /// How long people have, in seconds.
    pub timeout_seconds: Option<u64>,
    /// What happens then: a failure, or the outcome of that id.
    pub on_timeout: Option<String>,
    /// What a rejection is to the workflow.
    pub on_reject: OnReject,
    /// When people are reminded.
    pub reminders: Option<Reminders>,
    /// The waiting state's own HeartbeatSeconds.
    pub heartbeat_seconds: Option<u32>,
    /// The execution that asks.
    pub execution: Option<Execution>,
    /// The author's own id of the thing.
    pub external_id: Option<String>,
    /// The short form's document: what the signature names.
    pub document_id: Option<String>,
    /// Labels to find it by.
    pub tags: BTreeMap<String, String>,
    /// Anything; kept and shown, never interpreted.
    pub metadata: Option<Map<String, Value>>,
    /// The zone in which dates are shown.
    pub time_zone: Option<String>,
}

/// Something to read before deciding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its digest: of the text's UTF-8.
    pub sha256: super::digest::Sha256,
}

/// Something that can be answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// What the workflow gets.
    pub id: String,
    /// What the signer reads.
    pub label: String,
    /// How the policy counts it.
    pub kind: OutcomeKind,
}

/// How a policy counts an outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// For it.
    Approve,
    /// Against it.
    Reject,
}

/// What a rejection is to the workflow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReject {
    /// SendTaskFailure with `Approval.Rejected`.
    Fail,
    /// SendTaskSuccess with `"approved": false`.
    Succeed,
}

/// When people who haven't answered are reminded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reminders {
    /// Seconds from the first mail to the first reminder.
    pub after_seconds: u64,
    /// Seconds between reminders.
    pub every_seconds: u64,
    /// How many at most.
    pub max: u32,
}

/// The execution that asks, from its context object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Execution {
    /// `$$.Execution.Id`; of a durable function, its durable execution's ARN.
    pub arn: Option<String>,
    /// `$$.Execution.Name`.
    pub name: Option<String>,
    /// `$$.State.Name`.
    pub state_name: Option<String>,
    /// `$$.State.EnteredTime`: the deadline counts from here.
    pub entered_time: Option<Timestamp>,
    /// `$$.State.RetryCount`.
    pub retry_count: u64,
}

impl Execution {
    /// The ARN of the state machine, or of the durable function, taken from the execution's.
    pub fn state_machine_arn(&self) -> Option<String> {
        if let Some((function, _)) = self.arn.as_deref()?.split_once("/durable-execution/") {
            return function.rsplit_once(':').map(|(arn, _version)| arn.to_owned());
        }
        let (head, _name) = self.arn.as_deref()?.rsplit_once(':')?;
        Some(head.replacen(":execution:", ":stateMachine:", 1))
    }
}

/// Why a request was refused: every problem, by field.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .problems.iter().map(|p| format!("{}: {}", p.field, p.message)).collect::<Vec<_>>().join("; "))]
pub struct InvalidRequest {
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl InvalidRequest {
    /// A refusal for one field.
    pub fn of(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            problems: vec![Problem {
                field: field.into(),
                message: message.into(),
            }],
        }
    }
}

/// Reads a request, in the full form or in the short one (`{"stepFunctionToken", "signer", "documentId"}`).
pub fn parse(value: &Value, directory: &Directory) -> Result<ApprovalRequest, InvalidRequest> {
    let Value::Object(map) = value else {
        return Err(InvalidRequest::of(
            "(request)",
            format!("must be an object, not {}", kind_of(value)),
        ));
    };
    let mut f = Fields::new("", map);
    let target = target(&mut f);
    let signers = signers(&mut f, directory);
    let requester = f.object("requester").and_then(|map| requester(&mut f, map));
    let terms = terms(&mut f);
    if f.flag("noSelfApproval") == Some(true) {
        let asker = requester
            .as_ref()
            .and_then(|person| person.email.as_deref())
            .map(str::to_lowercase);
        let own = |s: &Signer| s.person.email.as_deref().map(str::to_lowercase) == asker;
        if asker.is_none() {
            f.problem("noSelfApproval", "needs requester.email, to know who asks");
        } else if signers.iter().any(own) {
            f.problem(
                "signers",
                "must not include the requester, because noSelfApproval is true",
            );
        }
    }
    refuse_what_is_not_supported(&mut f);
    match (f.finish(), target, terms) {
        (problems, Some(target), Some(terms)) if problems.is_empty() => Ok(ApprovalRequest {
            target,
            signers,
            requester,
            terms,
        }),
        (problems, ..) => Err(InvalidRequest { problems }),
    }
}

/// The token of a request that may be wrong in every other way: where the refusal is to go.
pub fn target_of(value: &Value) -> Option<CallbackTarget> {
    target(&mut Fields::new("", value.as_object()?))
}

fn target(f: &mut Fields<'_>) -> Option<CallbackTarget> {
    let given = [
        ("taskToken", f.text("taskToken")),
        ("stepFunctionToken", f.text("stepFunctionToken")),
        ("callbackId", f.text("callbackId")),
    ];
    let mut given = given.into_iter().filter_map(|(name, text)| Some((name, text?)));
    let Some((name, text)) = given.next() else {
        f.problem("taskToken", "is missing; pass \"taskToken.$\": \"$$.Task.Token\"");
        return None;
    };
    if let Some((second, _)) = given.next() {
        f.problem(second, format!("can't be given beside {name}"));
        return None;
    }
    let parsed = if name == "callbackId" {
        CallbackId::parse(&text).map(CallbackTarget::DurableCallback)
    } else {
        TaskToken::parse(&text).map(CallbackTarget::TaskToken)
    };
    parsed.map_err(|message| f.problem(name, message)).ok()
}

fn signers(f: &mut Fields<'_>, directory: &Directory) -> Vec<Signer> {
    let mut signers = Vec::new();
    if let Some(name) = f.line("signer", MAX_NAME_CHARS) {
        match directory.find(&name) {
            Some(person) => signers.push(Signer {
                person: person.clone(),
                role: None,
                locale: None,
            }),
            None => f.problem(
                "signer",
                "is not in the people directory; add the person there, or give signers with name and email",
            ),
        }
    }
    let had_signer = f.value("signer").is_some();
    match f.list("signers", MAX_SIGNERS) {
        Some([]) => f.problem("signers", "must name at least one person"),
        Some(_) if had_signer => f.problem("signers", "can't be given beside signer"),
        Some(list) => {
            for (index, value) in list.iter().enumerate() {
                let path = format!("signers[{index}]");
                let Value::Object(map) = value else {
                    f.problem(&path, format!("must be an object, not {}", kind_of(value)));
                    continue;
                };
                let mut inner = Fields::new(path, map);
                signers.extend(signer(&mut inner, directory));
                f.extend(inner.finish());
            }
            refuse_the_same_address_twice(f, &signers);
        }
        None if had_signer || f.value("signers").is_some() => {}
        None => f.problem(
            "signers",
            "is missing; name at least one person with name and email",
        ),
    }
    signers
}

/// One address is one person: asked twice, they would have to answer twice.
fn refuse_the_same_address_twice(f: &mut Fields<'_>, signers: &[Signer]) {
    let mut seen = BTreeSet::new();
    for (index, signer) in signers.iter().enumerate() {
        if !seen.insert(signer.person.email.as_deref().map(str::to_lowercase)) {
            f.problem(
                &format!("signers[{index}].email"),
                "is the address of an earlier signer",
            );
        }
    }
}

fn signer(f: &mut Fields<'_>, directory: &Directory) -> Option<Signer> {
    if f.value("group").is_some() {
        f.problem("group", "is not supported yet; name the people");
    }
    let role = f.line("role", MAX_NAME_CHARS);
    let locale = f.line("locale", 35);
    let name = f.line("name", MAX_NAME_CHARS);
    let had_email = f.value("email").is_some();
    let email = email(f);
    let name = match name {
        Some(name) => name,
        None if f.value("name").is_some() || f.value("group").is_some() => return None,
        None => {
            f.problem("name", "is missing");
            return None;
        }
    };
    let person = match email {
        Some(email) => Person {
            name,
            email: Some(email),
        },
        None if had_email => return None,
        None => {
            if let Some(person) = directory.find(&name) {
                person.clone()
            } else {
                f.problem("email", "is missing, and the name is not in the people directory");
                return None;
            }
        }
    };
    Some(Signer { person, role, locale })
}

fn requester(f: &mut Fields<'_>, map: &Map<String, Value>) -> Option<Person> {
    let mut inner = Fields::new("requester", map);
    let name = inner.line("name", MAX_NAME_CHARS);
    if inner.value("name").is_none() {
        inner.problem("name", "is missing");
    }
    let email = email(&mut inner);
    f.extend(inner.finish());
    name.map(|name| Person { name, email })
}

/// An address that a mail can be sent to (RFC 5321: at most 254 bytes; plain ASCII, as SES asks without SMTPUTF8).
fn email(f: &mut Fields<'_>) -> Option<String> {
    let text = f.text("email")?;
    match check_email(&text) {
        Ok(email) => Some(email),
        Err(message) => {
            f.problem("email", message);
            None
        }
    }
}

/// Checks a mail address; gives it trimmed.
pub fn check_email(text: &str) -> Result<String, String> {
    let line = check_line(text, 254)?;
    let options = email_address::Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    let valid = line.is_ascii()
        && !line.contains(['"', '(', ')', ',', ';', '<', '>', ' '])
        && email_address::EmailAddress::parse_with_options(&line, options).is_ok();
    if valid {
        Ok(line)
    } else {
        Err("is not a mail address; write it like bob@example.com".into())
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
