//! Reading machines: the definition itself and the branches inside it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::diagnostic::Findings;
use super::fields::Fields;
use super::{
    Definition, InvalidDefinition, Language, Machine, MachineId, MachineType, State, Work, scopes, state,
};
use crate::retry::LONGEST_SECONDS;

/// AWS's limit to a state's name, in characters.
const LONGEST_NAME: usize = 80;

/// The machines read so far, and every state's name: they are unique across all of them.
pub(super) struct Reading {
    machines: Vec<Machine>,
    names: HashSet<String>,
    pub(super) kind: MachineType,
    /// The whole machine's.
    language: Language,
}

pub(super) fn definition(text: &str, kind: MachineType) -> Result<Definition, InvalidDefinition> {
    let mut findings = Findings::default();
    let Some(value) = json(text, &mut findings) else {
        return findings.verdict(None);
    };
    let mut reading = Reading {
        machines: Vec::new(),
        names: HashSet::new(),
        kind,
        language: Language::default(),
    };
    let timeout_seconds = root(&value, &mut reading, &mut findings);
    scopes::check(&value, &mut findings);
    findings.verdict(Some(Definition {
        timeout_seconds,
        references: scopes::references(&value),
        root: MachineId(0),
        machines: reading.machines.into(),
    }))
}

/// What TestState calls a state that was given alone.
const ALONE: &str = "StateName";

/// Reads a state that was given alone: where it leads can't be checked.
pub(super) fn single_state(text: &str) -> Result<Definition, InvalidDefinition> {
    let mut findings = Findings::default();
    let Some(value) = json(text, &mut findings) else {
        return findings.verdict(None);
    };
    let mut reading = Reading {
        machines: vec![Machine::default()],
        names: HashSet::from([ALONE.to_owned()]),
        kind: MachineType::Standard,
        language: Language::default(),
    };
    let state = state::read(&value, String::new(), &mut reading, &mut findings);
    if let Some(root) = reading.machines.first_mut() {
        ALONE.clone_into(&mut root.start_at);
        root.states.extend(state.map(|state| (ALONE.to_owned(), state)));
    }
    findings.verdict(Some(Definition {
        timeout_seconds: None,
        references: BTreeMap::new(),
        root: MachineId(0),
        machines: reading.machines.into(),
    }))
}

fn json(text: &str, findings: &mut Findings) -> Option<Value> {
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let (location, message) = not_json(text, &error);
            findings.json(location, message);
            None
        }
    }
}

/// Where text stops being JSON, and why. AWS's reader is Jackson; its words are given for text that begins with a word
/// (a path instead of the file's content, say), any other error is told in ours.
fn not_json(text: &str, error: &serde_json::Error) -> (String, String) {
    let source =
        |line: usize, column: usize| format!("[Source: (String)\"{text}\"; line: {line}, column: {column}]");
    let word: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
        .collect();
    if word.starts_with(|c: char| c.is_alphabetic()) && !["true", "false", "null"].contains(&word.as_str()) {
        let location = source(1, word.chars().count() + 1);
        let expected = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        let message = format!("Unrecognized token '{word}': was expecting {expected}\n at {location}");
        return (location, message);
    }
    (source(error.line(), error.column()), error.to_string())
}

fn root(value: &Value, reading: &mut Reading, findings: &mut Findings) -> Option<u64> {
    let mut fields = Fields::of(value, String::new(), findings)?;
    fields.string("Version");
    reading.language = query_language(&mut fields).unwrap_or_default();
    let timeout = fields.integer("TimeoutSeconds", 1, LONGEST_SECONDS);
    reading.machine(fields);
    timeout
}

/// The language that an object names. Any value but the one that names JSONPath counts as JSONata, as on AWS.
fn query_language(fields: &mut Fields<'_, '_>) -> Option<Language> {
    let at = fields.at("QueryLanguage");
    match fields.value("QueryLanguage")?.as_str() {
        Some("JSONPath") => return Some(Language::JsonPath),
        Some("JSONata") => {}
        Some(_) => {
            let message = "Value should be one of the following: [JSONPath, JSONata]";
            fields.findings.schema(at, message);
        }
        None => fields.findings.schema(at, "Expected value of type [STRING]"),
    }
    Some(Language::Jsonata)
}

impl Reading {
    /// The language of a state: its own, else the whole machine's, whatever the state around it has. A machine of
    /// JSONata has no states of JSONPath; such a one is `None`, and a finding.
    pub(super) fn state_language(&self, fields: &mut Fields<'_, '_>) -> Option<Language> {
        let language = query_language(fields).unwrap_or(self.language);
        if (self.language, language) == (Language::Jsonata, Language::JsonPath) {
            let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
            fields.findings.schema(fields.here(), message);
            return None;
        }
        Some(language)
    }

