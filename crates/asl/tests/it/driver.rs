//! The smallest caller there can be: it keeps the journal, answers tasks from a script, and moves a clock.

use std::collections::VecDeque;
use std::sync::Arc;

use asl::{
    Command, Definition, Entry, Execution, Happened, Identity, MapRun, Randomness, StartTask, Status, Step,
    TaskId,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Bytes that never repeat and can be continued: the state is one number.
#[derive(Clone, Debug)]
pub(crate) struct Counter(pub(crate) u64);

impl Randomness for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self
                .0
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            let mixed = self.0 ^ (self.0 >> 29);
            chunk.copy_from_slice(&mixed.to_be_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) struct Driver {
    pub(crate) definition: Arc<Definition>,
    pub(crate) execution: Execution,
    pub(crate) journal: Vec<Entry>,
    pub(crate) now: Timestamp,
    pub(crate) random: Counter,
    /// Tasks asked for and not cancelled.
    pub(crate) tasks: VecDeque<StartTask>,
    pub(crate) cancelled: Vec<TaskId>,
    /// Map Runs asked for and not cancelled.
    pub(crate) map_runs: Vec<MapRun>,
    /// The ARNs of those that were to be redriven.
    pub(crate) redriven: Vec<String>,
    pub(crate) timer: Option<Timestamp>,
    pub(crate) finished: bool,
}

pub(crate) fn identity() -> Identity {
    Identity {
        execution_arn: "arn:aws:states:us-east-1:111111111111:execution:machine:one".into(),
        execution_name: "one".into(),
        role_arn: "arn:aws:iam::111111111111:role/snf_role_arn".into(),
        state_machine_arn: "arn:aws:states:us-east-1:111111111111:stateMachine:machine".into(),
        state_machine_name: "machine".into(),
    }
}

pub(crate) fn begin() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

impl Driver {
    pub(crate) fn start(definition: &Value, input: &str) -> Self {
        Self::begin(
            Arc::new(Definition::parse(&definition.to_string()).unwrap()),
            input,
        )
    }

    pub(crate) fn begin(definition: Arc<Definition>, input: &str) -> Self {
        let mut random = Counter(1);
        let (execution, step) =
            Execution::start(definition.clone(), identity(), input, begin(), &mut random).unwrap();
        let mut driver = Self {
            definition,
            execution,
            journal: Vec::new(),
            now: begin(),
            random,
            tasks: VecDeque::new(),
            cancelled: Vec::new(),
            map_runs: Vec::new(),
            redriven: Vec::new(),
            timer: None,
            finished: false,
        };
        driver.carry_out(step);
        driver
    }

    pub(crate) fn tell(&mut self, happened: Happened) -> Option<asl::Refused> {
        let step = self.execution.handle(happened, self.now, &mut self.random);
        let refused = step.refused;
        self.carry_out(step);
        refused
    }

    fn carry_out(&mut self, step: Step) {
        assert!(
            !self.finished || step.entries.is_empty(),
            "nothing follows the end"
        );
        self.journal.extend(step.entries);
        for command in step.commands {
            match command {
                Command::StartTask(task) => self.tasks.push_back(task),
                Command::CancelTask { task } => {
                    self.tasks.retain(|open| open.task != task);
                    self.cancelled.push(task);
                }
                Command::StartMapRun(run) => self.map_runs.push(*run),
                Command::RedriveMapRun { arn } => self.redriven.push(arn),
                Command::CancelMapRun { arn } => self.map_runs.retain(|run| run.arn != arn),
                Command::SetTimer { at } => self.timer = Some(at),
                Command::Finish => self.finished = true,
            }
        }
        assert_eq!(self.finished, *self.execution.status() != Status::Running);
        if let Some(at) = self.execution.next_timer() {
            assert_eq!(
                self.timer,
                Some(at),
                "the timer that was set is the one that is wanted"
            );
        }
    }

    /// Takes it up again.
    pub(crate) fn redrive(&mut self) {
        let definition = self.definition.clone();
        let redriven = Execution::redrive(definition, &self.journal, self.now, &mut self.random);
        let (execution, step) = redriven.unwrap().unwrap();
        self.execution = execution;
        self.finished = false;
        self.timer = None;
        self.carry_out(step);
        let replayed = Execution::replay(self.definition.clone(), &self.journal).unwrap();
        assert_eq!(replayed, self.execution);
    }

    /// Moves the clock, firing the timers on the way.
    pub(crate) fn pass(&mut self, seconds: i64) {
        let end = self.now + SignedDuration::from_secs(seconds);
        while let Some(at) = self.execution.next_timer().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.tell(Happened::TimerFired);
        }
        self.now = end;
    }

    /// Fires timers until none is left or a task waits.
    pub(crate) fn run(&mut self) {
        while let Some(at) = self.execution.next_timer().filter(|_| self.tasks.is_empty()) {
            self.now = self.now.max(at);
            self.tell(Happened::TimerFired);
        }
    }

    pub(crate) fn task(&mut self) -> StartTask {
        self.tasks.pop_front().expect("a task to run")
    }

    /// Runs the next task, with this for a result.
    pub(crate) fn succeed(&mut self, output: Value) {
        let task = self.task().task;
        assert_eq!(self.tell(Happened::TaskSucceeded { task, output }), None);
    }

    /// Runs the next task, with this for an error.
    pub(crate) fn fail(&mut self, error: &str) {
        let task = self.task().task;
        let (error, cause) = (Some(error.to_owned()), Some("the cause".to_owned()));
        assert_eq!(self.tell(Happened::TaskFailed { task, error, cause }), None);
    }

    pub(crate) fn history(&self) -> Vec<Value> {
        asl::history(&self.journal, true).collect()
    }

    /// The events' types, with the state's name where there is one.
    pub(crate) fn events(&self) -> Vec<String> {
        self.history()
            .iter()
            .map(|event| {
                let kind = event["type"].as_str().unwrap();
                let name = event
                    .as_object()
                    .unwrap()
                    .values()
                    .find_map(|details| details.get("name")?.as_str());
                name.map_or(kind.to_owned(), |name| format!("{kind} {name}"))
            })
            .collect()
    }

    pub(crate) fn output(&self) -> &Value {
        match self.execution.status() {
            Status::Succeeded { output } => output,
            other => panic!("not succeeded: {other:?}"),
        }
    }

    /// Error and cause, empty where left out.
    pub(crate) fn failure(&self) -> (String, String) {
        match self.execution.status() {
            Status::Failed { error, cause } => (
                error.clone().unwrap_or_default(),
                cause.clone().unwrap_or_default(),
            ),
            other => panic!("not failed: {other:?}"),
        }
    }

    /// Drops the execution and rebuilds it from its journal as it would be read from disk.
    pub(crate) fn restart(&mut self) {
        let text: Vec<String> = self
            .journal
            .iter()
            .map(|entry| serde_json::to_string(entry).unwrap())
            .collect();
        let journal: Vec<Entry> = text
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(journal, self.journal);
        let execution = Execution::replay(self.definition.clone(), &journal).unwrap();
        assert_eq!(execution, self.execution);
        self.execution = execution;
    }
}
