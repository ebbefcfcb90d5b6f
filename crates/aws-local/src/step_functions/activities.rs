//! Activities: tasks that a worker anywhere takes by asking for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use asl::{Happened, StartTask, TaskId};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::engine::Engine;
use super::names::{activity_arn, arn, name};
use super::request::{Request, next_token};
use super::store::activities::{self as kept, Activity};
use super::store::tags;
use super::tagging;
use super::whole;
use crate::error::{Answer, AwsError};
use crate::source::epoch_seconds;

/// How long a worker's question is held open.
const POLL: Duration = Duration::from_mins(1);

/// What is scheduled for each activity, in memory: the journals have it too.
#[derive(Default)]
pub(super) struct Activities {
    queues: Mutex<HashMap<String, Queue>>,
}

/// One activity that exists.
#[derive(Default)]
struct Queue {
    /// In the order of their executions' start.
    tasks: BTreeSet<(i64, TaskId)>,
    more: Arc<Notify>,
}

impl Activities {
    /// Those that exist, each with nothing scheduled.
    pub(super) fn of(arns: Vec<String>) -> Activities {
        let queues = arns.into_iter().map(|arn| (arn, Queue::default()));
        Activities {
            queues: Mutex::new(queues.collect()),
        }
    }

    pub(super) fn exists(&self, activity: &str) -> bool {
        self.lock().contains_key(activity)
    }

    fn add(&self, activity: String) {
        self.lock().entry(activity).or_default();
    }

    fn remove(&self, activity: &str) {
        if let Some(queue) = self.lock().remove(activity) {
            // Who waits, or is about to, shall see that it is gone.
            queue.more.notify_waiters();
            queue.more.notify_one();
        }
    }

    /// Puts a task in the queue, if its activity still exists.
    pub(super) fn schedule(&self, activity: &str, execution: i64, task: TaskId) {
        if let Some(queue) = self.lock().get_mut(activity) {
            queue.tasks.insert((execution, task));
            queue.more.notify_one();
        }
    }

    /// Takes a task out that its execution waits for no more.
    pub(super) fn cancel(&self, execution: i64, task: TaskId) {
        for queue in self.lock().values_mut() {
            queue.tasks.remove(&(execution, task));
        }
    }

