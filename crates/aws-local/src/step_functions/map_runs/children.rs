//! The children of Map Runs: executions that begin, and after a redrive of the run begin again, by the batch.

use std::sync::Arc;

use asl::{Command, Definition, Entry, Execution, Happened, Identity};
use tokio::sync::Notify;

use super::super::engine::{Engine, Live, Slot};
use super::super::progress::progress;
use super::super::store::executions::{self, Progress, Record as Child};
use super::super::store::machines;
use super::super::store::map_redrives;
use super::super::store::map_runs::{self as kept, Record};
use super::lock;
use crate::error::AwsError;
use crate::{ACCOUNT, REGION};

/// What the children of a run have in common.
struct Kin {
    definition: Arc<Definition>,
    revision: i64,
    role: String,
    machine: String,
    machine_name: String,
}

/// A child whose first step, or first step since a redrive, is still to be written down.
struct Begun {
    id: i64,
    execution: Execution,
    /// With the step that is to be written.
    steps: i64,
    entries: Vec<Entry>,
    asked: Vec<Command>,
}

/// What is to be written of a child.
enum Row {
    /// It is new: its number among the items, and its row.
    New(i64, Box<Child>, Progress),
    /// It begins from the beginning, under its old ARN.
    Anew(Progress),
    /// It goes on from where it failed.
    Redriven(Progress),
}

