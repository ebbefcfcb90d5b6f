//! Definitions and inputs made at random from a number: good ones, good ones with something odd in them, odd text, and expressions of
//! every language that may stand in one.

use asl::Randomness;
use serde_json::{Map, Value, json};

use crate::random_expressions::{expression, jsonata, path, text};

/// A definition and an input, both as text.
pub(crate) struct Case {
    pub(crate) definition: String,
    pub(crate) input: String,
}

/// SplitMix64: each number gives a row of its own.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn of(number: u64) -> Self {
        Self(number.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1))
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `count`; 0 where there is none.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(1).max(1);
        usize::try_from(self.bits() % count).unwrap()
    }

    pub(crate) fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

impl Randomness for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_be_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) fn case(dice: &mut Dice) -> Case {
    let mut definition = if dice.once_in(3) {
        read(dice)
    } else {
        machine(dice, 3)
    };
    if dice.once_in(3) {
        for _ in 0..=dice.below(3) {
            mutate(&mut definition, dice);
        }
    }
    let mut definition = definition.to_string();
    if dice.once_in(8) {
        for _ in 0..=dice.below(3) {
            definition = bend(&definition, dice);
        }
    }
    let input = if dice.once_in(50) {
        text(dice)
    } else {
        let mut input =
            json!({"a": value(dice, 4), "b": [1, 2, {"c": "x"}], "n": number(dice), "items": items(dice)});
        if dice.once_in(4) {
            input = value(dice, 5);
        }
        input.to_string()
    };
    Case { definition, input }
}

fn items(dice: &mut Dice) -> Value {
    let count = if dice.once_in(400) { 3000 } else { dice.below(6) };
    (0..count).map(Value::from).collect()
}

/// Numbers from all over the scale.
pub(crate) fn number(dice: &mut Dice) -> Value {
    match dice.below(12) {
        0 => i64::MAX.into(),
        1 => i64::MIN.into(),
        2 => u64::MAX.into(),
        3 => json!(1e308),
        4 => json!(-5e-324),
        5 => json!(0.1),
        6 => json!(-0.0),
        7 => 99_999_999.into(),
        8 => (-1).into(),
        9 => json!(1e19),
        _ => dice.below(20).into(),
    }
}

/// Any JSON, so many levels deep at most.
pub(crate) fn value(dice: &mut Dice, levels: usize) -> Value {
    let kinds = if levels == 0 { 5 } else { 9 };
    match dice.below(kinds) {
        0 => Value::Null,
        1 => dice.once_in(2).into(),
        2 => number(dice),
        3 => expression(dice).into(),
        4 => text(dice).into(),
        5 | 6 => (0..dice.below(5)).map(|_| value(dice, levels - 1)).collect(),
        7 if dice.once_in(20) => {
            let depth = dice.below(110);
            (0..depth).fold(number(dice), |inner, _| json!([inner]))
        }
        _ => {
            let names = ["a", "b", "c", "n", "items", "x.$", "", "ä\u{301}", "Type", "$"];
            Value::Object(
                (0..dice.below(5))
                    .map(|_| ((*dice.pick(&names)).to_owned(), value(dice, levels - 1)))
                    .collect(),
            )
        }
    }
}

/// A machine with one state whose fields hold random expressions.
fn read(dice: &mut Dice) -> Value {
    // Most of a machine is good, so that what isn't is met while it runs.
    let field = |dice: &mut Dice| {
        json!(if dice.once_in(3) {
            expression(dice)
        } else {
            "$.n".into()
        })
    };
    if dice.once_in(3) {
        let given = |dice: &mut Dice| {
            let good = dice.once_in(2).then(|| "$states.input.a".to_owned());
            json!(format!("{{% {} %}}", good.unwrap_or_else(|| jsonata(dice, 4))))
        };
        let mut state = json!({"Type": "Pass", "Output": given(dice), "Next": "T"});
        if dice.once_in(2) {
            state["Assign"] = json!({"v": given(dice), "w": {"x": [given(dice)]}});
        }
        let last = match dice.below(4) {
            0 => json!({"Type": "Wait", "Seconds": given(dice), "End": true}),
            1 => {
                json!({"Type": "Choice", "Choices": [{"Condition": given(dice), "Next": "S"}], "Default": "S"})
            }
            2 => json!({"Type": "Fail", "Error": given(dice), "Cause": given(dice)}),
            _ => json!({
                "Type": "Map", "Items": given(dice), "ItemSelector": {"v": given(dice)}, "MaxConcurrency": given(dice),
                "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "Output": given(dice), "End": true}}},
                "End": true
            }),
        };
        let mut states = json!({"S0": state, "T": last, "S": {"Type": "Succeed", "Output": given(dice)}});
        if states["T"]["Type"] != "Choice" {
            states.as_object_mut().unwrap().remove("S");
        }
        return json!({"QueryLanguage": "JSONata", "StartAt": "S0", "States": states});
    }
    let mut state = json!({"Type": "Pass", "End": true});
    match dice.below(7) {
        0 => state["InputPath"] = json!(path(dice, 3)),
        1 => state["OutputPath"] = json!(path(dice, 3)),
        2 => state["ResultPath"] = json!(path(dice, 3)),
        3 => {
            let resource = "arn:aws:states:::lambda:invoke";
            state = json!({
                "Type": "Task", "Resource": resource, "Parameters": {"FunctionName": "f", "Payload": {"p.$": field(dice)}},
                "ResultSelector": {"r.$": field(dice)}, "ResultPath": *dice.pick(&["$", "$.a", "$.b[2].c", "$.x.y"]),
                "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": dice.below(3), "BackoffRate": 1.5}],
                "End": true
            });
        }
        4 => {
            let tests = [
                "StringEquals",
                "StringMatches",
                "NumericLessThanPath",
                "TimestampEquals",
                "IsPresent",
                "BooleanEquals",
            ];
            let rule = |dice: &mut Dice| json!({"Variable": path(dice, 3), *dice.pick(&tests): field(dice)});
            let mut rule = json!({"Not": {"And": [rule(dice), {"Or": [rule(dice)]}]}});
            rule["Next"] = json!("E");
            let choice = json!({"Type": "Choice", "Choices": [rule], "Default": "E"});
            return json!({"StartAt": "S", "States": {"S": choice, "E": {"Type": "Succeed"}}});
        }
        _ => {
            state["Parameters"] =
                json!({"x.$": field(dice), "y": [{"z.$": field(dice)}], "w.$": field(dice)});
        }
    }
    json!({"StartAt": "S", "States": {"S": state}})
}

