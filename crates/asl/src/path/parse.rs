//! Reading a path.

use super::filter::Filter;
use super::{Path, Segment};

/// Longer paths are refused, so that following one takes bounded time.
const MOST_SEGMENTS: usize = 200;

/// Text that is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidPath;

/// A cursor over a path, or over something that has paths in it.
pub(super) struct Cursor<'t> {
    pub(super) rest: &'t str,
}

impl<'t> Cursor<'t> {
    pub(super) fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn expect(&mut self, token: &str) -> Result<(), InvalidPath> {
        if self.eat(token) { Ok(()) } else { Err(InvalidPath) }
    }

    pub(super) fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A quoted name. A backslash hides the quote and another backslash, and is itself elsewhere.
    pub(super) fn quoted(&mut self) -> Result<String, InvalidPath> {
        let quote = self
            .peek()
            .filter(|c| matches!(c, '\'' | '"'))
            .ok_or(InvalidPath)?;
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.rest = &self.rest[at + 1..];
                return Ok(text);
            }
            let hidden = chars.next_if(|&(_, next)| c == '\\' && (next == quote || next == '\\'));
            text.push(hidden.map_or(c, |(_, next)| next));
        }
        Err(InvalidPath)
    }

    pub(super) fn integer(&mut self) -> Result<Option<i64>, InvalidPath> {
        let digits = self.take_while(|c| c.is_ascii_digit() || c == '-');
        if digits.is_empty() {
            return Ok(None);
        }
        digits.parse().map(Some).map_err(|_| InvalidPath)
    }
}

/// Ends a name that stands without quotes.
fn ends_name(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '.' | '[' | ']' | '(' | ')' | ',' | '\'' | '"' | '*' | '?' | '@'
        )
}

impl Path {
    /// Reads what follows the `$` (or `$$`), up to the end of `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPath> {
        let (path, rest) = Self::parse_prefix(text)?;
        if rest.is_empty() {
            Ok(path)
        } else {
            Err(InvalidPath)
        }
    }

    /// Reads as much of `text` as is a path, and gives the rest.
    pub(crate) fn parse_prefix(text: &str) -> Result<(Self, &str), InvalidPath> {
        Self::parse_nested(text, 0)
    }

    pub(super) fn parse_nested(text: &str, depth: usize) -> Result<(Self, &str), InvalidPath> {
        let mut cursor = Cursor { rest: text };
        let mut segments = Vec::new();
        if cursor.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return Err(InvalidPath);
        }
        loop {
            if segments.len() > MOST_SEGMENTS {
                return Err(InvalidPath);
            }
            if cursor.eat("..") {
                segments.push(Segment::Descend);
                if cursor.peek() == Some('[') {
                    continue;
                }
                segments.push(named(&mut cursor)?);
            } else if cursor.eat(".") {
                if cursor.peek() == Some('[') {
                    continue;
                }
                segments.push(named(&mut cursor)?);
            } else if cursor.eat("[") {
                cursor.spaces();
                segments.push(bracketed(&mut cursor, depth)?);
                cursor.spaces();
                cursor.expect("]")?;
            } else {
                return Ok((Self { segments }, cursor.rest));
            }
        }
    }
}

fn named(cursor: &mut Cursor<'_>) -> Result<Segment, InvalidPath> {
    if cursor.eat("*") {
        return Ok(Segment::Wildcard);
    }
    let name = cursor.take_while(|c| !ends_name(c));
    if name.is_empty() {
        Err(InvalidPath)
    } else {
        Ok(Segment::Field(name.to_owned()))
    }
}

fn bracketed(cursor: &mut Cursor<'_>, depth: usize) -> Result<Segment, InvalidPath> {
    match cursor.peek() {
        Some('*') => {
            cursor.expect("*")?;
            Ok(Segment::Wildcard)
        }
        Some('?') => {
            cursor.expect("?")?;
            Ok(Segment::Filter(Filter::parse(cursor, depth)?))
        }
        Some('\'' | '"') => {
            let mut names = vec![cursor.quoted()?];
            cursor.spaces();
            while cursor.eat(",") {
                cursor.spaces();
                names.push(cursor.quoted()?);
                cursor.spaces();
            }
            Ok(if names.len() == 1 {
                Segment::Field(names.swap_remove(0))
            } else {
                Segment::Fields(names)
            })
        }
        _ => positions(cursor),
    }
}

fn positions(cursor: &mut Cursor<'_>) -> Result<Segment, InvalidPath> {
    let first = cursor.integer()?;
    cursor.spaces();
    if cursor.eat(":") {
        cursor.spaces();
        let to = cursor.integer()?;
        cursor.spaces();
        let step = if cursor.eat(":") {
            cursor.integer()?.unwrap_or(1)
        } else {
            1
        };
        let step = usize::try_from(step)
            .ok()
            .filter(|&step| step > 0)
            .ok_or(InvalidPath)?;
        return Ok(Segment::Slice {
            from: first,
            to,
            step,
        });
    }
    let mut indexes = vec![first.ok_or(InvalidPath)?];
    while cursor.eat(",") {
        cursor.spaces();
        indexes.push(cursor.integer()?.ok_or(InvalidPath)?);
        cursor.spaces();
    }
    Ok(if indexes.len() == 1 {
        Segment::Index(indexes[0])
    } else {
        Segment::Indexes(indexes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        for path in [
            "",
            ".a",
            ".a.b",
            ".a-b",
            "['a b']",
            "[\"a\"]",
            "[0]",
            "[-1]",
            "[1:]",
            "[:2]",
            "[1:5:2]",
            "[*]",
            ".*",
            "..a",
            "..*",
            "..[0]",
            "[0,2]",
            "['a','b']",
            ".a[?(@.b == 'c')]",
            ".größe",
            ".a[ 1 ]",
        ] {
            assert!(Path::parse(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for path in [
            ".",
            "..",
            "[",
            "[]",
            "[a]",
            "a.b c",
            ".a b",
            "['a",
            "[1",
            "[1:2:0]",
            "[?(]",
            "...a",
            "[--1]",
            ".a..",
            "[99999999999999999999]",
        ] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
        assert_eq!(Path::parse("name"), Err(InvalidPath));
    }

    #[test]
    fn a_backslash_in_a_name_is_itself_before_another_kind_of_quote() {
        let path = Path::parse(r#"['a\"b']"#).unwrap();
        assert_eq!(path.segments, [Segment::Field(r#"a\"b"#.into())]);
        let path = Path::parse(r"['a\'b\\']").unwrap();
        assert_eq!(path.segments, [Segment::Field(r"a'b\".into())]);
    }
}
