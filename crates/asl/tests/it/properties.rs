//! What must hold for any machine and any world: a journal cut off anywhere can be taken up again, and nothing that
//! can be written down brings the interpreter down.

use std::sync::Arc;

use asl::{Definition, Entry, Event, Execution, Failure, Happened, Randomness, Status};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::driver::{begin, identity};
use crate::machines::{INPUT, kind, machine};

/// Draws by number. How many there were before can be read off a journal, so that a step taken up in its middle draws
/// what it would have drawn.
struct Numbered(u64);

impl Numbered {
    /// The machines here draw only for tokens, for jitter and for the names of Map Runs.
    fn after(journal: &[Entry]) -> Self {
        let draws = |entry: &&Entry| {
            matches!(
                entry.event,
                Event::TaskScheduled { token: Some(_), .. }
                    | Event::RetryScheduled { .. }
                    | Event::MapRunStarted { .. }
            )
        };
        Self(journal.iter().filter(draws).count() as u64)
    }
}

impl Randomness for Numbered {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        let mixed = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        bytes
            .iter_mut()
            .zip(mixed.into_iter().cycle())
            .for_each(|(byte, mixed)| *byte = mixed);
    }
}

#[derive(Clone, Debug)]
struct Move {
    seconds: u8,
    pick: u8,
    what: u8,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = (0..6_u8, any::<u8>(), 0..24_u8).prop_map(|(seconds, pick, what)| Move { seconds, pick, what });
    prop::collection::vec(one, 1..40)
}

/// What the world does next: mostly something about an open task.
fn happened(execution: &Execution, next: &Move) -> Happened {
    let tasks = execution.open_tasks();
    let runs = execution.open_map_runs();
    if let Some(run) = runs.get(usize::from(next.pick) % (runs.len() + tasks.len()).max(1)) {
        let (arn, error) = (run.arn.clone(), Some("Mine".to_owned()));
        return match next.what {
            0 => Happened::TimerFired,
            1..=5 => Happened::MapRunFailed {
                arn,
                failure: Failure {
                    error,
                    ..Failure::default()
                },
            },
            _ => Happened::MapRunSucceeded {
                arn,
                output: json!([next.pick]),
            },
        };
    }
    let Some(open) = tasks.get(usize::from(next.pick) % tasks.len().max(1)) else {
        return Happened::TimerFired;
    };
    let task = open.task;
    let error = Some(["Mine", "States.Timeout", "Other"][usize::from(next.what) % 3].to_owned());
    match (next.what, &open.token) {
        (0, _) if next.pick > 240 => Happened::Stopped {
            error: None,
            cause: None,
        },
        (0..=1, _) => Happened::TimerFired,
        (2..=4, _) => Happened::TaskStarted { task },
        (5..=7, Some(_)) => Happened::TaskSubmitted {
            task,
            output: json!({"StatusCode": 200}),
        },
        (8..=12, _) => Happened::TaskFailed {
            task,
            error,
            cause: None,
        },
        (13, _) => Happened::TaskTimedOut { task, cause: None },
        (_, None) => Happened::TaskSucceeded {
            task,
            output: json!({"n": next.pick}),
        },
        (14..=15, Some(token)) => Happened::TokenFailed {
            token: token.clone(),
            error,
            cause: Some("c".into()),
        },
        (_, Some(token)) => Happened::TokenSucceeded {
            token: token.clone(),
            output: json!([next.pick]),
        },
    }
}

/// Each call: what happened, when, and how many entries there were before it.
type Calls = Vec<(Happened, Timestamp, usize)>;

