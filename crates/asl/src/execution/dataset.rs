//! What the fields of a distributed Map come to, in the language of its state: where the items are, how they are put
//! together, where the results go.

use serde_json::Value;

use super::flow::runtime;
use crate::definition::{Amount, Batcher, Payload, Reader, Writer};
use crate::expression::Scope;
use crate::jsonata::{self, Failed};
use crate::map_run::{Batch, Export, Source};

/// What the fields of a state are worked out from.
pub(super) enum Data<'a> {
    Path(Scope<'a>),
    Query(jsonata::Scope<'a>),
}

impl Data<'_> {
    pub(super) fn whole(&mut self, amount: &Amount) -> Result<u64, Failed> {
        match self {
            Self::Path(scope) => Ok(amount.whole(scope)?),
            Self::Query(scope) => scope.whole(amount),
        }
    }

    fn number(&mut self, amount: &Amount) -> Result<f64, Failed> {
        match self {
            Self::Path(scope) => Ok(amount.number(scope)?),
            Self::Query(scope) => Ok(scope.amount(amount)?.as_f64().unwrap_or(f64::INFINITY)),
        }
    }

    /// A limit, of which zero is none.
    fn limit(&mut self, amount: Option<&Amount>) -> Result<Option<u64>, Failed> {
        let limit = amount.map(|amount| self.whole(amount)).transpose()?;
        Ok(limit.filter(|limit| *limit > 0))
    }

    fn fill(&mut self, payload: &Payload, field: &str) -> Result<Value, Failed> {
        match (payload, self) {
            (Payload::Path(template), Self::Path(scope)) => Ok(template.fill(scope)?),
            (Payload::Query(template), Self::Query(scope)) => template.fill(field, scope),
            _ => Err(runtime(format!("The field '{field}' is of the other query language.")).into()),
        }
    }

    /// The parameters of a call, all of them text. `of` is the field that they belong to.
    fn texts(&mut self, payload: Option<&Payload>, of: &'static str) -> Result<Texts, Failed> {
        let field = format!("{of}/Arguments");
        let filled = payload.map_or(Ok(Value::Null), |payload| self.fill(payload, &field))?;
        Ok(Texts { filled, of })
    }
}

struct Texts {
    filled: Value,
    of: &'static str,
}

impl Texts {
    fn get(&self, name: &str) -> Result<Option<String>, Failed> {
        match &self.filled[name] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            other => {
                let of = self.of;
                let cause = format!("The field '{name}' of {of} must be a string, but was: {other}");
                Err(runtime(cause).into())
            }
        }
    }

    fn need(&self, name: &str) -> Result<String, Failed> {
        self.get(name)?.ok_or_else(|| {
            let of = self.of;
            runtime(format!("The field '{name}' of {of} is required but was missing")).into()
        })
    }
}

/// ToleratedFailurePercentage.
pub(super) fn percentage(amount: &Amount, data: &mut Data<'_>) -> Result<f64, Failed> {
    let percentage = data.number(amount)?;
    if (0.0..=100.0).contains(&percentage) {
        return Ok(percentage);
    }
    let cause = "ToleratedFailurePercentage must be between 0 and 100.";
    Err(match data {
        Data::Path(_) => runtime(cause.into()).into(),
        Data::Query(_) => Failed::at("ToleratedFailurePercentage", cause.into()),
    })
}

/// Where an ItemReader has the items from.
pub(super) fn source(reader: &Reader, data: &mut Data<'_>) -> Result<Source, Failed> {
    let parameters = data.texts(reader.parameters.as_ref(), "ItemReader")?;
    let bucket = parameters.need("Bucket")?;
    let most = data.limit(reader.max_items.as_ref())?;
    Ok(match reader.format.clone() {
        Some(format) if !reader.list => Source::Object {
            bucket,
            key: parameters.need("Key")?,
            version: parameters.get("VersionId")?,
            format,
            most,
        },
        load => Source::Listing {
            bucket,
            prefix: parameters.get("Prefix")?.unwrap_or_default(),
            load,
            most,
        },
    })
}

/// How an ItemBatcher puts items together.
pub(super) fn batch(batcher: &Batcher, data: &mut Data<'_>) -> Result<Batch, Failed> {
    let items = data.limit(batcher.items.as_ref())?;
    let bytes = data.limit(batcher.bytes.as_ref())?;
    let input = batcher.input.as_ref();
    let input = input.map(|input| data.fill(input, "ItemBatcher/BatchInput"));
    Ok(Batch {
        items,
        bytes,
        input: input.transpose()?,
    })
}

/// Where a ResultWriter has the results written.
pub(super) fn export(writer: &Writer, data: &mut Data<'_>) -> Result<Option<Export>, Failed> {
    let Some(destination) = &writer.destination else {
        return Ok(None);
    };
    let parameters = data.texts(Some(destination), "ResultWriter")?;
    Ok(Some(Export {
        bucket: parameters.need("Bucket")?,
        prefix: parameters.get("Prefix")?.unwrap_or_default(),
    }))
}
