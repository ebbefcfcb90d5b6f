//! States of JSONata, from the outside.

use asl::{Definition, Happened};
use serde_json::{Value, json};

use crate::driver::Driver;

/// A machine of JSONata in which `S` goes on to `E`, which gives what it gets.
fn machine(state: &Value) -> Value {
    let mut state = state.clone();
    if !matches!(state["Type"].as_str(), Some("Choice" | "Fail" | "Succeed")) {
        state["Next"] = json!("E");
    }
    let mut states = json!({"S": state});
    if !matches!(state["Type"].as_str(), Some("Fail" | "Succeed")) {
        states["E"] = json!({"Type": "Succeed"});
    }
    json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": states})
}

fn run(state: &Value, input: &Value) -> Driver {
    let mut driver = Driver::start(&machine(state), &input.to_string());
    driver.run();
    driver
}

fn refusal(definition: &Value) -> String {
    match Definition::parse(&definition.to_string()) {
        Ok(_) => "accepted".into(),
        Err(why) => why.to_string(),
    }
}

/// The location and the end of the cause of the only failed evaluation.
fn failed(driver: &Driver) -> (Option<String>, String) {
    let events = driver.history();
    let event = events
        .iter()
        .find(|event| event["type"] == "EvaluationFailed")
        .unwrap();
    let details = &event["evaluationFailedEventDetails"];
    assert_eq!(details["error"], "States.QueryEvaluationError");
    assert_eq!(details["state"], "S");
    let cause = details["cause"].as_str().unwrap();
    let prefix = "An error occurred while executing the state 'S' (entered at the event id #2). ";
    (
        details["location"].as_str().map(str::to_owned),
        cause.strip_prefix(prefix).unwrap().to_owned(),
    )
}

#[test]
fn output_is_filled_in_wherever_text_is_in_braces() {
    let state = json!({"Type": "Pass", "Output": {
        "n": "{% $states.input.a + 1 %}",
        "list": [1, "{% $states.input.b %}", "b"],
        "deep": {"name": "{% $states.context.State.Name %}", "x.$": "$.a"},
        "null": "{% null %}"
    }});
    let driver = run(&state, &json!({"a": 1, "b": {"c": [true]}}));
    let expected =
        json!({"n": 2, "list": [1, {"c": [true]}, "b"], "deep": {"name": "S", "x.$": "$.a"}, "null": null});
    assert_eq!(driver.output(), &expected);
    for (output, expected) in [
        (json!("{% $states.input.a %}"), json!(1)),
        (json!(false), json!(false)),
        (json!(null), json!(null)),
        (json!([]), json!([])),
        (json!(" {% $states.input.a %} "), json!(" {% $states.input.a %} ")),
    ] {
        let driver = run(&json!({"Type": "Pass", "Output": output}), &json!({"a": 1}));
        assert_eq!(driver.output(), &expected);
    }
    assert_eq!(
        run(&json!({"Type": "Pass"}), &json!({"a": 1})).output(),
        &json!({"a": 1})
    );
    let succeed = json!({"Type": "Succeed", "Output": "{% $states.input.a * 2 %}"});
    assert_eq!(run(&succeed, &json!({"a": 4})).output(), &json!(8));
}

#[test]
fn a_field_that_comes_to_nothing_fails_the_state_by_its_name() {
    let state = json!({"Type": "Pass", "Output": {"a": [{"b": "{% $states.input.none %}"}]}});
    let driver = run(&state, &json!({}));
    let (location, cause) = failed(&driver);
    assert_eq!(location.as_deref(), Some("Output/a[0]/b"));
    assert_eq!(
        cause,
        "The JSONata expression '$states.input.none' specified for the field 'Output/a[0]/b' returned nothing (undefined)."
    );
    assert_eq!(driver.failure().0, "States.QueryEvaluationError");
    assert_eq!(
        driver.events(),
        [
            "ExecutionStarted",
            "PassStateEntered S",
            "EvaluationFailed",
            "ExecutionFailed"
        ]
    );
}

