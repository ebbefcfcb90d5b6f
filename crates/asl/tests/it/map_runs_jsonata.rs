//! Distributed Map states in JSONata: every field that may be an expression, and what is refused.

use asl::{Batch, Definition, Event, Export, Failure, Format, Happened, Results, Source, Transformation};
use serde_json::{Value, json};

use crate::driver::{Counter, Driver, begin};

/// A machine in JSONata of one distributed Map with these fields, after a state that assigns `$outer`.
fn distributed(fields: &Value) -> Value {
    let mut map = json!({"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Each", "States": {"Each": {"Type": "Pass", "End": true}}
    }});
    for (name, value) in fields.as_object().unwrap() {
        map[name] = value.clone();
    }
    let first = json!({"Type": "Pass", "Assign": {"outer": "{% $states.input.outer %}"}, "Next": "All"});
    json!({"QueryLanguage": "JSONata", "StartAt": "First", "States": {"First": first, "All": map}})
}

const INPUT: &str = r#"{"items": [7, 8], "outer": 3, "share": 12.5, "bucket": "b", "key": "k"}"#;

fn started(fields: &Value) -> Driver {
    let driver = Driver::start(&distributed(fields), INPUT);
    assert_eq!(driver.map_runs.len(), 1, "{:?}", driver.events());
    driver
}

#[test]
fn every_number_and_text_may_be_an_expression() {
    let driver = started(&json!({
        "Label": "mine",
        "Items": "{% $states.input.items %}",
        "MaxConcurrency": "{% $outer * 10 / 2 %}",
        "ToleratedFailureCount": "{% $outer %}",
        "ToleratedFailurePercentage": "{% $states.input.share %}",
        "ItemBatcher": {
            "MaxItemsPerBatch": "{% $outer - 1 %}",
            "MaxInputBytesPerBatch": "{% 1e3 %}",
            "BatchInput": {"a": "{% $outer %}", "b": "$outer"}
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Arguments": {"Bucket": "{% $states.input.bucket %}", "Prefix": "{% 'p' & $outer %}"},
            "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"}
        }
    }));
    let run = &driver.map_runs[0];
    assert_eq!(
        (run.concurrency, run.tolerated_count, run.tolerated_percentage),
        (15, Some(3), Some(12.5))
    );
    let batch = Batch {
        items: Some(2),
        bytes: Some(1000),
        input: Some(json!({"a": 3, "b": "$outer"})),
    };
    assert_eq!(run.batch, Some(batch));
    let export = Export {
        bucket: "b".into(),
        prefix: "p3".into(),
    };
    let results = Results {
        transformation: Transformation::Flatten,
        lines: true,
        export: Some(export),
    };
    assert_eq!((&run.source, &run.results), (&Source::Given, &results));
    let selecting = driver.execution.selecting(&run.arn, begin()).unwrap();
    assert_eq!(selecting.given(), (&[json!(7), json!(8)][..], false));
}

#[test]
fn numbers_of_any_size_stay_what_they_are() {
    for (number, expected) in [("{% 1e300 %}", u64::MAX), ("{% 2.0 %}", 2), ("{% 0 %}", 0)] {
        let driver =
            started(&json!({"Items": [1], "ToleratedFailureCount": number, "MaxConcurrency": number}));
        let run = &driver.map_runs[0];
        assert_eq!(
            (run.tolerated_count, run.concurrency),
            (Some(expected), expected),
            "{number}"
        );
    }
}

#[test]
fn a_reader_has_arguments() {
    let source = |arguments: Value| {
        let driver = started(&json!({"ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "Arguments": arguments,
            "ReaderConfig": {"InputType": "JSONL", "MaxItems": "{% $outer + 2 %}"}
        }}));
        driver.map_runs[0].source.clone()
    };
    let expected = Source::Object {
        bucket: "b".into(),
        key: "k".into(),
        version: None,
        format: Format::JsonLines,
        most: Some(5),
    };
    let each = json!({"Bucket": "{% $states.input.bucket %}", "Key": "{% $states.input.key %}"});
    assert_eq!(source(each), expected);
    let whole = json!("{% {'Bucket': $states.input.bucket, 'Key': $states.input.key} %}");
    assert_eq!(source(whole), expected);
    let list = json!({"Resource": "arn:aws:states:::s3:listObjectsV2", "Arguments": {"Bucket": "b"}});
    let expected = Source::Listing {
        bucket: "b".into(),
        prefix: String::new(),
        load: None,
        most: None,
    };
    let driver = started(&json!({ "ItemReader": list }));
    assert_eq!(driver.map_runs[0].source, expected);
}

