//! A Countersign with its AWS, in one process: what `demo`, `local` and the benchmarks are made of. The service is the
//! same as in production; only the HTTP client of its SDKs leads to the embedded AWS.

mod kept;
mod state_data;
mod ways;

use super::Failure;
use super::approvals::approvals;
use super::system::{fill_random, system_clock};
use super::time_travel::Service;
use crate::app::{App, embedded_aws};
use crate::config::Config;
use crate::config::local::Settings;
use crate::domain::api_key::PlainKey;
use crate::domain::keys::MasterKey;
use crate::flow::{Clock, Flow, Random};
use crate::intake::Ways;
use crate::intake::invoke::{Function, direct_invoke};
use aws_config::SdkConfig;
use aws_local::{ApprovalsOf, AwsLocal, FunctionError, Options, TravelClock};
use kept::Keys;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The function that workflows ask for approvals.
pub(crate) const INTAKE: &str = "countersign";
/// The function that completes and withdraws.
pub(crate) const OPERATIONS: &str = "countersign-operations";
/// The function that puts and gets state data for tasks, and stops executions.
pub(crate) const TASK_TOOLS: &str = "countersign-task-tools";

/// A running Countersign with its AWS.
pub struct Embedded {
    /// The embedded AWS.
    pub aws: AwsLocal,
    /// The SDKs' configuration that leads to it.
    pub sdk: SdkConfig,
    /// Where the pages are.
    pub pages: String,
    /// Where the embedded AWS answers other programs.
    pub endpoint: String,
    /// The clock of all of it.
    pub clock: Clock,
    /// A key for the operators' commands, with every scope.
    pub api_key: PlainKey,
    /// Whom executions wait for.
    pub approvals: ApprovalsOf,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<std::io::Result<()>>>,
}

/// What it is started with.
pub struct Start {
    /// Port of the pages; 0 for a free one.
    pub port: u16,
    /// Port of the embedded AWS; 0 for a free one.
    pub aws_port: u16,
    /// Where everything is kept; in memory without.
    pub data: Option<PathBuf>,
    /// Whether its clock may be skipped forwards. One that was stays so far ahead, whatever this says.
    pub time_travel: bool,
    /// Who asks, whom, and what workflows may reach.
    pub settings: Settings,
}

/// Everything put together, but nothing answers yet: the moment to register functions and to create state machines.
pub struct Prepared {
    embedded: Embedded,
    app: App,
    pages: TcpListener,
    aws: TcpListener,
}

impl Embedded {
    /// Starts it, and lets what an earlier run left unfinished go on.
    pub async fn start(start: Start) -> Result<Self, Failure> {
        Self::prepare(start).await?.run().await
    }

    /// Takes its ports (on loopback only: who calls already waits for the answer), makes the table, and registers our
    /// functions.
    pub async fn prepare(start: Start) -> Result<Prepared, Failure> {
        let pages_listener = listen(start.port, "--port").await?;
        let aws_listener = listen(start.aws_port, "--aws-port").await?;
        let pages = address(&pages_listener)?;
        let endpoint = address(&aws_listener)?;

        let random = Random::new(fill_random);
        let keys = Keys::load(start.data.as_deref(), &random)?;
        let real = system_clock();
        let travel =
            TravelClock::open(Arc::new(move || real.now()), start.data.as_deref()).map_err(|error| {
                Failure::usage(format!(
                    "--data: the clock's file in that folder can't be read: {error}"
                ))
            })?;
        let travel = Arc::new(travel);
        let told = Arc::clone(&travel);
        let clock = Clock::new(move || told.now());
        let now = clock.clone();
        let service = Arc::new(OnceLock::new());
        let approvals = approvals(Arc::clone(&service));
        let options = Options {
            data: start.data.map(|folder| folder.join("aws")),
            clock: Arc::new(move || now.now()),
            randomness: Arc::new(fill_random),
            http_tasks: start.settings.http_tasks.clone(),
            approvals: Some(Arc::clone(&approvals)),
        };
        let aws = AwsLocal::start(options)
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;
        aws.served_at(&endpoint);
        if let Some(runner) = &start.settings.durable_runner {
            aws.hand_durable_executions_to(runner);
        }
        let sdk = embedded_aws(aws.http_client(), aws_local::REGION, &clock);
        let Keys {
            master,
            evidence,
            api,
        } = keys;
        let ways = ways::make(&sdk, &start.settings).await?;
        let config = config(&pages, start.settings, ways, master, evidence, &api);
        make_mail_identity(&sdk, address_in(&config.mail_from)).await?;
        if let Some(places) = &config.state_data {
            state_data::make(&sdk, places).await?;
        }

        let app = App::new(config, &sdk, clock.clone(), random);
        let flow = app.flow();
        // Set once: it was made a moment ago.
        let _ = service.set(Arc::clone(&flow));
        flow.store
            .create_table()
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;
        register_functions(&aws, &flow);
        if start.time_travel {
            aws.let_time_travel(travel, Some(Box::new(Service::new(Arc::clone(&flow)))));
        }
        Ok(Prepared {
            embedded: Self {
                aws,
                sdk,
                pages,
                endpoint,
                clock,
                api_key: api,
                approvals,
                stop: watch::Sender::new(false),
                servers: Vec::new(),
            },
            app,
            pages: pages_listener,
            aws: aws_listener,
        })
    }

