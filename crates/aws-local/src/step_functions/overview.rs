//! What the pages are given to show: straight from the file, in few queries, and not through the API.

use asl::{Entry, Outline};
use serde_json::{Value, json};

use super::names::execution_arn;
pub(crate) use super::names::machine_arn;
use super::store::latest::{self, Filter, MOST};
use super::store::{executions, machines, map_runs};
use super::{StepFunctions, redrive};
use crate::error::{Answer, AwsError};
pub(crate) use executions::Record;
pub(crate) use latest::{Filter as Wanted, Listed, SEARCHED};

/// The statuses of a Map Run's items.
const STATUSES: [&str; 6] = [
    "SUCCEEDED",
    "FAILED",
    "TIMED_OUT",
    "ABORTED",
    "RUNNING",
    "PENDING",
];

/// A part of the list, newest first.
pub(crate) struct Latest {
    pub(crate) executions: Vec<Listed>,
    /// Whether there are older ones.
    pub(crate) more: bool,
    /// How many are in each status.
    pub(crate) counts: Vec<(String, usize)>,
    /// Whether there are more than were counted.
    pub(crate) uncounted: bool,
}

/// A machine's name, ARN and type.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) express: bool,
}

/// Everything about one execution.
pub(crate) struct Seen {
    pub(crate) record: Record,
    pub(crate) entries: Vec<Entry>,
    /// The definition it runs: of a Map Run's child the part for an item. `None` where it can't be read.
    pub(crate) outline: Option<Outline>,
    /// What is outlined: a revision, and the Map state whose children run it.
    pub(crate) drawn: (i64, Option<String>),
    pub(crate) runs: Vec<Run>,
    /// The execution that this one is a child of: its machine's ARN and its name.
    pub(crate) parent: Option<(String, String)>,
    /// Why it can't be redriven.
    pub(crate) not_redrivable: Option<String>,
}

/// A Map Run and how far it is.
pub(crate) struct Run {
    pub(crate) arn: String,
    /// The Map state.
    pub(crate) state: String,
    /// The machine of its children, as their list asks for it.
    pub(crate) machine: String,
    pub(crate) status: String,
    pub(crate) express: bool,
    pub(crate) total: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
}

impl StepFunctions {
    pub(crate) async fn machine_names(&self) -> Result<Vec<Named>, AwsError> {
        let found = self.engine.store.read(latest::machines).await?;
        let named = found.into_iter().map(|(name, arn, kind)| Named {
            name,
            arn,
            express: kind == "EXPRESS",
        });
        Ok(named.collect())
    }

