//! Lambda: functions that live in this process ([`mod@function`]), that are programs of their own ([`command`]) or stand
//! behind a web address ([`url`]); invoked as AWS's Invoke does, by SDKs over the API ([`api`]) and by workflows
//! directly. A function that was begun goes on to its end, whoever waits for it.
//!
//! Too many at once wait, first come first served: for a command as many run as it has processes, and of all together
//! a thousand, as an account of AWS's has. AWS would refuse the others (`Lambda.TooManyRequestsException`), and leave it
//! to the workflow's Retry to try again; on a laptop nothing is gained by that.

mod api;
mod command;
mod function;
mod output;
mod url;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use function::{Asked, Payload};
pub use function::{
    Caller, CommandFunction, Function, FunctionError, FunctionFuture, Invocation, UrlFunction, function,
};
pub use output::{Output, PrintedLine};

use crate::database::Place;
use crate::error::AwsError;
use crate::happening::Listeners;
use crate::source::Source;
use crate::tasks::Tasks;
use crate::{ACCOUNT, REGION, StartError};
use command::{Children, Pool};
use function::Ran;
use output::Outputs;

/// How many invocations run at a time, as in an account of AWS's that never asked for more.
const AT_ONCE: usize = 1000;
/// How long AWS waits before it tries an asynchronous invocation that failed again.
const EVENT_RETRIES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

pub(crate) struct Lambda {
    functions: Mutex<BTreeMap<String, Arc<Registered>>>,
    tasks: Arc<Tasks>,
    source: Source,
    pending: Arc<AtomicUsize>,
    places: Arc<Semaphore>,
    outputs: Arc<Outputs>,
    children: Arc<Children>,
}

/// A function under its name.
struct Registered {
    name: String,
    kind: Kind,
    since: Timestamp,
}

enum Kind {
    InProcess(Function),
    Command(Pool),
    Url(UrlFunction),
}

