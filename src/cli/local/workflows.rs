//! The author's state machines: each `*.asl.json` in the folder is one, under the file's name, created and changed
//! through the API as any program would. What is wrong with one is told by line and column.

use super::super::embedded::{INTAKE, OPERATIONS, TASK_TOOLS, function_arn};
use super::substitution::{Unresolved, fill};
use crate::config::local::{Local, Workflow};
use crate::lint::position::{self, Position};
use asl::Diagnostic;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::operation::describe_state_machine::{DescribeStateMachineError, DescribeStateMachineOutput};
use aws_sdk_sfn::types::StateMachineType;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a definition's file is called after the machine's name.
const ENDING: &str = ".asl.json";
/// What stands for our own functions in every definition.
const OUR_ARNS: [(&str, &str); 3] = [
    ("CountersignFunctionArn", INTAKE),
    ("CountersignOperationsFunctionArn", OPERATIONS),
    ("CountersignTaskToolsFunctionArn", TASK_TOOLS),
];

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// There was no such machine.
    Created,
    /// The machine has the file's definition now.
    Updated,
    /// It had it before.
    Same,
}

/// Something wrong in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    file: PathBuf,
    position: Option<Position>,
    message: String,
}

impl fmt::Display for Fault {
    /// As compilers write it, so that editors and terminals lead to the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}:{position}: {}", self.file.display(), self.message),
            None => write!(f, "{}: {}", self.file.display(), self.message),
        }
    }
}

/// The name of the machine that a file defines, if it is a definition at all.
pub(super) fn machine_of(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?.strip_suffix(ENDING)?;
    // Editors keep their own copies under such names.
    (!name.is_empty() && !name.starts_with('.')).then_some(name)
}

/// The ARN of a machine of this name.
pub(super) fn arn(machine: &str) -> String {
    format!(
        "arn:aws:states:{}:{}:stateMachine:{machine}",
        aws_local::REGION,
        aws_local::ACCOUNT
    )
}

/// Lets the machine `name` be what `file` says. On a fault the machine stays as it is.
pub(super) async fn load(
    client: &Client,
    file: &Path,
    name: &str,
    config: &Local,
) -> Result<Outcome, Vec<Fault>> {
    let fault = |position, message: String| Fault {
        file: file.to_owned(),
        position,
        message,
    };
    let alone = |message: String| vec![fault(None, message)];
    let text = match std::fs::read(file).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => return Err(alone("isn't UTF-8".to_owned())),
        Err(error) => return Err(alone(format!("can't be read: {error}"))),
    };
    if let Some(error) = position::syntax_error(&text) {
        return Err(vec![fault(Some(error.position), error.message)]);
    }
    let usual = Workflow::default();
    let own = config.workflows.get(name).unwrap_or(&usual);
    let known = |name: &str| value(name, own, config);
    let filled = fill(&text, known).map_err(|unresolved| {
        let told = unresolved
            .into_iter()
            .map(|one| fault(Some(one.position), stands_for_nothing(&one)));
        told.collect::<Vec<_>>()
    })?;
    if let Some(error) = position::syntax_error(&filled.text) {
        let message = format!("{} (once ${{…}} is filled in)", error.message);
        return Err(vec![fault(Some(filled.origin(error.position)), message)]);
    }
    let kind = if own.express {
        StateMachineType::Express
    } else {
        StateMachineType::Standard
    };
    let wrong = diagnostics(client, &filled.text, &kind).await.map_err(alone)?;
    if !wrong.is_empty() {
        let told = wrong.into_iter().map(|diagnostic| {
            let place = position::of(&filled.text, &diagnostic);
            fault(place.map(|place| filled.origin(place)), diagnostic.message)
        });
        return Err(told.collect());
    }
    put(client, name, &filled.text, kind).await.map_err(alone)
}

/// What `${name}` stands for in a workflow.
fn value<'a>(name: &str, own: &'a Workflow, config: &'a Local) -> Option<&'a str> {
    own.substitutions
        .get(name)
        .or_else(|| config.substitutions.get(name))
        .map(String::as_str)
}

fn stands_for_nothing(unresolved: &Unresolved) -> String {
    let name = &unresolved.name;
    let key = if name.contains(['.', ':']) {
        format!("\"{name}\"")
    } else {
        name.clone()
    };
    format!("${{{name}}} stands for nothing; in countersign.toml, under [substitutions], write {key} = \"…\"")
}

/// Adds what stands for our own functions, unless the author says otherwise.
pub(super) fn add_our_own(config: &mut Local) {
    for (name, function) in OUR_ARNS {
        config
            .substitutions
            .entry(name.to_owned())
            .or_insert_with(|| function_arn(function));
    }
}

/// Everything that is wrong with a definition, as ValidateStateMachineDefinition says it.
async fn diagnostics(
    client: &Client,
    definition: &str,
    kind: &StateMachineType,
) -> Result<Vec<Diagnostic>, String> {
    let validate = client
        .validate_state_machine_definition()
        .definition(definition)
        .r#type(kind.clone());
    let answer = validate.send().await.map_err(|error| refused(&error))?;
    let found = answer.diagnostics.into_iter().map(|diagnostic| Diagnostic {
        code: "",
        location: diagnostic.location.unwrap_or_default(),
        message: diagnostic.message,
    });
    Ok(found.collect())
}

/// Creates the machine, or changes it to this definition.
async fn put(
    client: &Client,
    name: &str,
    definition: &str,
    kind: StateMachineType,
) -> Result<Outcome, String> {
    let arn = arn(name);
    let missing = DescribeStateMachineError::is_state_machine_does_not_exist;
    match client
        .describe_state_machine()
        .state_machine_arn(&arn)
        .send()
        .await
    {
        Ok(there) if there.r#type != kind => Err(other_kind(&there, &kind)),
        Ok(there) if there.definition == definition => Ok(Outcome::Same),
        Ok(_) => {
            let update = client
                .update_state_machine()
                .state_machine_arn(&arn)
                .definition(definition);
            update.send().await.map_err(|error| refused(&error))?;
            Ok(Outcome::Updated)
        }
        Err(error) if error.as_service_error().is_some_and(missing) => {
            let create = client
                .create_state_machine()
                .name(name)
                .definition(definition)
                .r#type(kind)
                .role_arn(format!("arn:aws:iam::{}:role/local", aws_local::ACCOUNT));
            create.send().await.map_err(|error| refused(&error))?;
            Ok(Outcome::Created)
        }
        Err(error) => Err(refused(&error)),
    }
}

fn other_kind(there: &DescribeStateMachineOutput, asked: &StateMachineType) -> String {
    format!(
        "the machine is {} and can't become {asked}, on AWS either; delete it first (aws stepfunctions \
         delete-state-machine --state-machine-arn {}), or give the file another name",
        there.r#type, there.state_machine_arn
    )
}

/// What AWS says against it, in its own words.
pub(super) fn refused<E>(error: &SdkError<E>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => DisplayErrorContext(error).to_string(),
    }
}
