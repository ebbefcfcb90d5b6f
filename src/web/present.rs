//! From an approval to the page that a signer sees: chooses the view and fills it.
//! Called by `sign.rs` with what `flow` answered. All wording that depends on the request stands here, in `wording` and in
//! the templates; nothing here reads or writes anything.

mod review;

use super::views::{
    About, AfterAnswer, DecidedPage, Field, FieldProblem, Frame, RecordedPage, ReplacedPage, TooLate,
    TooLatePage, Unsent, WithdrawnPage,
};
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::{Answer, AnsweredBy, Decision, Ended, Ending, RequestState, WorkflowEnd};
use crate::domain::display_text::{DisplayLines, DisplayText};
use crate::domain::request::OutcomeKind;
use crate::domain::signer::{SignerRecord, SignerState};
use crate::domain::when::Moment;
use crate::domain::wording::{answer_words, ask_words, outcome_words};
use crate::flow::decide::{Mistake, Submission};
use crate::flow::review::PageKind;
use askama::Template;
use jiff::Timestamp;

/// What a page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Presenter<'a> {
    /// Around the page.
    pub frame: &'a Frame,
    /// The time.
    pub now: Timestamp,
    /// The zone of its dates, where the request names none.
    pub time_zone: &'a str,
    /// The approval as it is.
    pub approval: &'a Approval,
    /// Whose page it is.
    pub signer: u8,
}

/// A page's HTML.
fn html(page: &impl Template) -> String {
    page.render().expect("a template is written into a String")
}

