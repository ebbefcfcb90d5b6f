//! Distributed Map states: what a Map Run is asked to do, and what comes of its end.

use asl::{
    Batch, Definition, Entry, Event, Execution, Export, Failure, Format, Happened, Refused, Results, Source,
    Status, Transformation,
};
use serde_json::{Value, json};

use crate::driver::{Counter, Driver};

const ARN: &str = "arn:aws:states:us-east-1:111111111111:mapRun:machine/";

/// A machine of one distributed Map with these fields.
fn distributed(fields: &Value) -> Value {
    let mut map = json!({"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Each", "States": {"Each": {"Type": "Pass", "End": true}}
    }});
    for (name, value) in fields.as_object().unwrap() {
        map[name] = value.clone();
    }
    json!({"StartAt": "All", "States": {"All": map}})
}

fn failure(error: &str) -> Failure {
    Failure {
        error: Some(error.into()),
        cause: Some("why".into()),
        also: None,
    }
}

#[test]
fn a_run_begins_with_everything_worked_out() {
    let driver = Driver::start(
        &distributed(&json!({
            "Label": "mine",
            "ItemsPath": "$.items",
            "MaxConcurrencyPath": "$.most",
            "ToleratedFailureCountPath": "$.count",
            "ToleratedFailurePercentagePath": "$.share",
            "ItemBatcher": {"MaxItemsPerBatchPath": "$.size", "MaxInputBytesPerBatch": 1000, "BatchInput": {"a.$": "$.a"}},
            "ResultWriter": {
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket.$": "$.bucket", "Prefix": "p"},
                "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"}
            }
        })),
        r#"{"items": [1], "most": 70, "count": 2, "share": 12.5, "size": 3, "a": [0], "bucket": "b"}"#,
    );
    let [run] = &driver.map_runs[..] else {
        panic!("one run")
    };
    assert!(run.arn.starts_with(&format!("{ARN}mine:")), "{}", run.arn);
    assert_eq!(
        (run.label.as_str(), run.state.as_str(), run.express),
        ("mine", "All", false)
    );
    assert_eq!(
        (run.concurrency, run.tolerated_count, run.tolerated_percentage),
        (70, Some(2), Some(12.5))
    );
    let batch = Batch {
        items: Some(3),
        bytes: Some(1000),
        input: Some(json!({"a": [0]})),
    };
    assert_eq!(run.batch, Some(batch));
    let export = Export {
        bucket: "b".into(),
        prefix: "p".into(),
    };
    let results = Results {
        transformation: Transformation::Flatten,
        lines: true,
        export: Some(export),
    };
    assert_eq!((&run.source, &run.results), (&Source::Given, &results));
    assert_eq!(driver.execution.open_map_runs(), driver.map_runs);
}

#[test]
fn where_the_items_are_is_read_from_the_data() {
    let source = |reader: Value| {
        let driver = Driver::start(
            &distributed(&json!({"ItemReader": reader})),
            r#"{"k": "key", "n": 5}"#,
        );
        assert_eq!(
            driver.history()[2]["mapStateStartedEventDetails"],
            json!({"length": 0})
        );
        driver.map_runs[0].source.clone()
    };
    let get = |config: Value| {
        json!({
            "Resource": "arn:aws:states:::s3:getObject",
            "Parameters": {"Bucket": "b", "Key.$": "$.k"},
            "ReaderConfig": config
        })
    };
    let object = |format, most| Source::Object {
        bucket: "b".into(),
        key: "key".into(),
        version: None,
        format,
        most,
    };
    for (config, expected) in [
        (
            json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItemsPath": "$.n"}),
            object(
                Format::Csv {
                    delimiter: ',',
                    headers: None,
                },
                Some(5),
            ),
        ),
        (
            json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "CSVDelimiter": "TAB", "MaxItems": 0}),
            object(
                Format::Csv {
                    delimiter: '\t',
                    headers: Some(vec!["a".into()]),
                },
                None,
            ),
        ),
        (
            json!({"InputType": "JSON", "ItemsPointer": "/a"}),
            object(
                Format::Json {
                    pointer: Some("/a".into()),
                },
                None,
            ),
        ),
        (json!({"InputType": "JSONL"}), object(Format::JsonLines, None)),
        (json!({"InputType": "MANIFEST"}), object(Format::Inventory, None)),
        (
            json!({"ManifestType": "ATHENA_DATA", "InputType": "JSONL"}),
            object(
                Format::Athena {
                    of: Box::new(Format::JsonLines),
                },
                None,
            ),
        ),
    ] {
        assert_eq!(source(get(config.clone())), expected, "{config}");
    }
    let list = json!({"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b", "Prefix": "p"}});
    let expected = Source::Listing {
        bucket: "b".into(),
        prefix: "p".into(),
        load: None,
        most: None,
    };
    assert_eq!(source(list), expected);
}

