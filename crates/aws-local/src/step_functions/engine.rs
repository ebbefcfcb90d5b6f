//! Runs executions. Everything that happens to one goes the same way: its state is rebuilt from the journal,
//! the interpreter says what follows, that is appended to the journal in one transaction, and only then are
//! its commands carried out. So an execution can be cut off anywhere and goes on where it was.
//!
//! One step at a time happens to an execution; different ones go on side by side. An execution stays in memory
//! only while a task of it runs in this process; one that waits for a timer or a token is a row in a file and
//! an entry among the timers.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use asl::{
    Command, Definition, Execution, Happened, Identity, Refused, Resource, StartTask, Status, Step, TaskId,
};
use jiff::Timestamp;
use tokio::sync::Mutex as AsyncMutex;

use super::activities::Activities;
use super::integrations::Services;
use super::integrations::nested::Nested;
use super::map_runs::MapRuns;
use super::progress::progress;
use super::store::executions::{self, Record, Waiting};
use super::store::{Store, machines};
use super::timers::Timers;
use super::work::Work;
use crate::error::AwsError;
use crate::lambda::Caller;
use crate::source::Source;
use crate::tasks::Tasks;

/// How long until a task's result is offered again to a file that can't be written to.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// How many definitions are kept read.
const DEFINITIONS: usize = 256;

pub(crate) struct Engine {
    pub(super) source: Source,
    pub(super) store: Store,
    pub(super) services: Services,
    pub(super) tasks: Arc<Tasks>,
    pub(super) timers: Timers,
    pub(super) activities: Activities,
    /// Machines that are being deleted: their executions end at their next transition.
    pub(super) deleting: Mutex<HashSet<String>>,
    pub(super) map_runs: MapRuns,
    pub(super) nested: Nested,
    pub(super) work: Work,
    live: Mutex<HashMap<i64, Slot>>,
    definitions: Mutex<HashMap<i64, Arc<Definition>>>,
    last_id: AtomicI64,
    /// What was running when the file was opened, until it is resumed.
    unfinished: Mutex<Vec<Waiting>>,
    /// The tasks that run in this process.
    running: Mutex<HashSet<(i64, TaskId)>>,
}

/// An execution's place: whoever locks it is the one to whom it happens.
pub(super) type Slot = Arc<AsyncMutex<Option<Live>>>;

/// An execution in memory, and the number of its steps in the journal.
pub(super) struct Live {
    pub(super) execution: Execution,
    pub(super) steps: i64,
}

/// What the file held when it was opened.
pub(super) struct Kept {
    pub(super) last_id: i64,
    pub(super) unfinished: Vec<Waiting>,
    pub(super) activities: Vec<String>,
    pub(super) deleting: Vec<String>,
}

impl Engine {
    pub(super) fn new(
        source: Source,
        store: Store,
        services: Services,
        tasks: Arc<Tasks>,
        kept: Kept,
    ) -> Engine {
        Engine {
            source,
            store,
            services,
            tasks,
            timers: Timers::default(),
            activities: Activities::of(kept.activities),
            deleting: Mutex::new(kept.deleting.into_iter().collect()),
            map_runs: MapRuns::default(),
            nested: Nested::default(),
            work: Work::default(),
            live: Mutex::default(),
            definitions: Mutex::default(),
            last_id: AtomicI64::new(kept.last_id),
            unfinished: Mutex::new(kept.unfinished),
            running: Mutex::default(),
        }
    }

    /// Takes up what was unfinished when the process before this one ended. Something may have happened to it
    /// since; then its timer and its tasks are in place already, and a timer that isn't needed does no harm.
    pub(super) async fn resume(self: &Arc<Self>) -> Result<(), AwsError> {
        let unfinished = std::mem::take(&mut *lock(&self.unfinished));
        for waiting in unfinished {
            if let Some(timer) = waiting.timer {
                self.timers.set_first(waiting.id, timer);
            }
            if waiting.calls
                && let Err(error) = self.run_again(waiting.id).await
            {
                // One that can't be read any more holds up none of the others.
                let (id, reason) = (waiting.id, error.message());
                tracing::error!(execution.id = id, error = reason, "an execution can't go on");
            }
        }
        self.resume_nested().await?;
        self.resume_map_runs().await
    }

