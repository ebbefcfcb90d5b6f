//! What the pages are given to show: straight from the file, in few queries, and not through the API.

use super::StepFunctions;
pub(crate) use super::names::machine_arn;
use super::store::latest::{self, Filter, MOST};
use crate::error::AwsError;
pub(crate) use latest::{Filter as Wanted, Listed, SEARCHED};

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
}