/// A good machine of a few states, which may lead back.
pub(crate) fn machine(dice: &mut Dice, levels: usize) -> Value {
    let count = 1 + dice.below(4);
    let salt = dice.below(1_000_000);
    let names: Vec<String> = (0..count).map(|n| format!("S{levels}-{salt}-{n}")).collect();
    let mut states = Map::new();
    for n in 0..count {
        let mut state = state(dice, levels);
        while n + 1 < count && matches!(state["Type"].as_str(), Some("Fail" | "Succeed"))
            || n + 1 == count && state["Type"] == "Choice"
        {
            state = self::state(dice, levels);
        }
        let ends = matches!(state["Type"].as_str(), Some("Fail" | "Succeed"));
        let next = names.get(n + 1);
        // Back only now and then: a machine that goes round fills its history.
        let from = if dice.once_in(400) {
            0
        } else {
            (n + 1).min(count - 1)
        };
        if state["Type"] == "Choice" {
            for choice in state["Choices"].as_array_mut().unwrap() {
                choice["Next"] = json!(dice.pick(&names[from..]));
            }
            state["Default"] = json!(next);
        } else if !ends {
            match next {
                Some(next) => state["Next"] = json!(next),
                None => state["End"] = json!(true),
            }
            if next.is_some()
                && matches!(state["Type"].as_str(), Some("Task" | "Parallel" | "Map"))
                && dice.once_in(2)
            {
                state["Catch"] = json!([{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": dice.pick(&names[from..])}]);
            }
        }
        states.insert(names[n].clone(), state);
    }
    let mut machine = json!({"StartAt": names[0], "States": states});
    if levels == 3 && dice.once_in(3) {
        machine["TimeoutSeconds"] = json!(dice.below(100) + 1);
    }
    machine
}

fn state(dice: &mut Dice, levels: usize) -> Value {
    let retry = json!([{
        "ErrorEquals": [*dice.pick(&["States.ALL", "Mine", "States.Timeout"])], "IntervalSeconds": dice.below(5) + 1,
        "MaxAttempts": dice.below(4), "BackoffRate": 1.5, "MaxDelaySeconds": 60, "JitterStrategy": "FULL"
    }]);
    let kinds = if levels == 0 { 7 } else { 10 };
    let mut state = match dice.below(kinds) {
        0 => {
            json!({"Type": "Pass", "Parameters": {"in.$": "$", "at.$": "$$.State.EnteredTime", "u.$": "States.UUID()"}})
        }
        1 => json!({"Type": "Wait", "Seconds": dice.below(9)}),
        2 => json!({"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": dice.below(9)}]}),
        3 => json!({"Type": *dice.pick(&["Succeed", "Fail"])}),
        4 => json!({"Type": "Pass", "Result": value(dice, 3), "ResultPath": "$.a"}),
        5 | 6 => {
            let resource = *dice.pick(&[
                "arn:aws:lambda:us-east-1:111111111111:function:f",
                "arn:aws:states:::lambda:invoke",
                "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "arn:aws:states:::states:startExecution.sync:2",
                "arn:aws:states:us-east-1:111111111111:activity:a",
            ]);
            let mut task =
                json!({"Type": "Task", "Resource": resource, "TimeoutSeconds": dice.below(30) + 10});
            task["Parameters"] = if resource.contains("sqs") {
                json!({"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token"}})
            } else if resource.contains("startExecution") {
                json!({"StateMachineArn": "arn:aws:states:us-east-1:111111111111:stateMachine:m", "Input.$": "$"})
            } else {
                json!({"FunctionName": "f", "Payload.$": "$"})
            };
            if dice.once_in(2) {
                task["HeartbeatSeconds"] = json!(dice.below(9) + 1);
            }
            task["ResultPath"] = json!("$.task");
            task
        }
        7 | 8 => {
            let branches: Vec<Value> = (0..=dice.below(3)).map(|_| machine(dice, levels - 1)).collect();
            json!({"Type": "Parallel", "Branches": branches, "ResultPath": "$.both"})
        }
        _ => json!({
            "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": dice.below(4), "ResultPath": "$.each",
            "ItemSelector": {"n": dice.below(9), "items": [1, 2], "v.$": "$$.Map.Item.Value"},
            "ItemProcessor": machine(dice, levels - 1),
        }),
    };
    if matches!(state["Type"].as_str(), Some("Task" | "Parallel" | "Map")) && dice.once_in(2) {
        state["Retry"] = retry;
    }
    state
}

