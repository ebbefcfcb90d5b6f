//! Activities: workers that poll, answer, beat and die.

use super::*;

async fn activity(aws: &AwsLocal, name: &str) -> Value {
    ok(aws, "CreateActivity", json!({"name": name})).await["activityArn"].clone()
}

fn task(activity: &Value, more: &Value) -> Value {
    let mut task = json!({"Type": "Task", "Resource": activity, "End": true});
    for (name, value) in more.as_object().expect("fields") {
        task[name] = value.clone();
    }
    json!({"StartAt": "T", "States": {"T": task}})
}

async fn poll(aws: &AwsLocal, activity: &Value) -> Value {
    ok(
        aws,
        "GetActivityTask",
        json!({"activityArn": activity, "workerName": "w"}),
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_a_task_and_answers_it() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let arn = activity(&aws, "sign").await;
    let machine = create(&aws, "m", &task(&arn, &json!({}))).await;
    // The worker is there before the task.
    let waiting = tokio::spawn({
        let (aws, arn) = (aws.clone(), arn.clone());
        async move { poll(&aws, &arn).await }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let execution = start(&aws, &machine, &json!({"document": 3})).await;
    let taken = waiting.await.expect("no panic");
    assert_eq!(taken["input"], r#"{"document":3}"#);
    assert_eq!(aws.inner.step_functions.engine.in_memory(), 0);
    let answer = json!({"taskToken": taken["taskToken"], "output": "\"signed\""});
    ok(&aws, "SendTaskSuccess", answer.clone()).await;
    assert_eq!(ended(&aws, &execution).await["output"], "\"signed\"");
    assert_eq!(
        events(&aws, &execution).await[2..5],
        ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]
    );
    let history = ok(&aws, "GetExecutionHistory", json!({"executionArn": execution})).await;
    assert_eq!(
        history["events"][3]["activityStartedEventDetails"],
        json!({"workerName": "w"})
    );
    assert!(
        refused(&aws, "SendTaskSuccess", answer)
            .await
            .starts_with("TaskTimedOut")
    );
}

#[tokio::test(start_paused = true)]
async fn a_poll_ends_after_a_minute_with_nothing() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let arn = activity(&aws, "sign").await;
    let begin = tokio::time::Instant::now();
    assert_eq!(poll(&aws, &arn).await, json!({"taskToken": null, "input": null}));
    assert_eq!(begin.elapsed(), Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn each_task_goes_to_one_worker_and_one_that_left_takes_none() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let arn = activity(&aws, "sign").await;
    let machine = create(&aws, "m", &task(&arn, &json!({}))).await;
    let gone = poll(&aws, &arn);
    assert!(tokio::time::timeout(Duration::from_secs(1), gone).await.is_err());
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (aws, arn) = (aws.clone(), arn.clone());
        workers.spawn(async move { poll(&aws, &arn).await["input"].clone() });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in 0..3 {
        start(&aws, &machine, &json!(n)).await;
    }
    let mut inputs: Vec<String> = workers
        .join_all()
        .await
        .iter()
        .map(|input| input.as_str().expect("a task").to_owned())
        .collect();
    inputs.sort();
    assert_eq!(inputs, ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_count_from_when_a_worker_took_the_task() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let arn = activity(&aws, "sign").await;
    let limits = json!({"HeartbeatSeconds": 10, "TimeoutSeconds": 600});
    let machine = create(&aws, "m", &task(&arn, &limits)).await;
    let execution = start(&aws, &machine, &json!({})).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    let token = poll(&aws, &arn).await["taskToken"].clone();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(8)).await;
        ok(&aws, "SendTaskHeartbeat", json!({"taskToken": token})).await;
    }
    tokio::time::sleep(Duration::from_secs(11)).await;
    let described = ended(&aws, &execution).await;
    assert_eq!(
        (&described["status"], &described["error"]),
        (&json!("FAILED"), &json!("States.Timeout"))
    );
    assert_eq!(events(&aws, &execution).await[4], "ActivityTimedOut");
    let late = refused(&aws, "SendTaskHeartbeat", json!({"taskToken": token})).await;
    assert!(late.starts_with("TaskTimedOut"), "{late}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_nobody_took_times_out_and_is_given_to_nobody() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let arn = activity(&aws, "sign").await;
    let machine = create(&aws, "m", &task(&arn, &json!({"TimeoutSeconds": 30}))).await;
    let execution = start(&aws, &machine, &json!({})).await;
    assert_eq!(ended(&aws, &execution).await["error"], "States.Timeout");
    assert_eq!(poll(&aws, &arn).await["taskToken"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn activities_are_made_once_listed_and_deleted() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let first = ok(&aws, "CreateActivity", json!({"name": "a"})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ok(&aws, "CreateActivity", json!({"name": "a"})).await, first);
    let key = json!({"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"});
    let other = json!({"name": "a", "encryptionConfiguration": key});
    assert!(
        refused(&aws, "CreateActivity", other)
            .await
            .starts_with("ActivityAlreadyExists")
    );
    activity(&aws, "b").await;
    let page = ok(&aws, "ListActivities", json!({"maxResults": 1})).await;
    let rest = ok(&aws, "ListActivities", json!({"nextToken": page["nextToken"]})).await;
    assert_eq!(
        (&page["activities"][0]["name"], &rest["activities"][0]["name"]),
        (&json!("a"), &json!("b"))
    );
    let arn = first["activityArn"].clone();
    let machine = create(&aws, "m", &task(&arn, &json!({}))).await;
    // Who waits for its tasks is told that it is gone.
    let waiting = tokio::spawn({
        let (aws, arn) = (aws.clone(), arn.clone());
        async move { refused(&aws, "GetActivityTask", json!({"activityArn": arn})).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    ok(&aws, "DeleteActivity", json!({"activityArn": arn})).await;
    assert!(
        waiting
            .await
            .expect("no panic")
            .starts_with("ActivityDoesNotExist")
    );
    let execution = start(&aws, &machine, &json!({})).await;
    let described = ended(&aws, &execution).await;
    assert_eq!(described["error"], "States.Runtime");
    assert_eq!(
        events(&aws, &execution).await,
        ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_scheduled_is_there_after_a_restart() {
    let folder = crate::testing::folder("activities");
    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts");
    let arn = activity(&aws, "sign").await;
    let machine = create(&aws, "m", &task(&arn, &json!({}))).await;
    let execution = start(&aws, &machine, &json!({"n": 1})).await;
    let taken_before = start(&aws, &machine, &json!({"n": 2})).await;
    let taken = poll(&aws, &arn).await;
    assert_eq!(taken["input"], r#"{"n":1}"#);
    aws.kill();
    drop(aws);

    let aws = AwsLocal::start(options(Some(folder.path())))
        .await
        .expect("it starts");
    aws.resume().await.expect("it goes on");
    let other = poll(&aws, &arn).await;
    assert_eq!(
        other["input"], r#"{"n":2}"#,
        "one that was taken isn't given out again"
    );
    for taken in [&taken, &other] {
        let failure = json!({"taskToken": taken["taskToken"], "error": "Mine"});
        ok(&aws, "SendTaskFailure", failure).await;
    }
    for execution in [execution, taken_before] {
        assert_eq!(ended(&aws, &execution).await["error"], "Mine");
    }
    aws.stop().await;
}
