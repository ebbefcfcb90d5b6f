//! AWS's errors by name: what the program answers to each, on every way, and what the doctor says of it. The table is
//! `src/aws_faults/table.rs`; each test walks what is in it of one service.

use super::api::key;
use super::harness::{Fault as Injected, Harness, ask_bob, request};
use countersign::aws_faults::{
    Class, Fault, NO_ANSWER, NO_CONNECTION, NO_CREDENTIALS, NOT_AWS, Service, TOO_SLOW, faults,
};
use countersign::cli::doctor::{Finding, Verdict, examine};
use countersign::config::{Runs, gather};
use countersign::domain::api_key::Scope;
use countersign::domain::callback::Callback;
use countersign::domain::decision::RequestState;
use countersign::domain::signer::SignerState;
use countersign::flow::Random;
use countersign::intake::invoke::Function;
use countersign::queues::QueueError;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

/// More calls than any test makes.
const ALL: usize = usize::MAX / 4;

/// What a service may answer: each name in the table, with how it is injected. Words of AWS's message can't be.
fn faults_of(service: Service) -> impl Iterator<Item = (&'static Fault, &'static str, Injected)> {
    let of_service =
        move |fault: &&Fault| fault.service.is_none_or(|of| of == service) && fault.says.is_none();
    faults().filter(of_service).flat_map(|fault| {
        fault.codes.iter().filter_map(move |code| {
            let injected = match (*code, fault.status) {
                (TOO_SLOW, _) => Injected::Slow,
                (NO_CONNECTION, _) => Injected::Lost,
                // Not an answer of AWS's: there is no call.
                (NO_CREDENTIALS | NOT_AWS | NO_ANSWER, _) => return None,
                (code, status) => Injected::Refused(status, code),
            };
            Some((fault, *code, injected))
        })
    })
}

