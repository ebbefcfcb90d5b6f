//! Workflow variables: what `Assign` sets, who sees it, and how much there may be.

use asl::Definition;
use serde_json::{Value, json};

use crate::driver::Driver;

fn run(definition: &Value, input: &Value) -> Driver {
    let mut driver = Driver::start(definition, &input.to_string());
    driver.run();
    driver.restart();
    driver
}

/// The same for what is too large to be read back and compared.
fn large(definition: &Value) -> Driver {
    let mut driver = Driver::start(definition, "{}");
    driver.run();
    driver
}

fn refusal(definition: &Value) -> String {
    match Definition::parse(&definition.to_string()) {
        Ok(_) => "accepted".into(),
        Err(why) => why.to_string(),
    }
}

#[test]
fn all_are_read_before_any_is_set() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 3, "a": 6}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x": "{% $a %}", "next": "{% $x %}"}, "Output": "{% $x %}", "Next": "C"},
        "C": {"Type": "Pass", "Output": ["{% $states.input %}", "{% $x %}", "{% $next %}"], "End": true}
    }});
    assert_eq!(run(&definition, &json!({})).output(), &json!([3, 6, 3]));
}

#[test]
fn paths_begin_at_them_everywhere() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Result": {"n": [1, 2]}, "Assign": {"v.$": "$", "big": 9, "t": "2016-03-14T01:59:00Z", "zero": 0}, "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$v.n[1]", "NumericLessThanPath": "$big", "Assign": {"chosen.$": "$v.n"}, "Next": "C"}], "Default": "F"},
        "C": {"Type": "Wait", "TimestampPath": "$t", "Next": "D"},
        "D": {"Type": "Wait", "SecondsPath": "$zero", "Assign": {"waited.$": "$.n"}, "Next": "E"},
        "E": {"Type": "Pass", "InputPath": "$v", "Parameters": {"all.$": "$", "sum.$": "States.MathAdd($big, $chosen[0])", "w.$": "$waited"}, "Next": "F"},
        "F": {"Type": "Fail", "ErrorPath": "$t", "CausePath": "States.Format('{}', $v.n)"}
    }});
    let driver = run(&definition, &json!({}));
    assert_eq!(driver.failure(), ("2016-03-14T01:59:00Z".into(), "[1, 2]".into()));
    let history = driver.history();
    let exited = history
        .iter()
        .find(|event| event["stateExitedEventDetails"]["name"] == "E")
        .unwrap();
    let output: Value =
        serde_json::from_str(exited["stateExitedEventDetails"]["output"].as_str().unwrap()).unwrap();
    assert_eq!(output, json!({"all": {"n": [1, 2]}, "sum": 10, "w": [1, 2]}));
}

#[test]
fn of_a_task_the_dollar_is_its_raw_result() {
    let function = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let definition = json!({"StartAt": "T", "States": {
        "T": {
            "Type": "Task", "Resource": function,
            "ResultSelector": {"kept.$": "$.a"}, "Assign": {"raw.$": "$.b"},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"raw.$": "$.Error"}, "ResultPath": null, "Next": "E"}],
            "Next": "E"
        },
        "E": {"Type": "Pass", "Parameters": {"in.$": "$", "raw.$": "$raw"}, "End": true}
    }});
    let mut driver = Driver::start(&definition, r#"{"i": 1}"#);
    driver.succeed(json!({"a": 1, "b": 2}));
    assert_eq!(driver.output(), &json!({"in": {"kept": 1}, "raw": 2}));
    let mut driver = Driver::start(&definition, r#"{"i": 1}"#);
    driver.fail("Mine");
    assert_eq!(driver.output(), &json!({"in": {"i": 1}, "raw": "Mine"}));
}

#[test]
fn a_branch_sees_those_around_it_and_keeps_its_own() {
    let branch = |name: &str| {
        json!({"StartAt": name, "States": {
            name: {"Type": "Pass", "Assign": {"own": name}, "Next": format!("{name}2")},
            format!("{name}2"): {"Type": "Pass", "Output": "{% $own & $x %}", "End": true}
        }})
    };
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": "!"}, "Next": "P"},
        "P": {"Type": "Parallel", "Branches": [branch("B"), branch("C")], "Next": "E"},
        "E": {"Type": "Pass", "Output": {"got": "{% $states.input %}", "own": "{% $exists($own) %}"}, "End": true}
    }});
    assert_eq!(
        run(&definition, &json!({})).output(),
        &json!({"got": ["B!", "C!"], "own": false})
    );
    let mut clash = definition;
    clash["States"]["P"]["Branches"][1]["States"]["C"]["Assign"] = json!({"x": 1});
    assert_eq!(
        refusal(&clash),
        "SCHEMA_VALIDATION_FAILED: Variable 'x' is already assigned in an outer scope at /States/P/Branches[1]/States/C/Assign/x"
    );
}

