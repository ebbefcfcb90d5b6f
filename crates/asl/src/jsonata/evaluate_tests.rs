//! Evaluating: what expressions see, what Step Functions adds, and where they are stopped.

use std::cell::OnceCell;

use serde_json::json;

use super::*;
use crate::interface::Identity;
use crate::jsonata::Available;
use crate::variables::Variables;

struct Zeros;
impl Randomness for Zeros {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

fn evaluate(text: &str, input: &Value) -> Result<Value, String> {
    let mut problems = Vec::new();
    let expression = Expression::parse(text, Available::default(), &mut problems).unwrap();
    assert_eq!(problems, [], "{text}");
    let identity = Identity {
        execution_arn: "e".into(),
        execution_name: String::new(),
        role_arn: String::new(),
        state_machine_arn: String::new(),
        state_machine_name: String::new(),
    };
    let mut variables = Variables::default();
    variables.assign(json!({"x": 42, "größe": [1, 2]}).as_object().unwrap());
    let context = Context {
        redrives: 0,
        redriven: None,
        given: None,
        identity: &identity,
        started: Timestamp::UNIX_EPOCH,
        input,
        state: "S",
        entered: Timestamp::UNIX_EPOCH,
        retries: None,
        item: None,
        token: None,
        variables: &variables,
        built: OnceCell::new(),
        built_item: OnceCell::new(),
    };
    let states = States {
        input,
        result: None,
        error_output: None,
    };
    let mut random = Zeros;
    let now = Timestamp::from_second(1_000_000_000).unwrap();
    let mut scope = Scope::new(states, &context, now, &mut random);
    scope.evaluate(&expression, "F").map_err(|failed| {
        let cause = failed.failure.cause.unwrap_or_default();
        let prefix = format!("The JSONata expression '{text}' specified for the field 'F' ");
        cause.strip_prefix(&prefix).unwrap_or(&cause).to_owned()
    })
}

fn value(text: &str) -> Value {
    evaluate(text, &json!({})).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn failure(text: &str) -> String {
    match evaluate(text, &json!({})) {
        Err(why) => why,
        Ok(value) => panic!("{text}: {value}"),
    }
}

#[test]
fn it_sees_states_variables_and_the_time_it_is_given() {
    let input = json!({"items": [{"n": 1}, {"n": 2}], "id": 12_345_678_901_234_567_i64});
    assert_eq!(evaluate("$states.input.items.n", &input), Ok(json!([1, 2])));
    assert_eq!(
        evaluate("$states.input.id", &input),
        Ok(json!(12_345_678_901_234_567_i64))
    );
    assert_eq!(evaluate("$states.context.State.Name", &input), Ok(json!("S")));
    assert_eq!(value("$x + $sum($größe)"), json!(45));
    assert_eq!(value("$now()"), json!("2001-09-09T01:46:40.000Z"));
    assert_eq!(value("$millis()"), json!(1_000_000_000_000_i64));
    assert_eq!(
        value("$toMillis('12:00', '[H01]:[m01]')"),
        json!(1_000_036_800_000_i64)
    );
}

#[test]
fn the_functions_of_step_functions() {
    assert_eq!(
        value("$partition([1, 2, 3, 4, 5], 2)"),
        json!([[1, 2], [3, 4], [5]])
    );
    assert_eq!(value("$partition([1, 2, 3], 2.9)"), json!([[1, 2], [3]]));
    assert_eq!(value("$range(0, 6, 2)"), json!([0, 2, 4, 6]));
    assert_eq!(value("$range(-1.7, 2, 1)"), json!([-1, 0, 1, 2]));
    assert_eq!(value("$range(5, 1, -2)"), json!([5, 3, 1]));
    assert_eq!(value("$range(3, 3, 1)"), json!(3));
    assert_eq!(value("$count($range(1, 360145, 1))"), json!(360_145));
    assert_eq!(
        value("$hash('input', 'SHA-1')"),
        json!("140f86aae51ab9e1cda9b4254fe98a74eb54c1a1")
    );
    assert_eq!(value("$parse('{\"a\": [1, null]}').a"), json!([1, null]));
    assert_eq!(value("$random(42)"), json!(0.727_563_680_032_868_1));
    assert_eq!(
        value("$random(0) = $random(0) and $random() != $random()"),
        json!(true)
    );
    let uuid = value("$uuid()");
    assert_eq!(
        uuid.as_str().map(|text| (text.len(), &text[14..15])),
        Some((36, "4"))
    );
    assert_eq!(value("$uuid() = $uuid()"), json!(false));
    for nothing in [
        "$partition([], 2)",
        "$partition([1], 0)",
        "$range(0, 5)",
        "$range(0, 5, -1)",
        "$hash('x')",
    ] {
        assert_eq!(failure(nothing), "returned nothing (undefined).", "{nothing}");
    }
}

#[test]
fn errors_keep_the_words_of_jsonata() {
    for (text, why) in [
        ("$nope", "returned nothing (undefined)."),
        (
            "$nope()",
            "threw an error during evaluation. T1006: Attempted to invoke a non-function",
        ),
        (
            "$eval('1+1')",
            "threw an error during evaluation. T1006: Attempted to invoke a non-function",
        ),
        (
            "$sum(['a'])",
            "threw an error during evaluation. T0412: Argument 1 of function \"sum\" must be an array of \"numbers\"",
        ),
        (
            "$abs('a')",
            "threw an error during evaluation. T0410: Argument 1 of function \"abs\" does not match function signature",
        ),
        (
            "1 + 'a'",
            "threw an error during evaluation. T2002: The right side of the \"+\" operator must evaluate to a number",
        ),
        (
            "$number('x')",
            "threw an error during evaluation. D3030: Unable to cast value to a number: \"x\"",
        ),
        ("$error('stop')", "threw an error during evaluation. D3137: stop"),
    ] {
        assert_eq!(failure(text), why, "{text}");
    }
}

#[test]
fn a_depth_of_a_hundred_is_enough() {
    let sum = |terms: usize| vec!["1"; terms].join("+");
    assert_eq!(value(&sum(100)), json!(100));
    let deep = ": Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive.";
    assert_eq!(
        failure(&sum(101)),
        format!("threw an error during evaluation{deep}")
    );
    let recursive = |n: usize| format!("($f := function($n) {{ $n <= 0 ? 0 : 1 + $f($n - 1) }}; $f({n}))");
    assert_eq!(value(&recursive(31)), json!(31));
    assert!(failure(&recursive(32)).ends_with(deep));
}

#[test]
fn what_never_ends_is_ended() {
    let late = "threw an error during evaluation: Expression evaluation timeout: Check for infinite loop";
    assert_eq!(failure("($f := function($x) { $f($x + 1) }; $f(1))"), late);
    assert_eq!(
        failure("$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab', /^(a+)+$/)"),
        late
    );
}

#[test]
fn what_grows_without_end_is_stopped() {
    let large = "threw an error during evaluation: Expression evaluation memory limit exceeded: Check for excessive memory usage";
    for text in [
        "$sum([1..900000])",
        "($p := function($s, $n) { $n = 0 ? $s : $p($s & $s, $n - 1) }; $length($p('x', 23)))",
        "$reduce([1..60], function($a, $i) { [$a, $a] }, 1)",
        "$reduce([1..60], function($a, $i) { $append($a, $a) }, [1])",
        "$pad('', 100000000)",
        "$range(1, 360146, 1)",
    ] {
        assert_eq!(failure(text), large, "{text}");
    }
    assert!(failure("[1..800000]").contains("size exceeding"));
}

#[test]
fn the_duplicates_of_a_long_list_are_found_in_time() {
    assert_eq!(value("$count($distinct([1..20000]))"), json!(20_000));
    assert_eq!(
        value("$count($distinct($append([1..5000], [1..5000])))"),
        json!(5000)
    );
    let input = json!({"items": [{"c": "red"}, {"c": "red"}]});
    assert_eq!(
        evaluate("$distinct($states.input.items.c)", &input),
        Ok(json!("red"))
    );
    assert_eq!(evaluate("$distinct(['red', 'red'])", &input), Ok(json!(["red"])));
}
