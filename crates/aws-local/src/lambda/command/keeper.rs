//! Looks after one process of a function: hands it its work, hears its answers, collects what it prints, ends it when its
//! time is up, and says how it ended when it ends by itself. One task does all of that, event by event, so that it is
//! always clear what came before what.

use std::collections::VecDeque;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::children::Process;
use super::printed::Printed;
use super::runtime_api::{self, Ask, Asks, Refusal, Reply};
use super::words::{event, exited, log};
use super::{Finishing, Handle, Inner, Job, Told, start};
use crate::lambda::function::{Asked, FunctionError, Payload, Ran};
use crate::lambda::output::Record;

/// How long a process may take to begin before an invocation's own time runs, as with AWS.
const INIT: Duration = Duration::from_secs(10);
/// How long is waited for what a process wrote before it ended, and for its end after it could not begin.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// After so many readings of output in a row the process's questions are looked at.
const IN_A_ROW: u32 = 64;

pub(super) struct Keeper {
    pool: Arc<Inner>,
    process: Process,
    stdout: Printed<ChildStdout>,
    stderr: Printed<ChildStderr>,
    printed_in_a_row: u32,
    listener: TcpListener,
    asks: mpsc::Receiver<(Ask, Reply)>,
    asks_here: Asks,
    connections: JoinSet<()>,
    jobs: mpsc::Receiver<Job>,
    /// It has asked for work before, so it has begun well.
    begun: bool,
    init_error: Option<FunctionError>,
    /// Those who asked for work and wait for it. There is one; more, when a connection broke.
    waiting: VecDeque<Reply>,
    work: Option<Work>,
    /// What it prints between invocations belongs to the last.
    last: Option<Record>,
}

/// An invocation that the process has, or is to have.
struct Work {
    asked: Asked,
    told: Option<oneshot::Sender<Told>>,
    place: Option<OwnedSemaphorePermit>,
    handle: Handle,
    record: Record,
    stage: Stage,
    finishing: Option<Finishing>,
    deadline: Instant,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// It hasn't asked for it yet.
    Offered,
    /// It has it.
    Begun { at: Instant },
    /// It has answered, and not asked for more yet.
    Answered,
}

/// What happens to a process.
enum Event {
    Printed(String),
    Asked(Ask, Reply),
    Connected(TcpStream),
    Exited(std::io::Result<ExitStatus>),
    Job(Job),
    Retired,
    TimeUp,
}

/// Why a process has no future.
enum End {
    Exited(std::io::Result<ExitStatus>),
    TimeUp,
    Retired,
}

