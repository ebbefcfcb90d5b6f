//! `countersign demo`: the main job, with nothing set up. Runs the document-signing workflow over the embedded AWS,
//! tells where Bob's mailbox is, waits until the workflow has ended, and prints its history and result.

mod history;
mod walk;

use super::Failure;
use super::embedded::{Embedded, INTAKE, Start, function_arn};
use super::system::interrupted;
use super::terminal::{FAINT, STRONG, say, styled};
use crate::config::local::Settings;
use crate::samples;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::DisplayErrorContext;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::ExecutionStatus;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

const MACHINE: &str = "document-signing";
const DEFINITION: &str = include_str!("../../../infra/workflows/document-signing.asl.json");
/// Alice's signature.
const SIGN_DOCUMENT: &str = "sign-document";
const INPUT: &str = r#"{"documentId": "3"}"#;

/// The options of `countersign demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Act as Bob over HTTP: read the mail, open the link, send the form; then end
    #[arg(long)]
    walk: bool,
    /// With --walk: reject instead of signing
    #[arg(long, requires = "walk")]
    reject: bool,
    /// Seconds until the workflow gives up
    #[arg(long, default_value_t = 3600, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=99_999_999))]
    timeout: u32,
    /// Port of the pages on 127.0.0.1; 0 for a free one
    #[arg(long, default_value_t = 8085)]
    port: u16,
    /// Port of the embedded AWS on 127.0.0.1; 0 for a free one
    #[arg(long, default_value_t = 8086)]
    aws_port: u16,
    /// Keep everything in this folder, so that the next start goes on; in memory without
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Demo {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let start = Start {
            port: self.port,
            aws_port: self.aws_port,
            data: self.data.clone(),
            time_travel: false,
            settings: Settings::default(),
        };
        let prepared = Embedded::prepare(start).await?;
        if let Some(function) = samples::builtin(SIGN_DOCUMENT) {
            prepared.embedded().aws.register_function(SIGN_DOCUMENT, function);
        }
        let embedded = prepared.run().await?;
        let ended = tokio::select! {
            played = self.play(&embedded) => played,
            () = interrupted() => {
                say("");
                Ok(())
            }
        };
        embedded.stop().await;
        ended
    }

    async fn play(&self, embedded: &Embedded) -> Result<(), Failure> {
        say(&format!("Pages    {}", styled(STRONG, &embedded.pages)));
        say(&format!("AWS      {}", styled(STRONG, &embedded.endpoint)));
        say(&styled(
            FAINT,
            "         embedded: Step Functions, Lambda, DynamoDB and SES, for the AWS CLI and SDKs as well",
        ));
        say("");

        let client = Client::new(&embedded.sdk);
        let machine = self.create_machine(&client).await?;
        let execution = match running(&client, &machine).await? {
            Some(arn) => {
                say(&format!("Goes on  {MACHINE}, where the last run left it"));
                arn
            }
            None => start_execution(&client, &machine, embedded).await?,
        };
        let mailbox = format!("{}/mailbox/bob@example.com", embedded.endpoint);
        say("Alice    signs by herself, in a second");
        say("Bob      is asked by mail. Open his mailbox and sign:");
        say("");
        say(&format!("         {}", styled(STRONG, &mailbox)));
        say("");

        if self.walk {
            walk::as_bob(&mailbox, &embedded.pages, self.reject).await?;
        } else {
            let patience = patience(self.timeout);
            say(&styled(
                FAINT,
                format!(
                    "Waiting for Bob; the workflow gives up {patience} after its start. Ctrl-C ends the demo."
                ),
            ));
            let (url, key) = (&embedded.pages, embedded.api_key.expose());
            let command = format!("COUNTERSIGN_URL={url} COUNTERSIGN_API_KEY={key} countersign pending");
            say(&styled(FAINT, format!("As an operator: {command}")));
        }
        let ended = wait_for_end(&client, &execution).await?;
        if !self.walk {
            say(&styled(
                FAINT,
                "The workflow has ended. The pages stay open until Ctrl-C.",
            ));
        }
        say("");
        history::print(&client, &execution).await?;
        history::print_result(&ended);
        if self.walk {
            self.expect_what_was_walked(&ended)
        } else {
            std::future::pending().await
        }
    }

    /// A walk that ends otherwise than it was walked has found a fault.
    fn expect_what_was_walked(&self, ended: &DescribeExecutionOutput) -> Result<(), Failure> {
        let expected = if self.reject {
            ExecutionStatus::Failed
        } else {
            ExecutionStatus::Succeeded
        };
        if ended.status == expected {
            Ok(())
        } else {
            Err(Failure::failed(format!(
                "the workflow ended {} and not {expected}",
                ended.status
            )))
        }
    }

    async fn create_machine(&self, client: &Client) -> Result<String, Failure> {
        let definition = DEFINITION
            .replace("${TimeoutSeconds}", &self.timeout.to_string())
            .replace("${SignDocumentFunctionArn}", &function_arn(SIGN_DOCUMENT))
            .replace("${CountersignFunctionArn}", &function_arn(INTAKE));
        let role = format!("arn:aws:iam::{}:role/{MACHINE}", aws_local::ACCOUNT);
        let create = client
            .create_state_machine()
            .name(MACHINE)
            .definition(&definition)
            .role_arn(&role);
        match create.send().await {
            Ok(created) => Ok(created.state_machine_arn),
            // From an earlier run with another --timeout.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_sfn::operation::create_state_machine::CreateStateMachineError::is_state_machine_already_exists) =>
            {
                let arn = format!(
                    "arn:aws:states:{}:{}:stateMachine:{MACHINE}",
                    aws_local::REGION,
                    aws_local::ACCOUNT
                );
                let update = client
                    .update_state_machine()
                    .state_machine_arn(&arn)
                    .definition(&definition);
                update.send().await.map_err(|error| failed(&error))?;
                Ok(arn)
            }
            Err(error) => Err(failed(&error)),
        }
    }
}

