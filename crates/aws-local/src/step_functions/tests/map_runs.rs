//! Distributed Maps: their items, their children, their results, and what is left when the process is killed.

use bytes::Bytes;

use super::*;

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=any/20261121/us-east-1/s3/aws4_request, SignedHeaders=host";

pub(super) async fn s3(aws: &AwsLocal, method: &str, path: &str, body: impl Into<Bytes>) -> Bytes {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:8086{path}"))
        .header("authorization", SIGNED)
        .body(body.into());
    let response = aws.handle(request.expect("a request")).await;
    assert!(
        response.status().is_success(),
        "{method} {path}: {}",
        response.status()
    );
    response.into_body()
}

/// A machine of one distributed Map with these fields, whose children run `states` from the state `Each`.
pub(super) fn distributed(fields: &Value, each: &Value) -> Value {
    let mut map = json!({"Type": "Map", "End": true, "Label": "label", "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Each", "States": {"Each": each}
    }});
    for (name, value) in fields.as_object().expect("fields") {
        map[name] = value.clone();
    }
    json!({"StartAt": "All", "States": {"All": map}})
}

fn passing() -> Value {
    json!({"Type": "Pass", "End": true})
}

/// Calls the function `work` with the item.
pub(super) fn working() -> Value {
    json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work", "End": true})
}

/// A function `work` that takes a second, fails on what is `"bad"`, and counts its calls by what it is given.
fn register_work(aws: &AwsLocal) -> Arc<std::sync::Mutex<Vec<String>>> {
    let calls = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    aws.register_function(
        "work",
        function(move |invocation| {
            let payload = invocation.payload.clone();
            seen.lock().expect("a lock").push(payload.to_string());
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if payload == json!("bad") {
                    return Err(FunctionError::new("Bad", "bad"));
                }
                Ok(json!([payload]))
            }
        }),
    );
    calls
}

pub(super) async fn begun(aws: &AwsLocal, definition: &Value, input: &Value) -> Value {
    let machine = create(aws, "map", definition).await;
    start(aws, &machine, input).await
}

pub(super) async fn run_of(aws: &AwsLocal, execution: &Value) -> Value {
    let runs = ok(aws, "ListMapRuns", json!({"executionArn": execution})).await;
    let arn = runs["mapRuns"][0]["mapRunArn"].clone();
    ok(aws, "DescribeMapRun", json!({"mapRunArn": arn})).await
}

