//! `countersign doctor`: looks at everything that the service needs before people do, and says what to do about each
//! thing that isn't right. Changes nothing but an item of its own, which it writes and deletes.

mod callbacks;
mod finding;
mod keys;
mod mail;
mod surroundings;
mod table;
mod ways_in;

pub use finding::{Finding, Verdict};
pub(super) use mail::{address_of, domain_of};
pub(super) use surroundings::Account;
pub(super) use table::TTL;

use super::Failure;
use super::configuration::{Aws, Place, runs};
use super::system::{fill_random, system_clock};
use super::terminal::{FAINT, complain, say, styled};
use crate::config::{Gathered, Serve};
use crate::flow::{Clock, Random};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use clap::Args;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long one group of checks may take. They run at the same time, after one call that says who we are.
const LIMIT: Duration = Duration::from_secs(8);
/// How long a call may take, with its one repeat.
const CALL: Duration = Duration::from_secs(5);

/// `countersign doctor`: checks configuration, permissions, table, mail, queues, clock and address.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    place: Place,
    /// As a Lambda function is started, which needs no API key
    #[arg(long)]
    function: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// What is looked at.
#[derive(Clone, Debug)]
struct Patient {
    aws: SdkConfig,
    region: Region,
    gathered: Gathered,
    serve: Serve,
    account: Option<Account>,
    /// The partition key of the probe item.
    probe: String,
}

impl Doctor {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let aws = Aws::default();
        let gathered = self.place.gather(&aws).await;
        let serve = match gathered.read(runs(self.function), &|path| std::fs::read(path)) {
            Ok(serve) => serve,
            Err(error) => {
                if self.json {
                    let problems = error
                        .problems()
                        .map(|(key, message)| Finding::wrong(key, message, "put it right"));
                    print_json(&problems.collect::<Vec<_>>());
                }
                return Err(Failure::usage(error.to_string()));
            }
        };
        let random = Random::new(fill_random);
        let found = examine(gathered, serve, aws.get().await, &system_clock(), &random).await;
        if self.json {
            print_json(&found);
        } else {
            print(&found);
        }
        if found.iter().any(|finding| finding.verdict == Verdict::Wrong) {
            return Err(Failure::told());
        }
        Ok(())
    }
}

/// Examines a configuration and the AWS that it is to run on. Ends within 15 seconds or so, whatever AWS does.
pub async fn examine(
    gathered: Gathered,
    serve: Serve,
    aws: SdkConfig,
    clock: &Clock,
    random: &Random,
) -> Vec<Finding> {
    let mut found = vec![Finding::ok("configuration", "complete")];
    found.extend(keys::examine(&gathered, &serve));
    let Some(region) = aws.region().cloned() else {
        found.push(Finding::wrong(
            "region",
            "no AWS region is named",
            "set AWS_REGION, or a region in the AWS profile",
        ));
        return found;
    };
    found.push(Finding::ok("region", region.to_string()));
    let aws = impatient(&aws);
    let (account, who) = surroundings::account(&aws, clock).await;
    found.extend(who);
    if !surroundings::answers(&found) {
        return found;
    }
    let patient = Arc::new(Patient {
        aws,
        region,
        gathered,
        serve,
        account,
        probe: format!("D#{}", data_encoding::HEXLOWER.encode(&random.bytes::<16>())),
    });
    // Each group by itself, and told in this order.
    let groups: [(&'static str, Examine); 6] = [
        ("table", |it| Box::pin(async move { table::examine(&it).await })),
        ("keys", |it| {
            Box::pin(async move { keys::open_requests(&it).await })
        }),
        ("mail", |it| Box::pin(async move { mail::examine(&it).await })),
        ("task tokens", |it| {
            Box::pin(async move { callbacks::examine(&it).await })
        }),
        ("ways in", |it| {
            Box::pin(async move { ways_in::examine(&it).await })
        }),
        ("public_url", |it| {
            Box::pin(async move { surroundings::address(&it).await })
        }),
    ];
    let running = groups.map(|(about, examine)| tokio::spawn(limited(about, examine(Arc::clone(&patient)))));
    for group in running {
        match group.await {
            Ok(group) => found.extend(group),
            Err(panicked) => found.push(Finding::wrong(
                "doctor",
                format!("could not examine everything: {panicked}"),
                "report it: this is a fault of the doctor's",
            )),
        }
    }
    found
}

type Found = Pin<Box<dyn Future<Output = Vec<Finding>> + Send>>;
type Examine = fn(Arc<Patient>) -> Found;

/// One group of checks, with its limit.
async fn limited(about: &'static str, examining: Found) -> Vec<Finding> {
    match tokio::time::timeout(LIMIT, examining).await {
        Ok(found) => found,
        Err(_elapsed) => vec![Finding::wrong(
            about,
            format!("no answer within {} seconds", LIMIT.as_secs()),
            "look at the network between here and AWS, and at AWS_ENDPOINT_URL",
        )],
    }
}

/// Whose AWS it is; else why that can't be told, and what to do.
pub(super) async fn account(aws: &SdkConfig, clock: &Clock) -> Result<Account, String> {
    let (account, found) = surroundings::account(&impatient(aws), clock).await;
    account.ok_or_else(|| {
        let told = found.into_iter().filter(|it| it.verdict != Verdict::Ok);
        let told = told.map(|it| format!("{}: {}; {}", it.about, it.what, it.advice.unwrap_or_default()));
        told.collect::<Vec<_>>().join("\n  ")
    })
}

/// The same AWS, with less patience than the service has.
fn impatient(aws: &SdkConfig) -> SdkConfig {
    let limits = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(4))
        .operation_timeout(CALL)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(2);
    aws.to_builder()
        .timeout_config(limits)
        .retry_config(retries)
        .build()
}

fn print(found: &[Finding]) {
    for finding in found {
        finding.print();
    }
    let count = |verdict| found.iter().filter(|finding| finding.verdict == verdict).count();
    let summary = match (count(Verdict::Wrong), count(Verdict::Warning)) {
        (0, 0) => "All is well.".to_owned(),
        (0, warnings) => format!("Nothing is wrong; {warnings} to look at."),
        (wrong, 0) => format!("{wrong} wrong."),
        (wrong, warnings) => format!("{wrong} wrong; {warnings} more to look at."),
    };
    say("");
    if count(Verdict::Wrong) > 0 {
        complain(&summary);
    } else {
        say(&styled(FAINT, summary));
    }
}

fn print_json(found: &[Finding]) {
    let findings: Value = found.iter().map(Finding::json).collect();
    let wrong = found.iter().any(|finding| finding.verdict == Verdict::Wrong);
    say(&format!("{:#}", json!({"ok": !wrong, "findings": findings})));
}
