//! Telling the signers how it ended: those who were asked and didn't answer, and those whose answer came too late.

use super::{Flow, Step};
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::{Ended, RequestState};
use crate::domain::signer::{MailKind, MailTask, SignerRecord, SignerState};
use crate::store::{Change, StoreError};

/// How many signers one transaction may change: DynamoDB allows a hundred items.
const CHUNK: usize = 90;

/// Puts a mail on each such signer's record; the mails then go their own way. The state is written last.
pub async fn close(flow: &Flow, mut approval: Approval) -> Result<Step, StoreError> {
    let now = flow.clock.now();
    let state = match &approval.record.state {
        RequestState::Ended(ended) if ended.notices.is_some_and(|due| due <= now) => {
            RequestState::Ended(Ended {
                notices: None,
                ..ended.clone()
            })
        }
        RequestState::Orphaned {
            at,
            because,
            notices: Some(due),
        } if *due <= now => RequestState::Orphaned {
            at: *at,
            because: because.clone(),
            notices: None,
        },
        _ => return Ok(Step::Nothing),
    };
    let moot = matches!(
        &state,
        RequestState::Ended(Ended {
            callback: Callback::Moot { .. },
            ..
        })
    );
    let owed = |signer: &&SignerRecord| match &signer.state {
        SignerState::Sent { .. } => true,
        // A receipt that is still to be sent will say by itself that it was too late.
        SignerState::Answered(_) => moot && signer.mail.is_none(),
        // An invitation that was never sent is dropped by the mail step.
        SignerState::Waiting | SignerState::Bounced { .. } | SignerState::Replaced { .. } => false,
    };
    let told: Vec<SignerRecord> = approval
        .signers
        .iter()
        .filter(owed)
        .map(|signer| {
            let kind = if signer.state.answer().is_some() {
                MailKind::Receipt
            } else {
                MailKind::Closed
            };
            SignerRecord {
                mail: Some(MailTask::new(kind, now)),
                ..signer.clone()
            }
        })
        .collect();
    for chunk in told.chunks(CHUNK) {
        match flow
            .commit(
                &approval,
                Change {
                    signers: chunk.to_vec(),
                    ..Change::default()
                },
            )
            .await
        {
            Ok(after) => approval = after,
            // Somebody else is at it; the due key stands until all is done.
            Err(StoreError::Conflict) => return Ok(Step::Nothing),
            Err(error) => return Err(error),
        }
    }
    match flow
        .commit(
            &approval,
            Change {
                state: Some(state),
                ..Change::default()
            },
        )
        .await
    {
        Ok(_) => {}
        Err(StoreError::Conflict) => return Ok(Step::Nothing),
        Err(error) => return Err(error),
    }
    Ok(Step::Done)
}