pub(super) fn output(described: &Value) -> Value {
    assert_eq!(described["status"], "SUCCEEDED", "{described}");
    serde_json::from_str(described["output"].as_str().expect("an output")).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn each_item_is_a_child_execution() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let definition = distributed(&json!({"ItemsPath": "$.items", "MaxConcurrency": 2}), &passing());
    let execution = begun(&aws, &definition, &json!({"items": [1, "b", {"c": 3}]})).await;
    let described = ended(&aws, &execution).await;
    assert_eq!(output(&described), json!([1, "b", {"c": 3}]));
    let kinds = [
        "ExecutionStarted",
        "MapStateEntered",
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded",
    ];
    assert_eq!(events(&aws, &execution).await, kinds);

    let run = run_of(&aws, &execution).await;
    let arn = run["mapRunArn"].as_str().expect("an ARN");
    assert!(
        arn.starts_with("arn:aws:states:us-east-1:123456789012:mapRun:map/label:"),
        "{arn}"
    );
    assert_eq!(
        (&run["status"], &run["maxConcurrency"]),
        (&json!("SUCCEEDED"), &json!(2))
    );
    assert_eq!(
        (&run["executionArn"], &run["itemCounts"]["succeeded"]),
        (&execution, &json!(3))
    );
    assert_eq!(run["executionCounts"]["total"], 3);

    let children = ok(
        &aws,
        "ListExecutions",
        json!({"mapRunArn": arn, "statusFilter": "SUCCEEDED"}),
    )
    .await;
    let children = children["executions"].as_array().expect("a list");
    assert_eq!(children.len(), 3);
    let child = &children[2];
    let name = child["name"].as_str().expect("a name");
    let expected = format!("arn:aws:states:us-east-1:123456789012:execution:map/label:{name}");
    assert_eq!(child["executionArn"], expected);
    assert_eq!(child["itemCount"], 1);
    let child = ok(&aws, "DescribeExecution", json!({"executionArn": expected})).await;
    assert_eq!((&child["mapRunArn"], &child["input"]), (&json!(arn), &json!("1")));
    assert_eq!(
        child["stateMachineArn"],
        "arn:aws:states:us-east-1:123456789012:stateMachine:map/label"
    );
    assert_eq!(
        events(&aws, &json!(expected)).await,
        [
            "ExecutionStarted",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:map";
    let listed = ok(&aws, "ListExecutions", json!({"stateMachineArn": machine})).await;
    assert_eq!(listed["executions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(start_paused = true)]
async fn failures_are_tolerated_up_to_a_limit() {
    let items = json!(["a", "bad", "c", "bad", "e"]);
    for (fields, succeeds) in [
        (json!({"ToleratedFailureCount": 2}), true),
        (json!({"ToleratedFailureCount": 1}), false),
        (json!({"ToleratedFailurePercentage": 40}), true),
        (json!({"ToleratedFailurePercentage": 39.9}), false),
        (json!({}), false),
    ] {
        let aws = AwsLocal::start(options(None)).await.expect("it starts");
        register_work(&aws);
        let execution = begun(&aws, &distributed(&fields, &working()), &items).await;
        let described = ended(&aws, &execution).await;
        let run = run_of(&aws, &execution).await;
        if succeeds {
            assert_eq!(output(&described), json!([["a"], ["c"], ["e"]]));
            assert_eq!(
                (&run["status"], &run["itemCounts"]["failed"]),
                (&json!("SUCCEEDED"), &json!(2))
            );
        } else {
            assert_eq!(described["error"], "States.ExceedToleratedFailureThreshold");
            assert_eq!(run["status"], "FAILED");
            let events = events(&aws, &execution).await;
            assert_eq!(events[4..], ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_not_begun_stays_pending_when_a_run_fails() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let calls = register_work(&aws);
    let definition = distributed(&json!({"MaxConcurrency": 2}), &working());
    let execution = begun(&aws, &definition, &json!(["a", "bad", "c", "d", "e"])).await;
    assert_eq!(ended(&aws, &execution).await["status"], "FAILED");
    let counts = run_of(&aws, &execution).await["itemCounts"].clone();
    assert_eq!(counts["failed"], 1);
    assert_eq!(counts["running"], 0);
    assert_eq!(counts["total"], 5);
    assert!(counts["pending"].as_u64() >= Some(2), "{counts}");
    let calls = calls.lock().expect("a lock").len();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(calls <= 3, "{calls}");
}

#[tokio::test(start_paused = true)]
async fn stopping_the_execution_stops_the_children() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    register_work(&aws);
    let wait = json!({"Type": "Wait", "Seconds": 1000, "End": true});
    let execution = begun(&aws, &distributed(&json!({}), &wait), &json!([1, 2, 3])).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let run = run_of(&aws, &execution).await;
    assert_eq!(run["itemCounts"]["running"], 3);
    assert_eq!(run["stopDate"], Value::Null);
    ok(&aws, "StopExecution", json!({"executionArn": execution})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let run = run_of(&aws, &execution).await;
    assert_eq!(
        (&run["status"], &run["itemCounts"]["aborted"]),
        (&json!("ABORTED"), &json!(3))
    );
    assert_eq!(aws.activity().await.running_executions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_updated_while_it_goes_on() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    register_work(&aws);
    let definition = distributed(&json!({"MaxConcurrency": 1}), &working());
    let execution = begun(&aws, &definition, &json!(["a", "bad", "c", "d"])).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let run = run_of(&aws, &execution).await;
    assert_eq!(run["itemCounts"]["running"], 1);
    let arn = &run["mapRunArn"];
    ok(
        &aws,
        "UpdateMapRun",
        json!({"mapRunArn": arn, "maxConcurrency": 3, "toleratedFailureCount": 1}),
    )
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let run = run_of(&aws, &execution).await;
    assert_eq!(
        (&run["itemCounts"]["running"], &run["toleratedFailureCount"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(ended(&aws, &execution).await["status"], "SUCCEEDED");
    let late = refused(
        &aws,
        "UpdateMapRun",
        json!({"mapRunArn": arn, "maxConcurrency": 1}),
    )
    .await;
    assert!(late.starts_with("ValidationException"), "{late}");
    let none = "arn:aws:states:us-east-1:123456789012:mapRun:map/label:none";
    let none = refused(&aws, "DescribeMapRun", json!({"mapRunArn": none})).await;
    assert!(none.starts_with("ResourceNotFound"), "{none}");
    let wrong = refused(
        &aws,
        "DescribeMapRun",
        json!({"mapRunArn": "arn:aws:states:a:b:execution:c:d"}),
    )
    .await;
    assert!(wrong.starts_with("InvalidArn"), "{wrong}");
}

#[tokio::test(start_paused = true)]
async fn items_are_read_from_s3_in_each_format() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    s3(&aws, "PUT", "/data", "").await;
    s3(
        &aws,
        "PUT",
        "/data/a.csv",
        "id,name\n1,Bob\n2,\"Eve, \"\"E\"\"\"\n",
    )
    .await;
    s3(&aws, "PUT", "/data/a.json", r#"{"list": [1, 2, 3]}"#).await;
    s3(&aws, "PUT", "/data/a.jsonl", "{\"x\": 1}\n{\"x\": 2}\n").await;
    s3(&aws, "PUT", "/data/m", "s3://data/a.jsonl\n").await;
    let read = async |name: &str, resource: &str, parameters: Value, config: Value| {
        let reader = json!({
            "Resource": format!("arn:aws:states:::s3:{resource}"), "Parameters": parameters, "ReaderConfig": config
        });
        let definition = distributed(&json!({"ItemReader": reader}), &passing());
        let machine = create(&aws, name, &definition).await;
        let execution = start(&aws, &machine, &json!({})).await;
        ended(&aws, &execution).await
    };
    let object = |key: &str| json!({"Bucket": "data", "Key": key});
    let csv = json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"});
    let rows = json!([{"id": "1", "name": "Bob"}, {"id": "2", "name": "Eve, \"E\""}]);
    assert_eq!(
        output(&read("csv", "getObject", object("a.csv"), csv).await),
        rows
    );
    let given = json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "MaxItems": 1});
    assert_eq!(
        output(&read("given", "getObject", object("a.csv"), given).await),
        json!([{"a": "id"}])
    );
    let pointed = json!({"InputType": "JSON", "ItemsPointer": "/list"});
    assert_eq!(
        output(&read("json", "getObject", object("a.json"), pointed).await),
        json!([1, 2, 3])
    );
    let fields = json!({"InputType": "JSON"});
    let pairs = json!([{"Key": "list", "Value": [1, 2, 3]}]);
    assert_eq!(
        output(&read("fields", "getObject", object("a.json"), fields).await),
        pairs
    );
    let lines = json!({"InputType": "JSONL"});
    let values = json!([{"x": 1}, {"x": 2}]);
    assert_eq!(
        output(&read("lines", "getObject", object("a.jsonl"), lines.clone()).await),
        values
    );
    let athena = json!({"InputType": "JSONL", "ManifestType": "ATHENA_DATA"});
    assert_eq!(
        output(&read("athena", "getObject", object("m"), athena).await),
        values
    );
    let prefix = json!({"Bucket": "data", "Prefix": "a."});
    let listed = output(&read("list", "listObjectsV2", prefix.clone(), json!({"MaxItems": 2})).await);
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&listed[0]["Key"], &listed[0]["Size"]),
        (&json!("a.csv"), &json!(29))
    );
    let flatten = json!({"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"});
    let prefix = json!({"Bucket": "data", "Prefix": "a.jsonl"});
    assert_eq!(
        output(&read("flatten", "listObjectsV2", prefix, flatten).await),
        values
    );
    for (name, key, config) in [("none", "none", &lines), ("broken", "a.csv", &lines)] {
        let failed = read(name, "getObject", object(key), config.clone()).await;
        assert_eq!(failed["error"], "States.ItemReaderFailed", "{failed}");
    }
}

#[tokio::test(start_paused = true)]
async fn batches_are_filled_and_results_written() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    register_work(&aws);
    s3(&aws, "PUT", "/out", "").await;
    let writer = json!({
        "Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out", "Prefix": "results"}
    });
    let fields = json!({
        "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"x.$": "$[0]"}},
        "ItemSelector": {"v.$": "$$.Map.Item.Value"},
        "ResultWriter": writer,
    });
    let execution = begun(&aws, &distributed(&fields, &passing()), &json!(["a", "b", "c"])).await;
    let result = output(&ended(&aws, &execution).await);
    let run = run_of(&aws, &execution).await;
    assert_eq!(result["MapRunArn"], run["mapRunArn"]);
    assert_eq!(
        (&run["itemCounts"]["total"], &run["executionCounts"]["total"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(
        (
            &run["itemCounts"]["resultsWritten"],
            &run["executionCounts"]["resultsWritten"]
        ),
        (&json!(3), &json!(2))
    );
    let name = run["mapRunArn"]
        .as_str()
        .and_then(|arn| arn.rsplit(':').next())
        .expect("a name");
    let key = format!("results/{name}/manifest.json");
    assert_eq!(
        result["ResultWriterDetails"],
        json!({"Bucket": "out", "Key": key})
    );
    let read = async |key: &str| -> Value {
        serde_json::from_slice(&s3(&aws, "GET", &format!("/out/{key}"), "").await).expect("JSON")
    };
    let manifest = read(&key).await;
    let files = &manifest["ResultFiles"];
    assert_eq!((&files["FAILED"], &files["PENDING"]), (&json!([]), &json!([])));
    let succeeded = read(files["SUCCEEDED"][0]["Key"].as_str().expect("a key")).await;
    let inputs: Vec<&str> = succeeded
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|child| child["Input"].as_str())
        .collect();
    let expected = [
        r#"{"BatchInput":{"x":"a"},"Items":[{"v":"a"},{"v":"b"}]}"#,
        r#"{"BatchInput":{"x":"a"},"Items":[{"v":"c"}]}"#,
    ];
    assert_eq!(inputs, expected);
    assert_eq!(
        (&succeeded[0]["Status"], &succeeded[0]["Output"]),
        (&json!("SUCCEEDED"), &json!(expected[0]))
    );

    let fields = json!({"MaxConcurrency": 1, "ResultWriter": {
        "Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out"},
        "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"}
    }});
    let machine = create(&aws, "lines", &distributed(&fields, &working())).await;
    let execution = start(&aws, &machine, &json!(["a", "b", "bad", "c"])).await;
    assert_eq!(ended(&aws, &execution).await["status"], "FAILED");
    let run = run_of(&aws, &execution).await;
    let name = run["mapRunArn"]
        .as_str()
        .and_then(|arn| arn.rsplit(':').next())
        .expect("a name");
    let file = async |kind: &str| s3(&aws, "GET", &format!("/out/{name}/{kind}_0.json"), "").await;
    assert_eq!(&file("SUCCEEDED").await[..], b"\"a\"\n\"b\"\n");
    let failed: Value = serde_json::from_slice(&file("FAILED").await).expect("JSON");
    assert_eq!(
        (&failed["Error"], &failed["Status"]),
        (&json!("Bad"), &json!("FAILED"))
    );
    let pending: Value = serde_json::from_slice(&file("PENDING").await).expect("JSON");
    assert_eq!(pending["Input"], "\"c\"");

    let fields = json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "none"}}});
    let machine = create(&aws, "nowhere", &distributed(&fields, &passing())).await;
    let execution = start(&aws, &machine, &json!([1])).await;
    assert_eq!(
        ended(&aws, &execution).await["error"],
        "States.ResultWriterFailed"
    );
}

#[tokio::test(start_paused = true)]
async fn runs_nest_and_children_may_be_express() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let mut inner = distributed(&json!({}), &passing())["States"]["All"].clone();
    inner["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = json!("EXPRESS");
    inner["ItemProcessor"]["StartAt"] = json!("Deep");
    inner["ItemProcessor"]["States"] =
        json!({"Deep": {"Type": "Pass", "Parameters": {"id.$": "$$.Execution.Id"}, "End": true}});
    let execution = begun(&aws, &distributed(&json!({}), &inner), &json!([[1], [2, 3]])).await;
    let output = output(&ended(&aws, &execution).await);
    assert_eq!(
        (
            output[0].as_array().map(Vec::len),
            output[1].as_array().map(Vec::len)
        ),
        (Some(1), Some(2))
    );
    let id = output[1][0]["id"].as_str().expect("an ARN");
    assert!(
        id.starts_with("arn:aws:states:us-east-1:123456789012:express:map/label:"),
        "{id}"
    );
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_items() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let items: Vec<usize> = (0..10_000).collect();
    let fields = json!({"MaxConcurrency": 500});
    let execution = begun(&aws, &distributed(&fields, &passing()), &json!(items)).await;
    assert_eq!(output(&ended(&aws, &execution).await), json!(items));
    assert_eq!(
        run_of(&aws, &execution).await["executionCounts"]["succeeded"],
        10_000
    );
}

/// Cut off at many moments, every item is run, none twice that had ended, and the events are there once.
#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_a_run_goes_on() {
    let folder = crate::testing::folder("map-runs");
    let options = options(Some(folder.path()));
    let each = json!({"Type": "Wait", "Seconds": 1, "End": true});
    let definition = distributed(
        &json!({"MaxConcurrency": 2, "ItemSelector": {"v.$": "$$.Map.Item.Value"}}),
        &each,
    );
    let mut aws = AwsLocal::start(options.clone()).await.expect("it starts");
    let execution = begun(&aws, &definition, &json!([1, 2, 3, 4, 5, 6])).await;
    let mut described = json!(null);
    for n in 0..200 {
        drop(aws);
        aws = AwsLocal::start(options.clone()).await.expect("it starts again");
        aws.resume().await.expect("it goes on");
        for _ in 0..(n % 7) * 40 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis((n * 37) % 400)).await;
        described = ok(&aws, "DescribeExecution", json!({"executionArn": execution})).await;
        if described["status"] != "RUNNING" {
            break;
        }
    }
    let expected: Vec<Value> = (1..=6).map(|v| json!({"v": v})).collect();
    assert_eq!(output(&described), json!(expected));
    let run = run_of(&aws, &execution).await;
    assert_eq!(
        (
            &run["executionCounts"]["total"],
            &run["executionCounts"]["succeeded"]
        ),
        (&json!(6), &json!(6))
    );
    let events = events(&aws, &execution).await;
    assert_eq!(
        events.iter().filter(|event| *event == "MapRunSucceeded").count(),
        1
    );
    assert_eq!(events.len(), 8);
}