#[test]
fn a_task_gets_arguments_and_gives_its_result() {
    let state = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": "f", "Payload": {"token": "{% $states.context.Task.Token %}", "x": "{% $states.input.x %}"}},
        "TimeoutSeconds": "{% $states.input.timeout %}",
        "HeartbeatSeconds": "{% $states.input.timeout / 2 %}",
        "Output": {"given": "{% $states.result.answer %}", "x": "{% $states.input.x %}"}
    });
    let mut driver = Driver::start(&machine(&state), r#"{"x": 7, "timeout": 20}"#);
    let task = driver.task();
    assert_eq!(task.arguments["Payload"]["x"], 7);
    assert_eq!(task.arguments["Payload"]["token"].as_str(), task.token.as_deref());
    driver.restart();
    assert_eq!(
        driver.execution.next_timer(),
        Some(driver.now + jiff::SignedDuration::from_secs(10))
    );
    let token = task.token.unwrap();
    driver.tell(Happened::TokenSucceeded {
        token,
        output: json!({"answer": 42}),
    });
    assert_eq!(driver.output(), &json!({"given": 42, "x": 7}));
}

#[test]
fn a_result_passes_as_it_is_where_there_is_no_output() {
    let function = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let mut driver = Driver::start(
        &machine(&json!({"Type": "Task", "Resource": function})),
        r#"{"x": 1}"#,
    );
    assert_eq!(driver.tasks[0].arguments, json!({"x": 1}));
    driver.succeed(json!("result"));
    assert_eq!(driver.output(), &json!("result"));
}

