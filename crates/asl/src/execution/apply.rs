//! Taking an entry into the state: the one place where the state changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::ready::{Ready, Waiting};
use super::state::{At, Branch, OpenTask, Phase, Visit};
use super::{Execution, later};
use crate::definition::Definition;
use crate::interface::{Identity, Status, TaskId};
use crate::journal::{BranchId, Entry, Event};
use crate::variables::Variables;

impl Execution {
    /// What ExecutionStarted adds up to.
    pub(super) fn new(definition: Arc<Definition>, identity: Identity, input: Value, now: Timestamp) -> Self {
        let start_at = definition
            .machine(definition.root())
            .map(|machine| machine.start_at.clone())
            .unwrap_or_default();
        let root = Branch {
            parent: None,
            iteration: None,
            machine: definition.root(),
            at: At::Arriving {
                state: start_at,
                input: input.clone(),
            },
            // AWS shows the first state's event without a predecessor.
            prev: 0,
            variables: Variables::default(),
        };
        let mut ready = Ready::default();
        ready.push(BranchId::ROOT);
        Self {
            identity,
            started: now,
            input,
            status: Status::Running,
            deadline: definition.timeout_seconds().map(|seconds| later(now, seconds)),
            branches: BTreeMap::from([(BranchId::ROOT, root)]),
            ready,
            waiting: Waiting::default(),
            tasks: BTreeMap::new(),
            tokens: HashMap::new(),
            map_runs: BTreeMap::new(),
            last_id: 1,
            weight: 0,
            next_branch: 1,
            redrives: 0,
            redriven: None,
            given_context: None,
            definition,
        }
    }

    /// Takes `entry` in, or says why it does not fit; then the state is not to be used further.
    pub(super) fn apply(&mut self, entry: &Entry) -> Result<(), String> {
        if self.status != Status::Running {
            return Err("the execution has ended".into());
        }
        if entry.id != 0 {
            if entry.id != self.last_id + 1 {
                return Err(format!("its id is not {}", self.last_id + 1));
            }
            self.last_id = entry.id;
        }
        self.weight += entry.event.weight();
        match &entry.event {
            Event::ExecutionStarted { .. } => return Err("the execution has started before".into()),
            Event::ExecutionRedriven { .. } => return Err("the execution hasn't ended".into()),
            Event::ExecutionSucceeded { output } => self.end(Status::Succeeded {
                output: output.clone(),
            }),
            Event::ExecutionFailed { error, cause } => {
                self.end(Status::Failed {
                    error: error.clone(),
                    cause: cause.clone(),
                });
            }
            Event::ExecutionTimedOut => self.end(Status::TimedOut),
            Event::ExecutionAborted { error, cause } => {
                self.end(Status::Aborted {
                    error: error.clone(),
                    cause: cause.clone(),
                });
            }
            event => self.apply_to_branch(entry, event)?,
        }
        Ok(())
    }

    fn end(&mut self, status: Status) {
        self.status = status;
        self.deadline = None;
        self.branches.clear();
        self.ready.clear();
        self.waiting.clear();
        self.tasks.clear();
        self.map_runs.clear();
    }