impl Engine {
    /// Stops the children that run.
    pub(super) async fn give_up_children(self: &Arc<Self>, run: i64) -> Result<(), AwsError> {
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
    pub(super) async fn begin_children(
        self: &Arc<Self>,
        record: &Record,
        most: usize,
        driver: &Arc<Notify>,
    ) -> Result<(), AwsError> {
        let run = record.id;
        let pending = self
            .store
            .read(move |connection| kept::pending(connection, run, -1, most))
            .await?;
        let kin = self.kin(record).await?;
        let now = self.source.now();
        let mut begun = Vec::with_capacity(pending.len());
        let mut rows = Vec::with_capacity(pending.len());
        for child in pending {
            let name = self.source.uuid();
            let row = Child {
                id: self.next_id(),
                arn: child_arn(record, &kin.machine_name, &name),
                machine: kin.machine.clone(),
                name,
                revision: kin.revision,
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
            let (child_begun, progress) = self.begin_child(&kin, &row)?;
            begun.push(child_begun);
            rows.push(Row::New(child.n, Box::new(row), progress));
        }
        let mut places = Vec::with_capacity(begun.len());
        for child in &begun {
            places.push(self.slot(child.id));
        }
        self.let_children_go_on(record, driver, begun, rows, &places)
            .await
    }

    /// Lets children begin again that didn't succeed: EXPRESS ones from the beginning, others from where they failed.
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html>
    pub(super) async fn redrive_children(
        self: &Arc<Self>,
        record: &Record,
        most: usize,
        driver: &Arc<Notify>,
    ) -> Result<(), AwsError> {
        let run = record.id;
        let waiting = self
            .store
            .read(move |connection| map_redrives::waiting(connection, run, most))
            .await?;
        let kin = self.kin(record).await?;
        let mut begun = Vec::with_capacity(waiting.len());
        let mut rows = Vec::with_capacity(waiting.len());
        let mut places = Vec::with_capacity(waiting.len());
        for child in waiting {
            let (child_begun, row) = if record.run.express {
                let (child_begun, progress) = self.begin_child(&kin, &child)?;
                (child_begun, Row::Anew(progress))
            } else {
                let (child_begun, progress) = self.redrive_child(&kin, child.id).await?;
                (child_begun, Row::Redriven(progress))
            };
            places.push(self.slot(child.id));
            begun.push(child_begun);
            rows.push(row);
        }
        self.let_children_go_on(record, driver, begun, rows, &places)
            .await
    }

    async fn kin(&self, record: &Record) -> Result<Kin, AwsError> {
        let parent = record.execution;
        let found = self.store.read(move |connection| {
            let parent = executions::by_id(connection, parent)?;
            let role = machines::revision(connection, parent.revision)?.role;
            Ok((parent, role))
        });
        let (parent, role) = found.await?;
        let whole = self.definition(parent.revision).await?;
        let (machine, machine_name) = child_machine(&parent.machine, &record.run.label);
        Ok(Kin {
            definition: Arc::new(processor(&whole, record)?),
            revision: parent.revision,
            role,
            machine,
            machine_name,
        })
    }

    fn begin_child(&self, kin: &Kin, row: &Child) -> Result<(Begun, Progress), AwsError> {
        let identity = Identity {
            execution_arn: row.arn.clone(),
            execution_name: row.name.clone(),
            role_arn: kin.role.clone(),
            state_machine_arn: kin.machine.clone(),
            state_machine_name: kin.machine_name.clone(),
        };
        let now = self.source.now();
        let definition = Arc::clone(&kin.definition);
        let started = Execution::start(definition, identity, &row.input, now, &mut self.random());
        let (mut execution, mut step) =
            started.map_err(|error| AwsError::internal("InternalServerError", error))?;
        let asked = self.tell_started(&mut execution, &mut step, now);
        let progress = progress(row.id, &execution, &step, 0, now)?;
        let begun = Begun {
            id: row.id,
            execution,
            steps: 1,
            entries: step.entries,
            asked,
        };
        Ok((begun, progress))
    }

    async fn redrive_child(&self, kin: &Kin, id: i64) -> Result<(Begun, Progress), AwsError> {
        let (journal, steps) = self
            .store
            .read(move |connection| executions::journal(connection, id))
            .await?;
        let now = self.source.now();
        let definition = Arc::clone(&kin.definition);
        let redriven = Execution::redrive(definition, &journal, now, &mut self.random())
            .map_err(|error| AwsError::internal("InternalServerError", error))?;
        let (mut execution, mut step) =
            redriven.map_err(|refused| AwsError::internal("InternalServerError", refused))?;
        let asked = self.tell_started(&mut execution, &mut step, now);
        let progress = progress(id, &execution, &step, steps, now)?;
        let begun = Begun {
            id,
            execution,
            steps: steps + 1,
            entries: step.entries,
            asked,
        };
        Ok((begun, progress))
    }

    /// Writes down, in one transaction, that children have begun, and lets them go on. `places` are theirs.
    async fn let_children_go_on(
        self: &Arc<Self>,
        record: &Record,
        driver: &Arc<Notify>,
        begun: Vec<Begun>,
        rows: Vec<Row>,
        places: &[Slot],
    ) -> Result<(), AwsError> {
        let mut held = Vec::with_capacity(places.len());
        for (child, slot) in begun.iter().zip(places) {
            held.push((slot, slot.lock().await));
            lock(&self.map_runs.children).insert(child.id, Arc::clone(driver));
        }
        let (run, now) = (record.id, self.source.now());
        let written = self.store.write(move |transaction| {
            for row in &rows {
                match row {
                    Row::New(n, row, progress) => {
                        kept::begin(transaction, run, *n, row.id)?;
                        executions::insert(transaction, row, progress)?;
                    }
                    Row::Anew(progress) => {
                        map_redrives::begin_child(transaction, run, progress.execution)?;
                        executions::begin_anew(transaction, progress, now)?;
                    }
                    Row::Redriven(progress) => {
                        map_redrives::begin_child(transaction, run, progress.execution)?;
                        executions::append(transaction, progress)?;
                    }
                }
            }
            Ok(())
        });
        let written = written.await;
        for (child, (slot, mut place)) in begun.into_iter().zip(held) {
            let Begun {
                id,
                execution,
                steps,
                entries,
                asked,
            } = child;
            if written.is_ok() {
                self.announce(&execution, None, &entries);
                self.go_on(id, &execution, asked);
                *place = Some(Live { execution, steps });
            } else {
                lock(&self.map_runs.children).remove(&id);
            }
            self.release(id, slot, place);
        }
        written
    }

    /// What the execution numbered `id` runs, `whole` being its machine's definition: of a child, the Map's processor.
    pub(in crate::step_functions) async fn part_of(
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

/// What the children of a run run.
fn processor(whole: &asl::Definition, record: &Record) -> Result<asl::Definition, AwsError> {
    whole.processor(&record.run.state).ok_or_else(|| {
        AwsError::internal(
            "InternalServerError",
            format!("there is no distributed Map '{}'", record.run.state),
        )
    })
}

/// The ARN and name of a child's machine, the parent's with the Map's label.
pub(in crate::step_functions) fn child_machine(parent: &str, label: &str) -> (String, String) {
    let name = parent.rsplit(':').next().unwrap_or_default();
    let name = name.split('/').next().unwrap_or_default();
    let name = format!("{name}/{label}");
    let arn = format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}");
    (arn, name)
}

fn child_arn(record: &Record, machine: &str, name: &str) -> String {
    if record.run.express {
        format!("arn:aws:states:{REGION}:{ACCOUNT}:express:{machine}:{name}:{name}")
    } else {
        format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:{name}")
    }
}
