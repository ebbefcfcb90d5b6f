//! A signer opens a page: finds out which page it is, and notes that it was opened. Changes nothing else, whoever
//! (or whatever) opens it.

use super::Flow;
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::RequestState;
use crate::domain::evidence::{Observation, Seen};
use crate::domain::form_token;
use crate::domain::link::{LinkClaim, SignerLink};
use crate::domain::signer::SignerState;
use crate::store::StoreError;
use jiff::SignedDuration;

/// How the page was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visit {
    /// By what may be a person's browser.
    Browser,
    /// By HEAD, or by something that says of itself that it is a machine.
    Machine,
}

/// What a signer is shown.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    /// The approval as it is now.
    pub approval: Box<Approval>,
    /// Whose page it is.
    pub signer: u8,
    /// Which page.
    pub kind: PageKind,
}

/// The pages of a signer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageKind {
    /// To be decided.
    Review {
        /// For the form.
        form_token: String,
    },
    /// This signer has answered, and the answer counts (or is on its way).
    Answered,
    /// It ended without this signer: the others decided, the deadline passed, or somebody withdrew it.
    Ended,
    /// The workflow no longer waits: whatever was answered, or wasn't, comes too late.
    TooLate,
    /// Somebody else is asked instead.
    Replaced,
}

/// Why there is no page.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PageError {
    /// The link isn't one of ours, or no longer.
    #[error("the link is not valid")]
    NotValid,
    /// What is stored is not what was asked: nobody should decide on it.
    #[error("the stored request is not as it was written")]
    Tampered,
    /// We can't tell; try again.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// The most observations kept for one signer.
const MAX_OBSERVATIONS: usize = 20;
/// Two openings within this time are one.
const SAME_OPENING: SignedDuration = SignedDuration::from_secs(10);

/// Opens the page behind `link`.
pub async fn open_page(flow: &Flow, link: &str, visit: Visit) -> Result<Page, PageError> {
    let claim = SignerLink::open(&flow.keys, link).ok_or(PageError::NotValid)?;
    let approval = load(flow, &claim).await?;
    let seen = to_note(flow, &claim, &approval, visit);
    let (approval, ()) = tokio::join!(super::watch::still_waiting(flow, approval), async {
        if let Some(seen) = seen {
            // Nobody should be kept from their page because a note about it could not be written.
            let _ = flow.store.observe(claim.approval, &seen).await;
        }
    });
    Ok(page(flow, &claim, approval?))
}

/// The approval behind a genuine link.
pub(super) async fn load(flow: &Flow, claim: &LinkClaim) -> Result<Approval, PageError> {
    let approval = flow
        .store
        .load(claim.approval)
        .await?
        .approval()
        .ok_or(PageError::NotValid)?;
    match approval.signers.get(usize::from(claim.signer)) {
        Some(signer) if claim.generation <= signer.generation => {}
        _ => return Err(PageError::NotValid),
    }
    match flow.target(&approval) {
        Ok(_) => Ok(approval),
        Err(error) => {
            tracing::error!(approval.id = %approval.id, error = %error, "a stored request is not as it was written");
            Err(PageError::Tampered)
        }
    }
}

/// Which page `claim` gets of `approval` as it is now.
pub(super) fn page(flow: &Flow, claim: &LinkClaim, approval: Approval) -> Page {
    let signer = &approval.signers[usize::from(claim.signer)];
    let moot = match &approval.record.state {
        RequestState::Pending(_) => false,
        RequestState::Ended(ended) => matches!(ended.callback, Callback::Moot { .. }),
        RequestState::Orphaned { .. } => true,
    };
    let kind = if claim.generation < signer.generation || matches!(signer.state, SignerState::Replaced { .. })
    {
        PageKind::Replaced
    } else if moot {
        PageKind::TooLate
    } else if signer.state.answer().is_some() {
        PageKind::Answered
    } else if approval.is_pending() {
        PageKind::Review {
            form_token: form_token::issue(&flow.keys, claim, flow.clock.now()),
        }
    } else {
        PageKind::Ended
    };
    Page {
        approval: Box::new(approval),
        signer: claim.signer,
        kind,
    }
}

/// What is worth noting of a visit: a machine that opens a page a thousand times fills no table.
fn to_note(flow: &Flow, claim: &LinkClaim, approval: &Approval, visit: Visit) -> Option<Observation> {
    let now = flow.clock.now();
    let seen = match visit {
        Visit::Browser => Seen::Opened,
        Visit::Machine => Seen::OpenedByMachine,
    };
    let openings = || {
        let mine = approval
            .observations
            .iter()
            .filter(|seen| seen.signer == claim.signer);
        mine.filter(|o| matches!(o.seen, Seen::Opened | Seen::OpenedByMachine))
    };
    let just_now = openings().any(|o| o.seen == seen && now.duration_since(o.at) < SAME_OPENING);
    let worth_it = approval.is_pending() && !just_now && openings().count() < MAX_OBSERVATIONS;
    worth_it.then_some(Observation {
        at: now,
        signer: claim.signer,
        seen,
    })
}
