//! `countersign lint`: wrong definitions, each with exactly its findings in their places, and right ones with none.

use countersign::lint::{Finding, MachineType, Rule, Severity, lint};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A machine that asks Bob, with nothing to find in it.
const RIGHT: &str = r#"{
  "StartAt": "Ask Bob",
  "States": {
    "Ask Bob": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
      "Parameters": {
        "FunctionName": "countersign",
        "Payload": {
          "taskToken.$": "$$.Task.Token",
          "title": "Approve the release",
          "signers": [{"name": "Bob", "email": "bob@example.com"}],
          "timeoutSeconds": 86400,
          "heartbeatSeconds": 600,
          "execution": {"arn.$": "$$.Execution.Id"}
        }
      },
      "TimeoutSeconds": 87000,
      "HeartbeatSeconds": 600,
      "Retry": [{"ErrorEquals": ["Approval.Unavailable", "Lambda.TooManyRequestsException"]}],
      "Catch": [
        {"ErrorEquals": ["Approval.Rejected"], "Next": "No"},
        {"ErrorEquals": ["Approval.Expired", "States.Timeout"], "Next": "No"}
      ],
      "End": true
    },
    "No": {"Type": "Fail", "Error": "No"}
  }
}"#;

/// The same in JSONata, in a Map in a Parallel.
const NESTED: &str = r#"{
  "QueryLanguage": "JSONata",
  "TimeoutSeconds": 86400,
  "StartAt": "Both",
  "States": {
    "Both": {
      "Type": "Parallel",
      "Branches": [{
        "StartAt": "Each",
        "States": {
          "Each": {
            "Type": "Map",
            "Items": "{% $states.input.people %}",
            "ItemProcessor": {
              "ProcessorConfig": {"Mode": "INLINE"},
              "StartAt": "Ask",
              "States": {
                "Ask": {
                  "Type": "Task",
                  "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                  "Arguments": {
                    "FunctionName": "${CountersignFunctionArn}",
                    "Payload": {
                      "taskToken": "{% $states.context.Task.Token %}",
                      "title": "Approve",
                      "signers": ["{% $states.input %}"],
                      "heartbeatSeconds": "{% $states.input.beat %}",
                      "execution": {"arn": "{% $states.context.Execution.Id %}"}
                    }
                  },
                  "HeartbeatSeconds": 600,
                  "Retry": [{"ErrorEquals": ["Approval.Unavailable"]}],
                  "End": true
                }
              }
            },
            "Catch": [{"ErrorEquals": ["Approval.Rejected"], "Next": "No"}],
            "End": true
          },
          "No": {"Type": "Pass", "End": true}
        }
      }, {
        "StartAt": "Other",
        "States": {"Other": {"Type": "Pass", "End": true}}
      }],
      "End": true
    }
  }
}"#;

/// A change to a right definition, and what is found then, each in the place between « and ».
struct Wrong {
    of: &'static str,
    changes: &'static [(&'static str, &'static str)],
    found: &'static [&'static str],
}

