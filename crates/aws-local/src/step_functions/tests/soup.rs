//! Definitions and inputs made at random, half of them nonsense, through every operation that reads one: each is
//! answered or refused, nothing panics, hangs or grows without bound.

use super::*;

/// Draws of a fixed sequence.
struct Soup(u64);

const PATHS: [&str; 14] = [
    "$",
    "$.a",
    "$.a.b[0]",
    "$..a",
    "$.a[*].b",
    "$.a[?(@.b > 1)]",
    "$['a']",
    "$$.Execution.Id",
    "$$.State.Name",
    "$x",
    "$x.a",
    "$.a[-1:]",
    "$.",
    "no path",
];
const CALLS: [&str; 10] = [
    "States.Format('{} and {}', $.a, 'b')",
    "States.Array($.a, States.UUID(), 3)",
    "States.ArrayRange(1, 1000, 1)",
    "States.ArrayPartition($.a, 2)",
    "States.StringToJson($.a)",
    "States.JsonMerge($.a, $.b, false)",
    "States.MathRandom(1, 9)",
    "States.Base64Decode('x')",
    "States.Format('{",
    "States.Nothing()",
];
const JSONATA: [&str; 9] = [
    "{% $states.input %}",
    "{% $states.input.a + 1 %}",
    "{% $map([1..9], function($v) { $v * 2 }) %}",
    "{% $states.context.Execution.Id %}",
    "{% $x %}",
    "{% ($f := function($n) { $f($n + 1) }; $f(0)) %}",
    "{% $string($states) %}",
    "{% ) %}",
    "{% [1..10000000] %}",
];
const TEXTS: [&str; 9] = [
    "A",
    "B",
    "C",
    "",
    "States.ALL",
    "2026-11-21T09:00:00Z",
    "ü\u{202e}\u{0}",
    "STANDARD",
    "x",
];
const RESOURCES: [&str; 9] = [
    "arn:aws:states:::lambda:invoke",
    "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "arn:aws:lambda:us-east-1:123456789012:function:none",
    "arn:aws:states:us-east-1:123456789012:activity:none",
    "arn:aws:states:::sqs:sendMessage",
    "arn:aws:states:::states:startExecution.sync:2",
    "arn:aws:states:::aws-sdk:kms:encrypt",
    "arn:aws:states:::dynamodb:query",
    "nothing",
];
const TYPES: [&str; 9] = [
    "Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map", "Other",
];
const FIELDS: [&str; 44] = [
    "Comment",
    "InputPath",
    "OutputPath",
    "ResultPath",
    "Parameters",
    "ResultSelector",
    "Result",
    "Next",
    "End",
    "Resource",
    "TimeoutSeconds",
    "TimeoutSecondsPath",
    "HeartbeatSeconds",
    "HeartbeatSecondsPath",
    "Retry",
    "Catch",
    "Seconds",
    "SecondsPath",
    "Timestamp",
    "TimestampPath",
    "Choices",
    "Default",
    "Error",
    "ErrorPath",
    "Cause",
    "CausePath",
    "Branches",
    "ItemProcessor",
    "Iterator",
    "ItemsPath",
    "ItemSelector",
    "MaxConcurrency",
    "MaxConcurrencyPath",
    "ToleratedFailureCount",
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "Assign",
    "Arguments",
    "Output",
    "QueryLanguage",
    "Credentials",
    "Items",
];
const COMPARISONS: [&str; 12] = [
    "StringEquals",
    "StringMatches",
    "NumericGreaterThan",
    "NumericEqualsPath",
    "BooleanEquals",
    "TimestampEquals",
    "IsPresent",
    "IsNull",
    "IsString",
    "StringLessThanPath",
    "Not",
    "And",
];

