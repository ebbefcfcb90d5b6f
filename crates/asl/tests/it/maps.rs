//! Inline Map states: how iterations begin, run side by side, fail and are given up.

use asl::{Definition, Happened, Status};
use serde_json::{Value, json};

use crate::driver::Driver;

const TASK: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";

/// A machine of one Map with these fields, whose iterations run one task.
fn tasks(fields: &Value) -> Value {
    with(fields, &json!({"Type": "Task", "Resource": TASK, "End": true}))
}

fn with(fields: &Value, state: &Value) -> Value {
    let mut map =
        json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "Each", "States": {"Each": state}}});
    for (name, value) in fields.as_object().unwrap() {
        map[name] = value.clone();
    }
    json!({"StartAt": "All", "States": {"All": map}})
}

fn inputs(driver: &Driver) -> Vec<Value> {
    driver.tasks.iter().map(|task| task.arguments.clone()).collect()
}

#[test]
fn forty_run_at_once_and_outputs_keep_the_items_order() {
    let items: Vec<usize> = (0..100).collect();
    for (fields, most) in [
        (json!({}), 40),
        (json!({"MaxConcurrency": 0}), 40),
        (json!({"MaxConcurrency": 3}), 3),
        (json!({"MaxConcurrency": 1000}), 40),
    ] {
        let mut driver = Driver::start(&tasks(&fields), &json!(items).to_string());
        assert_eq!(driver.tasks.len(), most, "{fields}");
        while !driver.tasks.is_empty() {
            assert!(driver.tasks.len() <= most);
            // The youngest is done first.
            driver.tasks.rotate_right(1);
            let output = driver.tasks[0].arguments.clone();
            driver.succeed(output);
        }
        assert_eq!(driver.output(), &json!(items));
    }
}

#[test]
fn an_iteration_that_takes_a_place_follows_on_what_left_it() {
    let mut driver = Driver::start(&tasks(&json!({"MaxConcurrency": 2})), "[1, 2, 3]");
    driver.tasks.rotate_right(1);
    driver.succeed(json!("two"));
    let history = driver.history();
    let ended = history
        .iter()
        .find(|event| event["type"] == "MapIterationSucceeded")
        .unwrap();
    let begun = history
        .iter()
        .rfind(|event| event["type"] == "MapIterationStarted")
        .unwrap();
    assert_eq!(
        begun["mapIterationStartedEventDetails"],
        json!({"name": "All", "index": 2})
    );
    assert_eq!(begun["previousEventId"], ended["previousEventId"]);
}