    /// Finishes what was begun and stops.
    pub async fn stop(self) {
        // Nobody listens any more when the servers have ended by themselves.
        let _ = self.stop.send(true);
        for server in self.servers {
            // An idle browser may keep a connection open for ever.
            let _ = tokio::time::timeout(Duration::from_secs(3), server).await;
        }
        self.aws.stop().await;
    }
}

impl Prepared {
    /// What was put together, to add to.
    pub fn embedded(&self) -> &Embedded {
        &self.embedded
    }

    /// Lets executions go on that an earlier run left unfinished, and answers from now on.
    pub async fn run(self) -> Result<Embedded, Failure> {
        let mut embedded = self.embedded;
        embedded
            .aws
            .resume()
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;
        let (aws, mut stopped) = (embedded.aws.clone(), embedded.stop.subscribe());
        let served = tokio::spawn(async move {
            let stopped = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            aws.serve(self.aws, stopped).await
        });
        let pages = self.app.run(self.pages, embedded.stop.subscribe());
        embedded.servers = vec![served, tokio::spawn(pages)];
        Ok(embedded)
    }
}

/// The ARN of a function of the embedded AWS.
pub(crate) fn function_arn(name: &str) -> String {
    format!(
        "arn:aws:lambda:{}:{}:function:{name}",
        aws_local::REGION,
        aws_local::ACCOUNT
    )
}

async fn listen(port: u16, option: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| {
            Failure::usage(format!(
                "can't listen on 127.0.0.1:{port} ({error}); choose another with {option}, 0 for a free one"
            ))
        })
}

fn address(listener: &TcpListener) -> Result<String, Failure> {
    let address = listener
        .local_addr()
        .map_err(|error| Failure::failed(error.to_string()))?;
    Ok(format!("http://{address}"))
}

fn config(
    pages: &str,
    settings: Settings,
    ways: Ways,
    master_key: MasterKey,
    evidence_seed: [u8; 32],
    api_key: &PlainKey,
) -> Config {
    Config {
        public_url: pages.to_owned(),
        organisation: settings.organisation,
        time_zone: settings.time_zone,
        // Not the usual name: whoever tries `countersign setup` and `serve` here has a table of their own.
        table: "countersign-local".to_owned(),
        mail_from: settings.mail_from,
        mail_configuration_set: None,
        mail_topics: Vec::new(),
        people: settings.people,
        look_every: jiff::SignedDuration::from_secs(1),
        master_key,
        older_keys: Vec::new(),
        evidence_seed,
        api_keys: vec![kept::configured(api_key)],
        state_data: Some(settings.state_data),
        ways,
    }
}

/// The address in `Name <address>`.
fn address_in(mail_from: &str) -> &str {
    match mail_from.rsplit_once('<') {
        Some((_, address)) => address.trim_end_matches('>'),
        None => mail_from,
    }
}

/// SES takes mails only from an identity that it knows: makes it one, where it isn't yet.
pub(crate) async fn make_mail_identity(sdk: &SdkConfig, identity: &str) -> Result<(), Failure> {
    let ses = aws_sdk_sesv2::Client::new(sdk);
    match ses.create_email_identity().email_identity(identity).send().await {
        Ok(_) => Ok(()),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(aws_sdk_sesv2::operation::create_email_identity::CreateEmailIdentityError::is_already_exists_exception) =>
        {
            Ok(())
        }
        Err(error) => {
            let shown = aws_sdk_sesv2::error::DisplayErrorContext(&error).to_string();
            Err(Failure::failed(format!("the mail identity {identity} could not be made: {shown}")))
        }
    }
}

fn register_functions(aws: &AwsLocal, flow: &Arc<Flow>) {
    for (name, function) in [
        (INTAKE, Function::Intake),
        (OPERATIONS, Function::Operations),
        (TASK_TOOLS, Function::TaskTools),
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
