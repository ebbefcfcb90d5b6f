//! Reading a call: a name, and arguments in parentheses that are text in single quotes, numbers, `true`, `false`,
//! `null`, paths, or calls.

use serde_json::Value;

use super::functions::Function;
use super::text::unescape;
use super::{Argument, Call};
use crate::expression::Query;
use crate::path::InvalidPath;

/// AWS takes ten calls inside each other.
const DEEPEST: usize = 10;

impl Call {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPath> {
        let (call, rest) = Self::parse_prefix(text.trim_matches(' '), 1)?;
        if rest.is_empty() {
            Ok(call)
        } else {
            Err(InvalidPath)
        }
    }

    fn parse_prefix(text: &str, depth: usize) -> Result<(Self, &str), InvalidPath> {
        let (name, mut rest) = text.split_once('(').ok_or(InvalidPath)?;
        let function = Function::named(name).ok_or(InvalidPath)?;
        if depth > DEEPEST {
            return Err(InvalidPath);
        }
        let mut arguments = Vec::new();
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(')') {
            rest = after;
        } else {
            loop {
                let (argument, after) = argument(rest.trim_start(), depth)?;
                arguments.push(argument);
                let after = after.trim_start();
                if let Some(after) = after.strip_prefix(',') {
                    rest = after;
                } else {
                    rest = after.strip_prefix(')').ok_or(InvalidPath)?;
                    break;
                }
            }
        }
        if !function.takes(arguments.len()) {
            return Err(InvalidPath);
        }
        let template = usize::from(function == Function::Format);
        for argument in &mut arguments[template..] {
            if let Argument::Literal(Value::String(literal)) = argument {
                *literal = unescape(literal);
            }
        }
        let text = text[..text.len() - rest.len()].to_owned();
        Ok((
            Self {
                text,
                function,
                arguments,
            },
            rest,
        ))
    }
}

fn argument(text: &str, depth: usize) -> Result<(Argument, &str), InvalidPath> {
    match text.chars().next() {
        Some('\'') => quoted(&text[1..]).map(|(text, rest)| (Argument::Literal(text.into()), rest)),
        Some('$') => Query::parse_prefix(text).map(|(query, rest)| (Argument::Query(query), rest)),
        Some('S') => Call::parse_prefix(text, depth + 1).map(|(call, rest)| (Argument::Call(call), rest)),
        _ => {
            let end = text.find([',', ')', ' ']).ok_or(InvalidPath)?;
            let value: Value = serde_json::from_str(&text[..end]).map_err(|_| InvalidPath)?;
            match value {
                Value::Null | Value::Bool(_) | Value::Number(_) => {
                    Ok((Argument::Literal(value), &text[end..]))
                }
                _ => Err(InvalidPath),
            }
        }
    }
}

/// Text up to its closing quote. `\{`, `\}` and `\\` keep their backslash, because the template of `States.Format`
/// needs to know which braces had one; any other backslash but the one of `\'` is refused, as AWS does.
fn quoted(text: &str) -> Result<(String, &str), InvalidPath> {
    let mut plain = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Ok((plain, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, c @ ('{' | '}' | '\\'))) => plain.extend(['\\', c]),
                Some((_, c @ '\'')) => plain.push(c),
                _ => return Err(InvalidPath),
            },
            c => plain.push(c),
        }
    }
    Err(InvalidPath)
}
