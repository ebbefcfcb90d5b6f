//! Tests of places in definitions.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

/// What stands at the place: from there to the end of the line.
fn at(text: &str, location: &str) -> Option<String> {
    let position = find(text, location)?;
    let line = text.lines().nth(position.line - 1)?;
    Some(line.chars().skip(position.column - 1).collect())
}

const MACHINE: &str = r#"{
  "StartAt": "Bob",
  "States": {
    "Bob": {"Type": "Task",
      "Retry": [
        {"ErrorEquals": ["A"]},
        {"ErrorEquals": [ "B", 7 ]}
      ], "End": true},
    "Bob/Retry[0]": {"ErrorEquals": 1},
    "Bob/Retry": [{"Other": 2}],
    "say \"no\" \u00e4\/\ud83d\ude00": {"Next": "x"},
    "Grüße 😀": {"Seconds": ${Seconds}, "After": "a${B}c"},
    "": {"Type": 3},
    "[0]": {"Type": 4}
  }
}"#;

#[test]
fn a_location_leads_to_the_name_of_its_field() {
    for (location, expected) in [
        ("/StartAt", r#""StartAt": "Bob","#),
        ("/States/Bob/Type", r#""Type": "Task","#),
        ("/States/Bob/Retry[1]/ErrorEquals[1]", "7 ]}"),
        ("/States/Bob/Retry[1]", r#"{"ErrorEquals": [ "B", 7 ]}"#),
        // The longest name that fits, unless what follows leads nowhere.
        ("/States/Bob/Retry[0]/ErrorEquals", r#""ErrorEquals": 1},"#),
        ("/States/Bob/Retry[0]/Other", r#""Other": 2}],"#),
        ("/States/Bob/End", r#""End": true},"#),
        ("/States/say \"no\" ä/😀/Next", r#""Next": "x"},"#),
        ("/States/Grüße 😀/After", r#""After": "a${B}c"},"#),
        (
            "/States/Grüße 😀/Seconds",
            r#""Seconds": ${Seconds}, "After": "a${B}c"},"#,
        ),
        ("/States//Type", r#""Type": 3},"#),
        ("/States/[0]/Type", r#""Type": 4}"#),
        // As far as it leads.
        ("/States/Bob/TimeoutSeconds", r#""Bob": {"Type": "Task","#),
        (
            "/States/Bob/Retry[2]/ErrorEquals",
            r#""Bob/Retry": [{"Other": 2}],"#,
        ),
        ("/States/Bobby", r#""States": {"#),
        ("/States/Bob/End/Deeper", r#""End": true},"#),
        ("", "{"),
        ("/", "{"),
        ("nonsense", "{"),
    ] {
        assert_eq!(at(MACHINE, location).as_deref(), Some(expected), "{location}");
    }
}

#[test]
fn columns_are_characters_and_lines_end_in_either_way() {
    let place = |text: &str| find(text, "/a").map(|position| (position.line, position.column));
    assert_eq!(place("{\"ä😀\": 1, \"a\": 2}"), Some((1, 11)));
    assert_eq!(place("{\r\n\t\"a\": 2\r\n}"), Some((2, 2)));
    assert_eq!(place("\n\n {\"a\": 2}"), Some((3, 3)));
    assert_eq!(
        place("{\"a\": 1,\n \"a\": 2}"),
        Some((2, 2)),
        "the later of two counts"
    );
    assert_eq!(place("[1]"), Some((1, 1)));
}

#[test]
fn what_a_diagnostic_names_is_found_within_its_object() {
    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "f", "Payload": {"x.$": "y"}, "Nonsense": 1}, "Tomeout": 3, "End": true}}}"#;
    let diagnostics = asl::Definition::parse(text).expect_err("it is wrong").diagnostics;
    let found = diagnostics.iter().map(|diagnostic| {
        let position = of(text, diagnostic).expect("it can be read");
        let line = text.lines().nth(position.line - 1).expect("it can be read");
        line[position.column - 1..]
            .split(':')
            .next()
            .expect("it can be read")
            .to_owned()
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        [r#""x.$""#, r#""Nonsense""#, r#""Tomeout""#]
    );
}

#[test]
fn what_is_no_json_is_told_where_and_why() {
    for (text, line, column, message) in [
        ("", 1, 1, "the text ends where a value should stand"),
        (
            "{\n  \"a\": 1\n  \"b\": 2\n}",
            3,
            3,
            r#"a comma or a closing brace should stand here, after the value of "a""#,
        ),
        (
            "{\"a\": 1,}",
            1,
            9,
            "a comma stands before this closing brace; remove the comma",
        ),
        (
            "[1, ]",
            1,
            5,
            "a comma stands before this closing bracket; remove the comma",
        ),
        (
            "[1 2]",
            1,
            4,
            "a comma or a closing bracket should stand here, after an entry of a list",
        ),
        ("{\"a\": [1,\n 2", 1, 7, "this [ is never closed"),
        ("{\"a\": {\n \"b\": 2,\n", 1, 7, "this { is never closed"),
        (
            "{\"a\" 1}",
            1,
            6,
            r#"a colon should stand here, after the name "a""#,
        ),
        (
            "{a: 1}",
            1,
            2,
            "a field's name in double quotes should stand here",
        ),
        (
            "{\"a\": 1, // so\n}",
            1,
            10,
            "a field's name in double quotes should stand here; JSON has no comments: use the field Comment",
        ),
        (
            "{\"a\": 1 /* so */}",
            1,
            9,
            r#"a comma or a closing brace should stand here, after the value of "a"; JSON has no comments: use the field Comment"#,
        ),
        ("{\"a\": }", 1, 7, "a value should stand here"),
        (
            "{\"ä\": True}",
            1,
            7,
            "True is no value; text stands in double quotes",
        ),
        (
            "{\"a\": 01}",
            1,
            7,
            "01 is no value; text stands in double quotes",
        ),
        ("{\"a\": 1e999}", 1, 7, "this number is too large"),
        ("{\"a\": ${x\n}", 1, 7, "this ${ is never closed"),
        (
            "{\"a\": \"x\n\"}",
            1,
            7,
            r"this text isn't closed on its line; add the double quote (a line break is written \n)",
        ),
        (
            "{\"a\": \"x",
            1,
            7,
            r"this text isn't closed on its line; add the double quote (a line break is written \n)",
        ),
        (
            "{\"a\": \"x\ty\"}",
            1,
            9,
            r"a control character stands in this text; write it as \t or \u00…",
        ),
        (
            "{\"a\": \"ä\\x\"}",
            1,
            10,
            "this text can't be read: invalid escape",
        ),
        (
            "{\"a\": 1}}",
            1,
            9,
            "the definition has ended before this; remove what follows, or look for a bracket too many",
        ),
        (
            "\u{feff}{}",
            1,
            1,
            "the file begins with a byte order mark; save it as UTF-8 without one",
        ),
    ] {
        let error = syntax_error(text).unwrap_or_else(|| panic!("{text} is read"));
        assert_eq!(
            (error.position.line, error.position.column, error.message.as_str()),
            (line, column, message),
            "{text}"
        );
        assert_eq!(find(text, "/a"), None, "{text}");
    }
}

#[test]
fn a_substitution_stands_for_any_value() {
    for value in [
        "${A}",
        "-${A}",
        "${A}.${B}",
        "1${A}0",
        "${!a b}",
        "[${A}, ${B}]",
        "\"${A\"",
    ] {
        assert_eq!(syntax_error(&format!("{{\"a\": {value}}}")), None, "{value}");
    }
    assert!(syntax_error("{${A}: 1}").is_some());
}

#[test]
fn what_is_nested_without_end_is_refused_as_serde_json_does() {
    for depth in [126, 127, 128, 129, 100_000] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        let theirs = serde_json::from_str::<Value>(&text).is_ok();
        assert_eq!(syntax_error(&text).is_none(), theirs, "{depth}");
    }
}

#[test]
fn fields_that_stand_twice_are_found_at_any_depth() {
    let text = "{\"a\": [{\"b\": 1,\n\"b\": 2, \"b\": 3}], \"\\u0061\": 4, \"c\": {\"a\": 5}}";
    let found = duplicates(text);
    let places: Vec<_> = found
        .iter()
        .map(|d| (d.name.as_str(), d.first.to_string(), d.position.to_string()))
        .collect();
    let expected = [("b", "1:9", "2:1"), ("b", "1:9", "2:9"), ("a", "1:2", "2:19")];
    assert_eq!(
        places,
        expected.map(|(name, first, again)| (name, first.to_owned(), again.to_owned()))
    );
    assert_eq!(duplicates("{"), []);
}

/// Any JSON, with names that are easily taken for parts of a location.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a/\\[0\\]\"ä😀\\\\\t]{0,5}", inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// All locations below a value, as asl writes them, with what stands there.
fn locations(value: &Value, at: String, found: &mut Vec<(String, Value)>) {
    found.push((at.clone(), value.clone()));
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(name, value)| locations(value, format!("{at}/{name}"), found)),
        Value::Array(entries) => (0..)
            .zip(entries)
            .for_each(|(n, value)| locations(value, format!("{at}[{n}]"), found)),
        _ => {}
    }
}

proptest! {
    /// What is read is what `serde_json` reads.
    #[test]
    fn is_read_as_serde_json_reads_it(value in anything(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.expect("it can be read");
        let theirs: Value = serde_json::from_str(&text).expect("it can be read");
        let ours = json::read(&text).expect("it can be read");
        prop_assert_eq!(ours.value("", &mut |_, _| None), theirs);
    }

    /// What one refuses the other does, and nothing panics.
    #[test]
    fn refuses_what_serde_json_refuses(value in anything(), cut in any::<prop::sample::Index>(), put in "[\\[\\]{},:\"\\\\0-9eE.+\\-tu\n\u{1} /]{0,2}") {
        let text = serde_json::to_string(&value).expect("it can be read");
        let at = cut.index(text.len());
        prop_assume!(text.is_char_boundary(at) && text.is_char_boundary(at + 1));
        for broken in [format!("{}{put}{}", &text[..at], &text[at + 1..]), format!("{}{put}{}", &text[..at], &text[at..]), text[..at].to_owned()] {
            prop_assume!(!broken.contains("${"));
            let theirs = serde_json::from_str::<Value>(&broken);
            match json::read(&broken) {
                Ok(node) => prop_assert_eq!(Some(node.value("", &mut |_, _| None)), theirs.ok(), "{}", broken),
                Err(error) => {
                    prop_assert!(theirs.is_err(), "{}: {:?}", broken, error);
                    prop_assert!(broken.is_char_boundary(error.at));
                }
            }
        }
    }

    /// A location leads to its value, or to another one that is written the same.
    #[test]
    fn every_location_is_found(value in anything()) {
        let text = serde_json::to_string_pretty(&value).expect("it can be read");
        let document = Document::read(&text).expect("it can be read");
        let mut all = Vec::new();
        locations(&value, String::new(), &mut all);
        for (location, _) in &all {
            let found = document.walk(location).0.value("", &mut |_, _| None);
            let meant = all.iter().any(|(other, value)| other == location && *value == found);
            // The root's first name may be empty, and a lone slash is the root.
            prop_assert!(meant || location == "/", "{location} led to {found}");
        }
    }

    #[test]
    fn nothing_panics(text in ".{0,40}", location in "[/a\\[\\]0-9ä]{0,12}") {
        let _ = (find(&text, &location), syntax_error(&text), duplicates(&text));
    }
}
