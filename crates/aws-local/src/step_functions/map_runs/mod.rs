//! Map Runs: the items of a distributed Map, each of them (or each batch) run by a child execution.
//!
//! What is to be done stands in the file at any moment ([`super::store::map_runs`]): the items once they are read,
//! which children have begun and how they ended, each written in one transaction with the step of the execution
//! that it belongs to. So whoever drives a run only looks at the file and does what comes next, and a run that was
//! cut off anywhere goes on, without an item lost or run twice. What the children are, and how they begin and begin
//! again, is in [`children`].

pub(super) mod api;
mod children;
mod formats;
mod objects;
mod read;
mod results;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use asl::{Entry, Event, Execution, Failure, Happened};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::engine::{AGAIN, Engine};
use super::store::map_redrives;
use super::store::map_runs::{self as kept, Change, Count};
use crate::error::AwsError;
pub(super) use children::child_machine;

/// As many children run at once where the definition leaves it open: AWS's own limit.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html>
const MOST_AT_ONCE: u64 = 10_000;

/// The most children that begin in one transaction.
const TOGETHER: usize = 64;

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
            Event::MapRunRedriven { arn, count } => changes.push(Change::Redriven {
                arn: arn.clone(),
                count: *count,
                at: *at,
            }),
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
            // It may have been redriven while we were at its last children.
            engine.drive_if_running(key).await;
        });
    }

    /// Drives a run that goes on; nothing else may be sure to.
    async fn drive_if_running(self: &Arc<Self>, (execution, arn): (i64, String)) {
        let wanted = arn.clone();
        let goes_on = async || {
            let wanted = wanted.clone();
            let found = self.store.read(move |connection| kept::find(connection, &wanted));
            Ok::<bool, AwsError>(found.await?.is_some_and(|record| record.status == "RUNNING"))
        };
        loop {
            match goes_on().await {
                Ok(true) => return self.drive(execution, arn),
                Ok(false) => return,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
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
        if record.stage == "REDRIVING" {
            if over {
                let (run, now) = (record.id, self.source.now());
                self.store
                    .write(move |transaction| map_redrives::choose(transaction, run, now))
                    .await?;
            } else {
                // What is left of the time before.
                self.give_up_children(record.id).await?;
            }
            return Ok(Next::Look);
        }
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
        let pending = counts.pending.executions + counts.pending_redrive.executions;
        if over && pending == 0 {
            let result = self.write_results(&record).await?;
            self.tell(&record, result).await?;
            return Ok(Next::Look);
        }
        let most = match record.concurrency {
            0 => MOST_AT_ONCE,
            most => most.min(MOST_AT_ONCE),
        };
        let free = most.saturating_sub(counts.running.executions);
        if free == 0 || pending == 0 {
            return Ok(Next::Wait);
        }
        let most = usize::try_from(free).unwrap_or(usize::MAX).min(TOGETHER);
        if counts.pending_redrive.executions > 0 {
            self.redrive_children(&record, most, driver).await?;
        } else {
            self.begin_children(&record, most, driver).await?;
        }
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
    /// Unsuccessful before, and not begun again yet.
    pending_redrive: Count,
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
            pending_redrive: kept::counted(connection, run, "PENDING_REDRIVE")?,
        })
    }

    /// Whether more items have failed than may. Either limit is one; without both none may fail.
    fn exceed(&self, record: &kept::Record) -> bool {
        let failed = self.failed.items + self.timed_out.items + self.aborted.items;
        let all = [self.pending, self.running, self.succeeded, self.pending_redrive];
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
