//! Map Runs that are redriven with their execution: in part, and whatever happens on the way.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::map_runs::{begun, distributed, output, run_of, s3, working};
use super::*;

/// A function `work` that takes a second, fails on what `fails` holds, and counts its calls by what it is given.
#[derive(Clone, Default)]
struct Work {
    fails: Arc<Mutex<Vec<Value>>>,
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Work {
    fn failing(items: &Value) -> Work {
        let work = Work::default();
        *work.fails.lock().expect("a lock") = items.as_array().expect("a list").clone();
        work
    }

    fn register(&self, aws: &AwsLocal) {
        let work = self.clone();
        aws.register_function(
            "work",
            function(move |invocation| {
                let (payload, work) = (invocation.payload.clone(), work.clone());
                async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    *work
                        .calls
                        .lock()
                        .expect("a lock")
                        .entry(payload.to_string())
                        .or_default() += 1;
                    if work.fails.lock().expect("a lock").contains(&payload) {
                        return Err(FunctionError::new("Bad", "bad"));
                    }
                    Ok(json!([payload]))
                }
            }),
        );
    }

    fn mend(&self) {
        self.fails.lock().expect("a lock").clear();
    }

    fn calls(&self, of: &str) -> usize {
        let calls = self.calls.lock().expect("a lock");
        calls.get(&json!(of).to_string()).copied().unwrap_or(0)
    }
}

async fn redrive(aws: &AwsLocal, execution: &Value) {
    ok(aws, "RedriveExecution", json!({"executionArn": execution})).await;
}

async fn children(aws: &AwsLocal, run: &Value, more: Value) -> Vec<Value> {
    let mut request = json!({"mapRunArn": run["mapRunArn"]});
    request
        .as_object_mut()
        .expect("fields")
        .extend(more.as_object().expect("fields").clone());
    let listed = ok(aws, "ListExecutions", request).await;
    listed["executions"].as_array().expect("a list").clone()
}

#[tokio::test(start_paused = true)]
async fn only_children_that_did_not_succeed_begin_again() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let work = Work::failing(&json!(["bad"]));
    work.register(&aws);
    let definition = distributed(&json!({"MaxConcurrency": 2}), &working());
    let execution = begun(&aws, &definition, &json!(["a", "bad", "c", "d"])).await;
    assert_eq!(ended(&aws, &execution).await["status"], "FAILED");
    let before = run_of(&aws, &execution).await;
    assert_eq!(
        (&before["redriveCount"], &before["redriveDate"]),
        (&json!(0), &Value::Null)
    );
    let failed = children(&aws, &before, json!({"statusFilter": "FAILED"})).await;
    let child = failed[0]["executionArn"].clone();
    let described = ok(&aws, "DescribeExecution", json!({"executionArn": child})).await;
    assert_eq!(described["redriveStatus"], "REDRIVABLE_BY_MAP_RUN");
    let refusal = refused(&aws, "RedriveExecution", json!({"executionArn": child})).await;
    assert!(refusal.starts_with("ExecutionNotRedrivable"), "{refusal}");
    let history = events(&aws, &execution).await.len();

    work.mend();
    redrive(&aws, &execution).await;
    let during = run_of(&aws, &execution).await;
    assert_eq!(
        (&during["status"], &during["stopDate"]),
        (&json!("RUNNING"), &Value::Null)
    );
    let described = ended(&aws, &execution).await;
    assert_eq!(output(&described), json!([["a"], ["bad"], ["c"], ["d"]]));
    let types = events(&aws, &execution).await;
    let expected = [
        "ExecutionRedriven",
        "MapRunRedriven",
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded",
    ];
    assert_eq!(types[history..], expected);
    let run = run_of(&aws, &execution).await;
    assert_eq!(run["mapRunArn"], before["mapRunArn"]);
    assert_eq!(
        (&run["status"], &run["redriveCount"]),
        (&json!("SUCCEEDED"), &json!(1))
    );
    assert_eq!(run["redriveDate"], described["redriveDate"]);
    for counts in ["itemCounts", "executionCounts"] {
        let counts = &run[counts];
        assert_eq!(
            (&counts["succeeded"], &counts["total"]),
            (&json!(4), &json!(4)),
            "{counts}"
        );
        assert_eq!(
            (&counts["failed"], &counts["pendingRedrive"]),
            (&json!(0), &json!(0))
        );
    }
    assert_eq!((work.calls("a"), work.calls("bad")), (1, 2));

    let redriven = children(&aws, &run, json!({"redriveFilter": "REDRIVEN"})).await;
    assert_eq!(redriven.len(), 1);
    assert_eq!(
        (&redriven[0]["executionArn"], &redriven[0]["redriveCount"]),
        (&child, &json!(1))
    );
    assert_eq!(
        children(&aws, &run, json!({"redriveFilter": "NOT_REDRIVEN"}))
            .await
            .len(),
        3
    );
    let types = events(&aws, &child).await;
    assert!(types.contains(&"ExecutionRedriven".to_owned()), "{types:?}");
}

