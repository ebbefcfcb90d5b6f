//! The steps of an approval's life, one file each: open → notify → review → decide → call back; and beside them
//! expire, watch (heartbeats, and whether the workflow still waits), mail_event (what became of a mail), operate, list,
//! start and task_tools. `web` and `worker` call them; they call `store`, `mail`, `callbacks` and `state_data`.
//!
//! A step is a function that takes a [`Flow`] and what it is about, and answers with what came of it. It may be
//! repeated at any time, by anyone: the conditions in the store see to that.

pub mod call_back;
pub mod close;
pub mod decide;
pub mod expire;
pub mod list;
pub mod mail_event;
pub mod metrics;
pub mod notify;
pub mod open;
pub mod operate;
pub mod review;
pub mod start;
pub mod task_tools;
pub mod watch;

use crate::callbacks::Callbacks;
use crate::domain::api_key::ApiKeys;
use crate::domain::approval::Approval;
use crate::domain::decision::RequestState;
use crate::domain::evidence::{Event, EvidenceKey, What};
use crate::domain::ids::ApprovalId;
use crate::domain::keys::{KeyRing, SealError};
use crate::domain::link::{LinkClaim, SignerLink};
use crate::domain::schedule;
use crate::domain::signer::{Directory, SignerRecord};
use crate::domain::task_token::CallbackTarget;
use crate::mail::Mailer;
use crate::mail::certificates::Certificates;
use crate::queues::Queues;
use crate::state_data::StateData;
use crate::step_functions::StepFunctions;
use crate::store::{Change, DueItem, DueWhat, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// The time of day, passed in so that tests can hold it still.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time, to the millisecond, as AWS counts it.
    pub fn now(&self) -> Timestamp {
        let now = (self.0)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// Randomness, passed in so that a simulation can replay it.
#[derive(Clone)]
pub struct Random(FillRandom);

type FillRandom = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

impl Random {
    /// Randomness from `fill`, which fills a slice.
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }

    /// A number from 0 up to 1, for jitter.
    pub fn unit(&self) -> f64 {
        f64::from(u32::from_be_bytes(self.bytes())) / (f64::from(u32::MAX) + 1.0)
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}

/// What of the configuration is needed here and in `web`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where pages live, without a slash at the end, such as `https://sign.example.com`. Links carry this address and
    /// never one from a request.
    pub public_url: String,
    /// Who asks, where a request names no requester.
    pub organisation: String,
    /// The zone in which dates are shown, where a request names none.
    pub time_zone: String,
    /// People whom requests may name without an address.
    pub directory: Directory,
    /// How often the worker looks into the index.
    pub look_every: SignedDuration,
    /// The shortest HeartbeatSeconds of a state, in seconds, that this process can keep alive.
    pub least_heartbeat: u32,
    /// What programs may use the API with.
    pub api_keys: ApiKeys,
    /// The SNS topics whose messages about mails count: ARNs.
    pub mail_topics: Vec<String>,
}

/// What a step tells of something whose time it has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// What.
    pub item: DueItem,
    /// When it falls due; `None` when that isn't soon, or not at all any more.
    pub due: Option<Timestamp>,
}

/// Everything that the steps need.
#[derive(Debug)]
pub struct Flow {
    /// The table.
    pub store: Store,
    /// The way out for mails.
    pub mailer: Mailer,
    /// How it is known that SNS has signed what is told about them.
    pub certificates: Certificates,
    /// The way back to workflows.
    pub callbacks: Callbacks,
    /// Starts executions, and shows them.
    pub step_functions: StepFunctions,
    /// The way to and from queues.
    pub queues: Queues,
    /// Where what is too big for a workflow's state goes; where it is set up.
    pub state_data: Option<StateData>,
    /// Links, form tokens, encryption.
    pub keys: KeyRing,
    /// Signs evidence.
    pub evidence: EvidenceKey,
    /// The time.
    pub clock: Clock,
    /// When this process began.
    pub started: Timestamp,
    /// Randomness.
    pub random: Random,
    /// What of the configuration the steps need.
    pub settings: Settings,
    /// Tells the worker of this process what falls due before its next look at the index, and what doesn't any more.
    pub wake: UnboundedSender<Told>,
    /// When each workflow was last asked whether it still waits.
    pub asked: watch::Asked,
    /// What is counted.
    pub metrics: metrics::Metrics,
}