#[test]
fn numbers_and_words_must_be_such() {
    let task = |timeout: &str| {
        let function = "arn:aws:lambda:us-east-1:111111111111:function:f";
        json!({"Type": "Task", "Resource": function, "TimeoutSeconds": timeout})
    };
    let wait = |field: &str, value: &str| json!({"Type": "Wait", field: value});
    for (state, location, end) in [
        (
            task("{% 'x' %}"),
            "TimeoutSeconds",
            "returned an unexpected result type. Expected 'number', but was 'string' for value: \"x\"",
        ),
        (
            task("{% 0 %}"),
            "TimeoutSeconds",
            "The TimeoutSeconds field cannot be parsed as a long value: 0",
        ),
        (
            wait("Seconds", "{% -1 %}"),
            "Seconds",
            "The Seconds field cannot be parsed as a long value: -1",
        ),
        (
            wait("Seconds", "{% 1.5 %}"),
            "Seconds",
            "The Seconds field cannot be parsed as a long value: 1.5",
        ),
        (
            wait("Seconds", "{% null %}"),
            "Seconds",
            "Expected 'number', but was 'null' for value: null",
        ),
        (
            wait("Timestamp", "{% 'soon' %}"),
            "Timestamp",
            "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: soon",
        ),
        (
            wait("Timestamp", "{% [] %}"),
            "Timestamp",
            "Expected 'string', but was 'array' for value: []",
        ),
        (
            json!({"Type": "Fail", "Error": "{% 3 %}"}),
            "Error",
            "Expected 'string', but was 'number' for value: 3",
        ),
        (
            json!({"Type": "Choice", "Choices": [{"Condition": false, "Next": "E"}, {"Condition": "{% 'yes' %}", "Next": "E"}]}),
            "Choices[1]/Condition",
            "Expected 'boolean', but was 'string' for value: \"yes\"",
        ),
        (
            json!({"Type": "Choice", "Choices": [{"Condition": true, "Output": {"v": "{% $none %}"}, "Next": "E"}]}),
            "Choices[0]/Output/v",
            "returned nothing (undefined).",
        ),
        (
            json!({"Type": "Parallel", "Arguments": "{% 1 + 'a' %}", "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}]}),
            "Arguments",
            "T2002: The right side of the \"+\" operator must evaluate to a number",
        ),
    ] {
        let (at, cause) = failed(&run(&state, &json!({})));
        assert_eq!(at.as_deref(), Some(location), "{state}");
        assert!(cause.ends_with(end), "{cause}");
    }
}

#[test]
fn a_choice_takes_the_first_condition_that_holds_and_its_own_output() {
    let state = json!({
        "Type": "Choice",
        "Choices": [
            {"Condition": "{% $states.input.n > 10 %}", "Output": "large", "Assign": {"size": 1}, "Next": "E"},
            {"Condition": "{% $states.input.n > 5 %}", "Next": "E"}
        ],
        "Output": "{% 'small ' & $string($states.input.n) %}",
        "Default": "E"
    });
    assert_eq!(run(&state, &json!({"n": 11})).output(), &json!("large"));
    assert_eq!(run(&state, &json!({"n": 6})).output(), &json!({"n": 6}));
    assert_eq!(run(&state, &json!({"n": 1})).output(), &json!("small 1"));
    let none = json!({"Type": "Choice", "Choices": [{"Condition": false, "Next": "E"}]});
    assert_eq!(run(&none, &json!({})).failure().0, "States.NoChoiceMatched");
}

#[test]
fn a_failure_is_caught_with_its_error_output() {
    let function = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let task = |catch: Value| json!({"Type": "Task", "Resource": function, "Catch": [catch]});
    let whole = task(json!({"ErrorEquals": ["States.ALL"], "Next": "E"}));
    let mut driver = Driver::start(&machine(&whole), "{}");
    driver.fail("Mine");
    assert_eq!(driver.output(), &json!({"Error": "Mine", "Cause": "the cause"}));
    let some = task(json!({
        "ErrorEquals": ["Mine"],
        "Output": "{% $states.errorOutput.Error & $states.input.x %}",
        "Assign": {"why": "{% $states.errorOutput.Cause %}"},
        "Next": "E"
    }));
    let mut driver = Driver::start(&machine(&some), r#"{"x": "!"}"#);
    driver.fail("Mine");
    driver.restart();
    assert_eq!(driver.output(), &json!("Mine!"));
    let exited = &driver.history()[5]["stateExitedEventDetails"];
    assert_eq!(exited["assignedVariables"], json!({"why": "\"the cause\""}));
}

#[test]
fn an_expression_that_fails_can_be_caught_and_tried_again_but_not_in_a_catcher() {
    let function = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let caught = json!({
        "Type": "Task", "Resource": function, "Arguments": "{% $none %}",
        "Retry": [{"ErrorEquals": ["States.QueryEvaluationError"], "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.QueryEvaluationError"], "Output": "{% $states.errorOutput.Error %}", "Next": "E"}]
    });
    let driver = run(&caught, &json!({}));
    assert_eq!(driver.output(), &json!("States.QueryEvaluationError"));
    let events = driver.events();
    assert_eq!(
        events.iter().filter(|event| *event == "EvaluationFailed").count(),
        2
    );
    let twice = json!({
        "Type": "Task", "Resource": function, "Arguments": "{% $none %}",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $none %}", "Next": "E"}]
    });
    let driver = run(&twice, &json!({}));
    assert!(driver.failure().1.contains("'Catch[0]/Output'"));
    assert_eq!(
        driver
            .events()
            .iter()
            .filter(|event| *event == "EvaluationFailed")
            .count(),
        2
    );
}

#[test]
fn a_map_takes_its_items_from_an_expression() {
    let state = json!({
        "Type": "Map",
        "Items": "{% $states.input.list[n > 1] %}",
        "ItemSelector": {"n": "{% $states.context.Map.Item.Value.n %}", "i": "{% $states.context.Map.Item.Index %}"},
        "MaxConcurrency": "{% 1 + 1 %}",
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "Output": "{% $states.input.n * 10 + $states.input.i %}", "End": true}}},
        "Output": {"sum": "{% $sum($states.result) %}"}
    });
    let driver = run(&state, &json!({"list": [{"n": 1}, {"n": 2}, {"n": 3}]}));
    assert_eq!(driver.output(), &json!({"sum": 51}));
    let wrong = json!({"Type": "Map", "Items": "{% 'x' %}", "ItemProcessor": state["ItemProcessor"]});
    let driver = run(&wrong, &json!({}));
    let (location, cause) = failed(&driver);
    assert_eq!(location.as_deref(), Some("Items"));
    assert!(cause.ends_with("Expected 'array', but was 'string' for value: \"x\""));
    assert_eq!(driver.events()[3], "MapStateFailed");
}

