//! The variables of a definition as a whole: who assigns them, and who refers to them.
//!
//! Each machine inside a machine has a scope of its own. It may read what the scopes around it assign, and may not
//! assign under the same name.

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

/// Refuses what is assigned under a name that a scope around it assigns too.
pub(super) fn check(machine: &Value, location: &str, outer: &BTreeSet<&str>, findings: &mut Findings) {
    let mut own = BTreeSet::new();
    for (name, state) in states(machine) {
        for (place, assign) in assigns(state) {
            for (variable, field) in assigned(assign) {
                if outer.contains(variable) {
                    let at = format!("{location}/States/{name}{place}/{field}");
                    let message = format!("Variable '{variable}' is already assigned in an outer scope");
                    findings.schema(at, message);
                }
                own.insert(variable);
            }
        }
    }
    let visible: BTreeSet<&str> = own.union(outer).copied().collect();
    for (name, state) in states(machine) {
        for (place, inner, apart) in machines(state) {
            let location = format!("{location}/States/{name}{place}");
            let outer = if apart { &BTreeSet::new() } else { &visible };
            check(inner, &location, outer, findings);
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
        let language = state
            .get("QueryLanguage")
            .map_or(jsonata, |language| language == "JSONata");
        let mut found = BTreeSet::new();
        for (field, value) in state.as_object().into_iter().flatten() {
            if !["Branches", "ItemProcessor", "Iterator"].contains(&field.as_str()) {
                of_field(field, value, language, &mut found);
            }
        }
        if !found.is_empty() {
            references.insert(name.clone(), found);
        }
        for (_, inner, _) in machines(state) {
            of_machine(inner, jsonata, references);
        }
    }
}

fn of_field(field: &str, value: &Value, jsonata: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if jsonata => {
            if let Ok(Some(text)) = jsonata::enclosed(text) {
                let mut problems = Vec::new();
                let expression =
                    jsonata::Expression::parse(text, jsonata::Available::default(), &mut problems);
                found.extend(
                    expression
                        .iter()
                        .flat_map(jsonata::Expression::variables)
                        .map(str::to_owned),
                );
            }
        }
        Value::String(text) if field.ends_with(".$") || field.ends_with("Path") || field == "Variable" => {
            if let Ok(expression) = Expression::parse(text) {
                expression.variables(&mut |name| {
                    found.insert(name.to_owned());
                });
            }
        }
        Value::Array(items) => items.iter().for_each(|item| of_field("", item, jsonata, found)),
        Value::Object(map) => map
            .iter()
            .for_each(|(name, item)| of_field(name, item, jsonata, found)),
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
