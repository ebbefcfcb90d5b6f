//! What services answer, by AWS's own models of their APIs: the bounds that a mocked result must keep.
//!
//! `models.json` has the operations whose results are checked; `tests/checks/test_api_models.py` makes it and holds it
//! against the models.

use std::collections::HashMap;
use std::sync::LazyLock;

use asl::Resource;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Models {
    /// `service:operation`, and the shape of what it answers.
    operations: HashMap<String, String>,
    shapes: HashMap<String, Shape>,
}

#[derive(Deserialize)]
struct Shape {
    is: Kind,
    #[serde(default)]
    fields: HashMap<String, String>,
    #[serde(default)]
    required: Vec<String>,
    of: Option<String>,
    #[serde(rename = "one of", default)]
    one_of: Vec<String>,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    String,
    Number,
    Boolean,
    Array,
    Map,
    Object,
}

static MODELS: LazyLock<Option<Models>> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).ok());

/// Whether `result` could be what `resource` gives; with `strict` everything that it always gives must be there. Of what
/// isn't modelled nothing is said. The error names the field.
pub(super) fn check(resource: &Resource, result: &Value, strict: bool) -> Result<(), String> {
    let Resource::Service { service, action, .. } = resource else {
        return Ok(());
    };
    let Some(models) = MODELS.as_ref() else {
        return Ok(());
    };
    let service = service.strip_prefix("aws-sdk:").unwrap_or(service);
    let Some(shape) = models.operations.get(&format!("{service}:{action}")) else {
        return Ok(());
    };
    // The integration gives a function's answer itself, where the API gives its bytes.
    let free: &[&str] = if service == "lambda" && action == "invoke" {
        &["Payload"]
    } else {
        &[]
    };
    models.check(shape, "result", result, strict, free)
}

impl Models {
    fn check(
        &self,
        shape: &str,
        name: &str,
        value: &Value,
        strict: bool,
        free: &[&str],
    ) -> Result<(), String> {
        let Some(shape) = self.shapes.get(shape) else {
            return Ok(());
        };
        match (shape.is, value) {
            (Kind::String, Value::String(text)) => {
                #[expect(clippy::cast_precision_loss, reason = "lengths are far below")]
                shape.bounds(name, text.chars().count() as f64, "length")?;
                if !shape.one_of.is_empty() && !shape.one_of.contains(text) {
                    return Err(format!("Field '{name}' is not an expected value"));
                }
                Ok(())
            }
            (Kind::Number, Value::Number(number)) => {
                shape.bounds(name, number.as_f64().unwrap_or(0.0), "value")
            }
            (Kind::Boolean, Value::Bool(_)) => Ok(()),
            (Kind::Array, Value::Array(items)) => {
                #[expect(clippy::cast_precision_loss, reason = "lengths are far below")]
                shape.bounds(name, items.len() as f64, "length")?;
                let of = shape.of.as_deref().unwrap_or_default();
                items
                    .iter()
                    .try_for_each(|item| self.check(of, name, item, strict, &[]))
            }
            (Kind::Map, Value::Object(map)) => {
                let of = shape.of.as_deref().unwrap_or_default();
                map.iter()
                    .try_for_each(|(key, item)| self.check(of, key, item, strict, &[]))
            }
            (Kind::Object, Value::Object(map)) => {
                if strict && let Some(missing) = shape.required.iter().find(|field| !map.contains_key(*field))
                {
                    return Err(format!("Required field '{missing}' is missing"));
                }
                // What the model doesn't know may be there.
                let known = map.iter().filter_map(|(field, item)| {
                    let shape = shape.fields.get(field)?;
                    (!free.contains(&field.as_str())).then_some((field, shape, item))
                });
                known
                    .into_iter()
                    .try_for_each(|(field, shape, item)| self.check(shape, field, item, strict, &[]))
            }
            (kind, _) => Err(format!("Field '{name}' must be {}", kind.article())),
        }
    }
}

impl Shape {
    fn bounds(&self, name: &str, found: f64, what: &str) -> Result<(), String> {
        if self.min.is_some_and(|least| found < least) {
            return Err(format!("Field '{name}' is smaller than the minimum {what}"));
        }
        if self.max.is_some_and(|most| found > most) {
            return Err(format!("Field '{name}' exceeds the maximum {what}"));
        }
        Ok(())
    }
}

impl Kind {
    fn article(self) -> &'static str {
        match self {
            Kind::String => "a string",
            Kind::Number => "a number",
            Kind::Boolean => "a boolean",
            Kind::Array => "an array",
            Kind::Map | Kind::Object => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(arn: &str, result: &Value, strict: bool) -> String {
        let resource = Resource::Service {
            partition: "aws".to_owned(),
            service: arn.rsplit_once(':').expect("a service").0.to_owned(),
            action: arn.rsplit_once(':').expect("an action").1.to_owned(),
            pattern: asl::Pattern::RequestResponse,
        };
        check(&resource, result, strict).err().unwrap_or_default()
    }

    #[test]
    fn the_models_can_be_read() {
        let models = MODELS.as_ref().expect("JSON of the right form");
        for shape in models.operations.values() {
            assert!(models.shapes.contains_key(shape), "{shape}");
        }
        let named = models
            .shapes
            .values()
            .flat_map(|shape| shape.fields.values().chain(&shape.of));
        for shape in named {
            assert!(models.shapes.contains_key(shape), "{shape}");
        }
    }

    #[test]
    fn mocked_results_keep_to_the_model() {
        let none = json!({});
        assert_eq!(refusal("sqs:receiveMessage", &none, true), "");
        assert_eq!(
            refusal("aws-sdk:sfn:startExecution", &none, true),
            "Required field 'ExecutionArn' is missing"
        );
        assert_eq!(refusal("states:startExecution", &none, false), "");
        assert_eq!(
            refusal("dynamodb:getItem", &json!({"Item": {"id": {"S": 3}}}), false),
            "Field 'S' must be a string"
        );
        assert_eq!(
            refusal("aws-sdk:s3:headObject", &json!({"DeleteMarker": "no"}), true),
            "Field 'DeleteMarker' must be a boolean"
        );
        assert_eq!(
            refusal("lambda:invoke", &json!({"Payload": {"any": [1]}}), true),
            ""
        );
        assert_eq!(refusal("unheard:of", &json!([]), true), "");
    }
}
