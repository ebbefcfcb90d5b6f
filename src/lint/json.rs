//! JSON with the place of each value in its text: what `serde_json` forgets. Read by `position.rs` and by the rules.
//!
//! Takes what `serde_json` takes, and `${Name}` besides, where a value stands without quotes: CloudFormation puts a
//! number there before anybody reads the text as JSON. (`jsonc-parser` and `json-spanned-value` refuse such text, and
//! replacing it before would move every place behind it.) Texts and numbers are still decoded by `serde_json`.

use serde_json::{Number, Value};
use std::ops::Range;

/// How many brackets may be open at once: as many as for `serde_json`.
const DEEPEST: usize = 127;

/// A value and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Node {
    /// In bytes.
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Field>),
    /// `${Name}` without quotes, as it is written: any value at all.
    Substitution(String),
}

/// A field of an object.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Of the name with its quotes, in bytes.
    pub(crate) span: Range<usize>,
    pub(crate) value: Node,
}

/// Where text stops being JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NotJson {
    /// In bytes.
    pub(crate) at: usize,
    /// What is wrong there, for a person.
    pub(crate) message: String,
}

impl Node {
    /// The object's field of this name: the last, as for `serde_json`.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields().iter().rev().find(|field| field.name == name)
    }

    /// The value of the object's field of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.field(name).map(|field| &field.value)
    }

    /// The object's fields in their order; none where it is no object.
    pub(crate) fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Object(fields) => fields,
            _ => &[],
        }
    }

    /// The list's entries; none where it is no list.
    pub(crate) fn entries(&self) -> &[Node] {
        match &self.kind {
            Kind::List(entries) => entries,
            _ => &[],
        }
    }

    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, where it is one.
    pub(crate) fn number(&self) -> Option<f64> {
        match &self.kind {
            Kind::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// The value without its places. `instead` is asked first, with the name of the field that the value stands in, of
    /// its own or of the list around it.
    pub(crate) fn value(&self, name: &str, instead: &mut dyn FnMut(&str, &Self) -> Option<Value>) -> Value {
        if let Some(value) = instead(name, self) {
            return value;
        }
        match &self.kind {
            Kind::Null | Kind::Substitution(_) => Value::Null,
            Kind::Bool(flag) => Value::Bool(*flag),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(entries) => entries.iter().map(|entry| entry.value(name, instead)).collect(),
            Kind::Object(fields) => fields
                .iter()
                .map(|field| (field.name.clone(), field.value.value(&field.name, instead)))
                .collect(),
        }
    }
}

/// Reads a text that holds one value.
pub(crate) fn read(text: &str) -> Result<Node, NotJson> {
    let mut reader = Reader { text, at: 0 };
    if text.starts_with('\u{feff}') {
        return Err(reader.wrong("the file begins with a byte order mark; save it as UTF-8 without one"));
    }
    let node = reader.value(0)?;
    reader.space();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.wrong(
            "the definition has ended before this; remove what follows, or look for a bracket too many",
        )),
    }
}