#[test]
fn waiting_by_expression() {
    let mut driver = Driver::start(
        &machine(&json!({"Type": "Wait", "Seconds": "{% $states.input.s %}", "Output": "{% $now() %}"})),
        r#"{"s": 5}"#,
    );
    assert_eq!(
        driver.execution.next_timer(),
        Some(driver.now + jiff::SignedDuration::from_secs(5))
    );
    driver.pass(5);
    assert_eq!(driver.output(), &json!("2026-11-21T09:00:05.000Z"));
    driver.restart();
}

#[test]
fn the_languages_mix_upwards_only() {
    let mixed = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x.$": "$.n"}, "Next": "B"},
        "B": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"y": "{% $x + 1 %}"}, "Next": "C"},
        "C": {"Type": "Pass", "Parameters": {"sum.$": "States.MathAdd($x, $.y)"}, "End": true}
    }});
    let driver = Driver::start(&mixed, r#"{"n": 1}"#);
    assert_eq!(driver.output(), &json!({"sum": 3}));
    let down = json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {"S": {"Type": "Pass", "QueryLanguage": "JSONPath", "End": true}}});
    assert_eq!(
        refusal(&down),
        "SCHEMA_VALIDATION_FAILED: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at /States/S"
    );
    let branch = json!({"StartAt": "S", "States": {"S": {"Type": "Parallel", "QueryLanguage": "JSONata", "End": true, "Branches": [
        {"StartAt": "B", "States": {"B": {"Type": "Pass", "Output": 1, "End": true}}}
    ]}}});
    assert_eq!(
        refusal(&branch),
        "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/S/Branches[0]/States/B"
    );
}

#[test]
fn what_has_no_place_in_jsonata_is_refused() {
    let only = |field: &str| {
        format!(
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONata', but field '{field}' is only supported for the 'JSONPath' QueryLanguage at /States/S"
        )
    };
    for (field, value) in [
        ("InputPath", json!("$")),
        ("OutputPath", json!("$")),
        ("ResultPath", json!("$")),
        ("Parameters", json!({})),
        ("Result", json!(1)),
    ] {
        assert_eq!(
            refusal(&machine(&json!({"Type": "Pass", field: value}))),
            only(field)
        );
    }
    for (output, message) in [
        (
            "{% 1 + %}",
            "INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/S/Output/a[0]",
        ),
        (
            "{% phone %}",
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. at /States/S/Output/a[0]",
        ),
        (
            "{% $states.result %}",
            "UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.result' does not exist. at /States/S/Output/a[0]",
        ),
        (
            "{% $$ %}",
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$$' is not supported. at /States/S/Output/a[0]",
        ),
        (
            "{% 1",
            "INVALID_JSONATA_EXPRESSION: A JSONata expression must start with '{%' and end with '%}' at /States/S/Output/a[0]",
        ),
    ] {
        assert_eq!(
            refusal(&machine(&json!({"Type": "Pass", "Output": {"a": [output]}}))),
            message
        );
    }
    let rule =
        machine(&json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "Condition": true, "Next": "E"}]}));
    assert!(refusal(&rule).contains(
        "field 'Variable' is only supported for the 'JSONPath' QueryLanguage at /States/S/Choices[0]"
    ));
    let language = json!({"QueryLanguage": "jsonata", "StartAt": "S", "States": {"S": {"Type": "Succeed"}}});
    assert_eq!(
        refusal(&language),
        "SCHEMA_VALIDATION_FAILED: Value should be one of the following: [JSONPath, JSONata] at /QueryLanguage"
    );
}
