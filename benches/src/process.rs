//! What the program is as a process: its size, how soon it shows a page, and what it holds in memory, alone and with
//! 10,000 approvals waiting; and how soon it is back after a SIGKILL with them.

use crate::measure::{free_port, resident_mb};
use crate::world::DEFINITION;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How many approvals wait.
const WAITING: usize = 10_000;
/// How many are being asked for at once.
const AT_ONCE: usize = 16;

/// Prints the figures.
pub(crate) async fn print() {
    let binary = std::env::current_exe().unwrap().with_file_name("countersign");
    let folder = std::env::temp_dir().join(format!("countersign-bench-process-{}", std::process::id()));
    #[expect(clippy::cast_precision_loss, reason = "a table for people")]
    let size = std::fs::metadata(&binary).unwrap().len() as f64 / 1e6;
    println!("\nThe program as a process (`countersign demo` in a file)");
    println!("binary: {size:.1} MB");

    let mut demo = Demo::start(&binary, &folder);
    let first = demo.until_page("/s/no-such-link", StatusCode::NOT_FOUND).await;
    println!("start to first page: {} ms", first.as_millis());
    tokio::time::sleep(Duration::from_secs(3)).await;
    println!(
        "memory, Bob being waited for: {:.1} MB",
        resident_mb(demo.process.id())
    );

    let began = Instant::now();
    let link = demo.start_executions().await;
    println!(
        "{WAITING} asked for and mailed in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!(
        "memory with {WAITING} waiting: {:.1} MB",
        resident_mb(demo.process.id())
    );

    demo.process.kill().unwrap();
    demo.process.wait().unwrap();
    let mut demo = Demo::start(&binary, &folder);
    let again = demo.until_page(&link, StatusCode::OK).await;
    println!(
        "SIGKILL, start to the page of one of them: {} ms",
        again.as_millis()
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("memory after that: {:.1} MB", resident_mb(demo.process.id()));
    demo.process.kill().unwrap();
    demo.process.wait().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

struct Demo {
    process: Child,
    began: Instant,
    pages: String,
    aws: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Demo {
    fn start(binary: &Path, data: &PathBuf) -> Self {
        let [pages, aws] = [free_port(), free_port()];
        let mut command = Command::new(binary);
        command.args([
            "demo",
            "--port",
            &pages.to_string(),
            "--aws-port",
            &aws.to_string(),
            "--data",
        ]);
        let began = Instant::now();
        let process = command
            .arg(data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process,
            began,
            pages: format!("http://127.0.0.1:{pages}"),
            aws: format!("http://127.0.0.1:{aws}"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// How long from the start until that page is there.
    async fn until_page(&mut self, path: &str, expected: StatusCode) -> Duration {
        loop {
            let request = Request::get(format!("{}{path}", self.pages));
            let answer = self.client.request(request.body(Full::default()).unwrap()).await;
            if answer.is_ok_and(|answer| answer.status() == expected) {
                return self.began.elapsed();
            }
            assert!(self.process.try_wait().unwrap().is_none(), "it ended");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Starts all, a few at once, each when an earlier one's mail has come. Gives the path of a link.
    async fn start_executions(&self) -> String {
        let role = "arn:aws:iam::123456789012:role/bench";
        let machine = json!({"name": "bench", "definition": DEFINITION, "roleArn": role});
        let machine = self.states("CreateStateMachine", machine).await["stateMachineArn"].clone();
        let starters = (0..AT_ONCE).map(async |first| {
            let mut link = String::new();
            for n in (first..WAITING).step_by(AT_ONCE) {
                let email = format!("bob{n}@example.com");
                let input = json!({"email": email}).to_string();
                let start = json!({"stateMachineArn": machine, "input": input});
                self.states("StartExecution", start).await;
                link = self.link(&email).await;
            }
            link
        });
        futures_util::future::join_all(starters).await.remove(0)
    }

    async fn states(&self, operation: &str, body: Value) -> Value {
        let request = Request::post(&self.aws)
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .body(Full::from(body.to_string()))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    /// The path of the link that was mailed to an address, once it was.
    async fn link(&self, email: &str) -> String {
        loop {
            let request = Request::get(format!("{}/mailbox/{email}.json", self.aws)).body(Full::default());
            let answer = self.client.request(request.unwrap()).await.unwrap();
            let page = answer.into_body().collect().await.unwrap().to_bytes();
            let page = String::from_utf8_lossy(&page);
            if let Some((_, rest)) = page.split_once("/s/") {
                let in_link = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
                return format!("/s/{}", rest.chars().take_while(in_link).collect::<String>());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
