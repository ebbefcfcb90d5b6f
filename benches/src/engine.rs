//! The embedded Step Functions beside moto's, in one run: how many executions a second end, and how long creating a
//! machine takes. Both are asked over HTTP by the same client; ours keeps everything in a file, moto in memory.

use crate::measure::{free_port, ms, sorted};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How many executions are under way at once.
const AT_ONCE: usize = 16;

/// Prints a row for each engine; moto's only where `tests/run` has installed it.
pub(crate) async fn print() {
    println!("\nThe engine: executions a second that end, {AT_ONCE} at once; CreateStateMachine in ms");
    println!("                       ten Pass states   Parallel of three waits   create p50   p99");
    let folder = std::env::temp_dir().join(format!("countersign-bench-engine-{}", std::process::id()));
    let ours = std::env::current_exe().unwrap().with_file_name("countersign");
    let port = free_port();
    let mut command = Command::new(ours);
    command.args(["demo", "--port", "0", "--aws-port", &port.to_string(), "--data"]);
    row(
        "ours, in a file",
        Engine::start(command.arg(&folder), port).await,
        20_000,
        4_000,
    )
    .await;
    std::fs::remove_dir_all(folder).unwrap();

    let moto =
        PathBuf::from(std::env::var("MOTO_SERVER").unwrap_or("target/moto-venv/bin/moto_server".into()));
    if !moto.exists() {
        println!("moto: not installed; tests/run moto installs it");
        return;
    }
    let port = free_port();
    let mut command = Command::new(moto);
    let engine = Engine::start(command.args(["-H", "127.0.0.1", "-p", &port.to_string()]), port).await;
    engine.configure_moto().await;
    row("moto, in memory", engine, 200, 200).await;
}

async fn row(name: &str, mut engine: Engine, passes: usize, parallels: usize) {
    let mut states = json!({});
    for n in 0..10 {
        states[format!("S{n}")] = json!({"Type": "Pass", "Next": format!("S{}", n + 1)});
    }
    states["S9"] = json!({"Type": "Pass", "End": true});
    let pass = json!({"StartAt": "S0", "States": states});
    let wait =
        |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Wait", "Seconds": 0, "End": true}}});
    let branches = ["A", "B", "C"].map(wait);
    let parallel =
        json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": branches}}});

    let mut creating = Vec::new();
    for n in 0..50 {
        let began = Instant::now();
        engine.create(&format!("created-{n}"), &pass).await;
        creating.push(began.elapsed());
    }
    let creating = sorted(creating.into_iter());
    let pass = engine.create("pass", &pass).await;
    let parallel = engine.create("parallel", &parallel).await;
    println!(
        "{name:<20}   {:>15.0}   {:>23.0}   {:>10.1} {:>5.1}",
        engine.rate(&pass, passes).await,
        engine.rate(&parallel, parallels).await,
        ms(&creating, 50),
        ms(&creating, 99),
    );
    engine.process.kill().unwrap();
    engine.process.wait().unwrap();
}

struct Engine {
    process: Child,
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Engine {
    async fn start(command: &mut Command, port: u16) -> Self {
        let process = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let engine = Self {
            process,
            url: format!("http://127.0.0.1:{port}/"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        while engine.try_call("ListStateMachines", &json!({})).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        engine
    }

    /// moto runs state machines only when told to.
    async fn configure_moto(&self) {
        let body = json!({"stepfunctions": {"execute_state_machine": true}}).to_string();
        let request = Request::post(format!("{}moto-api/config", self.url));
        let request = request
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap();
        assert!(self.client.request(request).await.unwrap().status().is_success());
    }

    async fn create(&self, name: &str, definition: &Value) -> String {
        let role = "arn:aws:iam::123456789012:role/bench";
        let machine = json!({"name": name, "definition": definition.to_string(), "roleArn": role});
        let created = self.call("CreateStateMachine", &machine).await;
        created["stateMachineArn"].as_str().unwrap().to_owned()
    }

    /// Starts that many, a few at once, and waits for the end of each.
    async fn rate(&self, machine: &str, executions: usize) -> f64 {
        let began = Instant::now();
        let one = async |n: usize| {
            let start = json!({"stateMachineArn": machine, "name": format!("e{n}"), "input": "{}"});
            let started = self.call("StartExecution", &start).await;
            let asked = json!({"executionArn": started["executionArn"]});
            loop {
                let described = self.call("DescribeExecution", &asked).await;
                match described["status"].as_str().unwrap() {
                    "RUNNING" => tokio::time::sleep(Duration::from_millis(1)).await,
                    status => return assert_eq!(status, "SUCCEEDED", "{described}"),
                }
            }
        };
        let rows = (0..AT_ONCE).map(async |first| {
            for n in (first..executions).step_by(AT_ONCE) {
                one(n).await;
            }
        });
        futures_util::future::join_all(rows).await;
        #[expect(clippy::cast_precision_loss, reason = "a table for people")]
        let executions = executions as f64;
        executions / began.elapsed().as_secs_f64()
    }

    async fn call(&self, operation: &str, body: &Value) -> Value {
        let answer = self.try_call(operation, body).await;
        answer.unwrap_or_else(|| panic!("{operation} is refused"))
    }

    async fn try_call(&self, operation: &str, body: &Value) -> Option<Value> {
        // moto reads the service from the credential's scope.
        let scope = "AWS4-HMAC-SHA256 Credential=a/20261121/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0";
        let request = Request::post(&self.url)
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", scope)
            .body(Full::from(body.to_string()))
            .unwrap();
        let answer = self.client.request(request).await.ok()?;
        let succeeded = answer.status().is_success();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        serde_json::from_slice(&body).ok().filter(|_| succeeded)
    }
}