const fn wrong(changes: &'static [(&'static str, &'static str)], found: &'static [&'static str]) -> Wrong {
    Wrong {
        of: RIGHT,
        changes,
        found,
    }
}

const fn nested(changes: &'static [(&'static str, &'static str)], found: &'static [&'static str]) -> Wrong {
    Wrong {
        of: NESTED,
        changes,
        found,
    }
}

const WRONG: &[Wrong] = &[
    wrong(&[(r#""End": true"#, r#""End": «T»rue"#)], &["json"]),
    wrong(
        &[
            (r#""Type": "Fail","#, r#""Type": "Fail", "Error": "Yes","#),
            (r#""Error": "No""#, r#"«"Error"»: "No""#),
        ],
        &["duplicate-field"],
    ),
    wrong(&[(r#""End": true"#, r#"«"Next"»: "Publish""#)], &["definition"]),
    wrong(
        &[(r#""FunctionName""#, r#"«"FunktionName"»: "x", "FunctionName""#)],
        &["definition"],
    ),
    wrong(
        &[
            (r#""HeartbeatSeconds": 600,"#, ""),
            (r#""heartbeatSeconds": 600,"#, ""),
            (r#""Ask Bob": {"#, r#"«"Ask Bob"»: {"#),
        ],
        &["no-heartbeat"],
    ),
    wrong(
        &[
            (r#""heartbeatSeconds": 600,"#, ""),
            (r#""HeartbeatSeconds""#, r#"«"HeartbeatSeconds"»"#),
        ],
        &["heartbeat"],
    ),
    wrong(
        &[(r#""heartbeatSeconds": 600"#, r#"«"heartbeatSeconds"»: 3600"#)],
        &["heartbeat"],
    ),
    wrong(
        &[
            (r#""HeartbeatSeconds": 600,"#, ""),
            (r#""heartbeatSeconds""#, r#"«"heartbeatSeconds"»"#),
        ],
        &["heartbeat-unused"],
    ),
    // Step Functions itself takes no heartbeats that are as rare as that.
    wrong(
        &[
            (r#"["Approval.Expired", "#, "["),
            ("86400", "300"),
            (r#""Ask Bob": {"#, r#"«"Ask Bob"»: {"#),
            ("87000", "600"),
        ],
        &["definition"],
    ),
    wrong(
        &[
            (r#""TimeoutSeconds": 87000,"#, ""),
            (r#""timeoutSeconds": 86400,"#, ""),
            (r#""Approval.Expired", "#, ""),
            (r#""Ask Bob": {"#, r#"«"Ask Bob"»: {"#),
        ],
        &["no-timeout"],
    ),
    wrong(
        &[(r#""TimeoutSeconds": 87000"#, r#"«"TimeoutSeconds"»: 31536001"#)],
        &["too-long"],
    ),
    wrong(
        &[(r#""timeoutSeconds": 86400"#, r#"«"timeoutSeconds"»: 87000"#)],
        &["deadline-order"],
    ),
    wrong(
        &[
            (
                r#""StartAt": "Ask Bob","#,
                r#""StartAt": "Ask Bob", "TimeoutSeconds": 3600,"#,
            ),
            (r#""timeoutSeconds""#, r#"«"timeoutSeconds"»"#),
        ],
        &["deadline-order"],
    ),
    wrong(
        &[(
            r#""Lambda.TooManyRequestsException"]}"#,
            r#""Lambda.TooManyRequestsException"]}, {"ErrorEquals": [«"States.ALL"»]}"#,
        )],
        &["retry-asks-again"],
    ),
    wrong(
        &[(r#""Lambda.TooManyRequestsException""#, r#"«"States.TaskFailed"»"#)],
        &["retry-asks-again"],
    ),
    wrong(
        &[(r#""Lambda.TooManyRequestsException""#, r#"«"Approval.Expired"»"#)],
        &["retry-asks-again"],
    ),
    wrong(
        &[(r#""Lambda.TooManyRequestsException""#, r#"«"Approval.Rejeced"»"#)],
        &["unknown-error"],
    ),
    wrong(
        &[(r#""States.Timeout""#, r#"«"States.TimeOut"»"#)],
        &["unknown-error"],
    ),
    wrong(
        &[
            (r#""taskToken.$": "$$.Task.Token","#, ""),
            (r#""Payload""#, r#"«"Payload"»"#),
        ],
        &["no-token"],
    ),
    wrong(
        &[(
            r#""taskToken.$": "$$.Task.Token""#,
            r#""taskToken": «"$$.Task.Token"»"#,
        )],
        &["token-as-text"],
    ),
    wrong(&[(r#""taskToken.$""#, r#"«"TaskToken.$"»"#)], &["token-name"]),
    wrong(
        &[
            (
                r#""taskToken.$": "$$.Task.Token","#,
                r#""metadata": {"token.$": "$$.Task.Token"},"#,
            ),
            (r#""Payload""#, r#"«"Payload"»"#),
        ],
        &["token-name"],
    ),
    wrong(
        &[
            (
                r#""execution": {"arn.$": "$$.Execution.Id"}"#,
                r#""execution": {"name.$": "$$.Execution.Name"}"#,
            ),
            (r#""Payload""#, r#"«"Payload"»"#),
        ],
        &["no-execution"],
    ),
    wrong(&[(r#""title""#, r#"«"titel.$"»: "$.x", "title""#)], &["request"]),
    wrong(
        &[(
            r#""email": "bob@example.com""#,
            r#"«"email"»: "bob at example.com""#,
        )],
        &["request"],
    ),
    wrong(
        &[
            (r#""title": "Approve the release","#, ""),
            (r#""Payload""#, r#"«"Payload"»"#),
        ],
        &["request"],
    ),
    wrong(
        &[(r#""timeoutSeconds": 86400"#, r#"«"timeoutSeconds"»: "1d""#)],
        &["request"],
    ),
    wrong(
        &[(
            r#""timeoutSeconds": 86400,"#,
            r#""timeoutSeconds": 86400, "reminders": {«"afterSeconds"»: 5},"#,
        )],
        &["request"],
    ),
    wrong(
        &[
            (r#""title""#, r#""onReject": "succeed", "title""#),
            (r#""Approval.Rejected""#, r#"«"Approval.Rejected"»"#),
        ],
        &["never-caught"],
    ),
    wrong(
        &[
            (r#""title""#, r#""onTimeout": "reject", "title""#),
            (r#""Approval.Expired""#, r#"«"Approval.Expired"»"#),
        ],
        &["never-caught"],
    ),
    wrong(
        &[
            (r#"["Approval.Rejected"]"#, r#"["States.TaskFailed"]"#),
            (r#""Approval.Expired""#, r#"«"Approval.Expired"»"#),
        ],
        &["never-caught"],
    ),
    wrong(
        &[
            (r#"{"ErrorEquals": ["Approval.Rejected"], "Next": "No"},"#, ""),
            (r#""Ask Bob": {"#, r#"«"Ask Bob"»: {"#),
        ],
        &["rejection-uncaught"],
    ),
    wrong(
        &[
            ("lambda:invoke.waitForTaskToken", "lambda:invoke"),
            (r#""Resource""#, r#"«"Resource"»"#),
        ],
        &["not-waiting"],
    ),
    wrong(
        &[(
            r#""Type": "Task","#,
            r#""Type": "Task", «"Credentials"»: {"RoleArn": "arn:aws:iam::123456789012:role/r"},"#,
        )],
        &["not-local"],
    ),
    wrong(
        &[
            (
                "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "arn:aws:states:us-east-1:123456789012:activity:ask",
            ),
            (r#""HeartbeatSeconds": 600,"#, ""),
            (r#""Ask Bob": {"#, r#"«"Ask Bob"»: {"#),
        ],
        &["activity-loss"],
    ),
    // In Parallel and Map, in JSONata.
    nested(
        &[
            ("{% $states.context.Task.Token %}", "$states.context.Task.Token"),
            (
                r#""$states.context.Task.Token""#,
                r#"«"$states.context.Task.Token"»"#,
            ),
        ],
        &["token-as-text"],
    ),
    nested(
        &[
            (
                r#""{% $states.context.Task.Token %}""#,
                r#""{% $states.context.Execution.Name %}""#,
            ),
            (r#""Payload""#, r#"«"Payload"»"#),
        ],
        &["no-token"],
    ),
    nested(
        &[
            (r#""TimeoutSeconds": 86400,"#, ""),
            (r#""Ask": {"#, r#"«"Ask"»: {"#),
        ],
        &["no-timeout"],
    ),
    nested(
        &[(
            r#""Catch": ["#,
            r#""Retry": [{"ErrorEquals": [«"States.ALL"»]}], "Catch": ["#,
        )],
        &["retry-asks-again"],
    ),
    nested(
        &[(
            r#""Type": "Parallel","#,
            r#""Type": "Parallel", «"Retry"»: [{"ErrorEquals": ["Lambda.ServiceException"]}],"#,
        )],
        &["retry-around"],
    ),
    nested(
        &[(
            r#""Type": "Parallel","#,
            r#""Type": "Parallel", "Retry": [{"ErrorEquals": [«"States.BranchFailed"»]}],"#,
        )],
        &["retry-asks-again"],
    ),
    nested(
        &[
            (r#""Approval.Rejected""#, r#""Approval.Expired""#),
            (r#""Ask": {"#, r#"«"Ask"»: {"#),
        ],
        &["rejection-uncaught"],
    ),
    nested(
        &[
            (
                r#""Mode": "INLINE""#,
                r#""Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS""#,
            ),
            (r#""Resource""#, r#"«"Resource"»"#),
            (r#""Ask": {"#, r#"«"Ask"»: {"#),
            ("Approval.Rejected", "States.ALL"),
        ],
        &["no-timeout", "express"],
    ),
    nested(
        &[(r#""title": "Approve","#, r#""title": "Approve", «"tilte"»: 3,"#)],
        &["request"],
    ),
];

/// A text without its marks, and where they were: line, column and width, each from 1.
fn marked(text: &str) -> (String, Vec<(usize, usize, usize)>) {
    let (mut plain, mut places, mut start) = (String::new(), Vec::new(), None);
    let (mut line, mut column) = (1, 1);
    for c in text.chars() {
        match c {
            '«' => start = Some(column),
            '»' => places.extend(start.take().map(|start| (line, start, column - start))),
            c => {
                plain.push(c);
                (line, column) = if c == '\n' {
                    (line + 1, 1)
                } else {
                    (line, column + 1)
                };
            }
        }
    }
    (plain, places)
}

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.rule.id()).collect()
}

#[test]
fn in_right_definitions_nothing_is_found() {
    for text in [RIGHT, NESTED] {
        assert_eq!(lint(text, MachineType::Standard), []);
    }
}

#[test]
fn each_wrong_definition_has_its_findings_in_their_places() {
    let mut faults = Vec::new();
    for Wrong { of, changes, found } in WRONG {
        let mut text = (*of).to_owned();
        for (from, to) in *changes {
            assert!(text.contains(from), "{from} isn't there for {changes:?}");
            text = text.replacen(from, to, 1);
        }
        let (text, places) = marked(&text);
        let findings = lint(&text, MachineType::Standard);
        let at: Vec<_> = findings
            .iter()
            .map(|f| (f.position.line, f.position.column, f.width))
            .collect();
        if ids(&findings) != *found || at != places {
            faults.push(format!(
                "{changes:?}: expected {found:?} at {places:?}: {findings:#?}"
            ));
        }
        for finding in &findings {
            let line = text.lines().nth(finding.position.line - 1);
            assert_eq!(Some(finding.line.as_str()), line);
            for sentence in [&finding.message, &finding.help] {
                let whole =
                    sentence.starts_with(|c: char| !c.is_lowercase()) && sentence.ends_with(['.', '?']);
                assert!(whole, "{sentence}");
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_rule_has_a_wrong_definition() {
    let tried: BTreeSet<&str> = WRONG.iter().flat_map(|wrong| wrong.found).copied().collect();
    let all: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    assert_eq!(tried, all);
}

#[test]
fn every_rule_is_explained() {
    let rows = include_str!("../../docs/LINT.md").lines();
    let rows = rows.filter_map(|line| {
        line.strip_prefix("| `")?
            .split_once("` | ")?
            .1
            .split_once(" |")
            .map(|(severity, _)| (line, severity))
    });
    let mut explained: Vec<(&str, &str)> = rows
        .map(|(line, severity)| (line[3..].split('`').next().unwrap(), severity))
        .collect();
    let mut rules: Vec<(&str, String)> = Rule::ALL
        .iter()
        .map(|rule| (rule.id(), rule.severity().to_string()))
        .collect();
    explained.sort_unstable();
    rules.sort_unstable();
    assert_eq!(
        explained,
        rules
            .iter()
            .map(|(id, severity)| (*id, severity.as_str()))
            .collect::<Vec<_>>()
    );
}

/// A rule and a line.
type Found = (&'static str, usize);

/// What AWS publishes, as shapes, and what is to be found in it.
const PUBLISHED: &[(&str, &str, &[Found])] = &[
    ("sqs", include_str!("lint/sqs.asl.json"), &[("no-timeout", 5)]),
    (
        "sqs-jsonata",
        include_str!("lint/sqs-jsonata.asl.json"),
        &[("no-timeout", 6)],
    ),
    (
        "human-approval",
        include_str!("lint/human-approval.asl.json"),
        &[],
    ),
    // It begins with a state that isn't there, and so never comes to the one that is.
    (
        "heartbeat",
        include_str!("lint/heartbeat.asl.json"),
        &[("definition", 3), ("definition", 5)],
    ),
    (
        "nested",
        include_str!("lint/nested.asl.json"),
        &[("no-timeout", 26)],
    ),
    ("services", include_str!("lint/services.asl.json"), &[]),
    (
        "forgotten",
        include_str!("lint/forgotten.asl.json"),
        &[("no-token", 11)],
    ),
];

#[test]
fn what_aws_publishes_has_the_findings_that_it_should_have() {
    for (name, text, expected) in PUBLISHED {
        let findings = lint(text, MachineType::Standard);
        let found: Vec<_> = findings.iter().map(|f| (f.rule.id(), f.position.line)).collect();
        assert_eq!(found, *expected, "{name}: {findings:#?}");
    }
}

#[test]
fn an_express_machine_can_wait_for_nothing() {
    for (name, text, _) in PUBLISHED {
        let findings = lint(text, MachineType::Express);
        let express = findings
            .iter()
            .filter(|finding| finding.rule == Rule::Express)
            .count();
        assert_eq!(
            express,
            text.matches(".waitForTaskToken\"").count() + text.matches(":activity:").count(),
            "{name}"
        );
        // What is wrong besides is wrong in a STANDARD machine as well.
        let standard = lint(text, MachineType::Standard);
        let others = findings.iter().filter(|finding| finding.rule != Rule::Express);
        assert!(
            others.into_iter().all(|finding| standard.contains(finding)),
            "{name}: {findings:#?}"
        );
    }
}

#[test]
fn our_own_workflows_have_neither_errors_nor_warnings() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/workflows");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".asl.json") {
            seen += 1;
            let mut findings = lint(&std::fs::read_to_string(&path).unwrap(), MachineType::Standard);
            findings.retain(|finding| finding.rule.severity() != Severity::Advice);
            assert_eq!(findings, [], "{}", path.display());
        }
    }
    assert!(seen > 0);
}

/// Every error that the guide's table has, and no other, may be caught.
#[test]
fn the_errors_are_those_of_the_guide() {
    let table = include_str!("../../docs/GUIDE.md");
    let ours = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `Approval.")?.split('`').next());
    let mut count = 0;
    for name in ours {
        let text = RIGHT.replace(
            "\"Lambda.TooManyRequestsException\"",
            &format!("\"Approval.{name}\""),
        );
        let unknown = lint(&text, MachineType::Standard)
            .iter()
            .any(|f| f.rule == Rule::UnknownError);
        assert!(!unknown, "Approval.{name}");
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn what_is_only_known_later_is_no_fault() {
    let later = [
        (
            r#""title": "Approve the release""#,
            r#""title.$": "States.Format('Approve {}', $.x)""#,
        ),
        (
            r#"[{"name": "Bob", "email": "bob@example.com"}]"#,
            r#"[{"name.$": "$.a", "email.$": "$.b"}, {"name.$": "$.a"}, {"name": "Bob"}, {"name": "${Name}"}]"#,
        ),
        (r#"[{"name": "Bob", "email": "bob@example.com"}]"#, "${Signers}"),
        (
            r#""title": "Approve the release""#,
            r#""title": "t", "outcomes.$": "$.o", "onTimeout.$": "$.t""#,
        ),
        (
            r#""title": "Approve the release""#,
            r#""title": "t", "outcomes": [{"id.$": "$.o", "kind.$": "$.k"}], "onTimeout.$": "$.t""#,
        ),
        (
            r#""title": "Approve the release""#,
            r#""title": "t", "requester.$": "$.r", "noSelfApproval": true"#,
        ),
        (
            r#""title": "Approve the release""#,
            r#""title": "t", "tags": {"team.$": "$.t"}, "metadata": {"a.$": "$.b"}"#,
        ),
        (r#""timeoutSeconds": 86400"#, r#""timeoutSeconds": ${Seconds}"#),
        (r#""TimeoutSeconds": 87000"#, r#""TimeoutSeconds": ${Seconds}"#),
        (
            r#""TimeoutSeconds": 87000"#,
            r#""TimeoutSecondsPath": "$.seconds""#,
        ),
        (r#""HeartbeatSeconds": 600"#, r#""HeartbeatSeconds": ${Seconds}"#),
        (
            r#""heartbeatSeconds": 600"#,
            r#""heartbeatSeconds.$": "$.seconds""#,
        ),
        (
            r#""taskToken.$": "$$.Task.Token""#,
            r#""taskToken.$": "$$.Task['Token']""#,
        ),
        (r#""Next": "No"}"#, r#""Next": "${Target}"}"#),
        (r#""StartAt": "Ask Bob""#, r#""StartAt": "${First}""#),
        ("arn:aws:states:::lambda", "arn:${AWS::Partition}:states:::lambda"),
        (
            r#""FunctionName": "countersign""#,
            r#""FunctionName.$": "$.function""#,
        ),
        (
            r#"["Approval.Unavailable", "Lambda.TooManyRequestsException"]"#,
            "${Errors}",
        ),
        (
            r#"[{"ErrorEquals": ["Approval.Unavailable", "Lambda.TooManyRequestsException"]}]"#,
            "${Retry}",
        ),
        (
            r#""Type": "Fail", "Error": "No""#,
            r#""Type": "Fail", "Error": "${Error}""#,
        ),
    ];
    for (from, to) in later {
        assert!(RIGHT.contains(from), "{from}");
        let findings = lint(&RIGHT.replacen(from, to, 1), MachineType::Standard);
        assert_eq!(findings, [], "{to}");
    }
}

#[test]
fn what_depends_on_something_later_is_no_fault() {
    for outcomes in [
        r#""outcomes.$": "$.o""#,
        r#""outcomes": [{"id.$": "$.o", "kind.$": "$.k"}]"#,
    ] {
        let more = format!(r#""title": "t", {outcomes}, "onTimeout": "later""#);
        let text = RIGHT
            .replace(r#""title": "Approve the release""#, &more)
            .replace(r#""Approval.Expired", "#, "");
        assert_eq!(lint(&text, MachineType::Standard), [], "{outcomes}");
    }
}

/// Between quotes a substitution is a text, whatever is put there.
#[test]
fn a_substitution_between_quotes_is_no_number() {
    let text = RIGHT.replace(r#""TimeoutSeconds": 87000"#, r#""TimeoutSeconds": "${Seconds}""#);
    assert_eq!(ids(&lint(&text, MachineType::Standard)), ["definition"]);
}

#[test]
fn who_waits_for_a_machine_is_asked_less() {
    // The same state, but of somebody else's function: no request to look at, no people to be asked again.
    let text = RIGHT
        .replace("\"countersign\"", "\"compute\"")
        .replace(r#""signers": [{"name": "Bob", "email": "bob@example.com"}],"#, "")
        .replace(r#""title": "Approve the release""#, r#""input": 7"#)
        .replace(
            "\"Approval.Unavailable\", \"Lambda.TooManyRequestsException\"",
            "\"States.ALL\"",
        )
        .replace(r#""heartbeatSeconds": 600,"#, "");
    assert_eq!(lint(&text, MachineType::Standard), []);
}

#[test]
fn a_rule_that_tries_no_more_hides_those_behind_it() {
    let first = r#""Retry": [{"ErrorEquals": ["Approval.Rejected", "Approval.Expired", "Approval.Cancelled"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]"#;
    let retry = r#""Retry": [{"ErrorEquals": ["Approval.Unavailable", "Lambda.TooManyRequestsException"]}]"#;
    assert_eq!(lint(&RIGHT.replace(retry, first), MachineType::Standard), []);
    let findings = lint(
        &RIGHT.replace(retry, &first.replace(r#", "Approval.Cancelled""#, "")),
        MachineType::Standard,
    );
    assert_eq!(ids(&findings), ["retry-asks-again"]);
    assert!(findings[0].message.contains("Approval.Cancelled") && !findings[0].message.contains("Rejected"));
}

fn anywhere() -> impl Strategy<Value = (String, usize, usize, String)> {
    let mut texts = vec![RIGHT.to_owned(), NESTED.to_owned()];
    texts.extend(PUBLISHED.iter().map(|(_, text, _)| (*text).to_owned()));
    let put = prop_oneof![
        Just(String::new()),
        Just("null".to_owned()),
        Just("${X}".to_owned()),
        Just("{}".to_owned()),
        Just("[[]]".to_owned()),
        Just("\"States\"".to_owned()),
        Just("-1e300".to_owned()),
        ".{0,3}",
    ];
    (prop::sample::select(texts), 0..4000_usize, 0..40_usize, put)
}

proptest! {
    /// Whatever is cut out and put in, lint ends, and what it finds stands in the text.
    #[test]
    fn nothing_panics((text, at, length, put) in anywhere(), express: bool) {
        let chars: Vec<char> = text.chars().collect();
        let at = at % chars.len();
        let end = (at + length).min(chars.len());
        let text: String = chars[..at].iter().chain(put.chars().collect::<Vec<_>>().iter()).chain(&chars[end..]).collect();
        let kind = if express { MachineType::Express } else { MachineType::Standard };
        for finding in lint(&text, kind) {
            prop_assert_eq!(text.lines().nth(finding.position.line - 1).unwrap_or_default(), &finding.line);
            prop_assert!(finding.position.column <= finding.line.chars().count() + 1);
        }
    }

    /// A value that is replaced by one of another kind.
    #[test]
    fn nothing_panics_on_other_values((text, at, _, put) in anywhere()) {
        let values: Vec<_> = text.match_indices(": ").map(|(at, _)| at + 2).collect();
        let at = values[at % values.len()];
        let end = at + text[at..].find([',', '\n', '}', ']']).unwrap_or(0);
        lint(&format!("{}{put}{}", &text[..at], &text[end..]), MachineType::Standard);
    }
}
