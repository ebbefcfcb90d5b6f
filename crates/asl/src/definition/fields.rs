//! Reading the fields of one object: each is asked for by name and type, and what nobody asked for is unknown.

use serde_json::{Map, Value};

use super::diagnostic::Findings;
use super::{Language, Payload, Seconds};
use crate::expression::Query;
use crate::jsonata::{self, Available, Expression};
use crate::path::{InvalidPath, ReferencePath};
use crate::retry::LONGEST_SECONDS;
use crate::template::Template;
use crate::variables::{self, InvalidName};

pub(super) struct Fields<'v, 'f> {
    map: &'v Map<String, Value>,
    /// Of the object; the root's is empty.
    pub(super) location: String,
    /// Of the state that the object is, or belongs to.
    pub(super) language: Language,
    asked: Vec<&'static str>,
    pub(super) findings: &'f mut Findings,
}

impl<'v, 'f> Fields<'v, 'f> {
    /// `None`, and a finding, where `value` is no object.
    pub(super) fn of(value: &'v Value, location: String, findings: &'f mut Findings) -> Option<Self> {
        let Value::Object(map) = value else {
            let at = if location.is_empty() { "/".into() } else { location };
            findings.schema(at, "Expected value of type Object");
            return None;
        };
        Some(Self {
            map,
            location,
            language: Language::JsonPath,
            asked: Vec::new(),
            findings,
        })
    }

    /// The object that a field holds, in the same language; the error is a finding already.
    pub(super) fn object(&mut self, name: &'static str) -> Option<Result<Fields<'v, '_>, ()>> {
        let value = self.value(name)?;
        let (at, language) = (self.at(name), self.language);
        let fields = Fields::of(value, at, self.findings);
        Some(fields.map(|fields| Fields { language, ..fields }).ok_or(()))
    }

    /// As AWS writes it: the root is `/`.
    pub(super) fn here(&self) -> String {
        if self.location.is_empty() {
            "/".into()
        } else {
            self.location.clone()
        }
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.location)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'v String> + use<'v> {
        self.map.keys()
    }

    pub(super) fn value(&mut self, name: &'static str) -> Option<&'v Value> {
        self.asked.push(name);
        self.map.get(name)
    }

    fn typed<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl Fn(&'v Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let read = read(value);
        if read.is_none() {
            self.findings
                .schema(self.at(name), format!("Expected value of type {expected}"));
        }
        read
    }

    pub(super) fn string(&mut self, name: &'static str) -> Option<&'v str> {
        self.typed(name, "String", Value::as_str)
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.typed(name, "Boolean", Value::as_bool)
    }

    pub(super) fn array(&mut self, name: &'static str) -> Option<&'v Vec<Value>> {
        self.typed(name, "Array", Value::as_array)
    }

    /// A number within bounds.
    pub(super) fn number(&mut self, name: &'static str, least: f64) -> Option<f64> {
        let number = self.typed(name, "Number", Value::as_f64)?;
        if number < least || !number.is_finite() {
            self.findings.schema(
                self.at(name),
                format!("Value must be greater than or equal to {least}"),
            );
            return None;
        }
        Some(number)
    }

    /// A whole number within bounds.
    pub(super) fn integer(&mut self, name: &'static str, least: u64, most: u64) -> Option<u64> {
        // AWS takes 3.0 for 3.
        let whole = |value: &Value| {
            let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it saturates, far outside the bounds"
            )]
            Some(value.as_i64().unwrap_or(number as i64))
        };
        let number = self.typed(name, "Integer", whole)?;
        let number = u64::try_from(number)
            .ok()
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.findings
                .schema(self.at(name), format!("Value must be between {least} and {most}"));
        }
        number
    }

    /// A path that must lead to one place.
    pub(super) fn path(&mut self, name: &'static str) -> Option<Query> {
        let text = self.string(name)?;
        match Query::parse(text) {
            Ok(query) if query.is_definite() => Some(query),
            _ => self.bad_path(name),
        }
    }

    fn bad_path<T>(&mut self, name: &str) -> Option<T> {
        let at = self.at(name);
        self.findings.schema(at, "Value is not a Reference Path");
        None
    }

    /// InputPath and OutputPath: `$` where absent; `None` where null.
    pub(super) fn data_path(&mut self, name: &'static str) -> Option<Query> {
        match self.value(name) {
            None => Some(Query::whole()),
            Some(Value::Null) => None,
            Some(value) => {
                let query = value.as_str().and_then(|text| Query::parse(text).ok());
                if query.is_none() {
                    let at = self.at(name);
                    self.findings.schema(at, "Value is not a valid JSONPath");
                }
                query
            }
        }
    }

    /// ResultPath: `$` where absent; `None` where null.
    pub(super) fn result_path(&mut self) -> Option<ReferencePath> {
        match self.value("ResultPath") {
            None => Some(ReferencePath::whole()),
            Some(Value::Null) => None,
            Some(value) => match value.as_str().ok_or(InvalidPath).and_then(ReferencePath::parse) {
                Ok(path) => Some(path),
                // Nothing can be assigned here, variable or not.
                Err(InvalidPath) => self.bad_path("ResultPath"),
            },
        }
    }

    pub(super) fn template(&mut self, name: &'static str) -> Option<Template> {
        let value = self.value(name)?;
        let mut invalid = Vec::new();
        let template = Template::parse(value, "", &mut invalid);
        for field in invalid {
            let at = format!("{}{}", self.at(name), field.location);
            let message = format!(
                "The value for the field '{}' must be a valid JSONPath or a valid intrinsic function call",
                field.name
            );
            self.findings.schema(at, message);
        }
        Some(template)
    }

