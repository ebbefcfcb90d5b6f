//! The tasks that go on behind an answer: they end with the stand-ins that began them.

use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Tasks that belong together. Dropping it ends them where they stand.
pub(crate) struct Tasks {
    running: Mutex<Option<JoinSet<()>>>,
    runtime: Handle,
}

impl Tasks {
    /// Must be called within a tokio runtime, which then runs the tasks.
    pub(crate) fn new() -> Tasks {
        Tasks {
            running: Mutex::new(Some(JoinSet::new())),
            runtime: Handle::current(),
        }
    }

    /// Runs `work` to its end, whether or not somebody waits for the result. The receiver fails when the work
    /// panicked or was ended.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_mut() {
            while running.try_join_next().is_some() {}
            running.spawn_on(
                async move {
                    // Nobody may be waiting any more, and that is all right.
                    let _ = sender.send(work.await);
                },
                &self.runtime,
            );
        }
        receiver
    }

    /// Ends every task where it stands, and begins no more.
    pub(crate) fn end(&self) {
        drop(self.running.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