/// A machine in JSONata that assigns `$factor` from its input before its distributed Map, whose children run `each`.
fn distributed_jsonata(fields: &Value, each: &Value) -> Value {
    let mut machine = distributed(fields, each);
    machine["QueryLanguage"] = json!("JSONata");
    machine["StartAt"] = json!("First");
    machine["States"]["First"] =
        json!({"Type": "Pass", "Assign": {"factor": "{% $states.input.factor %}"}, "Next": "All"});
    machine
}

#[tokio::test(start_paused = true)]
async fn jsonata_says_where_the_items_are_and_what_becomes_of_them() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    s3(&aws, "PUT", "/data", "").await;
    s3(&aws, "PUT", "/out", "").await;
    s3(
        &aws,
        "PUT",
        "/data/a.jsonl",
        "{\"x\": 1}\n{\"x\": 2}\n{\"x\": 3}\n{\"x\": 4}\n",
    )
    .await;
    let fields = json!({
        "MaxConcurrency": "{% $factor %}",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "Arguments": {"Bucket": "{% $states.input.bucket %}", "Key": "{% 'a' & '.jsonl' %}"},
            "ReaderConfig": {"InputType": "JSONL", "MaxItems": "{% $factor - 7 %}"}
        },
        "ItemSelector": {
            "times": "{% $states.context.Map.Item.Value.x * $factor %}",
            "from": "{% $states.context.Map.Item.Source %}"
        },
        "ItemBatcher": {"MaxItemsPerBatch": "{% $factor / 5 %}", "BatchInput": {"f": "{% $factor %}"}},
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Arguments": {"Bucket": "out", "Prefix": "{% 'by-' & $factor %}"},
            "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSON"}
        },
        "Output": "{% $states.result.ResultWriterDetails.Key %}"
    });
    let each = json!({
        "Type": "Pass", "End": true,
        "Output": "{% {'sum': $sum($states.input.Items.times), 'f': $states.input.BatchInput.f, 'from': $states.input.Items[0].from} %}"
    });
    let input = json!({"factor": 10, "bucket": "data"});
    let execution = begun(&aws, &distributed_jsonata(&fields, &each), &input).await;
    let key = output(&ended(&aws, &execution).await);
    let key = key.as_str().expect("a key");
    assert!(
        key.starts_with("by-10/") && key.ends_with("/manifest.json"),
        "{key}"
    );
    let run = run_of(&aws, &execution).await;
    assert_eq!(
        (
            &run["maxConcurrency"],
            &run["itemCounts"]["succeeded"],
            &run["executionCounts"]["succeeded"]
        ),
        (&json!(10), &json!(3), &json!(2))
    );
    let read = async |key: &str| -> Value {
        serde_json::from_slice(&s3(&aws, "GET", &format!("/out/{key}"), "").await).expect("JSON")
    };
    let manifest = read(key).await;
    let file = manifest["ResultFiles"]["SUCCEEDED"][0]["Key"]
        .as_str()
        .expect("a key");
    let child = |sum: u64| json!({"sum": sum, "f": 10, "from": "S3://data/a.jsonl"});
    assert_eq!(read(file).await, json!([child(30), child(30)]));
}

