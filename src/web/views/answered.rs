//! The pages after an answer: the reader's own ("Thank you, Bob"), and the one that says that others have decided.
//! Shown by a POST that was recorded, by the same POST sent twice, and by every later visit.

use askama::Template;

use super::{About, Frame, Unsent};
use crate::domain::{
    display_text::{DisplayLines, DisplayText},
    when::Moment,
    wording::{AnswerKind, AnswerWords},
};

/// The reader has answered.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/recorded.html")]
pub struct RecordedPage {
    /// Around the page.
    pub frame: Frame,
    /// Which request, whom it asked.
    pub about: About,
    /// What they answered.
    pub answer: AnswerWords,
    /// When.
    pub at: Moment,
    /// Their comment, blank if none.
    pub comment: DisplayLines,
    /// Whether this is a later visit and not the answer to sending it.
    pub earlier: bool,
    /// Whether an operator or a program gave the answer in their place.
    pub on_behalf: bool,
    /// Something else that they have just sent, which was not recorded because the first answer stands.
    pub unsent: Option<Unsent>,
    /// What happens next.
    pub after: AfterAnswer,
    /// Where a receipt is sent, if one is: "b***@example.com".
    pub receipt_to: Option<DisplayText>,
}

impl RecordedPage {
    /// Whether the answer was recorded but had no effect.
    pub fn came_too_late(&self) -> bool {
        matches!(self.after, AfterAnswer::CameTooLate)
    }
}

/// What happens after an answer.
#[derive(Clone, Debug)]
pub enum AfterAnswer {
    /// Others are still asked: how many.
    OthersAreAsked(usize),
    /// This answer decided the request.
    Decided {
        /// What goes ahead now, where it is known; nothing after a rejection.
        goes_ahead: Option<DisplayText>,
        /// Whether whoever asked has been told already.
        passed_on: bool,
    },
    /// Another answer has decided the request since then.
    DecidedSince {
        /// Whether it was approved.
        approved: bool,
    },
    /// It was recorded, but what it was for had already ended.
    CameTooLate,
    /// It was recorded, and somebody else then withdrew or ended the whole request.
    EndedOtherwise,
}

/// Others have decided before the reader answered.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/decided.html")]
pub struct DecidedPage {
    /// Around the page.
    pub frame: Frame,
    /// Which request, whom it asked.
    pub about: About,
    /// What it came to.
    pub answer: AnswerWords,
    /// Whose answer decided.
    pub by: DisplayText,
    /// When.
    pub at: Moment,
    /// What the reader has just sent, which was not recorded.
    pub unsent: Option<Unsent>,
}

#[cfg(test)]
impl RecordedPage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::people::samples::{other, rejected, signed};
        use super::samples::{about, bare_about, bare_frame, frame, long_about, moment};

        let page = |about: About, answer: AnswerWords| Self {
            frame: frame(),
            about,
            answer,
            at: moment("2026-11-21T09:02:00Z"),
            comment: DisplayLines::default(),
            earlier: false,
            on_behalf: false,
            unsent: None,
            after: AfterAnswer::Decided {
                goes_ahead: Some("Release payment".into()),
                passed_on: true,
            },
            receipt_to: Some("b***@example.com".into()),
        };
        let comment = DisplayLines::new("The price in section 3 is not what we agreed.\nPlease correct it.");
        let later = |answer| Self {
            earlier: true,
            at: moment("2026-11-20T16:40:00Z"),
            receipt_to: None,
            after: AfterAnswer::DecidedSince { approved: true },
            ..page(about(), answer)
        };
        vec![
            ("signed", page(about(), signed())),
            (
                "signed-bare",
                Self {
                    frame: bare_frame(),
                    receipt_to: None,
                    after: AfterAnswer::Decided {
                        goes_ahead: None,
                        passed_on: true,
                    },
                    ..page(bare_about(), signed())
                },
            ),
            (
                "signed-others-asked",
                Self {
                    after: AfterAnswer::OthersAreAsked(2),
                    ..page(long_about(), signed())
                },
            ),
            (
                "signed-too-late",
                Self {
                    after: AfterAnswer::CameTooLate,
                    receipt_to: None,
                    ..page(about(), signed())
                },
            ),
            (
                "rejected",
                Self {
                    comment: comment.clone(),
                    after: AfterAnswer::Decided {
                        goes_ahead: None,
                        passed_on: false,
                    },
                    ..page(about(), rejected())
                },
            ),
            (
                "other-answer",
                Self {
                    after: AfterAnswer::OthersAreAsked(1),
                    ..page(about(), other())
                },
            ),
            (
                "already-answered",
                Self {
                    comment: comment.clone(),
                    ..later(rejected())
                },
            ),
            (
                "already-answered-otherwise",
                Self {
                    unsent: Some(Unsent { comment }),
                    ..later(signed())
                },
            ),
            (
                "answered-on-behalf",
                Self {
                    on_behalf: true,
                    ..later(signed())
                },
            ),
            (
                "already-answered-decided-since",
                Self {
                    after: AfterAnswer::DecidedSince { approved: false },
                    ..later(signed())
                },
            ),
            (
                "already-answered-ended",
                Self {
                    after: AfterAnswer::EndedOtherwise,
                    ..later(signed())
                },
            ),
        ]
    }
}

#[cfg(test)]
impl DecidedPage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::people::samples::{other, rejected, signed};
        use super::samples::{about, frame, moment};

        let page = Self {
            frame: frame(),
            about: about(),
            answer: signed(),
            by: "Alice Adams".into(),
            at: moment("2026-11-21T08:58:00Z"),
            unsent: None,
        };
        let unsent = Some(Unsent {
            comment: DisplayLines::new("I would rather wait until Monday."),
        });
        vec![
            ("decided", page.clone()),
            (
                "decided-while-typing",
                Self {
                    answer: rejected(),
                    unsent,
                    ..page.clone()
                },
            ),
            (
                "decided-otherwise",
                Self {
                    answer: other(),
                    unsent: Some(Unsent {
                        comment: DisplayLines::default(),
                    }),
                    ..page
                },
            ),
        ]
    }
}
