//! A workflow that asks Bob, and Bob: he reads his mail, opens the page over HTTP and signs.

use aws_config::SdkConfig;
use aws_local::AwsLocal;
use aws_sdk_sfn::types::ExecutionStatus;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) const DEFINITION: &str = r#"{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "End": true,
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "countersign", "Payload": {
        "taskToken.$": "$$.Task.Token", "title": "Release to production",
        "signers": [{"name": "Bob", "email.$": "$.email"}],
        "execution": {"arn.$": "$$.Execution.Id", "enteredTime.$": "$$.State.EnteredTime"}}}}}}"#;

pub(crate) struct World {
    aws: AwsLocal,
    sfn: aws_sdk_sfn::Client,
    browser: Client<HttpConnector, Full<Bytes>>,
    machine: String,
    count: AtomicUsize,
}

/// How long what Bob waits for took.
#[derive(Clone, Copy)]
pub(crate) struct Life {
    pub(crate) page: Duration,
    pub(crate) post_to_end: Duration,
}

impl World {
    /// Creates the workflow in that AWS.
    pub(crate) async fn new(aws: AwsLocal, sdk: &SdkConfig) -> Self {
        let sfn = aws_sdk_sfn::Client::new(sdk);
        let create = sfn.create_state_machine().name("bench").definition(DEFINITION);
        let machine = create
            .role_arn("arn:aws:iam::123456789012:role/bench")
            .send()
            .await
            .unwrap()
            .state_machine_arn;
        Self {
            aws,
            sfn,
            browser: Client::builder(TokioExecutor::new()).build_http(),
            machine,
            count: AtomicUsize::new(0),
        }
    }

    /// A workflow from its start to its end.
    pub(crate) async fn life(&self) -> Life {
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
            if let Some(mail) = self.aws.mails_to(email).pop() {
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
