//! What a state calls and sends: whether it waits, whether Countersign is asked, and where the task token goes.

use super::json::{Field, Kind, Node};
use super::machine::{Given, Language, State};
use std::ops::Range;

/// The names under which Countersign reads the token.
const TOKEN_NAMES: [&str; 2] = ["taskToken", "stepFunctionToken"];

/// Fields that only a request for an approval has together with a token.
const PEOPLE: [&str; 2] = ["signers", "signer"];

/// A Task and what it calls.
pub(super) struct Call<'d> {
    pub(super) state: State<'d>,
    pub(super) kind: CallKind,
    /// Whether it asks Countersign, as far as one can see.
    pub(super) countersign: bool,
    pub(super) payload: Payload<'d>,
}

/// How a Task ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallKind {
    /// When its token is answered.
    Callback,
    /// When a worker answers the token that it polled for.
    Activity,
    /// With the call's response.
    Response,
}

/// What is sent to those who answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'d> {
    /// An object that can be read; the field that holds it.
    Object(&'d Field),
    /// Something that is put together when the state runs.
    Later,
    /// Nothing.
    None,
}

impl<'d> Call<'d> {
    /// What a state calls; nothing where it is no Task.
    pub(super) fn of(state: State<'d>) -> Option<Self> {
        let (_, resource) = state.resource()?;
        let kind = kind_of(resource);
        let payload = payload(&state, resource);
        let mut call = Self {
            state,
            kind,
            countersign: false,
            payload,
        };
        call.countersign =
            kind != CallKind::Activity && (call.names_countersign(resource) || call.asks_people());
        Some(call)
    }

    pub(super) fn waits(&self) -> bool {
        self.kind != CallKind::Response
    }

    /// The request's object, where it can be read.
    pub(super) fn request(&self) -> Option<&'d Node> {
        match self.payload {
            Payload::Object(field) => Some(&field.value),
            Payload::Later | Payload::None => None,
        }
    }

    /// What the request says in a field.
    pub(super) fn given(&self, name: &str) -> Option<Given<'d>> {
        self.state.language.given(self.request()?, name)
    }

    /// The field under which the token is sent, of those that Countersign reads.
    pub(super) fn token(&self) -> Option<Given<'d>> {
        TOKEN_NAMES.iter().find_map(|name| self.given(name))
    }

    /// Whether function or queue are called so.
    fn names_countersign(&self, resource: &str) -> bool {
        let argument = |name: &str| {
            let arguments = &self.state.arguments()?.value;
            self.state.language.given(arguments, name)?.field().value.text()
        };
        let called = ["FunctionName", "QueueUrl"].into_iter().find_map(argument);
        let called = called.unwrap_or(resource).to_lowercase();
        called.contains("countersign") && !called.contains("operations")
    }

    /// Whether what is sent looks like a request of ours.
    fn asks_people(&self) -> bool {
        self.token().is_some() && PEOPLE.iter().any(|name| self.given(name).is_some())
    }

    /// Every place from which the token goes out, and every place where its path is but a text.
    pub(super) fn tokens(&self) -> Tokens {
        let mut tokens = Tokens::default();
        if let Some(arguments) = self.state.arguments() {
            tokens.look(&arguments.value, false, self.state.language);
        }
        tokens
    }
}

fn kind_of(resource: &str) -> CallKind {
    let activity = match resource.strip_prefix("${") {
        Some(name) => name.to_lowercase().contains("activity"),
        None => resource.contains(":activity:"),
    };
    if resource.ends_with(".waitForTaskToken") {
        CallKind::Callback
    } else if activity {
        CallKind::Activity
    } else {
        CallKind::Response
    }
}

/// Where each service has what the other side reads.
fn payload<'d>(state: &State<'d>, resource: &str) -> Payload<'d> {
    let Some(arguments) = state.arguments() else {
        return Payload::None;
    };
    if state.language.is_later(&arguments.value) {
        return Payload::Later;
    }
    let service = resource.rsplit(":::").next().unwrap_or_default();
    let name = match service.split('.').next().unwrap_or_default() {
        "lambda:invoke" | "aws-sdk:lambda:invoke" => "Payload",
        "sqs:sendMessage" | "aws-sdk:sqs:sendMessage" => "MessageBody",
        "sns:publish" | "aws-sdk:sns:publish" => "Message",
        "states:startExecution" | "aws-sdk:sfn:startExecution" => "Input",
        "apigateway:invoke" => "RequestBody",
        "events:putEvents" | "aws-sdk:eventbridge:putEvents" => {
            let entries = arguments.value.get("Entries").map_or(&[][..], Node::entries);
            return match entries {
                [entry] => read(state.language, entry, "Detail"),
                _ => Payload::Later,
            };
        }
        // A function by its own ARN is given the parameters themselves.
        _ if !resource.contains(":::") => return Payload::Object(arguments),
        _ => return Payload::Later,
    };
    read(state.language, &arguments.value, name)
}

fn read<'d>(language: Language, arguments: &'d Node, name: &str) -> Payload<'d> {
    match language.given(arguments, name) {
        Some(Given::Known(field)) if matches!(field.value.kind, Kind::Object(_)) => Payload::Object(field),
        Some(_) => Payload::Later,
        None => Payload::None,
    }
}

/// Where the token is in what a state sends.
#[derive(Default)]
pub(super) struct Tokens {
    /// Whether an expression gives it, or may.
    pub(super) sent: bool,
    /// Texts that spell its path and are not read as one.
    pub(super) as_text: Vec<Range<usize>>,
}

impl Tokens {
    /// `path` says that a text at `node` is read as a path.
    fn look(&mut self, node: &Node, path: bool, language: Language) {
        match &node.kind {
            Kind::Object(fields) => fields.iter().for_each(|field| {
                let path = language == Language::JsonPath && field.name.ends_with(".$");
                self.look(&field.value, path, language);
            }),
            Kind::List(entries) => entries.iter().for_each(|entry| self.look(entry, false, language)),
            // Whatever is put here when it is deployed.
            Kind::Substitution(_) => self.sent = true,
            Kind::Text(text) if holds_token(text, path, language) => self.sent = true,
            Kind::Text(text) if is_token_path(text) => self.as_text.push(node.span.clone()),
            _ => {}
        }
    }
}

/// Whether an expression gives the token, or something that holds it.
fn holds_token(text: &str, path: bool, language: Language) -> bool {
    match language {
        Language::JsonPath => path && (text.contains("${") || leads_to_token(text, "$$")),
        Language::Jsonata => {
            let sent = |object| leads_to_token(text, object);
            text.starts_with("{%") && (text.contains("${") || sent("$states.context") || sent("$states"))
        }
    }
}

/// Whether `text` has the object `context` as a whole, its `Task`, or something in it that can't be told.
fn leads_to_token(text: &str, context: &str) -> bool {
    text.match_indices(context).any(|(at, _)| {
        let rest = &text[at + context.len()..];
        match rest.strip_prefix('.') {
            Some(field) => field.starts_with("Task") || !field.starts_with(|c: char| c.is_ascii_alphabetic()),
            None => !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'),
        }
    })
}

/// Whether a text is what would lead to the token, if it were read as an expression.
fn is_token_path(text: &str) -> bool {
    ["$$.Task.Token", "$states.context.Task.Token"].contains(&text.trim())
}
