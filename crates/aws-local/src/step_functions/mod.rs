//! Step Functions: its API over state machines and executions that outlive the process. The language is
//! `crates/asl`; here are the operations ([`machines`], [`executions`], [`tokens`]), the engine that lets
//! things happen to executions ([`engine`], [`timers`], [`runner`]), the runs of distributed Maps, whose items
//! are executions of their own ([`map_runs`]), and what is kept ([`store`]).

mod engine;
mod executions;
mod integrations;
mod machines;
mod map_runs;
mod runner;
mod store;
mod timers;
mod tokens;
mod validation;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

use crate::StartError;
use crate::database::Place;
use crate::error::{Answer, AwsError, json_object};
use crate::source::Source;
use crate::tasks::Tasks;
pub(crate) use integrations::{Allowed, Services};

use engine::Engine;
use validation::Request;

/// The longest definition, in characters.
const DEFINITION: usize = 1_048_576;
const ARN: usize = 256;
const NAME: usize = 80;

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
        let last_id = store.read(store::executions::last_id).await.map_err(unreadable)?;
        let unfinished = store.read(store::executions::waiting).await.map_err(unreadable)?;
        let engine = Arc::new(Engine::new(source, store, services, tasks, last_id, unfinished));
        engine.tasks.spawn(timers::run(Arc::clone(&engine)));
        Ok(StepFunctions { engine })
    }

    /// Lets the executions go on that were unfinished when the file was opened.
    pub(crate) async fn resume(&self) -> Result<(), StartError> {
        self.engine.resume().await.map_err(unreadable)
    }

    pub(crate) async fn call(&self, operation: &str, body: &[u8]) -> Result<Answer, AwsError> {
        let engine = Arc::clone(&self.engine);
        let request = Request(json_object(body)?);
        match operation {
            "DescribeStateMachine" => machines::describe(&engine, &request).await,
            "ListStateMachines" => machines::list(&engine, &request).await,
            "DescribeStateMachineForExecution" => machines::describe_for_execution(&engine, &request).await,
            "DescribeExecution" => executions::describe(&engine, &request).await,
            "GetExecutionHistory" => executions::history(&engine, &request).await,
            "ListExecutions" => executions::list(&engine, &request).await,
            "DescribeMapRun" => map_runs::api::describe(&engine, &request).await,
            "ListMapRuns" => map_runs::api::list(&engine, &request).await,
            "UpdateMapRun" => {
                whole(&self.engine, async move {
                    map_runs::api::update(&engine, &request).await
                })
                .await
            }
            "CreateStateMachine" => {
                whole(
                    &self.engine,
                    async move { machines::create(&engine, &request).await },
                )
                .await
            }
            "UpdateStateMachine" => {
                whole(
                    &self.engine,
                    async move { machines::update(&engine, &request).await },
                )
                .await
            }
            "DeleteStateMachine" => {
                whole(
                    &self.engine,
                    async move { machines::delete(&engine, &request).await },
                )
                .await
            }
            "StartExecution" => {
                whole(
                    &self.engine,
                    async move { executions::start(&engine, &request).await },
                )
                .await
            }
            "StopExecution" => {
                whole(
                    &self.engine,
                    async move { executions::stop(&engine, &request).await },
                )
                .await
            }
            "SendTaskSuccess" => {
                whole(
                    &self.engine,
                    async move { tokens::success(&engine, &request).await },
                )
                .await
            }
            "SendTaskFailure" => {
                whole(
                    &self.engine,
                    async move { tokens::failure(&engine, &request).await },
                )
                .await
            }
            "SendTaskHeartbeat" => {
                whole(
                    &self.engine,
                    async move { tokens::heartbeat(&engine, &request).await },
                )
                .await
            }
            _ => Err(AwsError::not_embedded("Step Functions", operation)),
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

    pub(crate) fn clock_moved(&self) {
        self.engine.timers.look_again();
    }

    /// Waits for the writes under way.
    pub(crate) async fn settle(&self) {
        self.engine.store.settle().await;
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
