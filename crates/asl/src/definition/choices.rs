//! Reading the rules of a Choice.

use serde_json::Value;

use super::diagnostic::Findings;
use super::fields::Fields;
use super::{Choice, Language, When, Work, jsonata_state};
use crate::choice::{Kind, Order, Rule, Test, With};
use crate::compare;
use crate::jsonata::{self, Available};

/// Every comparison: its name, what it compares, and how. Each is also there with `Path` at the end.
const COMPARISONS: [(&str, &str, Kind, Order); 16] = [
    ("StringEquals", "StringEqualsPath", Kind::String, Order::Equals),
    (
        "StringLessThan",
        "StringLessThanPath",
        Kind::String,
        Order::LessThan,
    ),
    (
        "StringGreaterThan",
        "StringGreaterThanPath",
        Kind::String,
        Order::GreaterThan,
    ),
    (
        "StringLessThanEquals",
        "StringLessThanEqualsPath",
        Kind::String,
        Order::LessThanEquals,
    ),
    (
        "StringGreaterThanEquals",
        "StringGreaterThanEqualsPath",
        Kind::String,
        Order::GreaterThanEquals,
    ),
    ("NumericEquals", "NumericEqualsPath", Kind::Numeric, Order::Equals),
    (
        "NumericLessThan",
        "NumericLessThanPath",
        Kind::Numeric,
        Order::LessThan,
    ),
    (
        "NumericGreaterThan",
        "NumericGreaterThanPath",
        Kind::Numeric,
        Order::GreaterThan,
    ),
    (
        "NumericLessThanEquals",
        "NumericLessThanEqualsPath",
        Kind::Numeric,
        Order::LessThanEquals,
    ),
    (
        "NumericGreaterThanEquals",
        "NumericGreaterThanEqualsPath",
        Kind::Numeric,
        Order::GreaterThanEquals,
    ),
    ("BooleanEquals", "BooleanEqualsPath", Kind::Boolean, Order::Equals),
    (
        "TimestampEquals",
        "TimestampEqualsPath",
        Kind::Timestamp,
        Order::Equals,
    ),
    (
        "TimestampLessThan",
        "TimestampLessThanPath",
        Kind::Timestamp,
        Order::LessThan,
    ),
    (
        "TimestampGreaterThan",
        "TimestampGreaterThanPath",
        Kind::Timestamp,
        Order::GreaterThan,
    ),
    (
        "TimestampLessThanEquals",
        "TimestampLessThanEqualsPath",
        Kind::Timestamp,
        Order::LessThanEquals,
    ),
    (
        "TimestampGreaterThanEquals",
        "TimestampGreaterThanEqualsPath",
        Kind::Timestamp,
        Order::GreaterThanEquals,
    ),
];

/// Every question about a value's type.
const TYPES: [(&str, Kind); 5] = [
    ("IsString", Kind::String),
    ("IsNumeric", Kind::Numeric),
    ("IsBoolean", Kind::Boolean),
    ("IsTimestamp", Kind::Timestamp),
    ("IsNull", Kind::Null),
];

pub(super) fn read(fields: &mut Fields<'_, '_>) -> Option<Work> {
    fields.require(&["Choices"]);
    let language = fields.language;
    let default = fields.string("Default").map(str::to_owned);
    let values = fields.array("Choices")?;
    if values.is_empty() {
        let at = fields.at("Choices");
        fields
            .findings
            .schema(at, "A Choice state must have at least one choice");
    }
    let mut choices = Vec::with_capacity(values.len());
    for (n, value) in values.iter().enumerate() {
        let location = format!("{}[{n}]", fields.at("Choices"));
        let Some(mut choice) = Fields::of(value, location, fields.findings) else {
            continue;
        };
        choice.language = language;
        if language == Language::Jsonata {
            choices.extend(conditional(choice));
            continue;
        }
        choice.require(&["Next"]);
        choice.jsonata_only(&["Condition", "Output"]);
        let assign = choice.assign();
        let next = choice.string("Next").map(str::to_owned);
        if let Some((rule, next)) = rule(choice).zip(next) {
            choices.push(Choice {
                when: When::Rule(rule),
                assign,
                jsonata: None,
                next,
            });
        }
    }
    (choices.len() == values.len()).then_some(Work::Choice { choices, default })
}

