//! Express executions: run in memory, at once, within five minutes, and forgotten. They have no history and no
//! description; what they come to is told to whoever waits (StartSyncExecution), or to nobody.

use std::collections::HashMap;
use std::sync::Arc;

use asl::{Command, Definition, Execution, Happened, Identity, Status, Step, TaskId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinSet};

use super::engine::{Engine, caller};
use super::executions::{Origin, origin};
use super::names::{express_arn, name};
use super::request::Request;
use super::{input, whole};
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

/// How long an Express execution may run.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// What is charged for at the least: so many milliseconds, and so many MB of memory.
const BILLED_STEP: i64 = 100;
const BILLED_MEMORY: u64 = 64;

/// An execution that is about to run.
struct Begun {
    arn: String,
    name: String,
    machine: String,
    definition: Arc<Definition>,
    identity: Identity,
    input: String,
    at: Timestamp,
}

pub(super) fn not_for_this_type() -> AwsError {
    AwsError::new(
        "StateMachineTypeNotSupported",
        "This operation is not supported by this type of state machine",
    )
}

/// Begins one that nobody waits for.
pub(super) async fn start(
    engine: &Arc<Engine>,
    origin: Origin,
    name: String,
    input: String,
) -> Result<Answer, AwsError> {
    let begun = begin(engine, origin, name, input).await?;
    let answer = json!({"executionArn": begun.arn, "startDate": epoch_seconds(begun.at)});
    let at_work = Arc::clone(engine);
    engine.tasks.spawn(async move {
        // It has no history to keep this in.
        let _ = run(&at_work, &begun).await;
    });
    Ok(answer.into())
}

/// StartSyncExecution: answers when the execution has ended.
pub(super) async fn start_sync(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.text("name");
    asked.map(name).transpose()?;
    let given = request.text("input").unwrap_or("{}");
    let origin = origin(engine, request).await?;
    if origin.machine.kind != "EXPRESS" {
        return Err(not_for_this_type());
    }
    input::check(given)?;
    if origin.machine.status == "DELETING" {
        return Err(super::machines::deleting(&origin.machine.arn));
    }
    let name = asked.map_or_else(|| engine.source.uuid(), str::to_owned);
    let begun = begin(engine, origin, name, given.to_owned()).await?;
    let (with_data, trace) = (request.all_data(), request.owned("traceHeader"));
    let at_work = Arc::clone(engine);
    whole(engine, async move {
        let status = run(&at_work, &begun).await?;
        let mut answer = told(&begun, &status, at_work.source.now(), with_data);
        if let Some(trace) = trace {
            answer["traceHeader"] = trace.into();
        }
        Ok(answer.into())
    })
    .await
}

async fn begin(engine: &Engine, origin: Origin, name: String, input: String) -> Result<Begun, AwsError> {
    let arn = express_arn(&origin.machine.name, &name, &engine.source.uuid());
    Ok(Begun {
        definition: engine.definition(origin.revision).await?,
        identity: Identity {
            execution_arn: arn.clone(),
            execution_name: name.clone(),
            role_arn: origin.role,
            state_machine_arn: origin.machine.arn.clone(),
            state_machine_name: origin.machine.name,
        },
        machine: origin.machine.arn,
        arn,
        name,
        input,
        at: engine.source.now(),
    })
}

/// Runs an execution to its end.
async fn run(engine: &Arc<Engine>, begun: &Begun) -> Result<Status, AwsError> {
    let started = Execution::start(
        Arc::clone(&begun.definition),
        begun.identity.clone(),
        &begun.input,
        begun.at,
        &mut engine.random(),
    );
    let (mut execution, mut step) = started.map_err(|error| input::invalid(&error))?;
    let end = begun.at.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
    let mut tasks = Tasks::default();
    let mut before = None;
    loop {
        engine.announce(&execution, before.as_ref(), &step.entries);
        tasks.take_on(engine, &execution, step);
        if *execution.status() != Status::Running {
            return Ok(execution.status().clone());
        }
        let due = execution.next_timer().map_or(end, |timer| timer.min(end));
        let what = format!(
            "a timer of {}/{}",
            execution.identity().state_machine_name,
            begun.name
        );
        let timer = engine.source.sleep_until(due, what);
        let happened = tasks.next(timer).await;
        let now = engine.source.now();
        if now >= end {
            return Ok(Status::TimedOut);
        }
        before = engine.about_to(&execution, &happened);
        step = execution.handle(happened, now, &mut engine.random());
    }
}

/// The tasks that run. Dropping it ends them.
#[derive(Default)]
struct Tasks {
    running: JoinSet<Happened>,
    by_id: HashMap<TaskId, AbortHandle>,
}

impl Tasks {
    fn take_on(&mut self, engine: &Arc<Engine>, execution: &Execution, step: Step) {
        for command in step.commands {
            match command {
                Command::StartTask(task) => {
                    let (id, at_work) = (task.task, Arc::clone(engine));
                    let (caller, busy) = (caller(execution, id), engine.work.begin());
                    let run = async move {
                        let _busy = busy;
                        at_work.run_task(None, caller, task).await
                    };
                    let handle = self.running.spawn(run);
                    self.by_id.insert(id, handle);
                }
                Command::CancelTask { task } => {
                    if let Some(handle) = self.by_id.remove(&task) {
                        handle.abort();
                    }
                }
                // Definitions with distributed Maps are refused for Express machines.
                Command::SetTimer { .. }
                | Command::StartMapRun(_)
                | Command::RedriveMapRun { .. }
                | Command::CancelMapRun { .. }
                | Command::Finish => {}
            }
        }
    }

    /// What a task came to, or by the end of `timer` that one has fired.
    async fn next(&mut self, timer: impl Future<Output = ()>) -> Happened {
        tokio::pin!(timer);
        loop {
            tokio::select! {
                () = &mut timer => return Happened::TimerFired,
                Some(ended) = self.running.join_next() => {
                    // One that was cancelled has nothing to tell.
                    if let Ok(happened) = ended {
                        return happened;
                    }
                }
            }
        }
    }
}

/// StartSyncExecution's answer.
fn told(begun: &Begun, status: &Status, stopped: Timestamp, with_data: bool) -> Value {
    let duration = stopped.duration_since(begun.at).as_millis();
    let duration = i64::try_from(duration).unwrap_or(i64::MAX).clamp(1, 300_000);
    let mut answer = json!({
        "executionArn": begun.arn,
        "stateMachineArn": begun.machine,
        "name": begun.name,
        "startDate": epoch_seconds(begun.at),
        "stopDate": epoch_seconds(stopped),
        "status": status.name(),
        "billingDetails": {
            "billedDurationInMilliseconds": (duration + BILLED_STEP - 1) / BILLED_STEP * BILLED_STEP,
            "billedMemoryUsedInMB": BILLED_MEMORY,
        },
    });
    if with_data {
        answer["input"] = begun.input.as_str().into();
        answer["inputDetails"] = json!({"included": true});
    }
    match status {
        Status::Succeeded { output } if with_data => {
            answer["output"] = output.to_string().into();
            answer["outputDetails"] = json!({"included": true});
        }
        Status::Failed { error, cause } => {
            for (name, text) in [("error", error), ("cause", cause)] {
                if let Some(text) = text.as_deref().filter(|_| with_data) {
                    answer[name] = text.into();
                }
            }
        }
        _ => {}
    }
    answer
}
