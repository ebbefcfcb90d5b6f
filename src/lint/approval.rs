//! The waiting state that the rules would ask for, written out: what `countersign new approval` prints. The rules find
//! nothing in it.

use crate::domain::request::{self, InvalidRequest};
use crate::domain::signer::{Directory, Person};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The longest name of a state, in characters.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const LONGEST_NAME: usize = 80;
/// How much longer the state waits than people are given, in seconds: so that Countersign ends it, and tells everybody.
const GRACE: u64 = 600;
/// After how many seconds without a word from Countersign the state fails.
const HEARTBEAT: u64 = 600;
/// The longest that people may be given, in seconds: an execution ends after a year.
const LONGEST: u64 = 31_536_000 - GRACE;
/// The shortest, in seconds.
const SHORTEST: u64 = 60;
/// How long a line may be before it is broken, in characters.
const LINE: usize = 100;

/// What the state is to be like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The state's name.
    pub name: String,
    /// How Countersign is asked.
    pub via: Via,
    /// Who is asked. Without an address they stand in the service's directory.
    pub signers: Vec<Person>,
    /// What is to be decided.
    pub title: String,
    /// More about it, as Markdown.
    pub message: Option<String>,
    /// How long people have, in seconds.
    pub seconds: u64,
    /// What a rejection leads to.
    pub rejection: Rejection,
    /// Where an approval leads to; the end of the workflow without.
    pub next: Option<String>,
    /// Whether expressions are JSONata.
    pub jsonata: bool,
}

/// How Countersign is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Via {
    /// By invoking its function: the name or ARN.
    Function(String),
    /// By a message in a queue: the address.
    Queue(String),
    /// By a task of an activity: the ARN. What is asked stands in Countersign's configuration.
    Activity(String),
}

/// What a rejection leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// The workflow fails with Approval.Rejected.
    Fail,
    /// A state of its own, which is given who rejected and why.
    Catch,
}

/// Why a state can't be written as it was wanted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotWritten {
    /// Step Functions takes no such name.
    #[error(
        "a state's name has 1 to {LONGEST_NAME} characters, none of them a control character or a space at an end"
    )]
    Name,
    /// People get too little time or too much.
    #[error("give people {SHORTEST} to {LONGEST} seconds: an execution ends after a year")]
    Time,
    /// Countersign would refuse the request.
    #[error("{0}")]
    Request(#[from] InvalidRequest),
}

impl Wanted {
    /// The state, and those that it leads to when nobody approves, by their names: for a machine of either language.
    pub fn states(&self) -> Result<Map<String, Value>, NotWritten> {
        let mut states = self.plain_states()?;
        for state in states
            .values_mut()
            .filter_map(Value::as_object_mut)
            .filter(|_| self.jsonata)
        {
            state.insert("QueryLanguage".into(), "JSONata".into());
        }
        Ok(states)
    }

    fn plain_states(&self) -> Result<Map<String, Value>, NotWritten> {
        check_name(&self.name)?;
        if let Some(next) = &self.next {
            check_name(next)?;
        }
        if !(SHORTEST..=LONGEST).contains(&self.seconds) {
            return Err(NotWritten::Time);
        }
        self.check_request()?;
        let (rejected, unanswered) = (self.beside("rejected"), self.beside("no answer"));
        let states = [
            (self.name.clone(), self.waiting(&rejected, &unanswered)),
            (rejected, self.rejected()),
            (unanswered, self.failing()),
        ];
        Ok(states.into_iter().collect())
    }

    /// A whole machine with nothing but these states.
    pub fn workflow(&self) -> Result<Value, NotWritten> {
        let states = self.plain_states()?;
        let mut machine = json!({"Comment": format!("{}, by Countersign.", self.title)});
        if self.jsonata {
            machine["QueryLanguage"] = "JSONata".into();
        }
        machine["StartAt"] = self.name.clone().into();
        machine["States"] = states.into();
        Ok(machine)
    }

    /// The name of a state beside this one, if it isn't too long.
    fn beside(&self, what: &str) -> String {
        let name = format!("{}: {what}", self.name);
        if name.chars().count() <= LONGEST_NAME {
            return name;
        }
        let mut letters = what.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    }

