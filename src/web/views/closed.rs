//! The pages of a request that takes no answer any more: too late, withdrawn, or somebody else asked instead.
//! Each says since when and by whom, and whom to ask; and gives back a comment that was typed in vain.

use askama::Template;

use super::{About, Frame, Unsent};
use crate::domain::{
    display_text::{DisplayLines, DisplayText},
    when::Moment,
};

/// Nobody waits for an answer any more.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/too_late.html")]
pub struct TooLatePage {
    /// Around the page.
    pub frame: Frame,
    /// Which request, whom it asked.
    pub about: About,
    /// Why it is too late.
    pub because: TooLate,
    /// What the reader has just sent, which was not recorded.
    pub unsent: Option<Unsent>,
}

/// Why it is too late.
#[derive(Clone, Debug)]
pub enum TooLate {
    /// The deadline passed then.
    Expired(Moment),
    /// What the answer was for had ended by then.
    WorkflowEnded(Moment),
    /// It was answered before, of which the table knows nothing: it is older than that.
    Answered,
}

/// The request was withdrawn.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/withdrawn.html")]
pub struct WithdrawnPage {
    /// Around the page.
    pub frame: Frame,
    /// Which request, whom it asked.
    pub about: About,
    /// By whom.
    pub by: Option<DisplayText>,
    /// Why; blank if nobody said.
    pub why: DisplayLines,
    /// When.
    pub at: Moment,
    /// What the reader has just sent, which was not recorded.
    pub unsent: Option<Unsent>,
}

/// Somebody else was asked instead of the reader.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/replaced.html")]
pub struct ReplacedPage {
    /// Around the page.
    pub frame: Frame,
    /// Which request, whom it asked.
    pub about: About,
    /// Who is asked now.
    pub instead: Option<DisplayText>,
    /// Since when, if that is known.
    pub at: Option<Moment>,
    /// What the reader has just sent, which was not recorded.
    pub unsent: Option<Unsent>,
}

#[cfg(test)]
fn typed() -> Unsent {
    Unsent {
        comment: DisplayLines::new("I agree, provided that the date in section 2 is right."),
    }
}

#[cfg(test)]
impl TooLatePage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::samples::{about, bare_about, bare_frame, frame, moment};

        let at = moment("2026-11-20T16:00:00Z");
        let page = |because, unsent| Self {
            frame: frame(),
            about: about(),
            because,
            unsent,
        };
        vec![
            ("too-late-expired", page(TooLate::Expired(at.clone()), None)),
            (
                "too-late-ended",
                Self {
                    frame: bare_frame(),
                    about: bare_about(),
                    ..page(TooLate::WorkflowEnded(at.clone()), None)
                },
            ),
            ("too-late-answered", page(TooLate::Answered, None)),
            (
                "too-late-while-typing",
                page(TooLate::WorkflowEnded(at), Some(typed())),
            ),
        ]
    }
}

#[cfg(test)]
impl WithdrawnPage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::samples::{about, bare_about, bare_frame, frame, moment};

        let page = Self {
            frame: frame(),
            about: about(),
            by: Some("Carol Chen".into()),
            why: DisplayLines::new(
                "The contract is being drawn up anew. You will get another mail next week.",
            ),
            at: moment("2026-11-20T16:00:00Z"),
            unsent: None,
        };
        let bare = Self {
            frame: bare_frame(),
            about: bare_about(),
            by: None,
            why: DisplayLines::default(),
            unsent: Some(typed()),
            ..page.clone()
        };
        vec![("withdrawn", page), ("withdrawn-while-typing", bare)]
    }
}

#[cfg(test)]
impl ReplacedPage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::samples::{about, frame, moment};

        let page = Self {
            frame: frame(),
            about: about(),
            instead: Some("Carol Chen".into()),
            at: Some(moment("2026-11-20T16:00:00Z")),
            unsent: None,
        };
        vec![
            ("replaced", page.clone()),
            (
                "replaced-while-typing",
                Self {
                    instead: None,
                    at: None,
                    unsent: Some(typed()),
                    ..page
                },
            ),
        ]
    }
}
