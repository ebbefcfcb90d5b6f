//! How many executions a second: `cargo run --release -p aws-local --example executions -- [COUNT [FOLDER]]`.
//! Each is the document-signing flow (a Parallel of a function and a task token that is answered at once), and
//! then a Pass; 32 at a time, through the API, without sockets. Without a folder everything is in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_local::{AwsLocal, Options, function};
use serde_json::{Value, json};

const AT_ONCE: usize = 32;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(Ok(3000), |count| count.parse())?;
    let aws = AwsLocal::start(Options {
        data: arguments.next().map(Into::into),
        clock: Arc::new(now),
        randomness: Arc::new(|buffer: &mut [u8]| {
            getrandom::fill(buffer).expect("the operating system has randomness");
        }),
        http_tasks: Vec::new(),
        approvals: None,
    })
    .await?;
    aws.register_function(
        "alice",
        function(|_| async { Ok(json!({"signature": "Alice signed 3"})) }),
    );
    aws.register_function("bob", bob(&aws));
    let signing = create(&aws, "signing", &signing()).await;
    let pass = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    let pass = create(&aws, "pass", &pass).await;
    for (what, machine) in [("Pass", pass), ("document signing", signing)] {
        let begin = tokio::time::Instant::now();
        run(&aws, &machine, count).await;
        let elapsed = begin.elapsed();
        let rate = f64::from(u32::try_from(count)?) / elapsed.as_secs_f64();
        say(&format!(
            "{what}: {count} executions in {elapsed:.2?}, {rate:.0} a second"
        ));
    }
    aws.stop().await;
    Ok(())
}

/// Starts executions, 32 at a time, and waits until all have ended.
async fn run(aws: &AwsLocal, machine: &Value, count: usize) {
    let left = Arc::new(AtomicUsize::new(count));
    let mut workers = Vec::new();
    for _ in 0..AT_ONCE {
        let (aws, machine, left) = (aws.clone(), machine.clone(), Arc::clone(&left));
        workers.push(tokio::spawn(async move {
            let take = |left: usize| left.checked_sub(1);
            while left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
            {
                let started = states(&aws, "StartExecution", json!({"stateMachineArn": machine})).await;
                let execution = json!({"executionArn": started["executionArn"]});
                while states(&aws, "DescribeExecution", execution.clone()).await["status"] == "RUNNING" {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }));
    }
    for worker in workers {
        worker.await.expect("a worker ends");
    }
}

/// Answers its token as soon as it is asked.
fn bob(aws: &AwsLocal) -> aws_local::Function {
    let aws = aws.clone();
    function(move |invocation| {
        let aws = aws.clone();
        async move {
            let token = invocation.payload["token"].clone();
            tokio::spawn(async move {
                let answer = json!({"taskToken": token, "output": "{\"signature\": \"Bob signed 3\"}"});
                states(&aws, "SendTaskSuccess", answer).await;
            });
            Ok(json!({}))
        }
    })
}

fn signing() -> Value {
    let branch = |name: &str, resource: &str, payload: Value| {
        let task = json!({
            "Type": "Task",
            "Resource": resource,
            "Parameters": {"FunctionName": name, "Payload": payload},
            "End": true,
        });
        json!({"StartAt": name, "States": {name: task}})
    };
    let token = json!({"token.$": "$$.Task.Token"});
    json!({"StartAt": "Sign", "States": {"Sign": {"Type": "Parallel", "End": true, "Branches": [
        branch("alice", "arn:aws:states:::lambda:invoke", json!({})),
        branch("bob", "arn:aws:states:::lambda:invoke.waitForTaskToken", token),
    ]}}})
}

async fn create(aws: &AwsLocal, name: &str, definition: &Value) -> Value {
    let role = "arn:aws:iam::123456789012:role/r";
    let body = json!({"name": name, "definition": definition.to_string(), "roleArn": role});
    states(aws, "CreateStateMachine", body).await["stateMachineArn"].clone()
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

#[expect(clippy::disallowed_methods, reason = "here is where the time of day comes in")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn say(line: &str) {
    println!("{line}");
}
