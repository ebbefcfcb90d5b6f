//! What items are written in: CSV, JSON, JSON Lines, and the manifests that name further objects.
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>

use std::borrow::Cow;
use std::io::Read;

use asl::Format;
use serde_json::{Map, Value, json};

use super::objects::Listed;

/// The most that a packed object may come to, in bytes: what is packed can be any size.
const LARGEST: u64 = 1 << 30;

/// The objects that a manifest names, by bucket and key, and how they are read.
#[derive(Debug, PartialEq)]
pub(super) struct Manifest {
    pub(super) objects: Vec<(String, String)>,
    pub(super) format: Format,
}

/// The entry of a listing as an item. Times are in seconds since 1970.
pub(super) fn listed(listed: &Listed) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds stay exact for 285,000 years"
    )]
    let modified = listed.modified.as_millisecond() as f64 / 1000.0;
    json!({
        "Etag": listed.etag,
        "Key": listed.key,
        "LastModified": modified,
        "Size": listed.size,
        "StorageClass": "STANDARD",
    })
}

/// The items in an object, and whether they are an object's fields, each `{"Key": …, "Value": …}`.
pub(super) fn items(data: &[u8], format: &Format) -> Result<(Vec<Value>, bool), String> {
    match format {
        Format::Csv { delimiter, headers } => {
            csv(data, *delimiter, headers.as_deref()).map(|items| (items, false))
        }
        Format::Json { pointer } => json_items(data, pointer.as_deref()),
        Format::JsonLines => lines(data).map(|items| (items, false)),
        Format::Inventory | Format::Athena { .. } => {
            Err("a manifest can't be named by a manifest".to_owned())
        }
    }
}

/// Each row an object of texts. What a row has too much is left out, what it lacks is empty.
fn csv(data: &[u8], delimiter: char, headers: Option<&[String]>) -> Result<Vec<Value>, String> {
    let delimiter = u8::try_from(delimiter).map_err(|_| "the delimiter is no byte".to_owned())?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(without_mark(data));
    let mut rows = reader.records();
    let headers = match headers {
        Some(headers) => headers.to_vec(),
        None => match rows.next() {
            None => return Ok(Vec::new()),
            Some(row) => row
                .map_err(|error| error.to_string())?
                .iter()
                .map(str::to_owned)
                .collect(),
        },
    };
    rows.map(|row| {
        let row = row.map_err(|error| error.to_string())?;
        let fields = headers.iter().enumerate();
        let fields = fields.map(|(n, header)| (header.clone(), row.get(n).unwrap_or_default().into()));
        Ok(Value::Object(fields.collect()))
    })
    .collect()
}

fn json_items(data: &[u8], pointer: Option<&str>) -> Result<(Vec<Value>, bool), String> {
    let mut value: Value = serde_json::from_slice(without_mark(data)).map_err(|error| error.to_string())?;
    if let Some(pointer) = pointer {
        let found = value.pointer_mut(pointer).map(Value::take);
        value = found.ok_or_else(|| format!("there is nothing at {pointer}"))?;
    }
    match value {
        Value::Array(items) => Ok((items, false)),
        Value::Object(fields) => {
            let pairs = fields.into_iter();
            let pairs = pairs.map(|(key, value)| json!({"Key": key, "Value": value}));
            Ok((pairs.collect(), true))
        }
        _ => Err("it is neither an array nor an object".to_owned()),
    }
}

fn lines(data: &[u8]) -> Result<Vec<Value>, String> {
    let text = text(data)?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(n, line)| serde_json::from_str(line).map_err(|error| format!("line {}: {error}", n + 1)))
        .collect()
}

/// The manifest.json of an S3 inventory: its files have a row for each object, in the fields of its schema.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html>
pub(super) fn inventory(data: &[u8]) -> Result<Manifest, String> {
    let manifest: Map<String, Value> = serde_json::from_slice(without_mark(data))
        .map_err(|error| format!("The manifest can't be read: {error}"))?;
    let text = |name: &str| manifest.get(name).and_then(Value::as_str);
    if let Some(format) = text("fileFormat").filter(|format| *format != "CSV") {
        return Err(format!("Inventory files in the format {format} can't be read"));
    }
    let bucket = text("destinationBucket").ok_or("The manifest has no destinationBucket")?;
    let bucket = bucket.strip_prefix("arn:aws:s3:::").unwrap_or(bucket).to_owned();
    let schema = text("fileSchema").ok_or("The manifest has no fileSchema")?;
    let headers = schema.split(',').map(|field| field.trim().to_owned()).collect();
    let files = manifest.get("files").and_then(Value::as_array);
    let files = files.ok_or("The manifest has no files")?.iter();
    let objects = files
        .map(|file| {
            let key = file["key"].as_str().ok_or("A file of the manifest has no key")?;
            Ok((bucket.clone(), key.to_owned()))
        })
        .collect::<Result<_, String>>()?;
    Ok(Manifest {
        objects,
        format: Format::Csv {
            delimiter: ',',
            headers: Some(headers),
        },
    })
}

