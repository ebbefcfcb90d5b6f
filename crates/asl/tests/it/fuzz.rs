//! A hundred thousand definitions and expressions made at random: none brings the interpreter down, holds it up, or makes it
//! grow without bound; and whatever runs ends or waits for something, with a journal that gives the same execution again.
//!
//! `cargo test -p asl --test it -- fuzz --ignored` runs all of them. What fails prints the number of its case;
//! `ASL_FUZZ_FROM=number ASL_FUZZ_COUNT=1` runs it again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use asl::{Definition, Entry, Execution, Happened, Status, Step};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::driver::{begin, identity};
use crate::random_cases::{Case, Dice, case};

/// Far more than any takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// What the world says to an execution before it is left alone.
const MOVES: usize = 40;
/// Megabytes that the whole process may have taken at its most.
const MOST_MEMORY: u64 = 2048;

#[test]
fn two_thousand_machines_at_random() {
    run(2_000);
}

#[test]
#[ignore = "some minutes"]
fn a_hundred_thousand_machines_at_random() {
    run(100_000);
}

#[test]
fn a_history_does_not_grow_without_bound() {
    let round = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": true, "Next": "A"}], "Default": "C"},
        "C": {"Type": "Succeed"},
    }});
    let definition = Arc::new(Definition::parse(&round.to_string()).unwrap());
    let input = json!({"x": "x".repeat(250_000)}).to_string();
    let (execution, step) =
        Execution::start(definition, identity(), &input, begin(), &mut Dice::of(0)).unwrap();
    assert!(
        matches!(execution.status(), Status::Failed { error: Some(error), .. } if error == "States.Runtime")
    );
    assert!(step.entries.len() < 1_200, "{} entries", step.entries.len());
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[expect(clippy::print_stderr, reason = "what was found, for whoever runs it")]
fn run(count: u64) {
    let from = number("ASL_FUZZ_FROM").unwrap_or(0);
    let end = from + number("ASL_FUZZ_COUNT").unwrap_or(count);
    let (sender, receiver) = channel();
    let worker = std::thread::spawn(move || {
        let mut ran = 0_u64;
        for number in from..end {
            let tried = catch_unwind(AssertUnwindSafe(|| one(number)));
            if let Ok(runs) = tried {
                ran += u64::from(runs);
            }
            if sender.send((number, tried.is_ok())).is_err() {
                break;
            }
        }
        ran
    });
    let mut failed = Vec::new();
    for number in from..end {
        match receiver.recv_timeout(PATIENCE) {
            Ok((_, true)) => {}
            Ok((number, false)) => failed.push(number),
            Err(RecvTimeoutError::Timeout) => panic!("case {number} takes for ever"),
            Err(RecvTimeoutError::Disconnected) => panic!("case {number} ended the thread"),
        }
    }
    let ran = worker.join().unwrap();
    assert!(failed.is_empty(), "cases {failed:?} fail");
    let memory = most_memory();
    eprintln!(
        "{} cases, {ran} of them executions; at most {memory:?} MB",
        end - from
    );
    assert!(
        memory.is_none_or(|memory| memory < MOST_MEMORY),
        "it took {memory:?} MB"
    );
    assert!(count < 2_000 || ran > (end - from) / 5, "only {ran} ran");
}

/// The most memory this process ever had, in megabytes, where the system tells.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1024)
}

/// Whether there was something to run.
fn one(number: u64) -> bool {
    let mut dice = Dice::of(number);
    let Case { definition, input } = case(&mut dice);
    let Ok(definition) = Definition::parse(&definition) else {
        return false;
    };
    let definition = Arc::new(definition);
    let mut now = begin();
    let Ok((mut execution, step)) =
        Execution::start(definition.clone(), identity(), &input, now, &mut dice.clone())
    else {
        return false;
    };
    let mut journal = Vec::new();
    take(&execution, step, &mut journal);
    for _ in 0..MOVES {
        if *execution.status() != Status::Running {
            break;
        }
        let happened = next(&execution, &mut now, &mut dice);
        let step = execution.handle(happened, now, &mut dice);
        take(&execution, step, &mut journal);
    }
    again(&definition, &execution, &journal);
    true
}

fn take(execution: &Execution, step: Step, journal: &mut Vec<Entry>) {
    journal.extend(step.entries);
    let running = *execution.status() == Status::Running;
    let waits = execution.next_timer().is_some() || !execution.open_tasks().is_empty();
    assert_eq!(running, waits, "it ends or waits: {:?}", execution.status());
}

/// The journal, written and read, is the execution; and its history counts up.
fn again(definition: &Arc<Definition>, execution: &Execution, journal: &[Entry]) {
    let text = serde_json::to_string(journal).unwrap();
    let read: Vec<Entry> = serde_json::from_str(&text).unwrap();
    assert!(read == journal, "the journal reads as it was written");
    let replayed = Execution::replay(definition.clone(), &read).unwrap();
    assert!(replayed == *execution, "the journal gives the execution");
    for (n, event) in asl::history(journal, true).enumerate() {
        assert_eq!(event["id"].as_u64(), Some(n as u64 + 1));
        assert!(event["previousEventId"].as_u64() <= Some(n as u64));
    }
}

/// What the world says next.
fn next(execution: &Execution, now: &mut Timestamp, dice: &mut Dice) -> Happened {
    let tasks = execution.open_tasks();
    let timer = execution.next_timer();
    if tasks.is_empty() || dice.once_in(6) {
        if let Some(at) = timer {
            *now = (*now).max(at);
        }
        return Happened::TimerFired;
    }
    *now = now.checked_add(SignedDuration::from_millis(700)).unwrap_or(*now);
    let open = &tasks[dice.below(tasks.len())];
    let task = open.task;
    let error = Some(["Mine", "States.Timeout", "States.TaskFailed", ""][dice.below(4)].to_owned());
    let cause = Some("for a reason".to_owned());
    match (dice.below(8), &open.token) {
        (0, _) => Happened::TaskStarted { task },
        (1, _) => Happened::TaskFailed { task, error, cause },
        (2, _) => Happened::TaskTimedOut { task, cause },
        (3, _) => Happened::TaskSubmitted {
            task,
            output: json!({"StatusCode": 200}),
        },
        (4, Some(token)) => Happened::TokenFailed {
            token: token.clone(),
            error,
            cause,
        },
        (5, Some(token)) => Happened::TokenHeartbeat { token: token.clone() },
        (_, Some(token)) => Happened::TokenSucceeded {
            token: token.clone(),
            output: result(dice),
        },
        (_, None) => Happened::TaskSucceeded {
            task,
            output: result(dice),
        },
    }
}

fn result(dice: &mut Dice) -> Value {
    if dice.once_in(3) {
        crate::random_cases::value(dice, 3)
    } else {
        json!({"Payload": crate::random_cases::value(dice, 2), "StatusCode": 200})
    }
}
