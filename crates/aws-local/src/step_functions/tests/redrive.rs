//! RedriveExecution.

use super::*;

/// A function that fails as often as it is told to.
fn register_failing(aws: &AwsLocal, name: &str, failures: usize) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    aws.register_function(
        name,
        function(move |_| {
            let call = count.fetch_add(1, Ordering::SeqCst);
            async move {
                if call < failures {
                    Err(FunctionError::new("Mine", "not yet"))
                } else {
                    Ok(json!("done"))
                }
            }
        }),
    );
    calls
}

fn invoke(name: &str) -> Value {
    json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": name}, "OutputPath": "$.Payload", "End": true})
}

async fn redrive(aws: &AwsLocal, execution: &Value) -> Value {
    ok(aws, "RedriveExecution", json!({"executionArn": execution})).await
}

#[tokio::test(start_paused = true)]
async fn what_succeeded_stays_and_what_failed_begins_anew() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let (good, bad) = (
        register_failing(&aws, "good", 0),
        register_failing(&aws, "bad", 2),
    );
    let branch = |name: &str| json!({"StartAt": name, "States": {name: invoke(name)}});
    let machine = json!({"StartAt": "P", "States": {"P": {
        "Type": "Parallel", "End": true, "Branches": [branch("good"), branch("bad")],
    }}});
    let machine = create(&aws, "m", &machine).await;
    let execution = start(&aws, &machine, &json!({})).await;
    let failed = ended(&aws, &execution).await;
    assert_eq!(
        (&failed["status"], &failed["redriveStatus"]),
        (&json!("FAILED"), &json!("REDRIVABLE"))
    );
    let before = events(&aws, &execution).await.len();
    redrive(&aws, &execution).await;
    let failed = ended(&aws, &execution).await;
    assert_eq!(
        (&failed["status"], &failed["redriveCount"]),
        (&json!("FAILED"), &json!(1))
    );
    let redriven = ok(
        &aws,
        "RedriveExecution",
        json!({"executionArn": execution, "clientToken": "t"}),
    )
    .await;
    let ended_well = ended(&aws, &execution).await;
    assert_eq!(ended_well["status"], "SUCCEEDED");
    assert_eq!(ended_well["output"], r#"["done","done"]"#);
    assert_eq!(ended_well["redriveDate"], redriven["redriveDate"]);
    assert_eq!((good.load(Ordering::SeqCst), bad.load(Ordering::SeqCst)), (1, 3));
    let types = events(&aws, &execution).await;
    assert_eq!(types[before], "ExecutionRedriven");
    assert_eq!(types[before + 1], "TaskScheduled", "{types:?}");
    assert_eq!(
        types.iter().filter(|kind| *kind == "ExecutionRedriven").count(),
        2
    );
    let again = json!({"executionArn": execution, "clientToken": "t"});
    assert_eq!(
        ok(&aws, "RedriveExecution", again).await,
        redriven,
        "the same request again"
    );
    let other = refused(&aws, "RedriveExecution", json!({"executionArn": execution})).await;
    assert_eq!(
        other,
        "ExecutionNotRedrivable: Execution is SUCCEEDED and cannot be redriven"
    );
    let filter = json!({"stateMachineArn": machine, "redriveFilter": "REDRIVEN"});
    assert_eq!(
        ok(&aws, "ListExecutions", filter).await["executions"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let filter = json!({"stateMachineArn": machine, "redriveFilter": "NOT_REDRIVEN"});
    assert_eq!(ok(&aws, "ListExecutions", filter).await["executions"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn retries_and_times_out_begin_anew() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let calls = register_failing(&aws, "bad", usize::MAX);
    let mut task = invoke("bad");
    task["Retry"] = json!([{"ErrorEquals": ["Mine"], "MaxAttempts": 2}]);
    let machine = create(&aws, "m", &json!({"StartAt": "T", "States": {"T": task}})).await;
    let execution = start(&aws, &machine, &json!({})).await;
    ended(&aws, &execution).await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    redrive(&aws, &execution).await;
    ended(&aws, &execution).await;
    assert_eq!(calls.load(Ordering::SeqCst), 6);

    let wait = json!({"StartAt": "W", "TimeoutSeconds": 30, "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}});
    let machine = create(&aws, "w", &wait).await;
    let execution = start(&aws, &machine, &json!({})).await;
    for count in 0..3 {
        let described = ended(&aws, &execution).await;
        assert_eq!(
            (&described["status"], &described["redriveCount"]),
            (&json!("TIMED_OUT"), &json!(count))
        );
        let begin = tokio::time::Instant::now();
        redrive(&aws, &execution).await;
        ended(&aws, &execution).await;
        assert!(begin.elapsed() >= Duration::from_secs(30));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_was_stopped_goes_on_after_a_kill() {
    let folder = crate::testing::folder("redrives");
    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts");
    let mut tokens = register(&aws, &Arc::default());
    let machine = create(&aws, "sign", &document_signing()).await;
    let execution = start(&aws, &machine, &json!({"document": 3})).await;
    let old = tokens.recv().await.expect("Bob is asked");
    tokio::time::sleep(Duration::from_secs(2)).await;
    ok(&aws, "StopExecution", json!({"executionArn": execution})).await;
    redrive(&aws, &execution).await;
    let new = tokens.recv().await.expect("Bob is asked again");
    tokio::time::sleep(Duration::from_secs(2)).await;
    aws.kill();
    drop(aws);
    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts");
    let _tokens = register(&aws, &Arc::default());
    aws.resume().await.expect("it goes on");
    let answer = |token: &str| json!({"taskToken": token, "output": "{}"});
    assert!(
        refused(&aws, "SendTaskSuccess", answer(&old))
            .await
            .starts_with("TaskTimedOut")
    );
    ok(&aws, "SendTaskSuccess", answer(&new)).await;
    assert_eq!(ended(&aws, &execution).await["status"], "SUCCEEDED");
    aws.stop().await;
}
