//! How long the pages for executions take, asked over HTTP: `cargo run --release -p aws-local --example pages`. The list
//! has 10,000 executions, one page 5,000 events, one graph 200 states.

use std::time::Instant;

use aws_local::{AwsLocal, Options};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const EXECUTIONS: usize = 10_000;
const TIMES: usize = 50;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let aws = AwsLocal::start(Options::in_memory(now)).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn({
        let aws = aws.clone();
        async move { aws.serve(listener, std::future::pending()).await }
    });

    let pass = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    let machine = create(&aws, "pass", &pass).await;
    for n in 0..EXECUTIONS {
        let input = json!({"n": n, "text": "x".repeat(400)});
        start(&aws, &machine, &format!("run-{n}"), &input).await;
    }
    let each = json!({"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$", "End": true,
        "ItemProcessor": {"StartAt": "Keep", "States": {"Keep": {"Type": "Pass", "End": true}}}}}});
    let machine = create(&aws, "each", &each).await;
    let items: Vec<Value> = (0..1_249)
        .map(|n| json!({"n": n, "text": "x".repeat(100)}))
        .collect();
    start(&aws, &machine, "run", &json!(items)).await;
    let machine = create(&aws, "states", &states(200)).await;
    start(&aws, &machine, "run", &json!({})).await;

    say("page                                        KB    first    p50   most  (ms)");
    for path in [
        "/executions",
        "/executions?machine=pass&before=5000",
        "/executions?status=FAILED",
        "/executions?text=run-77",
        "/executions/each/run",
        "/executions/states/run",
    ] {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..TIMES {
            let begun = stopwatch();
            bytes = get(&address, path).await?;
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        let first = times[0];
        times.sort_by(f64::total_cmp);
        let (half, most) = (times[TIMES / 2], times[TIMES - 1]);
        say(&format!(
            "{path:<40} {:>5} {first:>8.1} {half:>6.1} {most:>6.1}",
            bytes / 1024
        ));
    }
    Ok(())
}

/// A chain with a way around some states.
fn states(count: usize) -> Value {
    let mut states = json!({});
    for n in 0..count {
        states[format!("S{n}")] = if n + 1 == count {
            json!({"Type": "Succeed"})
        } else if n % 7 == 0 && n + 5 < count {
            let rule = json!({"Variable": "$.x", "IsPresent": true, "Next": format!("S{}", n + 5)});
            json!({"Type": "Choice", "Choices": [rule], "Default": format!("S{}", n + 1)})
        } else {
            json!({"Type": "Pass", "Next": format!("S{}", n + 1)})
        };
    }
    json!({"StartAt": "S0", "States": states})
}

async fn create(aws: &AwsLocal, name: &str, definition: &Value) -> String {
    let role = "arn:aws:iam::123456789012:role/any";
    let asked = json!({"name": name, "roleArn": role, "definition": definition.to_string()});
    let made = call(aws, "CreateStateMachine", &asked).await;
    made["stateMachineArn"].as_str().unwrap_or_default().to_owned()
}

async fn start(aws: &AwsLocal, machine: &str, name: &str, input: &Value) {
    let asked = json!({"stateMachineArn": machine, "name": name, "input": input.to_string()});
    call(aws, "StartExecution", &asked).await;
}

async fn call(aws: &AwsLocal, operation: &str, body: &Value) -> Value {
    let request = http::Request::post("http://localhost/")
        .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
        .body(body.to_string().into())
        .expect("a request");
    let response = aws.handle(request).await;
    assert_eq!(response.status(), 200, "{operation}: {:?}", response.body());
    serde_json::from_slice(response.body()).expect("JSON")
}

/// The bytes that a page has.
async fn get(address: &str, path: &str) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}");
    Ok(answer.len())
}

#[expect(clippy::disallowed_methods, reason = "here is where the time of day comes in")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch needs the wall clock")]
fn stopwatch() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn say(line: &str) {
    println!("{line}");
}
