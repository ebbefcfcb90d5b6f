//! Failures: Catch, nested Parallels, and the names of errors.

use asl::Happened;
use serde_json::{Value, json};

use crate::driver::Driver;

fn call(more: &Value) -> Value {
    let mut state =
        json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:111111111111:function:f", "End": true});
    state
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    state
}

fn branch(name: &str, state: &Value) -> Value {
    json!({"StartAt": name, "States": {name: state}})
}

#[test]
fn a_catch_puts_the_error_where_it_says() {
    let caught = |result_path: Value| {
        let mut catcher = json!({"ErrorEquals": ["Mine"], "Next": "C"});
        if result_path != json!("absent") {
            catcher["ResultPath"] = result_path;
        }
        let states = json!({"T": call(&json!({"Catch": [catcher]})), "C": {"Type": "Pass", "End": true}});
        let mut driver = Driver::start(&json!({"StartAt": "T", "States": states}), r#"{"a": 1}"#);
        driver.fail("Mine");
        assert_eq!(
            driver.events()[4..6],
            ["LambdaFunctionFailed", "TaskStateExited T"]
        );
        driver.output().clone()
    };
    let error = json!({"Error": "Mine", "Cause": "the cause"});
    assert_eq!(caught(json!("absent")), error);
    assert_eq!(caught(json!("$.error")), json!({"a": 1, "error": error}));
    assert_eq!(caught(Value::Null), json!({"a": 1}));
}

#[test]
fn retries_come_before_catches() {
    let more = json!({
        "Retry": [{"ErrorEquals": ["Mine"], "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "C"}]
    });
    let states = json!({"T": call(&more), "C": {"Type": "Succeed"}});
    let mut driver = Driver::start(&json!({"StartAt": "T", "States": states}), "{}");
    driver.fail("Mine");
    driver.pass(1);
    driver.fail("Mine");
    assert_eq!(driver.output()["Error"], "Mine");
}

#[test]
fn no_retry_where_max_attempts_is_0() {
    let more =
        json!({"Retry": [{"ErrorEquals": ["Mine"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]});
    let mut driver = Driver::start(&branch("T", &call(&more)), "{}");
    driver.fail("Mine");
    assert_eq!(driver.failure().0, "Mine");
}

#[test]
fn jitter_is_drawn_once_and_kept() {
    let retry =
        json!({"Retry": [{"ErrorEquals": ["Mine"], "IntervalSeconds": 100, "JitterStrategy": "FULL"}]});
    let mut driver = Driver::start(&branch("T", &call(&retry)), "{}");
    driver.fail("Mine");
    let at = driver.execution.next_timer().unwrap();
    assert!((0..=100_000).contains(&at.duration_since(driver.now).as_millis()));
    driver.restart();
    assert_eq!(driver.execution.next_timer(), Some(at));
}

#[test]
fn a_parallel_is_retried_whole_and_caught() {
    let parallel = json!({
        "Type": "Parallel",
        "Branches": [branch("A", &call(&json!({}))), branch("B", &json!({"Type": "Wait", "Seconds": 100, "End": true}))],
        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 7}],
        "Catch": [{"ErrorEquals": ["States.BranchFailed"], "ResultPath": "$.error", "Next": "C"}],
        "End": true
    });
    let states = json!({"P": parallel, "C": {"Type": "Succeed"}});
    let mut driver = Driver::start(&json!({"StartAt": "P", "States": states}), r#"{"x": 1}"#);
    driver.fail("Mine");
    assert_eq!(
        driver.events()[6..],
        [
            "LambdaFunctionStarted",
            "LambdaFunctionFailed",
            "TaskStateAborted",
            "WaitStateAborted",
            "ParallelStateFailed"
        ]
    );
    driver.restart();
    driver.pass(7);
    assert_eq!(
        driver.events()[11..15],
        [
            "ParallelStateStarted",
            "TaskStateEntered A",
            "LambdaFunctionScheduled",
            "WaitStateEntered B"
        ]
    );
    driver.fail("Mine");
    assert_eq!(
        driver.output(),
        &json!({"x": 1, "error": {"Error": "Mine", "Cause": "the cause"}})
    );
}

#[test]
fn a_failure_far_below_aborts_from_the_inside_out() {
    let inner = json!({
        "Type": "Parallel",
        "Branches": [branch("A", &call(&json!({}))), branch("B", &call(&json!({})))],
        "End": true
    });
    let outer = json!({
        "Type": "Parallel",
        "Branches": [branch("I", &inner), branch("C", &call(&json!({})))],
        "End": true
    });
    let start = || Driver::start(&branch("O", &outer), "{}");
    // A branch goes on as far as it can before those inside a sibling begin: C, then A and B.
    let mut driver = start();
    let innermost = driver.tasks.remove(1).unwrap().task;
    driver.tell(Happened::TaskFailed {
        task: innermost,
        error: None,
        cause: None,
    });
    let events = driver.events();
    let tail: Vec<_> = events
        .iter()
        .skip_while(|event| *event != "LambdaFunctionFailed")
        .collect();
    let inside = [
        "LambdaFunctionFailed",
        "TaskStateAborted",
        "TaskStateAborted",
        "ParallelStateFailed",
    ];
    let outside = [
        "ParallelStateAborted",
        "TaskStateAborted",
        "ParallelStateFailed",
        "ExecutionFailed",
    ];
    assert_eq!(tail, inside.iter().chain(&outside).collect::<Vec<_>>());
    assert_eq!(driver.cancelled.len(), 2);
    assert!(driver.tasks.is_empty());

    let mut driver = start();
    let outermost = driver.task().task;
    driver.tell(Happened::TaskFailed {
        task: outermost,
        error: None,
        cause: None,
    });
    let events = driver.events();
    let tail: Vec<_> = events
        .iter()
        .skip_while(|event| *event != "LambdaFunctionFailed")
        .collect();
    let inside = [
        "LambdaFunctionFailed",
        "TaskStateAborted",
        "TaskStateAborted",
        "ParallelStateAborted",
    ];
    let outside = ["TaskStateAborted", "ParallelStateFailed", "ExecutionFailed"];
    assert_eq!(tail, inside.iter().chain(&outside).collect::<Vec<_>>());
}

#[test]
fn a_branch_that_fails_by_itself_keeps_its_siblings_from_starting() {
    let parallel = json!({
        "Type": "Parallel",
        "Branches": [branch("A", &json!({"Type": "Fail", "Error": "No"})), branch("B", &call(&json!({})))],
        "End": true
    });
    let driver = Driver::start(&branch("P", &parallel), "{}");
    assert_eq!(driver.failure().0, "No");
    assert!(driver.tasks.is_empty());

    let mut reversed = parallel;
    reversed["Branches"].as_array_mut().unwrap().reverse();
    let driver = Driver::start(&branch("P", &reversed), "{}");
    assert_eq!(driver.failure().0, "No");
    assert!(driver.events().contains(&"TaskStateAborted".to_owned()));
    assert!(
        driver.tasks.is_empty() && driver.cancelled.is_empty(),
        "what is given up at once is never asked for"
    );
}

#[test]
fn failures_of_the_interpreter_itself() {
    let pass = |fields: Value| {
        let mut state = json!({"Type": "Pass", "End": true});
        state
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        Driver::start(&branch("S", &state), r#"{"x": "text"}"#).failure()
    };
    let at = "An error occurred while executing the state 'S' (entered at the event id #2). ";
    for (fields, error, cause) in [
        (
            json!({"InputPath": "$.a.b"}),
            "States.Runtime",
            "Invalid path '$.a.b' : Missing property in path $['a']",
        ),
        (
            json!({"Parameters": {"a.$": "$.y"}}),
            "States.Runtime",
            r#"The JSONPath '$.y' specified for the field 'a.$' could not be found in the input '{"x":"text"}'"#,
        ),
        (
            json!({"Parameters": {"a.$": "States.MathAdd($.x, 1)"}}),
            "States.IntrinsicFailure",
            r#"The function 'States.MathAdd($.x, 1)' had the following error: A number was expected, but was given: "text""#,
        ),
        (
            json!({"ResultPath": "$.x.y"}),
            "States.ResultPathMatchFailure",
            r#"Unable to apply ReferencePath $.x.y to input {"x":"text"}"#,
        ),
    ] {
        assert_eq!(pass(fields), (error.to_owned(), format!("{at}{cause}")));
    }
}

#[test]
fn terminal_errors_pass_through_states_all() {
    let more = json!({
        "Parameters": {"a.$": "$.none"},
        "Retry": [{"ErrorEquals": ["States.ALL"]}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]
    });
    let states = json!({"T": call(&more), "C": {"Type": "Succeed"}});
    let driver = Driver::start(&json!({"StartAt": "T", "States": states}), "{}");
    assert_eq!(driver.failure().0, "States.Runtime");
}

#[test]
fn a_path_that_leads_nowhere_is_caught_by_the_name_of_the_specification() {
    let more = json!({"Parameters": {"a.$": "$.none"}, "Catch": [{"ErrorEquals": ["States.ParameterPathFailure"], "Next": "C"}]});
    let states = json!({"T": call(&more), "C": {"Type": "Succeed"}});
    let driver = Driver::start(&json!({"StartAt": "T", "States": states}), "{}");
    assert_eq!(driver.output()["Error"], "States.Runtime");
}

#[test]
fn a_catch_that_fails_is_not_caught_again() {
    let more = json!({"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.a", "Next": "C"}]});
    let states = json!({"T": call(&more), "C": {"Type": "Succeed"}});
    let mut driver = Driver::start(&json!({"StartAt": "T", "States": states}), "\"text\"");
    driver.fail("Mine");
    assert_eq!(driver.failure().0, "States.ResultPathMatchFailure");
}

#[test]
fn a_loop_without_end_is_ended() {
    let states = json!({
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.go", "BooleanEquals": false, "Next": "E"}], "Default": "A"},
        "E": {"Type": "Succeed"}
    });
    let driver = Driver::start(&json!({"StartAt": "A", "States": states}), r#"{"go": true}"#);
    let cause = "The execution reached the maximum number of history events (25000).";
    assert_eq!(driver.failure(), ("States.Runtime".into(), cause.into()));
    assert_eq!(driver.history().len(), 25_000);
}

#[test]
fn data_wrapped_in_itself_for_ever_is_stopped() {
    let states = json!({
        "A": {"Type": "Pass", "Parameters": {"a.$": "$", "go": true}, "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.go", "BooleanEquals": false, "Next": "E"}], "Default": "A"},
        "E": {"Type": "Succeed"}
    });
    let mut driver = Driver::start(&json!({"StartAt": "A", "States": states}), "{}");
    assert_eq!(driver.failure().0, "States.Runtime");
    driver.restart();
}

#[test]
fn a_template_that_multiplies_its_input_is_stopped() {
    let fields: serde_json::Map<String, Value> =
        (0..10_000).map(|n| (format!("f{n}.$"), json!("$"))).collect();
    let input = json!("x".repeat(200_000)).to_string();
    let driver = Driver::start(
        &branch("S", &json!({"Type": "Pass", "Parameters": fields, "End": true})),
        &input,
    );
    assert_eq!(driver.failure().0, "States.DataLimitExceeded");
    let many = vec!["$"; 10_000].join(", ");
    let call = json!({"r.$": format!("States.Array({many})")});
    let driver = Driver::start(
        &branch("S", &json!({"Type": "Pass", "Parameters": call, "End": true})),
        &input,
    );
    assert_eq!(driver.failure().0, "States.DataLimitExceeded");
}
