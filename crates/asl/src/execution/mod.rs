//! An execution in memory: what its journal adds up to, and how it goes on.
//!
//! Everything is one small cycle. [`decide`] looks at the state and says which entry comes next; [`apply`] takes an
//! entry into the state. Nothing else changes the state, so replaying the journal gives the same state, wherever it
//! ends, and the cycle goes on from there. [`Execution::handle`] adds to this what the world has to say.

mod apply;
mod branches;
mod dataset;
mod decide;
mod due;
mod failing;
mod flow;
mod happen;
mod items;
mod iterations;
mod jsonata;
mod map_runs;
mod mapping;
mod place;
mod ready;
mod redrive;
mod state;
pub mod trial;
mod work;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::definition::Definition;
use crate::interface::{Command, Happened, Identity, StartTask, Status, Step, TaskId, TokenState};
use crate::journal::{BranchId, Entry, Event};
use crate::limits::{MOST_EVENTS, MOST_HISTORY};
use crate::random::Randomness;
use crate::resource::Resource;
pub use map_runs::Selecting;
pub use place::Timer;
use ready::{Ready, Waiting};
use state::{Branch, OpenTask};

/// One execution of a state machine. It is worth keeping only while something happens to it: a waiting execution can
/// be dropped, and replayed from its journal when its timer fires or a token is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    definition: Arc<Definition>,
    identity: Identity,
    started: Timestamp,
    input: Value,
    status: Status,
    /// The machine's TimeoutSeconds.
    deadline: Option<Timestamp>,
    /// All lines of execution that are not over.
    branches: BTreeMap<BranchId, Branch>,
    /// Those that can go on by themselves, in order.
    ready: Ready,
    /// Those that wait for a time.
    waiting: Waiting,
    /// The open tasks, and where they are.
    tasks: BTreeMap<TaskId, BranchId>,
    /// The open Map Runs by ARN, and where they are.
    map_runs: BTreeMap<String, BranchId>,
    /// Every token ever given out.
    tokens: HashMap<String, TaskId>,
    last_id: u64,
    /// Of all events so far, in bytes.
    weight: usize,
    next_branch: u32,
    /// How often it was redriven, and when last.
    redrives: u32,
    redriven: Option<Timestamp>,
    /// The context object, where it is not the execution's own.
    given_context: Option<Box<Value>>,
}

/// The input of an execution is no JSON; the text says where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInput(pub serde_json::Error);

/// The journal is not one that this definition can have led to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {position} of the journal does not fit: {reason}")]
pub struct InvalidJournal {
    /// Counted from 0.
    pub position: usize,
    /// What is wrong.
    pub reason: String,
}

/// What one call gathers while it goes on.
struct Turn<'a> {
    now: Timestamp,
    random: &'a mut dyn Randomness,
    step: Step,
}

impl Execution {
    /// Begins an execution and runs it as far as it goes by itself. `input` is JSON text, as given to StartExecution.
    ///
    /// `now` is taken to the millisecond, here and everywhere.
    pub fn start(
        definition: Arc<Definition>,
        identity: Identity,
        input: &str,
        now: Timestamp,
        random: &mut dyn Randomness,
    ) -> Result<(Self, Step), InvalidInput> {
        let now = to_millisecond(now);
        let value = serde_json::from_str(input).map_err(InvalidInput)?;
        let event = Event::ExecutionStarted {
            identity: identity.clone(),
            input: input.to_owned(),
        };
        let entry = Entry {
            at: now,
            id: 1,
            prev: 0,
            branch: BranchId::ROOT,
            event,
        };
        let mut execution = Self::new(definition, identity, value, now);
        let mut turn = Turn {
            now,
            random,
            step: Step {
                entries: vec![entry],
                ..Step::default()
            },
        };
        execution.settle(&mut turn);
        execution.set_timer(None, &mut turn.step);
        Ok((execution, turn.step))
    }

    /// Rebuilds an execution from the entries of all its steps so far, under the definition it was started with.
    pub fn replay<'a>(
        definition: Arc<Definition>,
        journal: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Self, InvalidJournal> {
        let journal: Vec<&Entry> = journal.into_iter().collect();
        let (execution, _) = Self::replay_to(definition, &journal, None)?;
        Ok(execution)
    }

    /// Takes in something that happened, and goes on as far as the execution goes by itself. Timers that are due at
    /// `now` are seen to first: an answer that comes after its deadline is refused, even where the timer is late.
    pub fn handle(&mut self, happened: Happened, now: Timestamp, random: &mut dyn Randomness) -> Step {
        let timer = self.next_timer();
        let mut turn = Turn {
            now: to_millisecond(now),
            random,
            step: Step::default(),
        };
        // What a step cut short left undone, and what is due.
        self.settle(&mut turn);
        turn.step.refused = self.happen(happened, &mut turn).err();
        self.settle(&mut turn);
        self.set_timer(timer, &mut turn.step);
        turn.step
    }

