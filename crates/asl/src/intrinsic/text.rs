//! Text as Step Functions' own Java prints it.

use std::fmt::Write as _;

use serde_json::Value;

/// `States.Format`: each `{}` takes the next argument; `\{`, `\}` and `\\` stand for the character.
pub(super) fn format(template: &str, arguments: &[Value]) -> Result<String, String> {
    let mut text = String::with_capacity(template.len());
    let mut arguments = arguments.iter();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(
                chars
                    .next_if(|next| matches!(next, '{' | '}' | '\\'))
                    .unwrap_or('\\'),
            ),
            '{' if chars.next_if_eq(&'}').is_some() => match arguments.next() {
                Some(argument) => print(argument, &mut text),
                None => {
                    return Err("There are more placeholders in the template than arguments".into());
                }
            },
            '{' | '}' => {
                return Err("Braces in the template must be escaped, or be a placeholder {}".into());
            }
            c => text.push(c),
        }
    }
    match arguments.next() {
        None => Ok(text),
        Some(_) => Err("There are more arguments than placeholders in the template".into()),
    }
}

/// A value as Java's `toString` prints it: text bare, lists as `[a, b]`, objects as `{name=value}`.
fn print(value: &Value, text: &mut String) {
    match value {
        Value::String(value) => text.push_str(value),
        Value::Array(items) => {
            text.push('[');
            for (n, item) in items.iter().enumerate() {
                text.push_str(if n == 0 { "" } else { ", " });
                print(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (n, (name, item)) in map.iter().enumerate() {
                let _ = write!(text, "{}{name}=", if n == 0 { "" } else { ", " });
                print(item, text);
            }
            text.push('}');
        }
        value => {
            let _ = write!(text, "{value}");
        }
    }
}

/// Takes the backslashes off a literal that is no template.
pub(super) fn unescape(literal: &str) -> String {
    let mut chars = literal.chars();
    let mut text = String::with_capacity(literal.len());
    while let Some(c) = chars.next() {
        text.push(if c == '\\' {
            chars.next().unwrap_or('\\')
        } else {
            c
        });
    }
    text
}
