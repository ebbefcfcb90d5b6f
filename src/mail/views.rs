//! What the mails say: one struct for each kind, giving a subject, a text part and an HTML part.
//! Made by `flow` for the sending side of `mail`. A mail never holds the message or the documents themselves, only who
//! asks for what and the way there: mails are forwarded, archived and read on the way.

use askama::Template;

use crate::domain::{
    display_text::{DisplayLines, DisplayText},
    when::Moment,
    wording::{AnswerKind, AnswerWords, AskWords},
};

/// A title takes at most so many characters of a subject.
const TITLE_IN_SUBJECT: usize = 90;

/// A mail that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line, not yet encoded for a header; no control characters.
    pub subject: String,
    /// The `text/plain` part.
    pub text: String,
    /// The `text/html` part.
    pub html: String,
}

/// What every mail says about its request.
#[derive(Clone, Debug)]
pub struct About {
    /// The mail's language, BCP 47.
    pub lang: &'static str,
    /// "ltr" or "rtl".
    pub dir: &'static str,
    /// The organisation on whose behalf it is sent.
    pub organisation: Option<DisplayText>,
    /// What is asked for.
    pub ask: AskWords,
    /// To whom the mail goes.
    pub signer: DisplayText,
    /// Who asks, if the request says so.
    pub requester: Option<DisplayText>,
    /// The request's id: "req_…".
    pub reference: String,
}

impl About {
    fn title(&self) -> String {
        self.ask.object.shortened(TITLE_IN_SUBJECT).isolated()
    }

    /// "Legal at Example Ltd", for plain text.
    pub fn sender(&self) -> Option<String> {
        match (&self.requester, &self.organisation) {
            (Some(requester), Some(organisation)) => {
                Some(format!("{} at {}", requester.isolated(), organisation.isolated()))
            }
            (Some(one), None) | (None, Some(one)) => Some(one.isolated()),
            (None, None) => None,
        }
    }
}

/// The first mail to somebody who is asked.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Which request, whom it asks.
    pub about: About,
    /// By when.
    pub deadline: Option<Moment>,
    /// Who else.
    pub others: Others,
    /// The signer's own link.
    pub link: String,
}

/// Who else is asked.
#[derive(Clone, Debug)]
pub enum Others {
    /// Nobody.
    Nobody,
    /// One other person.
    One {
        /// Who.
        name: DisplayText,
        /// What they have answered, if they have.
        answer: Option<AnswerWords>,
    },
    /// Several.
    Several {
        /// How many besides the reader.
        asked: usize,
        /// How many of them have answered.
        answered: usize,
    },
}

/// A later mail to somebody who has not answered.
#[derive(Clone, Debug)]
pub struct Reminder {
    /// Which request, whom it asks.
    pub about: About,
    /// When they were asked first.
    pub asked: Moment,
    /// By when.
    pub deadline: Option<Moment>,
    /// The signer's own link.
    pub link: String,
}

/// What somebody answered, for them to keep.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Which request, who answered.
    pub about: About,
    /// What.
    pub answer: AnswerWords,
    /// When.
    pub at: Moment,
    /// Their comment, blank if none.
    pub comment: DisplayLines,
    /// Whether an operator or a program gave the answer in the signer's place.
    pub on_behalf: bool,
    /// The evidence's head: "sha256:…".
    pub evidence_head: String,
}

/// Word to somebody whose answer is no longer needed, or had no effect.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Which request, to whom.
    pub about: About,
    /// Why.
    pub because: Because,
}

/// Why an answer is not needed, or had no effect.
#[derive(Clone, Debug)]
pub enum Because {
    /// Others have decided.
    Decided {
        /// Whose answer decided.
        by: DisplayText,
        /// What it was.
        answer: AnswerWords,
        /// When.
        at: Moment,
    },
    /// The request was withdrawn.
    Withdrawn {
        /// By whom.
        by: Option<DisplayText>,
        /// Why; blank if nobody said.
        why: DisplayLines,
        /// When.
        at: Moment,
    },
    /// Somebody else is asked instead.
    Replaced {
        /// Since when.
        at: Moment,
    },
    /// The time for an answer ended.
    Expired {
        /// When.
        at: Moment,
    },
    /// What the answer was for had ended, and nobody waits for it any more.
    Ended {
        /// By when.
        at: Moment,
    },
    /// The reader's own answer was recorded but had no effect: what it was for had already ended.
    CameTooLate {
        /// When it was recorded.
        at: Moment,
    },
}