struct Reader<'t> {
    text: &'t str,
    /// In bytes.
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, c: char) -> bool {
        let there = self.rest().starts_with(c);
        if there {
            self.at += c.len_utf8();
        }
        there
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn wrong(&self, message: impl Into<String>) -> NotJson {
        NotJson {
            at: self.at,
            message: message.into(),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, NotJson> {
        self.space();
        let start = self.at;
        if depth >= DEEPEST && self.rest().starts_with(['{', '[']) {
            return Err(self.wrong(format!("more than {DEEPEST} brackets are open here")));
        }
        let kind = match self.peek() {
            None => return Err(self.wrong("the text ends where a value should stand")),
            Some('{') => self.object(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Kind::Text(self.string()?),
            Some(_) => self.word()?,
        };
        Ok(Node {
            span: start..self.at,
            kind,
        })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, NotJson> {
        let mut fields = Vec::new();
        let open = self.at;
        self.skip('{');
        self.space();
        if self.skip('}') {
            return Ok(Kind::Object(fields));
        }
        loop {
            self.space();
            let start = self.at;
            let name = match self.peek() {
                Some('"') => self.string()?,
                Some('}') => {
                    return Err(self.wrong("a comma stands before this closing brace; remove the comma"));
                }
                None => return Err(unclosed(open, '{')),
                Some(_) => {
                    return Err(self.wrong(format!(
                        "a field's name in double quotes should stand here{}",
                        self.comment()
                    )));
                }
            };
            let span = start..self.at;
            self.space();
            if !self.skip(':') {
                return Err(self.wrong(format!(
                    "a colon should stand here, after the name {}",
                    quoted(&name)
                )));
            }
            let value = self.value(depth + 1)?;
            fields.push(Field { name, span, value });
            self.space();
            match self.peek() {
                Some(',') => self.at += 1,
                Some('}') => {
                    self.at += 1;
                    return Ok(Kind::Object(fields));
                }
                None => return Err(unclosed(open, '{')),
                Some(_) => {
                    let name = fields.last().map_or("", |field| &field.name);
                    let after = format!(
                        "a comma or a closing brace should stand here, after the value of {}",
                        quoted(name)
                    );
                    return Err(self.wrong(after + self.comment()));
                }
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Kind, NotJson> {
        let mut entries = Vec::new();
        let open = self.at;
        self.skip('[');
        self.space();
        if self.skip(']') {
            return Ok(Kind::List(entries));
        }
        loop {
            self.space();
            if self.peek() == Some(']') {
                return Err(self.wrong("a comma stands before this closing bracket; remove the comma"));
            }
            entries.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(']') => {
                    self.at += 1;
                    return Ok(Kind::List(entries));
                }
                None => return Err(unclosed(open, '[')),
                Some(_) => {
                    let after = "a comma or a closing bracket should stand here, after an entry of a list";
                    return Err(self.wrong(after.to_owned() + self.comment()));
                }
            }
        }
    }

    /// What many try.
    fn comment(&self) -> &'static str {
        if self.rest().starts_with("//") || self.rest().starts_with("/*") || self.rest().starts_with('#') {
            "; JSON has no comments: use the field Comment"
        } else {
            ""
        }
    }

    fn string(&mut self) -> Result<String, NotJson> {
        let start = self.at;
        let mut escaped = true; // the opening quote ends nothing
        for (offset, c) in self.rest().char_indices() {
            match c {
                '\n' | '\r' => break,
                c if c < ' ' => {
                    self.at += offset;
                    return Err(
                        self.wrong(r"a control character stands in this text; write it as \t or \u00…")
                    );
                }
                '"' if !escaped => {
                    let end = start + offset + 1;
                    let decoded = serde_json::from_str(self.text.get(start..end).unwrap_or_default());
                    self.at = match &decoded {
                        Ok(_) => end,
                        // Its column is that of the last byte it has read.
                        Err(error) => self.boundary(start + error.column().saturating_sub(1)),
                    };
                    return decoded
                        .map_err(|error| self.wrong(format!("this text can't be read: {}", reason(&error))));
                }
                _ => {}
            }
            escaped = c == '\\' && !escaped;
        }
        Err(self
            .wrong(r"this text isn't closed on its line; add the double quote (a line break is written \n)"))
    }

    /// The last place at or before `at` where a character begins.
    fn boundary(&self, at: usize) -> usize {
        (0..=at.min(self.text.len()))
            .rev()
            .find(|&at| self.text.is_char_boundary(at))
            .unwrap_or_default()
    }

    /// A number, `true`, `false`, `null` or a substitution.
    fn word(&mut self) -> Result<Kind, NotJson> {
        let word = self.rest();
        let mut end = 0;
        let mut substituted = false;
        while let Some(c) = word[end..].chars().next() {
            if word[end..].starts_with("${") {
                let Some(length) = word[end..]
                    .find(['}', '"', '\n'])
                    .filter(|&length| word[end + length..].starts_with('}'))
                else {
                    self.at += end;
                    return Err(self.wrong("this ${ is never closed"));
                };
                substituted = true;
                end += length + 1;
            } else if c.is_alphanumeric() || "+-._$".contains(c) {
                end += c.len_utf8();
            } else {
                break;
            }
        }
        let word = &word[..end];
        let kind = match word {
            "" => return Err(self.wrong(format!("a value should stand here{}", self.comment()))),
            _ if substituted => Kind::Substitution(word.to_owned()),
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            _ => match serde_json::from_str(word) {
                Ok(number) => Kind::Number(number),
                Err(error) if error.to_string().contains("out of range") => {
                    return Err(self.wrong("this number is too large"));
                }
                Err(_) => {
                    let message = format!("{} is no value; text stands in double quotes", shortened(word));
                    return Err(self.wrong(message));
                }
            },
        };
        self.at += end;
        Ok(kind)
    }
}

/// Told where it was opened: the end of the text says nothing.
fn unclosed(open: usize, bracket: char) -> NotJson {
    NotJson {
        at: open,
        message: format!("this {bracket} is never closed"),
    }
}

/// `serde_json`'s words without its own line and column.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// A name as it stands in JSON.
pub(crate) fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}

fn shortened(word: &str) -> String {
    match word.char_indices().nth(30) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}