    fn waiting(&self, rejected: &str, unanswered: &str) -> Value {
        let (resource, call, errors) = self.call();
        let mut state = json!({
            "Type": "Task",
            "Resource": resource,
            self.arguments(): call,
            "TimeoutSeconds": self.seconds + GRACE,
            "HeartbeatSeconds": HEARTBEAT,
            "Retry": [{
                "ErrorEquals": errors,
                "IntervalSeconds": 2,
                "MaxAttempts": 6,
                "BackoffRate": 2
            }],
            "Catch": [
                {"ErrorEquals": ["Approval.Rejected"], "Next": rejected},
                {"ErrorEquals": ["Approval.Expired", "States.Timeout"], "Next": unanswered}
            ],
        });
        match &self.next {
            Some(next) => state["Next"] = next.clone().into(),
            None => state["End"] = true.into(),
        }
        state
    }

    /// What is called, with what, and the errors after which nobody has been asked.
    fn call(&self) -> (&str, Value, Value) {
        match &self.via {
            Via::Function(function) => (
                "arn:aws:states:::lambda:invoke.waitForTaskToken",
                json!({"FunctionName": function, "Payload": self.payload()}),
                json!([
                    "Approval.Unavailable",
                    "Lambda.ServiceException",
                    "Lambda.SdkClientException",
                    "Lambda.TooManyRequestsException"
                ]),
            ),
            Via::Queue(url) => {
                let mut message = json!({"QueueUrl": url, "MessageBody": self.payload()});
                if let (true, Value::Object(message)) = (url.strip_suffix(".fifo").is_some(), &mut message) {
                    // No approval waits for another: each is a group of its own.
                    let one = if self.jsonata {
                        ("", "{% $uuid() %}")
                    } else {
                        (".$", "States.UUID()")
                    };
                    for name in ["MessageGroupId", "MessageDeduplicationId"] {
                        message.insert(format!("{name}{}", one.0), one.1.into());
                    }
                }
                (
                    "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                    message,
                    json!(["SQS.AmazonSQSException"]),
                )
            }
            Via::Activity(arn) => (
                arn,
                Map::from_iter([
                    self.entire_input(),
                    ("execution".to_owned(), self.execution().into()),
                ])
                .into(),
                // A task that was lost on its way is offered again.
                json!(["Approval.Unavailable", "States.HeartbeatTimeout"]),
            ),
        }
    }

    /// The state's own input, for what the configuration of an activity refers to.
    fn entire_input(&self) -> (String, Value) {
        if self.jsonata {
            ("input".to_owned(), "{% $states.input %}".into())
        } else {
            ("input.$".to_owned(), "$".into())
        }
    }

    /// What Countersign's configuration has to say of the activity, in TOML; nothing where the state itself says it.
    pub fn configuration(&self) -> Option<String> {
        let Via::Activity(arn) = &self.via else {
            return None;
        };
        // A text in TOML may be written as in JSON.
        let text = |text: &str| Value::from(text).to_string();
        let plain = |given: &str| text(&given.replace('{', "{{").replace('}', "}}"));
        let mut lines = vec![
            format!("[activities.{}]", text(arn)),
            format!("title = {}", plain(&self.title)),
        ];
        lines.extend(
            self.message
                .as_deref()
                .map(|message| format!("message = {}", plain(message))),
        );
        let signers = self.signers.iter().map(|person| {
            let email = person
                .email
                .as_deref()
                .map(|email| format!(", email = {}", plain(email)));
            format!(
                "{{ name = {}{} }}",
                plain(&person.name),
                email.unwrap_or_default()
            )
        });
        lines.push(format!("signers = [{}]", signers.collect::<Vec<_>>().join(", ")));
        lines.push(format!("timeout_seconds = {}", self.seconds));
        lines.push(format!("heartbeat_seconds = {HEARTBEAT}"));
        lines.push("execution = \"{execution}\"".to_owned());
        lines.push("output = \"envelope\"".to_owned());
        Some(lines.join("\n"))
    }

