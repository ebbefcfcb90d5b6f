//! Step Functions: its API over state machines and executions that outlive the process. The language is
//! `crates/asl`. A [`request`] is checked against the API's model; then come the operations, a file for each kind of
//! thing ([`machines`], [`versions`], [`aliases`], [`activities`], [`executions`], [`express`], [`tokens`] and so on),
//! the engine that lets things happen to executions ([`engine`], [`timers`], [`runner`]), and what is kept
//! ([`store`]). The runs of distributed Maps, whose items are executions of their own, are in [`map_runs`].

mod activities;
mod aliases;
mod describe;
mod engine;
mod executions;
mod express;
mod input;
mod integrations;
mod machines;
mod map_runs;
mod names;
pub(crate) mod overview;
mod progress;
mod redrive;
mod request;
mod runner;
mod settings;
mod store;
mod tagging;
mod telling;
mod test_state;
mod timers;
mod tokens;
mod versions;
mod work;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

use crate::StartError;
use crate::database::Place;
use crate::error::{Answer, AwsError, json_object};
use crate::source::Source;
use crate::tasks::Tasks;
use crate::travel::Due;
pub(crate) use integrations::{Allowed, Services};

use engine::{Engine, Kept};
use request::Request;

pub(crate) struct StepFunctions {
    engine: Arc<Engine>,
}

impl StepFunctions {
    /// Opens what is kept. What was unfinished waits for [`StepFunctions::resume`].
    pub(crate) async fn open(
        place: Place,
        source: Source,
        services: Services,
        tasks: Arc<Tasks>,
    ) -> Result<StepFunctions, StartError> {
        let store = store::open(place)?;
        let kept = store.read(|connection| {
            Ok(Kept {
                last_id: store::executions::last_id(connection)?,
                unfinished: store::executions::waiting(connection)?,
                activities: store::activities::arns(connection)?,
                deleting: store::machines::deleting(connection)?,
            })
        });
        let kept = kept.await.map_err(unreadable)?;
        let engine = Arc::new(Engine::new(source, store, services, tasks, kept));
        engine.tasks.spawn(timers::run(Arc::clone(&engine)));
        Ok(StepFunctions { engine })
    }

    /// Lets the executions go on that were unfinished when the file was opened.
    pub(crate) async fn resume(&self) -> Result<(), StartError> {
        self.engine.resume().await.map_err(unreadable)
    }

    pub(crate) async fn call(&self, operation: &str, body: &[u8]) -> Result<Answer, AwsError> {
        let request = Request::read(operation, json_object(body)?)?;
        let engine = &self.engine;
        match operation {
            "DescribeStateMachine" => describe::machine(engine, &request).await,
            "DescribeStateMachineForExecution" => describe::for_execution(engine, &request).await,
            "ListStateMachines" => describe::list(engine, &request).await,
            "ValidateStateMachineDefinition" => Ok(machines::validate(&request)),
            "ListStateMachineVersions" => versions::list(engine, &request).await,
            "DescribeStateMachineAlias" => aliases::describe(engine, &request).await,
            "ListStateMachineAliases" => aliases::list(engine, &request).await,
            "DescribeActivity" => activities::describe(engine, &request).await,
            "ListActivities" => activities::list(engine, &request).await,
            "GetActivityTask" => activities::poll(engine, &request).await,
            "ListTagsForResource" => tagging::list(engine, &request).await,
            "DescribeExecution" => executions::describe(engine, &request).await,
            "GetExecutionHistory" => executions::history(engine, &request).await,
            "ListExecutions" => executions::list(engine, &request).await,
            "DescribeMapRun" => map_runs::api::describe(engine, &request).await,
            "ListMapRuns" => map_runs::api::list(engine, &request).await,
            "TestState" => test_state::test_state(engine, &request).await,
            "StartSyncExecution" => express::start_sync(engine, &request).await,
            _ => {
                let (engine, operation) = (Arc::clone(engine), operation.to_owned());
                whole(&self.engine, async move {
                    change(&engine, &operation, &request).await
                })
                .await
            }
        }
    }

    pub(crate) async fn running(&self) -> usize {
        self.engine
            .store
            .read(store::executions::count_running)
            .await
            .unwrap_or_default()
    }

    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        self.engine.timers.next()
    }

    /// What falls due next after `now`, soonest first.
    pub(crate) async fn upcoming(&self, now: Timestamp) -> Vec<Due> {
        self.engine.upcoming(now).await
    }

    /// Whether something goes on that takes no waiting, and how many steps executions have taken so far.
    pub(crate) fn at_work(&self) -> (bool, u64) {
        self.engine.work.now()
    }

    pub(crate) fn clock_moved(&self) {
        self.engine.timers.look_again();
    }

    /// Waits for the writes under way.
    pub(crate) async fn settle(&self) {
        self.engine.store.settle().await;
    }
}

/// The operations that change something.
async fn change(engine: &Arc<Engine>, operation: &str, request: &Request) -> Result<Answer, AwsError> {
    match operation {
        "CreateStateMachine" => machines::create(engine, request).await,
        "UpdateStateMachine" => machines::update(engine, request).await,
        "DeleteStateMachine" => machines::delete(engine, request).await,
        "PublishStateMachineVersion" => versions::publish(engine, request).await,
        "DeleteStateMachineVersion" => versions::delete(engine, request).await,
        "CreateStateMachineAlias" => aliases::create(engine, request).await,
        "UpdateStateMachineAlias" => aliases::update(engine, request).await,
        "DeleteStateMachineAlias" => aliases::delete(engine, request).await,
        "CreateActivity" => activities::create(engine, request).await,
        "DeleteActivity" => activities::delete(engine, request).await,
        "TagResource" => tagging::add(engine, request).await,
        "UntagResource" => tagging::remove(engine, request).await,
        "StartExecution" => executions::start(engine, request).await,
        "StopExecution" => executions::stop(engine, request).await,
        "UpdateMapRun" => map_runs::api::update(engine, request).await,
        "RedriveExecution" => redrive::redrive(engine, request).await,
        "SendTaskSuccess" => tokens::success(engine, request).await,
        "SendTaskFailure" => tokens::failure(engine, request).await,
        "SendTaskHeartbeat" => tokens::heartbeat(engine, request).await,
        _ => Err(AwsError::not_embedded("Step Functions", operation)),
    }
}

/// Goes on to the end of an operation that changes something, even when the caller goes away: a step that is
/// durable has to be followed by its commands.
async fn whole(
    engine: &Engine,
    operation: impl Future<Output = Result<Answer, AwsError>> + Send + 'static,
) -> Result<Answer, AwsError> {
    engine
        .tasks
        .spawn(operation)
        .await
        .unwrap_or_else(|_| Err(AwsError::ended()))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: AwsError) -> StartError {
    StartError::Database {
        file: store::FILE,
        reason: error.message().to_owned(),
    }
}
