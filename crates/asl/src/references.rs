//! Which variables each state of a definition refers to, as DescribeStateMachine lists them.

use std::collections::BTreeSet;

use serde_json::Value;

/// The states that refer to variables, in the definition's order, each with the variables' names in theirs. `text` is
/// a definition; of text that is none nothing is said.
pub fn variable_references(text: &str) -> Vec<(String, Vec<String>)> {
    let mut references = Vec::new();
    if let Ok(machine) = serde_json::from_str::<Value>(text) {
        machine_references(&machine, &mut references);
    }
    references
}

/// Where machines stand in a state.
const BELOW: [&str; 3] = ["Branches", "ItemProcessor", "Iterator"];

fn machine_references(machine: &Value, references: &mut Vec<(String, Vec<String>)>) {
    for (name, state) in machine["States"].as_object().into_iter().flatten() {
        let mut found = BTreeSet::new();
        for (field, value) in state.as_object().into_iter().flatten() {
            if !BELOW.contains(&field.as_str()) && field != "ResultPath" {
                collect(field, value, &mut found);
            }
        }
        if !found.is_empty() {
            references.push((name.clone(), found.into_iter().collect()));
        }
        for branch in state["Branches"].as_array().into_iter().flatten() {
            machine_references(branch, references);
        }
        for processor in ["ItemProcessor", "Iterator"] {
            machine_references(&state[processor], references);
        }
    }
}

/// Collects from a field what stands in a path, in a call of a function, or in an expression of JSONata.
fn collect(field: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let jsonata = text
                .trim()
                .strip_prefix("{%")
                .and_then(|text| text.strip_suffix("%}"));
            if let Some(expression) = jsonata {
                found.extend(free(expression));
            } else if field.ends_with(".$") || field.ends_with("Path") || field == "Variable" {
                found.extend(names(text).into_iter().map(|(_, name, _)| name.to_owned()));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(field, item, found)),
        Value::Object(map) => {
            for (name, item) in map {
                // The error of a Catch goes where its ResultPath says.
                if name != "ResultPath" {
                    collect(name, item, found);
                }
            }
        }
        _ => {}
    }
}

/// The variables of an expression that it neither binds nor calls.
fn free(expression: &str) -> Vec<String> {
    let names = names(expression);
    let bound: BTreeSet<&str> = names
        .iter()
        .filter(|(before, _, after)| after.starts_with(":=") || in_parameters(before))
        .map(|(_, name, _)| *name)
        .collect();
    let known = |name: &str| name == "states" || bound.contains(name);
    names
        .iter()
        .filter(|(_, name, after)| !known(name) && !after.starts_with('('))
        .map(|(_, name, _)| (*name).to_owned())
        .collect()
}

/// Whether what follows `before` is a parameter of a function: `function($a, $b`.
fn in_parameters(before: &str) -> bool {
    before.rsplit_once('(').is_some_and(|(function, inside)| {
        let function = function.trim_end();
        !inside.contains(')') && (function.ends_with("function") || function.ends_with('λ'))
    })
}

/// Every `$name` outside of quoted text, with what stands before and after it.
fn names(text: &str) -> Vec<(&str, &str, &str)> {
    let mut names = Vec::new();
    let mut quoted: Option<char> = None;
    let mut chars = text.char_indices();
    let mut last = ' ';
    while let Some((at, c)) = chars.next() {
        match quoted {
            Some(_) if c == '\\' => {
                chars.next();
            }
            Some(end) => quoted = (c != end).then_some(end),
            None if c == '\'' || c == '"' => quoted = Some(c),
            None if c == '$' && last != '$' => {
                let rest = &text[at + 1..];
                let length = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                if length > 0 && !rest.starts_with(|c: char| c.is_numeric()) {
                    names.push((&text[..at], &rest[..length], rest[length..].trim_start()));
                }
            }
            None => {}
        }
        last = c;
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(state: &Value) -> Vec<String> {
        let definition = json!({"States": {"S": state}}).to_string();
        variable_references(&definition)
            .into_iter()
            .next()
            .map(|(_, names)| names)
            .unwrap_or_default()
    }

    #[test]
    fn paths_and_calls_refer_to_variables() {
        assert_eq!(of(&json!({"InputPath": "$x.a", "OutputPath": "$y"})), ["x", "y"]);
        assert_eq!(
            of(
                &json!({"Parameters": {"a.$": "States.Format('$no {}', $b, $.c, $$.Execution.Id)", "d": "$no"}})
            ),
            ["b"]
        );
        assert_eq!(
            of(&json!({"ResultPath": "$no", "Catch": [{"ResultPath": "$no"}]})),
            [""; 0]
        );
        assert_eq!(
            of(&json!({"Choices": [{"And": [{"Variable": "$v", "StringEqualsPath": "$w"}]}]})),
            ["v", "w"]
        );
    }

    #[test]
    fn expressions_refer_to_what_they_do_not_bind() {
        let output = |expression: &str| of(&json!({"Output": {"deep": [expression]}}));
        assert_eq!(
            output("{% $x + $sum($y.a) + $states.input.z + $$.b %}"),
            ["x", "y"]
        );
        assert_eq!(
            output("{% ($a := 1; $map($l, function($v, $i) { $v + $a })) %}"),
            ["l"]
        );
        assert_eq!(output("{% '$no' & \"$no\" & $yes %}"), ["yes"]);
        assert_eq!(output("$no"), [""; 0]);
    }

    #[test]
    fn states_within_states_have_their_own() {
        let inner = json!({"States": {"I": {"InputPath": "$i"}}});
        let outer =
            json!({"States": {"M": {"ItemsPath": "$m", "ItemProcessor": inner}, "P": {"Branches": [inner]}}});
        assert_eq!(
            variable_references(&outer.to_string()),
            [
                ("M".to_owned(), vec!["m".to_owned()]),
                ("I".to_owned(), vec!["i".to_owned()]),
                ("I".to_owned(), vec!["i".to_owned()])
            ]
        );
        assert_eq!(variable_references("no JSON"), []);
    }
}