    /// The next task, or what tells of more. `None` where there is no such activity.
    fn next(&self, activity: &str) -> Option<Result<(i64, TaskId), Arc<Notify>>> {
        let mut queues = self.lock();
        let queue = queues.get_mut(activity)?;
        let task = queue.tasks.pop_first();
        if !queue.tasks.is_empty() {
            // One word wakes one worker; there is work for another.
            queue.more.notify_one();
        }
        Some(task.ok_or_else(|| Arc::clone(&queue.more)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn create(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.required("name").to_owned();
    name(&asked)?;
    let tags = tagging::read(request.list("tags"))?;
    let encryption = super::settings::encryption(request.get("encryptionConfiguration"))?;
    let activity = Activity {
        arn: activity_arn(&asked),
        name: asked,
        encryption,
        created: engine.source.now(),
    };
    let arn = activity.arn.clone();
    let created = engine.store.write(move |transaction| {
        if let Some(other) = kept::find(transaction, &activity.arn)? {
            return Ok(if other.encryption == activity.encryption {
                Ok(other.created)
            } else {
                Err(AwsError::new(
                    "ActivityAlreadyExists",
                    format!(
                        "Activity already exists. EncryptionConfiguration may not be updated: '{}'",
                        other.arn
                    ),
                ))
            });
        }
        if !tags::add(transaction, &activity.arn, &tags)? {
            return Ok(Err(tagging::too_many(&activity.arn)));
        }
        kept::insert(transaction, &activity)?;
        Ok(Ok(activity.created))
    });
    let created = created.await??;
    engine.activities.add(arn.clone());
    Ok(json!({"activityArn": arn, "creationDate": epoch_seconds(created)}).into())
}

pub(super) async fn describe(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.required("activityArn").to_owned();
    arn(&asked, "activity")?;
    let wanted = asked.clone();
    let found = engine
        .store
        .read(move |connection| kept::find(connection, &wanted))
        .await?;
    let activity = found.ok_or_else(|| no_activity(&asked))?;
    Ok(json!({
        "activityArn": activity.arn,
        "name": activity.name,
        "creationDate": epoch_seconds(activity.created),
        "encryptionConfiguration": super::settings::shown_encryption(activity.encryption.as_ref()),
    })
    .into())
}

pub(super) async fn list(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let (size, after) = (request.page(), request.position::<String>()?.unwrap_or_default());
    let mut activities = engine
        .store
        .read(move |connection| kept::list(connection, &after, size + 1))
        .await?;
    let more = activities.len() > size;
    activities.truncate(size);
    let shown: Vec<Value> = activities
        .iter()
        .map(|activity| {
            json!({
                "activityArn": activity.arn,
                "name": activity.name,
                "creationDate": epoch_seconds(activity.created),
            })
        })
        .collect();
    let mut answer = json!({"activities": shown});
    if more && let Some(last) = activities.last() {
        answer["nextToken"] = next_token(&last.name);
    }
    Ok(answer.into())
}

/// Deletes an activity; one that isn't there is as good as deleted. What was scheduled for it waits until it times
/// out.
pub(super) async fn delete(engine: &Engine, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.required("activityArn").to_owned();
    arn(&asked, "activity")?;
    let gone = asked.clone();
    engine
        .store
        .write(move |transaction| kept::delete(transaction, &gone))
        .await?;
    engine.activities.remove(&asked);
    Ok(json!({}).into())
}

/// Gives a worker the next task, or within a minute nothing. A worker that goes away while it waits takes none.
pub(super) async fn poll(engine: &Arc<Engine>, request: &Request) -> Result<Answer, AwsError> {
    let asked = request.required("activityArn");
    arn(asked, "activity")?;
    let worker = request.owned("workerName");
    if let Some(worker) = &worker {
        name(worker)?;
    }
    let end = tokio::time::Instant::now() + POLL;
    loop {
        match engine.activities.next(asked).ok_or_else(|| no_activity(asked))? {
            Ok((execution, task)) => {
                let (at_work, worker) = (Arc::clone(engine), worker.clone());
                // From here on the task is this worker's, whether it hears of it or not: at most once.
                let taken = whole(
                    engine,
                    async move { take(&at_work, execution, task, worker).await },
                );
                match taken.await {
                    Ok(Answer::Json(Value::Null)) => {}
                    Ok(answer) => return Ok(answer),
                    Err(error) => {
                        engine.activities.schedule(asked, execution, task);
                        return Err(error);
                    }
                }
            }
            Err(more) => {
                if tokio::time::timeout_at(end, more.notified()).await.is_err() {
                    return Ok(json!({"taskToken": null, "input": null}).into());
                }
            }
        }
    }
}

/// The task's token and input, once its start is durable; null where nobody waits for it any more.
async fn take(
    engine: &Arc<Engine>,
    execution: i64,
    task: TaskId,
    worker: Option<String>,
) -> Result<Answer, AwsError> {
    let taken = engine.take(execution, task, worker).await?;
    Ok(match taken {
        Some(StartTask {
            token: Some(token),
            arguments,
            ..
        }) => json!({"taskToken": token, "input": arguments.to_string()}),
        _ => Value::Null,
    }
    .into())
}

impl Engine {
    /// Gives an activity's task to a worker, durably. `None` where it is over, or has a worker.
    async fn take(
        self: &Arc<Self>,
        id: i64,
        task: TaskId,
        worker: Option<String>,
    ) -> Result<Option<StartTask>, AwsError> {
        let open = self.open_task(id, task).await?.filter(|task| !task.submitted);
        let Some(open) = open else {
            return Ok(None);
        };
        let refused = self.happen(id, Happened::ActivityTaken { task, worker }).await?;
        Ok(refused.is_none().then_some(open))
    }

    /// A task of an execution that is not over.
    async fn open_task(&self, id: i64, task: TaskId) -> Result<Option<StartTask>, AwsError> {
        let slot = self.slot(id);
        let mut live = slot.lock().await;
        let loaded = match live.take() {
            Some(live) => Ok(live),
            None => self.load(id).await,
        };
        let found = loaded.map(|loaded| {
            let mut open = loaded.execution.open_tasks().into_iter();
            let found = open.find(|open| open.task == task);
            *live = Some(loaded);
            found
        });
        self.release(id, &slot, live);
        found
    }
}

pub(super) fn no_activity(arn: &str) -> AwsError {
    AwsError::new(
        "ActivityDoesNotExist",
        format!("Activity Does Not Exist: '{arn}'"),
    )
}
