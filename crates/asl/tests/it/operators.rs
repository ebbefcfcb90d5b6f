//! Every operator of a Choice and every intrinsic function.

use asl::Status;
use serde_json::{Value, json};

use crate::driver::Driver;

fn chosen(rule: &Value, input: &Value) -> Result<bool, String> {
    let mut rule = rule.clone();
    rule["Next"] = json!("Yes");
    let states = json!({
        "C": {"Type": "Choice", "Choices": [rule], "Default": "No"},
        "Yes": {"Type": "Pass", "Result": true, "End": true},
        "No": {"Type": "Pass", "Result": false, "End": true}
    });
    let driver = Driver::start(&json!({"StartAt": "C", "States": states}), &input.to_string());
    match driver.execution.status() {
        Status::Succeeded { output } => Ok(output == &json!(true)),
        _ => Err(driver.failure().1),
    }
}

#[test]
fn every_comparison_with_its_path_form() {
    let orders = [
        ("Equals", [false, true, false]),
        ("LessThan", [true, false, false]),
        ("LessThanEquals", [true, true, false]),
        ("GreaterThan", [false, false, true]),
        ("GreaterThanEquals", [false, true, true]),
    ];
    let kinds = [
        ("String", json!(["a", "b", "c"])),
        ("Numeric", json!([1, 2.5, 3])),
        (
            "Timestamp",
            json!([
                "2026-11-21T09:00:00Z",
                "2026-11-21T11:00:00+01:00",
                "2026-11-21T10:00:00.001Z"
            ]),
        ),
    ];
    for (kind, values) in &kinds {
        for (order, expected) in &orders {
            for (value, expected) in values.as_array().unwrap().iter().zip(expected) {
                let input = json!({"v": value, "w": values[1]});
                let literal = json!({"Variable": "$.v", format!("{kind}{order}"): values[1]});
                let path = json!({"Variable": "$.v", format!("{kind}{order}Path"): "$.w"});
                assert_eq!(chosen(&literal, &input), Ok(*expected), "{literal} {input}");
                assert_eq!(chosen(&path, &input), Ok(*expected), "{path} {input}");
                let other = json!({"v": null, "w": values[1]});
                assert_eq!(
                    chosen(&literal, &other),
                    Ok(false),
                    "another type compares as nothing"
                );
            }
        }
    }
    for (value, expected) in [(true, true), (false, false)] {
        let input = json!({"v": value, "w": true});
        assert_eq!(
            chosen(&json!({"Variable": "$.v", "BooleanEquals": true}), &input),
            Ok(expected)
        );
        assert_eq!(
            chosen(&json!({"Variable": "$.v", "BooleanEqualsPath": "$.w"}), &input),
            Ok(expected)
        );
    }
}

#[test]
fn every_question_about_a_value() {
    let values = [
        ("IsNull", json!(null)),
        ("IsString", json!("text")),
        ("IsNumeric", json!(1.5)),
        ("IsBoolean", json!(false)),
        ("IsTimestamp", json!("2026-11-21T09:00:00Z")),
    ];
    for (question, _) in &values {
        for (kind, value) in &values {
            let expected = question == kind || (*question == "IsString" && *kind == "IsTimestamp");
            let input = json!({"v": value});
            assert_eq!(
                chosen(&json!({"Variable": "$.v", *question: true}), &input),
                Ok(expected),
                "{question} {value}"
            );
            assert_eq!(
                chosen(&json!({"Variable": "$.v", *question: false}), &input),
                Ok(!expected),
                "{question} {value}"
            );
        }
    }
    for (path, there) in [("$.v", true), ("$.w", false), ("$.v.x", false)] {
        assert_eq!(
            chosen(&json!({"Variable": path, "IsPresent": true}), &json!({"v": null})),
            Ok(there)
        );
        assert_eq!(
            chosen(
                &json!({"Variable": path, "IsPresent": false}),
                &json!({"v": null})
            ),
            Ok(!there)
        );
    }
    assert_eq!(
        chosen(
            &json!({"Variable": "$.v", "StringMatches": "a*c"}),
            &json!({"v": "abc"})
        ),
        Ok(true)
    );
}

