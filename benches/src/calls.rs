//! What one approval asks of AWS: its calls, the read and write units that they use up by DynamoDB's rules, and how long
//! the embedded AWS takes for each. One signer, evidence, no conflict. The worker's looks into its index, which are the
//! same however many approvals there are, are left out.

use crate::world::World;
use aws_local::{AwsLocal, FunctionError, Options, function};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use countersign::app::{App, embedded_aws};
use countersign::config::Config;
use countersign::domain::keys::MasterKey;
use countersign::flow::{Clock, Flow, Random};
use countersign::intake::Ways;
use countersign::intake::invoke::{Function, direct_invoke};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// How many lives are counted.
const LIVES: u32 = 100;

/// Prints a row for each kind of call, and the sums.
pub(crate) async fn print() {
    let counted = Counted::default();
    let (world, running) = start(&counted).await;
    world.life().await;
    settled(&counted).await;
    counted.0.lock().unwrap().clear();
    for _ in 0..LIVES {
        world.life().await;
    }
    settled(&counted).await;
    running.abort();

    println!("\nWhat one approval asks of AWS (a mean of {LIVES}; one signer, with evidence)");
    println!("                                     calls   write units   read units   µs a call in AWS");
    let of_one = |n: f64| n / f64::from(LIVES);
    let (mut writes, mut reads, mut lookups) = (0.0, 0.0, 0.0);
    for (operation, row) in counted.0.lock().unwrap().iter() {
        println!(
            "{operation:<36} {:>6.2}   {:>11.1}   {:>10.1}   {:>16.0}",
            of_one(f64::from(row.calls)),
            of_one(row.write_units),
            of_one(row.read_units),
            row.took.as_secs_f64() * 1e6 / f64::from(row.calls),
        );
        writes += of_one(row.write_units);
        reads += of_one(row.read_units);
        lookups += of_one(f64::from(row.lookups));
    }
    println!("together: {writes:.1} write units ({lookups:.1} of them lookup items), {reads:.1} read units");
}

/// Waits until nothing is asked of AWS any more, but for the worker's looks.
async fn settled(counted: &Counted) {
    let calls = || {
        let rows = counted.0.lock().unwrap();
        rows.values().map(|row| row.calls).sum::<u32>()
    };
    loop {
        let before = calls();
        // Longer than a receipt waits.
        tokio::time::sleep(Duration::from_secs(4)).await;
        if calls() == before {
            return;
        }
    }
}

async fn start(counted: &Counted) -> (World, tokio::task::JoinHandle<std::io::Result<()>>) {
    let began = (
        Instant::now(),
        "2026-11-21T09:00:00Z".parse::<jiff::Timestamp>().unwrap(),
    );
    let clock = Clock::new(move || began.1 + jiff::SignedDuration::try_from(began.0.elapsed()).unwrap());
    let now = clock.clone();
    let aws = AwsLocal::start(Options::in_memory(move || now.now()))
        .await
        .unwrap();
    let plain = embedded_aws(aws.http_client(), aws_local::REGION, &clock);
    let identity = aws_sdk_sesv2::Client::new(&plain).create_email_identity();
    identity
        .email_identity("countersign@example.com")
        .send()
        .await
        .unwrap();
    let sdk = embedded_aws(counted.around(aws.http_client()), aws_local::REGION, &clock);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pages = format!("http://{}", listener.local_addr().unwrap());
    let random = Random::new(|bytes| getrandom::fill(bytes).unwrap());
    let app = App::new(config(pages), &sdk, clock, random);
    app.flow().store.create_table().await.unwrap();
    register(&aws, app.flow());
    let world = World::new(aws, &plain).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(async move {
        let ended = app.run(listener, stopped).await;
        drop(stop);
        ended
    });
    (world, running)
}

