//! Tasks: their timers, heartbeats, tokens, and what the world may say about them.

use asl::{Happened, Refused, TaskId, TokenState};
use serde_json::{Value, json};

use crate::driver::Driver;

fn task(resource: &str, more: &Value) -> Value {
    let mut state = json!({
        "Type": "Task",
        "Resource": resource,
        "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}},
        "End": true
    });
    if !resource.ends_with("Token") {
        state["Parameters"]["Payload"] = json!({});
    }
    state
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"StartAt": "T", "States": {"T": state, }})
}

const TOKEN: &str = "arn:aws:states:::lambda:invoke.waitForTaskToken";
const CALL: &str = "arn:aws:states:::lambda:invoke";

#[test]
fn a_task_times_out() {
    let mut driver = Driver::start(&task(CALL, &json!({"TimeoutSeconds": 10})), "{}");
    let task = driver.tasks[0].task;
    driver.pass(9);
    driver.restart();
    driver.pass(1);
    assert_eq!(driver.failure(), ("States.Timeout".into(), String::new()));
    assert_eq!(
        driver.events()[2..],
        ["TaskScheduled", "TaskTimedOut", "ExecutionFailed"]
    );
    assert_eq!(driver.cancelled, [task]);
    let details = json!({"resourceType": "lambda", "resource": "invoke", "error": "States.Timeout"});
    assert_eq!(driver.history()[3]["taskTimedOutEventDetails"], details);
    assert_eq!(
        driver.history()[2]["taskScheduledEventDetails"]["timeoutInSeconds"],
        10
    );
}

#[test]
fn heartbeats_keep_a_task_alive_but_never_past_its_timeout() {
    let seconds = json!({"TimeoutSeconds": 25, "HeartbeatSecondsPath": "$.beat"});
    let mut driver = Driver::start(&task(TOKEN, &seconds), r#"{"beat": 10}"#);
    assert_eq!(
        driver.history()[2]["taskScheduledEventDetails"]["heartbeatInSeconds"],
        10
    );
    let token = driver.task().token.unwrap();
    for _ in 0..2 {
        driver.pass(9);
        assert_eq!(
            driver.tell(Happened::TokenHeartbeat { token: token.clone() }),
            None
        );
        driver.restart();
    }
    driver.pass(6);
    assert_eq!(driver.execution.token_state(&token, driver.now), TokenState::Open);
    driver.pass(1);
    assert_eq!(driver.failure().0, "States.Timeout");
    assert_eq!(
        driver.execution.token_state(&token, driver.now),
        TokenState::Closed
    );
    assert_eq!(
        driver.events()[2..],
        ["TaskScheduled", "TaskTimedOut", "ExecutionFailed"]
    );
}

#[test]
fn of_a_tasks_heartbeats_only_the_latest_matters() {
    let mut driver = Driver::start(&task(TOKEN, &json!({"HeartbeatSeconds": 10})), "{}");
    let token = driver.task().token.unwrap();
    for _ in 0..3 {
        driver.pass(5);
        driver.tell(Happened::TokenHeartbeat { token: token.clone() });
    }
    let beats = |entry: &asl::Entry| matches!(entry.event, asl::Event::TaskHeartbeat { .. });
    let latest = driver.journal.iter().rposition(beats).unwrap();
    let all = driver.journal.iter().enumerate();
    let kept = all
        .filter(|(n, entry)| *n == latest || !beats(entry))
        .map(|(_, entry)| entry);
    let execution = asl::Execution::replay(driver.definition.clone(), kept).unwrap();
    assert_eq!(execution, driver.execution);
}

#[test]
fn a_heartbeat_that_stays_away_is_caught_by_either_name() {
    for name in ["States.Timeout", "States.HeartbeatTimeout", "States.ALL"] {
        let mut definition = task(
            TOKEN,
            &json!({"HeartbeatSeconds": 5, "Catch": [{"ErrorEquals": [name], "Next": "C"}]}),
        );
        definition["States"]["C"] = json!({"Type": "Succeed"});
        let mut driver = Driver::start(&definition, "{}");
        driver.pass(5);
        assert_eq!(
            driver.output(),
            &json!({"Error": "States.Timeout", "Cause": null})
        );
    }
    let mut definition = task(
        TOKEN,
        &json!({"TimeoutSeconds": 5, "Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "C"}]}),
    );
    definition["States"]["C"] = json!({"Type": "Succeed"});
    let mut driver = Driver::start(&definition, "{}");
    driver.pass(5);
    assert_eq!(driver.failure().0, "States.Timeout");
}

#[test]
fn a_heartbeat_where_none_is_asked_for_changes_nothing() {
    let mut driver = Driver::start(&task(TOKEN, &json!({})), "{}");
    let token = driver.task().token.unwrap();
    let before = driver.journal.len();
    assert_eq!(driver.tell(Happened::TokenHeartbeat { token }), None);
    assert_eq!(driver.journal.len(), before);
}

#[test]
fn a_retried_task_has_a_new_token_and_says_so() {
    let retry = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}]);
    let mut definition = task(TOKEN, &json!({"Retry": retry}));
    definition["States"]["T"]["Parameters"]["Payload"]["retries.$"] = json!("$$.State.RetryCount");
    let mut driver = Driver::start(&definition, "{}");
    let first = driver.task();
    assert_eq!(first.arguments["Payload"]["retries"], 0);
    let old = first.token.unwrap();
    driver.tell(Happened::TokenFailed {
        token: old.clone(),
        error: None,
        cause: None,
    });
    driver.pass(1);
    let second = driver.task();
    assert_eq!(second.arguments["Payload"]["retries"], 1);
    assert_ne!(second.token.as_deref(), Some(old.as_str()));
    driver.restart();
    assert_eq!(driver.execution.token_state(&old, driver.now), TokenState::Closed);
    assert_eq!(
        driver.tell(Happened::TokenSucceeded {
            token: old,
            output: json!(1)
        }),
        Some(Refused::Closed)
    );
    assert_eq!(
        driver.tell(Happened::TokenSucceeded {
            token: second.token.unwrap(),
            output: json!(2)
        }),
        None
    );
    assert_eq!(driver.output(), &json!(2));
}

