//! SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat.

use std::sync::Arc;

use asl::{Happened, Refused};
use serde_json::json;

use super::engine::Engine;
use super::executions::{CAUSE, ERROR};
use super::store::executions as kept;
use super::validation::{DATA, Request, invalid_token};
use crate::error::{Answer, AwsError};

const TOKEN: usize = 2048;

pub(super) async fn success(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let token = request.required("taskToken", TOKEN)?.to_owned();
    let Some(output) = request.data("output", DATA)? else {
        request.required("output", DATA)?;
        return Err(AwsError::new("InvalidOutput", "Invalid Output: 'Invalid output'"));
    };
    let output = serde_json::from_str(output)
        .map_err(|error| AwsError::new("InvalidOutput", format!("Invalid Output: '{error}'")))?;
    answer(engine, token.clone(), Happened::TokenSucceeded { token, output }).await
}

pub(super) async fn failure(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let token = request.required("taskToken", TOKEN)?.to_owned();
    let error = request.text("error", ERROR)?.map(str::to_owned);
    let cause = request.text("cause", CAUSE)?.map(str::to_owned);
    answer(
        engine,
        token.clone(),
        Happened::TokenFailed { token, error, cause },
    )
    .await
}

pub(super) async fn heartbeat(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let token = request.required("taskToken", TOKEN)?.to_owned();
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
