//! Comparing values: numbers as numbers, timestamps as moments, text by wildcard.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Number;

/// Numbers by value: `1` equals `1.0`; whole numbers compare exactly, however large.
pub(crate) fn numbers(left: &Number, right: &Number) -> Option<Ordering> {
    let whole = |number: &Number| number.as_i128();
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// A timestamp in the language's form: RFC 3339 with an upper-case `T`, seconds, and `Z` or an offset.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    let fits = bytes.len() > SHAPE.len()
        && bytes.iter().zip(SHAPE).all(|(&byte, &shape)| {
            if shape == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == shape
            }
        });
    if !fits {
        return None;
    }
    let zone = match bytes[SHAPE.len()] {
        b'.' => {
            let digits = bytes[SHAPE.len() + 1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if digits == 0 {
                return None;
            }
            &bytes[SHAPE.len() + 1 + digits..]
        }
        _ => &bytes[SHAPE.len()..],
    };
    match zone {
        b"Z" | [b'+' | b'-', _, _, b':', _, _] => text.parse().ok(),
        _ => None,
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text; `\*` is a star and `\\` a backslash.
///
/// Takes time in proportion to the two lengths multiplied at most, never more.
pub(crate) fn matches(text: &str, pattern: &str) -> bool {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => None,
            '\\' => Some(chars.next().unwrap_or('\\')),
            c => Some(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut token) = (0, 0);
    // Where to go on when it does not fit: the last star takes one more character.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match tokens.get(token) {
            Some(None) => {
                star = Some((token, at));
                token += 1;
            }
            Some(Some(c)) if *c == text[at] => {
                at += 1;
                token += 1;
            }
            _ => match &mut star {
                Some((after, from)) => {
                    *from += 1;
                    at = *from;
                    token = *after + 1;
                }
                None => return false,
            },
        }
    }
    tokens[token..].iter().all(Option::is_none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        let number = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        assert_eq!(numbers(&number("1"), &number("1.0")), Some(Ordering::Equal));
        assert_eq!(
            numbers(&number("9007199254740993"), &number("9007199254740992")),
            Some(Ordering::Greater)
        );
        assert_eq!(numbers(&number("-0.5"), &number("0")), Some(Ordering::Less));
    }

    #[test]
    fn timestamps() {
        for good in [
            "2016-03-14T01:59:00Z",
            "2016-03-14T01:59:00.5Z",
            "2016-03-05T21:29:29.243167252Z",
            "2016-03-14T01:59:00+01:00",
        ] {
            assert!(timestamp(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "2016-03-14",
            "2016-03-14T01:59:00",
            "2016-03-14 01:59:00Z",
            "2016-13-14T01:59:00Z",
            "2016-03-14T25:59:00Z",
            "2016-03-14T01:59:00z",
            "2016-03-14t01:59:00Z",
            "2016-03-14T01:59:00.Z",
            "2016-03-14T01:59Z",
            "2016-03-14T01:59:00+1:00",
            "2016-03-14T01:59:00ä",
        ] {
            assert!(timestamp(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn wildcards() {
        for (text, pattern) in [
            ("log-1.txt", "log-*.txt"),
            ("", "*"),
            ("", ""),
            ("a*b", r"a\*b"),
            (r"a\b", r"a\\b"),
            ("aaab", "*a*b"),
            ("ab", "**ab**"),
        ] {
            assert!(matches(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [
            ("log", "log-*"),
            ("a", ""),
            ("axb", r"a\*b"),
            ("aaa", "*b"),
            ("abc", "ab"),
        ] {
            assert!(!matches(text, pattern), "{text} {pattern}");
        }
    }
}
