//! Reading a Map state.

use serde_json::Value;

use super::fields::Fields;
use super::machine::Reading;
use super::{Amount, Distributed, Language, MachineType, Map, Work, dataset, handlers};
use crate::expression::Query;
use crate::template::Template;

/// AWS's limit to a label, in characters.
const LONGEST_LABEL: usize = 40;

/// What an inline Map has no use for.
const DISTRIBUTED_ONLY: [&str; 3] = ["ItemReader", "ItemBatcher", "ResultWriter"];

pub(super) fn read(fields: &mut Fields<'_, '_>, reading: &mut Reading) -> Option<Work> {
    let handlers = handlers::read(fields);
    let items_path = items_path(fields);
    let selector = selector(fields);
    let concurrency = amount(fields, "MaxConcurrency", "MaxConcurrencyPath", &WHOLE);
    let (count, percentage) = (
        amount(
            fields,
            "ToleratedFailureCount",
            "ToleratedFailureCountPath",
            &WHOLE,
        ),
        amount(
            fields,
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentagePath",
            &PERCENTAGE,
        ),
    );
    let label = label(fields);
    exclusive(fields, &["ItemProcessor", "Iterator"]);
    let name = if fields.has("Iterator") {
        "Iterator"
    } else {
        "ItemProcessor"
    };
    fields.require(&[name]);
    let value = fields.value(name)?;
    let mode = mode(value, fields.at(name), fields);
    let processor = reading.processor(value, fields.at(name), fields.findings)?;
    let distributed = match mode? {
        Mode::Inline => {
            for name in DISTRIBUTED_ONLY {
                if fields.value(name).is_some() {
                    let message =
                        format!("The field '{name}' is only supported by Map states of the mode DISTRIBUTED");
                    fields.findings.schema(fields.here(), message);
                }
            }
            None
        }
        Mode::Distributed { .. } if reading.kind == MachineType::Express => {
            let at = format!("{}/ProcessorConfig/Mode", fields.at(name));
            let message = "Express state machine does not support Distributed Map";
            fields.findings.schema(at, message);
            return None;
        }
        Mode::Distributed { express } => Some(Box::new(Distributed {
            express,
            label,
            reader: dataset::reader(fields).ok()?,
            batcher: dataset::batcher(fields).ok()?,
            writer: dataset::writer(fields).ok()?,
            tolerated_count: count,
            tolerated_percentage: percentage,
        })),
    };
    Some(Work::Map(Box::new(Map {
        items_path: items_path?,
        selector,
        concurrency,
        processor,
        distributed,
        handlers,
    })))
}

fn selector(fields: &mut Fields<'_, '_>) -> Option<Template> {
    if fields.language == Language::Jsonata {
        return None;
    }
    exclusive(fields, &["ItemSelector", "Parameters"]);
    let selector = fields.template("ItemSelector");
    fields.template("Parameters").or(selector)
}

/// Where the items are; the only path of a Map that may lead into the context object.
fn items_path(fields: &mut Fields<'_, '_>) -> Option<Query> {
    if fields.language == Language::JsonPath && fields.has("ItemsPath") {
        fields.path("ItemsPath")
    } else {
        Some(Query::whole())
    }
}

enum Mode {
    Inline,
    Distributed { express: bool },
}

/// What ProcessorConfig says; inline where it says nothing.
fn mode(processor: &Value, location: String, fields: &mut Fields<'_, '_>) -> Option<Mode> {
    let Some(config) = processor.get("ProcessorConfig") else {
        return Some(Mode::Inline);
    };
    let mut config = Fields::of(config, format!("{location}/ProcessorConfig"), fields.findings)?;
    let mode = choice(&mut config, "Mode", &["INLINE", "DISTRIBUTED"]);
    let kind = choice(&mut config, "ExecutionType", &["STANDARD", "EXPRESS"]);
    let distributed = mode.as_ref().is_ok_and(|mode| *mode == Some("DISTRIBUTED"));
    if distributed && kind == Ok(None) {
        config.require(&["ExecutionType"]);
    }
    config.end();
    Some(match mode.ok()? {
        Some("DISTRIBUTED") => Mode::Distributed {
            express: kind.ok()?? == "EXPRESS",
        },
        _ => Mode::Inline,
    })
}

