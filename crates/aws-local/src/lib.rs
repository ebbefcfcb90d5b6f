//! Stand-ins for the AWS services that a workflow with approvals uses. They speak AWS's wire protocols, so
//! that the AWS SDKs, the AWS CLI and boto3 work against them unmodified.
//!
//! A request can come in on two ways, and both end in [`AwsLocal::handle`]:
//! - through [`AwsLocal::http_client`], which an AWS SDK client in the same process is given as its HTTP
//!   client: no sockets (`connector`);
//! - through [`AwsLocal::serve`], on a loopback port, for every other program (`server`), which also shows
//!   the mailbox to a person with a browser.
//!
//! In the order in which a request meets them: `dispatch` reads which service and operation is meant;
//! `dynamodb`, `s3`, `ses` (into the `mailbox`), `events`, `lambda`, `durable`, `sqs`, `step_functions` and `sts` answer; `error` writes a
//! refusal in the form that the service's clients expect. What nobody here answers is refused by name.
//!
//! With a data folder, everything outlives the process, also when it is killed: [`AwsLocal::start`] opens what
//! is there, the caller registers the Lambda functions, and [`AwsLocal::resume`] lets unfinished executions go
//! on. Asynchronous invocations and the functions themselves live in the process alone; so do the processes of
//! functions that are programs, which go with it.
//!
//! Time: all waiting is tokio's, and the time of day comes from [`Options::clock`] alone, so that under a
//! paused tokio clock everything moves with it. What lives in memory is worked on inline, what lives in
//! files on tokio's blocking threads (which hold a paused clock still while they work).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use aws_local::{AwsLocal, Options};
//!
//! let aws = AwsLocal::start(Options::in_memory(|| "2026-11-21T09:00:00Z".parse().unwrap())).await.unwrap();
//! aws.register_function("greet", aws_local::function(|invocation| async move {
//!     Ok(serde_json::json!({"hello": invocation.payload["name"]}))
//! }));
//! let request = http::Request::post("http://localhost/2015-03-31/functions/greet/invocations")
//!     .body(r#"{"name": "Bob"}"#.into()).unwrap();
//! let response = aws.handle(request).await;
//! assert_eq!(response.body().as_ref(), br#"{"hello":"Bob"}"#);
//! # }
//! ```

mod amounts;
mod connector;
mod console;
mod database;
mod dispatch;
mod durable;
mod dynamodb;
mod error;
mod events;
mod flush;
mod happening;
mod lambda;
mod mailbox;
mod options;
mod outgoing;
mod s3;
mod server;
mod ses;
mod source;
mod sqs;
mod step_functions;
mod store;
mod sts;
mod tasks;
#[cfg(test)]
mod testing;
mod travel;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use bytes::Bytes;

pub use amounts::{grouped, in_two_parts};
pub use durable::{CallbackState, DurableCallback};
pub use happening::{ExecutionEvent, ExecutionName, Happening};
pub use lambda::{
    Caller, CommandFunction, Function, FunctionError, FunctionFuture, Invocation, Output, PrintedLine,
    UrlFunction, function,
};
pub use mailbox::{Attachment, Mail};
pub use options::{ApprovalsOf, Options, PendingApproval, StartError};
pub use source::{Clock, Randomness};
pub use travel::{Due, Outside, Skip, SkipError, Skipped, TravelClock, Waited};

use console::Drawings;
use database::Place;
use dispatch::{Call, StsCall};
use durable::Durable;
use dynamodb::DynamoDb;
use error::{AwsError, Protocol};
use events::Events;
use happening::Listeners;
use lambda::Lambda;
use mailbox::Mailbox;
use s3::S3;
use ses::Ses;
use source::Source;
use sqs::Sqs;
use step_functions::{Allowed, Services, StepFunctions};
use tasks::Tasks;
use travel::Travel;

/// The region in the ARNs that the stand-ins give out. Requests for any region are answered alike.
pub const REGION: &str = "us-east-1";

