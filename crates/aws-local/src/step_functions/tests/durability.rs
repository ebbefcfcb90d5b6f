//! Kills, restarts and full disks.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_killed_execution_goes_on() {
    let folder = crate::testing::folder("states");
    let invocations = Arc::new(AtomicUsize::new(0));
    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts");
    let mut tokens = register(&aws, &invocations);
    let machine = create(&aws, "sign", &document_signing()).await;
    let execution = start(&aws, &machine, &json!({"document": 3})).await;
    let token = tokens.recv().await.expect("Bob is asked");
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(aws); // Alice's function is under way, Bob has been asked.

    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts again");
    let mut tokens = register(&aws, &invocations);
    aws.resume().await.expect("it goes on");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        invocations.load(Ordering::SeqCst),
        2,
        "Alice's function is run again"
    );
    drop(aws); // Alice's result is kept.

    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts once more");
    let mut last_tokens = register(&aws, &invocations);
    aws.resume().await.expect("it goes on");
    ok(
        &aws,
        "SendTaskSuccess",
        json!({"taskToken": token, "output": "1"}),
    )
    .await;
    let described = ended(&aws, &execution).await;
    assert_eq!(described["status"], "SUCCEEDED");
    assert_eq!(invocations.load(Ordering::SeqCst), 2);
    assert!(
        tokens.try_recv().is_err() && last_tokens.try_recv().is_err(),
        "Bob is asked once"
    );
    let events = events(&aws, &execution).await;
    let count = |wanted: &str| events.iter().filter(|event| *event == wanted).count();
    assert_eq!(
        (
            count("TaskSucceeded"),
            count("TaskStarted"),
            count("ExecutionSucceeded")
        ),
        (2, 2, 1)
    );
    aws.stop().await;
    AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("the folder is free");
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_passed_while_nobody_ran_fires_late() {
    let folder = crate::testing::folder("timers");
    let definition = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let first = options(Some(folder.path()));
    let aws = AwsLocal::start(first.clone()).await.expect("it starts");
    let machine = create(&aws, "wait", &definition).await;
    let execution = start(&aws, &machine, &json!({})).await;
    assert_eq!(
        aws.activity().await.next_timer,
        Some("2026-11-21T10:00:00Z".parse().expect("a time"))
    );
    drop(aws);
    tokio::time::sleep(Duration::from_hours(2)).await;
    let aws = AwsLocal::start(first).await.expect("it starts again");
    aws.resume().await.expect("it goes on");
    let described = ended(&aws, &execution).await;
    assert_eq!(described["status"], "SUCCEEDED");
    assert_eq!(
        described["stopDate"].as_f64().map(f64::round),
        Some(1_795_258_800.0)
    );
}

/// Cut off at many moments of its life, an execution ends as it would have, with each event once.
#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_it_ends_the_same() {
    let task = |name: &str, more: Value| {
        let mut task = json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "echo", "Payload.$": "$"},
            "ResultSelector": {"n.$": "$.Payload.n"},
        });
        task.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        json!({"StartAt": name, "States": {name: task}})
    };
    let definition = json!({"StartAt": "First", "States": {
        "First": {"Type": "Wait", "Seconds": 1, "Next": "Both"},
        "Both": {"Type": "Parallel", "ResultPath": "$.both", "Next": "Then", "Branches": [
            task("A", json!({"End": true})),
            task("B", json!({"End": true, "TimeoutSeconds": 60})),
        ]},
        "Then": {"Type": "Wait", "Seconds": 1, "Next": "Last"},
        "Last": {"Type": "Pass", "End": true},
    }});
    let folder = crate::testing::folder("kills");
    let options = options(Some(folder.path()));
    let begin = async || {
        let aws = AwsLocal::start(options.clone()).await.expect("it starts");
        aws.register_function(
            "echo",
            function(|invocation| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(invocation.payload)
            }),
        );
        aws.resume().await.expect("it goes on");
        aws
    };
    let mut aws = begin().await;
    let machine = create(&aws, "killed", &definition).await;
    let mut executions = Vec::new();
    for n in 0..30_u64 {
        executions.push(start(&aws, &machine, &json!({"n": n})).await);
        // From nothing to more than a whole life, by steps that share no period with it.
        tokio::time::sleep(Duration::from_millis(n * 137)).await;
        drop(aws);
        aws = begin().await;
    }
    for (n, execution) in executions.iter().enumerate() {
        let described = ended(&aws, execution).await;
        let expected = json!({"n": n, "both": [{"n": n}, {"n": n}]});
        assert_eq!(described["output"], expected.to_string(), "{described}");
        let history = ok(&aws, "GetExecutionHistory", json!({"executionArn": execution})).await;
        let events = history["events"].as_array().expect("events");
        let ids: Vec<_> = events.iter().filter_map(|event| event["id"].as_u64()).collect();
        assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        assert_eq!(
            (of("TaskSucceeded"), of("TaskScheduled"), of("WaitStateExited")),
            (2, 2, 2)
        );
    }
    assert_eq!(aws.activity().await.running_executions, 0);
}

