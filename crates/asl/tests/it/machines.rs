//! State machines made at random: all end, all states are reached.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// What the machines are to be started with: their Maps take their items from it.
pub(crate) const INPUT: &str = r#"{"items": [[], [1], [1, {"a": 2}], [1, 2, [3], 4], {"x": 1, "y": [2]}]}"#;

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Pass,
    Wait(u8),
    Task {
        resource: u8,
        timeout: Option<u8>,
        heartbeat: bool,
        retry: Option<(u8, u8)>,
        catch: Option<u8>,
    },
    Choice(u8),
    Parallel {
        branches: Vec<Vec<Kind>>,
        retry: Option<(u8, u8)>,
        catch: Option<u8>,
    },
    Map {
        processor: Vec<Kind>,
        items: u8,
        concurrency: u8,
        retry: Option<(u8, u8)>,
        catch: Option<u8>,
    },
    Fail,
}

fn retry() -> impl Strategy<Value = Option<(u8, u8)>> {
    prop::option::of((1..4_u8, 0..3_u8))
}

/// A state, with the branches below it.
pub(crate) fn kind() -> impl Strategy<Value = Kind> {
    let task = (
        0..3_u8,
        prop::option::of(5..20_u8),
        any::<bool>(),
        retry(),
        prop::option::of(any::<u8>()),
    );
    let leaf = prop_oneof![
        2 => Just(Kind::Pass),
        2 => (0..9_u8).prop_map(Kind::Wait),
        5 => task.prop_map(|(resource, timeout, heartbeat, retry, catch)| Kind::Task { resource, timeout, heartbeat, retry, catch }),
        1 => any::<u8>().prop_map(Kind::Choice),
        1 => Just(Kind::Fail),
    ];
    leaf.prop_recursive(2, 24, 3, |inner| {
        let branches = prop::collection::vec(prop::collection::vec(inner.clone(), 1..3), 1..4);
        let parallel =
            (branches, retry(), prop::option::of(any::<u8>())).prop_map(|(branches, retry, catch)| {
                Kind::Parallel {
                    branches,
                    retry,
                    catch,
                }
            });
        let processor = prop::collection::vec(inner.clone(), 1..3);
        let map = (
            processor,
            0..5_u8,
            0..4_u8,
            retry(),
            prop::option::of(any::<u8>()),
        );
        let map = map.prop_map(|(processor, items, concurrency, retry, catch)| Kind::Map {
            processor,
            items,
            concurrency,
            retry,
            catch,
        });
        prop_oneof![parallel, map]
    })
}

/// Writes a machine whose states lead forward only, so that it ends.
pub(crate) fn machine(kinds: &[Kind], names: &mut usize) -> Value {
    let first = *names;
    *names += kinds.len() + 1;
    let end = first + kinds.len();
    let name = |n: usize| format!("S{n}");
    let mut states = Map::new();
    for (n, kind) in kinds.iter().enumerate() {
        let (this, next) = (first + n, first + n + 1);
        let later = |pick: u8| name(next + usize::from(pick) % (end + 1 - next));
        let mut state = match kind {
            Kind::Pass if this % 2 == 1 => json!({
                "Type": "Pass",
                "QueryLanguage": "JSONata",
                "Assign": {format!("v{this}"): "{% [$states.context.State.Name, $now()] %}"},
                "Output": {"n": 2, "at": "{% $now() %}", "again": format!("{{% $exists($v{this}) %}}")}
            }),
            Kind::Pass => {
                json!({"Type": "Pass", "Parameters": {"n.$": "States.ArrayLength(States.Array(1, 2))", "in.$": "$$.State.Name"}})
            }
            Kind::Wait(seconds) => json!({"Type": "Wait", "Seconds": seconds}),
            Kind::Fail => json!({"Type": "Fail", "Error": "Given", "Cause": "up"}),
            Kind::Choice(pick) => json!({
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "IsPresent": true, "Next": later(*pick)}],
                "Default": name(next)
            }),
            Kind::Task {
                resource,
                timeout,
                heartbeat,
                ..
            } => {
                let mut state = match resource {
                    0 => {
                        json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:111111111111:function:f"})
                    }
                    1 => {
                        json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}})
                    }
                    _ => json!({
                        "Type": "Task",
                        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                        "Parameters": {"FunctionName": "f", "Payload": {"t.$": "$$.Task.Token", "r.$": "$$.State.RetryCount"}}
                    }),
                };
                if let Some(seconds) = timeout {
                    state["TimeoutSeconds"] = json!(seconds);
                }
                if *heartbeat {
                    state["HeartbeatSeconds"] = json!(4);
                }
                state
            }
            Kind::Parallel { branches, .. } => {
                json!({"Type": "Parallel", "Branches": branches.iter().map(|kinds| machine(kinds, names)).collect::<Vec<_>>()})
            }
            Kind::Map {
                processor,
                items,
                concurrency,
                ..
            } => {
                let mut map = json!({
                "Type": "Map",
                "ItemsPath": format!("$$.Execution.Input.items[{items}]"),
                "ItemSelector": {"n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"},
                "MaxConcurrency": concurrency,
                "ItemProcessor": machine(processor, names),
                });
                if *concurrency == 3 {
                    map["Label"] = json!("label");
                    map["ItemProcessor"]["ProcessorConfig"] =
                        json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
                }
                map
            }
        };
        if let Kind::Task { retry, catch, .. }
        | Kind::Parallel { retry, catch, .. }
        | Kind::Map { retry, catch, .. } = kind
        {
            if let Some((interval, attempts)) = retry {
                let rule = json!({"ErrorEquals": ["States.ALL"], "IntervalSeconds": interval, "MaxAttempts": attempts, "JitterStrategy": "FULL"});
                state["Retry"] = json!([rule]);
            }
            if let Some(pick) = catch {
                state["Catch"] = json!([{"ErrorEquals": ["States.ALL"], "Next": later(*pick)}]);
            }
        }
        if !matches!(kind, Kind::Choice(_) | Kind::Fail) {
            state["Next"] = json!(name(next));
        }
        states.insert(name(this), state);
    }
    states.insert(name(end), json!({"Type": "Pass", "End": true}));
    // After a Fail nothing is reached; what is not is left out, as a definition must.
    let mut reached = HashSet::from([name(first)]);
    for n in first..=end {
        if reached.contains(&name(n)) {
            let text = states[&name(n)].to_string();
            reached.extend(
                (n + 1..=end)
                    .map(name)
                    .filter(|target| text.contains(&format!("\":\"{target}\""))),
            );
        }
    }
    states.retain(|name, _| reached.contains(name));
    json!({"StartAt": name(first), "States": states})
}