    fn arguments(&self) -> &'static str {
        if self.jsonata { "Arguments" } else { "Parameters" }
    }

    fn payload(&self) -> Value {
        let mut payload = Map::new();
        payload.extend([self.filled("taskToken", "Task.Token")]);
        payload.insert("title".into(), self.title.clone().into());
        payload.extend(
            self.message
                .as_ref()
                .map(|message| ("message".to_owned(), message.clone().into())),
        );
        let signers = self.signers.iter().map(|person| match &person.email {
            Some(email) => json!({"name": person.name, "email": email}),
            None => json!({"name": person.name}),
        });
        payload.insert("signers".into(), signers.collect());
        payload.insert("timeoutSeconds".into(), self.seconds.into());
        payload.insert("heartbeatSeconds".into(), HEARTBEAT.into());
        payload.insert("execution".into(), self.execution().into());
        payload.into()
    }

    /// The execution that asks.
    fn execution(&self) -> Map<String, Value> {
        let execution = [
            ("arn", "Execution.Id"),
            ("name", "Execution.Name"),
            ("stateName", "State.Name"),
            ("enteredTime", "State.EnteredTime"),
            ("retryCount", "State.RetryCount"),
        ];
        execution
            .iter()
            .map(|(field, path)| self.filled(field, path))
            .collect()
    }

    /// A field that is filled in from the context object.
    fn filled(&self, field: &str, path: &str) -> (String, Value) {
        if self.jsonata {
            (field.to_owned(), format!("{{% $states.context.{path} %}}").into())
        } else {
            (format!("{field}.$"), format!("$$.{path}").into())
        }
    }

    /// Where a rejection leads.
    fn rejected(&self) -> Value {
        match (self.rejection, self.jsonata) {
            (Rejection::Fail, _) => self.failing(),
            (Rejection::Catch, false) => {
                json!({"Type": "Pass", "Parameters": {"rejection.$": "States.StringToJson($.Cause)"}, "End": true})
            }
            (Rejection::Catch, true) => {
                json!({"Type": "Pass", "Output": {"rejection": "{% $parse($states.input.Cause) %}"}, "End": true})
            }
        }
    }

    /// Ends the workflow with the error that led here.
    fn failing(&self) -> Value {
        if self.jsonata {
            json!({"Type": "Fail", "Error": "{% $states.input.Error %}", "Cause": "{% $states.input.Cause %}"})
        } else {
            json!({"Type": "Fail", "ErrorPath": "$.Error", "CausePath": "$.Cause"})
        }
    }

    /// Has Countersign's own rules look at what will be sent.
    fn check_request(&self) -> Result<(), InvalidRequest> {
        let signers: Vec<Value> = self
            .signers
            .iter()
            .map(|person| json!({"name": person.name, "email": person.email}))
            .collect();
        let request = json!({
            "taskToken": "token",
            "title": self.title,
            "message": self.message,
            "signers": signers,
            "timeoutSeconds": self.seconds,
        });
        let known = self
            .signers
            .iter()
            .enumerate()
            .filter(|(_, person)| person.email.is_none());
        let directory = Directory::new(known.map(|(n, person)| Person {
            name: person.name.clone(),
            email: Some(format!("{n}@example.com")),
        }));
        request::parse(&request, &directory).map(drop)
    }
}

/// JSON as people write it: what is short stands on one line.
pub fn written(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, 0, 0, &mut text);
    text
}

/// `column` is where the line stands.
fn write_value(value: &Value, indent: usize, column: usize, text: &mut String) {
    let (open, close, entries): (_, _, Vec<(String, &Value)>) = match value {
        Value::Object(map) => (
            '{',
            '}',
            map.iter()
                .map(|(name, value)| (format!("{}: ", Value::from(name.as_str())), value))
                .collect(),
        ),
        Value::Array(list) => (
            '[',
            ']',
            list.iter().map(|value| (String::new(), value)).collect(),
        ),
        _ => return text.push_str(&value.to_string()),
    };
    let simple = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.iter().all(|value| !value.is_array() && !value.is_object()),
        _ => true,
    };
    let short = entries
        .iter()
        .map(|(name, value)| format!("{name}{}", spaced(value)))
        .collect::<Vec<_>>()
        .join(", ");
    if entries.iter().all(|(_, value)| simple(value)) && column + short.chars().count() < LINE {
        text.push(open);
        text.push_str(&short);
        text.push(close);
        return;
    }
    text.push(open);
    for (n, (name, value)) in entries.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\n{:width$}{name}", "", width = indent + 2);
        write_value(value, indent + 2, indent + 2 + name.chars().count(), text);
    }
    let _ = write!(text, "\n{:indent$}{close}", "");
}

/// A value on one line, with a space behind each comma.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        _ => value.to_string(),
    }
}

fn check_name(name: &str) -> Result<(), NotWritten> {
    let length = name.chars().count();
    let fits =
        (1..=LONGEST_NAME).contains(&length) && name.trim() == name && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(NotWritten::Name) }
}