/// Rendering can only fail where writing fails, and a `String` takes everything.
const INFALLIBLE: &str = "a template is written into a String";

macro_rules! parts {
    ($mail:ident, $text:ident $text_path:literal, $html:ident $html_path:literal) => {
        #[derive(Template)]
        #[template(path = $text_path, escape = "none")]
        struct $text<'a> {
            about: &'a About,
            mail: &'a $mail,
        }

        #[derive(Template)]
        #[template(path = $html_path)]
        struct $html<'a> {
            about: &'a About,
            mail: &'a $mail,
            preheader: &'a str,
        }

        impl $mail {
            /// The mail itself. The text's first line, which is also what an inbox shows beside the subject, says who
            /// asks for what.
            pub fn message(&self) -> Message {
                let text = $text {
                    about: &self.about,
                    mail: self,
                }
                .render()
                .expect(INFALLIBLE);
                let preheader = text.lines().next().unwrap_or_default();
                let html = $html {
                    about: &self.about,
                    mail: self,
                    preheader,
                }
                .render()
                .expect(INFALLIBLE);
                Message {
                    subject: self.subject(),
                    text,
                    html,
                }
            }
        }
    };
}

parts!(Invitation, InvitationText "emails/invitation.txt", InvitationHtml "emails/invitation.html");
parts!(Reminder, ReminderText "emails/reminder.txt", ReminderHtml "emails/reminder.html");
parts!(Receipt, ReceiptText "emails/receipt.txt", ReceiptHtml "emails/receipt.html");
parts!(Notice, NoticeText "emails/notice.txt", NoticeHtml "emails/notice.html");

fn by(deadline: Option<&Moment>) -> String {
    deadline
        .map(|deadline| format!(" (by {})", deadline.brief))
        .unwrap_or_default()
}

impl Invitation {
    fn subject(&self) -> String {
        format!(
            "Please {}: {}{}",
            self.about.ask.verb().to_lowercase(),
            self.about.title(),
            by(self.deadline.as_ref())
        )
    }

    /// Whether there is more to say than who asks for what.
    pub fn has_facts(&self) -> bool {
        self.deadline.is_some() || !matches!(self.others, Others::Nobody)
    }
}

impl Reminder {
    fn subject(&self) -> String {
        let verb = self.about.ask.verb().to_lowercase();
        format!(
            "Still waiting for you to {verb}: {}{}",
            self.about.title(),
            by(self.deadline.as_ref())
        )
    }
}

impl Receipt {
    fn subject(&self) -> String {
        match self.answer.kind {
            _ if self.on_behalf => format!("Answered on your behalf: {}", self.about.title()),
            AnswerKind::Sign => format!("You signed: {}", self.about.title()),
            AnswerKind::Approve => format!("You approved: {}", self.about.title()),
            AnswerKind::Reject => format!("You rejected: {}", self.about.title()),
            AnswerKind::Other => format!("You answered: {}", self.about.title()),
        }
    }

    /// The comment with each line quoted, for plain text.
    pub fn quoted_comment(&self) -> String {
        quoted(&self.comment)
    }
}

impl Notice {
    fn subject(&self) -> String {
        match self.because {
            Because::Decided { .. } => format!("Decided: {}", self.about.title()),
            Because::Withdrawn { .. } => format!("Withdrawn: {}", self.about.title()),
            Because::Replaced { .. } => {
                format!("No longer needed from you: {}", self.about.title())
            }
            Because::Expired { .. } | Because::Ended { .. } => {
                format!("No longer needed: {}", self.about.title())
            }
            Because::CameTooLate { .. } => {
                format!("Your answer came too late: {}", self.about.title())
            }
        }
    }

    /// The reason that was given, each line quoted, for plain text.
    pub fn quoted_reason(&self) -> String {
        match &self.because {
            Because::Withdrawn { why, .. } => quoted(why),
            _ => String::new(),
        }
    }
}

fn quoted(lines: &DisplayLines) -> String {
    lines
        .as_str()
        .trim()
        .lines()
        .map(|line| format!("> {line}").trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