#[test]
fn a_distributed_map_does_not_see_what_is_assigned_around_it() {
    let machine = |language: &str, mode: &str, inner: Value| {
        let processor = |config: Value, states: Value| json!({"ProcessorConfig": config, "StartAt": "I", "States": states});
        let config = match mode {
            "DISTRIBUTED" => json!({"Mode": mode, "ExecutionType": "STANDARD"}),
            _ => json!({"Mode": mode}),
        };
        let nested = json!({
            "I": {"Type": "Map", "Next": "J", "ItemProcessor": {"StartAt": "K", "States": {"K": inner}}},
            "J": {"Type": "Pass", "Assign": {"mine": 1}, "End": true}
        });
        json!({"QueryLanguage": language, "StartAt": "A", "States": {
            "A": {"Type": "Pass", "Assign": {"theirs": {"a": [1]}}, "Next": "M"},
            "M": {"Type": "Map", "ItemProcessor": processor(config, nested), "End": true}
        }})
    };
    let pass = |fields: Value| {
        let mut pass = json!({"Type": "Pass", "End": true});
        pass.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        pass
    };
    for (language, fields, place) in [
        (
            "JSONPath",
            json!({"Parameters": {"x": [{"y.$": "$theirs.a"}]}}),
            "Parameters/x[0]/y.$",
        ),
        (
            "JSONPath",
            json!({"Assign": {"z.$": "States.Format('{}', $theirs)"}}),
            "Assign/z.$",
        ),
        (
            "JSONata",
            json!({"Output": ["{% $sum($theirs.a) %}"]}),
            "Output[0]",
        ),
    ] {
        let refused = refusal(&machine(language, "DISTRIBUTED", pass(fields.clone())));
        let expected = "SCHEMA_VALIDATION_FAILED: Variable 'theirs' is assigned in an outer scope, to which states in a \
                        distributed Map can't refer at /States/M/ItemProcessor/States/I/ItemProcessor/States/K/";
        assert_eq!(refused, format!("{expected}{place}"));
        assert_eq!(refusal(&machine(language, "INLINE", pass(fields))), "accepted");
    }
    // Its own variables it sees, under whatever name.
    let own = pass(json!({"Parameters": {"x.$": "$mine"}}));
    assert_eq!(refusal(&machine("JSONPath", "DISTRIBUTED", own)), "accepted");
    let mut shadowed = machine(
        "JSONPath",
        "DISTRIBUTED",
        pass(json!({"Parameters": {"x.$": "$theirs"}})),
    );
    shadowed["States"]["M"]["ItemProcessor"]["States"]["J"]["Assign"] = json!({"theirs": 1});
    assert_eq!(refusal(&shadowed), "accepted");
    // The Map's own fields stand around its executions.
    let mut around = machine("JSONPath", "DISTRIBUTED", pass(json!({})));
    around["States"]["M"]["ItemSelector"] = json!({"x.$": "$theirs"});
    assert_eq!(refusal(&around), "accepted");
}

#[test]
fn names_are_identifiers_and_not_states() {
    let assign = |name: &str| {
        refusal(&json!({"StartAt": "S", "States": {"S": {"Type": "Pass", "Assign": {name: 1}, "End": true}}}))
    };
    assert_eq!(assign("größe"), "accepted");
    for name in ["", "1x", "x.y", "x[2]", "states", &"x".repeat(81)] {
        let refusal = assign(name);
        assert!(
            refusal.starts_with("SCHEMA_VALIDATION_FAILED: The variable name '"),
            "{refusal}"
        );
        assert!(
            refusal.ends_with(&format!(" at /States/S/Assign/{name}")),
            "{refusal}"
        );
    }
    let succeed = json!({"StartAt": "S", "States": {"S": {"Type": "Succeed", "Assign": {"x": 1}}}});
    assert_eq!(
        refusal(&succeed),
        "SCHEMA_VALIDATION_FAILED: Field 'Assign' is not supported at /States/S"
    );
}

#[test]
fn one_that_was_never_set_is_named() {
    let definition = json!({"StartAt": "S", "States": {"S": {"Type": "Pass", "Parameters": {"a.$": "$none.x"}, "End": true}}});
    let (error, cause) = run(&definition, &json!({})).failure();
    assert_eq!(error, "States.Runtime");
    assert!(
        cause.contains("'$none.x' specified for the field 'a.$'"),
        "{cause}"
    );
}

#[test]
fn sizes_have_limits() {
    let set = |expression: &str| {
        let definition = json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {"S": {"Type": "Pass", "Assign": {"x": expression}, "End": true}}});
        run(&definition, &json!({}))
    };
    assert_eq!(set("{% $pad('', 262142, 'x') %}").output(), &json!({}));
    assert_eq!(
        set("{% $pad('', 262143, 'x') %}").failure().0,
        "States.DataLimitExceeded"
    );
    // A loop that assigns a quarter of a megabyte each time replaces what was there.
    let looped = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"n": 0}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x": "{% $pad('', 262000, 'x') %}", "n": "{% $n + 1 %}"}, "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Condition": "{% $n < 60 %}", "Next": "B"}], "Default": "D"},
        "D": {"Type": "Pass", "Output": "{% $n %}", "End": true}
    }});
    assert_eq!(large(&looped).output(), &json!(60));
    let names: Vec<String> = (0..41).map(|n| format!("S{n}")).collect();
    let states: serde_json::Map<String, Value> = (0..41)
        .map(|n| {
            let next = names
                .get(n + 1)
                .map_or(json!({"End": true}), |next| json!({"Next": next}));
            let mut state =
                json!({"Type": "Pass", "Assign": {format!("v{n}"): "{% $pad('', 262000, 'x') %}"}});
            state
                .as_object_mut()
                .unwrap()
                .extend(next.as_object().unwrap().clone());
            (names[n].clone(), state)
        })
        .collect();
    let many = json!({"QueryLanguage": "JSONata", "StartAt": "S0", "States": states});
    let driver = large(&many);
    assert_eq!(driver.failure().0, "States.DataLimitExceeded");
    assert!(driver.events().contains(&"PassStateExited S39".to_owned()));
}