impl Presenter<'_> {
    /// The page as somebody gets it who opens it.
    pub fn opened(&self, kind: &PageKind) -> String {
        self.page(kind, true, None)
    }

    /// The page after an answer was recorded.
    pub fn recorded(&self, kind: &PageKind) -> String {
        self.page(kind, false, None)
    }

    /// The page after an answer arrived that wasn't recorded, because the request had moved on. The same answer sent
    /// twice is the same as sent once.
    pub fn overtaken(&self, kind: &PageKind, sent: &Submission) -> String {
        let again = self
            .record()
            .state
            .answer()
            .is_some_and(|answer| answer.outcome == sent.outcome && answer.by == AnsweredBy::Link);
        if again {
            return self.page(kind, false, None);
        }
        self.page(
            kind,
            true,
            Some(Unsent {
                comment: DisplayLines::new(&sent.comment),
            }),
        )
    }

    /// The review page with what was typed and what is wrong with it.
    pub fn mistaken(&self, kind: &PageKind, sent: &Submission, mistakes: &[Mistake]) -> String {
        let problems = mistakes
            .iter()
            .map(|mistake| self.problem(*mistake, sent))
            .collect();
        self.sent_back(kind, sent, problems)
    }

    /// The review page with what was typed, because the form was too old to be taken.
    pub fn form_expired(&self, kind: &PageKind, sent: &Submission) -> String {
        let message = "This page was open for too long, so nothing was recorded. What you typed is still here: check \
                       it and send it again.";
        self.sent_back(
            kind,
            sent,
            vec![FieldProblem {
                field: Field::Form,
                message: message.to_owned(),
            }],
        )
    }

    fn page(&self, kind: &PageKind, earlier: bool, unsent: Option<Unsent>) -> String {
        match (kind, self.record().state.answer()) {
            (PageKind::Review { form_token }, _) => html(&self.review(form_token)),
            (PageKind::Replaced, _) => html(&self.replaced(unsent)),
            (_, Some(answer)) => html(&self.answered(answer, earlier, unsent)),
            (PageKind::Answered | PageKind::Ended | PageKind::TooLate, None) => self.ended(unsent),
        }
    }

    fn record(&self) -> &SignerRecord {
        &self.approval.signers[usize::from(self.signer)]
    }

    fn name(&self, number: u8) -> DisplayText {
        self.approval.people.name(number).as_str().into()
    }

    fn moment(&self, at: Timestamp) -> Moment {
        Moment::new(at, self.now, self.approval.time_zone(self.time_zone))
    }

    fn about(&self) -> About {
        let requester = self.approval.people.requester.as_ref();
        About {
            ask: ask_words(self.approval),
            signer: self.name(self.signer),
            requester: requester.map(|person| person.name.as_str().into()),
            questions_to: requester
                .and_then(|person| person.email.as_deref())
                .map(DisplayText::new),
            reference: self.approval.id.to_string(),
        }
    }

    fn sent_back(&self, kind: &PageKind, sent: &Submission, problems: Vec<FieldProblem>) -> String {
        let PageKind::Review { form_token } = kind else {
            return self.overtaken(kind, sent);
        };
        let mut page = self.review(form_token);
        for choice in &mut page.form.choices {
            choice.chosen = choice.id == sent.outcome;
        }
        page.form.comment.clone_from(&sent.comment);
        page.form.name.clone_from(&sent.typed_name);
        page.form.problems = problems;
        html(&page)
    }

    fn answered(&self, answer: &Answer, earlier: bool, unsent: Option<Unsent>) -> RecordedPage {
        RecordedPage {
            frame: self.frame.clone(),
            about: self.about(),
            answer: answer_words(self.approval, answer),
            at: self.moment(answer.at),
            comment: DisplayLines::new(answer.private.comment.as_deref().unwrap_or_default()),
            earlier,
            on_behalf: answer.by == AnsweredBy::Operations,
            unsent,
            after: self.after(),
            receipt_to: self.receipt_to().filter(|_| !earlier),
        }
    }

    fn after(&self) -> AfterAnswer {
        match &self.approval.record.state {
            RequestState::Pending(_) => {
                let asked = self
                    .approval
                    .signers
                    .iter()
                    .filter(|signer| signer.state.is_open())
                    .count();
                AfterAnswer::OthersAreAsked(asked)
            }
            RequestState::Orphaned { .. }
            | RequestState::Ended(Ended {
                callback: Callback::Moot { .. },
                ..
            }) => AfterAnswer::CameTooLate,
            RequestState::Ended(Ended {
                ending: Ending::Approved(decision) | Ending::Rejected(decision),
                callback,
                ..
            }) => self.decided(decision, callback),
            RequestState::Ended(_) => AfterAnswer::EndedOtherwise,
        }
    }

    fn decided(&self, decision: &Decision, callback: &Callback) -> AfterAnswer {
        if decision.by == self.signer {
            AfterAnswer::Decided {
                goes_ahead: None,
                passed_on: matches!(callback, Callback::Delivered { .. }),
            }
        } else {
            AfterAnswer::DecidedSince {
                approved: decision.kind == OutcomeKind::Approve,
            }
        }
    }

    /// The address as far as its owner needs it to know it again.
    fn receipt_to(&self) -> Option<DisplayText> {
        let person = self
            .approval
            .people
            .signers
            .get(usize::from(self.signer))?
            .as_ref()?;
        let (local, domain) = person.email.as_deref()?.rsplit_once('@')?;
        let first = local.chars().next()?;
        Some(DisplayText::new(&format!("{first}***@{domain}")))
    }

    /// The pages of a request that ended without this signer.
    fn ended(&self, unsent: Option<Unsent>) -> String {
        let too_late = |because, unsent| {
            html(&TooLatePage {
                frame: self.frame.clone(),
                about: self.about(),
                because,
                unsent,
            })
        };
        match &self.approval.record.state {
            RequestState::Ended(Ended {
                ending: Ending::Cancelled { at, by, reason, .. },
                ..
            }) => html(&WithdrawnPage {
                frame: self.frame.clone(),
                about: self.about(),
                by: (!by.trim().is_empty()).then(|| by.as_str().into()),
                why: DisplayLines::new(reason.as_deref().unwrap_or_default()),
                at: self.moment(*at),
                unsent,
            }),
            RequestState::Ended(Ended {
                ending: Ending::Expired { at, .. },
                ..
            }) => too_late(TooLate::Expired(self.moment(*at)), unsent),
            RequestState::Ended(Ended {
                callback: Callback::Moot { at, .. },
                ..
            }) => too_late(TooLate::WorkflowEnded(self.moment(*at)), unsent),
            RequestState::Ended(Ended {
                ending: Ending::Approved(decision) | Ending::Rejected(decision),
                ..
            }) => html(&DecidedPage {
                frame: self.frame.clone(),
                about: self.about(),
                answer: outcome_words(self.approval, &decision.outcome, decision.kind),
                by: self.name(decision.by),
                at: self.moment(decision.at),
                unsent,
            }),
            RequestState::Orphaned { at, because, .. } => {
                let ended = match because {
                    WorkflowEnd::Execution { at: Some(ended), .. } => ended,
                    WorkflowEnd::Execution { at: None, .. } | WorkflowEnd::TokenClosed => at,
                };
                too_late(TooLate::WorkflowEnded(self.moment(*ended)), unsent)
            }
            // Not reached: a pending request without an answer has a review page. It would be true all the same.
            RequestState::Pending(_) => too_late(TooLate::WorkflowEnded(self.moment(self.now)), unsent),
        }
    }

    fn replaced(&self, unsent: Option<Unsent>) -> ReplacedPage {
        let at = match &self.record().state {
            SignerState::Replaced { at } => Some(self.moment(*at)),
            _ => None,
        };
        // Where the link is merely of an earlier generation, the place is the new person's by now.
        let instead = at.is_none().then(|| self.name(self.signer));
        ReplacedPage {
            frame: self.frame.clone(),
            about: self.about(),
            instead,
            at,
            unsent,
        }
    }
}

#[cfg(test)]
mod tests;