/// The file of a process that is gone.
fn file(folder: &std::path::Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("states.sqlite")).expect("the file")
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_read_holds_up_no_other() {
    let folder = crate::testing::folder("unreadable");
    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts");
    let _tokens = register(&aws, &Arc::default());
    let machine = create(&aws, "sign", &document_signing()).await;
    let mut executions = Vec::new();
    for n in 0..3 {
        executions.push(start(&aws, &machine, &json!({"document": n})).await);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    aws.stop().await;
    drop(aws);
    for (execution, damage) in [(&executions[0], "["), (&executions[2], "[]")] {
        let arn = execution.as_str().expect("an ARN");
        file(folder.path())
            .execute(
                "UPDATE journal SET entries = ?2 WHERE execution = (SELECT id FROM executions WHERE arn = ?1)",
                [arn, damage],
            )
            .expect("damage");
    }
    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts again");
    let _tokens = register(&aws, &Arc::default());
    aws.resume().await.expect("it goes on");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let succeeded = events(&aws, &executions[1]).await;
    assert!(
        succeeded.contains(&"TaskSucceeded".to_owned()),
        "Alice's function was run again: {succeeded:?}"
    );
    assert_eq!(ended(&aws, &executions[1]).await["error"], "States.Timeout");
    let described = ok(&aws, "DescribeExecution", json!({"executionArn": executions[0]})).await;
    assert_eq!(described["status"], "RUNNING");
    aws.stop().await;
}

/// As if the process had been killed after a task began an execution, and before the task's result was kept.
#[tokio::test(start_paused = true)]
async fn a_task_finds_the_execution_that_it_began_before_a_crash() {
    for resource in ["states:startExecution", "aws-sdk:sfn:startExecution"] {
        for name in [Some("mine"), None] {
            let folder = crate::testing::folder("starts");
            let aws = AwsLocal::start(options(Some(folder.path())))
                .await
                .expect("it starts");
            let child = create(&aws, "child", &pass()).await;
            let mut parameters = json!({"StateMachineArn": child, "Input": {"n": 1}});
            if let Some(name) = name {
                parameters["Name"] = name.into();
            }
            let task = json!({"Type": "Task", "Resource": format!("arn:aws:states:::{resource}"), "Parameters": parameters, "End": true});
            let definition = json!({"StartAt": "T", "States": {"T": task}});
            let machine = create(&aws, "parent", &definition).await;
            let execution = start(&aws, &machine, &json!({})).await;
            let before = ended(&aws, &execution).await;
            assert_eq!(before["status"], "SUCCEEDED", "{before}");
            aws.stop().await;
            drop(aws);
            let arn = execution.as_str().expect("an ARN");
            let changed = file(folder.path()).execute_batch(&format!(
                "DELETE FROM journal WHERE step > 0 AND execution = (SELECT id FROM executions WHERE arn = '{arn}');
                 UPDATE executions SET status = 'RUNNING', ended = NULL, output = NULL, calls = 1, steps = 1
                 WHERE arn = '{arn}';"
            ));
            changed.expect("the file before the crash");
            let aws = AwsLocal::start(options(Some(folder.path())))
                .await
                .expect("it starts again");
            aws.resume().await.expect("it goes on");
            let after = ended(&aws, &execution).await;
            assert_eq!(after["status"], "SUCCEEDED", "{resource} {name:?}: {after}");
            let begun = |described: &Value| {
                let output = described["output"].as_str().expect("an output");
                let output: Value = serde_json::from_str(output).expect("JSON");
                (output["ExecutionArn"].clone(), output["StartDate"].clone())
            };
            assert_eq!(begun(&after), begun(&before));
            let listed = ok(&aws, "ListExecutions", json!({"stateMachineArn": child})).await;
            assert_eq!(listed["executions"].as_array().map(Vec::len), Some(1));
            // Another execution's task finds the name taken.
            let other = ended(&aws, &start(&aws, &machine, &json!({})).await).await;
            let expected = if name.is_some() { "FAILED" } else { "SUCCEEDED" };
            assert_eq!(other["status"], expected, "{other}");
            aws.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_folder_has_one_owner() {
    let folder = crate::testing::folder("owner");
    let first = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts");
    let second = AwsLocal::start(options(Some(folder.path()))).await;
    assert!(matches!(second, Err(crate::StartError::InUse)));
    first.stop().await;
    AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it is free");
}

/// Nothing that was acknowledged is lost to a full disk, and what could not be written is made up for.
#[tokio::test(start_paused = true)]
async fn a_full_disk_delays_and_loses_nothing() {
    let folder = crate::testing::folder("full");
    for data in [None, Some(folder.path())] {
        let aws = AwsLocal::start(options(data)).await.expect("it starts");
        let mut tokens = register(&aws, &Arc::default());
        let machine = create(&aws, "sign", &document_signing()).await;
        let execution = start(&aws, &machine, &json!({"document": 3})).await;
        let token = tokens.recv().await.expect("Bob is asked");
        let store = &aws.inner.step_functions.engine.store;
        let pages = async |most: u32| {
            let limit = store.write(move |database| {
                let pragma = format!("PRAGMA max_page_count = {most}");
                database.query_row(&pragma, [], |row| row.get::<_, u32>(0))
            });
            limit.await.expect("a limit")
        };
        pages(1).await;
        let large = "x".repeat(100_000);
        let answer = json!({"taskToken": token, "output": json!(large).to_string()});
        let request = http::Request::post("/").header("x-amz-target", "AWSStepFunctions.SendTaskSuccess");
        let request = request.body(answer.to_string().into()).expect("a request");
        assert_eq!(
            aws.handle(request).await.status(),
            500,
            "what isn't kept isn't acknowledged"
        );
        let more = json!({"stateMachineArn": machine, "name": "large", "input": json!(large).to_string()});
        let request = http::Request::post("/").header("x-amz-target", "AWSStepFunctions.StartExecution");
        let request = request.body(more.to_string().into()).expect("a request");
        assert_eq!(aws.handle(request).await.status(), 500);
        tokio::time::sleep(Duration::from_secs(5)).await;

        pages(1_000_000).await;
        ok(&aws, "SendTaskSuccess", answer).await;
        assert_eq!(ended(&aws, &execution).await["status"], "SUCCEEDED");
        let listed = ok(&aws, "ListExecutions", json!({"stateMachineArn": machine})).await;
        assert_eq!(listed["executions"].as_array().map(Vec::len), Some(1));
    }
}
