//! The variables of a definition as a whole: who assigns them, and who refers to them.
//!
//! Each machine inside a machine has a scope of its own. It may read what the scopes around it assign, and may not
//! assign under the same name. The processor of a distributed Map stands alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::diagnostic::Findings;
use crate::expression::Expression;
use crate::jsonata;

/// The machines below a state, each with its place below the state, and whether it runs as executions of its own.
fn machines(state: &Value) -> Vec<(String, &Value, bool)> {
    let branches = state["Branches"].as_array().into_iter().flatten().enumerate();
    let branches = branches.map(|(n, branch)| (format!("/Branches[{n}]"), branch, false));
    let processors = ["ItemProcessor", "Iterator"].into_iter().filter_map(|name| {
        let processor = state.get(name)?;
        let apart = processor["ProcessorConfig"]["Mode"] == "DISTRIBUTED";
        Some((format!("/{name}"), processor, apart))
    });
    branches.chain(processors).collect()
}

fn states(machine: &Value) -> impl Iterator<Item = (&String, &Value)> {
    machine["States"].as_object().into_iter().flatten()
}

/// Every `Assign` of a state, with its place below the state.
fn assigns(state: &Value) -> Vec<(String, &Value)> {
    let own = state.get("Assign").map(|assign| ("/Assign".to_owned(), assign));
    let inner = ["Choices", "Catch"].into_iter().flat_map(|list| {
        let rules = state[list].as_array().into_iter().flatten().enumerate();
        rules.filter_map(move |(n, rule)| Some((format!("/{list}[{n}]/Assign"), rule.get("Assign")?)))
    });
    own.into_iter().chain(inner).collect()
}

/// The variables that an `Assign` names.
fn assigned(assign: &Value) -> impl Iterator<Item = (&str, &String)> {
    let names = assign.as_object().into_iter().flat_map(serde_json::Map::keys);
    names.map(|field| (field.strip_suffix(".$").unwrap_or(field), field))
}

/// What a machine finds of the variables that the machines around it assign.
#[derive(Clone, Default)]
struct Around<'d> {
    /// May be read here, and may not be assigned.
    outer: BTreeSet<&'d str>,
    /// Those around the executions of a distributed Map, where they can't be read.
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>
    beyond: BTreeSet<&'d str>,
}

/// Refuses what is assigned under a name that a scope around it assigns too, and what is read from within a distributed
/// Map though only a scope around the Map assigns it.
pub(super) fn check(root: &Value, findings: &mut Findings) {
    let jsonata = root["QueryLanguage"] == "JSONata";
    check_machine(root, "", jsonata, &Around::default(), findings);
}

fn check_machine(
    machine: &Value,
    location: &str,
    jsonata: bool,
    around: &Around<'_>,
    findings: &mut Findings,
) {
    let mut own = BTreeSet::new();
    for (name, state) in states(machine) {
        for (place, assign) in assigns(state) {
            for (variable, field) in assigned(assign) {
                if around.outer.contains(variable) {
                    let at = format!("{location}/States/{name}{place}/{field}");
                    let message = format!("Variable '{variable}' is already assigned in an outer scope");
                    findings.schema(at, message);
                }
                own.insert(variable);
            }
        }
    }
    let visible: BTreeSet<&str> = own.union(&around.outer).copied().collect();
    for (name, state) in states(machine) {
        of_state(state, jsonata, &mut |variable, place| {
            if around.beyond.contains(variable) && !visible.contains(variable) {
                let at = format!("{location}/States/{name}{place}");
                let message = format!(
                    "Variable '{variable}' is assigned in an outer scope, to which states in a distributed Map can't refer"
                );
                findings.schema(at, message);
            }
        });
        for (place, inner, apart) in machines(state) {
            let location = format!("{location}/States/{name}{place}");
            let within = if apart {
                Around {
                    outer: BTreeSet::new(),
                    beyond: visible.union(&around.beyond).copied().collect(),
                }
            } else {
                Around {
                    outer: visible.clone(),
                    beyond: around.beyond.clone(),
                }
            };
            check_machine(inner, &location, jsonata, &within, findings);
        }
    }
}

/// The variables that each state refers to, of the whole definition.
pub(super) fn references(root: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut references = BTreeMap::new();
    let jsonata = root["QueryLanguage"] == "JSONata";
    of_machine(root, jsonata, &mut references);
    references
}

fn of_machine(machine: &Value, jsonata: bool, references: &mut BTreeMap<String, BTreeSet<String>>) {
    for (name, state) in states(machine) {
        let mut found = BTreeSet::new();
        of_state(state, jsonata, &mut |variable, _| {
            found.insert(variable.to_owned());
        });
        if !found.is_empty() {
            references.insert(name.clone(), found);
        }
        for (_, inner, _) in machines(state) {
            of_machine(inner, jsonata, references);
        }
    }
}

/// Tells every variable that a state itself refers to, with the place below the state where it does. `jsonata` is the
/// machine's language, where the state has none of its own.
fn of_state(state: &Value, jsonata: bool, found: &mut dyn FnMut(&str, &str)) {
    let language = state
        .get("QueryLanguage")
        .map_or(jsonata, |language| language == "JSONata");
    for (field, value) in state.as_object().into_iter().flatten() {
        if !["Branches", "ItemProcessor", "Iterator"].contains(&field.as_str()) {
            of_field(field, &format!("/{field}"), value, language, found);
        }
    }
}

fn of_field(field: &str, place: &str, value: &Value, jsonata: bool, found: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::String(text) if jsonata => {
            if let Ok(Some(text)) = jsonata::enclosed(text) {
                let mut problems = Vec::new();
                let expression =
                    jsonata::Expression::parse(text, jsonata::Available::default(), &mut problems);
                for name in expression.iter().flat_map(jsonata::Expression::variables) {
                    found(name, place);
                }
            }
        }
        Value::String(text) if field.ends_with(".$") || field.ends_with("Path") || field == "Variable" => {
            if let Ok(expression) = Expression::parse(text) {
                expression.variables(&mut |name| found(name, place));
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                of_field("", &format!("{place}[{n}]"), item, jsonata, found);
            }
        }
        Value::Object(map) => {
            for (name, item) in map {
                of_field(name, &format!("{place}/{name}"), item, jsonata, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_state_with_what_it_refers_to() {
        let definition = json!({"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Assign": {"x": "$no", "y.$": "States.MathAdd($a, States.MathAdd($b.c, $$.d))"}, "Next": "B"},
            "B": {"Type": "Choice", "Choices": [{"Variable": "$guess", "StringEqualsPath": "$answer", "Next": "C"}], "Default": "C"},
            "C": {"Type": "Map", "MaxConcurrencyPath": "$limit", "ItemProcessor": {"StartAt": "D", "States": {
                "D": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": ["{% $sum($list) + $states.input.x %}", "$text"], "End": true}
            }}, "End": true}
        }});
        let found = references(&definition);
        let names = |state: &str| found[state].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(names("A"), ["a", "b"]);
        assert_eq!(names("B"), ["answer", "guess"]);
        assert_eq!(names("C"), ["limit"]);
        assert_eq!(names("D"), ["list"]);
    }
}