impl Flow {
    /// The address of a signer's page.
    pub fn signer_url(&self, claim: &LinkClaim) -> String {
        format!(
            "{}/s/{}",
            self.settings.public_url,
            SignerLink::seal(&self.keys, claim).expose()
        )
    }

    /// The token of an approval, checked: it was stored for this very approval, and what was asked is what it was
    /// stored with. Asked before a page is shown and before the workflow is called.
    fn target(&self, approval: &Approval) -> Result<CallbackTarget, SealError> {
        if approval.body.digest() != approval.digest {
            return Err(SealError::DoesNotBelong);
        }
        self.keys.open(approval.id, &approval.digest, &approval.target)
    }

    /// Writes a change, and tells the worker of this process what falls due by it. The only way in which a step
    /// writes to an approval that exists.
    async fn commit(&self, approval: &Approval, change: Change) -> Result<Approval, StoreError> {
        let request = change.state.is_some() || change.event.is_some();
        let signers: Vec<u8> = change.signers.iter().map(|signer| signer.number).collect();
        let after = self.store.commit(approval, change).await?;
        self.metrics.changed(approval, &after, &signers);
        if request {
            self.wake(after.id, DueWhat::Request, after.record.state.due());
        }
        for signer in signers {
            let mail = after.signers[usize::from(signer)].mail.as_ref();
            self.wake(after.id, DueWhat::Mail(signer), mail.map(|mail| mail.due));
        }
        Ok(after)
    }

    /// Tells the worker of this process. What lies beyond its next look it will see in the index, as it sees what
    /// other processes wrote.
    fn wake(&self, id: ApprovalId, what: DueWhat, due: Option<Timestamp>) {
        let now = self.clock.now();
        let due = due.filter(|at| at.duration_since(now) <= self.settings.look_every);
        let item = DueItem { id, what };
        // A process without a worker has nobody to tell.
        let _ = self.wake.send(Told { item, due });
    }

    /// Writes a transition: the new state, the evidence event that says so (with what was observed until now), and
    /// the signers whom it changes.
    async fn transition(
        &self,
        approval: &Approval,
        what: What,
        now: Timestamp,
        state: Option<RequestState>,
        signers: Vec<SignerRecord>,
    ) -> Result<Approval, StoreError> {
        let event = Event::next(
            approval.id,
            Some(&approval.record.evidence),
            now,
            what,
            approval.unfolded(),
        );
        let head = self.evidence.sign(&event);
        self.commit(
            approval,
            Change {
                state,
                event: Some((event, head)),
                signers,
                ..Change::default()
            },
        )
        .await
    }

    /// Whether what was due at `due` is overdue by more than can be put down to waiting for its turn.
    fn is_late(&self, due: Timestamp) -> bool {
        let patience = schedule::LATE.max(self.settings.look_every * 2);
        self.clock.now().duration_since(due) > patience
    }

    /// Reads an approval again after somebody else wrote in between, following a pause: longer with each try, and
    /// never the same.
    async fn read_again(&self, id: ApprovalId, tries: u32) -> Result<Approval, StoreError> {
        let most = 4.0 * f64::from(1_u32 << tries.min(7));
        tokio::time::sleep(std::time::Duration::from_secs_f64(
            most * self.random.unit() / 1000.0,
        ))
        .await;
        self.store.load(id).await?.approval().ok_or(StoreError::Conflict)
    }
}

/// What a worker's step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It did what was due.
    Done,
    /// Nothing was due any more: somebody else was quicker, or the index was behind.
    Nothing,
}
