//! What the tests of several modules share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::{AwsLocal, CommandFunction};

/// An empty folder that goes with its owner.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn folder(name: &str) -> Folder {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("aws-local-{name}-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a folder");
    Folder(path)
}

/// What a service with `X-Amz-Target` answers: the status and the JSON.
pub(crate) async fn target(aws: &AwsLocal, target: &str, body: Value) -> (u16, Value) {
    let request = http::Request::post("/")
        .header("x-amz-target", target)
        .body(body.to_string().into())
        .expect("a request");
    let response = aws.handle(request).await;
    let answer = serde_json::from_slice(response.body()).expect("JSON");
    (response.status().as_u16(), answer)
}

/// What every program begins with that is a function: the runtime API, as Python calls it.
const RUNTIME: &str = r#"
import http.client, json, os, signal, subprocess, sys, time
sys.stdout.reconfigure(line_buffering=True)

def call(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()

def next():
    _, headers, event = call("GET", "invocation/next")
    return headers["Lambda-Runtime-Aws-Request-Id"], headers, json.loads(event)

def answer(id, result):
    return call("POST", f"invocation/{id}/response", json.dumps(result))
"#;

/// A function that is a program in Python, written to a file in `folder`.
pub(crate) fn program(folder: &Folder, source: &str) -> CommandFunction {
    std::fs::write(folder.path().join("program.py"), format!("{RUNTIME}{source}")).expect("a folder");
    CommandFunction {
        command: ["python3", "-S", "-E", "program.py"].map(str::to_owned).to_vec(),
        directory: folder.path().to_owned(),
        environment: Vec::new(),
        timeout: Duration::from_secs(20),
        concurrency: 10,
    }
}
