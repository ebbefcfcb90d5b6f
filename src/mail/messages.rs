//! Which mail an approval needs, in words: from the approval as it is to subject, text and HTML.
//! Called by `flow/notify.rs`. The template structs it fills stand in `views.rs`; what they look like, in
//! `templates/emails/`.

use super::views::{self, Because, Invitation, Notice, Others, Receipt, Reminder};
use crate::domain::approval::Approval;
use crate::domain::callback::Callback;
use crate::domain::decision::{AnsweredBy, Ending, RequestState};
use crate::domain::display_text::DisplayLines;
use crate::domain::signer::{SignerRecord, SignerState};
use crate::domain::when::Moment;
use crate::domain::wording::{answer_words, ask_words, outcome_words};
use jiff::Timestamp;

pub use super::views::Message;

/// What a mail is about.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// On whose behalf it is sent; may be empty.
    pub organisation: &'a str,
    /// The zone of its dates, where the request names none.
    pub time_zone: &'a str,
    /// The approval as it is.
    pub approval: &'a Approval,
    /// To whom it goes.
    pub signer: &'a SignerRecord,
    /// The address of the signer's page.
    pub link: String,
    /// The time.
    pub now: Timestamp,
}

/// The first mail.
pub fn invitation(about: &About<'_>) -> Message {
    let mail = Invitation {
        about: about.words(),
        deadline: about.deadline(),
        others: about.others(),
        link: about.link.clone(),
    };
    mail.message()
}

/// A later mail to somebody who hasn't answered.
pub fn reminder(about: &About<'_>) -> Message {
    let asked = match &about.signer.state {
        SignerState::Sent { at } => *at,
        _ => about.approval.body.created,
    };
    let mail = Reminder {
        about: about.words(),
        asked: about.moment(asked),
        deadline: about.deadline(),
        link: about.link.clone(),
    };
    mail.message()
}

/// What the signer answered; without an answer (it should not be asked for then) the word that it has ended.
pub fn receipt(about: &About<'_>) -> Message {
    let Some(answer) = about.signer.state.answer() else {
        return closed(about);
    };
    let mail = Receipt {
        about: about.words(),
        answer: answer_words(about.approval, answer),
        at: about.moment(answer.at),
        comment: DisplayLines::new(answer.private.comment.as_deref().unwrap_or_default()),
        on_behalf: answer.by == AnsweredBy::Operations,
        evidence_head: about.approval.record.evidence.hash.to_string(),
    };
    mail.message()
}

/// The signer's answer had no effect any more.
pub fn too_late(about: &About<'_>) -> Message {
    let recorded = about.signer.state.answer().map_or(about.now, |answer| answer.at);
    notice(
        about,
        Because::CameTooLate {
            at: about.moment(recorded),
        },
    )
}

/// It ended without the signer.
pub fn closed(about: &About<'_>) -> Message {
    let approval = about.approval;
    let because = match &approval.record.state {
        RequestState::Pending(_) => Because::Replaced {
            at: about.moment(about.now),
        },
        RequestState::Orphaned { at, .. } => Because::Ended {
            at: about.moment(*at),
        },
        RequestState::Ended(ended) => match (&ended.ending, &ended.callback) {
            (_, Callback::Moot { at, .. }) => Because::Ended {
                at: about.moment(*at),
            },
            (Ending::Approved(decision) | Ending::Rejected(decision), _) => Because::Decided {
                by: approval.people.name(decision.by).as_str().into(),
                answer: outcome_words(approval, &decision.outcome, decision.kind),
                at: about.moment(decision.at),
            },
            (Ending::Expired { at, .. }, _) => Because::Expired {
                at: about.moment(*at),
            },
            (Ending::Cancelled { at, by, reason, .. }, _) => Because::Withdrawn {
                by: (!by.trim().is_empty()).then(|| by.as_str().into()),
                why: DisplayLines::new(reason.as_deref().unwrap_or_default()),
                at: about.moment(*at),
            },
        },
    };
    notice(about, because)
}

fn notice(about: &About<'_>, because: Because) -> Message {
    Notice {
        about: about.words(),
        because,
    }
    .message()
}

impl About<'_> {
    fn words(&self) -> views::About {
        let organisation = self.organisation.trim();
        views::About {
            lang: "en",
            dir: "ltr",
            organisation: (!organisation.is_empty()).then(|| organisation.into()),
            ask: ask_words(self.approval),
            signer: self.approval.people.name(self.signer.number).as_str().into(),
            requester: self
                .approval
                .people
                .requester
                .as_ref()
                .map(|person| person.name.as_str().into()),
            reference: self.approval.id.to_string(),
        }
    }

    fn moment(&self, at: Timestamp) -> Moment {
        Moment::new(at, self.now, self.approval.time_zone(self.time_zone))
    }

    fn deadline(&self) -> Option<Moment> {
        self.approval.body.deadline().map(|at| self.moment(at))
    }

    fn others(&self) -> Others {
        let others: Vec<&SignerRecord> = self
            .approval
            .signers
            .iter()
            .filter(|other| other.number != self.signer.number)
            .collect();
        match others.as_slice() {
            [] => Others::Nobody,
            [other] => Others::One {
                name: self.approval.people.name(other.number).as_str().into(),
                answer: other
                    .state
                    .answer()
                    .map(|answer| answer_words(self.approval, answer)),
            },
            several => Others::Several {
                asked: several.len(),
                answered: several
                    .iter()
                    .filter(|other| other.state.answer().is_some())
                    .count(),
            },
        }
    }
}