    /// Begins an execution, unless there is one of its ARN, which is then the answer. The record's id is given
    /// here.
    pub(super) async fn start(
        self: &Arc<Self>,
        mut record: Record,
        role: String,
        machine_name: String,
    ) -> Result<Result<(), Record>, AwsError> {
        let definition = self.definition(record.revision).await?;
        let identity = Identity {
            execution_arn: record.arn.clone(),
            execution_name: record.name.clone(),
            role_arn: role,
            state_machine_arn: record.machine.clone(),
            state_machine_name: machine_name,
        };
        record.id = self.next_id();
        let id = record.id;
        let slot = self.slot(id);
        let mut live = slot.lock().await;
        let begun = Execution::start(
            definition,
            identity,
            &record.input,
            record.started,
            &mut self.random(),
        );
        let (mut execution, mut step) = begun.map_err(|error| super::input::invalid(&error))?;
        let asked = self.tell_started(&mut execution, &mut step, record.started);
        let progress = progress(id, &execution, &step, 0, record.started)?;
        let written = self
            .store
            .write(move |transaction| executions::insert(transaction, &record, &progress));
        let other = match written.await {
            Ok(other) => other,
            Err(error) => {
                self.release(id, &slot, live);
                return Err(error);
            }
        };
        if let Some(other) = other {
            self.release(id, &slot, live);
            return Ok(Err(other));
        }
        self.announce(&execution, None, &step.entries);
        self.go_on(id, &execution, asked);
        *live = Some(Live { execution, steps: 1 });
        self.release(id, &slot, live);
        Ok(Ok(()))
    }