fn config(pages: String) -> Config {
    Config {
        public_url: pages,
        organisation: "Example Ltd".to_owned(),
        time_zone: "UTC".to_owned(),
        table: "countersign".to_owned(),
        mail_from: "Countersign <countersign@example.com>".to_owned(),
        mail_configuration_set: None,
        mail_topics: Vec::new(),
        people: Vec::new(),
        look_every: jiff::SignedDuration::from_secs(10),
        master_key: MasterKey::new(1, [7; 32]),
        older_keys: Vec::new(),
        evidence_seed: [42; 32],
        api_keys: Vec::new(),
        state_data: None,
        ways: Ways::default(),
    }
}

fn register(aws: &AwsLocal, flow: Arc<Flow>) {
    let intake = function(move |invocation| {
        let flow = Arc::clone(&flow);
        async move {
            let opened = direct_invoke(&flow, Function::Intake, &invocation.payload).await;
            opened.map_err(|error| FunctionError::new(error.error_type, error.message))
        }
    });
    aws.register_function("countersign", intake);
}

#[derive(Default)]
struct Row {
    calls: u32,
    write_units: f64,
    read_units: f64,
    lookups: u32,
    took: Duration,
}

/// Stands between the SDKs and the embedded AWS, and counts.
#[derive(Clone, Default)]
struct Counted(Arc<Mutex<BTreeMap<String, Row>>>);

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counted")
    }
}

impl Counted {
    fn around(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(CountingClient {
            inner,
            counted: self.clone(),
        })
    }

    /// Adds a call; `asked` and `answered` are DynamoDB's JSON, null for other services.
    fn add(&self, operation: String, asked: &Value, answered: &Value, took: Duration) {
        let units: f64 = match &answered["ConsumedCapacity"] {
            Value::Array(by_table) => by_table
                .iter()
                .filter_map(|table| table["CapacityUnits"].as_f64())
                .sum(),
            of_table => of_table["CapacityUnits"].as_f64().unwrap_or(0.0),
        };
        let puts = asked["RequestItems"]
            .as_object()
            .into_iter()
            .flat_map(|tables| tables.values());
        let lookups = puts
            .flat_map(|puts| puts.as_array().into_iter().flatten())
            .filter(|put| {
                let pk = put["PutRequest"]["Item"]["pk"]["S"].as_str().unwrap_or_default();
                pk.starts_with("L#")
            });
        let lookups = u32::try_from(lookups.count()).unwrap();
        let mut rows = self.0.lock().unwrap();
        let row = rows.entry(operation.clone()).or_default();
        row.calls += 1;
        row.lookups += lookups;
        row.took += took;
        if operation.ends_with("Query") || operation.ends_with("GetItem") {
            row.read_units += units;
        } else {
            row.write_units += units;
        }
    }
}

#[derive(Debug)]
struct CountingClient {
    inner: SharedHttpClient,
    counted: Counted,
}

impl HttpClient for CountingClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(CountingConnector {
            inner: self.inner.http_connector(settings, components),
            counted: self.counted.clone(),
        })
    }
}

#[derive(Debug)]
struct CountingConnector {
    inner: SharedHttpConnector,
    counted: Counted,
}

impl HttpConnector for CountingConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let target = request
            .headers()
            .get("x-amz-target")
            .unwrap_or("SendEmail")
            .to_owned();
        let mut asked = Value::Null;
        if target.starts_with("DynamoDB") {
            asked = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            asked["ReturnConsumedCapacity"] = json!("TOTAL");
            *request.body_mut() = SdkBody::from(asked.to_string());
        }
        let (inner, counted) = (self.inner.clone(), self.counted.clone());
        HttpConnectorFuture::new(async move {
            let began = Instant::now();
            let answer = inner.call(request).await?;
            let took = began.elapsed();
            let is_look = asked["IndexName"] == "due";
            if !is_look {
                let answered = answer
                    .body()
                    .bytes()
                    .and_then(|body| serde_json::from_slice(body).ok());
                counted.add(target, &asked, &answered.unwrap_or_default(), took);
            }
            Ok(answer)
        })
    }
}
