//! What AWS recorded, held against this interpreter. The recordings lie beside the repository; where they are not
//! there, this says so and passes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use asl::{Definition, Status};
use serde_json::{Map, Value};

use crate::driver::Driver;

/// How many of the core cases pass. It may rise, never fall.
const PASSING: usize = 516;

/// Text that stands for anything, besides what a case names itself.
const WILD: [&str; 10] = [
    "timestamp",
    "datetime",
    "snf_role_arn",
    "RandomNumberGenerated",
    "start-time",
    "entered-time",
    "start-date",
    "stop-date",
    "date",
    "111111111111",
];

#[test]
#[expect(clippy::print_stdout, reason = "a skipped or partial comparison must be seen")]
fn the_core_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/asl-cases/core");
    let Ok(files) = fs::read_dir(&folder) else {
        println!("SKIPPED: no recorded cases at ../shared/asl-cases/core");
        return;
    };
    let (mut passed, mut failed, mut refused) = (0, Vec::new(), BTreeMap::<String, usize>::new());
    for file in files {
        let case: Value = serde_json::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        let name = case["name"].as_str().unwrap().to_owned();
        let definition = match Definition::parse(&case["definition"].to_string()) {
            Ok(definition) => Arc::new(definition),
            Err(why) => {
                let scope = why
                    .diagnostics
                    .iter()
                    .all(|diagnostic| diagnostic.code == "NOT_SUPPORTED")
                    || why
                        .diagnostics
                        .iter()
                        .any(|diagnostic| diagnostic.code == "NOT_SUPPORTED");
                if scope {
                    let what = why
                        .diagnostics
                        .iter()
                        .find(|diagnostic| diagnostic.code == "NOT_SUPPORTED");
                    *refused
                        .entry(what.map(|what| what.message.clone()).unwrap_or_default())
                        .or_default() += 1;
                } else {
                    failed.push(format!("{name}: refused: {why}"));
                }
                continue;
            }
        };
        match compare(&case, &run(definition, case["input"].as_str().unwrap())) {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{name}: {why}")),
        }
    }
    let out_of_scope: usize = refused.values().sum();
    println!(
        "recorded core cases: {passed} pass, {} fail, {out_of_scope} need what is not run yet:",
        failed.len()
    );
    for (why, count) in &refused {
        println!("  {count:4} {why}");
    }
    for line in &failed {
        println!("FAIL {line}");
    }
    assert!(passed >= PASSING, "{passed} pass, {PASSING} did before");
}

fn run(definition: Arc<Definition>, input: &str) -> Driver {
    let mut driver = Driver::begin(definition, input);
    driver.run();
    driver
}

