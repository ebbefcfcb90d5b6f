//! Executions that another execution waits for (`startExecution.sync`). Who waits for whom is kept in the file,
//! so that a child that ends after a restart still tells its parent, and in memory, so that an execution's end
//! costs no look into the file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use asl::{Happened, TaskId};
use rusqlite::params;
use serde_json::{Value, json};

use super::executions;
use crate::error::AwsError;
use crate::step_functions::engine::Engine;
use crate::{ACCOUNT, REGION};

/// How long until a parent is told again, when its file could not be written to.
const AGAIN: Duration = Duration::from_secs(1);

/// The table, for the schema of the states' file.
pub(in crate::step_functions) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS nested (
        child TEXT PRIMARY KEY,
        parent INTEGER NOT NULL,
        task INTEGER NOT NULL,
        as_json INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Who waits for an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::step_functions) struct Link {
    /// The number of the execution that waits.
    pub(super) parent: i64,
    /// Its task.
    pub(super) task: TaskId,
    /// Whether what was JSON in text is given as JSON (`.sync:2`).
    pub(super) as_json: bool,
}

/// Who waits for whom.
#[derive(Default)]
pub(in crate::step_functions) struct Nested(Mutex<Links>);

#[derive(Default)]
struct Links {
    /// By the ARN of the one that is waited for.
    waiting: HashMap<String, Waiting>,
    /// The same ARN, by the one that waits.
    children: HashMap<(i64, TaskId), String>,
}

impl Links {
    fn insert(&mut self, child: String, link: Link) {
        self.children.insert((link.parent, link.task), child.clone());
        self.waiting.insert(child, Waiting { link, begun: false });
    }

    /// Unless there is one: since the start something may have happened.
    fn insert_first(&mut self, child: String, link: Link) {
        if !self.waiting.contains_key(&child) {
            self.insert(child, link);
        }
    }

    fn remove(&mut self, child: &str) {
        if let Some(waiting) = self.waiting.remove(child) {
            self.children.remove(&(waiting.link.parent, waiting.link.task));
        }
    }
}

struct Waiting {
    link: Link,
    /// Whether the parent's task knows that its child has begun. Before, its end isn't told.
    begun: bool,
}

