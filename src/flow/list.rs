//! Listing requests for operators. The store's indexes find candidates; here each one is read, and what doesn't fit any
//! more (or never did) is left out.

mod asked;

pub use asked::Asked;

use super::{Flow, mail_event};
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::RequestState;
use crate::domain::ids::ApprovalId;
use crate::domain::mail_status::any_trouble;
use crate::store::{Known, Listed, Place, StoreError};
use jiff::Timestamp;
use std::collections::HashMap;
use tokio::task::JoinSet;

/// How many candidates are read for one page at most: with a rare filter a page may hold less than it could.
const MOST_READ: usize = 500;

/// Which requests are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// In which state.
    pub list: Listed,
    /// And what is known of them: all of it must be so.
    pub known: Vec<Known>,
    /// Made before this moment.
    pub created_before: Option<Timestamp>,
    /// Made at this moment or later.
    pub created_after: Option<Timestamp>,
}

/// A part of a list, newest first.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    /// The requests.
    pub approvals: Vec<Approval>,
    /// Where the next part begins, unless this is the end.
    pub next: Option<Place>,
}

/// The next at most `most` requests after `after`.
pub async fn page(
    flow: &Flow,
    wanted: &Wanted,
    after: Option<Place>,
    most: usize,
) -> Result<Page, StoreError> {
    // Newest first: whatever is too new lies before the place to begin at.
    let begin = wanted.created_before.map(Place::before);
    let (mut approvals, mut last, mut read) = (Vec::new(), [after, begin].into_iter().flatten().min(), 0);
    while read < MOST_READ {
        let places = match wanted.known.first() {
            Some(known) => flow.store.known(known, last, most).await?,
            None => flow.store.listed(&wanted.list, last, most).await?,
        };
        let mut found = load(flow, &places).await?;
        for place in &places {
            if wanted.created_after.is_some_and(|oldest| place.created < oldest) {
                return Ok(Page {
                    approvals,
                    next: None,
                });
            }
            last = Some(*place);
            let Some(approval) = found.remove(&place.id) else {
                continue;
            };
            if fits(wanted, &approval) {
                approvals.push(approval);
            } else if wanted.list == Listed::Attention {
                // Left there by a crash, or by an answer in the same moment.
                mail_event::settle(flow, &approval).await;
            }
            if approvals.len() == most {
                return Ok(Page {
                    approvals,
                    next: last,
                });
            }
        }
        read += places.len();
        if places.len() < most {
            return Ok(Page {
                approvals,
                next: None,
            });
        }
    }
    Ok(Page {
        approvals,
        next: last,
    })
}

async fn load(flow: &Flow, places: &[Place]) -> Result<HashMap<ApprovalId, Approval>, StoreError> {
    let mut loads = JoinSet::new();
    for place in places {
        let (store, id) = (flow.store.clone(), place.id);
        loads.spawn(async move { store.load(id).await });
    }
    let mut found = HashMap::new();
    while let Some(loaded) = loads.join_next().await {
        let loaded = loaded.expect("a load neither panics nor is aborted")?;
        found.extend(loaded.approval().map(|approval| (approval.id, approval)));
    }
    Ok(found)
}

fn fits(wanted: &Wanted, approval: &Approval) -> bool {
    let parked = |state: &RequestState| match state {
        RequestState::Ended(ended) => matches!(ended.callback, Callback::Parked(_)),
        _ => false,
    };
    let state = &approval.record.state;
    let in_state = match &wanted.list {
        Listed::Pending => approval.is_pending(),
        Listed::Attention => parked(state) || any_trouble(approval),
        Listed::Done(month) => match state {
            RequestState::Pending(_) => false,
            RequestState::Ended(ended) => {
                !parked(state) && ended.ending.at().strftime("%Y-%m").to_string() == *month
            }
            RequestState::Orphaned { at, .. } => at.strftime("%Y-%m").to_string() == *month,
        },
    };
    in_state && wanted.known.iter().all(|known| known.is_of(approval))
}
