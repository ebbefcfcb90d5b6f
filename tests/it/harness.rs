//! A Countersign with its AWS, in memory and in virtual time. The code under test is the real one, over the real SDKs;
//! between them and the embedded AWS stands [`Faults`], which can lose, delay and replace answers.
//!
//! [`Harness::finish`] proves that a test leaves nothing undone.

use aws_config::SdkConfig;
use aws_local::{AwsLocal, FunctionError, Mail, Options};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use countersign::app::{App, embedded_aws};
use countersign::config::Config;
use countersign::domain::approval::Approval;
use countersign::domain::evidence::EvidenceKey;
use countersign::domain::ids::ApprovalId;
use countersign::domain::keys::MasterKey;
use countersign::domain::signer::Person;
use countersign::flow::{Clock, Flow, Random};
use countersign::intake::Ways;
use countersign::intake::invoke::{Function, direct_invoke};
use countersign::state_data::Places;
use countersign::worker;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const PUBLIC_URL: &str = "https://sign.example.com";

pub(crate) struct Harness {
    pub(crate) aws: AwsLocal,
    pub(crate) sdk: SdkConfig,
    pub(crate) flow: Arc<Flow>,
    pub(crate) faults: Faults,
    pub(crate) clock: Clock,
    stop: watch::Sender<bool>,
    worker: JoinHandle<()>,
}

impl Harness {
    /// Starts everything, with a worker.
    pub(crate) async fn start() -> Self {
        Self::start_as(config()).await
    }

    /// Starts everything, with a place for state data. Neither table nor bucket is there yet.
    pub(crate) async fn start_with_state_data(places: Places) -> Self {
        let state_data = Some(places);
        Self::start_as(Config {
            state_data,
            ..config()
        })
        .await
    }

    /// Starts everything, with this configuration of the ways in. Nothing is polled.
    pub(crate) async fn start_with(ways: Ways) -> Self {
        Self::start_as(Config { ways, ..config() }).await
    }

    async fn start_as(config: Config) -> Self {
        let clock = virtual_clock();
        let (now, random) = (clock.clone(), Random::new(counting_random()));
        let mut options = Options::in_memory(move || now.now());
        options.randomness = Arc::new(counting_random());
        let aws = AwsLocal::start(options).await.expect("in memory");
        let faults = Faults::default();
        let sdk = embedded_aws(faults.between(aws.http_client()), aws_local::REGION, &clock);
        aws_sdk_sesv2::Client::new(&sdk)
            .create_email_identity()
            .email_identity("countersign@example.com")
            .send()
            .await
            .expect("an identity");
        let app = App::new(config, &sdk, clock.clone(), random).with_certificates(super::sns::certificates());
        let flow = app.flow();
        flow.store.create_table().await.expect("a table");
        register_functions(&aws, &flow);
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(app.work(stopped));
        Self {
            aws,
            sdk,
            flow,
            faults,
            clock,
            stop,
            worker,
        }
    }

    /// One more process over the same AWS, that nothing runs in yet.
    pub(crate) fn another_app(&self, ways: Ways) -> App {
        let config = Config { ways, ..config() };
        let random = Random::new(counting_random());
        App::new(config, &self.sdk, self.clock.clone(), random).with_certificates(super::sns::certificates())
    }

    /// Starts `workflow` (its Bob asks Countersign with `payload`, into which the token is put) and gives its ARN.
    pub(crate) async fn start_workflow(&self, payload: &Value) -> String {
        self.start_machine(&approval_machine(payload, json!({})), "{}")
            .await
    }

    /// Creates a state machine and starts it once.
    pub(crate) async fn start_machine(&self, definition: &Value, input: &str) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("machine-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let sfn = self.sfn();
        let machine = sfn
            .create_state_machine()
            .name(name)
            .definition(definition.to_string())
            .role_arn("arn:aws:iam::123456789012:role/test")
            .send()
            .await
            .expect("a valid definition");
        let started = sfn
            .start_execution()
            .state_machine_arn(machine.state_machine_arn)
            .input(input)
            .send()
            .await;
        started.expect("started").execution_arn
    }

