//! The App: everything put together once, at the start. AWS's SDKs all get the same HTTP client, sleep and time
//! source from here, and that is the one seam: `demo`, `local` and the tests put a connector to the embedded AWS
//! there, and nothing below knows.

use crate::callbacks::Callbacks;
use crate::config::Config;
use crate::domain::api_key::ApiKeys;
use crate::domain::evidence::EvidenceKey;
use crate::domain::keys::KeyRing;
use crate::domain::signer::Directory;
use crate::durable_functions::DurableFunctions;
use crate::flow::metrics::Metrics;
use crate::flow::watch::Asked;
use crate::flow::{Clock, Flow, Random, Settings, Told};
use crate::intake::Ways;
use crate::mail::Mailer;
use crate::mail::certificates::Certificates;
use crate::queues::Queues;
use crate::state_data::StateData;
use crate::step_functions::StepFunctions;
use crate::store::Store;
use crate::{web, worker};
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch as watched;

/// How long a connection to AWS may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long AWS's answer may take, after the request was sent.
const READ: Duration = Duration::from_secs(5);
/// How long a call may take with all its retries.
const OPERATION: Duration = Duration::from_secs(15);

/// How long a stop may take: a little longer than the longest answer.
const LAST_ANSWERS: Duration = Duration::from_secs(35);

/// A Countersign, ready to run.
#[derive(Debug)]
pub struct App {
    flow: Arc<Flow>,
    told: UnboundedReceiver<Told>,
    ways: Ways,
}

impl App {
    /// Puts a Countersign together: the SDK's configuration says which AWS it speaks to.
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Self {
        let (wake, told) = unbounded_channel();
        let step_functions = StepFunctions::new(aws_sdk_sfn::Client::new(aws));
        let durable_functions = DurableFunctions::new(aws_sdk_lambda::Client::new(aws));
        let state_data = config.state_data.map(|places| {
            let now = clock.clone();
            let dynamodb = aws_sdk_dynamodb::Client::new(aws);
            StateData::new(dynamodb, s3(aws), places, move || now.now().into())
        });
        let flow = Flow {
            store: Store::new(aws_sdk_dynamodb::Client::new(aws), config.table),
            mailer: Mailer::new(
                aws_sdk_sesv2::Client::new(aws),
                config.mail_from,
                config.mail_configuration_set,
            ),
            certificates: Certificates::over_https(),
            callbacks: Callbacks::new(step_functions.clone(), durable_functions),
            step_functions,
            state_data,
            queues: Queues::new(aws_sdk_sqs::Client::new(aws))
                .with_dead_letter_queue(config.ways.dead_letter_queue.as_deref()),
            keys: KeyRing::new(config.master_key, config.older_keys),
            evidence: EvidenceKey::from_seed(&config.evidence_seed),
            started: clock.now(),
            clock,
            random,
            settings: Settings {
                public_url: config.public_url.trim_end_matches('/').to_owned(),
                organisation: config.organisation,
                time_zone: config.time_zone,
                directory: Directory::new(config.people),
                look_every: config.look_every,
                least_heartbeat: 1,
                api_keys: ApiKeys::new(config.api_keys),
                mail_topics: config.mail_topics,
            },
            wake,
            asked: Asked::default(),
            metrics: Metrics::default(),
        };
        Self {
            flow: Arc::new(flow),
            told,
            ways: config.ways,
        }
    }

    /// The same, with SNS's certificates from elsewhere than the web: a mirror, or a test.
    pub fn with_certificates(mut self, certificates: Certificates) -> Self {
        if let Some(flow) = Arc::get_mut(&mut self.flow) {
            flow.certificates = certificates;
        }
        self
    }

    /// The steps, for ways in that aren't HTTP.
    pub fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// The calls of queues.
    pub fn queues(&self) -> Queues {
        self.flow.queues.clone()
    }

    /// How long [`App::run`] may take to end once it is told to: a little longer than the longest answer, or than a poll.
    pub fn longest_stop(&self) -> Duration {
        LAST_ANSWERS.max(self.ways.longest_stop() + READ)
    }

    /// Runs the pages on `listener`, and beside them the worker and the ways in that are polled, until `stop` turns true;
    /// then finishes what was begun.
    pub async fn run(self, listener: TcpListener, stop: watched::Receiver<bool>) -> std::io::Result<()> {
        let router = web::router::router(Arc::clone(&self.flow));
        let ways = tokio::spawn(self.ways.run(Arc::clone(&self.flow), stop.clone()));
        let worker = tokio::spawn(worker::run(self.flow, self.told, stop.clone()));
        let mut web_stop = stop;
        let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
        let served = axum::serve(listener, service)
            .with_graceful_shutdown(async move {
                // An error means that the sender is gone: that is a stop as well.
                let _ = web_stop.wait_for(|stop| *stop).await;
            })
            .await;
        // The worker ends by itself; if it panicked, what it left is due and is taken up by the next one.
        let _ = worker.await;
        let _ = ways.await;
        served
    }

    /// The steps, and what they tell of things that fall due within `told_ahead`: for a process that has no worker
    /// running, but looks after them itself when it is asked. Of heartbeats that can't wait for `least_heartbeat` seconds it
    /// takes none.
    pub fn into_parts(
        mut self,
        told_ahead: SignedDuration,
        least_heartbeat: u32,
    ) -> (Arc<Flow>, UnboundedReceiver<Told>) {
        // Nobody shares it yet.
        if let Some(flow) = Arc::get_mut(&mut self.flow) {
            flow.settings.look_every = told_ahead;
            flow.settings.least_heartbeat = least_heartbeat;
        }
        (self.flow, self.told)
    }

    /// Runs the worker alone, for tests and for processes without pages.
    pub async fn work(self, stop: watched::Receiver<bool>) {
        worker::run(self.flow, self.told, stop).await;
    }
}

/// The SDK's configuration for an AWS that `http_client` leads to, whatever the address: the embedded one. `clock`
/// is what the SDK dates its requests by.
pub fn embedded_aws(http_client: SharedHttpClient, region: &'static str, clock: &Clock) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "embedded");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(ClockSource(clock.clone())))
        .timeout_config(timeouts())
        .build()
}

/// S3. Where an address is given, buckets are named in the path: few stand-ins have a host name for each.
pub fn s3(aws: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(aws).force_path_style(aws.endpoint_url().is_some());
    aws_sdk_s3::Client::from_conf(config.build())
}

/// The SDK's configuration for the AWS that the environment names: region, credentials and, where they are set, the
/// addresses of `AWS_ENDPOINT_URL`.
pub async fn aws_of_environment() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts())
        .load()
        .await
}

/// The time-outs of every call: the SDK has no read or operation time-out of its own.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .operation_timeout(OPERATION)
        .build()
}

#[derive(Debug)]
struct ClockSource(Clock);

impl TimeSource for ClockSource {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}
