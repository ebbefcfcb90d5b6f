//! Stopping an execution.

use crate::faults::Fault;
use crate::world::World;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::ExecutionStatus;
use task_tools::{StopError, stop_execution};

const WAITING: &str =
    r#"{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#;

async fn start(client: &aws_sdk_sfn::Client) -> String {
    let machine = client
        .create_state_machine()
        .name("waiting")
        .definition(WAITING)
        .role_arn("arn:aws:iam::123456789012:role/test")
        .send()
        .await
        .expect("valid");
    let started = client
        .start_execution()
        .state_machine_arn(machine.state_machine_arn);
    started.send().await.expect("started").execution_arn
}

async fn described(client: &aws_sdk_sfn::Client, arn: &str) -> DescribeExecutionOutput {
    let asked = client.describe_execution().execution_arn(arn).send();
    asked.await.expect("there")
}

#[tokio::test(start_paused = true)]
async fn an_execution_ends_with_the_words_given() {
    let world = World::start().await;
    let client = world.step_functions();
    let arn = start(&client).await;
    let (error, cause) = ("e".repeat(256), "ü".repeat(32_768));
    stop_execution(&client, &arn, Some(&error), Some(&cause))
        .await
        .expect("stopped");
    let ended = described(&client, &arn).await;
    assert_eq!(ended.status, ExecutionStatus::Aborted);
    assert_eq!((ended.error, ended.cause), (Some(error), Some(cause)));
    // Once more changes nothing.
    stop_execution(&client, &arn, Some("Other"), None)
        .await
        .expect("ended already");
    let ended = described(&client, &arn).await;
    assert_eq!(ended.error.expect("the first").len(), 256);
    world.aws.stop().await;
}

#[tokio::test(start_paused = true)]
async fn words_that_are_too_long_are_refused_before_the_call() {
    let world = World::start().await;
    let client = world.step_functions();
    let refused = stop_execution(&client, "arn", Some(&"ü".repeat(257)), None).await;
    assert_eq!(
        refused.expect_err("too long").to_string(),
        "the error may have 256 characters, not 257"
    );
    let refused = stop_execution(&client, "arn", None, Some(&"ü".repeat(32_769))).await;
    assert_eq!(
        refused.expect_err("too long").to_string(),
        "the cause may have 32768 characters, not 32769"
    );
    assert_eq!(world.faults.calls("StopExecution"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stopped_is_told() {
    let world = World::start().await;
    let client = world.step_functions();
    let arn = "arn:aws:states:us-east-1:123456789012:execution:none:none";
    let refused = stop_execution(&client, arn, None, None).await.expect_err("none");
    assert!(matches!(refused, StopError::NoSuchExecution), "{refused}");
    world
        .faults
        .next("StopExecution", 1, &Fault::Refused(400, "AccessDeniedException"));
    let refused = stop_execution(&client, arn, None, None)
        .await
        .expect_err("denied");
    assert!(
        matches!(&refused, StopError::Aws { code, refused: true, .. } if code == "AccessDeniedException"),
        "{refused}"
    );
}