#[test]
fn a_token_may_be_answered_before_it_is_said_to_be_handed_over() {
    let mut driver = Driver::start(&task(TOKEN, &json!({})), "{}");
    let StartTask { task, token } = driver.task().into();
    assert_eq!(
        driver.tell(Happened::TokenSucceeded {
            token,
            output: json!("quick")
        }),
        None
    );
    assert_eq!(
        driver.tell(Happened::TaskSubmitted {
            task,
            output: json!({})
        }),
        Some(Refused::Ended)
    );
    assert_eq!(
        driver.events()[2..],
        [
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited T",
            "ExecutionSucceeded"
        ]
    );
}

struct StartTask {
    task: TaskId,
    token: String,
}

impl From<asl::StartTask> for StartTask {
    fn from(start: asl::StartTask) -> Self {
        Self {
            task: start.task,
            token: start.token.unwrap(),
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut driver = Driver::start(&task(TOKEN, &json!({})), "{}");
    let StartTask { task, token } = driver.task().into();
    let before = driver.journal.len();
    let output = json!(1);
    let unknown = TaskId(99);
    assert_eq!(
        driver.tell(Happened::TaskSucceeded {
            task,
            output: output.clone()
        }),
        Some(Refused::WrongKind)
    );
    assert_eq!(
        driver.tell(Happened::TaskSucceeded {
            task: unknown,
            output: output.clone()
        }),
        Some(Refused::Unknown)
    );
    assert_eq!(
        driver.tell(Happened::TaskStarted { task: TaskId(1) }),
        Some(Refused::Closed)
    );
    assert_eq!(
        driver.tell(Happened::TokenSucceeded {
            token: "x".into(),
            output: output.clone()
        }),
        Some(Refused::Unknown)
    );
    assert_eq!(driver.journal.len(), before);
    driver.tell(Happened::TaskSubmitted {
        task,
        output: output.clone(),
    });
    let handed_over = driver.journal.len();
    assert_eq!(
        driver.tell(Happened::TaskSubmitted {
            task,
            output: output.clone()
        }),
        None
    );
    assert_eq!(driver.tell(Happened::TaskStarted { task }), None);
    assert_eq!(driver.journal.len(), handed_over, "said twice, it shows once");
    assert!(driver.execution.open_tasks()[0].submitted);
    driver.tell(Happened::TokenSucceeded { token, output });

    let mut driver = Driver::start(&self::task(CALL, &json!({})), "{}");
    let task = driver.task().task;
    assert_eq!(
        driver.tell(Happened::TaskSubmitted {
            task,
            output: json!(1)
        }),
        Some(Refused::WrongKind)
    );
}

#[test]
fn open_tasks_are_known_again_after_a_crash() {
    let mut driver = Driver::start(&task(TOKEN, &json!({})), "{}");
    let asked = driver.tasks[0].clone();
    driver.restart();
    assert_eq!(driver.execution.open_tasks(), [asked]);
}

#[test]
fn a_task_may_time_out_by_its_runners_word() {
    let mut driver = Driver::start(&task(CALL, &json!({})), "{}");
    let task = driver.task().task;
    driver.tell(Happened::TaskTimedOut {
        task,
        cause: Some("slow".into()),
    });
    assert_eq!(driver.failure(), ("States.Timeout".into(), "slow".into()));
}

#[test]
fn a_result_above_the_limit_fails_the_task() {
    let mut definition = task(
        CALL,
        &json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]}),
    );
    definition["States"]["C"] = json!({"Type": "Succeed"});
    let mut driver = Driver::start(&definition, "{}");
    driver.succeed(json!("x".repeat(262_143)));
    let cause = "The state/task 'T' returned a result with a size exceeding the maximum number of bytes service limit.";
    assert_eq!(
        driver.failure(),
        ("States.DataLimitExceeded".into(), cause.into())
    );
}

#[test]
fn seconds_from_the_data_must_be_seconds() {
    let definition = task(CALL, &json!({"TimeoutSecondsPath": "$.seconds"}));
    for (input, cause) in [
        (
            r#"{"seconds": 0}"#,
            "The TimeoutSecondsPath parameter cannot be parsed as a long value: $.seconds == 0",
        ),
        (
            r#"{"seconds": "x"}"#,
            "The TimeoutSecondsPath parameter cannot be parsed as a long value: $.seconds == x",
        ),
        (
            "{}",
            "The TimeoutSecondsPath parameter does not reference an input value: $.seconds",
        ),
    ] {
        let driver = Driver::start(&definition, input);
        assert_eq!(driver.failure().0, "States.Runtime");
        assert!(driver.failure().1.ends_with(cause), "{:?}", driver.failure());
    }
}
