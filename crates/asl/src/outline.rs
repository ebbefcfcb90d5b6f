//! A definition's shape: which states there are and where each leads, for who draws or lists them.
//!
//! Read from the text alone and without judging it: what makes no sense is left out, so that a definition which
//! [`Definition`](crate::Definition) refuses has an outline too.

use serde_json::{Map, Value};

use crate::journal::StateType;

/// A machine: the whole one, a branch of a Parallel state, or what a Map state runs for each item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The first state's name; empty where none is given.
    pub start_at: String,
    /// In the order of the definition.
    pub states: Vec<OutlinedState>,
}

/// A state, and the ways out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlinedState {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: StateType,
    /// `Comment`.
    pub comment: Option<String>,
    /// A Task's `Resource`.
    pub resource: Option<String>,
    /// `Next`.
    pub next: Option<String>,
    /// A Choice's rules, in order.
    pub choices: Vec<Way>,
    /// A Choice's `Default`.
    pub default: Option<String>,
    /// `Catch`, each with the errors it takes, in order.
    pub catches: Vec<Way>,
    /// Whether it has a `Retry`.
    pub retries: bool,
    /// A Parallel's branches, or the one machine of a Map.
    pub branches: Vec<Outline>,
    /// Whether it is a Map whose items are executions of their own.
    pub distributed: bool,
}

/// A way out of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// When it is taken, in short: `$.total > 100`, `States.Timeout`.
    pub when: String,
    /// The state that it leads to.
    pub next: String,
}

impl Outline {
    /// Reads the outline of a definition; `None` where the text is no JSON object.
    pub fn read(definition: &str) -> Option<Outline> {
        let value: Value = serde_json::from_str(definition).ok()?;
        value.as_object().map(machine)
    }

    /// The state of this name, here or in a branch.
    pub fn state(&self, name: &str) -> Option<&OutlinedState> {
        self.states.iter().find_map(|state| {
            if state.name == name {
                return Some(state);
            }
            state.branches.iter().find_map(|branch| branch.state(name))
        })
    }

    /// How many states there are, those in branches too.
    pub fn size(&self) -> usize {
        let inside = |state: &OutlinedState| state.branches.iter().map(Outline::size).sum::<usize>();
        self.states.iter().map(|state| 1 + inside(state)).sum()
    }
}

fn machine(object: &Map<String, Value>) -> Outline {
    let states = object.get("States").and_then(Value::as_object);
    Outline {
        start_at: text(object, "StartAt").unwrap_or_default(),
        states: states
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| state(name, value.as_object()?))
            .collect(),
    }
}

