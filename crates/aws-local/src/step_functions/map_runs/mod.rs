//! Map Runs: the items of a distributed Map, each of them (or each batch) run by a child execution.
//!
//! What is to be done stands in the file at any moment ([`super::store::map_runs`]): the items once they are read,
//! which children have begun and how they ended, each written in one transaction with the step of the execution
//! that it belongs to. So whoever drives a run only looks at the file and does what comes next, and a run that was
//! cut off anywhere goes on, without an item lost or run twice.

pub(super) mod api;
mod formats;
mod objects;
mod read;
mod results;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use asl::{Entry, Event, Execution, Failure, Happened, Identity};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::engine::{AGAIN, Engine, Live};
use super::progress::progress;
use super::store::executions::{self, Record};
use super::store::machines;
use super::store::map_runs::{self as kept, Change, Count};
use crate::error::AwsError;
use crate::{ACCOUNT, REGION};

/// As many children run at once where the definition leaves it open: AWS's own limit.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html>
const MOST_AT_ONCE: u64 = 10_000;

/// The most children that begin in one transaction.
const TOGETHER: u64 = 64;

/// The Map Runs that are driven in this process.
#[derive(Default)]
pub(super) struct MapRuns {
    /// By the run's execution and ARN; each wakes the one who drives it.
    drivers: Mutex<BTreeMap<(i64, String), Arc<Notify>>>,
    /// By child.
    children: Mutex<HashMap<i64, Arc<Notify>>>,
}

/// What a step does to the Map Runs of its execution.
pub(super) fn changes(execution: &Execution, entries: &[Entry]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut left = false;
    for Entry { at, event, .. } in entries {
        let ended = |arn: &String, status| Change::Ended {
            arn: arn.clone(),
            status,
            at: *at,
        };
        match event {
            Event::MapRunStarted { run } => changes.push(Change::Begun(run.clone(), *at)),
            Event::MapRunSucceeded { arn, .. } => changes.push(ended(arn, "SUCCEEDED")),
            Event::MapRunFailed { arn, .. } => changes.push(ended(arn, "FAILED")),
            event => left |= event.ends() || matches!(event, Event::StateAborted { .. }),
        }
    }
    if left {
        let wanted = execution.open_map_runs().into_iter().map(|run| run.arn);
        let at = entries.last().map_or_else(Timestamp::default, |entry| entry.at);
        changes.push(Change::Wanted(wanted.collect(), at));
    }
    changes
}

/// What whoever drives a run does after a look at it.
enum Next {
    /// Looks again.
    Look,
    /// Waits until it is woken.
    Wait,
    /// Is done with it.
    Leave,
}

impl Engine {
    /// Drives the runs that an execution has open, and wakes those who drive one that it hasn't any more, or whose
    /// child it was.
    pub(super) fn drive_map_runs(self: &Arc<Self>, id: i64, execution: &Execution) {
        if *execution.status() != asl::Status::Running
            && let Some(driver) = lock(&self.map_runs.children).remove(&id)
        {
            driver.notify_one();
        }
        let open = execution.open_map_runs();
        {
            let drivers = lock(&self.map_runs.drivers);
            let of_it = drivers
                .range((id, String::new())..)
                .take_while(|((of, _), _)| *of == id);
            for ((_, arn), driver) in of_it {
                if !open.iter().any(|run| run.arn == *arn) {
                    driver.notify_one();
                }
            }
        }
        for run in open {
            self.drive(id, run.arn);
        }
    }

    /// Drives the runs that were not over when the process before this one ended.
    pub(super) async fn resume_map_runs(self: &Arc<Self>) -> Result<(), AwsError> {
        let unfinished = self.store.read(|connection| {
            let arns = kept::unfinished(connection)?;
            let runs = arns.iter().map(|arn| kept::find(connection, arn));
            runs.collect::<rusqlite::Result<Vec<_>>>()
        });
        for run in unfinished.await?.into_iter().flatten() {
            self.drive(run.execution, run.run.arn);
        }
        Ok(())
    }

