//! Taking in what happened in the world.

use serde_json::Value;

use super::state::OpenTask;
use super::{Execution, Turn};
use crate::interface::{Happened, Refused, Status, TaskId};
use crate::journal::{BranchId, Event, Failure};
use crate::limits;

impl Execution {
    /// The entry for what happened, if it is taken in.
    pub(super) fn happen(&mut self, happened: Happened, turn: &mut Turn<'_>) -> Result<(), Refused> {
        match happened {
            // What is due has been seen to already.
            Happened::TimerFired => Ok(()),
            Happened::Stopped { error, cause } => {
                if self.status != Status::Running {
                    return Err(Refused::Ended);
                }
                self.record(BranchId::ROOT, Event::ExecutionAborted { error, cause }, turn);
                Ok(())
            }
            Happened::TaskStarted { task } => {
                self.find(task)?;
                self.started(task, turn);
                Ok(())
            }
            Happened::ActivityTaken { task, worker } => {
                let (branch, open) = self.find(task)?;
                if !open.resource.is_activity() || open.started {
                    return Err(Refused::WrongKind);
                }
                let event = Event::TaskStarted {
                    task,
                    resource: open.resource.clone(),
                    worker,
                };
                self.record(branch, event, turn);
                Ok(())
            }
            Happened::TaskSubmitted { task, output } => {
                let (branch, open) = self.find(task)?;
                if (open.token.is_none() && !open.resource.is_job()) || open.resource.is_activity() {
                    return Err(Refused::WrongKind);
                }
                // Said twice after a crash, it shows once.
                if !open.submitted {
                    let event = Event::TaskSubmitted {
                        task,
                        resource: open.resource.clone(),
                        output,
                    };
                    self.started(task, turn);
                    self.record(branch, event, turn);
                }
                Ok(())
            }
            Happened::TaskSucceeded { task, output } => {
                if self.find(task)?.1.token.is_some() {
                    return Err(Refused::WrongKind);
                }
                self.succeeded(task, output, turn)
            }
            Happened::TaskFailed { task, error, cause } => self.task_failed(task, error, cause, true, turn),
            Happened::TaskTimedOut { task, cause } => {
                let (branch, open) = self.find(task)?;
                let event = super::due::timed_out(task, open.resource.clone(), cause, false);
                self.started(task, turn);
                self.record(branch, event, turn);
                Ok(())
            }
            Happened::MapRunSucceeded { arn, output } => self.map_run_over(&arn, Ok(output), turn),
            Happened::MapRunFailed { arn, failure } => self.map_run_over(&arn, Err(failure), turn),
            Happened::TokenSucceeded { token, output } => {
                self.succeeded(self.find_token(&token)?, output, turn)
            }
            Happened::TokenFailed { token, error, cause } => {
                self.task_failed(self.find_token(&token)?, error, cause, false, turn)
            }
            Happened::TokenHeartbeat { token } => {
                let task = self.find_token(&token)?;
                let (branch, open) = self.find(task)?;
                // Without HeartbeatSeconds a heartbeat changes nothing, and is not kept.
                if open.heartbeat.is_some() {
                    self.record(branch, Event::TaskHeartbeat { task }, turn);
                }
                Ok(())
            }
        }
    }

    fn find(&self, task: TaskId) -> Result<(BranchId, &OpenTask), Refused> {
        match self.task(task) {
            Some(found) => Ok(found),
            None if self.status != Status::Running => Err(Refused::Ended),
            None if (1..=self.last_id).contains(&task.0) => Err(Refused::Closed),
            None => Err(Refused::Unknown),
        }
    }

    /// A token is known for ever: of an ended execution it is closed, not unknown.
    fn find_token(&self, token: &str) -> Result<TaskId, Refused> {
        let task = *self.tokens.get(token).ok_or(Refused::Unknown)?;
        if self.tasks.contains_key(&task) {
            Ok(task)
        } else {
            Err(Refused::Closed)
        }
    }

    fn started(&mut self, task: TaskId, turn: &mut Turn<'_>) {
        if let Some((branch, open)) = self.task(task)
            && !open.started
        {
            let event = Event::TaskStarted {
                task,
                resource: open.resource.clone(),
                worker: None,
            };
            self.record(branch, event, turn);
        }
    }

    fn succeeded(&mut self, task: TaskId, output: Value, turn: &mut Turn<'_>) -> Result<(), Refused> {
        let (branch, open) = self.find(task)?;
        let resource = open.resource.clone();
        let name = self
            .branches
            .get(&branch)
            .and_then(|branch| branch.visit())
            .map_or("", |visit| visit.state.as_str());
        let event = match limits::pass(output, name) {
            Ok(output) => Event::TaskSucceeded {
                task,
                resource,
                output,
            },
            Err(failure) => Event::TaskFailed {
                task,
                resource,
                failure,
                unsubmitted: false,
            },
        };
        if let Event::TaskSucceeded { output, .. } = &event {
            turn.random.watch("result", output);
        }
        self.started(task, turn);
        self.record(branch, event, turn);
        Ok(())
    }

    fn task_failed(
        &mut self,
        task: TaskId,
        error: Option<String>,
        cause: Option<String>,
        told_by_runner: bool,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let (branch, open) = self.find(task)?;
        let failure = Failure {
            error,
            cause,
            also: None,
        };
        let event = Event::TaskFailed {
            task,
            resource: open.resource.clone(),
            failure,
            unsubmitted: told_by_runner && open.resource.fails_to_submit() && !open.submitted,
        };
        self.started(task, turn);
        self.record(branch, event, turn);
        Ok(())
    }
}
