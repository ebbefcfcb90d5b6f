//! What listeners are told: every event of the history, in order, with the state that it happened in.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::*;
use crate::{ExecutionEvent, Happening};

fn told(listener: &mut Receiver<Happening>) -> Vec<ExecutionEvent> {
    let mut told = Vec::new();
    loop {
        match listener.try_recv() {
            Ok(Happening::Event(event)) => told.push(event),
            Ok(Happening::Printed(line)) => panic!("no function prints here: {line:?}"),
            Err(TryRecvError::Empty) => return told,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Kind and state of what was told, with `?` where no state is known.
fn outline(told: &[ExecutionEvent]) -> Vec<(&str, &str)> {
    told.iter()
        .map(|event| (event.kind.as_str(), event.state.as_deref().unwrap_or("?")))
        .collect()
}

/// A task that fails twice, a wait, a branch that fails, and a failure which nothing catches.
fn eventful() -> Value {
    let call = |next: Value| {
        let mut state = json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "break"},
        });
        let further = next.as_object().expect("fields").clone();
        state.as_object_mut().expect("a state").extend(further);
        state
    };
    let retried = json!({
        "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 5, "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["Broken"], "Next": "Later"}],
        "End": true,
    });
    json!({"StartAt": "Try", "States": {
        "Try": call(retried),
        "Later": {"Type": "Wait", "Seconds": 60, "Next": "Both"},
        "Both": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "Inner", "States": {"Inner": call(json!({"End": true}))}}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Last"}],
            "End": true,
        },
        "Last": call(json!({"End": true})),
    }})
}

#[tokio::test(start_paused = true)]
async fn every_event_is_told_with_its_state_once_somebody_listens() {
    let aws = AwsLocal::start(options(None)).await.expect("started");
    aws.register_function(
        "break",
        function(|_| async { Err(FunctionError::new("Broken", "It broke.\nHere is how.")) }),
    );
    let machine = create(&aws, "eventful", &eventful()).await;
    let unheard = start(&aws, &machine, &json!({})).await;
    ended(&aws, &unheard).await;

    let mut listener = aws.subscribe();
    let execution = start(&aws, &machine, &json!({})).await;
    ended(&aws, &execution).await;
    let told = told(&mut listener);
    assert!(
        told.iter()
            .all(|event| event.execution.arn == execution.as_str().expect("an ARN"))
    );
    assert!(told.iter().all(|event| event.execution.machine == "eventful"));

    let history: Vec<String> = events(&aws, &execution).await;
    let shown = told.iter().filter(|event| event.id != 0);
    assert_eq!(
        shown.clone().map(|event| event.kind.clone()).collect::<Vec<_>>(),
        history
    );
    assert!(shown.zip(1..).all(|(event, id)| event.id == id));

    let task = |state| {
        [
            ("TaskScheduled", state),
            ("TaskStarted", state),
            ("TaskFailed", state),
        ]
    };
    let mut expected = vec![("ExecutionStarted", "?"), ("TaskStateEntered", "Try")];
    expected.extend(task("Try"));
    expected.extend([("RetryScheduled", "Try"), ("RetryBegun", "Try")]);
    expected.extend(task("Try"));
    expected.extend([
        ("TaskStateExited", "Try"),
        ("WaitStateEntered", "Later"),
        ("WaitBegun", "Later"),
        ("WaitStateExited", "Later"),
        ("ParallelStateEntered", "Both"),
        ("ParallelStateStarted", "Both"),
        ("TaskStateEntered", "Inner"),
    ]);
    expected.extend(task("Inner"));
    expected.extend([
        ("BranchFailed", "Inner"),
        ("TaskStateAborted", "Inner"),
        ("ParallelStateFailed", "Both"),
        ("ParallelStateExited", "Both"),
        ("TaskStateEntered", "Last"),
    ]);
    expected.extend(task("Last"));
    expected.push(("ExecutionFailed", "?"));
    assert_eq!(outline(&told), expected);

    let failed = told.last().expect("the end");
    assert_eq!(failed.error.as_deref(), Some("Broken"));
    assert!(
        failed
            .cause
            .as_deref()
            .is_some_and(|cause| cause.contains("Here is how."))
    );
    let waits = |kind: &str| {
        let event = told.iter().find(|event| event.kind == kind).expect(kind);
        event.until.expect("a time").duration_since(event.at).as_secs()
    };
    assert_eq!((waits("RetryScheduled"), waits("WaitBegun")), (5, 60));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_and_an_express_execution_are_told_too() {
    let aws = AwsLocal::start(options(None)).await.expect("started");
    let waits = json!({"StartAt": "Work", "States": {"Work": {
        "Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:work",
        "TimeoutSeconds": 30, "End": true,
    }}});
    ok(&aws, "CreateActivity", json!({"name": "work"})).await;
    let machine = create(&aws, "waits", &waits).await;
    let mut listener = aws.subscribe();
    let execution = start(&aws, &machine, &json!({})).await;
    ended(&aws, &execution).await;
    let events = told(&mut listener);
    let timed_out = events
        .iter()
        .find(|event| event.kind == "ActivityTimedOut")
        .expect("a timeout");
    assert_eq!(timed_out.state.as_deref(), Some("Work"));
    assert_eq!(timed_out.error.as_deref(), Some("States.Timeout"));

    let body = json!({"name": "quick", "definition": pass().to_string(), "roleArn": ROLE, "type": "EXPRESS"});
    let quick = ok(&aws, "CreateStateMachine", body).await["stateMachineArn"].clone();
    ok(&aws, "StartSyncExecution", json!({"stateMachineArn": quick})).await;
    let expected = [
        ("ExecutionStarted", "?"),
        ("PassStateEntered", "P"),
        ("PassStateExited", "P"),
        ("ExecutionSucceeded", "?"),
    ];
    assert_eq!(outline(&told(&mut listener)), expected);
}