    fn drive(self: &Arc<Self>, execution: i64, arn: String) {
        let driver = Arc::new(Notify::new());
        let key = (execution, arn);
        {
            let mut drivers = lock(&self.map_runs.drivers);
            if drivers.contains_key(&key) {
                return;
            }
            drivers.insert(key.clone(), Arc::clone(&driver));
        }
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut known = false;
            loop {
                let looked = async {
                    if !known {
                        engine.know_children(&key.1, &driver).await?;
                    }
                    engine.go_on_with(&key.1, &driver).await
                };
                match looked.await {
                    Ok(Next::Look) => known = true,
                    Ok(Next::Wait) => {
                        known = true;
                        driver.notified().await;
                    }
                    Ok(Next::Leave) => break,
                    Err(error) => {
                        let code = error.code();
                        tracing::debug!(aws.error.code = code, "a Map Run can't go on yet");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
            lock(&engine.map_runs.drivers).remove(&key);
        });
    }

    /// Sees to it that the driver is woken by the children that run already.
    async fn know_children(&self, arn: &str, driver: &Arc<Notify>) -> Result<(), AwsError> {
        let arn = arn.to_owned();
        let running = self
            .store
            .read(move |connection| match kept::find(connection, &arn)? {
                Some(record) => kept::running(connection, record.id),
                None => Ok(Vec::new()),
            });
        let running = running.await?;
        let mut children = lock(&self.map_runs.children);
        children.extend(running.into_iter().map(|child| (child, Arc::clone(driver))));
        Ok(())
    }

    /// Does what comes next in a run.
    async fn go_on_with(self: &Arc<Self>, arn: &str, driver: &Arc<Notify>) -> Result<Next, AwsError> {
        let arn = arn.to_owned();
        let looked = self.store.read(move |connection| {
            let Some(record) = kept::find(connection, &arn)? else {
                return Ok(None);
            };
            let counts = Counts::of(connection, record.id)?;
            Ok(Some((record, counts)))
        });
        let Some((record, counts)) = looked.await? else {
            return Ok(Next::Leave);
        };
        if record.status != "RUNNING" {
            self.give_up_children(record.id).await?;
            return Ok(Next::Leave);
        }
        if record.stage == "READING" {
            if let Err(failure) = self.read_items(&record).await? {
                self.tell(&record, Err(failure)).await?;
            }
            return Ok(Next::Look);
        }
        let over = counts.running.executions == 0;
        if counts.exceed(&record) {
            if !over {
                self.give_up_children(record.id).await?;
                return Ok(Next::Look);
            }
            let written = self.write_results(&record).await?;
            let failure = written.err().unwrap_or_else(|| Failure {
                error: Some("States.ExceedToleratedFailureThreshold".to_owned()),
                cause: Some("The specified tolerated failure threshold was exceeded".to_owned()),
                also: None,
            });
            self.tell(&record, Err(failure)).await?;
            return Ok(Next::Look);
        }
        if over && counts.pending.executions == 0 {
            let result = self.write_results(&record).await?;
            self.tell(&record, result).await?;
            return Ok(Next::Look);
        }
        let most = match record.concurrency {
            0 => MOST_AT_ONCE,
            most => most.min(MOST_AT_ONCE),
        };
        let free = most.saturating_sub(counts.running.executions);
        if free == 0 || counts.pending.executions == 0 {
            return Ok(Next::Wait);
        }
        self.begin_children(&record, free.min(TOGETHER), driver).await?;
        Ok(Next::Look)
    }

    /// Tells the run's execution how it ended; that is written down with the run's own end.
    async fn tell(
        self: &Arc<Self>,
        record: &kept::Record,
        result: Result<serde_json::Value, Failure>,
    ) -> Result<(), AwsError> {
        let arn = record.run.arn.clone();
        let happened = match result {
            Ok(output) => Happened::MapRunSucceeded { arn, output },
            Err(failure) => Happened::MapRunFailed { arn, failure },
        };
        if self.happen(record.execution, happened).await?.is_some() {
            // It has no use for the run any more, and the run has its end from there; if not, it is over all the same.
            let (execution, at) = (record.execution, self.source.now());
            let left = Change::Wanted(Vec::new(), at);
            self.store
                .write(move |transaction| kept::change(transaction, execution, &left))
                .await?;
        }
        Ok(())
    }

    /// Stops the children that run.
    async fn give_up_children(self: &Arc<Self>, run: i64) -> Result<(), AwsError> {
        let running = self
            .store
            .read(move |connection| kept::running(connection, run))
            .await?;
        for child in running {
            let stopped = Happened::Stopped {
                error: None,
                cause: None,
            };
            self.happen(child, stopped).await?;
        }
        Ok(())
    }

    /// Begins the next children, all in one transaction.
    async fn begin_children(
        self: &Arc<Self>,
        record: &kept::Record,
        most: u64,
        driver: &Arc<Notify>,
    ) -> Result<(), AwsError> {
        let (run, parent) = (record.id, record.execution);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let found = self.store.read(move |connection| {
            let pending = kept::pending(connection, run, -1, most)?;
            let parent = executions::by_id(connection, parent)?;
            let role = machines::revision(connection, parent.revision)?.role;
            Ok((pending, parent, role))
        });
        let (pending, parent, role) = found.await?;
        let whole = self.definition(parent.revision).await?;
        let definition = Arc::new(processor(&whole, record)?);
        let (machine, machine_name) = child_machine(&parent.machine, &record.run.label);
        let now = self.source.now();
        let mut begun = Vec::with_capacity(pending.len());
        let mut rows = Vec::with_capacity(pending.len());
        for child in pending {
            let name = self.source.uuid();
            let id = self.next_id();
            let identity = Identity {
                execution_arn: child_arn(record, &machine_name, &name),
                execution_name: name.clone(),
                role_arn: role.clone(),
                state_machine_arn: machine.clone(),
                state_machine_name: machine_name.clone(),
            };
            let arn = identity.execution_arn.clone();
            let started = Execution::start(
                Arc::clone(&definition),
                identity,
                &child.input,
                now,
                &mut self.random(),
            );
            let (mut execution, mut step) =
                started.map_err(|error| AwsError::internal("InternalServerError", error))?;
            let asked = self.tell_started(&mut execution, &mut step, now);
            let progress = progress(id, &execution, &step, 0, now)?;
            let row = Record {
                id,
                arn,
                machine: machine.clone(),
                name,
                revision: parent.revision,
                status: "RUNNING".to_owned(),
                started: now,
                input: child.input,
                trace: None,
                end: None,
                version: None,
                alias: None,
                redrives: 0,
                redriven: None,
                redrive_token: None,
                starter: None,
            };
            rows.push((child.n, row, progress));
            begun.push((id, execution, step.entries, asked));
        }
        let slots: Vec<_> = begun.iter().map(|(id, ..)| (*id, self.slot(*id))).collect();
        let mut places = Vec::with_capacity(slots.len());
        for (id, slot) in &slots {
            places.push((*id, slot, slot.lock().await));
            lock(&self.map_runs.children).insert(*id, Arc::clone(driver));
        }
        let written = self.store.write(move |transaction| {
            for (n, row, progress) in &rows {
                kept::begin(transaction, run, *n, row.id)?;
                executions::insert(transaction, row, progress)?;
            }
            Ok(())
        });
        let written = written.await;
        for ((id, slot, mut place), (_, execution, entries, asked)) in places.into_iter().zip(begun) {
            if written.is_ok() {
                self.announce(&execution, None, &entries);
                self.go_on(id, &execution, asked);
                *place = Some(Live { execution, steps: 1 });
            } else {
                lock(&self.map_runs.children).remove(&id);
            }
            self.release(id, slot, place);
        }
        written
    }

    /// What the execution numbered `id` runs, `whole` being its machine's definition: of a child, the Map's processor.
    pub(super) async fn part_of(
        &self,
        id: i64,
        whole: Arc<asl::Definition>,
    ) -> Result<Arc<asl::Definition>, AwsError> {
        let child = self
            .store
            .read(move |connection| kept::of_child(connection, id))
            .await?;
        match child {
            Some((record, _)) => processor(&whole, &record).map(Arc::new),
            None => Ok(whole),
        }
    }
}

/// The children and items of a run, by how they stand.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    pending: Count,
    running: Count,
    succeeded: Count,
    failed: Count,
    timed_out: Count,
    aborted: Count,
}