impl Nested {
    fn lock(&self) -> MutexGuard<'_, Links> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Starts an execution that a task waits for. The link is written first: what has started can be told of.
    pub(super) async fn start_nested(
        self: &Arc<Self>,
        request: &Value,
        link: Link,
    ) -> Result<Value, AwsError> {
        let arn = arn_of_start(request);
        let there = executions::call(self, "DescribeExecution", &json!({"executionArn": arn})).await;
        let known = self.link(&arn).await?;
        if there.is_ok() && known != Some(link) {
            return Err(AwsError::new(
                "ExecutionAlreadyExists",
                format!("Execution Already Exists: '{arn}'"),
            ));
        }
        if let (Ok(there), Some(_)) = (there, known) {
            // It was started before a restart, and may have ended since.
            self.nested.lock().insert(arn.clone(), link);
            return Ok(json!({"executionArn": arn, "startDate": there["startDate"]}));
        }
        let child = arn.clone();
        self.store
            .write(move |transaction| {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO nested (child, parent, task, as_json) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![child, link.parent, link.task.0, link.as_json])
            })
            .await?;
        self.nested.lock().insert(arn.clone(), link);
        let started = executions::call(self, "StartExecution", request).await;
        if started.is_err() {
            self.forget(arn).await;
        }
        started
    }

    async fn link(&self, arn: &str) -> Result<Option<Link>, AwsError> {
        use rusqlite::OptionalExtension;
        let child = arn.to_owned();
        self.store
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT parent, task, as_json FROM nested WHERE child = ?1")?
                    .query_row([child], |row| {
                        Ok(Link {
                            parent: row.get(0)?,
                            task: TaskId(row.get(1)?),
                            as_json: row.get(2)?,
                        })
                    })
                    .optional()
            })
            .await
    }

    /// The task of `parent` knows now that its child has begun; the child may have ended meanwhile.
    pub(in crate::step_functions) async fn nested_begun(self: &Arc<Self>, parent: i64, task: TaskId) {
        let child = {
            let mut links = self.nested.lock();
            let child = links.children.get(&(parent, task)).cloned();
            if let Some(waiting) = child.as_ref().and_then(|child| links.waiting.get_mut(child)) {
                waiting.begun = true;
            }
            child
        };
        let Some(child) = child else { return };
        let described = executions::call(self, "DescribeExecution", &json!({"executionArn": child})).await;
        if described.is_ok_and(|described| described["status"] != "RUNNING") {
            self.nested_ended(&child);
        }
    }

    /// An execution has ended: whoever waits for it is told.
    pub(in crate::step_functions) fn nested_ended(self: &Arc<Self>, arn: &str) {
        let link = match self.nested.lock().waiting.get(arn) {
            Some(waiting) if waiting.begun => waiting.link,
            _ => return,
        };
        let (engine, arn) = (Arc::clone(self), arn.to_owned());
        self.tasks.spawn(async move {
            while let Err(error) = engine.tell_parent(&arn, link).await {
                let code = error.code();
                tracing::debug!(
                    aws.error.code = code,
                    "a nested execution's end could not be told yet"
                );
                tokio::time::sleep(AGAIN).await;
            }
            engine.forget(arn).await;
        });
    }

    async fn tell_parent(self: &Arc<Self>, arn: &str, link: Link) -> Result<(), AwsError> {
        let described = executions::call(self, "DescribeExecution", &json!({"executionArn": arn})).await?;
        let happened = match executions::end(&described, link.as_json) {
            Ok(output) => Happened::TaskSucceeded {
                task: link.task,
                output,
            },
            Err(failed) => Happened::TaskFailed {
                task: link.task,
                error: Some(failed.error),
                cause: Some(failed.cause),
            },
        };
        // Refused where nobody waits any more, or where it was told already.
        self.happen(link.parent, happened).await.map(|_| ())
    }

    /// A task is given up: what it began is stopped.
    pub(in crate::step_functions) fn nested_cancelled(self: &Arc<Self>, parent: i64, task: TaskId) {
        let child = self.nested.lock().children.get(&(parent, task)).cloned();
        let Some(child) = child else { return };
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            engine.nested.lock().remove(&child);
            let stop = json!({"executionArn": child});
            while let Err(error) = executions::call(&engine, "StopExecution", &stop).await {
                if error.status() < 500 {
                    break;
                }
                tokio::time::sleep(AGAIN).await;
            }
            engine.forget(child).await;
        });
    }

    async fn forget(&self, arn: String) {
        self.nested.lock().remove(&arn);
        let gone = self.store.write(move |transaction| {
            transaction
                .prepare_cached("DELETE FROM nested WHERE child = ?1")?
                .execute([arn])
        });
        // A link that stays does no harm: its parent's task is over, and says so.
        let _ = gone.await;
    }

    /// Takes up the links that were kept, once the executions go on.
    pub(in crate::step_functions) async fn resume_nested(self: &Arc<Self>) -> Result<(), AwsError> {
        let kept = self.store.read(|connection| {
            let mut statement = connection.prepare("SELECT child, parent, task, as_json FROM nested")?;
            let rows = statement.query_map([], |row| {
                let link = Link {
                    parent: row.get(1)?,
                    task: TaskId(row.get(2)?),
                    as_json: row.get(3)?,
                };
                Ok((row.get::<_, String>(0)?, link))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        for (child, link) in kept.await? {
            self.nested.lock().insert_first(child, link);
            if !self.is_running(link.parent, link.task) {
                self.nested_begun(link.parent, link.task).await;
            }
        }
        Ok(())
    }
}

/// The ARN that the execution is going to have.
fn arn_of_start(request: &Value) -> String {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let machine = text("stateMachineArn").split(':').nth(6).unwrap_or_default();
    format!(
        "arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:{}",
        text("name")
    )
}