    pub(crate) fn sfn(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.sdk)
    }

    /// The execution's status, and its output or its error and cause.
    pub(crate) async fn result(&self, execution: &str) -> (String, Value) {
        let ended = self
            .sfn()
            .describe_execution()
            .execution_arn(execution)
            .send()
            .await
            .expect("it exists");
        let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        let result = match ended.output() {
            Some(output) => json(output),
            None => json!({"error": ended.error(), "cause": ended.cause().map(json)}),
        };
        (ended.status.as_str().to_owned(), result)
    }

    /// The execution's result once it has ended, at most a (virtual) minute from now.
    pub(crate) async fn ended(&self, execution: &str) -> (String, Value) {
        for _ in 0..600 {
            let (status, result) = self.result(execution).await;
            if status != "RUNNING" {
                return (status, result);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("still running after a minute");
    }

    /// Invokes one of Countersign's functions, as a program would.
    pub(crate) async fn invoke(&self, function: Function, event: Value) -> Result<Value, (String, String)> {
        direct_invoke(&self.flow, function, &event)
            .await
            .map_err(|error| (error.error_type.to_owned(), error.message))
    }

    /// Takes a request in and gives its id.
    pub(crate) async fn open(&self, request: Value) -> ApprovalId {
        let opened = self.invoke(Function::Intake, request).await.expect("taken in");
        ApprovalId::parse(opened["requestId"].as_str().expect("an id")).expect("an id")
    }

    /// The first mail to `address`, at most a (virtual) minute from now.
    pub(crate) async fn first_mail(&self, address: &str) -> Mail {
        for _ in 0..600 {
            if let Some(mail) = self.aws.mails_to(address).pop() {
                return mail;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no mail to {address} within a minute");
    }

    /// The link in the first mail to `address`, without the host.
    pub(crate) async fn link(&self, address: &str) -> String {
        path_of_link(&self.first_mail(address).await)
    }

    pub(crate) async fn approval(&self, id: ApprovalId) -> Approval {
        self.flow
            .store
            .load(id)
            .await
            .expect("readable")
            .approval()
            .expect("complete")
    }

    /// The one approval that there is.
    pub(crate) async fn only_approval(&self) -> Approval {
        let ids = self.approval_ids().await;
        let [id] = ids[..] else {
            panic!("{} approvals", ids.len())
        };
        self.approval(id).await
    }

    /// Of everything that has become an approval.
    pub(crate) async fn approval_ids(&self) -> Vec<ApprovalId> {
        let items = self.dump().await;
        let states = items.iter().filter(|item| item["sk"] == "S");
        states
            .map(|item| ApprovalId::parse(&item["pk"].as_str().expect("text")[2..]).expect("an id"))
            .collect()
    }

    /// The subjects of all mails, the newest first.
    pub(crate) fn subjects(&self) -> Vec<String> {
        self.aws.mails().into_iter().map(|mail| mail.subject).collect()
    }

    /// Everything in the table.
    pub(crate) async fn dump(&self) -> Vec<Value> {
        let client = aws_sdk_dynamodb::Client::new(&self.sdk);
        let mut items = Vec::new();
        let mut pages = client
            .scan()
            .table_name("countersign")
            .into_paginator()
            .items()
            .send();
        while let Some(item) = pages.next().await {
            let plain = item.expect("readable").into_iter().map(|(name, value)| {
                let value = value
                    .as_s()
                    .map_or_else(|_| value.as_n().expect("S or N").clone(), Clone::clone);
                (name, json!(value))
            });
            items.push(Value::Object(plain.collect()));
        }
        items
    }

    /// Lets virtual time pass, with everything that falls due.
    pub(crate) async fn pass(&self, time: SignedDuration) {
        tokio::time::sleep(time.unsigned_abs()).await;
        self.settle().await;
    }

    /// Waits until nothing is due.
    pub(crate) async fn settle(&self) {
        for _ in 0..100 {
            // Receipts wait for three seconds.
            tokio::time::sleep(Duration::from_millis(3500)).await;
            if worker::due_now(&self.flow).await.expect("readable").is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        panic!("still due: {:?}", worker::due_now(&self.flow).await);
    }

    /// Ends the test: nothing may be left undone. Due items that lie ahead (a reminder, a deadline of a pending
    /// request) are fine; a callback on its way or a mail unsent is not.
    pub(crate) async fn finish(self) {
        self.settle().await;
        for item in self.dump().await {
            let due = item["due_at"]
                .as_str()
                .map(|at| at.parse::<i64>().expect("a number"));
            if item["sk"] == "S"
                && !item["json"]
                    .as_str()
                    .expect("text")
                    .contains(r#""state":{"is":"pending""#)
            {
                assert_eq!(due, None, "an ended request has something due: {item}");
            }
            assert!(
                due.is_none_or(|due| due > self.clock.now().as_millisecond()),
                "overdue: {item}"
            );
        }
        for approval in self.approvals().await {
            let key = EvidenceKey::from_seed(&EVIDENCE_SEED);
            let head = &approval.record.evidence;
            countersign::domain::evidence::verify(approval.id, &approval.events, head, key.public_key())
                .expect("evidence verifies");
        }
        assert_eq!(self.aws.activity().await.invocations, 0, "a function still runs");
        self.stop.send(true).expect("the worker runs");
        self.worker.await.expect("the worker ends without a panic");
        self.aws.stop().await;
    }

    async fn approvals(&self) -> Vec<Approval> {
        let mut approvals = Vec::new();
        for item in self.dump().await {
            if item["sk"] == "S" {
                let id = ApprovalId::parse(&item["pk"].as_str().expect("text")[2..]).expect("an id");
                approvals.push(self.approval(id).await);
            }
        }
        approvals
    }
}

const EVIDENCE_SEED: [u8; 32] = [42; 32];

fn config() -> Config {
    let person = |name: &str| Person {
        name: name.to_owned(),
        email: Some(format!("{}@example.com", name.to_lowercase())),
    };
    Config {
        public_url: PUBLIC_URL.to_owned(),
        organisation: "Example Ltd".to_owned(),
        time_zone: "UTC".to_owned(),
        table: "countersign".to_owned(),
        mail_from: "Countersign <countersign@example.com>".to_owned(),
        mail_configuration_set: Some("countersign".to_owned()),
        mail_topics: vec![super::sns::TOPIC.to_owned()],
        people: vec![person("Bob"), person("Alice")],
        look_every: SignedDuration::from_mins(10),
        master_key: MasterKey::new(1, [7; 32]),
        older_keys: Vec::new(),
        evidence_seed: EVIDENCE_SEED,
        api_keys: super::api::keys(),
        state_data: None,
        ways: Ways::default(),
    }
}

/// A clock that follows tokio's, so that it can be paused and jumps with it.
fn virtual_clock() -> Clock {
    let began = tokio::time::Instant::now();
    let epoch: Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
    Clock::new(move || epoch + SignedDuration::try_from(began.elapsed()).expect("within bounds"))
}

/// Bytes that differ each time and are the same in each run.
fn counting_random() -> impl Fn(&mut [u8]) + Send + Sync {
    let count = AtomicU64::new(1);
    move |bytes| {
        let mut state = count.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        for byte in bytes {
            // SplitMix64, a byte at a time.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = mixed.to_be_bytes()[1] ^ mixed.to_be_bytes()[5];
        }
    }
}

fn register_functions(aws: &AwsLocal, flow: &Arc<Flow>) {
    for (name, function) in [
        ("countersign", Function::Intake),
        ("countersign-operations", Function::Operations),
        ("countersign-task-tools", Function::TaskTools),
    ] {
        let flow = Arc::clone(flow);
        aws.register_function(
            name,
            aws_local::function(move |invocation| {
                let flow = Arc::clone(&flow);
                async move {
                    direct_invoke(&flow, function, &invocation.payload)
                        .await
                        .map_err(|error| FunctionError::new(error.error_type, error.message))
                }
            }),
        );
    }
}

/// A machine of one state that asks Countersign with `payload`, to which token and execution are added. `more` is
/// put into the state.
pub(crate) fn approval_machine(payload: &Value, more: Value) -> Value {
    let mut payload = payload.clone();
    payload["taskToken.$"] = json!("$$.Task.Token");
    payload["execution"] = json!({"arn.$": "$$.Execution.Id", "enteredTime.$": "$$.State.EnteredTime"});
    let mut state = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "countersign", "Payload": payload},
        "End": true
    });
    if let (Value::Object(state), Value::Object(more)) = (&mut state, more) {
        state.extend(more);
    }
    json!({"StartAt": "Ask", "States": {"Ask": state}})
}

/// A request to Bob; without a token.
pub(crate) fn ask_bob() -> Value {
    json!({"title": "Release to production", "signers": [{"name": "Bob", "email": "bob@example.com"}]})
}

/// The same with a token, as a workflow sends it.
pub(crate) fn request(token: &str) -> Value {
    let mut request = ask_bob();
    request["taskToken"] = json!(token);
    request
}

/// The path of the link in a mail: the line of the text part that is an address of ours.
pub(crate) fn path_of_link(mail: &Mail) -> String {
    let text = mail.text.as_deref().expect("a text part");
    let link = text
        .lines()
        .find(|line| line.starts_with(PUBLIC_URL))
        .expect("a link alone on a line");
    link[PUBLIC_URL.len()..].to_owned()
}

/// What happens to calls on their way to AWS: each rule is for an operation and for so many calls of it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Faults(Arc<Mutex<Vec<Rule>>>);

#[derive(Clone, Debug)]
struct Rule {
    operation: &'static str,
    calls: usize,
    fault: Fault,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The call never arrives.
    Lost,
    /// The call takes effect, and its answer never arrives.
    AnswerLost,
    /// AWS refuses with this status and code.
    Refused(u16, &'static str),
    /// The call never arrives, and nobody says so.
    Slow,
}

impl Faults {
    /// The next `calls` calls of `operation` meet `fault`. Instead of an operation, a service: all calls of it, by the
    /// name in `X-Amz-Target` (`DynamoDB_20120810`, `AWSStepFunctions`, `AmazonSQS`) or else `SES`, `STS` or `Lambda`.
    pub(crate) fn next(&self, operation: &'static str, calls: usize, fault: Fault) {
        self.0.lock().expect("no panic").push(Rule {
            operation,
            calls,
            fault,
        });
    }

    /// No more faults.
    pub(crate) fn clear(&self) {
        self.0.lock().expect("no panic").clear();
    }

    /// How many calls of the rules are still to come.
    pub(crate) fn left(&self) -> usize {
        self.0
            .lock()
            .expect("no panic")
            .iter()
            .map(|rule| rule.calls)
            .sum()
    }

    fn between(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(FaultyClient {
            inner,
            faults: self.clone(),
        })
    }

    fn take(&self, request: &HttpRequest) -> Option<Fault> {
        let target = request
            .headers()
            .get("x-amz-target")
            .and_then(|target| target.rsplit_once('.'));
        let uri = request.uri();
        let (service, operation) = match target {
            Some(both) => both,
            None if uri.contains("/v2/email/outbound-emails") => ("SES", "SendEmail"),
            None if uri.contains("/v2/email/") => ("SES", "another"),
            None if uri.contains("sts.") => ("STS", "another"),
            None if request.method() == "PUT" && !uri.contains("/2025-12-01/") => ("S3", "PutObject"),
            None => ("Lambda", durable_operation(uri)?),
        };
        let mut rules = self.0.lock().expect("no panic");
        let rule = rules
            .iter_mut()
            .find(|rule| [service, operation].contains(&rule.operation) && rule.calls > 0)?;
        rule.calls -= 1;
        Some(rule.fault)
    }
}

/// Lambda's operations about durable executions are named by their paths.
fn durable_operation(uri: &str) -> Option<&'static str> {
    let (path, _) = uri.split_once('?').unwrap_or((uri, ""));
    let what = path.split_once("/2025-12-01/")?.1;
    match what.rsplit_once('/')?.1 {
        "succeed" => Some("SendDurableExecutionCallbackSuccess"),
        "fail" => Some("SendDurableExecutionCallbackFailure"),
        "heartbeat" => Some("SendDurableExecutionCallbackHeartbeat"),
        "history" => Some("GetDurableExecutionHistory"),
        _ => Some("GetDurableExecution"),
    }
}

#[derive(Debug)]
struct FaultyClient {
    inner: SharedHttpClient,
    faults: Faults,
}

impl HttpClient for FaultyClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(FaultyConnector {
            inner,
            faults: self.faults.clone(),
        })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    inner: SharedHttpConnector,
    faults: Faults,
}

/// How long a call is under way, each way: so that calls made at the same time meet each other.
const LATENCY: Duration = Duration::from_millis(1);

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (fault, inner) = (self.faults.take(&request), self.inner.clone());
        let kind = request.headers().get("content-type").unwrap_or_default();
        let xml = kind == "application/x-www-form-urlencoded";
        let lost = || ConnectorError::io(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(LATENCY).await;
            let answer = match fault {
                None => inner.call(request).await,
                Some(Fault::Lost) => Err(lost()),
                Some(Fault::AnswerLost) => inner.call(request).await.and_then(|_| Err(lost())),
                Some(Fault::Refused(status, code)) => Ok(refusal(status, code, xml)),
                Some(Fault::Slow) => std::future::pending().await,
            };
            tokio::time::sleep(LATENCY).await;
            answer
        })
    }
}

fn refusal(status: u16, code: &'static str, xml: bool) -> HttpResponse {
    let message = format!("{code}, says the test");
    let body = if xml {
        format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
    } else {
        json!({"__type": code, "message": message}).to_string()
    };
    let status = StatusCode::try_from(status).expect("a status");
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}
