//! Reading where the items of a distributed Map come from, how they are put together, and where the results go:
//! ItemReader, ItemBatcher and ResultWriter.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>,
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html>,
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html>

use serde_json::Value;

use super::fields::Fields;
use super::map::{MAX_ITEMS, WHOLE, amount, choice};
use super::{Batcher, Reader, Writer};
use crate::map_run::{Format, Transformation};

/// What was read; the error is a finding already.
type Found<T> = Result<Option<T>, ()>;

const LIST_OBJECTS: &str = "arn:aws:states:::s3:listObjectsV2";
const GET_OBJECT: &str = "arn:aws:states:::s3:getObject";
const PUT_OBJECT: &str = "arn:aws:states:::s3:putObject";

const INPUT_TYPES: [&str; 5] = ["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"];
const DELIMITERS: [(&str, char); 5] = [
    ("COMMA", ','),
    ("PIPE", '|'),
    ("SEMICOLON", ';'),
    ("SPACE", ' '),
    ("TAB", '\t'),
];

pub(super) fn reader(fields: &mut Fields<'_, '_>) -> Found<Reader> {
    let Some(value) = fields.value("ItemReader") else {
        return Ok(None);
    };
    let mut fields = Fields::of(value, fields.at("ItemReader"), fields.findings).ok_or(())?;
    fields.require(&["Resource"]);
    let list = resource(&mut fields, &[LIST_OBJECTS, GET_OBJECT]).map(|resource| resource == LIST_OBJECTS);
    let needed: &[&str] = if list == Ok(true) {
        &["Bucket"]
    } else {
        &["Bucket", "Key"]
    };
    parameters(&mut fields, needed);
    let parameters = fields.template("Parameters");
    let at = fields.at("ReaderConfig");
    let config = match fields.value("ReaderConfig") {
        Some(config) => config.clone(),
        None => Value::Object(serde_json::Map::new()),
    };
    let list = list?;
    let mut config = Fields::of(&config, at, fields.findings).ok_or(())?;
    let load =
        choice(&mut config, "Transformation", &["NONE", "LOAD_AND_FLATTEN"])? == Some("LOAD_AND_FLATTEN");
    let format = if list && !load {
        // What is listed is the items; how they could be read matters to nobody.
        choice(&mut config, "InputType", &INPUT_TYPES).map(|_| None)
    } else {
        format(&mut config).map(Some)
    };
    let max_items = amount(&mut config, "MaxItems", "MaxItemsPath", &MAX_ITEMS);
    config.end();
    fields.end();
    Ok(Some(Reader {
        list,
        parameters,
        format: format?,
        max_items,
    }))
}

/// The one of a few resources that is named.
fn resource<'v>(fields: &mut Fields<'v, '_>, known: &[&str]) -> Result<&'v str, ()> {
    let resource = fields.string("Resource").ok_or(())?;
    if known.contains(&resource) {
        return Ok(resource);
    }
    let at = fields.at("Resource");
    let message = format!(
        "The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."
    );
    fields.findings.schema(at, message);
    Err(())
}

/// Says which of the needed parameters are missing.
fn parameters(fields: &mut Fields<'_, '_>, needed: &[&str]) {
    if !fields.require(&["Parameters"]) {
        return;
    }
    let at = fields.at("Parameters");
    let given = fields.value("Parameters").and_then(Value::as_object);
    for name in needed {
        let there = |given: &serde_json::Map<String, Value>| {
            given.contains_key(*name) || given.contains_key(&format!("{name}.$"))
        };
        if !given.is_some_and(there) {
            let message = format!("The field '{name}' is required but was missing");
            fields.findings.schema(&at, message);
        }
    }
}

fn format(config: &mut Fields<'_, '_>) -> Result<Format, ()> {
    let manifest = choice(config, "ManifestType", &["S3_INVENTORY", "ATHENA_DATA"])?;
    if !config.has("InputType") && manifest == Some("S3_INVENTORY") {
        return Ok(Format::Inventory);
    }
    config.require(&["InputType"]);
    let kind = choice(config, "InputType", &INPUT_TYPES)?.ok_or(())?;
    let format = match kind {
        "CSV" => csv(config)?,
        "JSON" => Format::Json {
            pointer: pointer(config)?,
        },
        "JSONL" => Format::JsonLines,
        "MANIFEST" => Format::Inventory,
        _ => {
            let at = config.at("InputType");
            let message = format!("The input type {kind} is not supported by this interpreter");
            config.findings.unsupported(at, message);
            return Err(());
        }
    };
    Ok(match (manifest, format) {
        (Some("S3_INVENTORY"), _) => Format::Inventory,
        (Some(_), format @ (Format::Csv { .. } | Format::JsonLines)) => {
            Format::Athena { of: Box::new(format) }
        }
        (Some(manifest), _) => {
            let at = config.at("InputType");
            let message = format!("The ManifestType {manifest} does not support the InputType {kind}");
            config.findings.schema(at, message);
            return Err(());
        }
        (None, format) => format,
    })
}