fn state(name: &str, object: &Map<String, Value>) -> Option<OutlinedState> {
    let kind: StateType = serde_json::from_value(object.get("Type")?.clone()).ok()?;
    let branches = match kind {
        StateType::Parallel => list(object, "Branches")
            .filter_map(Value::as_object)
            .map(machine)
            .collect(),
        StateType::Map => {
            let processor = object.get("ItemProcessor").or_else(|| object.get("Iterator"));
            processor
                .and_then(Value::as_object)
                .map(machine)
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    };
    let mode = object
        .get("ItemProcessor")
        .map(|processor| &processor["ProcessorConfig"]["Mode"]);
    Some(OutlinedState {
        name: name.to_owned(),
        kind,
        comment: text(object, "Comment"),
        resource: text(object, "Resource"),
        next: text(object, "Next"),
        choices: list(object, "Choices")
            .filter_map(|rule| way(rule, condition))
            .collect(),
        default: text(object, "Default"),
        catches: list(object, "Catch")
            .filter_map(|rule| way(rule, errors))
            .collect(),
        retries: list(object, "Retry").next().is_some(),
        branches,
        distributed: mode.is_some_and(|mode| mode == "DISTRIBUTED"),
    })
}

fn way(rule: &Value, when: impl Fn(&Value) -> String) -> Option<Way> {
    Some(Way {
        when: when(rule),
        next: rule.get("Next")?.as_str()?.to_owned(),
    })
}

fn errors(rule: &Value) -> String {
    let names = rule.get("ErrorEquals").and_then(Value::as_array);
    let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
    names.join(", ")
}

/// A Choice's rule as one would say it.
fn condition(rule: &Value) -> String {
    if let Some(condition) = rule.get("Condition") {
        let text = shown(condition);
        let inner = text
            .trim()
            .strip_prefix("{%")
            .and_then(|rest| rest.strip_suffix("%}"));
        return inner.unwrap_or(&text).trim().to_owned();
    }
    if let Some(inner) = rule.get("Not") {
        return format!("not ({})", condition(inner));
    }
    for (field, word) in [("And", " and "), ("Or", " or ")] {
        if let Some(rules) = rule.get(field).and_then(Value::as_array) {
            return rules.iter().map(part).collect::<Vec<_>>().join(word);
        }
    }
    let variable = rule.get("Variable").and_then(Value::as_str).unwrap_or_default();
    let mut tests = rule.as_object().into_iter().flatten();
    let test = tests.find_map(|(name, value)| test(name, value));
    match test {
        Some(test) => format!("{variable} {test}"),
        None => variable.to_owned(),
    }
}

/// A rule inside And or Or, in brackets where it is one of these itself.
fn part(rule: &Value) -> String {
    if rule.get("And").is_some() || rule.get("Or").is_some() {
        format!("({})", condition(rule))
    } else {
        condition(rule)
    }
}

/// A comparison without what is compared: `= "yes"`; `None` for a field that is none.
fn test(name: &str, value: &Value) -> Option<String> {
    let is = |what: &str| {
        let not = if value == &Value::Bool(false) { "not " } else { "" };
        Some(format!("is {not}{what}"))
    };
    match name {
        "IsPresent" => return is("there"),
        "IsNull" => return is("null"),
        "IsString" => return is("text"),
        "IsNumeric" => return is("a number"),
        "IsBoolean" => return is("true or false"),
        "IsTimestamp" => return is("a time"),
        "StringMatches" => return Some(format!("matches {}", shown(value))),
        _ => {}
    }
    let (name, value) = match name.strip_suffix("Path") {
        // A path stands for what it leads to, and has no quotes.
        Some(name) => (name, value.as_str().map_or_else(|| shown(value), str::to_owned)),
        None => (name, value.to_string()),
    };
    let kinds = ["String", "Numeric", "Boolean", "Timestamp"];
    let order = kinds.iter().find_map(|kind| name.strip_prefix(kind))?;
    let sign = match order {
        "Equals" => "=",
        "LessThan" => "<",
        "GreaterThan" => ">",
        "LessThanEquals" => "≤",
        "GreaterThanEquals" => "≥",
        _ => return None,
    };
    Some(format!("{sign} {value}"))
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_are_said_in_short() {
        for (rule, expected) in [
            (
                json!({"Variable": "$.a", "StringEquals": "yes", "Next": "N"}),
                "$.a = \"yes\"",
            ),
            (
                json!({"NumericGreaterThanEqualsPath": "$.b", "Variable": "$.a"}),
                "$.a ≥ $.b",
            ),
            (json!({"Variable": "$.a", "IsPresent": false}), "$.a is not there"),
            (
                json!({"Variable": "$.a", "StringMatches": "x*"}),
                "$.a matches x*",
            ),
            (
                json!({"Not": {"Variable": "$.a", "IsNull": true}}),
                "not ($.a is null)",
            ),
            (
                json!({"And": [
                    {"Variable": "$.a", "BooleanEquals": true},
                    {"Or": [{"Variable": "$.b", "NumericLessThan": 2}, {"Variable": "$.c", "IsString": true}]},
                ]}),
                "$.a = true and ($.b < 2 or $.c is text)",
            ),
            (
                json!({"Condition": "{% $states.input.a > 1 %}"}),
                "$states.input.a > 1",
            ),
            (json!({"Condition": true}), "true"),
            (json!({"Variable": "$.a"}), "$.a"),
            (json!(7), ""),
        ] {
            assert_eq!(condition(&rule), expected, "{rule}");
        }
    }

    #[test]
    fn branches_and_ways_out_are_found_in_order() {
        let definition = json!({
            "StartAt": "Z",
            "States": {
                "Z": {"Type": "Map", "Next": "A", "Catch": [{"ErrorEquals": ["X", "Y"], "Next": "B"}],
                    "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"},
                        "StartAt": "In", "States": {"In": {"Type": "Pass", "End": true}}}},
                "A": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "Z"}], "Default": "B"},
                "B": {"Type": "Parallel", "End": true, "Branches": [
                    {"StartAt": "P", "States": {"P": {"Type": "Succeed"}}}, 7,
                    {"StartAt": "Q", "States": {"Q": {"Type": "Fail"}}},
                ]},
                "odd": {"Type": "Dance"},
                "none": null,
            },
        });
        let outline = Outline::read(&definition.to_string()).unwrap();
        let names: Vec<&str> = outline.states.iter().map(|state| state.name.as_str()).collect();
        assert_eq!(
            (outline.start_at.as_str(), names, outline.size()),
            ("Z", vec!["Z", "A", "B"], 6)
        );
        let map = &outline.states[0];
        assert!(map.distributed && map.branches[0].start_at == "In");
        let way = |when: &str, next: &str| Way {
            when: when.to_owned(),
            next: next.to_owned(),
        };
        assert_eq!(map.catches, [way("X, Y", "B")]);
        assert_eq!(outline.states[1].choices, [way("$.n = 1", "Z")]);
        assert_eq!(outline.state("Q").map(|state| state.kind), Some(StateType::Fail));
        for broken in ["", "{", "[]", "7"] {
            assert_eq!(Outline::read(broken), None, "{broken}");
        }
        assert_eq!(Outline::read(r#"{"States": 7}"#), Some(Outline::default()));
    }
}