impl Soup {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below as u64).unwrap_or(0)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.next(n) == 0
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.next(words.len())]
    }

    fn number(&mut self) -> Value {
        match self.next(6) {
            0 => json!(0),
            1 => json!(-1),
            2 => json!(1.5),
            3 => json!(u64::MAX),
            4 => json!(1e300),
            _ => json!(self.next(20)),
        }
    }

    fn text(&mut self) -> Value {
        match self.next(5) {
            0 => self.of(&PATHS).into(),
            1 => self.of(&CALLS).into(),
            2 => self.of(&JSONATA).into(),
            _ => self.of(&TEXTS).into(),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.next(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.one_in(2)),
            2 => self.number(),
            3 | 4 => self.text(),
            5 => (0..self.next(4)).map(|_| self.value(depth - 1)).collect(),
            _ => self.template(depth - 1),
        }
    }

    fn template(&mut self, depth: usize) -> Value {
        let mut map = serde_json::Map::new();
        for _ in 0..self.next(4) {
            let name = self.of(&["a", "b", "FunctionName", "Payload", "x"]);
            match self.next(3) {
                0 => map.insert(format!("{name}.$"), self.text()),
                _ => map.insert(name.to_owned(), self.value(depth)),
            };
        }
        Value::Object(map)
    }

    fn machine(&mut self, depth: usize) -> Value {
        let names = ["A", "B", "C"];
        let count = 1 + self.next(3);
        let mut states = serde_json::Map::new();
        for (n, name) in names.iter().take(count).enumerate() {
            let mut state = self.state(depth);
            if !self.one_in(8) && !matches!(state["Type"].as_str(), Some("Choice" | "Succeed" | "Fail")) {
                if n + 1 < count {
                    state["Next"] = names[n + 1].into();
                } else {
                    state["End"] = true.into();
                }
            }
            // States are unique across all machines of a definition.
            let name = if depth == 2 {
                (*name).to_owned()
            } else {
                format!("{name}{depth}{}", self.next(1000))
            };
            states.insert(name, state);
        }
        let first = states.keys().next().cloned().unwrap_or_default();
        let mut machine = json!({"StartAt": first, "States": states});
        if self.one_in(4) {
            machine["QueryLanguage"] = self.of(&["JSONata", "JSONPath", "SQL"]).into();
        }
        if self.one_in(6) {
            machine["TimeoutSeconds"] = self.number();
        }
        machine
    }

    fn state(&mut self, depth: usize) -> Value {
        let kind = self.of(&TYPES);
        let mut state = json!({"Type": kind});
        match kind {
            "Task" => {
                state["Resource"] = self.of(&RESOURCES).into();
                state["Parameters"] = json!({"FunctionName": "none", "Payload": self.value(2)});
            }
            "Wait" => state["Seconds"] = json!(self.next(3)),
            "Choice" => {
                state["Choices"] = (0..=self.next(2)).map(|_| self.choice()).collect();
                state["Default"] = "B".into();
            }
            "Parallel" if depth > 0 => {
                state["Branches"] = (0..=self.next(2)).map(|_| self.machine(depth - 1)).collect();
            }
            "Map" if depth > 0 => state["ItemProcessor"] = self.machine(depth - 1),
            _ => {}
        }
        let odd = if self.one_in(3) { self.next(4) } else { 0 };
        for _ in 0..odd {
            let field = self.of(&FIELDS);
            state[field] = match field {
                "Retry" | "Catch" => {
                    json!([{"ErrorEquals": [self.of(&TEXTS)], "Next": "B", "MaxAttempts": self.number()}])
                }
                "Parameters" | "ResultSelector" | "Assign" | "Arguments" | "Output" | "ItemSelector" => {
                    self.template(3)
                }
                "QueryLanguage" => self.of(&["JSONata", "JSONPath"]).into(),
                _ => self.value(2),
            };
        }
        state
    }

    fn choice(&mut self) -> Value {
        let comparison = self.of(&COMPARISONS);
        let mut choice = json!({"Next": self.of(&["A", "B", "C"])});
        if self.one_in(3) {
            choice["Condition"] = self.text();
        } else {
            choice["Variable"] = self.of(&PATHS).into();
            choice[comparison] = self.value(1);
        }
        choice
    }

    fn definition(&mut self) -> String {
        let definition = self.machine(2).to_string();
        match self.next(20) {
            // Cut off, or with something odd in it.
            0 => definition.chars().take(self.next(definition.len())).collect(),
            1 => definition.replace('"', "'"),
            2 => format!("{}{definition}", "[".repeat(self.next(5000))),
            _ => definition,
        }
    }

    fn input(&mut self) -> String {
        match self.next(10) {
            0 => self
                .of(&["", "{", "nul", "1e999", "\"\\ud800\"", "[[[["])
                .to_owned(),
            1 => format!("{}1{}", "[".repeat(90), "]".repeat(90)),
            2 => json!({"a": "x".repeat(self.next(100_000))}).to_string(),
            _ => json!({"a": self.value(3), "b": self.value(2)}).to_string(),
        }
    }
}