async fn running(client: &Client, machine: &str) -> Result<Option<String>, Failure> {
    let list = client
        .list_executions()
        .state_machine_arn(machine)
        .status_filter(ExecutionStatus::Running);
    let page = list.max_results(1).send().await.map_err(|error| failed(&error))?;
    Ok(page
        .executions
        .into_iter()
        .next()
        .map(|execution| execution.execution_arn))
}

async fn start_execution(client: &Client, machine: &str, embedded: &Embedded) -> Result<String, Failure> {
    let name = format!("demo-{}", embedded.clock.now().strftime("%Y%m%dT%H%M%S%3f"));
    let start = client
        .start_execution()
        .state_machine_arn(machine)
        .name(&name)
        .input(INPUT);
    let started = start.send().await.map_err(|error| failed(&error))?;
    say(&format!("Started  {MACHINE} with {INPUT}"));
    Ok(started.execution_arn)
}

/// Waits until the execution has ended.
async fn wait_for_end(client: &Client, execution: &str) -> Result<DescribeExecutionOutput, Failure> {
    loop {
        let described = client.describe_execution().execution_arn(execution).send().await;
        let described = described.map_err(|error| failed(&error))?;
        if described.status != ExecutionStatus::Running {
            return Ok(described);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// "90 seconds", "60 minutes", "2 hours".
fn patience(seconds: u32) -> String {
    let plural = |n: u32, unit: &str| {
        if n == 1 {
            format!("1 {unit}")
        } else {
            format!("{n} {unit}s")
        }
    };
    match seconds {
        s if s % 3600 == 0 => plural(s / 3600, "hour"),
        s if s % 60 == 0 => plural(s / 60, "minute"),
        s => plural(s, "second"),
    }
}

fn failed(error: &(impl std::error::Error + 'static)) -> Failure {
    Failure::failed(format!(
        "the embedded AWS refused: {}",
        DisplayErrorContext(error)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_for_how_long_the_workflow_waits() {
        let shown = [5, 1, 60, 90, 3600, 7200].map(patience);
        assert_eq!(
            shown,
            [
                "5 seconds",
                "1 second",
                "1 minute",
                "90 seconds",
                "1 hour",
                "2 hours"
            ]
        );
    }
}
