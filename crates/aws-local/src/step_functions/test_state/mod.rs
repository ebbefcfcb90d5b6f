//! TestState: one state tried by itself (`asl::trial`), its work done or mocked.

mod context;
mod mock;
mod models;

use std::sync::Arc;

use asl::trial::{Attempt, Conditions, Progress, Trial, Tried, Verdict};
use asl::{Happened, Identity, Resource, StartTask, StateType};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::engine::Engine;
use super::names::{express_arn, machine_arn, role};
use super::request::Request;
use super::{input, whole};
use crate::error::{Answer, AwsError};

/// How long a state may take.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

pub(super) async fn test_state(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let given_role = request.text("roleArn");
    given_role.map(role).transpose()?;
    let trial = Trial::parse(request.required("definition"), request.text("stateName"));
    let trial = trial.map_err(|error| {
        AwsError::new(
            "InvalidDefinition",
            format!("Invalid State Machine Definition: '{error}'"),
        )
    })?;
    let trial = trial.ok_or_else(|| invalid("The state 'stateName' names is not in the definition"))?;
    let mocked = request.has("mock");
    let kind = trial.state_type();
    if mocked {
        check_can_be_mocked(kind)?;
    } else {
        check_can_be_run(&trial)?;
        if kind == StateType::Task && given_role.is_none() {
            return Err(invalid("RoleArn must be specified when testing a Task state"));
        }
    }
    let given = request.text("input").unwrap_or("{}");
    input::check(given)?;
    let state_input: Value = serde_json::from_str(given).map_err(|error| input::invalid(&error))?;
    let variables: Map<String, Value> = serde_json::from_str(request.text("variables").unwrap_or("{}"))
        .map_err(|_| invalid("Variables must be a valid JSON object"))?;
    let mock = mock::read(request, &trial)?;
    let configuration = request.get("stateConfiguration").unwrap_or(&Value::Null);
    let failed_iterations = mock::failed_iterations(configuration, kind, mock.as_ref())?;
    let now = engine.source.now();
    let identity = identity(engine, given_role);
    let context = match request.text("context") {
        Some(text) if mocked => context::read(text, trial.resource())?,
        Some(_) => {
            return Err(invalid(
                "A context object can only be specified together with a mock",
            ));
        }
        None => context::made(engine, &identity, &state_input, &trial, given_role, now),
    };
    let conditions = Conditions {
        input: state_input,
        context,
        variables,
        mock,
        retries: configuration["retrierRetryCount"]
            .as_u64()
            .map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX)),
        failed_iterations,
    };
    let inspect = matches!(request.text("inspectionLevel"), Some("DEBUG" | "TRACE"));
    let at_work = Arc::clone(engine);
    whole(engine, async move {
        let begun = Attempt::begin(trial, identity, conditions, now, &mut at_work.random());
        let tried = run(&at_work, begun, now).await;
        Ok(told(tried, inspect).into())
    })
    .await
}

/// Runs a trial to its end, or until its time is over; then it is `None`.
async fn run(engine: &Arc<Engine>, begun: (Attempt, Progress), started: Timestamp) -> Option<Tried> {
    let (mut attempt, mut progress) = begun;
    let end = started.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
    let mut tasks: JoinSet<Happened> = JoinSet::new();
    loop {
        let (start, timer) = match progress {
            Progress::Over(tried) => return Some(tried),
            Progress::Running { start, timer } => (start, timer),
        };
        for task in start {
            begin(&mut tasks, engine, task);
        }
        let due = timer.map_or(end, |timer| timer.min(end));
        let happened = tokio::select! {
            () = engine.source.sleep_until(due, "the time of a state that is tried out") => Happened::TimerFired,
            Some(ended) = tasks.join_next() => ended.unwrap_or(Happened::TimerFired),
        };
        let now = engine.source.now();
        if now >= end {
            return None;
        }
        progress = attempt.tell(happened, now, &mut engine.random());
    }
}

/// Begins a task's work. By itself, because a task may call this API again: an async function can't wait for itself.
fn begin(tasks: &mut JoinSet<Happened>, engine: &Arc<Engine>, task: StartTask) {
    let at_work = Arc::clone(engine);
    tasks.spawn(async move { at_work.run_task(None, None, task).await });
}

fn told(tried: Option<Tried>, inspect: bool) -> Value {
    let Some(Tried { verdict, inspection }) = tried else {
        return json!({"status": "FAILED", "error": "States.Timeout"});
    };
    let mut answer = Map::new();
    let (status, output, next, failure) = match verdict {
        Verdict::Succeeded { output, next } => ("SUCCEEDED", Some(output), next, None),
        Verdict::Caught {
            output,
            next,
            failure,
        } => ("CAUGHT_ERROR", Some(output), next, Some(failure)),
        Verdict::Retriable { failure } => ("RETRIABLE", None, None, Some(failure)),
        Verdict::Failed { failure } => ("FAILED", None, None, Some(failure)),
    };
    answer.insert("status".to_owned(), status.into());
    let failure = failure.unwrap_or_default();
    for (name, text) in [
        ("output", output.map(|output| output.to_string())),
        ("nextState", next),
        ("error", failure.error),
        ("cause", failure.cause),
    ] {
        if let Some(text) = text {
            answer.insert(name.to_owned(), text.into());
        }
    }
    if inspect {
        answer.insert("inspectionData".to_owned(), inspection.into());
    }
    Value::Object(answer)
}

/// Whose execution the state takes itself to be in: an Express one of a machine that isn't.
fn identity(engine: &Engine, role: Option<&str>) -> Identity {
    let (machine, name) = (engine.source.uuid(), engine.source.uuid());
    let arn = express_arn(&machine, &name, &engine.source.uuid());
    Identity {
        // The ARN that TestState shows has no id of its own at the end.
        execution_arn: arn
            .rsplit_once(':')
            .map_or_else(|| arn.clone(), |(arn, _)| arn.to_owned()),
        execution_name: name,
        role_arn: role.unwrap_or_default().to_owned(),
        state_machine_arn: machine_arn(&machine),
        state_machine_name: machine,
    }
}

fn check_can_be_mocked(kind: StateType) -> Result<(), AwsError> {
    if matches!(kind, StateType::Task | StateType::Map | StateType::Parallel) {
        return Ok(());
    }
    Err(invalid(&format!(
        "State type '{}' is not supported when a mock is specified",
        kind.name()
    )))
}

fn check_can_be_run(trial: &Trial) -> Result<(), AwsError> {
    let why = match (trial.state_type(), trial.resource()) {
        (StateType::Map | StateType::Parallel, _) => {
            "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"
        }
        (_, Some(Resource::Activity { .. })) => {
            "TestState API does not support Activity tasks unless a mock is specified"
        }
        (_, Some(resource)) if waits(resource) => {
            "TestState API does not support the '.sync' and '.waitForTaskToken' service integration patterns unless a mock is specified"
        }
        _ => return Ok(()),
    };
    Err(AwsError::new("InvalidDefinition", why))
}

/// Whether a task ends by more than its call's response.
fn waits(resource: &Resource) -> bool {
    let arn = resource.to_string();
    arn.contains(".sync") || arn.ends_with(".waitForTaskToken")
}

pub(super) fn invalid(message: &str) -> AwsError {
    AwsError::new("ValidationException", message)
}