fn csv(config: &mut Fields<'_, '_>) -> Result<Format, ()> {
    let names: Vec<&str> = DELIMITERS.iter().map(|(name, _)| *name).collect();
    let delimiter = choice(config, "CSVDelimiter", &names)?.unwrap_or("COMMA");
    let delimiter = DELIMITERS.iter().find(|(name, _)| *name == delimiter);
    config.require(&["CSVHeaderLocation"]);
    let location = choice(config, "CSVHeaderLocation", &["FIRST_ROW", "GIVEN"])?;
    let given = location == Some("GIVEN");
    if given {
        config.require(&["CSVHeaders"]);
    }
    let headers = config.array("CSVHeaders").map(|headers| {
        let texts = headers.iter().map(|header| header.as_str().map(str::to_owned));
        texts.collect::<Option<Vec<_>>>()
    });
    if headers
        .as_ref()
        .is_some_and(|headers| headers.as_ref().is_none_or(Vec::is_empty))
    {
        let at = config.at("CSVHeaders");
        config
            .findings
            .schema(at, "Expected a non-empty Array of Strings");
        return Err(());
    }
    Ok(Format::Csv {
        delimiter: delimiter.map_or(',', |(_, delimiter)| *delimiter),
        headers: headers.flatten().filter(|_| given),
    })
}

fn pointer(config: &mut Fields<'_, '_>) -> Found<String> {
    let Some(pointer) = config.string("ItemsPointer") else {
        return Ok(None);
    };
    if !pointer.is_empty() && !pointer.starts_with('/') {
        let at = config.at("ItemsPointer");
        config.findings.schema(at, "Value is not a JSON Pointer");
        return Err(());
    }
    Ok(Some(pointer.to_owned()))
}

const LIMITS: [&str; 4] = [
    "MaxItemsPerBatch",
    "MaxItemsPerBatchPath",
    "MaxInputBytesPerBatch",
    "MaxInputBytesPerBatchPath",
];

pub(super) fn batcher(fields: &mut Fields<'_, '_>) -> Found<Batcher> {
    let Some(value) = fields.value("ItemBatcher") else {
        return Ok(None);
    };
    let mut fields = Fields::of(value, fields.at("ItemBatcher"), fields.findings).ok_or(())?;
    if !LIMITS.iter().any(|name| fields.has(name)) {
        let message = format!("One of these fields is required: [{}]", LIMITS.join(", "));
        fields.findings.schema(fields.here(), message);
    }
    let items = amount(&mut fields, LIMITS[0], LIMITS[1], &WHOLE);
    let bytes = amount(&mut fields, LIMITS[2], LIMITS[3], &super::map::BATCH_BYTES);
    let input = fields.template("BatchInput");
    fields.end();
    Ok(Some(Batcher { items, bytes, input }))
}

pub(super) fn writer(fields: &mut Fields<'_, '_>) -> Found<Writer> {
    let Some(value) = fields.value("ResultWriter") else {
        return Ok(None);
    };
    let mut fields = Fields::of(value, fields.at("ResultWriter"), fields.findings).ok_or(())?;
    let export = fields.has("Resource") || fields.has("Parameters");
    if !export && !fields.has("WriterConfig") {
        let message = "One of these fields is required: [Resource, Parameters, WriterConfig]";
        fields.findings.schema(fields.here(), message);
    }
    let mut destination = None;
    if export {
        fields.require(&["Resource"]);
        // A wrong one is a finding, and that is enough.
        let _ = resource(&mut fields, &[PUT_OBJECT]);
        parameters(&mut fields, &["Bucket"]);
        destination = fields.template("Parameters");
    }
    let at = fields.at("WriterConfig");
    let (mut transformation, mut lines) = (None, false);
    if let Some(config) = fields.value("WriterConfig") {
        let mut config = Fields::of(config, at, fields.findings).ok_or(())?;
        transformation = choice(&mut config, "Transformation", &["NONE", "COMPACT", "FLATTEN"])?;
        lines = choice(&mut config, "OutputType", &["JSON", "JSONL"])? == Some("JSONL");
        config.end();
    }
    fields.end();
    let transformation = match transformation {
        Some("COMPACT") => Transformation::Compact,
        Some("FLATTEN") => Transformation::Flatten,
        Some(_) => Transformation::None,
        None if export => Transformation::None,
        None => Transformation::Compact,
    };
    Ok(Some(Writer {
        destination,
        transformation,
        lines,
    }))
}
