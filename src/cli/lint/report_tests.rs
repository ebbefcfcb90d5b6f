//! Tests of how findings look in a terminal.

use super::*;
use crate::lint::{MachineType, Rule, lint};

fn plain(styled: &str) -> String {
    anstream::adapter::strip_str(styled).to_string()
}

/// All that is printed for a definition.
fn printed(text: &str) -> String {
    let findings = lint(text, MachineType::Standard);
    let counts = Counts::of(findings.iter());
    let all: String = findings
        .iter()
        .map(|found| plain(&finding("ask.asl.json", found)) + "\n")
        .collect();
    all + &plain(&summary(&counts, 1))
}

#[test]
fn where_what_why_and_what_to_do() {
    let text = "{\n\t\"StartAt\": \"Ask\",\n\t\"States\": {\n\t\t\"Ask\": {\n\t\t\t\"Type\": \"Task\", \"End\": true,\n\
        \t\t\t\"Resource\": \"arn:aws:states:::lambda:invoke.waitForTaskToken\",\n\
        \t\t\t\"Parameters\": {\"FunctionName\": \"countersign\", \"Payload\": {\"taskToken.$\": \"$$.Task.Token\", \"title\": \"Approve\", \"signers\": [{\"name\": \"Zoë 😀\", \"emial\": \"zoe@example.com\"}], \"timeoutSeconds\": 3600}},\n\
        \t\t\t\"Retry\": [{\"ErrorEquals\": [\"States.ALL\"]}]\n\t\t}\n\t}\n}\n";
    insta::assert_snapshot!(printed(text));
}

#[test]
fn a_text_that_is_no_json() {
    insta::assert_snapshot!(printed("{\n  \"StartAt\": \"Ask\",\n}"));
}

#[test]
fn nothing_that_a_terminal_would_obey_gets_there() {
    let text = "{\"StartAt\": \"\\u001b[2J\", \"States\": {\"\\u001b[2J\": {\"Type\": \"Pass\", \"Next\": \"\\u001b]0;x\\u0007\"}}}";
    let findings = lint(text, MachineType::Standard);
    assert!(findings.iter().any(|finding| finding.help.contains('\u{1b}')));
    assert!(!printed(text).contains(['\u{1b}', '\u{7}']));
    let raw = "{\"a\u{1b}[2J\": 1}";
    assert!(!printed(raw).contains('\u{1b}'));
}

#[test]
fn a_long_line_is_shown_around_what_is_meant() {
    let line: String = ('a'..='z').cycle().take(300).collect();
    for column in [1, 20, 60, 150, 280, 300] {
        let (part, at) = window(&line, column);
        assert_eq!(
            part.chars().nth(at - 1),
            line.chars().nth(column - 1),
            "{column}: {part}"
        );
        assert!(part.chars().count() <= WINDOW + 2);
        assert_eq!(part.starts_with('…'), column > BEFORE + 1);
        assert_eq!(part.ends_with('…'), column < 250, "{column}: {part}");
    }
    assert_eq!(window("abc", 4), ("abc".to_owned(), 4));
    assert_eq!(window("", 1), (String::new(), 1));
}

#[test]
fn the_last_line_counts() {
    let line = |errors, warnings, advice, files| {
        plain(&summary(
            &Counts {
                errors,
                warnings,
                advice,
            },
            files,
        ))
    };
    assert_eq!(line(0, 0, 0, 3), "Nothing found in 3 files");
    assert_eq!(
        line(1, 2, 1, 1),
        "1 error, 2 warnings, 1 piece of advice in 1 file"
    );
    assert_eq!(line(0, 0, 2, 2), "2 pieces of advice in 2 files");
}

#[test]
fn colour_says_how_bad_it_is() {
    let findings = lint("{", MachineType::Standard);
    let [found] = findings.as_slice() else {
        panic!("{findings:?}")
    };
    assert_eq!(found.rule, Rule::Json);
    assert!(finding("a", found).contains(&styled(BAD, Severity::Error)));
}