#[test]
fn items_are_an_array_or_an_object() {
    let given = |fields: Value| {
        let driver = started(&fields);
        let selecting = driver
            .execution
            .selecting(&driver.map_runs[0].arn, begin())
            .unwrap();
        let (items, keyed) = selecting.given();
        (json!(items), keyed)
    };
    let pairs = json!([{"Key": "a", "Value": 1}]);
    for items in [json!({"a": 1}), json!("{% {'a': 1} %}"), json!({"a": "{% 1 %}"})] {
        assert_eq!(given(json!({ "Items": items })), (pairs.clone(), true), "{items}");
    }
    assert_eq!(
        given(json!({"Items": ["{% $outer %}", "x"]})),
        (json!([3, "x"]), false)
    );
    // Without the field the input is iterated over.
    let (fields, keyed) = given(json!({}));
    assert_eq!((&fields[4], keyed), (&json!({"Key": "key", "Value": "k"}), true));
}

#[test]
fn items_are_selected_with_their_context() {
    let driver = started(&json!({
        "Items": "{% $states.input.items %}",
        "ItemSelector": {
            "v": "{% $states.context.Map.Item.Value %}",
            "i": "{% $states.context.Map.Item.Index %}",
            "s": "{% $states.context.Map.Item.Source %}",
            "in": "{% $states.input.bucket & $outer %}",
            "at": "{% $now() %}"
        }
    }));
    let selecting = driver
        .execution
        .selecting(&driver.map_runs[0].arn, begin())
        .unwrap();
    let select = |item: Value| selecting.select(4, &item, false, "STATE_DATA", &mut Counter(1));
    assert_eq!(
        select(json!(7)),
        Ok(json!({"v": 7, "i": 4, "s": "STATE_DATA", "in": "b3", "at": "2026-11-21T09:00:00.000Z"}))
    );
    let large = select("x".repeat(300_000).into()).unwrap_err();
    assert_eq!(large.error.as_deref(), Some("States.DataLimitExceeded"));
    let driver = started(&json!({"ItemSelector": "{% $states.context.Map.Item.Value.x %}"}));
    let selecting = driver
        .execution
        .selecting(&driver.map_runs[0].arn, begin())
        .unwrap();
    let missing = selecting.select(0, &json!({}), false, "STATE_DATA", &mut Counter(1));
    let missing = missing.unwrap_err();
    assert_eq!(missing.error.as_deref(), Some("States.QueryEvaluationError"));
    let cause = missing.cause.unwrap();
    assert!(
        cause.starts_with("An error occurred while executing the state 'All'")
            && cause.ends_with("specified for the field 'ItemSelector' returned nothing (undefined)."),
        "{cause}"
    );
}

#[test]
fn what_comes_of_the_run_is_made_into_output_and_variables() {
    let mut driver = started(&json!({
        "Items": [1, 2],
        "Output": "{% $sum($states.result) + $outer %}",
        "Assign": {"first": "{% $states.result[0] %}"}
    }));
    let arn = driver.map_runs[0].arn.clone();
    let output = json!([10, 20]);
    driver.tell(Happened::MapRunSucceeded { arn, output });
    assert_eq!(driver.output(), &json!(33));
    let assigned = driver.journal.iter().find_map(|entry| match &entry.event {
        Event::StateExited { assigned, .. } if assigned.contains_key("first") => {
            Some(assigned["first"].clone())
        }
        _ => None,
    });
    assert_eq!(assigned, Some(json!(10)));

    let caught = json!([{
        "ErrorEquals": ["States.ExceedToleratedFailureThreshold"],
        "Output": "{% $states.errorOutput.Cause %}", "Next": "Last"
    }]);
    let mut definition = distributed(&json!({"Items": [1], "Catch": caught}));
    definition["States"]["Last"] = json!({"Type": "Succeed"});
    let mut driver = Driver::start(&definition, INPUT);
    let arn = driver.map_runs[0].arn.clone();
    let failure = Failure {
        error: Some("States.ExceedToleratedFailureThreshold".into()),
        cause: Some("why".into()),
        also: None,
    };
    driver.tell(Happened::MapRunFailed { arn, failure });
    assert_eq!(driver.output(), &json!("why"));
}