/// The account in the ARNs that the stand-ins give out. ARNs with any other are understood alike, so that a
/// definition written for a real account works as it is.
pub const ACCOUNT: &str = "123456789012";

/// The embedded AWS. Clones are the same one; it ends with [`AwsLocal::stop`], or, as if killed, when the
/// last clone is dropped or [`AwsLocal::kill`] is called.
#[derive(Clone)]
pub struct AwsLocal {
    inner: Arc<Inner>,
}

/// What is going on in the embedded AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Executions that haven't ended.
    pub running_executions: usize,
    /// When the next timer of an execution fires: a time-out, a Wait, a retry.
    pub next_timer: Option<jiff::Timestamp>,
    /// Function invocations that haven't ended or wait for their turn, and asynchronous ones that wait for another try.
    pub invocations: usize,
}

struct Inner {
    source: Source,
    durable: Durable,
    dynamodb: Arc<DynamoDb>,
    events: Arc<Events>,
    lambda: Arc<Lambda>,
    listeners: Arc<Listeners>,
    mailbox: Arc<Mailbox>,
    s3: Arc<S3>,
    ses: Arc<Ses>,
    sqs: Arc<Sqs>,
    step_functions: StepFunctions,
    tasks: Arc<Tasks>,
    approvals: Option<ApprovalsOf>,
    drawings: Drawings,
    place: Place,
    ended: AtomicBool,
    /// Where the clock can be moved.
    travel: OnceLock<Travel>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.end();
        self.lambda.end();
    }
}

impl std::fmt::Debug for AwsLocal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AwsLocal")
    }
}

impl AwsLocal {
    /// Opens what [`Options::data`] holds. Call it within a tokio runtime with time enabled, register the
    /// functions, and then let unfinished executions go on by [`AwsLocal::resume`].
    pub async fn start(options: Options) -> Result<AwsLocal, StartError> {
        let place = Place::take(options.data.as_deref()).await?;
        let source = Source {
            clock: options.clock,
            randomness: options.randomness,
            waits: Arc::default(),
        };
        let tasks = Arc::new(Tasks::new());
        let durable = Durable::open(place.clone(), source.clone())?;
        let dynamodb = Arc::new(DynamoDb::open(place.clone(), &source.clock)?);
        let listeners = Arc::new(Listeners::default());
        let lambda = Arc::new(Lambda::open(
            place.clone(),
            source.clone(),
            Arc::clone(&tasks),
            Arc::clone(&listeners),
        )?);
        let mailbox = Arc::new(Mailbox::open(place.clone())?);
        let s3 = Arc::new(S3::open(place.clone(), source.clone())?);
        let sqs = Arc::new(Sqs::open(place.clone(), source.clone())?);
        let events = Arc::new(Events::open(
            place.clone(),
            source.clone(),
            Arc::clone(&sqs),
            Arc::clone(&lambda),
        )?);
        let ses = Arc::new(Ses::new(
            source.clone(),
            Arc::clone(&mailbox),
            Arc::clone(&events),
            Arc::clone(&tasks),
        ));
        let step_functions = StepFunctions::open(
            place.clone(),
            source.clone(),
            Services {
                lambda: Arc::clone(&lambda),
                s3: Arc::clone(&s3),
                sqs: Arc::clone(&sqs),
                dynamodb: Arc::clone(&dynamodb),
                ses: Arc::clone(&ses),
                events: Arc::clone(&events),
                http: Allowed::new(&options.http_tasks),
                listeners: Arc::clone(&listeners),
            },
            Arc::clone(&tasks),
        )
        .await?;
        Ok(AwsLocal {
            inner: Arc::new(Inner {
                source,
                durable,
                dynamodb,
                events,
                lambda,
                listeners,
                mailbox,
                s3,
                ses,
                sqs,
                step_functions,
                tasks,
                approvals: options.approvals,
                drawings: Drawings::default(),
                place,
                ended: AtomicBool::new(false),
                travel: OnceLock::new(),
            }),
        })
    }