    /// `Assign`: a template whose fields are variables.
    pub(super) fn assign(&mut self) -> Option<Template> {
        if self.language == Language::Jsonata {
            return None;
        }
        self.assigned_names(|name| name.strip_suffix(".$").unwrap_or(name))?;
        self.template("Assign")
    }

    /// Checks the names in `Assign`, each as `plain` gives it; `None` where there are none.
    fn assigned_names(&mut self, plain: fn(&str) -> &str) -> Option<()> {
        let Value::Object(map) = self.value("Assign")? else {
            let at = self.at("Assign");
            self.findings.schema(at, "Expected value of type Object");
            return None;
        };
        for name in map.keys() {
            let at = format!("{}/{name}", self.at("Assign"));
            self.variable_name(at, plain(name));
        }
        Some(())
    }

    fn variable_name(&mut self, at: String, name: &str) {
        let message = match variables::check_name(name) {
            Ok(()) => return,
            Err(InvalidName::Syntax) => format!("The variable name '{name}' is not a valid identifier"),
            Err(InvalidName::TooLong) => format!("The variable name '{name}' is longer than 80 characters"),
            Err(InvalidName::Reserved) => format!("The variable name '{name}' is reserved"),
        };
        self.findings.schema(at, message);
    }

    /// `NameSeconds` or its Path, not both.
    pub(super) fn seconds(&mut self, name: &'static str, path: &'static str) -> Option<Seconds> {
        if self.holds_expression(name) {
            return self.expression(name).map(Seconds::Query);
        }
        if self.language == Language::Jsonata {
            return self.integer(name, 1, LONGEST_SECONDS).map(Seconds::Fixed);
        }
        self.only_one(&[name, path]);
        match self.integer(name, 1, LONGEST_SECONDS) {
            Some(seconds) => Some(Seconds::Fixed(seconds)),
            None => self.path(path).map(Seconds::Path),
        }
    }

    pub(super) fn only_one(&mut self, names: &[&str]) {
        let given: Vec<_> = names.iter().copied().filter(|name| self.has(name)).collect();
        if given.len() > 1 {
            self.findings.schema(
                self.here(),
                format!("These fields are mutually exclusive: [{}]", given.join(", ")),
            );
        }
    }

    pub(super) fn require(&mut self, names: &[&str]) -> bool {
        let missing: Vec<_> = names.iter().copied().filter(|name| !self.has(name)).collect();
        if missing.is_empty() {
            return true;
        }
        self.findings.schema(
            self.here(),
            format!("These fields are required: [{}]", missing.join(", ")),
        );
        false
    }

    /// Says of fields that AWS knows and this interpreter does not run that they are not supported.
    pub(super) fn unsupported(&mut self, names: &[&'static str]) {
        for &name in names {
            if self.value(name).is_some() {
                self.findings.unsupported(
                    self.at(name),
                    format!("The field '{name}' is not supported by this interpreter"),
                );
            }
        }
    }

    /// A field that JSONata fills in.
    pub(super) fn jsonata(&mut self, name: &'static str, available: Available) -> Option<jsonata::Template> {
        let value = self.value(name)?;
        let mut problems = Vec::new();
        let template = jsonata::Template::parse(value, &self.at(name), available, &mut problems);
        for (at, problem) in problems {
            self.findings.jsonata(at, problem);
        }
        Some(template)
    }

    /// A field that is filled in from the data, in either language.
    pub(super) fn payload(&mut self, name: &'static str) -> Option<Payload> {
        match self.language {
            Language::JsonPath => self.template(name).map(Payload::Path),
            Language::Jsonata => self.jsonata(name, Available::default()).map(Payload::Query),
        }
    }

    /// An expression, where a JSONata state has one in a field that may also hold a plain value.
    pub(super) fn expression(&mut self, name: &'static str) -> Option<Expression> {
        let text = match self.language {
            Language::JsonPath => return None,
            Language::Jsonata => self.map.get(name)?.as_str()?,
        };
        if !matches!(jsonata::enclosed(text), Ok(Some(_)) | Err(_)) {
            return None;
        }
        match self.jsonata(name, Available::default())? {
            jsonata::Template::Expression(expression) => Some(*expression),
            // It has its finding; the plain reading would only add another.
            _ => None,
        }
    }

    /// Whether a field holds an expression, good or bad.
    pub(super) fn holds_expression(&self, name: &str) -> bool {
        self.language == Language::Jsonata
            && self
                .map
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(|text| jsonata::enclosed(text) != Ok(None))
    }

    /// `Assign` of a JSONata state.
    pub(super) fn jsonata_assign(&mut self, available: Available) -> Option<jsonata::Template> {
        self.assigned_names(|name| name)?;
        self.jsonata("Assign", available)
    }

    /// Says of fields of JSONPath that they have no place in JSONata.
    pub(super) fn jsonpath_only(&mut self, names: &[&'static str]) {
        for &name in names {
            if self.value(name).is_some() {
                let message = format!(
                    "The QueryLanguage is set to 'JSONata', but field '{name}' is only supported for the 'JSONPath' QueryLanguage"
                );
                self.findings.schema(self.here(), message);
            }
        }
    }

    /// Says of fields of JSONata that they have no place in JSONPath.
    pub(super) fn jsonata_only(&mut self, names: &[&'static str]) {
        for &name in names {
            if self.value(name).is_some() {
                let message = format!(
                    "The QueryLanguage is set to 'JSONPath', but field '{name}' is only supported for the 'JSONata' QueryLanguage"
                );
                self.findings.schema(self.here(), message);
            }
        }
    }

    /// Ends the reading: whatever nobody asked for has no place here.
    pub(super) fn end(self) {
        for name in self
            .map
            .keys()
            .filter(|name| !self.asked.contains(&name.as_str()))
        {
            self.findings
                .schema(self.here(), format!("Field '{name}' is not supported"));
        }
    }
}
