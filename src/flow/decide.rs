//! A signer decides. One order everywhere: the decision is written, the callback is tried for at most two seconds,
//! the person is answered.

use super::review::{Page, PageError, PageKind};
use super::{Flow, call_back, expire, mail_event, review, watch};
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::{Answer, AnsweredBy, Ended, Ending, PrivateAnswer, RequestState};
use crate::domain::digest::Sha256;
use crate::domain::evidence::What;
use crate::domain::form_token::{self, FormToken};
use crate::domain::link::SignerLink;
use crate::domain::policy;
use crate::domain::request::{MAX_COMMENT_CHARS, Outcome, OutcomeKind};
use crate::domain::signer::{MailKind, MailTask, SignerRecord, SignerState, fold_name};
use crate::store::StoreError;
use jiff::Timestamp;

/// What came with the form.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Submission {
    /// The form's token.
    pub form_token: String,
    /// The id of the outcome chosen; empty when none was.
    pub outcome: String,
    /// The comment, perhaps empty.
    pub comment: String,
    /// What was typed as a signature.
    pub typed_name: String,
    /// The address it came from, where it is known.
    pub address: Option<String>,
    /// The browser, by its own word.
    pub browser: Option<String>,
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Submission(redacted)")
    }
}

/// What came of sending the form.
#[derive(Clone, PartialEq, Debug)]
pub enum Decided {
    /// The answer is recorded. The page says what it was, and whether it came too late after all.
    Recorded(Page),
    /// Nothing was recorded: the page is another one by now (answered already, decided by others, too late…).
    Overtaken(Page),
    /// Nothing was recorded: the form has mistakes.
    Mistakes(Page, Vec<Mistake>),
    /// Nothing was recorded: the form is too old, or not from our page.
    FormExpired(Page),
}

/// What is wrong with a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mistake {
    /// No outcome was chosen, or one that doesn't exist.
    NothingChosen,
    /// A rejection without a reason.
    ReasonMissing,
    /// The comment is longer than [`MAX_COMMENT_CHARS`].
    CommentTooLong,
    /// No name was typed.
    NameMissing,
    /// The name typed is not the signer's.
    NameDiffers,
}

/// Records what the person behind `link` answered.
pub async fn decide(flow: &Flow, link: &str, submission: &Submission) -> Result<Decided, PageError> {
    let claim = SignerLink::open(&flow.keys, link).ok_or(PageError::NotValid)?;
    let approval = watch::still_waiting(flow, review::load(flow, &claim).await?).await?;
    let page = review::page(flow, &claim, approval);
    if !matches!(page.kind, PageKind::Review { .. }) {
        return Ok(not_now(page, submission));
    }
    if form_token::check(&flow.keys, &claim, &submission.form_token, flow.clock.now()) != FormToken::Valid {
        return Ok(Decided::FormExpired(page));
    }
    let given = match given(&page.approval, claim.signer, submission) {
        Ok(given) => given,
        Err(mistakes) => return Ok(Decided::Mistakes(page, mistakes)),
    };
    Ok(match answer(flow, *page.approval, claim.signer, given).await? {
        (approval, true) => Decided::Recorded(review::page(flow, &claim, approval)),
        (approval, false) => not_now(review::page(flow, &claim, approval), submission),
    })
}

/// What is told to somebody whose form was not taken. The same form sent twice is the same answer.
fn not_now(page: Page, submission: &Submission) -> Decided {
    let given = page.approval.signers[usize::from(page.signer)].state.answer();
    let same = given.is_some_and(|answer| {
        answer.outcome == submission.outcome
            && answer.private.comment.as_deref().unwrap_or_default() == clean_comment(&submission.comment)
    });
    if same && page.kind == PageKind::Answered {
        Decided::Recorded(page)
    } else {
        Decided::Overtaken(page)
    }
}

/// A comment as it is kept.
fn clean_comment(typed: &str) -> String {
    let kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let comment: String = typed.replace("\r\n", "\n").chars().filter(kept).collect();
    comment.trim().to_owned()
}

/// An answer, checked.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) outcome: Outcome,
    pub(super) by: AnsweredBy,
    pub(super) comment: Option<String>,
    pub(super) typed_name: Option<String>,
    pub(super) address: Option<String>,
    pub(super) browser: Option<String>,
}

