//! The embedded AWS by itself, on a port: `cargo run -p aws-local --example serve -- [PORT [FOLDER]]`, then
//! `aws --endpoint-url http://127.0.0.1:8086 stepfunctions list-state-machines`. Three functions are there to
//! be called: `echo` answers with its event, `slow` does so after a second, `fail` fails.

use std::sync::Arc;
use std::time::Duration;

use aws_local::{AwsLocal, FunctionError, Options, function};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().map_or(Ok(8086), |port| port.parse())?;
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
        "echo",
        function(|invocation| async move { Ok(invocation.payload) }),
    );
    aws.register_function(
        "slow",
        function(|invocation| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(invocation.payload)
        }),
    );
    aws.register_function(
        "fail",
        function(|_| async { Err(FunctionError::new("Example.Failed", "as asked for")) }),
    );
    aws.resume().await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    say(&format!("http://{}", listener.local_addr()?));
    let interrupted = async {
        // Without a signal to wait for, it ends at once.
        let _ = tokio::signal::ctrl_c().await;
    };
    aws.serve(listener, interrupted).await?;
    aws.stop().await;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "here is where the time of day comes in")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn say(line: &str) {
    println!("{line}");
}
