//! SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat.

use std::sync::Arc;

use asl::{Happened, Refused};
use serde_json::json;

use super::engine::Engine;
use super::request::{Request, invalid_token};
use super::store::executions as kept;
use crate::error::{Answer, AwsError};

pub(super) async fn success(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let token = request.required("taskToken").to_owned();
    let output = serde_json::from_str(request.required("output"))
        .map_err(|error| AwsError::new("InvalidOutput", format!("Invalid Output: '{error}'")))?;
    answer(engine, token.clone(), Happened::TokenSucceeded { token, output }).await
}

pub(super) async fn failure(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let token = request.required("taskToken").to_owned();
    let (error, cause) = (request.owned("error"), request.owned("cause"));
    answer(
        engine,
        token.clone(),
        Happened::TokenFailed { token, error, cause },
    )
    .await
}

pub(super) async fn heartbeat(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let token = request.required("taskToken").to_owned();
    answer(engine, token.clone(), Happened::TokenHeartbeat { token }).await
}

/// Tells the execution that waits for `token`. AWS answers one that is over like one that timed out.
async fn answer(engine: &Arc<Engine>, token: String, happened: Happened) -> Result<Answer, AwsError> {
    let execution = engine
        .store
        .read(move |connection| kept::by_token(connection, &token))
        .await?;
    let execution = execution.ok_or_else(invalid_token)?;
    match engine.happen(execution, happened).await? {
        None => Ok(json!({}).into()),
        Some(Refused::Closed | Refused::Ended) => Err(AwsError::new(
            "TaskTimedOut",
            "Task Timed Out: 'Provided task does not exist anymore'",
        )),
        Some(Refused::Unknown | Refused::WrongKind) => Err(invalid_token()),
    }
}
