//! Where things stand in a definition as its author wrote it: the line and column of what `crates/asl` complains about.
//!
//! ```
//! use countersign::lint::position::{find, syntax_error, Position};
//!
//! let text = "{\n  \"StartAt\": \"A\",\n  \"States\": {\"A\": {\"Type\": \"Wait\", \"Seconds\": ${Seconds}}}\n}";
//! assert_eq!(find(text, "/States/A/Seconds"), Some(Position { line: 3, column: 36 }));
//! assert_eq!(syntax_error(text), None);
//! let error = syntax_error("{\"a\": 1,}").unwrap();
//! assert_eq!((error.position.column, error.message.as_str()), (9, "a comma stands before this closing brace; remove the comma"));
//! ```

use super::json::{self, Field, Kind, Node};
use asl::Diagnostic;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// A place in a text. Both numbers begin at 1; a column is a character, a tab too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character on it.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a text is no JSON.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{position}: {message}")]
pub struct SyntaxError {
    /// Where.
    pub position: Position,
    /// What is wrong there, as a sentence without capital and full stop.
    pub message: String,
}

/// A field that its object has twice. Only the later one counts; the earlier is lost without a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Duplicate {
    /// The field.
    pub name: String,
    /// Of the earlier one.
    pub first: Position,
    /// Of the later one.
    pub position: Position,
}

/// Where `location`, as [`Diagnostic`] writes it (`/States/Bob/Retry[0]/ErrorEquals`), is in the definition: the name of
/// the field, or the entry of the list. Where it leads on to what isn't there, the last that is. `None` where the text
/// is no JSON. Numbers may be written as `${Name}`, as in CloudFormation's DefinitionSubstitutions.
pub fn find(text: &str, location: &str) -> Option<Position> {
    let document = Document::read(text).ok()?;
    Some(document.position(document.locate(location).start))
}

/// Where what a diagnostic speaks of is: [`find`], and on to the field that its message names.
pub fn of(text: &str, diagnostic: &Diagnostic) -> Option<Position> {
    let document = Document::read(text).ok()?;
    Some(document.position(document.spoken_of(diagnostic).start))
}

/// Why the text is no JSON; `None` where it is, apart from `${Name}` without quotes.
pub fn syntax_error(text: &str) -> Option<SyntaxError> {
    Document::read(text).err()
}

/// Fields that stand twice in one object, in the order of the text.
pub fn duplicates(text: &str) -> Vec<Duplicate> {
    let Ok(document) = Document::read(text) else {
        return Vec::new();
    };
    let found = document.duplicates().into_iter();
    found
        .map(|(first, again)| Duplicate {
            name: again.name.clone(),
            first: document.position(first.span.start),
            position: document.position(again.span.start),
        })
        .collect()
}

/// A definition with its places.
pub(crate) struct Document<'t> {
    pub(crate) text: &'t str,
    pub(crate) root: Node,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
}

impl<'t> Document<'t> {
    pub(crate) fn read(text: &'t str) -> Result<Self, SyntaxError> {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        let placed = |node| Self {
            text,
            root: node,
            lines,
        };
        match json::read(text) {
            Ok(root) => Ok(placed(root)),
            Err(error) => {
                let nothing = Node {
                    span: 0..0,
                    kind: Kind::Null,
                };
                Err(SyntaxError {
                    position: placed(nothing).position(error.at),
                    message: error.message,
                })
            }
        }
    }

    /// The position of a byte.
    pub(crate) fn position(&self, at: usize) -> Position {
        let line = self.lines.partition_point(|&start| start <= at).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..at).unwrap_or_default();
        Position {
            line,
            column: before.chars().count() + 1,
        }
    }

    /// A line without its break; lines count from 1.
    pub(crate) fn line(&self, line: usize) -> &'t str {
        let start = line.checked_sub(1).and_then(|n| self.lines.get(n));
        let rest = start
            .and_then(|&start| self.text.get(start..))
            .unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }

    /// The span of what stands at a location: of a field its name, else the value.
    pub(crate) fn locate(&self, location: &str) -> Range<usize> {
        self.walk(location).1
    }

    fn walk(&self, location: &str) -> (&Node, Range<usize>) {
        let mut furthest = (&self.root, first_byte(&self.root), location.len());
        if location.len() > 1 {
            walk(&self.root, first_byte(&self.root), location, &mut furthest);
        }
        (furthest.0, furthest.1)
    }

    /// The span of what a diagnostic speaks of. AWS locates an unknown or unreadable field at the object around it, and
    /// names it in the message.
    pub(crate) fn spoken_of(&self, diagnostic: &Diagnostic) -> Range<usize> {
        let (node, span) = self.walk(&diagnostic.location);
        let mut words = diagnostic.message.split('\'').skip(1).step_by(2);
        let named = words.find_map(|word| node.field(word));
        named.map_or(span, |field| field.span.clone())
    }

    /// Every field whose object has had one of the same name, after that one.
    pub(crate) fn duplicates(&self) -> Vec<(&Field, &Field)> {
        let (mut found, mut open) = (Vec::new(), vec![&self.root]);
        while let Some(node) = open.pop() {
            let mut seen: HashMap<&str, &Field> = HashMap::new();
            for field in node.fields() {
                match seen.get(field.name.as_str()) {
                    Some(first) => found.push((*first, field)),
                    None => drop(seen.insert(&field.name, field)),
                }
                open.push(&field.value);
            }
            open.extend(node.entries());
        }
        found.sort_by_key(|(_, again)| again.span.start);
        found
    }
}

/// What is shown of a whole object or list: its bracket.
fn first_byte(node: &Node) -> Range<usize> {
    match node.kind {
        Kind::Object(_) | Kind::List(_) => node.span.start..node.span.start + 1,
        _ => node.span.clone(),
    }
}

/// Whether all of `rest` is found below `node`; `furthest` is how far any reading came: the node, what to show of it,
/// and how much of the location was left.
///
/// Names are not escaped in a location, so `/States/a/Next` may be a field of the state `a` or the state `a/Next`:
/// every reading is tried, the longest name first.
fn walk<'d>(
    node: &'d Node,
    span: Range<usize>,
    rest: &str,
    furthest: &mut (&'d Node, Range<usize>, usize),
) -> bool {
    if rest.len() < furthest.2 {
        *furthest = (node, span, rest.len());
    }
    if rest.is_empty() {
        return true;
    }
    if let Some((entry, rest)) = entry_of(node, rest) {
        return walk(entry, first_byte(entry), rest, furthest);
    }
    let Some(path) = rest.strip_prefix('/') else {
        return false;
    };
    let mut fields: Vec<(&Field, &str)> = node
        .fields()
        .iter()
        .filter_map(|field| Some((field, path.strip_prefix(field.name.as_str())?)))
        .filter(|(_, rest)| rest.is_empty() || rest.starts_with(['/', '[']))
        .collect();
    // Of two with the same name the later counts.
    fields.reverse();
    fields.sort_by_key(|(_, rest)| rest.len());
    fields
        .into_iter()
        .any(|(field, rest)| walk(&field.value, field.span.clone(), rest, furthest))
}

/// The entry that `[n]` at the beginning of `rest` leads to, and what follows.
fn entry_of<'d, 'r>(node: &'d Node, rest: &'r str) -> Option<(&'d Node, &'r str)> {
    let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
    Some((node.entries().get(index.parse::<usize>().ok()?)?, rest))
}

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