impl Keeper {
    /// Starts a process for `asked`, which is yet to be sent by the handle.
    pub(super) async fn begin(pool: &Arc<Inner>, asked: &Asked) -> Result<Handle, FunctionError> {
        let fault = |error: std::io::Error| {
            FunctionError::of_lambda("Runtime.InvalidEntrypoint", &asked.request_id, error)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(fault)?;
        let port = listener.local_addr().map_err(fault)?.port();
        let mut process = start::start(pool, port, &asked.request_id)?;
        let (stdout, stderr) = (process.child.stdout.take(), process.child.stderr.take());
        let (handle, jobs) = mpsc::channel(1);
        let (asks_here, asks) = mpsc::channel(16);
        let keeper = Keeper {
            pool: Arc::clone(pool),
            process,
            stdout: Printed::of(stdout),
            stderr: Printed::of(stderr),
            printed_in_a_row: 0,
            listener,
            asks,
            asks_here,
            connections: JoinSet::new(),
            jobs,
            begun: false,
            init_error: None,
            waiting: VecDeque::new(),
            work: None,
            last: None,
        };
        pool.tasks.spawn(keeper.keep());
        Ok(handle)
    }

    async fn keep(mut self) {
        let end = loop {
            match self.next().await {
                Event::Printed(text) => self.print(&text).await,
                Event::Asked(ask, reply) => self.hear(ask, reply).await,
                Event::Connected(stream) => {
                    while self.connections.try_join_next().is_some() {}
                    self.connections
                        .spawn(runtime_api::serve(stream, self.asks_here.clone()));
                }
                Event::Job(job) => self.take_on(job).await,
                Event::Exited(status) => break End::Exited(status),
                Event::Retired => break End::Retired,
                Event::TimeUp => break End::TimeUp,
            }
        };
        self.end(end).await;
    }

    /// The next event. What was printed comes before what was asked after it.
    async fn next(&mut self) -> Event {
        let deadline = self.work.as_ref().map(|work| work.deadline);
        // One that never stops printing doesn't escape the clock.
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Event::TimeUp;
        }
        if self.printed_in_a_row >= IN_A_ROW
            && let Ok((ask, reply)) = self.asks.try_recv()
        {
            self.printed_in_a_row = 0;
            return Event::Asked(ask, reply);
        }
        let time_up = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            biased;
            Some(text) = self.stdout.next() => Event::Printed(text),
            Some(text) = self.stderr.next() => Event::Printed(text),
            Some((ask, reply)) = self.asks.recv() => Event::Asked(ask, reply),
            Ok((stream, _)) = self.listener.accept() => Event::Connected(stream),
            status = self.process.child.wait() => Event::Exited(status),
            job = self.jobs.recv(), if self.work.is_none() => job.map_or(Event::Retired, Event::Job),
            () = time_up => Event::TimeUp,
        };
        match event {
            Event::Printed(_) => self.printed_in_a_row += 1,
            _ => self.printed_in_a_row = 0,
        }
        event
    }

    async fn print(&mut self, text: &str) {
        match (&mut self.work, &mut self.last) {
            (Some(work), _) => work.record.print(text),
            (None, Some(last)) => {
                last.print(text);
                last.keep().await;
            }
            // Before the first invocation comes, which it was started for.
            (None, None) => {}
        }
    }

    async fn take_on(&mut self, job: Job) {
        let Job {
            asked,
            told,
            place,
            handle,
        } = job;
        let init = if self.begun { Duration::ZERO } else { INIT };
        self.last = None;
        self.work = Some(Work {
            record: self
                .pool
                .outputs
                .record(&self.pool.name, &asked.request_id, asked.caller.as_ref()),
            asked,
            told: Some(told),
            place,
            handle,
            stage: Stage::Offered,
            finishing: None,
            deadline: Instant::now() + init + self.pool.function.timeout,
        });
        if let Some(error) = self.init_error.take() {
            self.answer(Err(error)).await;
        }
        // One that has just died while it waited shall not be given it.
        if !matches!(self.process.child.try_wait(), Ok(Some(_))) {
            self.deliver();
        }
    }

    async fn hear(&mut self, ask: Ask, reply: Reply) {
        let response = match ask {
            Ask::Next => return self.hear_next(reply).await,
            Ask::Answer {
                request_id,
                result,
                refusal,
            } => match &self.work {
                Some(work) if work.asked.request_id != request_id => Refusal::unknown_id().into_response(),
                Some(Work {
                    stage: Stage::Begun { .. },
                    ..
                }) => {
                    self.answer(result).await;
                    refusal.map_or_else(runtime_api::accepted, Refusal::into_response)
                }
                Some(Work {
                    stage: Stage::Answered,
                    ..
                }) => Refusal::not_now("ResponseSent", "InvocationResponse").into_response(),
                _ => Refusal::unknown_id().into_response(),
            },
            Ask::InitError(error) if !self.begun => {
                if self.work.is_some() {
                    self.answer(Err(error)).await;
                } else {
                    self.init_error = Some(error);
                }
                runtime_api::accepted()
            }
            Ask::InitError(_) => Refusal::not_now("Ready", "InitError").into_response(),
        };
        // The connection may be gone.
        let _ = reply.send(response);
    }

    async fn hear_next(&mut self, reply: Reply) {
        self.begun = true;
        self.waiting.push_back(reply);
        match self.work.as_mut().map(|work| &mut work.stage) {
            None => {}
            Some(Stage::Answered) => self.free().await,
            // It asks again without having answered: it gets the same again, as from AWS.
            Some(stage) => {
                *stage = Stage::Offered;
                self.deliver();
            }
        }
    }

    /// Hands the work over, if there is any and somebody waits for it.
    fn deliver(&mut self) {
        let Some(work) = self.work.as_mut().filter(|work| work.stage == Stage::Offered) else {
            return;
        };
        let timeout = self.pool.function.timeout;
        let due = self
            .pool
            .source
            .now()
            .checked_add(timeout)
            .unwrap_or(jiff::Timestamp::MAX);
        while let Some(reply) = self.waiting.pop_front() {
            let event = event(&self.pool, &work.asked, due.as_millisecond());
            if reply.send(event).is_ok() {
                let now = Instant::now();
                work.stage = Stage::Begun { at: now };
                work.deadline = now + timeout;
                return;
            }
        }
    }

    /// Tells who invoked it how it ended. What the process does until it asks for more is part of it.
    async fn answer(&mut self, result: Result<Payload, FunctionError>) {
        for text in [self.stdout.rest(), self.stderr.rest()] {
            self.print(&text).await;
        }
        let Some(work) = &mut self.work else {
            return;
        };
        work.record.keep().await;
        if matches!(work.stage, Stage::Begun { .. }) {
            work.finishing = Some(Finishing::new(&self.pool));
        } else {
            // It could not begin, and ends now.
            work.deadline = Instant::now() + LAST_WORDS;
        }
        work.tell(result);
    }

    /// It has done its work and asked for more.
    async fn free(&mut self) {
        if let Some(mut work) = self.work.take() {
            work.record.keep().await;
            self.last = Some(work.record);
            self.pool.put_idle(work.handle);
            // Only now: whoever gets the place finds the process.
            drop(work.place);
        }
    }

    async fn end(mut self, end: End) {
        if matches!(end, End::Exited(_)) {
            // With patience for a while only: what it has started may hold on to the pipes.
            let _ = tokio::time::timeout(LAST_WORDS, self.hear_out()).await;
        }
        let Keeper {
            pool,
            process,
            jobs,
            work,
            begun,
            ..
        } = self;
        // All that it has started goes with it, before anybody hears of its end.
        drop(process);
        if let Some(mut work) = work {
            work.record.keep().await;
            if work.stage == Stage::Offered && begun && !matches!(end, End::TimeUp) {
                work.give_back();
            } else if work.told.is_some() {
                let request_id = work.asked.request_id.as_str();
                let error = match end {
                    End::TimeUp | End::Retired => FunctionError::timed_out(request_id, pool.function.timeout),
                    End::Exited(status) => exited(status, request_id),
                };
                work.tell(Err(error));
            }
        }
        let mut jobs = jobs;
        jobs.close();
        while let Ok(job) = jobs.try_recv() {
            job.give_back();
        }
    }

    /// Hears what a process printed and asked in its last moments.
    async fn hear_out(&mut self) {
        // So that the questions end when the last connection does.
        self.asks_here = mpsc::channel(1).0;
        self.waiting.clear();
        loop {
            tokio::select! {
                biased;
                Some(text) = self.stdout.next() => self.print(&text).await,
                Some(text) = self.stderr.next() => self.print(&text).await,
                Some((ask, reply)) = self.asks.recv() => self.hear(ask, reply).await,
                else => return,
            }
        }
    }
}

impl Work {
    fn tell(&mut self, result: Result<Payload, FunctionError>) {
        let took = match self.stage {
            Stage::Begun { at } => at.elapsed(),
            Stage::Offered | Stage::Answered => Duration::ZERO,
        };
        self.stage = Stage::Answered;
        let Some(told) = self.told.take() else {
            return;
        };
        let log = log(
            &self.asked.request_id,
            self.record.tail(),
            took,
            result.as_ref().err(),
        );
        // Nobody may be waiting any more, and that is all right.
        let _ = told.send(Told::Ran(Ran { result, log }));
    }

    fn give_back(self) {
        give_back(self.told, self.asked, self.place);
    }
}

impl Job {
    fn give_back(self) {
        give_back(Some(self.told), self.asked, self.place);
    }
}

/// Lets another process have an invocation that this one never had.
fn give_back(told: Option<oneshot::Sender<Told>>, asked: Asked, place: Option<OwnedSemaphorePermit>) {
    if let Some(told) = told {
        let _ = told.send(Told::NotBegun { asked, place });
    }
}
