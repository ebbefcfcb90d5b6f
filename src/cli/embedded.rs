//! A Countersign with its AWS, in one process: what `demo` and the benchmarks are made of. The service is the same as in production; only
//! the HTTP client of its SDKs leads to the embedded AWS.

use super::Failure;
use super::approvals::approvals;
use super::system::{fill_random, system_clock};
use crate::app::{App, embedded_aws};
use crate::config::Config;
use crate::domain::keys::MasterKey;
use crate::domain::signer::Person;
use crate::flow::{Clock, Flow, Random};
use crate::samples;
use crate::web::intake::{Function, direct_invoke};
use aws_config::SdkConfig;
use aws_local::{AwsLocal, FunctionError, Options};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The function that workflows ask for approvals.
pub(crate) const INTAKE: &str = "countersign";
/// The function that completes and withdraws.
pub(crate) const OPERATIONS: &str = "countersign-operations";
/// The sample's function: Alice's signature.
pub(crate) const SIGN_DOCUMENT: &str = "sign-document";
/// What mails are sent from.
const MAIL_FROM: &str = "countersign@example.com";

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
}

impl Embedded {
    /// Starts it: listens on loopback only, makes the table, registers the functions, and lets what an earlier run
    /// left unfinished go on.
    pub async fn start(start: Start) -> Result<Self, Failure> {
        let pages_listener = listen(start.port, "--port").await?;
        let aws_listener = listen(start.aws_port, "--aws-port").await?;
        let pages = address(&pages_listener)?;
        let endpoint = address(&aws_listener)?;

        let clock = system_clock();
        let random = Random::new(fill_random);
        let keys = Keys::load(start.data.as_deref(), &random)?;
        let now = clock.clone();
        let service = Arc::new(OnceLock::new());
        let options = Options {
            data: start.data.map(|folder| folder.join("aws")),
            clock: Arc::new(move || now.now()),
            randomness: Arc::new(fill_random),
            http_tasks: Vec::new(),
            approvals: Some(approvals(Arc::clone(&service))),
        };
        let aws = AwsLocal::start(options)
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;
        let sdk = embedded_aws(aws.http_client(), aws_local::REGION, &clock);
        prepare_mail(&sdk).await?;

        let app = App::new(config(&pages, keys), &sdk, clock.clone(), random);
        let flow = app.flow();
        // Set once: it was made a moment ago.
        let _ = service.set(Arc::clone(&flow));
        flow.store
            .create_table()
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;
        register_functions(&aws, &flow);
        aws.resume()
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;

        let (stop, stopped) = watch::channel(false);
        let served = {
            let (aws, mut stopped) = (aws.clone(), stopped.clone());
            tokio::spawn(async move {
                let stopped = async move {
                    let _ = stopped.wait_for(|stop| *stop).await;
                };
                aws.serve(aws_listener, stopped).await
            })
        };
        let servers = vec![served, tokio::spawn(app.run(pages_listener, stopped))];
        Ok(Self {
            aws,
            sdk,
            pages,
            endpoint,
            clock,
            stop,
            servers,
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

fn config(pages: &str, keys: Keys) -> Config {
    Config {
        public_url: pages.to_owned(),
        organisation: "Example Ltd".to_owned(),
        time_zone: jiff::tz::TimeZone::system()
            .iana_name()
            .unwrap_or("UTC")
            .to_owned(),
        table: "countersign".to_owned(),
        mail_from: format!("Countersign <{MAIL_FROM}>"),
        people: vec![Person {
            name: "Bob".to_owned(),
            email: Some("bob@example.com".to_owned()),
        }],
        look_every: jiff::SignedDuration::from_secs(1),
        master_key: keys.master,
        older_keys: Vec::new(),
        evidence_seed: keys.evidence,
        api_keys: Vec::new(),
    }
}

/// SES takes mails only from an identity that it knows.
async fn prepare_mail(sdk: &SdkConfig) -> Result<(), Failure> {
    let ses = aws_sdk_sesv2::Client::new(sdk);
    match ses.create_email_identity().email_identity(MAIL_FROM).send().await {
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
            Err(Failure::failed(format!(
                "the embedded mail service could not be prepared: {shown}"
            )))
        }
    }
}

fn register_functions(aws: &AwsLocal, flow: &Arc<Flow>) {
    for name in samples::NAMES {
        if let Some(function) = samples::builtin(name) {
            aws.register_function(name, function);
        }
    }
    for (name, function) in [(INTAKE, Function::Intake), (OPERATIONS, Function::Operations)] {
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

/// The keys: made once, kept beside the data.
struct Keys {
    master: MasterKey,
    evidence: [u8; 32],
}

impl Keys {
    fn load(data: Option<&Path>, random: &Random) -> Result<Self, Failure> {
        let (master, evidence) = match data {
            None => (random.bytes(), random.bytes()),
            Some(folder) => {
                let unusable =
                    |error: std::io::Error| Failure::usage(format!("--data {}: {error}", folder.display()));
                std::fs::create_dir_all(folder).map_err(unusable)?;
                let key = |name| key_file(&folder.join(name), random).map_err(unusable);
                (key("master.key")?, key("evidence.key")?)
            }
        };
        Ok(Self {
            master: MasterKey::new(1, master),
            evidence,
        })
    }
}

/// Reads a key, or makes one that only its owner can read. Written whole or not at all: a process that dies here
/// leaves no half a key.
fn key_file(path: &Path, random: &Random) -> std::io::Result<[u8; 32]> {
    use std::io::Write;
    match std::fs::read(path) {
        Ok(bytes) => bytes
            .try_into()
            .map_err(|_| std::io::Error::other(format!("{} is not a key of 32 bytes", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key: [u8; 32] = random.bytes();
            let fresh = path.with_extension("new");
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&fresh)?;
            file.write_all(&key)?;
            file.sync_all()?;
            std::fs::rename(&fresh, path)?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}
