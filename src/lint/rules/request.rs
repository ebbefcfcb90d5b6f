//! The request that a state sends, as far as the definition says it: what Countersign would refuse.

use super::super::call::{Call, Payload};
use super::super::json::{Field, Kind, Node};
use super::super::machine::{Given, Language};
use super::super::{Findings, Rule};
use super::{sentence, token};
use crate::domain::request;
use crate::domain::request_fields::Problem;
use crate::domain::signer::{Directory, Person};
use serde_json::{Map, Value};
use std::ops::Range;

/// What Countersign would refuse.
pub(super) fn refused(findings: &mut Findings<'_>, call: &Call<'_>) {
    let Payload::Object(payload) = call.payload else {
        return;
    };
    let mut request = Request {
        language: call.state.language,
        people: Vec::new(),
    };
    let value = request.value(&payload.value);
    // Who is in the service's directory only the service knows: whoever is named is.
    let people = request.people.drain(..).enumerate().map(|(n, name)| Person {
        name,
        email: Some(format!("{n}@example.com")),
    });
    let directory = Directory::new(people.collect::<Vec<_>>());
    let Err(invalid) = request::parse(&value, &directory) else {
        return;
    };
    for problem in invalid.problems {
        let place = request.place(payload, &problem);
        let is_token = token::misnamed(call).is_some_and(|field| field.span == place.span);
        if is_token || request.excuses(&payload.value, &problem, &place) {
            continue;
        }
        let message = "Countersign refuses this request: the state fails with Approval.InvalidRequest, and nobody is asked.";
        let help = sentence(&format!("`{}` {}", problem.field, problem.message));
        findings.add(Rule::Request, Some(call.state.name()), &place.span, message, help);
    }
}

/// Countersign isn't told which execution asks, so it can't look whether that still waits.
pub(super) fn execution(findings: &mut Findings<'_>, call: &Call<'_>) {
    let Payload::Object(payload) = call.payload else {
        return;
    };
    let language = call.state.language;
    let told = match call.given("execution") {
        Some(Given::Known(field)) => language.given(&field.value, "arn").is_some(),
        Some(Given::Later(_)) => true,
        None => false,
    };
    if told {
        return;
    }
    let message = "Without execution.arn Countersign can't look whether the workflow still waits: people may answer what has ended.";
    let help = match language {
        Language::JsonPath => {
            r#"Send "execution": {"arn.$": "$$.Execution.Id"}; docs/GUIDE.md has all of its fields."#
        }
        Language::Jsonata => {
            r#"Send "execution": {"arn": "{% $states.context.Execution.Id %}"}; docs/GUIDE.md has all of its fields."#
        }
    };
    findings.add(
        Rule::NoExecution,
        Some(call.state.name()),
        &payload.span,
        message,
        help,
    );
}

/// A request with texts in place of what is only known later.
struct Request {
    language: Language,
    /// Every name that may be somebody's in the directory.
    people: Vec<String>,
}

/// Where a problem is.
struct Place {
    span: Range<usize>,
    /// Whether what stands there, or around it, is only known later.
    later: bool,
}

impl Request {
    fn value(&mut self, node: &Node) -> Value {
        if self.language.is_later(node) {
            return self.later();
        }
        match &node.kind {
            Kind::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|field| self.field(field))
                    .collect::<Map<_, _>>(),
            ),
            Kind::List(entries) => entries.iter().map(|entry| self.value(entry)).collect(),
            _ => node.value("", &mut |_, _| None),
        }
    }

    fn field(&mut self, field: &Field) -> (String, Value) {
        if let (Language::JsonPath, Some(name)) = (self.language, field.name.strip_suffix(".$")) {
            return (name.to_owned(), self.later());
        }
        if let ("name" | "signer", Some(name)) = (field.name.as_str(), field.value.text()) {
            self.people.push(name.to_owned());
        }
        (field.name.clone(), self.value(&field.value))
    }

    /// A text like no other, which could be somebody's name.
    fn later(&mut self) -> Value {
        let text = format!("later {}", self.people.len());
        self.people.push(text.clone());
        text.into()
    }

    /// Where a problem's field is: `signers[0].email`. What isn't there is told of the object around it.
    fn place(&self, payload: &Field, problem: &Problem) -> Place {
        let mut place = Place {
            span: payload.span.clone(),
            later: false,
        };
        let mut node = &payload.value;
        for step in problem.field.split(['.', '[']) {
            let next = match step.strip_suffix(']') {
                Some(index) => index
                    .parse()
                    .ok()
                    .and_then(|n: usize| node.entries().get(n))
                    .map(|entry| (entry, &entry.span)),
                None => self.named(node, step).map(|field| (&field.value, &field.span)),
            };
            let Some((next, span)) = next else { break };
            place.span = span.clone();
            place.later |= self.is_later(node, next);
            node = next;
        }
        place
    }

    /// The field of this name. A name that may be a secret isn't repeated in a problem; its place is.
    fn named<'d>(&self, object: &'d Node, name: &str) -> Option<&'d Field> {
        if name == "(unknown)" {
            let odd = |field: &&Field| {
                field.name.len() > 40 || !field.name.chars().all(|c| c.is_ascii_alphanumeric())
            };
            return object.fields().iter().find(odd);
        }
        self.language
            .given(object, name)
            .map(Given::field)
            .or_else(|| object.field(name))
    }

    fn is_later(&self, object: &Node, value: &Node) -> bool {
        let by_path = |field: &Field| field.name.ends_with(".$") && field.value.span == value.span;
        self.language.is_later(value)
            || (self.language == Language::JsonPath && object.fields().iter().any(by_path))
    }

    /// Whether a problem may not be there when the state runs.
    fn excuses(&self, request: &Node, problem: &Problem, place: &Place) -> bool {
        let partly_later = |name: &str| {
            let given = self.language.given(request, name);
            given.is_some_and(|given| given.known().is_none_or(|node| self.holds_later(node)))
        };
        // A name stays as it is, whatever its value will be.
        (place.later && !problem.message.starts_with("is not a field"))
            // A token has rules of its own.
            || ["taskToken", "stepFunctionToken"].contains(&problem.field.as_str())
            // These are held against other fields.
            || (problem.field == "onTimeout" && partly_later("outcomes"))
            || (problem.field == "outcomes" && partly_later("outcomes"))
            || (["noSelfApproval", "signers"].contains(&problem.field.as_str()) && partly_later("requester"))
    }

    fn holds_later(&self, node: &Node) -> bool {
        self.language.is_later(node)
            || node.entries().iter().any(|entry| self.holds_later(entry))
            || node.fields().iter().any(|field| {
                (self.language == Language::JsonPath && field.name.ends_with(".$"))
                    || self.holds_later(&field.value)
            })
    }
}