fn play(definition: &Arc<Definition>, moves: &[Move]) -> (Execution, Vec<Entry>, Calls) {
    let (mut now, mut random) = (begin(), Numbered(0));
    let (mut execution, step) =
        Execution::start(definition.clone(), identity(), INPUT, now, &mut random).unwrap();
    let (mut journal, mut calls) = (step.entries, Vec::new());
    for next in moves {
        now += SignedDuration::from_secs(next.seconds.into());
        let happened = happened(&execution, next);
        calls.push((happened.clone(), now, journal.len()));
        journal.extend(execution.handle(happened, now, &mut random).entries);
    }
    (execution, journal, calls)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_cut_off_anywhere_goes_on_as_if_it_had_not(
        kinds in prop::collection::vec(kind(), 1..5),
        timeout in prop::option::of(20..90_u8),
        moves in moves(),
    ) {
        let mut definition = machine(&kinds, &mut 0);
        if let Some(timeout) = timeout {
            definition["TimeoutSeconds"] = json!(timeout);
        }
        let definition = Arc::new(Definition::parse(&definition.to_string()).unwrap());
        let (execution, journal, calls) = play(&definition, &moves);
        let text = serde_json::to_string(&journal).unwrap();
        let read: Vec<Entry> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &journal);
        prop_assert_eq!(&Execution::replay(definition.clone(), &journal).unwrap(), &execution);

        for (n, (happened, now, before)) in calls.iter().enumerate() {
            let after = calls.get(n + 1).map_or(journal.len(), |call| call.2);
            for cut in *before..=after {
                // The call's entries are lost from `cut` on; the world says once more what it said.
                let mut resumed = Execution::replay(definition.clone(), &journal[..cut]).unwrap();
                let step = resumed.handle(happened.clone(), *now, &mut Numbered::after(&journal[..cut]));
                prop_assert_eq!(&journal[cut..after], &step.entries[..], "cut at {} of {}..{}", cut, before, after);
            }
        }
    }

    #[test]
    fn ids_count_up_and_point_back(kinds in prop::collection::vec(kind(), 1..5), moves in moves()) {
        let definition = Arc::new(Definition::parse(&machine(&kinds, &mut 0).to_string()).unwrap());
        let (execution, journal, _) = play(&definition, &moves);
        let history: Vec<Value> = asl::history(&journal, true).collect();
        for (n, event) in history.iter().enumerate() {
            prop_assert_eq!(event["id"].as_u64(), Some(n as u64 + 1));
            prop_assert!(event["previousEventId"].as_u64() < Some(n as u64 + 1));
        }
        let entered = history.iter().filter(|event| event["type"].as_str().unwrap().ends_with("StateEntered")).count();
        let left = history.iter().filter(|event| event["type"].as_str().unwrap().ends_with("StateExited")).count();
        prop_assert!(left <= entered);
        let ended = history.last().unwrap()["type"].as_str().unwrap().starts_with("Execution");
        prop_assert_eq!(ended, execution.status() != &Status::Running);
        if execution.status() != &Status::Running {
            prop_assert_eq!(execution.next_timer(), None);
            prop_assert!(execution.open_tasks().is_empty());
        }
    }

    #[test]
    fn any_text_for_a_definition(text in any::<String>()) {
        drop(Definition::parse(&text));
    }

    #[test]
    fn any_path_or_call_in_any_place(
        path in r"\$?\$?([.\[\]'*?@()&|!=<>:,\\ a0-9-]|\.\.|\[\*\]|\[\?\(|@\.a|States\.(Format|Array|MathAdd|UUID|ArrayRange)\(|'[^']?'|ä){0,12}",
        field in 0..5_usize,
        input in json_value(),
    ) {
        let name = ["InputPath", "OutputPath", "ResultPath", "Parameters", "Variable"][field];
        let mut state = json!({"Type": "Pass", "End": true});
        match field {
            3 => state[name] = json!({"x.$": path}),
            4 => {
                let rule = json!({"Variable": path, "StringMatches": path, "Next": "E"});
                state = json!({"Type": "Choice", "Choices": [rule], "Default": "E"});
            }
            _ => state[name] = json!(path),
        }
        let mut states = json!({"S": state});
        if field == 4 {
            states["E"] = json!({"Type": "Succeed"});
        }
        run_to_rest(&json!({"StartAt": "S", "States": states}), &input);
    }

    #[test]
    fn any_expression_in_any_place(
        words in prop::collection::vec(expression_word(), 0..14),
        field in 0..7_usize,
        input in json_value(),
    ) {
        let text = format!("{{% {} %}}", words.concat());
        let (kind, name) = [
            ("Pass", "Output"),
            ("Pass", "Assign"),
            ("Wait", "Seconds"),
            ("Wait", "Timestamp"),
            ("Task", "Arguments"),
            ("Task", "TimeoutSeconds"),
            ("Map", "Items"),
        ][field];
        let mut state = json!({"Type": kind, "Next": "E", name: text});
        match kind {
            "Pass" => state[name] = json!({"x": [text]}),
            "Task" => state["Resource"] = json!("arn:aws:lambda:us-east-1:111111111111:function:f"),
            "Map" => state["ItemProcessor"] = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}),
            _ => {}
        }
        let choice = json!({"Type": "Choice", "Choices": [{"Condition": text, "Output": text, "Next": "F"}], "Default": "F"});
        let states = json!({"S": state, "E": choice, "F": {"Type": "Fail", "Cause": text}});
        run_to_rest(&json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": states}), &input);
    }

    #[test]
    fn any_whole_expression_ends(output in expression(), assign in expression(), input in json_value()) {
        let state = json!({
            "Type": "Pass",
            "Assign": {"x": format!("{{% {assign} %}}")},
            "Output": format!("{{% {output} %}}"),
            "End": true
        });
        let definition = json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {"S": state}});
        let definition = match Definition::parse(&definition.to_string()) {
            Ok(definition) => Arc::new(definition),
            Err(why) => {
                // A regular expression may stand only where JSONata's grammar lets a `/` begin one.
                prop_assert!(why.diagnostics.iter().all(|one| one.code == "INVALID_JSONATA_EXPRESSION"), "{:?}", why);
                return Ok(());
            }
        };
        let run = || {
            let (execution, step) = Execution::start(definition.clone(), identity(), &input.to_string(), begin(), &mut Numbered(0)).unwrap();
            (execution, step.entries)
        };
        let (execution, journal) = run();
        prop_assert!(execution.status() != &Status::Running);
        prop_assert_eq!(&run().1, &journal, "the same time and randomness give the same journal");
        prop_assert_eq!(&Execution::replay(definition.clone(), &journal).unwrap(), &execution);
    }

    #[test]
    fn any_text_for_an_expression(text in any::<String>()) {
        let state = json!({"Type": "Pass", "Output": format!("{{%{text}%}}"), "End": true});
        run_to_rest(&json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {"S": state}}), &json!({}));
    }

    #[test]
    fn a_good_definition_with_anything_anywhere(
        kinds in prop::collection::vec(kind(), 1..4),
        at in prop::collection::vec(any::<u8>(), 1..8),
        value in json_value(),
        input in json_value(),
    ) {
        let mut definition = machine(&kinds, &mut 0);
        put_somewhere(&mut definition, &at, value);
        run_to_rest(&definition, &input);
    }
}