    /// How it stands.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// When [`Happened::TimerFired`] is next wanted. `None` where nothing has a deadline, or it has ended.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.next_due().map(|(at, _)| at)
    }

    /// The tasks that are not over: to be started again after a crash (those with `submitted` are in other hands).
    pub fn open_tasks(&self) -> Vec<StartTask> {
        self.tasks
            .keys()
            .filter_map(|&task| Some(self.task(task)?.1.command()))
            .collect()
    }

    /// What the open tasks run that are in nobody's hands yet (not `submitted`).
    pub fn in_hand(&self) -> impl Iterator<Item = &Resource> {
        self.tasks
            .keys()
            .filter_map(|&task| Some(self.task(task)?.1))
            .filter(|task| !task.in_other_hands())
            .map(|task| &task.resource)
    }

    /// Whether `token` can still be answered. A token whose deadline is past at `now` is closed, timer or not.
    pub fn token_state(&self, token: &str, now: Timestamp) -> TokenState {
        let Some(&task) = self.tokens.get(token) else {
            return TokenState::Unknown;
        };
        let late = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        match self.task(task) {
            Some((_, task)) if !late(task.due().map(|(due, _)| due)) && !late(self.deadline) => {
                TokenState::Open
            }
            _ => TokenState::Closed,
        }
    }

    /// The definition it runs.
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// Whose execution it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When it was started.
    pub fn started_at(&self) -> Timestamp {
        self.started
    }

    /// Goes on until only the world can move it.
    fn settle(&mut self, turn: &mut Turn<'_>) {
        while self.status == Status::Running {
            let (branch, event) = if let Some(branch) = self.ready.first() {
                self.decide(branch, turn.now, turn.random)
            } else if let Some((_, due)) = self.next_due().filter(|(at, _)| *at <= turn.now) {
                self.fire(&due, turn.now, turn.random)
            } else {
                return;
            };
            self.record(branch, event, turn);
        }
    }

    /// Writes an entry, takes it into the state, and says what it asks of the caller.
    fn record(&mut self, branch: BranchId, event: Event, turn: &mut Turn<'_>) {
        if self.status != Status::Running {
            // The entry before was one too many for the history and ended it.
            return;
        }
        // The last place is kept for the end.
        let event = match self.too_much().filter(|_| event.in_history() && !event.ends()) {
            Some(cause) => Event::ExecutionFailed {
                error: Some("States.Runtime".into()),
                cause: Some(cause),
            },
            None => event,
        };
        let id = if event.in_history() { self.last_id + 1 } else { 0 };
        let prev = if id == 0 { 0 } else { self.previous(branch, &event) };
        let over: Vec<TaskId> = match &event {
            event if event.ends() => self.tasks.keys().copied().collect(),
            Event::TaskTimedOut { task, .. } => vec![*task],
            Event::StateAborted { .. } => self.open_task(branch).map(|task| task.id).into_iter().collect(),
            _ => Vec::new(),
        };
        let runs: Vec<String> = match &event {
            Event::StateAborted { .. } => self.open_map_run(branch).into_iter().collect(),
            event if event.ends() => self.map_runs.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let entry = Entry {
            at: turn.now,
            id,
            prev,
            branch,
            event,
        };
        if let Err(reason) = self.apply(&entry) {
            unreachable!("an entry that was decided does not fit: {reason}");
        }
        for task in over {
            turn.step.cancel(task);
        }
        for arn in runs {
            turn.step.cancel_map_run(arn);
        }
        match &entry.event {
            Event::MapRunStarted { run } => turn.step.commands.push(Command::StartMapRun(run.clone())),
            Event::MapRunRedriven { arn, .. } => {
                turn.step
                    .commands
                    .push(Command::RedriveMapRun { arn: arn.clone() });
            }
            _ => {}
        }
        if let Event::TaskScheduled { .. } = entry.event {
            turn.step.commands.extend(
                self.open_task(branch)
                    .map(|task| Command::StartTask(task.command())),
            );
        }
        if self.status != Status::Running {
            turn.step.commands.push(Command::Finish);
        }
        turn.step.entries.push(entry);
    }

    /// Why the history takes nothing but its end any more.
    fn too_much(&self) -> Option<String> {
        if self.last_id + 1 >= MOST_EVENTS {
            Some(format!(
                "The execution reached the maximum number of history events ({MOST_EVENTS})."
            ))
        } else if self.weight > MOST_HISTORY {
            Some(format!(
                "The execution reached the maximum size of its history ({MOST_HISTORY} bytes)."
            ))
        } else {
            None
        }
    }

    fn set_timer(&self, before: Option<Timestamp>, step: &mut Step) {
        if let Some(at) = self.next_timer().filter(|at| Some(*at) != before) {
            step.commands.push(Command::SetTimer { at });
        }
    }

    fn open_task(&self, branch: BranchId) -> Option<&OpenTask> {
        self.branches.get(&branch)?.visit()?.task()
    }

    fn open_map_run(&self, branch: BranchId) -> Option<String> {
        Some(self.branches.get(&branch)?.visit()?.map_run()?.arn.clone())
    }

    fn task(&self, task: TaskId) -> Option<(BranchId, &OpenTask)> {
        let branch = *self.tasks.get(&task)?;
        Some((branch, self.open_task(branch)?))
    }
}

fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// `at`, so many seconds later; the end of time at most.
fn later(at: Timestamp, seconds: u64) -> Timestamp {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| at.checked_add(seconds.seconds()).ok())
        .unwrap_or(Timestamp::MAX)
}