#[test]
fn an_object_is_its_fields() {
    let selector = json!({"i.$": "$$.Map.Item.Index", "k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value"});
    let driver = Driver::start(
        &tasks(&json!({"ItemSelector": selector})),
        r#"{"b": 1, "a": [2]}"#,
    );
    let expected = [
        json!({"i": 0, "k": "b", "v": 1}),
        json!({"i": 1, "k": "a", "v": [2]}),
    ];
    assert_eq!(inputs(&driver), expected);
    let driver = Driver::start(&tasks(&json!({"ItemsPath": "$.o"})), r#"{"o": {"b": 1}}"#);
    assert_eq!(inputs(&driver), [json!({"Key": "b", "Value": 1})]);
}

#[test]
fn the_selector_sees_the_input_and_the_item() {
    let fields = json!({
        "InputPath": "$.in",
        "ItemsPath": "$.list",
        "Parameters": {"all.$": "$.common", "item.$": "$$.Map.Item.Value.n", "run.$": "$$.Execution.Name"}
    });
    let driver = Driver::start(
        &tasks(&fields),
        r#"{"in": {"list": [{"n": 1}, {"n": 2}], "common": "c"}}"#,
    );
    let expected = [
        json!({"all": "c", "item": 1, "run": "one"}),
        json!({"all": "c", "item": 2, "run": "one"}),
    ];
    assert_eq!(inputs(&driver), expected);
}

#[test]
fn a_failure_gives_up_the_others() {
    let mut driver = Driver::start(&tasks(&json!({"MaxConcurrency": 3})), "[1, 2, 3, 4]");
    driver.tasks.rotate_left(1);
    driver.fail("Mine");
    let events = driver.events();
    let expected = [
        "LambdaFunctionFailed",
        "TaskStateAborted",
        "MapIterationFailed All",
        "TaskStateAborted",
        "MapIterationAborted All",
        "TaskStateAborted",
        "MapIterationAborted All",
        "MapStateFailed",
        "ExecutionFailed",
    ];
    assert_eq!(events[events.len() - expected.len()..], expected);
    assert_eq!(driver.cancelled.len(), 2);
    assert!(driver.tasks.is_empty());
    let history = driver.history();
    let by_kind = |kind: &str| history.iter().find(|event| event["type"] == kind).unwrap();
    let failed = &by_kind("LambdaFunctionFailed")["id"];
    assert_eq!(&by_kind("MapIterationFailed")["previousEventId"], failed);
    assert_eq!(&by_kind("MapStateFailed")["previousEventId"], failed);
}

#[test]
fn what_runs_inside_an_iteration_is_given_up_from_within() {
    let inner = json!({"Type": "Map", "End": true, "ItemsPath": "$", "ItemProcessor": {
        "StartAt": "Deep", "States": {"Deep": {"Type": "Task", "Resource": TASK, "End": true}}
    }});
    let branch = |name: &str, state: Value| json!({"StartAt": name, "States": {name: state}});
    let parallel = json!({"Type": "Parallel", "End": true, "Branches": [
        branch("Inner", inner),
        branch("Sleep", json!({"Type": "Wait", "Seconds": 9, "End": true})),
    ]});
    let mut driver = Driver::start(&with(&json!({}), &parallel), "[[1], [2, 3]]");
    assert_eq!(driver.tasks.len(), 3);
    driver.fail("Mine");
    let events = driver.events();
    let from = events
        .iter()
        .position(|event| event == "LambdaFunctionFailed")
        .unwrap();
    let expected = [
        "LambdaFunctionFailed",
        "TaskStateAborted",
        "MapIterationFailed Inner",
        "MapStateFailed",
        "MapStateAborted",
        "WaitStateAborted",
        "ParallelStateFailed",
        "ParallelStateAborted",
        "MapIterationFailed All",
        "TaskStateAborted",
        "MapIterationAborted Inner",
        "TaskStateAborted",
        "MapIterationAborted Inner",
        "MapStateAborted",
        "WaitStateAborted",
        "ParallelStateAborted",
        "MapIterationAborted All",
        "MapStateFailed",
        "ExecutionFailed",
    ];
    assert_eq!(events[from..], expected);
    driver.restart();
}

#[test]
fn retry_begins_again_with_every_item_and_catch_goes_on() {
    let mut definition = tasks(&json!({
        "Retry": [{"ErrorEquals": ["Mine"], "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]
    }));
    definition["States"]["All"]["ItemsPath"] = json!("$.items");
    definition["States"]["Caught"] = json!({"Type": "Pass", "End": true});
    let mut driver = Driver::start(&definition, r#"{"items": [1, 2]}"#);
    driver.succeed(json!(1));
    driver.fail("Mine");
    assert!(driver.tasks.is_empty());
    driver.run();
    assert_eq!(inputs(&driver), [json!(1), json!(2)]);
    driver.restart();
    driver.fail("Mine");
    assert_eq!(driver.output()["error"]["Error"], "Mine");
}

#[test]
fn nothing_to_do_is_done() {
    let driver = Driver::start(
        &tasks(&json!({"ResultPath": "$.out", "ItemsPath": "$.items"})),
        r#"{"items": []}"#,
    );
    assert_eq!(driver.output(), &json!({"items": [], "out": []}));
    let driver = Driver::start(&tasks(&json!({})), "{}");
    assert_eq!(driver.output(), &json!([]));
}

#[test]
fn what_is_no_list_fails_the_execution() {
    let prefix = "An error occurred while executing the state 'All' (entered at the event id #2). ";
    for (fields, input, cause) in [
        (
            json!({}),
            "3",
            r#"Reference path "$" must point to array or object."#,
        ),
        (
            json!({"ItemsPath": "$.a"}),
            r#"{"a": "b"}"#,
            r#"Reference path "$.a" must point to array or object."#,
        ),
        (
            json!({"MaxConcurrencyPath": "$.n"}),
            r#"{"n": -1}"#,
            "MaxConcurrency must be a non-negative integer.",
        ),
    ] {
        let driver = Driver::start(&tasks(&fields), input);
        assert_eq!(
            driver.failure(),
            ("States.Runtime".into(), format!("{prefix}{cause}"))
        );
    }
}

#[test]
fn an_item_that_cannot_be_selected_gives_up_the_others() {
    let fields = json!({"ItemSelector": {"n.$": "$$.Map.Item.Value.n"}, "MaxConcurrency": 2});
    let mut driver = Driver::start(&tasks(&fields), r#"[{"n": 1}, {"n": 2}, {}]"#);
    driver.succeed(json!(1));
    let (error, cause) = driver.failure();
    assert_eq!(error, "States.Runtime");
    assert!(
        cause.contains("'$$.Map.Item.Value.n' specified for the field 'n.$'"),
        "{cause}"
    );
    let events = driver.events();
    assert_eq!(
        events[events.len() - 3..],
        ["TaskStateAborted", "MapIterationAborted All", "ExecutionFailed"]
    );
    assert_eq!(driver.cancelled.len(), 1);
}

#[test]
fn the_history_has_room_for_so_many_and_no_more() {
    let pass = json!({"Type": "Pass", "End": true});
    let items = |count: usize| json!(vec![0; count]).to_string();
    let driver = Driver::start(&with(&json!({}), &pass), &items(6_000));
    assert_eq!(driver.output().as_array().unwrap().len(), 6_000);
    let driver = Driver::start(&with(&json!({}), &pass), &items(40_000));
    assert!(driver.failure().1.contains("maximum number of history events"));
}

#[test]
fn a_map_can_be_taken_up_again_in_its_middle() {
    let mut driver = Driver::start(&tasks(&json!({"MaxConcurrency": 2})), "[1, 2, 3, 4, 5]");
    while *driver.execution.status() == Status::Running {
        let task = driver.tasks[driver.tasks.len() - 1].task;
        driver.tasks.pop_back();
        driver.tell(Happened::TaskStarted { task });
        driver.restart();
        driver.tell(Happened::TaskSucceeded {
            task,
            output: json!(task.0),
        });
        if *driver.execution.status() == Status::Running {
            driver.restart();
        }
    }
    assert_eq!(driver.output().as_array().unwrap().len(), 5);
}

#[test]
fn the_older_words_are_read_too() {
    let definition = json!({"StartAt": "All", "States": {"All": {
        "Type": "Map", "End": true, "Parameters": {"v.$": "$$.Map.Item.Value"},
        "Iterator": {"StartAt": "Each", "States": {"Each": {"Type": "Pass", "End": true}}}
    }}});
    assert_eq!(Driver::start(&definition, "[1]").output(), &json!([{"v": 1}]));
}

#[test]
fn each_wrong_field_is_named() {
    for (fields, expected) in [
        (
            json!({"MaxConcurrency": -1}),
            "Minimum value is 0 at /States/All/MaxConcurrency",
        ),
        (
            json!({"MaxConcurrency": "x"}),
            "Expected value of type Integer at /States/All/MaxConcurrency",
        ),
        (
            json!({"ToleratedFailurePercentage": 101}),
            "Maximum value is 100.0 at /States/All/ToleratedFailurePercentage",
        ),
        (
            json!({"MaxConcurrency": 1, "MaxConcurrencyPath": "$.a"}),
            "There should only be one of the following fields: [MaxConcurrency, MaxConcurrencyPath] at /States/All",
        ),
        (
            json!({"MaxConcurrencyPath": "$$.Execution.Input.n"}),
            "Value is not a Reference Path at /States/All/MaxConcurrencyPath",
        ),
        (
            json!({"ItemSelector": {"a.$": "x"}}),
            "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/All/ItemSelector",
        ),
        (
            json!({"Branches": []}),
            "Field 'Branches' is not supported at /States/All",
        ),
        (
            json!({"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2"}}),
            "The field 'ItemReader' is only supported by Map states of the mode DISTRIBUTED at /States/All",
        ),
    ] {
        let found = Definition::parse(&tasks(&fields).to_string())
            .unwrap_err()
            .to_string();
        assert_eq!(found, format!("SCHEMA_VALIDATION_FAILED: {expected}"), "{fields}");
    }
    let bare = json!({"StartAt": "All", "States": {"All": {"Type": "Map", "End": true}}});
    let found = Definition::parse(&bare.to_string()).unwrap_err().to_string();
    assert_eq!(
        found,
        "SCHEMA_VALIDATION_FAILED: These fields are required: [ItemProcessor] at /States/All"
    );
}