/// Runs what can be run, failing every task, for a bounded time of the machine's own.
fn run_to_rest(definition: &Value, input: &Value) {
    let Ok(definition) = Definition::parse(&definition.to_string()) else {
        return;
    };
    let (mut now, mut random) = (begin(), Numbered(0));
    let (mut execution, _) = Execution::start(
        Arc::new(definition),
        identity(),
        &input.to_string(),
        now,
        &mut random,
    )
    .unwrap();
    for _ in 0..50 {
        let happened = match execution.open_tasks().first() {
            Some(open) => Happened::TaskFailed {
                task: open.task,
                error: Some("E".into()),
                cause: None,
            },
            None => Happened::TimerFired,
        };
        now = execution.next_timer().unwrap_or(now).max(now);
        execution.handle(happened, now, &mut random);
    }
}

/// A whole expression of JSONata.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "$states.input",
        "$states.input.a",
        "$states.input.n[0]",
        "$states.context.State.Name",
        "$x",
        "1",
        "-0.5",
        "1e300",
        "'ä'",
        "''",
        "null",
        "true",
        "[]",
        "{}",
        "[1..9]",
        "$now()",
        "$random()",
        "$uuid()",
        "$millis()",
        "$sum",
        "/b+/",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let one = prop::sample::select(vec![
            "[%]",
            "{'k': %}",
            "-(%)",
            "$string(%)",
            "$number(%)",
            "$count(%)",
            "$sum(%)",
            "$distinct(%)",
            "$keys(%)",
            "$sort(%)",
            "$reverse(%)",
            "$merge(%)",
            "$type(%)",
            "$exists(%)",
            "$length(%)",
            "$uppercase(%)",
            "$parse($string(%))",
            "$not(%)",
            "(%).a",
            "(%).*",
            "(%).**",
            "(%)[0]",
            "(%)[]",
            "(%)^($)",
            "(%){'k': $}",
            "(% ~> |$|{'z': 1}|)",
            "$spread(%)",
            "$flatten(%)",
            "$map(%, function($v, $i) { [$v, $i] })",
            "$filter(%, function($v) { $v != 1 })",
            "$each(%, function($v, $k) { $k })",
            "$reduce(%, function($a, $b) { [$a, $b] })",
            "($f := function($n) { $n > 5 ? $n : $f($n + 1) }; [$f(1), %])",
            "$hash($string(%), 'SHA-256')",
            "$partition([%], 2)",
            "$formatNumber(%, '#.0')",
            "$fromMillis(%)",
            "$base64encode(%)",
        ]);
        let two = prop::sample::select(vec![
            "(% + %)",
            "(% / %)",
            "(% & %)",
            "(% = %)",
            "(% < %)",
            "(% in %)",
            "(% and %)",
            "[%, %]",
            "{'a': %, 'b': %}",
            "[%..%]",
            "$append(%, %)",
            "$lookup(%, %)",
            "$join(%, %)",
            "$split(%, %)",
            "$contains(%, %)",
            "$pad(%, %)",
            "$range(%, %, 2)",
            "(% ? % : 0)",
            "($y := %; %)",
            "$zip(%, %)",
            "$power(%, %)",
            "(%)[%]",
            "$substring(%, %)",
        ]);
        prop_oneof![
            (one, inner.clone()).prop_map(|(form, a)| form.replacen('%', &a, 1)),
            (two, inner.clone(), inner).prop_map(|(form, a, b)| {
                let (before, rest) = form.split_once('%').unwrap();
                let (between, after) = rest.split_once('%').unwrap_or((rest, ""));
                format!("{before}{a}{between}{b}{after}")
            }),
        ]
    })
}