#[test]
fn the_end_of_the_run_is_the_end_of_the_state() {
    let mut driver = Driver::start(&distributed(&json!({})), "[1, 2]");
    assert_eq!(*driver.execution.status(), Status::Running);
    driver.restart();
    let arn = driver.map_runs[0].arn.clone();
    let over = Happened::MapRunSucceeded {
        arn,
        output: json!([3]),
    };
    assert_eq!(driver.tell(over.clone()), None);
    assert_eq!(driver.output(), &json!([3]));
    assert_eq!(driver.tell(over), Some(Refused::Ended));
    let kinds = [
        "ExecutionStarted",
        "MapStateEntered All",
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited All",
        "ExecutionSucceeded",
    ];
    assert_eq!(driver.events(), kinds);
}

#[test]
fn a_run_that_fails_can_be_retried_and_caught() {
    let mut definition = distributed(&json!({
        "Retry": [{"ErrorEquals": ["States.ItemReaderFailed"], "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    }));
    definition["States"]["Caught"] = json!({"Type": "Pass", "End": true});
    let mut driver = Driver::start(&definition, "[1]");
    for n in 0..2 {
        let arn = driver.map_runs[n].arn.clone();
        let failure = failure("States.ItemReaderFailed");
        assert_eq!(driver.tell(Happened::MapRunFailed { arn, failure }), None);
        driver.run();
    }
    assert_ne!(driver.map_runs[0].arn, driver.map_runs[1].arn);
    let caught = json!({"Error": "States.ItemReaderFailed", "Cause": "why"});
    assert_eq!(driver.output(), &caught);
    let events = driver.events();
    assert_eq!(events.iter().filter(|event| *event == "MapRunFailed").count(), 2);
    assert!(events.contains(&"MapStateFailed".to_owned()));
}

#[test]
fn a_run_nobody_waits_for_is_given_up() {
    let map = distributed(&json!({}))["States"]["All"].clone();
    let branch = |name: &str, state: Value| json!({"StartAt": name, "States": {name: state}});
    let fail = json!({"Type": "Fail", "Error": "Mine"});
    let wait = json!({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 5, "Next": "Fail"}, "Fail": fail}});
    let parallel = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [branch("All", map), wait]}}});
    let mut driver = Driver::start(&parallel, "[1]");
    assert_eq!(driver.map_runs.len(), 1);
    let arn = driver.map_runs[0].arn.clone();
    driver.run();
    assert!(driver.map_runs.is_empty());
    assert!(driver.events().contains(&"MapStateAborted".to_owned()));
    let mut driver = Driver::start(&parallel, "[1]");
    driver.tell(Happened::Stopped {
        error: None,
        cause: None,
    });
    assert!(driver.map_runs.is_empty());
    assert!(driver.execution.open_map_runs().is_empty());
    assert!(driver.execution.selecting(&arn).is_none());
}