/// Counts an invocation for as long as it lives.
struct Pending(Arc<AtomicUsize>);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Lambda {
    /// Opens what functions have printed. Must be called within a tokio runtime.
    pub(crate) fn open(
        place: Place,
        source: Source,
        tasks: Arc<Tasks>,
        listeners: Arc<Listeners>,
    ) -> Result<Lambda, StartError> {
        Ok(Lambda {
            functions: Mutex::default(),
            outputs: Arc::new(Outputs::open(place, source.clone(), listeners)?),
            children: Arc::default(),
            tasks,
            source,
            pending: Arc::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    pub(crate) fn register(&self, name: &str, function: Function) {
        self.put(name, Kind::InProcess(function));
    }

    pub(crate) fn register_command(&self, name: &str, function: CommandFunction) {
        let pool = Pool::new(
            name,
            function,
            self.source.clone(),
            Arc::clone(&self.tasks),
            Arc::clone(&self.outputs),
            Arc::clone(&self.children),
        );
        self.put(name, Kind::Command(pool));
    }

    pub(crate) fn register_url(&self, name: &str, function: UrlFunction) {
        self.put(name, Kind::Url(function));
    }

    fn put(&self, name: &str, kind: Kind) {
        let registered = Registered {
            name: name.to_owned(),
            kind,
            since: self.source.now(),
        };
        let before = self.functions().insert(name.to_owned(), Arc::new(registered));
        before.inspect(|before| before.retire());
    }

    /// Whether there was one.
    pub(crate) fn remove(&self, name: &str) -> bool {
        let before = self.functions().remove(name);
        before.inspect(|before| before.retire()).is_some()
    }

    /// Where the functions' processes that are started from now on find the embedded AWS.
    pub(crate) fn served_at(&self, endpoint: &str) {
        self.children.served_at(endpoint);
    }

    /// What functions printed that an execution called, in the order in which they were begun.
    pub(crate) async fn outputs(&self, execution_arn: &str) -> Vec<Output> {
        self.outputs.of(execution_arn).await.unwrap_or_default()
    }

    /// Invocations that have begun or wait for their turn, and asynchronous ones that wait for another try.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::SeqCst)
    }

    /// Ends all functions' processes, and begins no more.
    pub(crate) fn end(&self) {
        self.children.end();
    }

    /// Waits for the writes under way.
    pub(crate) async fn settle(&self) {
        self.outputs.settle().await;
    }

    /// Runs the function that `name` means, which may be a name or an ARN, to its end, as a workflow does. The outer error
    /// is Lambda's (there is no such function), the inner one the function's own.
    pub(crate) async fn invoke(
        &self,
        name: &str,
        payload: Value,
        request_id: &str,
        caller: Option<Caller>,
    ) -> Result<Result<Value, FunctionError>, AwsError> {
        let asked = Asked::new(Payload::Read(payload), request_id, caller);
        let ran = self.run(name, asked).await?;
        Ok(ran.result.and_then(|payload| {
            payload.into_value().map_err(|error| {
                let text = format!("The function's answer is no JSON: {error}");
                FunctionError::new("Lambda.Unknown", text)
            })
        }))
    }

    /// The same, with the answer as the function wrote it, be it JSON or not.
    pub(crate) async fn invoke_for_text(
        &self,
        name: &str,
        payload: Value,
        request_id: &str,
        caller: Option<Caller>,
    ) -> Result<Result<String, FunctionError>, AwsError> {
        let asked = Asked::new(Payload::Read(payload), request_id, caller);
        let ran = self.run(name, asked).await?;
        let text = |payload: Payload| String::from_utf8_lossy(&payload.into_text()).into_owned();
        Ok(ran.result.map(text))
    }

    /// The same, and all that is known of how it ran.
    async fn run(&self, name: &str, asked: Asked) -> Result<Ran, AwsError> {
        let mut registered = self.find(name)?;
        let pending = self.begin();
        // Who goes away while waiting is not run.
        let places = loop {
            let places = registered.places(&self.places).await?;
            let now = self.find(name)?;
            if Arc::ptr_eq(&now, &registered) {
                break places;
            }
            // Another has taken its place in the meantime.
            registered = now;
        };
        let request_id = asked.request_id.clone();
        let running = self.tasks.spawn(async move {
            let ran = registered.run(asked, places).await;
            drop(pending);
            ran
        });
        Ok(running
            .await
            .unwrap_or_else(|_| Ran::new(Err(command::exited_with("exit status 101", &request_id)))))
    }

    /// Takes an asynchronous invocation. It is tried three times, as AWS does, and not kept over a restart.
    pub(crate) fn accept(&self, name: &str, asked: Asked) -> Result<(), AwsError> {
        let registered = self.find(name)?;
        let pending = self.begin();
        let (all, source) = (Arc::clone(&self.places), self.source.clone());
        let what = format!("another try of the event for {}", function_name(name));
        self.tasks.spawn(async move {
            let _pending = pending;
            for pause in EVENT_RETRIES.into_iter().map(Some).chain([None]) {
                let Ok(places) = registered.places(&all).await else {
                    return;
                };
                let ran = registered.run(asked.clone(), places).await;
                match (ran.result, pause) {
                    (Err(_), Some(pause)) => {
                        let at = source.now().checked_add(pause).unwrap_or(Timestamp::MAX);
                        source.sleep_until(at, what.as_str()).await;
                    }
                    _ => return,
                }
            }
        });
        Ok(())
    }

    fn begin(&self) -> Pending {
        self.pending.fetch_add(1, Ordering::SeqCst);
        Pending(Arc::clone(&self.pending))
    }

    fn find(&self, named: &str) -> Result<Arc<Registered>, AwsError> {
        let name = function_name(named);
        self.functions().get(name).map(Arc::clone).ok_or_else(|| {
            AwsError::with_status(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                format!("Function not found: {}", function_arn(name)),
            )
            .with("Type", "User")
        })
    }

    fn functions(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Registered>>> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run one invocation: among all, and where the function has a limit of its own, among its.
struct Places {
    _of_all: OwnedSemaphorePermit,
    own: Option<OwnedSemaphorePermit>,
}

impl Registered {
    /// Waits until one more may run. First for the function's own limit, so that nobody holds a place in vain.
    async fn places(&self, all: &Arc<Semaphore>) -> Result<Places, AwsError> {
        let own = match &self.kind {
            Kind::Command(pool) => Some(place(pool.places()).await?),
            Kind::InProcess(_) | Kind::Url(_) => None,
        };
        Ok(Places {
            _of_all: place(all).await?,
            own,
        })
    }

    async fn run(&self, asked: Asked, places: Places) -> Ran {
        match &self.kind {
            Kind::InProcess(function) => Ran::new(in_process(&self.name, function, asked).await),
            Kind::Command(pool) => pool.run(asked, places.own).await,
            Kind::Url(function) => Ran::new(url::run(function, asked).await),
        }
    }

    fn retire(&self) {
        if let Kind::Command(pool) = &self.kind {
            pool.retire();
        }
    }
}

async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, AwsError> {
    // Nobody closes it.
    Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(|_| AwsError::ended())
}

async fn in_process(name: &str, function: &Function, asked: Asked) -> Result<Payload, FunctionError> {
    let payload = asked.payload.into_value().map_err(|error| {
        FunctionError::new("Runtime.UnmarshalError", format!("The event is no JSON: {error}"))
    })?;
    let invocation = Invocation {
        payload,
        function_arn: function_arn(name),
        request_id: asked.request_id,
        caller: asked.caller,
    };
    function(invocation).await.map(Payload::Read)
}

/// The name in `name`, `name:version`, `account:function:name` or a whole ARN with or without a version.
fn function_name(named: &str) -> &str {
    let parts: Vec<&str> = named.split(':').collect();
    match parts.iter().position(|part| *part == "function") {
        Some(at) if parts.len() > at + 1 => parts[at + 1],
        _ => parts[0],
    }
}

fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

#[cfg(test)]
mod tests;