    /// The newest executions of those begun before the one numbered `before`.
    pub(crate) async fn latest(
        &self,
        filter: Filter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Latest, AwsError> {
        let read = self.engine.store.read(move |connection| {
            let found = latest::latest(connection, &filter, before.unwrap_or(i64::MAX), limit + 1)?;
            Ok((found, latest::counts(connection, &filter)?))
        });
        let (mut executions, counts) = read.await?;
        let more = executions.len() > limit;
        executions.truncate(limit);
        let counted: usize = counts.iter().map(|(_, count)| count).sum();
        Ok(Latest {
            executions,
            more,
            counts,
            uncounted: counted >= MOST,
        })
    }

    /// What the machine's newest execution was started with.
    pub(crate) async fn last_input(&self, machine: &str) -> Result<Option<String>, AwsError> {
        let machine = machine.to_owned();
        self.engine
            .store
            .read(move |connection| latest::last_input(connection, &machine))
            .await
    }

    /// The row of an execution, by the names of its machine and its own.
    pub(crate) async fn record(&self, machine: &str, name: &str) -> Result<Option<Record>, AwsError> {
        let arn = execution_arn(machine, name);
        self.engine
            .store
            .read(move |connection| executions::find(connection, &arn))
            .await
    }

    /// Everything about an execution, by the names of its machine and its own.
    pub(crate) async fn seen(&self, machine: &str, name: &str) -> Result<Option<Seen>, AwsError> {
        let arn = execution_arn(machine, name);
        let read = self.engine.store.read(move |connection| {
            let Some(record) = executions::find(connection, &arn)? else {
                return Ok(None);
            };
            let (entries, _) = executions::journal(connection, record.id)?;
            let definition = machines::definition(connection, record.revision)?;
            let runs = map_runs::list(connection, record.id, i64::MAX, 100)?;
            let runs = runs.into_iter().map(|run| {
                let count = |status| Ok(map_runs::counted(connection, run.id, status)?.items);
                let counts = STATUSES
                    .map(count)
                    .into_iter()
                    .collect::<rusqlite::Result<Vec<u64>>>()?;
                Ok((run, counts))
            });
            let runs = runs.collect::<rusqlite::Result<Vec<_>>>()?;
            let of = map_runs::of_child(connection, record.id)?.map(|(run, _)| run);
            let parent = of
                .as_ref()
                .map(|run| executions::by_id(connection, run.execution));
            let parent = parent.transpose()?.map(|parent| (parent.machine, parent.name));
            Ok(Some((record, entries, definition, runs, of, parent)))
        });
        let Some((record, entries, definition, runs, of, parent)) = read.await? else {
            return Ok(None);
        };
        let mut outline = Outline::read(&definition);
        let map = of.map(|of| of.run.state);
        if let Some(map) = &map {
            // Names are unique across all branches.
            outline = outline.and_then(|whole| whole.state(map)?.branches.first().cloned());
        }
        let runs = runs.into_iter().map(|(run, counts)| {
            let (machine, _) = super::map_runs::child_machine(&record.machine, &run.run.label);
            Run {
                state: run.run.state,
                machine,
                status: run.status,
                express: run.run.express,
                total: counts.iter().sum(),
                succeeded: counts[0],
                failed: counts[1] + counts[2],
                arn: run.run.arn,
            }
        });
        Ok(Some(Seen {
            runs: runs.collect(),
            drawn: (record.revision, map),
            not_redrivable: redrive::why_not(&self.engine, &record).await?,
            record,
            entries,
            outline,
            parent,
        }))
    }

    /// Starts an execution as the API does; answers what the API does.
    pub(crate) async fn start(
        &self,
        machine: &Named,
        name: Option<&str>,
        input: &str,
    ) -> Result<Value, AwsError> {
        let operation = if machine.express {
            "StartSyncExecution"
        } else {
            "StartExecution"
        };
        let mut request = json!({"stateMachineArn": machine.arn, "input": input});
        if let Some(name) = name {
            request["name"] = name.into();
        }
        self.answer(operation, &request).await
    }

    pub(crate) async fn stop(&self, arn: &str, cause: Option<&str>) -> Result<Value, AwsError> {
        let mut request = json!({"executionArn": arn});
        if let Some(cause) = cause {
            request["cause"] = cause.into();
        }
        self.answer("StopExecution", &request).await
    }

    pub(crate) async fn redrive(&self, arn: &str) -> Result<Value, AwsError> {
        self.answer("RedriveExecution", &json!({"executionArn": arn}))
            .await
    }

    async fn answer(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match self.call(operation, request.to_string().as_bytes()).await? {
            Answer::Json(value) => Ok(value),
            Answer::Text(_) | Answer::Whole(_) => Ok(Value::Null),
        }
    }

    /// The time of day, as executions know it.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.engine.source.now()
    }
}

#[cfg(test)]
impl StepFunctions {
    /// Puts rows of `count` ended executions, of ten machines, into the file.
    pub(crate) async fn seed(&self, count: u32) {
        let input = serde_json::json!({"documentId": "7", "text": "x".repeat(400)}).to_string();
        let written = self.engine.store.write(move |transaction| {
            transaction.execute(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
                 INSERT INTO executions (id, arn, machine, name, revision, status, started, ended, input, calls, steps)
                 SELECT n, 'arn:aws:states:us-east-1:123456789012:execution:m' || (n % 10) || ':run-' || n,
                     'arn:aws:states:us-east-1:123456789012:stateMachine:m' || (n % 10), 'run-' || n, 1,
                     CASE WHEN n % 100 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END, n * 1000, n * 1000 + 250, ?2, 0, 1
                 FROM n",
                (count, input),
            )
        });
        written.await.expect("the rows are written");
    }

    /// Puts something else in the place of every definition.
    pub(crate) async fn damage(&self, definition: &'static str) {
        let written = self.engine.store.write(move |transaction| {
            transaction.execute("UPDATE revisions SET definition = ?1", [definition])
        });
        written.await.expect("it is written");
    }
}