#[test]
fn children_do_not_see_the_variables_around_the_map() {
    let each = json!({
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Each",
        "States": {
            "Each": {"Type": "Pass", "Output": "{% $exists($outer) %}", "Next": "Later"},
            // Without this the definition is refused.
            "Later": {"Type": "Pass", "Assign": {"outer": 1}, "End": true}
        }
    });
    let definition = distributed(&json!({"Items": [1], "ItemProcessor": each}));
    let definition = Definition::parse(&definition.to_string()).unwrap();
    let processor = definition.processor("All").unwrap();
    let driver = Driver::begin(std::sync::Arc::new(processor), "1");
    assert_eq!(driver.output(), &json!(false));
}

#[test]
fn an_expression_that_fails_names_its_field() {
    let writer = |prefix: &str| {
        json!({"ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject", "Arguments": {"Bucket": "b", "Prefix": prefix}
        }})
    };
    let reader = |key: &str, most: &str| {
        json!({"ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject", "Arguments": {"Bucket": "b", "Key": key},
            "ReaderConfig": {"InputType": "JSON", "MaxItems": most}
        }})
    };
    for (fields, location, cause) in [
        (
            json!({"Items": "{% 1 %}"}),
            "Items",
            "returned an unexpected result type. Expected 'array', but was 'number' for value: 1",
        ),
        (
            json!({"MaxConcurrency": "{% -1 %}"}),
            "MaxConcurrency",
            "MaxConcurrency must be a non-negative integer.",
        ),
        (
            json!({"ToleratedFailureCount": "{% 0.5 %}"}),
            "ToleratedFailureCount",
            "The ToleratedFailureCount field cannot be parsed as a long value: 0.5",
        ),
        (
            json!({"ToleratedFailurePercentage": "{% 100.5 %}"}),
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentage must be between 0 and 100.",
        ),
        (
            json!({"ItemBatcher": {"MaxItemsPerBatch": "{% 'x' %}"}}),
            "MaxItemsPerBatch",
            "Expected 'number', but was 'string' for value: \"x\"",
        ),
        (
            json!({"ItemBatcher": {"MaxItemsPerBatch": 1, "BatchInput": {"a": "{% $none %}"}}}),
            "ItemBatcher/BatchInput/a",
            "specified for the field 'ItemBatcher/BatchInput/a' returned nothing (undefined).",
        ),
        (
            reader("{% $none %}", "{% 1 %}"),
            "ItemReader/Arguments/Key",
            "returned nothing (undefined).",
        ),
        (
            reader("k", "{% $none %}"),
            "MaxItems",
            "returned nothing (undefined).",
        ),
        (
            writer("{% $none %}"),
            "ResultWriter/Arguments/Prefix",
            "returned nothing (undefined).",
        ),
    ] {
        let driver = Driver::start(&distributed(&fields), INPUT);
        let found = driver.journal.iter().find_map(|entry| match &entry.event {
            Event::EvaluationFailed {
                location, failure, ..
            } => Some((location.clone(), failure.clone())),
            _ => None,
        });
        let (place, failure) = found.unwrap_or_else(|| panic!("{fields}: {:?}", driver.events()));
        assert_eq!(place.as_deref(), Some(location), "{fields}");
        assert_eq!(failure.error.as_deref(), Some("States.QueryEvaluationError"));
        let found = failure.cause.unwrap();
        assert!(
            found.starts_with("An error occurred while executing the state 'All'") && found.ends_with(cause),
            "{found}"
        );
        assert_eq!(driver.failure().0, "States.QueryEvaluationError");
        let events = driver.events();
        let last: Vec<_> = events.iter().rev().take(3).rev().collect();
        assert_eq!(
            last,
            ["EvaluationFailed", "MapStateFailed", "ExecutionFailed"],
            "{fields}"
        );
    }
    let number = json!({"ItemReader": {
        "Resource": "arn:aws:states:::s3:listObjectsV2", "Arguments": {"Bucket": "{% 1 %}"}
    }});
    let (error, cause) = Driver::start(&distributed(&number), INPUT).failure();
    assert_eq!(error, "States.Runtime");
    assert!(
        cause.ends_with("The field 'Bucket' of ItemReader must be a string, but was: 1"),
        "{cause}"
    );
}