#[tokio::test(start_paused = true)]
async fn express_children_begin_from_the_beginning_under_their_names() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let work = Work::failing(&json!(["bad"]));
    work.register(&aws);
    let mut definition = distributed(&json!({}), &working());
    definition["States"]["All"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = json!("EXPRESS");
    definition["States"]["All"]["ResultWriter"] =
        json!({"WriterConfig": {"Transformation": "NONE", "OutputType": "JSON"}});
    let execution = begun(&aws, &definition, &json!(["a", "bad"])).await;
    assert_eq!(ended(&aws, &execution).await["status"], "FAILED");
    redrive(&aws, &execution).await;
    assert_eq!(ended(&aws, &execution).await["status"], "FAILED", "still bad");
    work.mend();
    redrive(&aws, &execution).await;
    let results = output(&ended(&aws, &execution).await);
    assert_eq!(results.as_array().map(Vec::len), Some(2));
    assert_eq!(results[1]["Output"], r#"["bad"]"#);
    let arn = results[1]["ExecutionArn"].as_str().expect("an ARN");
    assert!(arn.contains(":express:map/label:"), "{arn}");
    assert_eq!((work.calls("a"), work.calls("bad")), (1, 3));
    let run = run_of(&aws, &execution).await;
    assert_eq!(
        (&run["redriveCount"], &run["executionCounts"]["total"]),
        (&json!(2), &json!(2))
    );
}

#[tokio::test(start_paused = true)]
async fn children_wait_for_their_turn_to_begin_again() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let work = Work::failing(&json!(["x", "y", "z"]));
    work.register(&aws);
    let fields = json!({"MaxConcurrency": 1, "ToleratedFailureCount": 2});
    let execution = begun(
        &aws,
        &distributed(&fields, &working()),
        &json!(["x", "y", "z", "a"]),
    )
    .await;
    assert_eq!(
        ended(&aws, &execution).await["error"],
        "States.ExceedToleratedFailureThreshold"
    );
    let counted = |run: &Value, names: [&str; 4]| names.map(|name| run["itemCounts"][name].as_u64());
    let run = run_of(&aws, &execution).await;
    let names = ["failed", "running", "pendingRedrive", "pending"];
    assert_eq!(counted(&run, names), [Some(3), Some(0), Some(0), Some(1)]);

    redrive(&aws, &execution).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let run = run_of(&aws, &execution).await;
    assert_eq!(counted(&run, names), [Some(0), Some(1), Some(2), Some(1)]);
    // What still waits when the run is over is as it was.
    ok(&aws, "StopExecution", json!({"executionArn": execution})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let run = run_of(&aws, &execution).await;
    assert_eq!(run["status"], "ABORTED");
    assert_eq!(counted(&run, names), [Some(2), Some(0), Some(0), Some(1)]);
    assert_eq!(run["itemCounts"]["aborted"], 1);

    work.mend();
    redrive(&aws, &execution).await;
    assert_eq!(
        output(&ended(&aws, &execution).await),
        json!([["x"], ["y"], ["z"], ["a"]])
    );
}

#[tokio::test(start_paused = true)]
async fn files_are_written_as_after_a_full_run() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let work = Work::failing(&json!(["bad"]));
    work.register(&aws);
    s3(&aws, "PUT", "/out", "").await;
    let writer =
        json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out", "Prefix": "p"}});
    let definition = distributed(&json!({"ResultWriter": writer}), &working());
    let execution = begun(&aws, &definition, &json!(["a", "bad"])).await;
    assert_eq!(ended(&aws, &execution).await["status"], "FAILED");
    assert_eq!(
        run_of(&aws, &execution).await["executionCounts"]["resultsWritten"],
        2
    );
    work.mend();
    redrive(&aws, &execution).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        run_of(&aws, &execution).await["executionCounts"]["resultsWritten"],
        0
    );
    let written = output(&ended(&aws, &execution).await);
    let read = async |key: &Value| -> Value {
        let path = format!("/out/{}", key.as_str().expect("a key"));
        serde_json::from_slice(&s3(&aws, "GET", &path, "").await).expect("JSON")
    };
    let manifest = read(&written["ResultWriterDetails"]["Key"]).await;
    assert_eq!(manifest["ResultFiles"]["FAILED"], json!([]));
    let results = read(&manifest["ResultFiles"]["SUCCEEDED"][0]["Key"]).await;
    let told: Vec<_> = results.as_array().expect("a list").iter().collect();
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[1]["Output"], &told[1]["RedriveCount"]),
        (&json!(r#"["bad"]"#), &json!(1))
    );
    assert_eq!(
        run_of(&aws, &execution).await["executionCounts"]["resultsWritten"],
        2
    );
}