    /// Reads a branch.
    pub(super) fn branch(
        &mut self,
        value: &Value,
        location: String,
        findings: &mut Findings,
    ) -> Option<MachineId> {
        Fields::of(value, location, findings).map(|fields| self.machine(fields))
    }

    /// Reads the processor of a Map.
    pub(super) fn processor(
        &mut self,
        value: &Value,
        location: String,
        findings: &mut Findings,
    ) -> Option<MachineId> {
        let mut fields = Fields::of(value, location, findings)?;
        // Read by whoever asked for this.
        fields.value("ProcessorConfig");
        Some(self.machine(fields))
    }

    fn machine(&mut self, mut fields: Fields<'_, '_>) -> MachineId {
        let id = MachineId(self.machines.len());
        self.machines.push(Machine::default());
        fields.string("Comment");
        fields.require(&["States", "StartAt"]);
        let start_at = fields.string("StartAt");
        let states = fields.value("States");
        let states_in_order = states.and_then(Value::as_object);
        let states = states.and_then(|value| self.states(value, &mut fields));
        if let (Some(start_at), Some(states)) = (start_at, states) {
            let order: Vec<&String> = states_in_order
                .into_iter()
                .flat_map(serde_json::Map::keys)
                .collect();
            transitions(start_at, &states, &order, &mut fields);
            self.machines[id.0] = Machine {
                start_at: start_at.to_owned(),
                states,
            };
        }
        fields.end();
        id
    }

    fn states(&mut self, value: &Value, fields: &mut Fields<'_, '_>) -> Option<HashMap<String, State>> {
        let location = fields.at("States");
        let mut states = HashMap::new();
        // A state that could not be read has its finding; transitions to it must not be a second one.
        let mut whole = true;
        let map = Fields::of(value, location.clone(), fields.findings)?;
        for name in map.names() {
            let location = map.at(name);
            if name.is_empty() || name.chars().count() > LONGEST_NAME {
                map.findings.schema(
                    &location,
                    format!("A state's name must have 1 to {LONGEST_NAME} characters"),
                );
            }
            if !self.names.insert(name.clone()) {
                map.findings
                    .duplicate(&location, format!("Duplicate State name: {name}"));
            }
            match state::read(&value[name.as_str()], location, self, map.findings) {
                Some(state) => {
                    states.insert(name.clone(), state);
                }
                None => whole = false,
            }
        }
        if states.is_empty() && whole {
            fields
                .findings
                .schema(location, "A state machine must have at least one state");
        }
        whole.then_some(states)
    }
}

/// Every target is there, the machine can end, and every state can be reached: in this order, as AWS has it.
fn transitions(
    start_at: &str,
    states: &HashMap<String, State>,
    order: &[&String],
    fields: &mut Fields<'_, '_>,
) {
    let missing = |target: &str| format!("Missing 'Next' target: {target}");
    if !states.contains_key(start_at) {
        let at = fields.at("StartAt");
        fields.findings.target(at, missing(start_at));
    }
    let mut ends = false;
    for name in order {
        let Some(state) = states.get(*name) else {
            continue;
        };
        ends |= state.next.is_none() && !matches!(state.work, Work::Choice { .. });
        for (place, target) in targets(state) {
            if !states.contains_key(target) {
                fields.findings.target(
                    format!("{}/States/{name}/{place}", fields.location),
                    missing(target),
                );
            }
        }
    }
    if !ends {
        fields.findings.no_end();
        return;
    }
    let mut reached = HashSet::from([start_at]);
    let mut open = vec![start_at];
    while let Some(name) = open.pop() {
        let targets = states.get(name).map(targets).unwrap_or_default();
        open.extend(
            targets
                .into_iter()
                .filter_map(|(_, target)| reached.insert(target).then_some(target)),
        );
    }
    for name in order.iter().filter(|name| !reached.contains(name.as_str())) {
        let at = format!("{}/States/{name}", fields.location);
        fields
            .findings
            .target(at, format!("State \"{name}\" is not reachable."));
    }
}

/// Where a state leads, each with the place of the field that says so.
fn targets(state: &State) -> Vec<(String, &str)> {
    let mut targets: Vec<(String, &str)> = state
        .next
        .iter()
        .map(|next| ("Next".to_owned(), next.as_str()))
        .collect();
    if let Work::Choice { choices, default } = &state.work {
        let choices = choices.iter().enumerate();
        targets.extend(choices.map(|(n, choice)| (format!("Choices[{n}]/Next"), choice.next.as_str())));
        targets.extend(default.iter().map(|next| ("Default".to_owned(), next.as_str())));
    }
    if let Some(handlers) = state.handlers() {
        let catch = handlers.catch.iter().enumerate();
        targets.extend(catch.map(|(n, catcher)| (format!("Catch[{n}]/Next"), catcher.next.as_str())));
    }
    targets
}