    /// An HTTP client for an AWS SDK's configuration which hands every request to the stand-ins, whatever
    /// host it names. It doesn't keep them alive: once every [`AwsLocal`] is gone, requests fail as if nobody
    /// listened.
    pub fn http_client(&self) -> SharedHttpClient {
        connector::http_client(&self.inner)
    }

    /// Answers one AWS API request. Never fails: what can't be done is answered as AWS would.
    pub async fn handle(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        self.inner.handle(request).await
    }

    /// Serves the AWS APIs and the mailbox page on `listener` until `shutdown` completes. Requests whose Host
    /// is neither a loopback address nor `localhost` are refused, so that no website can reach it through a
    /// browser.
    pub async fn serve(
        &self,
        listener: tokio::net::TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        self.served_at(&format!("http://{}", listener.local_addr()?));
        server::serve(Arc::clone(&self.inner), listener, shutdown).await
    }

    /// Makes `function` the Lambda function `name`, in place of one of that name. It is found by its name and
    /// by an ARN of any region, account, version or alias. A name is 1 to 64 letters, digits, `-` and `_`.
    pub fn register_function(&self, name: &str, function: Function) {
        self.inner.lambda.register(name, function);
    }

    /// Makes a program the Lambda function `name`, as [`AwsLocal::register_function`] does one of this process. It is
    /// started when it is first invoked, kept for further invocations, and started again after it has died. The
    /// processes of a function that is replaced end when they have done what they are at; so registering a command
    /// again has it read its code anew.
    pub fn register_command(&self, name: &str, function: CommandFunction) {
        self.inner.lambda.register_command(name, function);
    }

    /// Makes a web address the Lambda function `name`, as [`AwsLocal::register_function`] does one of this process.
    pub fn register_url(&self, name: &str, function: UrlFunction) {
        self.inner.lambda.register_url(name, function);
    }

    /// Forgets the Lambda function `name`. What it is at it finishes. Says whether there was one.
    pub fn remove_function(&self, name: &str) -> bool {
        self.inner.lambda.remove(name)
    }

    /// Says at which address (`http://127.0.0.1:8086`) the stand-ins are served, for the programs behind
    /// [`AwsLocal::register_command`]: they get it as `AWS_ENDPOINT_URL`. [`AwsLocal::serve`] does so too, but what
    /// [`AwsLocal::resume`] runs again may begin before.
    pub fn served_at(&self, endpoint: &str) {
        self.inner.lambda.served_at(endpoint);
    }

    /// What the functions printed that an execution called, by invocation, in the order in which those began; also what
    /// is being printed right now. Of one invocation the first 64 KiB are kept, of all the latest 64 MiB.
    pub async fn outputs(&self, execution_arn: &str) -> Vec<Output> {
        self.inner.lambda.outputs(execution_arn).await
    }

    /// Lets the executions go on that were unfinished when the process before this one ended: their tasks are
    /// run again, so the functions must be registered; their timers fire, late rather than never. New
    /// executions don't wait for it.
    pub async fn resume(&self) -> Result<(), StartError> {
        self.inner.step_functions.resume().await
    }

