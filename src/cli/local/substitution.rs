//! `${Name}` in a definition, as CloudFormation's DefinitionSubstitutions fill it in: text for text, wherever it stands.
//! What is found wrong in the filled text is told by its place in the author's.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-stepfunctions-statemachine.html>

use crate::config::local::is_placeholder;
use crate::lint::position::Position;

/// A definition that has been filled in.
#[derive(Debug)]
pub(super) struct Filled<'t> {
    /// What it is now.
    pub(super) text: String,
    original: &'t str,
    pieces: Vec<Piece>,
}

/// What was put in: where it stands, and where its placeholder stood, in bytes.
#[derive(Debug)]
struct Piece {
    start: usize,
    end: usize,
    stood: usize,
    stood_until: usize,
}

/// A placeholder that stands for nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unresolved {
    pub(super) name: String,
    pub(super) position: Position,
}

/// Fills in what `value` knows; or says what it doesn't.
pub(super) fn fill<'t, 'v>(
    original: &'t str,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<Filled<'t>, Vec<Unresolved>> {
    let mut unresolved = Vec::new();
    let mut filled = Filled {
        text: String::with_capacity(original.len()),
        original,
        pieces: Vec::new(),
    };
    let mut at = 0;
    while let Some(found) = original[at..].find("${") {
        let begin = at + found;
        let inner = begin + 2;
        let name = original[inner..]
            .find('}')
            .map(|end| &original[inner..inner + end])
            .filter(|name| is_placeholder(name));
        // JSONata groups by `${…}`, with more in it than a name.
        let Some(name) = name else {
            filled.text.push_str(&original[at..inner]);
            at = inner;
            continue;
        };
        let end = inner + name.len() + 1;
        filled.text.push_str(&original[at..begin]);
        match value(name) {
            Some(value) => {
                let start = filled.text.len();
                filled.text.push_str(value);
                filled.pieces.push(Piece {
                    start,
                    end: filled.text.len(),
                    stood: begin,
                    stood_until: end,
                });
            }
            None => unresolved.push(Unresolved {
                name: name.to_owned(),
                position: position(original, begin),
            }),
        }
        at = end;
    }
    filled.text.push_str(&original[at..]);
    if unresolved.is_empty() {
        Ok(filled)
    } else {
        Err(unresolved)
    }
}

impl Filled<'_> {
    /// Where in the author's text stands what is at `place` in the filled one. What was put in is at its placeholder.
    pub(super) fn origin(&self, place: Position) -> Position {
        let at = offset(&self.text, place);
        let before = self.pieces.iter().rev().find(|piece| piece.start <= at);
        let original = match before {
            None => at,
            Some(piece) if at < piece.end => piece.stood,
            Some(piece) => piece.stood_until + (at - piece.end),
        };
        position(self.original, original)
    }
}

/// The place of a byte.
fn position(text: &str, at: usize) -> Position {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    Position {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
    }
}

/// The byte of a place.
fn offset(text: &str, place: Position) -> usize {
    let start = match place.line {
        0 | 1 => 0,
        line => text
            .match_indices('\n')
            .nth(line - 2)
            .map_or(text.len(), |(at, _)| at + 1),
    };
    let rest = text.get(start..).unwrap_or_default();
    rest.char_indices()
        .nth(place.column.saturating_sub(1))
        .map_or(text.len(), |(at, _)| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str) -> Option<&'static str> {
        match name {
            "Seconds" => Some("3600"),
            "Whole" => Some("{\n  \"Type\": \"Succeed\"\n}"),
            "Nothing" => Some(""),
            _ => None,
        }
    }

    #[test]
    fn names_are_filled_in_and_nothing_else_is() {
        let original = "{\"a\": ${Seconds}, \"b\": \"${Seconds}${Nothing}\", \"é\": ${Whole}}";
        let filled = fill(original, values).expect("known");
        assert_eq!(
            filled.text,
            "{\"a\": 3600, \"b\": \"3600\", \"é\": {\n  \"Type\": \"Succeed\"\n}}"
        );
        for kept in [
            "${type: number}",
            "${",
            "${}",
            "$${",
            "{% ${ 'a': 1 } %}",
            "${a b}",
        ] {
            assert_eq!(fill(kept, values).expect("no placeholder").text, kept);
        }
    }

    #[test]
    fn all_that_stand_for_nothing_are_told_with_their_places() {
        let original = "{\n  \"é\": \"${Secnds}\", \"b\": ${Seconds},\n${AWS::Region}}";
        let unresolved = fill(original, values).expect_err("unknown");
        let told: Vec<(&str, usize, usize)> = unresolved
            .iter()
            .map(|one| (one.name.as_str(), one.position.line, one.position.column))
            .collect();
        assert_eq!(told, [("Secnds", 2, 9), ("AWS::Region", 3, 1)]);
    }

    #[test]
    fn each_place_leads_back_to_the_authors_text() {
        let original = "{\"a\": ${Seconds}, \"é\": ${Whole}, \"c\": 1,\n \"d\": ${Nothing}2}";
        let filled = fill(original, values).expect("known");
        for wanted in ["\"a\"", "\"é\"", "\"c\"", "1,", "\"d\"", "2}"] {
            let there = filled.text.find(wanted).expect("there");
            let stood = original.find(wanted).expect("there");
            assert_eq!(
                filled.origin(position(&filled.text, there)),
                position(original, stood),
                "{wanted}"
            );
        }
        let inside = filled.text.find("Succeed").expect("there");
        let placeholder = position(original, original.find("${Whole}").expect("there"));
        assert_eq!(filled.origin(position(&filled.text, inside)), placeholder);
        let beyond = Position { line: 99, column: 99 };
        assert_eq!(filled.origin(beyond), position(original, original.len()));
    }
}