#[test]
fn an_expression_that_fails_can_be_caught() {
    let caught =
        json!([{"ErrorEquals": ["States.QueryEvaluationError"], "Output": "caught", "Next": "Last"}]);
    let mut definition =
        distributed(&json!({"Items": [1], "ToleratedFailureCount": "{% $none %}", "Catch": caught}));
    definition["States"]["Last"] = json!({"Type": "Succeed"});
    assert_eq!(Driver::start(&definition, INPUT).output(), &json!("caught"));
}

#[test]
fn fields_of_the_other_language_are_refused() {
    let refused = |fields: &Value| {
        Definition::parse(&distributed(fields).to_string())
            .unwrap_err()
            .to_string()
    };
    let path_only = |name: &str, at: &str| {
        format!(
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONata', but field '{name}' is only supported for the 'JSONPath' QueryLanguage at /States/All{at}"
        )
    };
    let get = "arn:aws:states:::s3:getObject";
    let arguments = json!({"Bucket": "b", "Key": "k"});
    for name in [
        "ItemsPath",
        "Parameters",
        "MaxConcurrencyPath",
        "ToleratedFailureCountPath",
    ] {
        assert_eq!(refused(&json!({name: "$.x"})), path_only(name, ""));
    }
    for (fields, name, at) in [
        (
            json!({"MaxConcurrency": 1, "MaxConcurrencyPath": "$.x"}),
            "MaxConcurrencyPath",
            "",
        ),
        (
            json!({"ItemReader": {"Resource": get, "Parameters": {}, "Arguments": arguments, "ReaderConfig": {"InputType": "JSON"}}}),
            "Parameters",
            "/ItemReader",
        ),
        (
            json!({"ItemReader": {"Resource": get, "Arguments": arguments, "ReaderConfig": {"InputType": "JSON", "MaxItemsPath": "$.x"}}}),
            "MaxItemsPath",
            "/ItemReader/ReaderConfig",
        ),
        (
            json!({"ItemBatcher": {"MaxItemsPerBatchPath": "$.x"}}),
            "MaxItemsPerBatchPath",
            "/ItemBatcher",
        ),
        (
            json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {}, "Arguments": {"Bucket": "b"}}}),
            "Parameters",
            "/ResultWriter",
        ),
    ] {
        assert_eq!(refused(&fields), path_only(name, at), "{fields}");
    }
    for (fields, expected) in [
        (
            json!({"ItemReader": {"Resource": get, "ReaderConfig": {"InputType": "JSON"}}}),
            "SCHEMA_VALIDATION_FAILED: These fields are required: [Arguments] at /States/All/ItemReader",
        ),
        (
            json!({"ItemReader": {"Resource": get, "Arguments": {"Bucket": "b", "Key.$": "$.k"}, "ReaderConfig": {"InputType": "JSON"}}}),
            "SCHEMA_VALIDATION_FAILED: The field 'Key' is required but was missing at /States/All/ItemReader/Arguments",
        ),
        (
            json!({"ItemBatcher": {}}),
            "SCHEMA_VALIDATION_FAILED: One of these fields is required: [MaxItemsPerBatch, MaxInputBytesPerBatch] at /States/All/ItemBatcher",
        ),
        (
            json!({"ResultWriter": {}}),
            "SCHEMA_VALIDATION_FAILED: One of these fields is required: [Resource, Arguments, WriterConfig] at /States/All/ResultWriter",
        ),
        (
            json!({"ItemBatcher": {"MaxItemsPerBatch": "{% 1 + %}"}}),
            "INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/All/ItemBatcher/MaxItemsPerBatch",
        ),
        (
            json!({"ItemBatcher": {"MaxItemsPerBatch": "5"}}),
            "SCHEMA_VALIDATION_FAILED: Expected value of type Integer at /States/All/ItemBatcher/MaxItemsPerBatch",
        ),
    ] {
        assert_eq!(refused(&fields), expected, "{fields}");
    }
    let mut path = distributed(&json!({"ItemReader": {
        "Resource": get, "Parameters": arguments, "Arguments": {}, "ReaderConfig": {"InputType": "JSON"}
    }}));
    path["QueryLanguage"] = "JSONPath".into();
    path["States"]["First"]["Assign"] = json!({});
    assert_eq!(
        Definition::parse(&path.to_string()).unwrap_err().to_string(),
        "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Arguments' is only supported for the 'JSONata' QueryLanguage at /States/All/ItemReader"
    );
}
