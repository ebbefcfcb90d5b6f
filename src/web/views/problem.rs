//! The pages that are about no request: a link that isn't valid, a fault of ours, too many requests, no such page.
//! Used by `web::error`. They never say whether a request exists, and each offers a way on.

use askama::Template;

use super::Frame;
use crate::domain::display_text::DisplayLines;

/// The link opens nothing.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/not_valid.html")]
pub struct NotValidPage {
    /// Around the page.
    pub frame: Frame,
}

/// Something of ours failed. It doesn't claim that nothing was recorded: a write whose answer got lost may have taken
/// effect, and sending the same again is safe.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/our_fault.html")]
pub struct OurFaultPage {
    /// Around the page.
    pub frame: Frame,
    /// The number to quote, which the log knows.
    pub incident: String,
    /// What was sent, to be sent again.
    pub again: Option<Again>,
}

/// What somebody sent, kept in a form that sends it again.
#[derive(Clone, Debug)]
pub struct Again {
    /// The CSRF token that came with it.
    pub csrf: String,
    /// The chosen outcome's id.
    pub outcome: String,
    /// The typed name.
    pub name: String,
    /// The comment.
    pub comment: DisplayLines,
}

/// The caller asks too often.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/too_many_requests.html")]
pub struct TooManyRequestsPage {
    /// Around the page.
    pub frame: Frame,
    /// How long to wait, in words: "a minute".
    pub wait: String,
}

/// A request that could not be served, for a reason that is about the request.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/problem.html")]
pub struct ProblemPage {
    /// Around the page.
    pub frame: Frame,
    /// What is the case.
    pub problem: Problem,
}

/// What was wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such page.
    NotFound,
    /// The page exists, but not for this method.
    MethodNotAllowed,
    /// A form was sent from another site.
    FromElsewhere,
    /// More was sent than is taken.
    TooLarge,
    /// What was sent could not be read.
    Unreadable,
    /// It took too long to arrive.
    TooSlow,
}

impl Problem {
    /// The page's heading.
    pub fn heading(self) -> &'static str {
        match self {
            Problem::NotFound => "There is no such page",
            Problem::MethodNotAllowed => "This page can’t be used that way",
            Problem::FromElsewhere => "This didn’t come from our page",
            Problem::TooLarge => "That is more than can be sent",
            Problem::Unreadable => "What was sent could not be read",
            Problem::TooSlow => "It took too long to arrive",
        }
    }

    /// What is the case, and what to do.
    pub fn explanation(self) -> &'static str {
        match self {
            Problem::NotFound => {
                "The address may have been cut off or mistyped. If you came from a mail, open the link there again, \
                 or copy the whole address from it."
            }
            Problem::MethodNotAllowed => {
                "Nothing was recorded. If you came from a mail, open the link there again."
            }
            Problem::FromElsewhere => {
                "The answer was sent from another website, so it was not recorded. To answer, open the link in your \
                 mail and use the page that it shows."
            }
            Problem::TooLarge => "Nothing was recorded. Go back, shorten your comment, and send it again.",
            Problem::Unreadable => "Nothing was recorded. Open the link in your mail again and answer there.",
            Problem::TooSlow => "Nothing was recorded. Check your connection, go back, and send it again.",
        }
    }
}

#[cfg(test)]
impl NotValidPage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::samples::frame;
        vec![("not-valid", Self { frame: frame() })]
    }
}

#[cfg(test)]
impl OurFaultPage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::samples::frame;

        let page = Self {
            frame: frame(),
            incident: "7K2M-4QXD".to_owned(),
            again: None,
        };
        let again = Again {
            csrf: "c2FtcGxl".to_owned(),
            outcome: "approve".to_owned(),
            name: "Bob \"Bobby\" Miller".to_owned(),
            comment: DisplayLines::new("Fine by me.\n</textarea><b>x"),
        };
        vec![
            ("our-fault", page.clone()),
            (
                "our-fault-after-sending",
                Self {
                    again: Some(again),
                    ..page
                },
            ),
        ]
    }
}

#[cfg(test)]
impl TooManyRequestsPage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::samples::frame;
        vec![(
            "too-many-requests",
            Self {
                frame: frame(),
                wait: "a minute".to_owned(),
            },
        )]
    }
}

#[cfg(test)]
impl ProblemPage {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        use super::samples::{bare_frame, frame};

        let page = |problem| Self {
            frame: frame(),
            problem,
        };
        vec![
            (
                "not-found",
                Self {
                    frame: bare_frame(),
                    ..page(Problem::NotFound)
                },
            ),
            ("method-not-allowed", page(Problem::MethodNotAllowed)),
            ("from-elsewhere", page(Problem::FromElsewhere)),
            ("too-large", page(Problem::TooLarge)),
            ("unreadable", page(Problem::Unreadable)),
            ("too-slow", page(Problem::TooSlow)),
        ]
    }
}