#[test]
fn rules_of_rules() {
    let yes = json!({"Variable": "$.v", "IsNull": true});
    let no = json!({"Variable": "$.v", "IsNull": false});
    let lost = json!({"Variable": "$.gone", "IsNull": false});
    let input = json!({"v": null});
    assert_eq!(chosen(&json!({"And": [yes, yes]}), &input), Ok(true));
    assert_eq!(chosen(&json!({"And": [yes, no]}), &input), Ok(false));
    assert_eq!(chosen(&json!({"Or": [no, yes]}), &input), Ok(true));
    assert_eq!(chosen(&json!({"Or": [no, no]}), &input), Ok(false));
    assert_eq!(chosen(&json!({"Not": no}), &input), Ok(true));
    assert_eq!(
        chosen(&json!({"And": [no, lost]}), &input),
        Ok(false),
        "what follows is not looked at"
    );
    let cause = chosen(&lost, &input).unwrap_err();
    assert!(
        cause.ends_with(
            "Invalid path '$.gone': The choice state's condition path references an invalid value."
        ),
        "{cause}"
    );
}

#[test]
fn every_intrinsic_function() {
    let call = |text: &str, input: Value| {
        let state = json!({"Type": "Pass", "End": true, "Parameters": {"r.$": text}});
        let driver = Driver::start(
            &json!({"StartAt": "S", "States": {"S": state}}),
            &input.to_string(),
        );
        match driver.execution.status() {
            Status::Succeeded { output } => output["r"].clone(),
            _ => Value::from(driver.failure().0),
        }
    };
    let refused = json!("States.IntrinsicFailure");
    let list = json!({"l": [1, 2, 2.0, 3, {"a": 1}, {"a": 1}]});
    assert_eq!(call("States.Array()", json!({})), json!([]));
    assert_eq!(
        call("States.Array($.l[0], 'x', 1.5, true, null)", list.clone()),
        json!([1, "x", 1.5, true, null])
    );
    assert_eq!(call("States.ArrayContains($.l, 2)", list.clone()), json!(true));
    assert_eq!(call("States.ArrayContains($.l, 9)", list.clone()), json!(false));
    assert_eq!(call("States.ArrayGetItem($.l, 3)", list.clone()), json!(3));
    assert_eq!(call("States.ArrayGetItem($.l, 6)", list.clone()), refused);
    assert_eq!(call("States.ArrayLength($.l)", list.clone()), json!(6));
    assert_eq!(
        call("States.ArrayUnique($.l)", list.clone()),
        json!([1, 2, 3, {"a": 1}])
    );
    assert_eq!(
        call("States.ArrayPartition(States.ArrayRange(1, 5, 1), 2)", json!({})),
        json!([[1, 2], [3, 4], [5]])
    );
    assert_eq!(call("States.ArrayRange(9, 1, -4)", json!({})), json!([9, 5, 1]));
    assert_eq!(call("States.ArrayRange(0, 1000, 1)", json!({})), refused);
    assert_eq!(call("States.ArrayRange(0, 1, 0)", json!({})), refused);
    assert_eq!(
        call("States.Base64Decode(States.Base64Encode('ä'))", json!({})),
        json!("ä")
    );
    assert_eq!(
        call(
            "States.Format('{} \\{\\} {}\\'s', 'a', $.v)",
            json!({"v": {"k": [1, "b"]}})
        ),
        json!("a {} {k=[1, b]}'s")
    );
    assert_eq!(call("States.Format('{}')", json!({})), refused);
    assert_eq!(
        call("States.Hash('input data', 'SHA-256')", json!({})),
        json!("b4a697a057313163aee33cd8d40c66e9f0f177e00cac2de32475ffff6169c3e3")
    );
    assert_eq!(call("States.Hash('x', 'SHA-3')", json!({})), refused);
    assert_eq!(
        call(
            "States.JsonMerge($.a, $.b, false)",
            json!({"a": {"x": 1, "y": 1}, "b": {"y": 2}})
        ),
        json!({"x": 1, "y": 2})
    );
    assert_eq!(
        call("States.JsonMerge($.a, $.a, true)", json!({"a": {}})),
        refused
    );
    assert_eq!(
        call("States.JsonToString($.v)", json!({"v": {"a": [1]}})),
        json!(r#"{"a":[1]}"#)
    );
    assert_eq!(
        call("States.StringToJson($.v)", json!({"v": "{\"a\": [1]}"})),
        json!({"a": [1]})
    );
    assert_eq!(
        call("States.StringToJson('{')", json!({})),
        json!("States.IntrinsicFailure")
    );
    assert_eq!(call("States.MathAdd(111, -1)", json!({})), json!(110));
    assert_eq!(
        call("States.StringSplit('1,2..3', ',.')", json!({})),
        json!(["1", "2", "3"])
    );
    let number = call("States.MathRandom(5, 9)", json!({})).as_i64().unwrap();
    assert!((5..9).contains(&number));
    assert_eq!(
        call("States.MathRandom(0, 1000000, 7)", json!({})),
        call("States.MathRandom(0, 1000000, 7)", json!({}))
    );
    assert_eq!(call("States.UUID()", json!({})).as_str().unwrap().len(), 36);
}
