//! Functions that are programs. [`Pool`] has the processes of one function: started when they are needed, kept warm,
//! each with one invocation at a time. [`start`] starts one, [`keeper`] looks after it for as long as it lives, over
//! [`runtime_api`] and with what is [`printed`], and [`children`] sees to it that none is left behind.

mod children;
mod keeper;
mod printed;
mod runtime_api;
mod start;
mod words;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

pub(super) use children::Children;
pub(super) use words::exited_with;

use super::function::{Asked, CommandFunction, Ran};
use super::output::Outputs;
use crate::source::Source;
use crate::tasks::Tasks;
use keeper::Keeper;

/// The processes of a function.
pub(super) struct Pool {
    inner: Arc<Inner>,
    places: Arc<Semaphore>,
}

struct Inner {
    name: String,
    function: CommandFunction,
    source: Source,
    tasks: Arc<Tasks>,
    outputs: Arc<Outputs>,
    children: Arc<Children>,
    /// The processes that wait for work, that which worked last at the end. `None` once the function has been replaced.
    idle: Mutex<Option<Vec<Handle>>>,
    /// How many have answered and not asked for more yet, and a word when one has.
    finishing: AtomicUsize,
    freed: Notify,
}

/// How long an invocation waits for a process that has answered already before it has another started.
const SOON: Duration = Duration::from_millis(50);

/// Counts a process that has answered and not asked for more yet.
struct Finishing(Arc<Inner>);

impl Finishing {
    fn new(pool: &Arc<Inner>) -> Finishing {
        pool.finishing.fetch_add(1, Ordering::SeqCst);
        Finishing(Arc::clone(pool))
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        self.0.finishing.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Where a process gets its work. It ends when nobody has this any more.
type Handle = mpsc::Sender<Job>;

/// One invocation on its way to a process.
struct Job {
    asked: Asked,
    told: oneshot::Sender<Told>,
    /// Given back when the process is free again or has ended.
    place: Option<OwnedSemaphorePermit>,
    /// The process's own handle, which it puts among the idle ones when it is free again.
    handle: Handle,
}

enum Told {
    Ran(Ran),
    /// The process had ended already; the invocation can go to another.
    NotBegun {
        asked: Asked,
        place: Option<OwnedSemaphorePermit>,
    },
}

impl Pool {
    pub(super) fn new(
        name: &str,
        function: CommandFunction,
        source: Source,
        tasks: Arc<Tasks>,
        outputs: Arc<Outputs>,
        children: Arc<Children>,
    ) -> Pool {
        let places = Arc::new(Semaphore::new(
            function.concurrency.clamp(1, Semaphore::MAX_PERMITS),
        ));
        let inner = Inner {
            name: name.to_owned(),
            function,
            source,
            tasks,
            outputs,
            children,
            idle: Mutex::new(Some(Vec::new())),
            finishing: AtomicUsize::new(0),
            freed: Notify::new(),
        };
        Pool {
            inner: Arc::new(inner),
            places,
        }
    }

    pub(super) fn function(&self) -> &CommandFunction {
        &self.inner.function
    }

    /// As many as processes may run.
    pub(super) fn places(&self) -> &Arc<Semaphore> {
        &self.places
    }

    /// Runs one invocation, by a process that is there or by a new one.
    pub(super) async fn run(&self, asked: Asked, place: Option<OwnedSemaphorePermit>) -> Ran {
        let request_id = asked.request_id.clone();
        let (mut asked, mut place) = (asked, place);
        loop {
            let (told, answer) = oneshot::channel();
            let handle = match self.inner.take_idle_soon().await {
                Some(handle) => handle,
                None => match Keeper::begin(&self.inner, &asked).await {
                    Ok(handle) => handle,
                    Err(error) => return Ran::new(Err(error)),
                },
            };
            let job = Job {
                asked,
                told,
                place,
                handle: handle.clone(),
            };
            // There is room for it; unless the process has died.
            (asked, place) = match handle.try_send(job) {
                Ok(()) => match answer.await {
                    Ok(Told::Ran(ran)) => return ran,
                    Ok(Told::NotBegun { asked, place }) => (asked, place),
                    // All have been ended.
                    Err(_) => return Ran::new(Err(exited_with("signal: killed", &request_id))),
                },
                Err(refused) => {
                    let job = refused.into_inner();
                    (job.asked, job.place)
                }
            };
        }
    }

    /// Lets the processes end, those at work when they are done.
    pub(super) fn retire(&self) {
        self.inner
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

impl Inner {
    async fn take_idle_soon(&self) -> Option<Handle> {
        loop {
            let freed = self.freed.notified();
            let idle = self.take_idle();
            if idle.is_some() || self.finishing.load(Ordering::SeqCst) == 0 {
                return idle;
            }
            if tokio::time::timeout(SOON, freed).await.is_err() {
                return None;
            }
        }
    }

    fn take_idle(&self) -> Option<Handle> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = idle.as_mut()?;
        // Those that died while they waited are forgotten.
        while let Some(handle) = idle.pop() {
            if !handle.is_closed() {
                return Some(handle);
            }
        }
        None
    }

    fn put_idle(&self, handle: Handle) {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            idle.push(handle);
            self.freed.notify_one();
        }
    }
}