#[tokio::test(start_paused = true)]
async fn children_that_ended_long_ago_stay_as_they_are() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let work = Work::failing(&json!(["early", "late"]));
    work.register(&aws);
    let mut definition = distributed(&json!({"ToleratedFailureCount": 1}), &passing_by_name());
    let states = &mut definition["States"]["All"]["ItemProcessor"]["States"];
    states["Wait"] = json!({"Type": "Wait", "Seconds": 15 * 86_400, "Next": "Work"});
    states["Work"] = working();
    let execution = begun(&aws, &definition, &json!(["early", "late"])).await;
    tokio::time::sleep(Duration::from_hours(15 * 24 + 1)).await;
    assert_eq!(ended(&aws, &execution).await["status"], "FAILED");
    let run = run_of(&aws, &execution).await;
    assert_eq!(
        (
            &run["itemCounts"]["failed"],
            &run["itemCounts"]["failuresNotRedrivable"]
        ),
        (&json!(2), &json!(1))
    );
    work.mend();
    redrive(&aws, &execution).await;
    assert_eq!(output(&ended(&aws, &execution).await), json!([["late"]]));
    let run = run_of(&aws, &execution).await;
    assert_eq!((work.calls("early"), work.calls("late")), (1, 2));
    assert_eq!(
        (
            &run["itemCounts"]["failed"],
            &run["itemCounts"]["failuresNotRedrivable"]
        ),
        (&json!(1), &json!(1))
    );
}

/// `late` waits before its work.
fn passing_by_name() -> Value {
    json!({"Type": "Choice", "Choices": [{"Variable": "$", "StringEquals": "late", "Next": "Wait"}], "Default": "Work"})
}

#[tokio::test(start_paused = true)]
async fn items_that_were_never_read_are_read() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    s3(&aws, "PUT", "/data", "").await;
    let reader = json!({
        "Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "data", "Key": "items.json"},
        "ReaderConfig": {"InputType": "JSON"}
    });
    let each = json!({"Type": "Pass", "End": true});
    let execution = begun(
        &aws,
        &distributed(&json!({"ItemReader": reader}), &each),
        &json!({}),
    )
    .await;
    assert_eq!(ended(&aws, &execution).await["error"], "States.ItemReaderFailed");
    s3(&aws, "PUT", "/data/items.json", "[1, 2]").await;
    redrive(&aws, &execution).await;
    assert_eq!(output(&ended(&aws, &execution).await), json!([1, 2]));
    assert_eq!(run_of(&aws, &execution).await["redriveCount"], 1);
}

#[tokio::test(start_paused = true)]
async fn redriven_at_once_a_run_first_ends_what_it_was_at() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let work = Work::default();
    work.register(&aws);
    let items: Vec<u32> = (0..100).collect();
    let execution = begun(&aws, &distributed(&json!({}), &working()), &json!(items)).await;
    for wait in [0, 1, 300, 0, 900] {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        ok(&aws, "StopExecution", json!({"executionArn": execution})).await;
        redrive(&aws, &execution).await;
    }
    let results: Vec<Value> = items.iter().map(|item| json!([item])).collect();
    assert_eq!(output(&ended(&aws, &execution).await), json!(results));
    let run = run_of(&aws, &execution).await;
    assert_eq!(
        (&run["redriveCount"], &run["itemCounts"]["total"]),
        (&json!(5), &json!(100))
    );
    assert_eq!(run["itemCounts"]["succeeded"], 100);
}

/// Cut off at many moments, before a redrive, in it and after it, a run comes to what it would have come to.
#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_of_a_redrive_it_ends_the_same() {
    for kind in ["STANDARD", "EXPRESS"] {
        let folder = crate::testing::folder("redrives-of-runs");
        let options = options(Some(folder.path()));
        let work = Work::failing(&json!(["bad", "worse"]));
        let begin = async || {
            let aws = AwsLocal::start(options.clone()).await.expect("it starts");
            work.register(&aws);
            aws.resume().await.expect("it goes on");
            aws
        };
        let mut aws = begin().await;
        let fields = json!({"MaxConcurrency": 2, "ToleratedFailureCount": 1});
        let mut definition = distributed(&fields, &working());
        definition["States"]["All"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = json!(kind);
        let machine = create(&aws, "map", &definition).await;
        let mut executions = Vec::new();
        for _ in 0..20 {
            executions.push(start(&aws, &machine, &json!(["a", "bad", "c", "worse", "e"])).await);
        }
        for execution in &executions {
            assert_eq!(ended(&aws, execution).await["status"], "FAILED");
        }
        work.mend();
        for (n, execution) in (0..).zip(&executions) {
            redrive(&aws, execution).await;
            tokio::time::sleep(Duration::from_millis(n * 137)).await;
            drop(aws);
            aws = begin().await;
        }
        for execution in &executions {
            let described = ended(&aws, execution).await;
            assert_eq!(
                output(&described),
                json!([["a"], ["bad"], ["c"], ["worse"], ["e"]])
            );
            let types = events(&aws, execution).await;
            let of = |kind: &str| types.iter().filter(|event| *event == kind).count();
            assert_eq!(
                (of("MapRunStarted"), of("MapRunRedriven"), of("MapRunSucceeded")),
                (1, 1, 1)
            );
            let run = run_of(&aws, execution).await;
            assert_eq!(run["redriveCount"], 1);
            assert_eq!(
                (&run["itemCounts"]["succeeded"], &run["itemCounts"]["total"]),
                (&json!(5), &json!(5)),
                "{run}"
            );
        }
        assert_eq!(aws.activity().await.running_executions, 0);
    }
}