/// A piece of JSONata; most of what comes of joining some can be read.
fn expression_word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "$states.input",
        "$states.context",
        "$x",
        ".a",
        ".n[0]",
        "[0]",
        "[$ > 1]",
        "[]",
        "*",
        "**",
        "%",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "{'a': ",
        ",",
        ";",
        " + ",
        " - ",
        " * ",
        " / ",
        " & ",
        " = ",
        " < ",
        " in ",
        " and ",
        "..",
        " ? ",
        " : ",
        " ~> ",
        " := ",
        "1",
        "-1",
        "1e300",
        "0.5",
        "'ä'",
        "null",
        "true",
        "/a+/",
        "$map(",
        "$sum(",
        "$string(",
        "$range(1, 9, 2)",
        "$partition([1, 2, 3], 2)",
        "$hash('a', 'MD5')",
        "$uuid()",
        "$random(1)",
        "$parse('[1]')",
        "$now()",
        "function($v) {",
        "$distinct(",
        "$count(",
        "^(",
        "@$i",
        "#$i",
        "|$|{}|",
        "$sort(",
        "$keys(",
        "$merge(",
        "$eval('1')",
    ])
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300_f64).prop_map(Value::from),
        prop_oneof![
            Just("S1"),
            Just("$"),
            Just("$.a"),
            Just("$$"),
            Just("States.UUID()"),
            Just("Pass"),
            Just("Map"),
            Just("JSONata"),
            Just("{% $states.input %}"),
            Just("{% 1"),
            Just("a")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let name = prop_oneof![
            Just("a"),
            Just("a.$"),
            Just("Type"),
            Just("Next"),
            Just("States"),
            Just("n"),
            Just("Retry"),
            Just("QueryLanguage"),
            Just("Assign"),
            Just("Output")
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..4).prop_map(|fields| Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            )),
        ]
    })
}

/// Walks down by the numbers and puts the value where it ends up.
fn put_somewhere(place: &mut Value, at: &[u8], new: Value) {
    let below = at.split_first().and_then(|(&step, rest)| {
        let below: Vec<&mut Value> = match place {
            Value::Object(map) => map.values_mut().collect(),
            Value::Array(items) => items.iter_mut().collect(),
            _ => Vec::new(),
        };
        let count = below.len();
        Some((
            below.into_iter().nth(usize::from(step).checked_rem(count)?)?,
            rest,
        ))
    });
    match below {
        Some((below, rest)) => put_somewhere(below, rest, new),
        None => *place = new,
    }
}