    fn apply_to_branch(&mut self, entry: &Entry, event: &Event) -> Result<(), String> {
        let id = entry.branch;
        let branch = self.branches.get_mut(&id).ok_or("there is no such branch")?;
        if entry.id != 0 {
            // AWS shows the exit from a Parallel as a successor of what its success is a successor of.
            match event {
                // AWS shows the exit from such a state as a successor of what its success is a successor of.
                Event::ParallelSucceeded => branch.prev = entry.prev,
                Event::MapSucceeded => branch.prev = branch.before_exit(entry),
                // On these nothing follows; on the first of them only the iteration's own line.
                Event::MapIterationStarted { .. }
                | Event::StateAborted { .. }
                | Event::MapIterationFailed { .. } => {}
                _ => branch.prev = entry.id,
            }
        }
        let parent = branch.parent;
        match event {
            Event::StateEntered { kind, name, input } => {
                branch.at = At::In(Box::new(Visit {
                    state: name.clone(),
                    kind: *kind,
                    entered_id: entry.id,
                    before: entry.prev,
                    given_up: false,
                    entered: entry.at,
                    input: input.clone(),
                    variables: branch.variables.clone(),
                    retries: Vec::new(),
                    phase: Phase::Begin,
                }));
            }
            Event::StateExited {
                output,
                assigned,
                next,
                ..
            } => {
                branch.variables.assign(assigned);
                let output = output.clone();
                branch.at = match next {
                    Some(next) => At::Arriving {
                        state: next.clone(),
                        input: output,
                    },
                    None => At::Done { output },
                };
            }
            Event::StateAborted { .. } => {
                let task = branch.visit().and_then(Visit::task).map(|task| task.id);
                let run = branch.visit().and_then(Visit::map_run).map(|run| run.arn.clone());
                let below = branch
                    .visit()
                    .map(|visit| visit.phase.children())
                    .unwrap_or_default();
                branch.at = At::Aborted;
                task.map(|task| self.tasks.remove(&task));
                run.map(|run| self.map_runs.remove(&run));
                self.forget(&below);
            }
            Event::EvaluationFailed {
                location, failure, ..
            } => branch
                .visit_mut()?
                .evaluation_failed(location.as_deref(), failure, entry.id),
            Event::StateFailed { failure } => {
                branch.visit_mut()?.phase = Phase::Failed(failure.clone());
            }
            Event::BranchFailed { failure } => self.fail_branch(id, failure)?,
            Event::WaitBegun { until } => branch.visit_mut()?.phase = Phase::Waiting { until: *until },
            Event::RetryScheduled { rule, until } => {
                let visit = branch.visit_mut()?;
                // The number of rules is bounded by the definition; a journal that says otherwise is not ours.
                if *rule > 10_000 {
                    return Err("there is no such Retry rule".into());
                }
                if visit.retries.len() <= *rule {
                    visit.retries.resize(rule + 1, 0);
                }
                visit.retries[*rule] = visit.retries[*rule].saturating_add(1);
                visit.phase = Phase::BackingOff { until: *until };
            }
            Event::RetryBegun => branch.visit_mut()?.phase = Phase::Begin,
            Event::ParallelStarted { input } => self.branch_out(id, input)?,
            Event::ParallelSucceeded => self.join(id)?,
            Event::MapStarted { .. }
            | Event::MapIterationStarted { .. }
            | Event::MapIterationSucceeded { .. }
            | Event::MapIterationFailed { .. }
            | Event::MapIterationAborted { .. }
            | Event::MapItemFailed { .. }
            | Event::MapRunStarted { .. }
            | Event::MapRunRedriven { .. }
            | Event::MapRunSucceeded { .. }
            | Event::MapRunFailed { .. }
            | Event::MapSucceeded
            | Event::MapFailed => self.apply_to_map(entry, event)?,
            Event::ParallelFailed => {
                let children = self.children(id)?;
                let visit = self
                    .branches
                    .get_mut(&id)
                    .ok_or("there is no such branch")?
                    .visit_mut()?;
                let Phase::Branching {
                    failed: Some(failed), ..
                } = &visit.phase
                else {
                    return Err("no branch has failed".into());
                };
                visit.phase = Phase::Failed(failed.failure.clone());
                self.forget(&children);
            }
            event => self.apply_to_task(entry, event)?,
        }
        let urgent = matches!(event, Event::BranchFailed { .. });
        self.refresh(id, false);
        if let Some(parent) = parent {
            // A failure is dealt with before siblings begin what would be given up at once.
            self.refresh(parent, urgent);
        }
        Ok(())
    }

    fn apply_to_task(&mut self, entry: &Entry, event: &Event) -> Result<(), String> {
        let branch = self
            .branches
            .get_mut(&entry.branch)
            .ok_or("there is no such branch")?;
        let visit = branch.visit_mut()?;
        match event {
            Event::TaskScheduled {
                resource,
                arguments,
                timeout,
                heartbeat,
                token,
                ..
            } => {
                let id = TaskId(entry.id);
                visit.phase = Phase::Running(OpenTask {
                    id,
                    resource: resource.clone(),
                    arguments: arguments.clone(),
                    token: token.clone(),
                    started: false,
                    submitted: false,
                    deadline: timeout.map(|seconds| later(entry.at, seconds)),
                    heartbeat: heartbeat.map(|seconds| (seconds, later(entry.at, seconds))),
                });
                self.tasks.insert(id, entry.branch);
                self.tokens.extend(token.clone().map(|token| (token, id)));
                return Ok(());
            }
            Event::TaskSucceeded { task, output, .. } => {
                visit.close(*task)?;
                visit.phase = Phase::Result(output.clone());
                self.tasks.remove(task);
                return Ok(());
            }
            Event::TaskFailed { task, failure, .. } | Event::TaskTimedOut { task, failure, .. } => {
                visit.close(*task)?;
                visit.phase = Phase::Failed(failure.clone());
                self.tasks.remove(task);
                return Ok(());
            }
            _ => {}
        }
        let Phase::Running(open) = &mut visit.phase else {
            return Err("no task is open".into());
        };
        match event {
            Event::TaskStarted { .. } => {
                open.started = true;
                open.beat(entry.at);
            }
            Event::TaskSubmitted { .. } => open.submitted = true,
            Event::TaskHeartbeat { .. } => open.beat(entry.at),
            _ => return Err("it is no event of a task".into()),
        }
        Ok(())
    }
}

impl Visit {
    fn close(&self, task: TaskId) -> Result<(), String> {
        if self.task().is_some_and(|open| open.id == task) {
            Ok(())
        } else {
            Err("the task is not open".into())
        }
    }
}

impl OpenTask {
    /// Begins its HeartbeatSeconds anew.
    fn beat(&mut self, now: Timestamp) {
        if let Some((seconds, due)) = &mut self.heartbeat {
            *due = later(now, *seconds);
        }
    }
}