/// Calls, and holds the answer against what may be.
async fn call_any(aws: &AwsLocal, operation: &str, body: &Value) -> Option<Value> {
    let request = http::Request::post("/")
        .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
        .body(body.to_string().into())
        .expect("a request");
    let answer = tokio::time::timeout(Duration::from_mins(10), aws.handle(request));
    let response = answer
        .await
        .unwrap_or_else(|_| panic!("{operation} hangs on {body}"));
    assert!(
        matches!(response.status().as_u16(), 200 | 400),
        "{operation} of {body}: {response:?}"
    );
    assert!(response.body().len() < 4_000_000, "{operation} of {body} grows");
    let status = response.status();
    let answer: Value = serde_json::from_slice(response.body()).expect("JSON");
    status.is_success().then_some(answer)
}

async fn cook(seed: u64, count: u64) -> [usize; 3] {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let (mut created, mut started, mut tried) = (0, 0, 0);
    for n in 0..count {
        let mut soup = Soup(seed.wrapping_add(n.wrapping_mul(0x2545_f491_4f6c_dd1d)));
        let definition = soup.definition();
        let kind = soup.of(&["STANDARD", "STANDARD", "EXPRESS"]);
        call_any(
            &aws,
            "ValidateStateMachineDefinition",
            &json!({"definition": definition, "type": kind}),
        )
        .await;
        let state = soup.state(1);
        let mut trial = json!({"definition": state.to_string(), "input": soup.input(), "roleArn": ROLE, "inspectionLevel": "TRACE"});
        let mockable = matches!(state["Type"].as_str(), Some("Task" | "Map" | "Parallel"));
        if mockable && soup.one_in(2) {
            trial["mock"] =
                json!({"result": soup.input(), "fieldValidationMode": soup.of(&["STRICT", "NONE"])});
        } else if mockable || soup.one_in(9) {
            trial["mock"] = json!({"errorOutput": {"error": soup.of(&TEXTS)}});
        }
        tried += usize::from(call_any(&aws, "TestState", &trial).await.is_some());
        let machine =
            json!({"name": format!("m{n}"), "definition": definition, "roleArn": ROLE, "type": kind});
        let Some(machine) = call_any(&aws, "CreateStateMachine", &machine).await else {
            continue;
        };
        created += 1;
        let machine = &machine["stateMachineArn"];
        let start = json!({"stateMachineArn": machine, "input": soup.input()});
        if kind == "EXPRESS" {
            started += usize::from(call_any(&aws, "StartSyncExecution", &start).await.is_some());
        } else if let Some(execution) = call_any(&aws, "StartExecution", &start).await {
            started += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let execution = json!({"executionArn": execution["executionArn"]});
            call_any(&aws, "StopExecution", &execution).await;
            call_any(&aws, "DescribeExecution", &execution).await;
            call_any(&aws, "GetExecutionHistory", &execution).await;
        }
        call_any(&aws, "DescribeStateMachine", &json!({"stateMachineArn": machine})).await;
        call_any(&aws, "DeleteStateMachine", &json!({"stateMachineArn": machine})).await;
    }
    assert_eq!(aws.activity().await.running_executions, 0);
    [created, started, tried]
}

#[tokio::test(start_paused = true)]
async fn a_thousand_random_machines_are_answered_or_refused() {
    let [created, started, tried] = cook(1, 1_000).await;
    // So that the soup has something in it.
    assert!(
        created > 30 && started > 20 && tried > 100,
        "{created} created, {started} started, {tried} tried"
    );
}

/// `cargo nextest run -p aws-local --release --run-ignored only soup`: some minutes.
#[tokio::test(start_paused = true)]
#[ignore = "some minutes long"]
async fn a_hundred_thousand_random_machines_are_answered_or_refused() {
    for part in 0..100 {
        cook(1_000_003 * (part + 2), 1_000).await;
    }
}