#[test]
fn items_are_selected_with_their_context() {
    let selector = json!({
        "v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index", "s.$": "$$.Map.Item.Source", "in.$": "$.all"
    });
    let definition = distributed(&json!({"ItemsPath": "$.items", "ItemSelector": selector}));
    let driver = Driver::start(&definition, r#"{"items": [7], "all": true}"#);
    let selecting = driver.execution.selecting(&driver.map_runs[0].arn).unwrap();
    assert_eq!(selecting.given(), (&[json!(7)][..], false));
    let select = |item: Value| selecting.select(4, &item, false, "STATE_DATA", &mut Counter(1));
    assert_eq!(
        select(json!(7)),
        Ok(json!({"v": 7, "i": 4, "s": "STATE_DATA", "in": true}))
    );
    let large = select("x".repeat(300_000).into()).unwrap_err();
    assert_eq!(large.error.as_deref(), Some("States.DataLimitExceeded"));
    let definition = distributed(&json!({"ItemSelector": {"v.$": "$$.Map.Item.Value.x"}}));
    let driver = Driver::start(&definition, "[{}]");
    let selecting = driver.execution.selecting(&driver.map_runs[0].arn).unwrap();
    let missing = selecting
        .select(0, &json!({}), false, "STATE_DATA", &mut Counter(1))
        .unwrap_err();
    assert!(
        missing
            .cause
            .unwrap()
            .starts_with("An error occurred while executing the state 'All'")
    );
}

#[test]
fn children_run_the_processor() {
    let definition = Definition::parse(&distributed(&json!({})).to_string()).unwrap();
    let processor = std::sync::Arc::new(definition.processor("All").unwrap());
    assert!(definition.processor("Each").is_none() && definition.processor("None").is_none());
    let driver = Driver::begin(processor, "[5]");
    assert_eq!(driver.output(), &json!([5]));
    assert_eq!(driver.events()[1], "PassStateEntered Each");
}

#[test]
fn too_large_a_result_fails_the_run() {
    let mut driver = Driver::start(&distributed(&json!({})), "[1]");
    let arn = driver.map_runs[0].arn.clone();
    let output = vec!["x".repeat(1_000); 300].into();
    driver.tell(Happened::MapRunSucceeded { arn, output });
    assert_eq!(driver.failure().0, "States.DataLimitExceeded");
}

#[test]
fn the_journal_keeps_the_run_as_it_began() {
    let driver = Driver::start(&distributed(&json!({"ToleratedFailurePercentage": 0.1})), "[1]");
    let text = serde_json::to_string(&driver.journal).unwrap();
    let journal: Vec<Entry> = serde_json::from_str(&text).unwrap();
    assert_eq!(journal, driver.journal);
    let replayed = Execution::replay(driver.definition.clone(), &journal).unwrap();
    assert_eq!(replayed.open_map_runs(), driver.map_runs);
    assert!(matches!(
        journal.last().unwrap().event,
        Event::MapRunStarted { .. }
    ));
}

#[test]
fn each_wrong_field_is_named() {
    let reader = |config: Value| {
        json!({"ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"}, "ReaderConfig": config
        }})
    };
    for (fields, expected) in [
        (
            json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"}}}),
            "These fields are required: [Parameters] at /States/All/ItemReader",
        ),
        (
            json!({"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {}}}),
            "The field 'Bucket' is required but was missing at /States/All/ItemReader/Parameters",
        ),
        (
            reader(json!({})),
            "These fields are required: [InputType] at /States/All/ItemReader/ReaderConfig",
        ),
        (
            reader(json!({"InputType": "XML"})),
            "The field 'InputType' should have one of these values: [CSV, JSON, JSONL, PARQUET, MANIFEST] at /States/All/ItemReader/ReaderConfig/InputType",
        ),
        (
            reader(json!({"InputType": "JSON", "MaxItems": 100_000_001})),
            "Maximum value is 100000000 at /States/All/ItemReader/ReaderConfig/MaxItems",
        ),
        (
            reader(json!({"InputType": "JSON", "MaxItems": 1, "MaxItemsPath": "$.n"})),
            "There should only be one of the following fields: [MaxItems, MaxItemsPath] at /States/All/ItemReader/ReaderConfig",
        ),
        (
            reader(json!({"InputType": "CSV"})),
            "These fields are required: [CSVHeaderLocation] at /States/All/ItemReader/ReaderConfig",
        ),
        (
            json!({"ItemBatcher": {"MaxItemsPerBatch": -1}}),
            "Minimum value is 0 at /States/All/ItemBatcher/MaxItemsPerBatch",
        ),
        (
            json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b"}}}),
            "The resource provided arn:aws:states:::s3:getObject is not recognized. The value is not a valid resource ARN, or the resource is not available in this region. at /States/All/ResultWriter/Resource",
        ),
    ] {
        let found = Definition::parse(&distributed(&fields).to_string())
            .unwrap_err()
            .to_string();
        assert_eq!(found, format!("SCHEMA_VALIDATION_FAILED: {expected}"), "{fields}");
    }
    for label in ["", "a b", "a:b", "x".repeat(41).as_str()] {
        assert!(
            Definition::parse(&distributed(&json!({"Label": label})).to_string()).is_err(),
            "{label}"
        );
    }
    let mut bare = distributed(&json!({}));
    bare["States"]["All"]["ItemProcessor"]["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED"});
    let found = Definition::parse(&bare.to_string()).unwrap_err().to_string();
    let expected = "These fields are required: [ExecutionType] at /States/All/ItemProcessor/ProcessorConfig";
    assert_eq!(found, format!("SCHEMA_VALIDATION_FAILED: {expected}"));
}