fn compare(case: &Value, driver: &Driver) -> Result<(), String> {
    let expected = &case["expect"];
    let wild: Vec<&str> = case["wildcards"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .chain(WILD)
        .collect();
    let mut actual = Map::new();
    actual.insert("status".into(), driver.execution.status().name().into());
    match driver.execution.status() {
        Status::Succeeded { output } => {
            actual.insert("output".into(), output.to_string().into());
        }
        Status::Failed { error, cause } | Status::Aborted { error, cause } => {
            actual.extend(error.clone().map(|error| ("error".to_owned(), error.into())));
            actual.extend(cause.clone().map(|cause| ("cause".to_owned(), cause.into())));
        }
        Status::Running | Status::TimedOut => {}
    }
    for field in ["status", "output", "error", "cause"] {
        match (expected.get(field), actual.get(field)) {
            (None | Some(Value::Null), None) => {}
            (Some(want), Some(got)) if same(want, got, &wild) => {}
            (want, got) => return Err(format!("{field}: want {want:?}, got {got:?}")),
        }
    }
    let Some(history) = expected["history"].as_array() else {
        return Ok(());
    };
    let ignored: Vec<&Value> = case["ignore_event_types"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let mut want: Vec<String> = history
        .iter()
        .filter(|event| !ignored.contains(&&event["type"]))
        .map(key)
        .collect();
    let events = driver.history();
    let mut got: Vec<String> = events
        .iter()
        .filter(|event| !ignored.contains(&&event["type"]))
        .map(|event| key(&flat(event)))
        .collect();
    let ordered = case["concurrent"] != true || one_by_one(&case["definition"]);
    if !ordered {
        want.sort();
        got.sort();
    }
    if want != got {
        return Err(format!("events: want {want:?}, got {got:?}"));
    }
    if ordered {
        for (want, got) in history.iter().zip(&events) {
            details(want, &flat(got), &wild)?;
        }
    }
    Ok(())
}

/// Whether a definition's Maps run their iterations one by one, so that AWS's order is the only one.
fn one_by_one(definition: &Value) -> bool {
    match definition {
        Value::Object(fields) => {
            let kind = fields.get("Type").and_then(Value::as_str);
            let one = fields.get("MaxConcurrency").is_some_and(|most| *most == 1);
            kind != Some("Parallel") && (kind != Some("Map") || one) && fields.values().all(one_by_one)
        }
        Value::Array(values) => values.iter().all(one_by_one),
        _ => true,
    }
}

/// An event as the cases write it: the details beside id, prev and type.
fn flat(event: &Value) -> Value {
    let mut flat = Map::new();
    for (name, value) in event.as_object().unwrap() {
        match name.as_str() {
            "previousEventId" => drop(flat.insert("prev".into(), value.clone())),
            "timestamp" => {}
            name if name.ends_with("EventDetails") => {
                flat.extend(value.as_object().unwrap().clone());
            }
            name => drop(flat.insert(name.into(), value.clone())),
        }
    }
    flat.retain(|name, _| !["inputDetails", "outputDetails", "roleArn"].contains(&name.as_str()));
    Value::Object(flat)
}

fn key(event: &Value) -> String {
    format!(
        "{} {}",
        event["type"].as_str().unwrap(),
        event["name"].as_str().unwrap_or_default()
    )
}

fn details(want: &Value, got: &Value, wild: &[&str]) -> Result<(), String> {
    let (fields, got_fields) = (want.as_object().unwrap(), got.as_object().unwrap());
    for (name, value) in fields {
        let masked = matches!(name.as_str(), "id" | "prev") && !value.is_u64();
        if !masked && !got_fields.get(name).is_some_and(|got| same(value, got, wild)) {
            return Err(format!(
                "event {}: {name}: want {value}, got {:?}",
                want["id"],
                got_fields.get(name)
            ));
        }
    }
    match got_fields.keys().find(|name| !fields.contains_key(*name)) {
        Some(name) => Err(format!("event {}: {name} is there", want["id"])),
        None => Ok(()),
    }
}

/// Equality with placeholders. Text that holds JSON may stand parsed on one side.
fn same(want: &Value, got: &Value, wild: &[&str]) -> bool {
    let parsed = |value: &Value| {
        value
            .as_str()
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    match (want, got) {
        (Value::String(want_text), Value::String(got_text)) => {
            if want_text == got_text
                || wild.contains(&want_text.trim_matches('"'))
                || fits(want_text, got_text, wild)
            {
                return true;
            }
            match (parsed(want), parsed(got)) {
                (Some(want @ (Value::Object(_) | Value::Array(_) | Value::Number(_))), Some(got)) => {
                    same(&want, &got, wild)
                }
                _ => false,
            }
        }
        (Value::String(text), got) => wild.contains(&text.as_str()) || fits(text, &got.to_string(), wild),
        (want, Value::String(_)) => parsed(got).is_some_and(|got| same(want, &got, wild)),
        (Value::Object(want), Value::Object(got)) => {
            want.len() == got.len()
                && want
                    .iter()
                    .all(|(name, want)| got.get(name).is_some_and(|got| same(want, got, wild)))
        }
        (Value::Array(want), Value::Array(got)) => {
            want.len() == got.len() && want.iter().zip(got).all(|(want, got)| same(want, got, wild))
        }
        (Value::Number(want), Value::Number(got)) => want.as_f64() == got.as_f64(),
        (want, got) => want == got,
    }
}

/// Whether text fits a pattern in which `<name>` and the wild words stand for any text.
fn fits(pattern: &str, text: &str, wild: &[&str]) -> bool {
    let mut parts = Vec::new();
    let (mut literal, mut rest) = (String::new(), pattern);
    while let Some(c) = rest.chars().next() {
        let placeholder = rest.strip_prefix('<').and_then(|inner| {
            let (name, after) = inner.split_once('>')?;
            let ok = name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('<');
            ok.then_some(after)
        });
        let word = wild
            .iter()
            .filter(|word| **word != "date")
            .find_map(|word| rest.strip_prefix(word));
        if let Some(after) = placeholder.or(word) {
            parts.push(std::mem::take(&mut literal));
            rest = after;
        } else {
            literal.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    parts.push(literal);
    if parts.len() == 1 {
        return pattern == text;
    }
    let (first, last) = (&parts[0], &parts[parts.len() - 1]);
    let Some(mut rest) = text
        .strip_prefix(first.as_str())
        .and_then(|text| text.strip_suffix(last.as_str()))
    else {
        return false;
    };
    for part in &parts[1..parts.len() - 1] {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}