impl Counts {
    fn of(connection: &rusqlite::Connection, run: i64) -> rusqlite::Result<Counts> {
        Ok(Counts {
            pending: kept::counted(connection, run, "PENDING")?,
            running: kept::counted(connection, run, "RUNNING")?,
            succeeded: kept::counted(connection, run, "SUCCEEDED")?,
            failed: kept::counted(connection, run, "FAILED")?,
            timed_out: kept::counted(connection, run, "TIMED_OUT")?,
            aborted: kept::counted(connection, run, "ABORTED")?,
        })
    }

    /// Whether more items have failed than may. Either limit is one; without both none may fail.
    fn exceed(&self, record: &kept::Record) -> bool {
        let failed = self.failed.items + self.timed_out.items + self.aborted.items;
        let all = [self.pending, self.running, self.succeeded];
        let total = failed + all.iter().map(|count| count.items).sum::<u64>();
        #[expect(clippy::cast_precision_loss, reason = "a percentage of items")]
        let share = failed as f64 * 100.0 / (total.max(1) as f64);
        match (record.tolerated_count, record.tolerated_percentage) {
            (None, None) => failed > 0,
            (count, percentage) => {
                count.is_some_and(|count| failed > count)
                    || percentage.is_some_and(|percentage| share > percentage)
            }
        }
    }
}

/// What the children of a run run.
fn processor(whole: &asl::Definition, record: &kept::Record) -> Result<asl::Definition, AwsError> {
    whole.processor(&record.run.state).ok_or_else(|| {
        AwsError::internal(
            "InternalServerError",
            format!("there is no distributed Map '{}'", record.run.state),
        )
    })
}

/// The ARN and name of a child's machine, the parent's with the Map's label.
pub(super) fn child_machine(parent: &str, label: &str) -> (String, String) {
    let name = parent.rsplit(':').next().unwrap_or_default();
    let name = name.split('/').next().unwrap_or_default();
    let name = format!("{name}/{label}");
    let arn = format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}");
    (arn, name)
}

fn child_arn(record: &kept::Record, machine: &str, name: &str) -> String {
    if record.run.express {
        format!("arn:aws:states:{REGION}:{ACCOUNT}:express:{machine}:{name}:{name}")
    } else {
        format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:{name}")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
