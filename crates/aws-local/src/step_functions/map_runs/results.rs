//! What comes of a Map Run: the outputs of its children as the state's result, or files in S3 and a manifest of
//! them. Files are written under names of the run's own, so that writing them again after a crash changes nothing.
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html>

use asl::{Export, Failure, Transformation};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::engine::Engine;
use super::super::store::executions::{self, Record as Child};
use super::super::store::map_runs::{self as kept, Record};
use crate::error::AwsError;

/// How many children are looked at at once.
const TOGETHER: usize = 200;

/// A file that has come to so many bytes is followed by another.
const FILE: usize = 32 << 20;

/// What a state's result may come to, in bytes.
const RESULT: usize = 262_144;

impl Engine {
    /// Writes a run's results down, if they are to be, and answers with the state's result.
    pub(super) async fn write_results(&self, record: &Record) -> Result<Result<Value, Failure>, AwsError> {
        match &record.run.results.export {
            None => self.result(record).await,
            Some(export) => self.export(record, export).await,
        }
    }

    /// The outputs of the children that succeeded, in the items' order.
    async fn result(&self, record: &Record) -> Result<Result<Value, Failure>, AwsError> {
        let (mut results, mut size, mut after) = (Vec::new(), 0, 0);
        loop {
            let children = self.children_of(record, &["SUCCEEDED"], after).await?;
            let Some(last) = children.last() else {
                return Ok(Ok(Value::Array(results)));
            };
            after = last.id;
            for child in &children {
                size += output(child).len();
                told(record, child, &mut results);
            }
            // Without this a run of many children would be gathered up only to be refused.
            if size > 4 * RESULT {
                let cause = format!(
                    "The state/task '{}' returned a result with a size exceeding the maximum number of bytes service limit.",
                    record.run.state
                );
                return Ok(Err(Failure {
                    error: Some("States.DataLimitExceeded".to_owned()),
                    cause: Some(cause),
                    also: None,
                }));
            }
        }
    }

    async fn export(&self, record: &Record, export: &Export) -> Result<Result<Value, Failure>, AwsError> {
        let name = record.run.arn.rsplit(':').next().unwrap_or_default();
        let prefix = export.prefix.trim_end_matches('/');
        let folder = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}/{name}")
        };
        let (mut files, mut children) = (json!({}), 0);
        for (kind, statuses) in [
            ("FAILED", &["FAILED", "TIMED_OUT", "ABORTED"][..]),
            ("PENDING", &["PENDING"]),
            ("SUCCEEDED", &["SUCCEEDED"]),
        ] {
            let mut writing = Writing::of(record, format!("{folder}/{kind}"));
            let written = if kind == "PENDING" {
                self.write_pending(record, &mut writing).await?
            } else {
                self.write_children(record, statuses, &mut writing).await?
            };
            let finished = match written {
                Ok(count) => {
                    children += count;
                    writing.finish(self).await
                }
                Err(why) => Err(why),
            };
            match finished {
                Ok(written) => files[kind] = written.into(),
                Err(why) => return Ok(Err(failed(why))),
            }
        }
        let key = format!("{folder}/manifest.json");
        let manifest = json!({
            "DestinationBucket": export.bucket,
            "MapRunArn": record.run.arn,
            "ResultFiles": files,
        });
        let objects = self.objects();
        if let Err(why) = objects.put(&export.bucket, &key, manifest.to_string()).await {
            return Ok(Err(failed(why)));
        }
        let run = record.id;
        self.store
            .write(move |transaction| kept::written(transaction, run, children))
            .await?;
        Ok(Ok(json!({
            "MapRunArn": record.run.arn,
            "ResultWriterDetails": {"Bucket": export.bucket, "Key": key},
        })))
    }

    async fn write_children(
        &self,
        record: &Record,
        statuses: &'static [&'static str],
        writing: &mut Writing<'_>,
    ) -> Result<Result<u64, String>, AwsError> {
        let (mut count, mut after) = (0, 0);
        loop {
            let children = self.children_of(record, statuses, after).await?;
            let Some(last) = children.last() else {
                return Ok(Ok(count));
            };
            after = last.id;
            for child in &children {
                let mut results = Vec::new();
                if child.status == "SUCCEEDED" {
                    told(record, child, &mut results);
                } else {
                    // What failed is told with everything that is known of it, whatever was asked for.
                    results.push(described(child));
                }
                for result in results {
                    if let Err(why) = writing.add(self, &result).await {
                        return Ok(Err(why));
                    }
                }
                count += 1;
            }
        }
    }

    /// The children that never began.
    async fn write_pending(
        &self,
        record: &Record,
        writing: &mut Writing<'_>,
    ) -> Result<Result<u64, String>, AwsError> {
        let (run, mut after) = (record.id, -1);
        loop {
            let pending = self
                .store
                .read(move |connection| kept::pending(connection, run, after, TOGETHER));
            let pending = pending.await?;
            let Some(last) = pending.last() else {
                return Ok(Ok(0));
            };
            after = last.n;
            for child in &pending {
                let result = json!({
                    "Input": child.input,
                    "InputDetails": {"Included": true},
                    "Status": "PENDING",
                });
                if let Err(why) = writing.add(self, &result).await {
                    return Ok(Err(why));
                }
            }
        }
    }

    async fn children_of(
        &self,
        record: &Record,
        statuses: &'static [&'static str],
        after: i64,
    ) -> Result<Vec<Child>, AwsError> {
        let run = record.id;
        self.store
            .read(move |connection| executions::of_map_run(connection, run, statuses, after, TOGETHER))
            .await
    }
}