fn given(approval: &Approval, signer: u8, submission: &Submission) -> Result<Given, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let outcome = approval
        .body
        .terms
        .outcomes
        .iter()
        .find(|outcome| outcome.id == submission.outcome);
    let comment = clean_comment(&submission.comment);
    if outcome.is_none() {
        mistakes.push(Mistake::NothingChosen);
    }
    if comment.chars().count() > MAX_COMMENT_CHARS {
        mistakes.push(Mistake::CommentTooLong);
    } else if comment.is_empty() && outcome.is_some_and(|outcome| outcome.kind == OutcomeKind::Reject) {
        mistakes.push(Mistake::ReasonMissing);
    }
    let typed = submission.typed_name.trim();
    if typed.is_empty() {
        mistakes.push(Mistake::NameMissing);
    } else if fold_name(typed) != fold_name(&approval.people.name(signer)) {
        mistakes.push(Mistake::NameDiffers);
    }
    match outcome {
        Some(outcome) if mistakes.is_empty() => Ok(Given {
            outcome: outcome.clone(),
            by: AnsweredBy::Link,
            comment: (!comment.is_empty()).then_some(comment),
            typed_name: Some(typed.to_owned()),
            address: submission.address.clone(),
            browser: submission.browser.clone(),
        }),
        _ => Err(mistakes),
    }
}

/// Writes an answer, and the decision that it may complete, then tries the callback. `false` when it was not
/// recorded because the approval (which is given as it is now) had moved on.
///
/// Answers of others that come in the same second are no reason to refuse this one: it is tried again while this
/// signer's slot is open.
pub(super) async fn answer(
    flow: &Flow,
    mut approval: Approval,
    signer: u8,
    given: Given,
) -> Result<(Approval, bool), StoreError> {
    let salt = Sha256::of(&flow.random.bytes::<32>());
    for tries in 0.. {
        let now = flow.clock.now();
        let RequestState::Pending(pending) = &approval.record.state else {
            return Ok((approval, false));
        };
        if pending.deadline.is_some_and(|deadline| deadline <= now) {
            return Ok((expire::expire(flow, approval).await?, false));
        }
        let record = &approval.signers[usize::from(signer)];
        if !record.state.is_open() {
            return Ok((approval, false));
        }
        let answer = Answer {
            outcome: given.outcome.id.clone(),
            kind: given.outcome.kind,
            at: now,
            by: given.by,
            private: PrivateAnswer {
                salt,
                comment: given.comment.clone(),
                typed_name: given.typed_name.clone(),
                address: given.address.clone(),
                browser: given.browser.clone(),
            },
        };
        let (state, what) = weigh(&approval, signer, &answer, now);
        let decided = state.is_some();
        let receipt = MailTask::new(MailKind::Receipt, now + RECEIPT_AFTER);
        let record = SignerRecord {
            state: SignerState::Answered(answer),
            mail: Some(receipt),
            ..record.clone()
        };
        match flow.transition(&approval, what, now, state, vec![record]).await {
            Ok(after) => {
                tracing::info!(approval.id = %after.id, signer.index = signer, request.state = after.record.state.status(), "answer recorded");
                mail_event::settle(flow, &after).await;
                if !decided {
                    return Ok((after, true));
                }
                // The decision stands, whatever becomes of this first try: the worker goes on with it.
                let after = call_back::first_attempt(flow, after).await;
                return Ok((after, true));
            }
            Err(StoreError::Conflict) if tries < MAX_TRIES => {
                approval = flow.read_again(approval.id, tries).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict)
}

/// Enough for a hundred signers who answer in the same second.
const MAX_TRIES: u32 = 400;

/// A receipt waits a moment, so that it can say if the answer came too late after all.
const RECEIPT_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_secs(3);

/// What one more answer makes of an approval: the state it changes to (`None`: it stays pending), and the event.
fn weigh(approval: &Approval, signer: u8, answer: &Answer, now: Timestamp) -> (Option<RequestState>, What) {
    let mut answers = approval.answers();
    answers[usize::from(signer)] = Some(answer);
    let decision = policy::decide(approval.body.terms.policy, &answers);
    // A mail in the list of what needs somebody is taken out by the same step that tells those who didn't answer.
    let listed = approval.mail_notes.iter().any(|note| note.listed);
    let waiting = answers.iter().any(Option::is_none) || listed;
    let ending = decision.map(|decision| match decision.kind {
        OutcomeKind::Approve => Ending::Approved(decision),
        OutcomeKind::Reject => Ending::Rejected(decision),
    });
    let what = What::Answered {
        signer,
        person: approval.body.signers[usize::from(signer)].person,
        outcome: answer.outcome.clone(),
        identified: answer.by,
        private: answer.private.salted_hash(),
        decides: ending.as_ref().map(|ending| ending.status().to_owned()),
    };
    let state = ending.map(|ending| {
        RequestState::Ended(Ended {
            ending,
            callback: Callback::first_attempt(now),
            notices: waiting.then_some(now),
        })
    });
    (state, what)
}
