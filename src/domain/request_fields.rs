//! Reading a JSON object field by field, so that every problem is told by the field's name, all of them at once, and
//! a field nobody asked for is refused. Used by `request.rs`.

use serde_json::{Map, Value};

/// What is wrong with one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where, such as `signers[0].email`.
    pub field: String,
    /// What is wrong and what would be right. Never repeats a secret.
    pub message: String,
}

/// An object that is being read.
pub struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// Begins to read `map`, which stands at `path` (empty at the top).
    pub fn new(path: impl Into<String>, map: &'a Map<String, Value>) -> Self {
        Self {
            path: path.into(),
            map,
            known: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The path of the field `name` of this object.
    pub fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Notes a problem of the field `name`.
    pub fn problem(&mut self, name: &str, message: impl Into<String>) {
        let field = self.path(name);
        self.problems.push(Problem {
            field,
            message: message.into(),
        });
    }

    /// Takes over the problems of an object inside this one.
    pub fn extend(&mut self, problems: Vec<Problem>) {
        self.problems.extend(problems);
    }

    /// The field's value, `None` where it is absent or null.
    pub fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A text on one line: no control characters (so that it can't start a new header), not blank, at most `max`
    /// characters. White space around it is dropped.
    pub fn line(&mut self, name: &'static str, max: usize) -> Option<String> {
        let text = self.text(name)?;
        match check_line(&text, max) {
            Ok(line) => Some(line),
            Err(message) => {
                self.problem(name, message);
                None
            }
        }
    }

    /// A text of several lines: line breaks become `\n`, other control characters but tab are refused, at most `max`
    /// bytes of UTF-8.
    pub fn lines(&mut self, name: &'static str, max: usize) -> Option<String> {
        let text = self.text(name)?.replace("\r\n", "\n").replace('\r', "\n");
        if text.len() > max {
            self.problem(
                name,
                format!("has {} bytes; at most {max} are allowed", text.len()),
            );
            None
        } else if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            self.problem(
                name,
                "must not contain control characters other than line breaks and tabs",
            );
            None
        } else {
            Some(text)
        }
    }

    /// Any text, as it is.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text.clone()),
            other => {
                self.problem(name, format!("must be text, not {}", kind_of(other)));
                None
            }
        }
    }

    /// A text that may also be given as a whole number (an id such as `3`).
    pub fn id(&mut self, name: &'static str, max: usize) -> Option<String> {
        match self.map.get(name) {
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
                self.known.push(name);
                Some(number.to_string())
            }
            _ => self.line(name, max),
        }
    }

    /// A whole number within bounds.
    pub fn number(&mut self, name: &'static str, min: u64, max: u64) -> Option<u64> {
        let value = self.value(name)?;
        // States Language templates may give 60 as 60.0.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be whole and in range"
        )]
        let whole = value.as_u64().or_else(|| {
            value
                .as_f64()
                .filter(|n| n.fract() == 0.0 && *n >= 0.0 && *n < 9e15)
                .map(|n| n as u64)
        });
        match whole {
            Some(number) if (min..=max).contains(&number) => Some(number),
            Some(number) => {
                self.problem(name, format!("is {number}; it must be from {min} to {max}"));
                None
            }
            None => {
                self.problem(name, format!("must be a whole number from {min} to {max}"));
                None
            }
        }
    }

    /// A truth value.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(*flag),
            other => {
                self.problem(name, format!("must be true or false, not {}", kind_of(other)));
                None
            }
        }
    }

    /// An object.
    pub fn object(&mut self, name: &'static str) -> Option<&'a Map<String, Value>> {
        match self.value(name)? {
            Value::Object(map) => Some(map),
            other => {
                self.problem(name, format!("must be an object, not {}", kind_of(other)));
                None
            }
        }
    }

    /// A list of at most `max` entries.
    pub fn list(&mut self, name: &'static str, max: usize) -> Option<&'a [Value]> {
        match self.value(name)? {
            Value::Array(list) if list.len() <= max => Some(list),
            Value::Array(list) => {
                self.problem(
                    name,
                    format!("has {} entries; at most {max} are allowed", list.len()),
                );
                None
            }
            other => {
                self.problem(name, format!("must be a list, not {}", kind_of(other)));
                None
            }
        }
    }

    /// Ends the reading of an object that may have fields beside those that are asked for.
    pub fn finish_leaving_others(self) -> Vec<Problem> {
        self.problems
    }

    /// Ends the reading: fields nobody asked for become problems.
    pub fn finish(mut self) -> Vec<Problem> {
        let unknown: Vec<&String> = self
            .map
            .keys()
            .filter(|key| !self.known.contains(&key.as_str()))
            .collect();
        for key in unknown {
            // A key could be anything, a pasted token too: the name is shown only where it looks like a name.
            let plain = key.len() <= 40
                && key
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-.$".contains(c));
            let field = if plain {
                self.path(key)
            } else {
                self.path("(unknown)")
            };
            let near = plain.then(|| nearest(key, &self.known)).flatten();
            let message = match near {
                Some(near) => format!("is not a field of a request; did you mean {near}?"),
                None => "is not a field of a request; remove it, or put it under metadata".into(),
            };
            self.problems.push(Problem { field, message });
        }
        self.problems
    }
}

/// The one of `known` that was probably meant.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(name, word);
    let best = known
        .iter()
        .copied()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.85).then_some(best)
}

/// Checks a text on one line; gives it trimmed.
pub fn check_line(text: &str, max: usize) -> Result<String, String> {
    let trimmed = text.trim();
    let count = trimmed.chars().count();
    if text
        .chars()
        .any(|c| c.is_control() || c == '\u{2028}' || c == '\u{2029}')
    {
        Err("must be on one line, without control characters".into())
    } else if trimmed.is_empty() {
        Err("must not be empty".into())
    } else if count > max {
        Err(format!("has {count} characters; at most {max} are allowed"))
    } else {
        Ok(trimmed.to_owned())
    }
}

/// What a JSON value is, for a message.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
