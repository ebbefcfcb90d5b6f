//! RedriveExecution: an execution that didn't succeed goes on from where it failed.

use std::sync::Arc;

use asl::{Execution, Refused};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::engine::{Engine, Live, lock};
use super::executions::find;
use super::progress::progress;
use super::request::Request;
use super::store::executions::{self as kept, Record};
use super::store::map_runs;
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

/// How long an execution may be open in all, redrives included.
const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);
/// For how long a client's token stands for the redrive it was first given with.
const TOKEN_HOLDS: SignedDuration = SignedDuration::from_mins(15);

/// Why an execution can't be redriven, in the words of DescribeExecution.
pub(super) async fn why_not(engine: &Engine, record: &Record) -> Result<Option<String>, AwsError> {
    if matches!(record.status.as_str(), "RUNNING" | "SUCCEEDED") {
        return Ok(Some(format!(
            "Execution is {} and cannot be redriven",
            record.status
        )));
    }
    let now = engine.source.now();
    let since = |time: Timestamp| now.duration_since(time);
    if lock(&engine.deleting).contains(&record.machine) {
        return Ok(Some("State machine is in DELETING status".to_owned()));
    }
    if since(record.started) > LONGEST {
        return Ok(Some("Execution has exceeded the max execution time".to_owned()));
    }
    if record
        .end
        .as_ref()
        .is_some_and(|end| since(end.at) > kept::REDRIVABLE_FOR)
    {
        return Ok(Some("Execution redrivable period exceeded".to_owned()));
    }
    let id = record.id;
    let events = engine
        .store
        .read(move |connection| kept::last_event(connection, id))
        .await?;
    if events >= kept::MOST_EVENTS_TO_REDRIVE {
        return Ok(Some("Execution history event limit exceeded".to_owned()));
    }
    Ok(None)
}

pub(super) async fn redrive(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let record = find(engine, request).await?;
    let token = request.owned("clientToken");
    let now = engine.source.now();
    if let (Some(token), Some(before)) = (&token, record.redriven)
        && record.redrive_token.as_ref() == Some(token)
        && now.duration_since(before) < TOKEN_HOLDS
    {
        return Ok(json!({"redriveDate": epoch_seconds(before)}).into());
    }
    if let Some(reason) = why_not(engine, &record).await? {
        return Err(not_redrivable(&reason));
    }
    let id = record.id;
    let run = engine
        .store
        .read(move |connection| map_runs::of_child(connection, id))
        .await?;
    if run.is_some() {
        return Err(not_redrivable("Execution can only be redriven by its Map Run"));
    }
    if engine.redrive(record.id, token).await?.is_some() {
        // Somebody else was faster.
        let record = find(engine, request).await?;
        let reason = format!("Execution is {} and cannot be redriven", record.status);
        return Err(not_redrivable(&reason));
    }
    let redriven = find(engine, request).await?.redriven.unwrap_or(now);
    Ok(json!({"redriveDate": epoch_seconds(redriven)}).into())
}

fn not_redrivable(reason: &str) -> AwsError {
    AwsError::new("ExecutionNotRedrivable", reason)
}

impl Engine {
    /// Takes an execution up again, durably.
    async fn redrive(self: &Arc<Self>, id: i64, token: Option<String>) -> Result<Option<Refused>, AwsError> {
        let refused = self.take_up(id).await?;
        if let (None, Some(token)) = (refused, token) {
            self.store
                .write(move |transaction| kept::keep_redrive_token(transaction, id, &token))
                .await?;
        }
        Ok(refused)
    }

    /// Takes up an execution that had ended. Answers why it was not, where it wasn't.
    async fn take_up(self: &Arc<Self>, id: i64) -> Result<Option<Refused>, AwsError> {
        let slot = self.slot(id);
        let mut live = slot.lock().await;
        let result = self.take_up_in(id, &mut live).await;
        self.release(id, &slot, live);
        result
    }

    async fn take_up_in(
        self: &Arc<Self>,
        id: i64,
        live: &mut Option<Live>,
    ) -> Result<Option<Refused>, AwsError> {
        let (revision, journal, steps) = self
            .store
            .read(move |connection| kept::load(connection, id))
            .await?;
        let definition = self.definition(revision).await?;
        let now = self.source.now();
        let redriven = Execution::redrive(definition, &journal, now, &mut self.random())
            .map_err(|error| AwsError::internal("InternalServerError", error))?;
        let (mut execution, mut step) = match redriven {
            Ok(redriven) => redriven,
            Err(refused) => return Ok(Some(refused)),
        };
        let asked = self.tell_started(&mut execution, &mut step, now);
        let progress = progress(id, &execution, &step, steps, now)?;
        *live = None;
        self.store
            .write(move |transaction| kept::append(transaction, &progress))
            .await?;
        self.announce(&execution, None, &step.entries);
        self.go_on(id, &execution, asked);
        *live = Some(Live {
            execution,
            steps: steps + 1,
        });
        Ok(None)
    }
}
