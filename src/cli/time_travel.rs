//! What goes by the embedded AWS's clock besides itself: the service beside it. Told when the clock was moved, it does
//! at once what has fallen due, where its worker would see so by itself within a second.

use crate::domain::approval::Approval;
use crate::domain::callback::{Callback, LEASE};
use crate::domain::decision::RequestState;
use crate::domain::display_text::DisplayText;
use crate::domain::schedule;
use crate::domain::signer::MailKind;
use crate::flow::{Flow, Told};
use crate::store::{DueItem, DueWhat, SHARDS, StoreError};
use crate::worker;
use aws_local::{Due, Outside};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How many items of each shard of the index are looked at, and how many in all are told of.
const OF_A_SHARD: i32 = 8;
const IN_ALL: usize = 16;

/// The service, for a clock that is moved.
pub(crate) struct Service(Arc<Flow>);

impl Service {
    /// The one that runs these steps.
    pub(crate) fn new(flow: Arc<Flow>) -> Self {
        Self(flow)
    }
}

impl Outside for Service {
    fn upcoming(&self) -> aws_local::Waited<Vec<Due>> {
        let flow = Arc::clone(&self.0);
        Box::pin(async move {
            upcoming(&flow).await.unwrap_or_else(|error| {
                tracing::warn!(error = %error, "can't see what falls due");
                Vec::new()
            })
        })
    }

    fn moved(&self) -> aws_local::Waited<()> {
        let flow = Arc::clone(&self.0);
        Box::pin(async move {
            for (at, item) in worker::due_now(&flow).await.unwrap_or_default() {
                // Without a worker there is nobody to tell.
                let _ = flow.wake.send(Told { item, due: Some(at) });
            }
        })
    }
}

async fn upcoming(flow: &Flow) -> Result<Vec<Due>, StoreError> {
    let mut soonest = Vec::new();
    for shard in 0..SHARDS {
        soonest.extend(flow.store.due(shard, Timestamp::MAX, OF_A_SHARD).await?);
    }
    soonest.sort_unstable();
    soonest.truncate(IN_ALL);
    let mut upcoming = Vec::new();
    for (at, item) in soonest {
        match flow.store.load(item.id).await?.approval() {
            Some(approval) => upcoming.extend(of_approval(at, item, &approval)),
            // It is being written.
            None => upcoming.push(Due::quiet(at, "a request")),
        }
    }
    Ok(upcoming)
}

/// What falls due of an approval: the obligation that stands in the index, and the deadline behind it.
fn of_approval(at: Timestamp, item: DueItem, approval: &Approval) -> Vec<Due> {
    let title = DisplayText::new(&approval.body.terms.title)
        .shortened(80)
        .to_string();
    let name = |number: u8| {
        DisplayText::new(&approval.people.name(number))
            .shortened(60)
            .to_string()
    };
    match item.what {
        DueWhat::Mail(number) => {
            let name = name(number);
            let owed = approval.signers.get(usize::from(number));
            match owed.and_then(|signer| signer.mail.as_ref()) {
                Some(mail) if mail.attempts > 0 => attempt(
                    at,
                    schedule::MAIL_LEASE,
                    &format!("a mail to {name} for “{title}”"),
                ),
                Some(mail) => match mail.kind {
                    MailKind::Reminder { nth } => {
                        vec![Due::new(at, format!("reminder {nth} to {name} for “{title}”"))]
                    }
                    _ => vec![Due::quiet(at, format!("a mail to {name} for “{title}”"))],
                },
                None => Vec::new(),
            }
        }
        DueWhat::Request => match &approval.record.state {
            RequestState::Pending(pending) => {
                let deadline = pending.deadline;
                let sooner = Due::quiet(at, format!("a look at the workflow of “{title}”"));
                let sooner = (deadline != Some(at)).then_some(sooner);
                let deadline = deadline.map(|at| Due::new(at, format!("the deadline of “{title}”")));
                sooner.into_iter().chain(deadline).collect()
            }
            RequestState::Ended(ended) => {
                let what = format!("word to the workflow of “{title}”");
                match &ended.callback {
                    Callback::Queued(queued) if queued.unanswered > 0 => attempt(at, LEASE, &what),
                    _ => vec![Due::quiet(at, what)],
                }
            }
            RequestState::Orphaned { .. } => vec![Due::quiet(at, format!("word of the end of “{title}”"))],
        },
    }
}

/// An attempt that may be under way, until it is given up for lost at `at`. Time isn't to pass while it is; so it is
/// said to have been due since it began.
fn attempt(at: Timestamp, lease: SignedDuration, what: &str) -> Vec<Due> {
    let begun = at.checked_sub(lease).unwrap_or(at);
    vec![Due::quiet(begun, what), Due::quiet(at, format!("{what}, again"))]
}
