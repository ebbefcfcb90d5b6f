//! What many waiting executions cost: `cargo run --release -p aws-local --example waiting -- FOLDER [COUNT]`.
//! Starts that many which wait for a token, then starts anew on the same folder, and says how long each took
//! and how much memory the process has (Linux).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_local::{AwsLocal, Options, function};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder: PathBuf = arguments.next().ok_or("the folder is missing")?.into();
    let count: usize = arguments.next().map_or(Ok(100_000), |count| count.parse())?;

    let begin = tokio::time::Instant::now();
    let aws = open(&folder).await?;
    let definition = json!({"StartAt": "Ask", "States": {"Ask": {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}},
        "TimeoutSeconds": 259_200,
        "End": true,
    }}});
    let role = "arn:aws:iam::123456789012:role/r";
    let body = json!({"name": "waiting", "definition": definition.to_string(), "roleArn": role});
    let machine = states(&aws, "CreateStateMachine", body).await["stateMachineArn"].clone();
    let left = Arc::new(AtomicUsize::new(count));
    let mut workers = Vec::new();
    for _ in 0..32 {
        let (aws, machine, left) = (aws.clone(), machine.clone(), Arc::clone(&left));
        workers.push(tokio::spawn(async move {
            let take = |left: usize| left.checked_sub(1);
            while left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
            {
                states(&aws, "StartExecution", json!({"stateMachineArn": machine})).await;
            }
        }));
    }
    for worker in workers {
        worker.await?;
    }
    while aws.activity().await.invocations > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    say(&format!(
        "started {count} in {:.2?}; {}",
        begin.elapsed(),
        memory()
    ));
    aws.stop().await;
    drop(aws);

    let begin = tokio::time::Instant::now();
    let aws = open(&folder).await?;
    let elapsed = begin.elapsed();
    let running = aws.activity().await.running_executions;
    say(&format!(
        "started anew with {running} waiting in {elapsed:.2?}; {}",
        memory()
    ));
    aws.stop().await;
    Ok(())
}

async fn open(folder: &std::path::Path) -> Result<AwsLocal, aws_local::StartError> {
    let aws = AwsLocal::start(Options {
        data: Some(folder.to_owned()),
        clock: Arc::new(now),
        randomness: Arc::new(|buffer: &mut [u8]| {
            getrandom::fill(buffer).expect("the operating system has randomness");
        }),
        http_tasks: Vec::new(),
        approvals: None,
    })
    .await?;
    aws.register_function("ask", function(|_| async { Ok(json!({})) }));
    aws.resume().await?;
    Ok(aws)
}

async fn states(aws: &AwsLocal, operation: &str, body: Value) -> Value {
    let request = http::Request::post("/")
        .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
        .body(body.to_string().into())
        .expect("a request");
    let response = aws.handle(request).await;
    assert!(response.status().is_success(), "{operation}: {response:?}");
    serde_json::from_slice(response.body()).expect("JSON")
}

/// The process's resident memory, as the kernel tells it.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.map_or_else(String::new, |line| {
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

#[expect(clippy::disallowed_methods, reason = "here is where the time of day comes in")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn say(line: &str) {
    println!("{line}");
}