/// The data manifest of an Athena UNLOAD: the URI of an object on each line.
pub(super) fn athena(data: &[u8], format: &Format) -> Result<Manifest, String> {
    let lines = text(data)?.lines().map(str::trim).filter(|line| !line.is_empty());
    let objects = lines.map(|line| {
        let named = line.strip_prefix("s3://").and_then(|name| name.split_once('/'));
        let (bucket, key) = named.ok_or_else(|| format!("The manifest names no object: {line}"))?;
        Ok((bucket.to_owned(), key.to_owned()))
    });
    Ok(Manifest {
        objects: objects.collect::<Result<_, String>>()?,
        format: format.clone(),
    })
}

/// What an object holds, unpacked where its key says that it is packed.
pub(super) fn unpacked<'d>(data: &'d [u8], key: &str) -> Result<Cow<'d, [u8]>, String> {
    if key.strip_suffix(".gz").is_none() {
        return Ok(Cow::Borrowed(data));
    }
    let mut whole = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(data).take(LARGEST);
    let size = reader
        .read_to_end(&mut whole)
        .map_err(|error| format!("The object {key} can't be unpacked: {error}"))?;
    if size as u64 == LARGEST {
        return Err(format!(
            "The object {key} is larger than {LARGEST} bytes when it is unpacked"
        ));
    }
    Ok(Cow::Owned(whole))
}

fn text(data: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(without_mark(data)).map_err(|error| error.to_string())
}

/// Without the mark that some programs begin UTF-8 with.
fn without_mark(data: &[u8]) -> &[u8] {
    data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv_of(text: &str, delimiter: char, headers: Option<&[&str]>) -> Result<Value, String> {
        let headers = headers.map(|headers| headers.iter().map(|&header| header.to_owned()).collect());
        items(text.as_bytes(), &Format::Csv { delimiter, headers }).map(|(items, _)| Value::Array(items))
    }

    #[test]
    fn a_row_is_an_object_of_texts() {
        let text = "\u{feff}a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n2\n3,4,5\n";
        let expected = json!([{"a": "1", "b": "x, \"y\"\nz"}, {"a": "2", "b": ""}, {"a": "3", "b": "4"}]);
        assert_eq!(csv_of(text, ',', None), Ok(expected));
        assert_eq!(
            csv_of("1|2", '|', Some(&["x", "y"])),
            Ok(json!([{"x": "1", "y": "2"}]))
        );
        assert_eq!(
            csv_of("a\tb\n1\t2", '\t', None),
            Ok(json!([{"a": "1", "b": "2"}]))
        );
        assert_eq!(csv_of("", ',', None), Ok(json!([])));
        assert!(
            items(
                b"a\n\xff",
                &Format::Csv {
                    delimiter: ',',
                    headers: None
                }
            )
            .is_err()
        );
    }

    #[test]
    fn json_is_an_array_or_an_object() {
        let read = |text: &str, pointer: Option<&str>| {
            let pointer = pointer.map(str::to_owned);
            items(text.as_bytes(), &Format::Json { pointer })
        };
        assert_eq!(read("[1, {}]", None), Ok((vec![json!(1), json!({})], false)));
        let pairs = vec![
            json!({"Key": "b", "Value": 1}),
            json!({"Key": "a", "Value": null}),
        ];
        assert_eq!(read(r#"{"b": 1, "a": null}"#, None), Ok((pairs, true)));
        assert_eq!(
            read(r#"{"x": {"y": [7]}}"#, Some("/x/y")),
            Ok((vec![json!(7)], false))
        );
        assert!(read("3", None).is_err());
        assert!(read("[1", None).is_err());
        assert!(read("{}", Some("/x")).is_err());
    }

    #[test]
    fn each_line_is_a_value() {
        let read = |text: &str| items(text.as_bytes(), &Format::JsonLines).map(|(items, _)| items);
        assert_eq!(read("{\"a\": 1}\r\n\n2\n"), Ok(vec![json!({"a": 1}), json!(2)]));
        assert!(read("1\n{").expect_err("a refusal").starts_with("line 2: "));
    }

    #[test]
    fn manifests_name_objects() {
        let manifest = json!({
            "destinationBucket": "arn:aws:s3:::lists", "fileFormat": "CSV", "fileSchema": "Bucket, Key",
            "files": [{"key": "data/1.csv.gz"}]
        });
        let read = inventory(manifest.to_string().as_bytes()).expect("it is read");
        assert_eq!(read.objects, [("lists".to_owned(), "data/1.csv.gz".to_owned())]);
        let Format::Csv { headers, .. } = read.format else {
            panic!("no CSV")
        };
        assert_eq!(headers.expect("it is read"), ["Bucket", "Key"]);
        assert!(inventory(b"{}").is_err());
        let read = athena(b"s3://b/k/1.csv\ns3://b/2\n", &Format::JsonLines).expect("it is read");
        assert_eq!(read.objects[1], ("b".to_owned(), "2".to_owned()));
        assert!(athena(b"b/k", &Format::JsonLines).is_err());
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, b"a,b").expect("it is read");
        let packed = packed.finish().expect("it is read");
        assert_eq!(
            unpacked(&packed, "1.csv.gz").expect("it is read").as_ref(),
            b"a,b"
        );
        assert_eq!(unpacked(b"a", "1.csv").expect("it is read").as_ref(), b"a");
        assert!(unpacked(b"a", "1.csv.gz").is_err());
    }
}