#[tokio::test(start_paused = true)]
async fn while_the_table_doesn_t_answer_nothing_is_taken_and_nothing_is_lost() {
    let mut count = 0;
    for (fault, code, injected) in faults_of(Service::DynamoDb) {
        if fault.class == Class::Conflict {
            continue;
        }
        count += 1;
        let harness = Harness::start().await;
        let execution = harness.start_workflow(&ask_bob()).await;
        let path = harness.link("bob@example.com").await;
        let form = harness.get(&path).await.form_token();

        harness.faults.next("DynamoDB_20120810", ALL, injected);
        // To a workflow, over HTTP, on the page, to a load balancer.
        let refused = harness.invoke(Function::Intake, request("token")).await;
        assert_eq!(refused.expect_err(code).0, "Approval.Unavailable", "{code}");
        let asked = request("token");
        let (status, problem) = harness
            .call(Scope::Write, http::Method::POST, "/api/v1/requests", &asked)
            .await;
        assert_eq!(status, 503, "{code}: {problem}");
        assert_eq!(
            harness.get(&path).await.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{code}"
        );
        let page = harness.post(&path, &form, "approve", "", "Bob").await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{code}");
        assert_eq!(
            harness.get("/readyz").await.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{code}"
        );
        assert_eq!(harness.result(&execution).await.0, "RUNNING", "{code}");

        // And once it answers, everything goes on.
        harness.faults.clear();
        let page = harness.post(&path, &form, "approve", "", "Bob").await;
        assert_eq!(page.status, StatusCode::OK, "{code}");
        assert_eq!(harness.ended(&execution).await.0, "SUCCEEDED", "{code}");
        harness.open(asked).await;
        harness.finish().await;
    }
    assert!(count > 30, "only {count} faults");
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_ses_doesn_t_take_goes_out_later_unless_it_never_will() {
    let mut count = 0;
    for (fault, code, injected) in faults_of(Service::Ses) {
        count += 1;
        let harness = Harness::start().await;
        harness.faults.next("SendEmail", ALL, injected);
        // Intake and pages don't wait for a mail.
        let id = harness.open(request("token")).await;
        harness.pass(SignedDuration::from_secs(30)).await;
        let signer = harness.approval(id).await.signers[0].clone();
        if fault.class == Class::Refused {
            let SignerState::Bounced { reason, .. } = &signer.state else {
                panic!("{code}: {:?}", signer.state)
            };
            assert!(reason.contains(code), "{reason}");
        } else {
            assert!(
                matches!(signer.state, SignerState::Waiting),
                "{code}: {:?}",
                signer.state
            );
            harness.faults.clear();
            harness.pass(SignedDuration::from_hours(1)).await;
            assert_eq!(harness.aws.mails().len(), 1, "{code}");
        }
        harness.faults.clear();
        harness.finish().await;
    }
    assert!(count > 20, "only {count} faults");
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_made_again_parked_or_moot_as_the_table_says() {
    let mut count = 0;
    for (fault, code, injected) in faults_of(Service::StepFunctions) {
        count += 1;
        let harness = Harness::start().await;
        let execution = harness.start_workflow(&ask_bob()).await;
        let path = harness.link("bob@example.com").await;
        harness.faults.next("SendTaskSuccess", 1, injected);
        let page = harness.answer(&path, "approve", "", "Bob").await;
        // The decision is written down before anybody is told, whatever Step Functions says.
        assert_eq!(page.status, StatusCode::OK, "{code}");
        harness.pass(SignedDuration::from_mins(5)).await;
        let RequestState::Ended(ended) = harness.only_approval().await.record.state else {
            panic!("{code}: not ended")
        };
        match (fault.class, &ended.callback) {
            (Class::Again | Class::Unclear, Callback::Delivered { .. }) => {
                assert_eq!(harness.result(&execution).await.0, "SUCCEEDED", "{code}");
            }
            (Class::Mend | Class::Refused, Callback::Parked(parked)) => {
                assert!(parked.reason.contains(code), "{}", parked.reason);
            }
            (Class::Closed, Callback::Moot { .. }) => {}
            (class, callback) => panic!("{code} is {class:?}, and the callback {callback:?}"),
        }
        harness.finish().await;
    }
    assert!(count > 30, "only {count} faults");
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_asked_again_or_somebody_is_told() {
    let harness = Harness::start().await;
    let client = aws_sdk_sqs::Client::new(&harness.sdk);
    let made = client.create_queue().queue_name("approvals").send().await;
    let url = made.expect("a queue").queue_url.expect("its address");
    for (fault, code, injected) in faults_of(Service::Sqs) {
        harness.faults.next("AmazonSQS", ALL, injected);
        let sent = harness.flow.queues.send(&url, "{}", Duration::ZERO).await;
        match (fault.class, sent.expect_err(code)) {
            (Class::Again | Class::Unclear, QueueError::Again { .. })
            | (Class::Mend | Class::Refused | Class::Closed, QueueError::Refused { .. }) => {}
            (class, error) => panic!("{code} is {class:?}, and the error {error:?}"),
        }
        harness.faults.clear();
    }
    harness.finish().await;
}

/// The configuration that the doctor is shown, with its AWS. The master key is where `master_key` says.
async fn gathered(harness: &Harness, master_key: &str) -> countersign::config::Gathered {
    let write = key(Scope::Write).sha256();
    let api_keys =
        json!([{"id": "ci", "sha256": write.to_string(), "scopes": ["requests:write"]}]).to_string();
    let evidence = "08".repeat(32);
    let variables = [
        ("PUBLIC_URL", "http://127.0.0.1:1"),
        ("ORGANISATION", "Example Ltd"),
        ("TABLE", "countersign"),
        ("MAIL_FROM", "Countersign <countersign@example.com>"),
        ("MASTER_KEY", master_key),
        ("EVIDENCE_KEY", evidence.as_str()),
        ("API_KEYS", api_keys.as_str()),
        (
            "INTAKE_QUEUES",
            r#"["http://sqs.us-east-1.localhost/123456789012/approvals"]"#,
        ),
    ];
    let variables = variables.map(|(name, text)| (format!("COUNTERSIGN_{name}"), text.to_owned()));
    gather(None, variables, async || harness.sdk.clone()).await
}

async fn examined(harness: &Harness) -> Vec<Finding> {
    let gathered = gathered(harness, &"07".repeat(32)).await;
    let serve = gathered
        .read(Runs::Service, &|path| std::fs::read(path))
        .expect("right");
    let random = Random::new(|bytes| bytes.fill(5));
    examine(gathered, serve, harness.sdk.clone(), &harness.clock, &random).await
}

#[tokio::test(start_paused = true)]
async fn the_doctor_names_each_fault_and_says_what_to_do() {
    let harness = Harness::start().await;
    for (service, target) in [
        (Service::DynamoDb, "DynamoDB_20120810"),
        (Service::Ses, "SES"),
        (Service::StepFunctions, "AWSStepFunctions"),
        (Service::Sqs, "AmazonSQS"),
        (Service::Lambda, "Lambda"),
        (Service::Sts, "STS"),
    ] {
        for (fault, code, injected) in faults_of(service) {
            // What has ended, or was written elsewhere, is nothing that a doctor could meet; nor a mail.
            let met = !matches!(fault.class, Class::Closed | Class::Conflict | Class::Refused);
            // How the doctor knows that a call is allowed, or that something isn't there.
            let expected = [
                "InvalidToken",
                "InvalidParameterValueException",
                "NotFoundException",
            ];
            let lambda_has_no_such_callback =
                service == Service::Lambda && code == "ResourceNotFoundException";
            if !met || expected.contains(&code) || lambda_has_no_such_callback {
                continue;
            }
            harness.faults.next(target, ALL, injected);
            let found = examined(&harness).await;
            let named = found.iter().find(|finding| {
                let what = &finding.what;
                what.contains(service.name()) && what.contains(code) || what.contains("no answer within")
            });
            let Some(named) = named else {
                panic!("{service:?} {code}: {found:?}")
            };
            assert!(
                named.verdict != Verdict::Ok && named.advice.is_some(),
                "{code}: {named:?}"
            );
            harness.faults.clear();
        }
    }
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_doctor_changes_nothing() {
    let harness = Harness::start().await;
    harness.open(request("token")).await;
    harness.settle().await;
    let before = harness.dump().await;
    let found = examined(&harness).await;
    let item = found
        .iter()
        .find(|finding| finding.about == "item")
        .expect("tried");
    assert_eq!(item.verdict, Verdict::Ok, "{item:?}");
    assert_eq!(harness.dump().await, before);
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_aws_doesn_t_give_is_told_with_what_to_do() {
    let harness = Harness::start().await;
    for (service, target, reference) in [
        (
            Service::SecretsManager,
            "secretsmanager",
            "secretsmanager:countersign/master",
        ),
        (Service::Ssm, "AmazonSSM", "ssm:/countersign/master"),
        (Service::Kms, "TrentService", "kms:AQIDBA=="),
    ] {
        for (fault, code, injected) in faults_of(service) {
            harness.faults.next(target, ALL, injected);
            let gathered = gathered(&harness, reference).await;
            let told = gathered
                .read(Runs::Service, &|path| std::fs::read(path))
                .expect_err(code)
                .to_string();
            for part in [
                "\n  master_key: ",
                service.name(),
                code,
                fault.advice,
                "us-east-1",
            ] {
                assert!(told.contains(part), "{code}: no {part} in {told}");
            }
            harness.faults.clear();
        }
    }
    harness.finish().await;
}

/// The tables of docs/OPERATIONS.md.
fn tables() -> String {
    let mut text = String::new();
    for service in std::iter::once(None).chain(Service::ALL.map(Some)) {
        let faults: Vec<&Fault> = faults().filter(|fault| fault.service == service).collect();
        if faults.is_empty() {
            continue;
        }
        let name = service.map_or("Any service", Service::name);
        write!(
            text,
            "\n| {name} says | which is | what becomes of it | what to do |\n| --- | --- | --- | --- |\n"
        )
        .unwrap();
        for fault in faults {
            let codes: Vec<String> = fault.codes.iter().map(|code| format!("`{code}`")).collect();
            let says = fault
                .says
                .map_or_else(String::new, |words| format!(" (“… {words} …”)"));
            let class = match fault.class {
                Class::Again => "again",
                Class::Unclear => "again, in doubt",
                Class::Mend => "mend",
                Class::Refused => "never",
                Class::Closed => "ended",
                Class::Conflict => "conflict",
            };
            writeln!(
                text,
                "| {}{says} | {} | {class} | {} |",
                codes.join(", "),
                fault.means,
                fault.advice
            )
            .unwrap();
        }
    }
    text
}

/// With `UPDATE_DOCUMENTS` set it writes the tables anew.
#[test]
fn operations_md_has_the_table_of_faults() {
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md");
    let document = std::fs::read_to_string(PATH).unwrap();
    let (before, rest) = document
        .split_once("<!-- faults -->\n")
        .expect("where they begin");
    let (tables_there, after) = rest
        .split_once("\n<!-- end of faults -->")
        .expect("where they end");
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        let text = format!(
            "{before}<!-- faults -->\n{}\n<!-- end of faults -->{after}",
            tables()
        );
        std::fs::write(PATH, text).unwrap();
        return;
    }
    assert_eq!(tables_there, tables(), "run this test with UPDATE_DOCUMENTS=1");
}
