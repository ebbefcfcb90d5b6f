//! How fast a whole life of an approval is: a workflow starts and waits, Bob's mail comes, the page is fetched, the
//! answer is posted, the workflow has ended with it. Pages over HTTP on loopback, AWS embedded, in one process.
//!
//! `cargo bench --bench lives` prints the table; `-- 200` sets the number of lives of each row (1,000).
#![expect(clippy::print_stdout, reason = "a program that prints a table")]
#![expect(clippy::disallowed_methods, reason = "a stopwatch needs the wall clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that can't go on ends")]

use aws_sdk_sfn::types::ExecutionStatus;
use bytes::Bytes;
use countersign::cli::embedded::{Embedded, Start};
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const DEFINITION: &str = r#"{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "End": true,
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "countersign", "Payload": {
        "taskToken.$": "$$.Task.Token", "title": "Release to production",
        "signers": [{"name": "Bob", "email.$": "$.email"}],
        "execution": {"arn.$": "$$.Execution.Id", "enteredTime.$": "$$.State.EnteredTime"}}}}}}"#;

struct Bench {
    embedded: Embedded,
    sfn: aws_sdk_sfn::Client,
    browser: Client<HttpConnector, Full<Bytes>>,
    machine: String,
    count: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Life {
    page: Duration,
    post_to_end: Duration,
}

fn main() {
    let lives = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1000);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    println!("{lives} lives a row; times in ms");
    println!(
        "                      lives/s   POST to end p50   p99   page p50   p99   CPU/life   peak memory"
    );
    for in_file in [false, true] {
        for at_once in [1, 8, 32] {
            runtime.block_on(row(in_file, at_once, lives));
        }
    }
}

async fn row(in_file: bool, at_once: usize, lives: usize) {
    let folder = in_file
        .then(|| std::env::temp_dir().join(format!("countersign-bench-{}-{at_once}", std::process::id())));
    let bench = Arc::new(Bench::start(folder.clone()).await);
    for _ in 0..20 {
        bench.life().await;
    }
    let (began, cpu) = (Instant::now(), cpu_time());
    let left = Arc::new(AtomicUsize::new(lives));
    let mut people = tokio::task::JoinSet::new();
    for _ in 0..at_once {
        let (bench, left) = (Arc::clone(&bench), Arc::clone(&left));
        people.spawn(async move {
            let mut done = Vec::new();
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                done.push(bench.life().await);
            }
            done
        });
    }
    let done: Vec<Life> = people.join_all().await.into_iter().flatten().collect();
    let (took, cpu) = (began.elapsed(), cpu_time().saturating_sub(cpu));
    let posts = sorted(done.iter().map(|life| life.post_to_end));
    let pages = sorted(done.iter().map(|life| life.page));
    #[expect(clippy::cast_precision_loss, reason = "a table for people")]
    let (rate, each) = (
        lives as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1000.0 / lives as f64,
    );
    println!(
        "{:<9} {at_once:>2} at once  {rate:>7.0}   {:>15.1} {:>5.1}   {:>8.1} {:>5.1}   {each:>8.1}   {:>8} MB",
        if in_file { "in a file" } else { "in memory" },
        ms(&posts, 50),
        ms(&posts, 99),
        ms(&pages, 50),
        ms(&pages, 99),
        peak_memory_mb(),
    );
    Arc::into_inner(bench).unwrap().embedded.stop().await;
    if let Some(folder) = folder {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

impl Bench {
    async fn start(data: Option<PathBuf>) -> Self {
        let embedded = Embedded::start(Start {
            port: 0,
            aws_port: 0,
            data,
        })
        .await
        .unwrap_or_else(|e| panic!("{e:?}"));
        let sfn = aws_sdk_sfn::Client::new(&embedded.sdk);
        let create = sfn.create_state_machine().name("bench").definition(DEFINITION);
        let machine = create
            .role_arn("arn:aws:iam::123456789012:role/bench")
            .send()
            .await
            .unwrap()
            .state_machine_arn;
        let browser = Client::builder(TokioExecutor::new()).build_http();
        Self {
            embedded,
            sfn,
            browser,
            machine,
            count: AtomicUsize::new(0),
        }
    }

    async fn life(&self) -> Life {
        let email = format!("bob{}@example.com", self.count.fetch_add(1, Ordering::Relaxed));
        let start = self.sfn.start_execution().state_machine_arn(&self.machine);
        let input = format!(r#"{{"email": "{email}"}}"#);
        let execution = start.input(input).send().await.unwrap().execution_arn;
        let link = self.link(&email).await;

        let opened = Instant::now();
        let page = self.fetch(Request::get(&link), Bytes::new()).await;
        let page_took = opened.elapsed();
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        let (token, _) = rest.split_once('"').unwrap();

        let form = format!("csrf={token}&outcome=approve&comment=&name=Bob");
        let posted = Instant::now();
        let request = Request::post(&link).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.fetch(request, form.into()).await;
        assert!(answer.contains("was recorded"), "{answer}");
        loop {
            let described = self
                .sfn
                .describe_execution()
                .execution_arn(&execution)
                .send()
                .await
                .unwrap();
            if described.status == ExecutionStatus::Succeeded {
                return Life {
                    page: page_took,
                    post_to_end: posted.elapsed(),
                };
            }
            assert_eq!(described.status, ExecutionStatus::Running);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn link(&self, email: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(mail) = self.embedded.aws.mails_to(email).pop() {
                let text = mail.text.unwrap();
                return text
                    .lines()
                    .find(|line| line.starts_with("http"))
                    .unwrap()
                    .to_owned();
            }
            assert!(began.elapsed() < Duration::from_secs(30), "no mail");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn fetch(&self, request: http::request::Builder, body: Bytes) -> String {
        let answer = self
            .browser
            .request(request.body(Full::new(body)).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times
}

fn ms(sorted: &[Duration], percentile: usize) -> f64 {
    sorted[(sorted.len() * percentile / 100).min(sorted.len() - 1)].as_secs_f64() * 1000.0
}

/// User and system time of this process, the load generator included (Linux, proc(5)).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory that this process had in use so far.
fn peak_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
