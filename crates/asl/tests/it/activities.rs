//! Activities and redrives, as the interpreter sees them.

use std::sync::Arc;

use asl::{Definition, Execution, Happened, Randomness, Refused, Status};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::driver::{Counter, Driver, begin, identity};
use crate::machines::{INPUT, kind, machine};

const ARN: &str = "arn:aws:states:us-east-1:111111111111:activity:a";

fn one_task(more: &Value) -> Value {
    let mut task = json!({"Type": "Task", "Resource": ARN, "End": true});
    for (name, value) in more.as_object().unwrap() {
        task[name] = value.clone();
    }
    json!({"StartAt": "T", "States": {"T": task}})
}

#[test]
fn a_task_is_taken_once_and_then_answered() {
    let mut driver = Driver::start(&one_task(&json!({})), "{}");
    let task = driver.task();
    let (id, token) = (task.task, task.token.unwrap());
    let taken = |worker: &str| Happened::ActivityTaken {
        task: id,
        worker: Some(worker.into()),
    };
    assert_eq!(driver.tell(taken("one")), None);
    assert_eq!(driver.tell(taken("two")), Some(Refused::WrongKind));
    driver.restart();
    assert!(driver.execution.open_tasks()[0].submitted);
    assert_eq!(
        driver.tell(Happened::TokenSucceeded {
            token,
            output: json!(1)
        }),
        None
    );
    assert_eq!(driver.output(), &json!(1));
    let started = &driver.history()[3];
    assert_eq!(
        started["activityStartedEventDetails"],
        json!({"workerName": "one"})
    );
}

#[test]
fn heartbeats_wait_for_a_worker() {
    let mut driver = Driver::start(
        &one_task(&json!({"HeartbeatSeconds": 5, "TimeoutSeconds": 60})),
        "{}",
    );
    let task = driver.task().task;
    driver.pass(50);
    assert_eq!(driver.execution.status(), &Status::Running);
    driver.tell(Happened::ActivityTaken { task, worker: None });
    driver.pass(5);
    assert_eq!(driver.failure().0, "States.Timeout");
}

struct Nowhere(Counter);

impl Randomness for Nowhere {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn activity_exists(&self, _: &str) -> bool {
        false
    }
}

#[test]
fn an_activity_that_is_not_there_fails_its_task() {
    let definition = Arc::new(Definition::parse(&one_task(&json!({})).to_string()).unwrap());
    let mut world = Nowhere(Counter(1));
    let (execution, step) = Execution::start(definition, identity(), "{}", begin(), &mut world).unwrap();
    assert!(
        step.commands
            .iter()
            .all(|command| !matches!(command, asl::Command::StartTask(_)))
    );
    let Status::Failed { error, .. } = execution.status() else {
        panic!("it runs")
    };
    assert_eq!(error.as_deref(), Some("States.Runtime"));
}

#[test]
fn express_machines_take_no_activity() {
    let text = one_task(&json!({})).to_string();
    let refusal = Definition::parse_as(&text, asl::MachineType::Express).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "SCHEMA_VALIDATION_FAILED: Express state machine does not support Activity ARN at /States/T/Resource"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Tasks fail by `answers`; whenever the execution has failed it is redriven.
    #[test]
    fn a_redriven_journal_replays_to_the_same_execution(
        kinds in prop::collection::vec(kind(), 1..5),
        answers in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let definition = Arc::new(Definition::parse(&machine(&kinds, &mut 0).to_string()).unwrap());
        let mut random = Counter(7);
        let mut now = begin();
        let (mut execution, step) =
            Execution::start(definition.clone(), identity(), INPUT, now, &mut random).unwrap();
        let mut journal = step.entries;
        let mut redrives = 0;
        for answer in answers {
            now = execution.next_timer().filter(|_| answer % 3 == 0).unwrap_or(now).max(now);
            let tasks = execution.open_tasks();
            let runs = execution.open_map_runs();
            let happened = if let Some(run) = runs.get(usize::from(answer) % (runs.len() + tasks.len()).max(1)) {
                let arn = run.arn.clone();
                let error = ["Mine", "States.Runtime"][usize::from(answer) % 2].to_owned();
                let failure = asl::Failure { error: Some(error), ..Default::default() };
                if answer % 3 == 1 {
                    Happened::MapRunFailed { arn, failure }
                } else {
                    Happened::MapRunSucceeded { arn, output: json!([1]) }
                }
            } else { match tasks.get(usize::from(answer) % tasks.len().max(1)) {
                Some(open) if answer % 3 == 1 => Happened::TaskFailed { task: open.task, error: Some("Mine".into()), cause: None },
                Some(open) => match &open.token {
                    Some(token) => Happened::TokenSucceeded { token: token.clone(), output: json!(1) },
                    None => Happened::TaskSucceeded { task: open.task, output: json!(1) },
                },
                None if answer % 17 == 0 => Happened::Stopped { error: None, cause: None },
                None => Happened::TimerFired,
            } };
            journal.extend(execution.handle(happened, now, &mut random).entries);
            match Execution::redrive(definition.clone(), &journal, now, &mut random).unwrap() {
                Err(refused) => prop_assert_eq!(
                    refused,
                    if *execution.status() == Status::Running { Refused::WrongKind } else { Refused::Ended }
                ),
                Ok((redriven, step)) => {
                    redrives += 1;
                    let entry = &step.entries[0];
                    prop_assert_eq!(entry.id, journal.iter().map(|entry| entry.id).max().unwrap() + 1);
                    journal.extend(step.entries);
                    execution = redriven;
                }
            }
            prop_assert_eq!(&Execution::replay(definition.clone(), &journal).unwrap(), &execution);
        }
        let told = asl::history(&journal, false).filter(|event| event["type"] == "ExecutionRedriven").count();
        prop_assert_eq!(told, redrives);
    }
}
