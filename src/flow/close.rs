//! Telling the signers how it ended: those who were asked and didn't answer, and those whose answer came too late. What
//! was in the list of what needs somebody goes out of it here.

use super::{Flow, Step, mail_event};
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::{Ended, RequestState};
use crate::domain::signer::{MailKind, MailTask, SignerRecord, SignerState};
use crate::store::{Change, StoreError};
use jiff::Timestamp;

/// How many signers one transaction may change: DynamoDB allows a hundred items.
const CHUNK: usize = 90;
/// How often it is tried while others write to the same approval.
const MAX_TRIES: u32 = 8;

/// Puts a mail on each such signer's record; the mails then go their own way. Each record says that its signer was
/// told, and the state is written last: cut off anywhere, the next try tells those who are left.
pub async fn close(flow: &Flow, mut approval: Approval) -> Result<Step, StoreError> {
    for tries in 0..MAX_TRIES {
        let now = flow.clock.now();
        let Some(state) = without_notices(&approval.record.state, now) else {
            return Ok(Step::Nothing);
        };
        match tell(flow, approval.clone(), state, now).await {
            Ok(()) => return Ok(Step::Done),
            // The callback's result comes in at the same moment as a rule.
            Err(StoreError::Conflict) => approval = flow.read_again(approval.id, tries).await?,
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict)
}

/// The state once its notices are on their way; `None` when none are due.
fn without_notices(state: &RequestState, now: Timestamp) -> Option<RequestState> {
    match state {
        RequestState::Ended(ended) if ended.notices? <= now => Some(RequestState::Ended(Ended {
            notices: None,
            ..ended.clone()
        })),
        RequestState::Orphaned {
            at,
            because,
            notices: Some(due),
        } if *due <= now => Some(RequestState::Orphaned {
            at: *at,
            because: because.clone(),
            notices: None,
        }),
        _ => None,
    }
}

async fn tell(
    flow: &Flow,
    mut approval: Approval,
    state: RequestState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let moot = matches!(
        &state,
        RequestState::Ended(Ended {
            callback: Callback::Moot { .. },
            ..
        })
    );
    let told: Vec<SignerRecord> = approval
        .signers
        .iter()
        .filter(|signer| !signer.told)
        .filter_map(|signer| {
            let kind = match &signer.state {
                SignerState::Sent { .. } => MailKind::Closed,
                // A receipt that is still to be sent will say by itself that the answer came too late.
                SignerState::Answered(_) if moot && signer.mail.is_none() => MailKind::Receipt,
                // An invitation that was never sent is dropped by the mail step.
                _ => return None,
            };
            Some(SignerRecord {
                told: true,
                mail: Some(MailTask::new(kind, now)),
                ..signer.clone()
            })
        })
        .collect();
    for chunk in told.chunks(CHUNK) {
        let change = Change {
            signers: chunk.to_vec(),
            ..Change::default()
        };
        approval = flow.commit(&approval, change).await?;
    }
    mail_event::unlist(flow, &approval).await?;
    flow.commit(
        &approval,
        Change {
            state: Some(state),
            ..Change::default()
        },
    )
    .await
    .map(drop)
}