/// A rule of JSONata.
fn conditional(mut choice: Fields<'_, '_>) -> Option<Choice> {
    choice.string("Comment");
    choice.require(&["Condition", "Next"]);
    let others = operators().chain(["And", "Or", "Not", "Variable"]);
    choice.jsonpath_only(&others.collect::<Vec<_>>());
    let condition = choice.jsonata("Condition", Available::default());
    if let Some(jsonata::Template::Literal(value)) = &condition
        && !value.is_boolean()
        && !choice.holds_expression("Condition")
    {
        let at = choice.at("Condition");
        let message = "Expected value of type Boolean, or a JSONata expression";
        choice.findings.schema(at, message);
    }
    let jsonata = Some(Box::new(jsonata_state::rule(&mut choice)));
    let next = choice.string("Next").map(str::to_owned);
    choice.end();
    Some(Choice {
        when: When::Condition(condition?),
        assign: None,
        jsonata,
        next: next?,
    })
}

/// Everything that may be asked of a variable.
fn operators() -> impl Iterator<Item = &'static str> {
    let comparisons = COMPARISONS.iter().flat_map(|&(name, path, ..)| [name, path]);
    comparisons
        .chain(TYPES.iter().map(|&(name, _)| name))
        .chain(["StringMatches", "IsPresent"])
}

fn inner(value: &Value, location: String, findings: &mut Findings) -> Option<Rule> {
    rule(Fields::of(value, location, findings)?)
}

fn rule(mut fields: Fields<'_, '_>) -> Option<Rule> {
    fields.string("Comment");
    let rule = if fields.has("Not") {
        let value = fields.value("Not")?;
        inner(value, fields.at("Not"), fields.findings).map(|rule| Rule::Not(Box::new(rule)))
    } else if fields.has("And") {
        several(&mut fields, "And").map(Rule::And)
    } else if fields.has("Or") {
        several(&mut fields, "Or").map(Rule::Or)
    } else {
        fields.require(&["Variable"]);
        let variable = fields.path("Variable");
        let test = test(&mut fields);
        variable
            .zip(test)
            .map(|(variable, test)| Rule::Test { variable, test })
    };
    fields.end();
    rule
}

fn several(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<Vec<Rule>> {
    let values = fields.array(name)?;
    if values.is_empty() {
        let at = fields.at(name);
        fields.findings.schema(at, "Expected a non-empty Array");
    }
    let rules = values.iter().enumerate();
    rules
        .map(|(n, value)| inner(value, format!("{}[{n}]", fields.at(name)), fields.findings))
        .collect()
}

fn test(fields: &mut Fields<'_, '_>) -> Option<Test> {
    let given: Vec<&'static str> = operators().filter(|operator| fields.has(operator)).collect();
    let [operator] = given[..] else {
        let at = fields.here();
        fields
            .findings
            .schema(at, "A choice must have exactly one comparison operator");
        return None;
    };
    if let Some(&(.., kind, order)) = COMPARISONS.iter().find(|&&(name, ..)| name == operator) {
        return Some(Test::Compare {
            kind,
            order,
            with: With::Literal(literal(fields, operator, kind)?),
        });
    }
    if let Some(&(.., kind, order)) = COMPARISONS.iter().find(|&&(_, path, ..)| path == operator) {
        return Some(Test::Compare {
            kind,
            order,
            with: With::Query(fields.path(operator)?),
        });
    }
    if let Some(&(_, kind)) = TYPES.iter().find(|&&(name, _)| name == operator) {
        return Some(Test::Is(kind, fields.boolean(operator)?));
    }
    if operator == "IsPresent" {
        return Some(Test::IsPresent(fields.boolean(operator)?));
    }
    fields
        .string(operator)
        .map(|pattern| Test::Matches(pattern.to_owned()))
}

fn literal(fields: &mut Fields<'_, '_>, operator: &'static str, kind: Kind) -> Option<Value> {
    match kind {
        Kind::String => fields.string(operator).map(Value::from),
        Kind::Boolean => fields.boolean(operator).map(Value::from),
        Kind::Timestamp => {
            let text = fields.string(operator)?;
            if compare::timestamp(text).is_none() {
                let at = fields.at(operator);
                fields
                    .findings
                    .schema(at, "String does not match RFC3339 timestamp");
                return None;
            }
            Some(text.into())
        }
        Kind::Numeric | Kind::Null => {
            let value = fields.value(operator)?;
            if !value.is_number() {
                let at = fields.at(operator);
                fields.findings.schema(at, "Expected value of type Number");
                return None;
            }
            Some(value.clone())
        }
    }
}