/// Results on their way into files.
struct Writing<'r> {
    record: &'r Record,
    /// What the files' keys begin with.
    key: String,
    bucket: Option<&'r str>,
    text: String,
    files: Vec<Value>,
}

impl<'r> Writing<'r> {
    fn of(record: &'r Record, key: String) -> Writing<'r> {
        let export = record.run.results.export.as_ref();
        Writing {
            record,
            key,
            bucket: export.map(|export| export.bucket.as_str()),
            text: String::new(),
            files: Vec::new(),
        }
    }

    async fn add(&mut self, engine: &Engine, result: &Value) -> Result<(), String> {
        let separator = match (self.text.is_empty(), self.record.run.results.lines) {
            (_, true) => "",
            (true, false) => "[",
            (false, false) => ",",
        };
        self.text.push_str(separator);
        self.text.push_str(&result.to_string());
        if self.record.run.results.lines {
            self.text.push('\n');
        }
        if self.text.len() >= FILE {
            self.write(engine).await?;
        }
        Ok(())
    }

    async fn write(&mut self, engine: &Engine) -> Result<(), String> {
        let mut text = std::mem::take(&mut self.text);
        if !self.record.run.results.lines {
            text.push(']');
        }
        let (key, size) = (format!("{}_{}.json", self.key, self.files.len()), text.len());
        let bucket = self.bucket.unwrap_or_default();
        engine.objects().put(bucket, &key, text).await?;
        self.files.push(json!({"Key": key, "Size": size}));
        Ok(())
    }

    /// Writes what is left; answers with the files.
    async fn finish(mut self, engine: &Engine) -> Result<Vec<Value>, String> {
        if !self.text.is_empty() {
            self.write(engine).await?;
        }
        Ok(self.files)
    }
}

/// Adds a child's result, as the run wants it told.
fn told(record: &Record, child: &Child, results: &mut Vec<Value>) {
    let value = || serde_json::from_str(output(child)).unwrap_or_default();
    match record.run.results.transformation {
        Transformation::None => results.push(described(child)),
        Transformation::Compact => results.push(value()),
        Transformation::Flatten => match value() {
            Value::Array(values) => results.extend(values),
            value => results.push(value),
        },
    }
}

fn output(child: &Child) -> &str {
    let end = child.end.as_ref();
    end.and_then(|end| end.output.as_deref()).unwrap_or("null")
}

/// Everything that is known of a child, its fields by name as AWS writes them.
fn described(child: &Child) -> Value {
    let mut told = json!({
        "ExecutionArn": child.arn,
        "Input": child.input,
        "InputDetails": {"Included": true},
        "Name": child.name,
    });
    let end = child.end.as_ref();
    if let Some(output) = end.and_then(|end| end.output.as_ref()) {
        told["Output"] = output.as_str().into();
        told["OutputDetails"] = json!({"Included": true});
    }
    for (name, value) in [
        ("Error", end.and_then(|end| end.error.as_ref())),
        ("Cause", end.and_then(|end| end.cause.as_ref())),
    ] {
        if let Some(value) = value {
            told[name] = value.as_str().into();
        }
    }
    told["RedriveCount"] = child.redrives.into();
    if let Some(redriven) = child.redriven {
        told["RedriveDate"] = moment(redriven).into();
    }
    if child.status == "SUCCEEDED" {
        told["RedriveStatus"] = "NOT_REDRIVABLE".into();
        told["RedriveStatusReason"] = "Execution is SUCCEEDED and cannot be redriven".into();
    } else {
        told["RedriveStatus"] = "REDRIVABLE".into();
    }
    told["StartDate"] = moment(child.started).into();
    told["StateMachineArn"] = child.machine.as_str().into();
    told["Status"] = child.status.as_str().into();
    if let Some(end) = end {
        told["StopDate"] = moment(end.at).into();
    }
    sorted(told)
}

/// By name, as AWS writes them.
fn sorted(told: Value) -> Value {
    match told {
        Value::Object(fields) => {
            let fields: std::collections::BTreeMap<String, Value> = fields.into_iter().collect();
            Value::Object(fields.into_iter().collect())
        }
        told => told,
    }
}

fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn failed(why: String) -> Failure {
    Failure {
        error: Some("States.ResultWriterFailed".to_owned()),
        cause: Some(why),
        also: None,
    }
}