#[tokio::test(start_paused = true)]
async fn jsonata_over_an_array_tolerates_what_it_says() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    register_work(&aws);
    let fields = json!({
        "Items": "{% $states.input.items %}",
        "ToleratedFailureCount": "{% $factor %}",
        "Assign": {"count": "{% $count($states.result) %}"},
        "Output": {"done": "{% $states.result %}", "of": "{% $count($states.input.items) %}"}
    });
    let input = |factor: Value| json!({"factor": factor, "items": ["a", "bad", "c"]});
    let definition = distributed_jsonata(&fields, &working());
    let machine = create(&aws, "array", &definition).await;
    let one = start(&aws, &machine, &input(json!(1))).await;
    assert_eq!(
        output(&ended(&aws, &one).await),
        json!({"done": [["a"], ["c"]], "of": 3})
    );
    let none = start(&aws, &machine, &input(json!(0))).await;
    let failed = ended(&aws, &none).await;
    assert_eq!(
        failed["error"], "States.ExceedToleratedFailureThreshold",
        "{failed}"
    );
    let text = start(&aws, &machine, &input(json!("one"))).await;
    let failed = ended(&aws, &text).await;
    assert_eq!(failed["error"], "States.QueryEvaluationError", "{failed}");
    let kinds = [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "MapStateEntered",
        "MapStateStarted",
        "EvaluationFailed",
        "MapStateFailed",
        "ExecutionFailed",
    ];
    assert_eq!(events(&aws, &text).await, kinds);
    let selected = json!({"Items": [1], "ItemSelector": "{% $none %}"});
    let selected = create(&aws, "selected", &distributed_jsonata(&selected, &passing())).await;
    let selected = start(&aws, &selected, &input(json!(1))).await;
    let failed = ended(&aws, &selected).await;
    assert_eq!(failed["error"], "States.QueryEvaluationError", "{failed}");
    assert!(events(&aws, &selected).await.contains(&"MapRunFailed".to_owned()));
}
