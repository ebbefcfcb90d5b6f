//! What is asked and what was answered, in the words that fit into our sentences.
//! Pages and mails say the same, so both take it from here: `mail::messages` and `web::present`.

use super::approval::Approval;
use super::decision::Answer;
use super::display_text::DisplayText;
use super::request::OutcomeKind;

/// A request's title, taken apart so that it fits into our sentences: "Sign document 3" becomes "asks you to *sign*
/// document 3", "*Please sign:* document 3", "*By signing* you confirm…".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskWords {
    /// What is asked for, if the title says so by its first word.
    pub deed: Deed,
    /// The title without that word, or all of it.
    pub object: DisplayText,
}

/// What a title asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// "Sign …".
    Sign,
    /// "Approve …".
    Approve,
    /// "Review …".
    Review,
    /// "Confirm …".
    Confirm,
    /// Anything else: an answer.
    Answer,
}

impl AskWords {
    /// For a request that names a thing to sign: "document 3".
    pub fn to_sign(thing: &str) -> Self {
        Self {
            deed: Deed::Sign,
            object: DisplayText::new(thing),
        }
    }

    /// Takes a title apart.
    pub fn from_title(title: &str) -> Self {
        // Our sentences end with full stops of their own.
        let title = DisplayText::new(title.trim_end().trim_end_matches('.'));
        let deed = match title.as_str().split_once(' ') {
            Some(("Sign" | "sign", _)) => Deed::Sign,
            Some(("Approve" | "approve", _)) => Deed::Approve,
            Some(("Review" | "review", _)) => Deed::Review,
            Some(("Confirm" | "confirm", _)) => Deed::Confirm,
            _ => Deed::Answer,
        };
        match (deed, title.as_str().split_once(' ')) {
            (Deed::Answer, _) | (_, None) => Self {
                deed: Deed::Answer,
                object: title,
            },
            (deed, Some((_, object))) => Self {
                deed,
                object: DisplayText::new(object),
            },
        }
    }

    /// Whether the answer is a signature.
    pub fn is_signature(&self) -> bool {
        self.deed == Deed::Sign
    }

    /// "to sign", "to approve", … or "for an answer:"; the object follows after a space.
    pub fn after_asks_you(&self) -> &'static str {
        match self.deed {
            Deed::Sign => "to sign",
            Deed::Approve => "to approve",
            Deed::Review => "to review",
            Deed::Confirm => "to confirm",
            Deed::Answer => "for an answer:",
        }
    }

    /// "to sign", "to approve", … "to answer".
    pub fn to_verb(&self) -> &'static str {
        if self.deed == Deed::Answer {
            "to answer"
        } else {
            self.after_asks_you()
        }
    }

    /// "Sign", "Approve", … "Answer".
    pub fn verb(&self) -> &'static str {
        match self.deed {
            Deed::Sign => "Sign",
            Deed::Approve => "Approve",
            Deed::Review => "Review",
            Deed::Confirm => "Confirm",
            Deed::Answer => "Answer",
        }
    }
}

/// An answer that somebody gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerWords {
    /// Which way it goes.
    pub kind: AnswerKind,
    /// The outcome's label as the request gives it: "Approve".
    pub label: DisplayText,
}

/// Which way an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// It approves what was asked to be signed.
    Sign,
    /// It approves.
    Approve,
    /// It rejects.
    Reject,
    /// It does neither, as its label says.
    Other,
}

impl AnswerWords {
    /// "signed", "approved", "rejected", or "answered “Ask again”".
    pub fn past(&self) -> String {
        match self.kind {
            AnswerKind::Sign => "signed".to_owned(),
            AnswerKind::Approve => "approved".to_owned(),
            AnswerKind::Reject => "rejected".to_owned(),
            AnswerKind::Other => format!("answered “{}”", self.label.isolated()),
        }
    }

    /// "signature", "approval", "rejection" or "answer".
    pub fn noun(&self) -> &'static str {
        match self.kind {
            AnswerKind::Sign => "signature",
            AnswerKind::Approve => "approval",
            AnswerKind::Reject => "rejection",
            AnswerKind::Other => "answer",
        }
    }
}

/// What a request asks for.
pub fn ask_words(approval: &Approval) -> AskWords {
    AskWords::from_title(&approval.body.terms.title)
}

/// What somebody answered.
pub fn answer_words(approval: &Approval, answer: &Answer) -> AnswerWords {
    outcome_words(approval, &answer.outcome, answer.kind)
}

/// An outcome. Where several approve or several reject, only the outcome's own label says which.
pub fn outcome_words(approval: &Approval, id: &str, kind: OutcomeKind) -> AnswerWords {
    let outcomes = &approval.body.terms.outcomes;
    let label = outcomes
        .iter()
        .find(|outcome| outcome.id == id)
        .map_or(id, |outcome| outcome.label.as_str());
    let one_of_several = outcomes.iter().filter(|outcome| outcome.kind == kind).count() > 1;
    let kind = match kind {
        _ if one_of_several => AnswerKind::Other,
        OutcomeKind::Approve if ask_words(approval).is_signature() => AnswerKind::Sign,
        OutcomeKind::Approve => AnswerKind::Approve,
        OutcomeKind::Reject => AnswerKind::Reject,
    };
    AnswerWords {
        kind,
        label: label.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_fits_into_a_sentence() {
        let ask = |title| {
            let ask = AskWords::from_title(title);
            format!("{} {}", ask.after_asks_you(), ask.object)
        };
        assert_eq!(ask("Sign document 3."), "to sign document 3");
        assert_eq!(ask("approve  the release"), "to approve the release");
        assert_eq!(ask("Signals for May"), "for an answer: Signals for May");
        assert_eq!(ask("Sign"), "for an answer: Sign");
    }
}