/// Names of fields, known to one kind of state or another.
const FIELDS: [&str; 44] = [
    "Type",
    "Next",
    "End",
    "StartAt",
    "States",
    "Branches",
    "Retry",
    "Catch",
    "Choices",
    "Default",
    "Result",
    "Parameters",
    "ResultPath",
    "InputPath",
    "OutputPath",
    "ResultSelector",
    "Seconds",
    "SecondsPath",
    "Timestamp",
    "TimestampPath",
    "TimeoutSeconds",
    "TimeoutSecondsPath",
    "HeartbeatSeconds",
    "Resource",
    "ItemsPath",
    "Items",
    "ItemSelector",
    "ItemProcessor",
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "ProcessorConfig",
    "MaxConcurrency",
    "ToleratedFailureCount",
    "ErrorEquals",
    "MaxAttempts",
    "BackoffRate",
    "Error",
    "CausePath",
    "QueryLanguage",
    "Assign",
    "Output",
    "Arguments",
    "Comment",
];

/// Puts something odd somewhere.
fn mutate(definition: &mut Value, dice: &mut Dice) {
    let other = if dice.once_in(2) {
        value(dice, 3)
    } else {
        somewhere(&mut machine(dice, 1), dice).clone()
    };
    let place = somewhere(definition, dice);
    match (dice.below(7), &mut *place) {
        (0, Value::Object(map)) => {
            let gone = map.keys().nth(dice.below(map.len())).cloned();
            gone.map(|name| map.remove(&name));
        }
        (1 | 2, Value::Object(map)) => {
            map.insert((*dice.pick(&FIELDS)).to_owned(), other);
        }
        (3, Value::Object(map)) => {
            let (from, to) = (dice.below(map.len()), (*dice.pick(&FIELDS)).to_owned());
            if let Some(value) = map.values().nth(from).cloned() {
                map.insert(to, value);
            }
        }
        (4, Value::Array(list)) => list.push(other),
        (5, value) => {
            *value =
                json!({"Type": *dice.pick(&["Pass", "Map", "Choice"]), "End": true, "States": value.take()});
        }
        (_, value) => *value = other,
    }
}

/// A place in a value.
fn somewhere<'v>(mut place: &'v mut Value, dice: &mut Dice) -> &'v mut Value {
    loop {
        let below = match place {
            Value::Object(map) => map.len(),
            Value::Array(list) => list.len(),
            _ => 0,
        };
        if below == 0 || dice.once_in(5) {
            return place;
        }
        let at = dice.below(below);
        place = match place {
            Value::Object(map) => map.values_mut().nth(at).unwrap(),
            Value::Array(list) => &mut list[at],
            _ => unreachable!("it has something below it"),
        };
    }
}

/// Breaks text somewhere: a part is lost, doubled, or something odd comes between.
fn bend(definition: &str, dice: &mut Dice) -> String {
    let cut = |dice: &mut Dice| {
        let at = dice.below(definition.len() + 1);
        (0..=at)
            .rev()
            .find(|&at| definition.is_char_boundary(at))
            .unwrap_or(0)
    };
    let (one, two) = (cut(dice), cut(dice));
    let (from, to) = (one.min(two), one.max(two));
    let (head, middle, tail) = (&definition[..from], &definition[from..to], &definition[to..]);
    match dice.below(6) {
        0 => format!("{head}{tail}"),
        1 => format!("{head}{middle}{middle}{tail}"),
        2 => format!("{head}{}{middle}{tail}", text(dice)),
        3 => format!("{head}{}{middle}{tail}", "[{\"a\":".repeat(dice.below(5000))),
        4 => definition.replacen("\"Type\"", "\"Type\":\"Pass\",\"Type\"", 1 + dice.below(3)),
        _ => format!(
            "{head}{}{middle}{tail}",
            dice.pick(&[
                "1e999",
                "-",
                "\\ud800",
                "\u{0}",
                "\u{feff}",
                "0".repeat(400).as_str()
            ])
        ),
    }
}