    /// Every mail in the mailbox, newest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.inner.mailbox.mails_now(None)
    }

    /// The mails to `address` (without regard to case), newest first.
    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.inner.mailbox.mails_now(Some(address))
    }

    /// The events that were put to EventBridge, oldest first, as a rule's target would get them; the last 10,000.
    pub async fn events(&self) -> Vec<serde_json::Value> {
        self.inner.events.all().await.unwrap_or_default()
    }

    /// Tells from now on what happens in executions, as soon as it is durable, with nothing left out: of Express
    /// executions too; and what functions print, line by line. Whoever falls behind by more than a few thousand is told how many they missed
    /// ([`RecvError::Lagged`](tokio::sync::broadcast::error::RecvError::Lagged)); the engine waits for nobody.
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Happening> {
        self.inner.listeners.subscribe()
    }

    /// What is still going on, for a harness that wants to see that nothing is left.
    pub async fn activity(&self) -> Activity {
        Activity {
            running_executions: self.inner.step_functions.running().await,
            next_timer: self.inner.step_functions.next_timer(),
            invocations: self.inner.lambda.pending(),
        }
    }

    /// Tells the stand-ins that the clock was moved, so that timers whose time has come fire now, and
    /// messages are seen again.
    pub fn clock_moved(&self) {
        self.inner.look_at_the_clock();
    }

    /// Lets `clock` be skipped forwards from now on: by [`AwsLocal::skip`], and on the port by `/clock`. It must be
    /// what [`Options::clock`] asks. `outside` goes by it too.
    pub fn let_time_travel(&self, clock: Arc<TravelClock>, outside: Option<Box<dyn Outside>>) {
        // A second word changes nothing.
        let _ = self.inner.travel.set(Travel::new(clock, outside));
    }

    /// Moves the clock forwards, from one thing that falls due to the next, waiting each time for what follows from
    /// it. Takes 20 seconds at most; what is further is for further calls ([`Skipped::arrived`]).
    pub async fn skip(&self, skip: Skip) -> Result<Skipped, SkipError> {
        self.inner.skip(skip).await
    }

    /// Ends what still runs, waits for writes under way and gives the data folder free. Afterwards every
    /// request is refused. Executions that haven't ended go on at the next start.
    pub async fn stop(&self) {
        self.kill();
        self.inner.dynamodb.settle().await;
        self.inner.durable.settle().await;
        self.inner.mailbox.settle().await;
        self.inner.events.settle().await;
        self.inner.lambda.settle().await;
        self.inner.s3.settle().await;
        self.inner.sqs.settle().await;
        self.inner.step_functions.settle().await;
        self.inner.place.release();
    }

    /// Ends everything where it stands, as a kill of the process would: for tests of restarts. The data folder
    /// is free once the last clone is dropped.
    pub fn kill(&self) {
        self.inner.ended.store(true, Ordering::SeqCst);
        self.inner.tasks.end();
        self.inner.lambda.end();
    }
}

impl Inner {
    async fn handle(self: &Arc<Self>, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let request_id = self.source.uuid();
        if self.has_ended() {
            return error::respond(Err(AwsError::ended()), Protocol::Json10, &request_id);
        }
        let call = dispatch::read(&request);
        let (service, operation) = call.names();
        let (service, operation) = (service.to_owned(), operation.to_owned());
        let protocol = call.protocol();
        let bodiless = request.method() == http::Method::HEAD;
        let answer = match call {
            Call::DynamoDb { operation } => self.dynamodb.call(operation, request.into_body()).await,
            Call::Durable(call) => self.durable.call(call, request).await,
            Call::Events { operation } => self.events.call(&operation, request.body()).await,
            Call::Lambda(operation) => {
                self.lambda
                    .call(operation, request.headers(), request.body(), &request_id)
                    .await
            }
            Call::S3(call) => self.s3.call(call, request).await,
            Call::Sqs { operation } => {
                let host = dispatch::host(&request);
                self.sqs.call(&operation, host, request.body()).await
            }
            Call::StepFunctions { operation } => self.step_functions.call(&operation, request.body()).await,
            Call::Sts(StsCall::GetCallerIdentity) => Ok(sts::caller_identity(&request_id)),
            Call::Ses(operation) => self.ses.call(operation, request.body()).await,
            Call::Unsupported {
                service, operation, ..
            } => Err(AwsError::not_embedded(&service, &operation)),
        };
        if let Err(error) = &answer {
            tracing::debug!(
                aws.service = service,
                aws.operation = operation,
                aws.error.code = error.code(),
                "refused"
            );
        }
        let mut response = error::respond(answer, protocol, &request_id);
        if bodiless {
            response.body_mut().clear();
        }
        response
    }

    fn look_at_the_clock(&self) {
        self.source.waits.clock_moved();
        self.step_functions.clock_moved();
        self.sqs.clock_moved();
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}