fn label(fields: &mut Fields<'_, '_>) -> Option<String> {
    let label = fields.string("Label")?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || "?*<>{}[]:;,\\|^~$#%&`\"".contains(c);
    if label.is_empty() || label.chars().count() > LONGEST_LABEL || label.chars().any(odd) {
        let at = fields.at("Label");
        let message = format!(
            "A label must have 1 to {LONGEST_LABEL} characters, without white space, brackets, wildcards and special characters"
        );
        fields.findings.schema(at, message);
        return None;
    }
    Some(label.to_owned())
}

/// One of a few words; the error is a finding already.
pub(super) fn choice<'v>(
    fields: &mut Fields<'v, '_>,
    name: &'static str,
    words: &[&str],
) -> Result<Option<&'v str>, ()> {
    if !fields.has(name) {
        return Ok(None);
    }
    let word = fields.string(name).ok_or(())?;
    if words.contains(&word) {
        return Ok(Some(word));
    }
    let at = fields.at(name);
    let message = format!(
        "The field '{name}' should have one of these values: [{}]",
        words.join(", ")
    );
    fields.findings.schema(at, message);
    Err(())
}

pub(super) fn exclusive(fields: &mut Fields<'_, '_>, names: &[&str]) {
    if names.iter().filter(|name| fields.has(name)).count() > 1 {
        let message = format!(
            "There should only be one of the following fields: [{}]",
            names.join(", ")
        );
        fields.findings.schema(fields.here(), message);
    }
}

/// What a number must be.
pub(super) struct Bounds {
    whole: bool,
    least: i32,
    most: Option<i32>,
}

pub(super) const WHOLE: Bounds = Bounds {
    whole: true,
    least: 0,
    most: None,
};
pub(super) const MAX_ITEMS: Bounds = Bounds {
    whole: true,
    least: 0,
    most: Some(100_000_000),
};
pub(super) const BATCH_BYTES: Bounds = Bounds {
    whole: true,
    least: 0,
    most: Some(262_144),
};
const PERCENTAGE: Bounds = Bounds {
    whole: false,
    least: 0,
    most: Some(100),
};

/// A number, or the path that leads to it, not both.
pub(super) fn amount(
    fields: &mut Fields<'_, '_>,
    name: &'static str,
    path: &'static str,
    bounds: &Bounds,
) -> Option<Amount> {
    if fields.holds_expression(name) {
        let expression = fields.expression(name)?;
        return Some(Amount::Query {
            field: name,
            expression: Box::new(expression),
        });
    }
    exclusive(fields, &[name, path]);
    if let Some(value) = fields.value(name) {
        fields.value(path);
        return number(fields, name, value, bounds).map(Amount::Fixed);
    }
    if fields.language == Language::Jsonata {
        return None;
    }
    let query = fields.path(path)?;
    if query.text.starts_with("$$") {
        let at = fields.at(path);
        fields.findings.schema(at, "Value is not a Reference Path");
        return None;
    }
    Some(Amount::Path { field: path, query })
}

fn number(
    fields: &mut Fields<'_, '_>,
    name: &str,
    value: &Value,
    bounds: &Bounds,
) -> Option<serde_json::Number> {
    let at = fields.at(name);
    let fits = |number: f64| !bounds.whole || number.fract() == 0.0;
    let Some(number) = value.as_f64().filter(|number| fits(*number)) else {
        let expected = if bounds.whole { "Integer" } else { "Number" };
        fields
            .findings
            .schema(at, format!("Expected value of type {expected}"));
        return None;
    };
    let shown = |bound: i32| {
        if bounds.whole {
            bound.to_string()
        } else {
            format!("{bound}.0")
        }
    };
    if number < f64::from(bounds.least) {
        fields
            .findings
            .schema(at, format!("Minimum value is {}", shown(bounds.least)));
        return None;
    }
    if let Some(most) = bounds.most.filter(|most| number > f64::from(*most)) {
        fields
            .findings
            .schema(at, format!("Maximum value is {}", shown(most)));
        return None;
    }
    if bounds.whole {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, and is not negative"
        )]
        return Some((number as u64).into());
    }
    serde_json::Number::from_f64(number)
}