    /// The number of an execution that is about to begin.
    pub(super) fn next_id(&self) -> i64 {
        self.last_id.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Lets something happen to an execution, durably, and begins what follows from it. Answers why it was not
    /// taken in, where it wasn't.
    pub(super) async fn happen(
        self: &Arc<Self>,
        id: i64,
        happened: Happened,
    ) -> Result<Option<Refused>, AwsError> {
        let slot = self.slot(id);
        let mut live = slot.lock().await;
        let result = self.step(id, &mut live, happened).await;
        self.release(id, &slot, live);
        result
    }

    async fn step(
        self: &Arc<Self>,
        id: i64,
        live: &mut Option<Live>,
        happened: Happened,
    ) -> Result<Option<Refused>, AwsError> {
        // Taken out until the step is durable: after a failure the journal is what counts.
        let Live { mut execution, steps } = match live.take() {
            Some(live) => live,
            None => self.load(id).await?,
        };
        let now = self.source.now();
        let before = self.about_to(&execution, &happened);
        let mut step = execution.handle(happened, now, &mut self.random());
        let refused = step.refused;
        self.end_if_deleting(&mut execution, &mut step, now);
        let asked = self.tell_started(&mut execution, &mut step, now);
        let mut done = 0;
        if !step.entries.is_empty() {
            let progress = progress(id, &execution, &step, steps, now)?;
            self.store
                .write(move |transaction| executions::append(transaction, &progress))
                .await?;
            done = 1;
        }
        self.announce(&execution, before.as_ref(), &step.entries);
        self.go_on(id, &execution, asked);
        *live = Some(Live {
            execution,
            steps: steps + done,
        });
        Ok(refused)
    }

    /// Ends an execution whose machine is being deleted, if it has come to another state.
    fn end_if_deleting(&self, execution: &mut Execution, step: &mut Step, now: Timestamp) {
        let transition = |entry: &asl::Entry| matches!(entry.event, asl::Event::StateEntered { .. });
        if *execution.status() != Status::Running
            || !lock(&self.deleting).contains(&execution.identity().state_machine_arn)
            || !step.entries.iter().any(transition)
        {
            return;
        }
        let stopped = Happened::Stopped {
            error: None,
            cause: None,
        };
        let end = execution.handle(stopped, now, &mut self.random());
        step.entries.extend(end.entries);
        // Tasks that were to be started in this very step never were.
        step.commands.clear();
    }

    /// Says of each task that is to be started that it has, so that both are one entry in the file. An activity's
    /// begins when a worker takes it.
    pub(super) fn tell_started(
        &self,
        execution: &mut Execution,
        step: &mut Step,
        now: Timestamp,
    ) -> Vec<Command> {
        let asked = std::mem::take(&mut step.commands);
        for command in &asked {
            if let Command::StartTask(task) = command
                && !task.resource.is_activity()
            {
                let told = Happened::TaskStarted { task: task.task };
                let further = execution.handle(told, now, &mut self.random());
                step.entries.extend(further.entries);
            }
        }
        asked
    }

    /// Carries out what a durable step asks for.
    pub(super) fn go_on(self: &Arc<Self>, id: i64, execution: &Execution, asked: Vec<Command>) {
        self.work.stepped();
        self.timers.set(id, execution.next_timer());
        self.drive_map_runs(id, execution);
        for command in asked {
            match command {
                Command::StartTask(task) => self.run(id, execution, task),
                Command::CancelTask { task } => {
                    self.activities.cancel(id, task);
                    self.nested_cancelled(id, task);
                }
                // Timers and Map Runs are taken from what the execution says of itself.
                Command::SetTimer { .. }
                | Command::StartMapRun(_)
                | Command::RedriveMapRun { .. }
                | Command::CancelMapRun { .. }
                | Command::Finish => {}
            }
        }
        if *execution.status() != Status::Running {
            self.nested_ended(&execution.identity().execution_arn);
        }
    }

    fn run(self: &Arc<Self>, id: i64, execution: &Execution, task: StartTask) {
        if let Resource::Activity { arn } = &task.resource {
            self.activities.schedule(arn, id, task.task);
            return;
        }
        let key = (id, task.task);
        if !lock(&self.running).insert(key) {
            return;
        }
        let (engine, identity) = (Arc::clone(self), execution.identity().clone());
        let (caller, busy) = (caller(execution, task.task), self.work.begin());
        self.tasks.spawn(async move {
            let _busy = busy;
            let begins_only = task.resource.begins_only();
            let happened = engine.run_task(Some((id, &identity)), caller, task).await;
            // A result isn't given up: the disk may have room again in a while.
            while let Err(error) = engine.happen(id, happened.clone()).await {
                let code = error.code();
                tracing::debug!(aws.error.code = code, "a task's result could not be kept yet");
                tokio::time::sleep(AGAIN).await;
            }
            lock(&engine.running).remove(&key);
            if begins_only {
                engine.nested_begun(key.0, key.1).await;
            }
        });
    }

    /// Lets the executions of a machine end at their next transition.
    pub(super) fn end_executions_of(&self, machine: String) {
        lock(&self.deleting).insert(machine);
    }

    /// Whether a task runs in this process.
    pub(super) fn is_running(&self, id: i64, task: TaskId) -> bool {
        lock(&self.running).contains(&(id, task))
    }

    /// Runs the tasks that were running when the process before this one ended.
    async fn run_again(self: &Arc<Self>, id: i64) -> Result<(), AwsError> {
        let slot = self.slot(id);
        let mut live = slot.lock().await;
        let loaded = match live.take() {
            Some(live) => Ok(live),
            None => self.load(id).await,
        };
        let result = loaded.map(|loaded| {
            let open = loaded.execution.open_tasks().into_iter();
            for task in open.filter(|task| !task.submitted) {
                self.run(id, &loaded.execution, task);
            }
            *live = Some(loaded);
        });
        self.release(id, &slot, live);
        result
    }

    pub(super) async fn load(&self, id: i64) -> Result<Live, AwsError> {
        let (revision, journal, steps) = self
            .store
            .read(move |connection| executions::load(connection, id))
            .await?;
        let definition = self.part_of(id, self.definition(revision).await?).await?;
        let execution = Execution::replay(definition, &journal)
            .map_err(|error| AwsError::internal("InternalServerError", error))?;
        Ok(Live { execution, steps })
    }

    pub(super) async fn definition(&self, revision: i64) -> Result<Arc<Definition>, AwsError> {
        if let Some(definition) = lock(&self.definitions).get(&revision) {
            return Ok(Arc::clone(definition));
        }
        let text = self
            .store
            .read(move |connection| machines::definition(connection, revision))
            .await?;
        let definition =
            Definition::parse(&text).map_err(|error| AwsError::internal("InternalServerError", error))?;
        let definition = Arc::new(definition);
        let mut definitions = lock(&self.definitions);
        if definitions.len() >= DEFINITIONS {
            definitions.clear();
        }
        definitions.insert(revision, Arc::clone(&definition));
        Ok(definition)
    }

    pub(super) fn slot(&self, id: i64) -> Slot {
        Arc::clone(lock(&self.live).entry(id).or_default())
    }

    /// Gives the place back, and forgets the execution unless something of it runs in this process or somebody
    /// is waiting for the place.
    pub(super) fn release(&self, id: i64, slot: &Slot, held: tokio::sync::MutexGuard<'_, Option<Live>>) {
        let here = |resource: &Resource| !resource.is_activity();
        let needed = held
            .as_ref()
            .is_some_and(|live| live.execution.in_hand().any(here));
        let mut live = lock(&self.live);
        drop(held);
        // One of the two is in the map, the other is ours; places are only handed out under this lock.
        if !needed && Arc::strong_count(slot) == 2 {
            live.remove(&id);
        }
    }

    pub(super) fn random(&self) -> Draw<'_> {
        Draw(self)
    }

    #[cfg(test)]
    pub(super) fn in_memory(&self) -> usize {
        lock(&self.live).len()
    }
}

/// Who calls a function when this task does.
pub(super) fn caller(execution: &Execution, task: TaskId) -> Option<Caller> {
    Some(Caller {
        execution_arn: execution.identity().execution_arn.clone(),
        state: execution.state_of(task)?.to_owned(),
    })
}

/// What the interpreter asks of the world.
pub(super) struct Draw<'a>(&'a Engine);

impl asl::Randomness for Draw<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        (self.0.source.randomness)(bytes);
    }

    fn activity_exists(&self, arn: &str) -> bool {
        self.0.activities.exists(arn)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
