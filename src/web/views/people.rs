//! Who else is asked and how far they are, in words.
//! Shown on the review page and on the pages after it. The sentences are made here and not in a template because they
//! depend on counting.

use crate::domain::{display_text::DisplayText, when::Moment, wording::AnswerWords};

/// Everybody who is asked, the reader among them.
#[derive(Clone, Debug)]
pub struct People {
    /// What their answers add up to.
    pub rule: Rule,
    /// In the order in which the request names them.
    pub list: Vec<Person>,
}

/// What several answers add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Everyone has to agree.
    All,
    /// The first answer decides.
    Any,
    /// So many have to agree.
    Quorum(usize),
    /// Everyone, one after the other.
    Sequence,
}

/// One of those who are asked.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their name.
    pub name: DisplayText,
    /// In what role they are asked: "Counsel".
    pub role: Option<DisplayText>,
    /// Whether this is who reads the page.
    pub is_reader: bool,
    /// How far they are.
    pub standing: Standing,
}

/// How far a person is.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Asked; no answer yet.
    Asked,
    /// Comes later, when those before have answered.
    Later,
    /// Has answered.
    Answered {
        /// What.
        answer: AnswerWords,
        /// When.
        at: Moment,
    },
}

/// More people than this are folded away.
const FEW: usize = 6;

impl People {
    /// Only the reader is asked.
    pub fn only_the_reader(&self) -> bool {
        self.list.len() < 2
    }

    /// Exactly one other person is asked: who.
    pub fn one_other(&self) -> Option<&Person> {
        let mut others = self.list.iter().filter(|person| !person.is_reader);
        others.next().filter(|_| others.next().is_none())
    }

    /// Whether the list is short enough to stand open.
    pub fn are_few(&self) -> bool {
        self.list.len() <= FEW
    }

    /// Whether everybody but the reader has answered.
    pub fn reader_is_last(&self) -> bool {
        self.list
            .iter()
            .all(|person| person.is_reader || matches!(person.standing, Standing::Answered { .. }))
    }

    /// "None of 5 people has answered yet", "1 of 5 people has answered", "4 of 5 people have answered".
    pub fn count(&self) -> String {
        let answered = self
            .list
            .iter()
            .filter(|person| matches!(person.standing, Standing::Answered { .. }))
            .count();
        let all = self.list.len();
        match answered {
            0 => format!("None of {all} people has answered yet"),
            1 => format!("1 of {all} people has answered"),
            _ => format!("{answered} of {all} people have answered"),
        }
    }

    /// What the answers add up to, as a sentence.
    pub fn rule_sentence(&self) -> String {
        match self.rule {
            Rule::All => "Everyone has to agree; one rejection ends it.".to_owned(),
            Rule::Any => "The first answer decides.".to_owned(),
            Rule::Quorum(1) => "One approval is enough.".to_owned(),
            Rule::Quorum(count) => format!("{count} approvals are needed."),
            Rule::Sequence => "You are asked one after the other; one rejection ends it.".to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::super::samples::moment;
    use super::*;
    use crate::domain::wording::AnswerKind;

    pub(crate) fn signed() -> AnswerWords {
        AnswerWords {
            kind: AnswerKind::Sign,
            label: "Sign".into(),
        }
    }

    pub(crate) fn rejected() -> AnswerWords {
        AnswerWords {
            kind: AnswerKind::Reject,
            label: "Reject".into(),
        }
    }

    pub(crate) fn other() -> AnswerWords {
        AnswerWords {
            kind: AnswerKind::Other,
            label: "Ask for changes".into(),
        }
    }

    pub(crate) fn person(name: &str, standing: Standing) -> Person {
        Person {
            name: name.into(),
            role: None,
            is_reader: false,
            standing,
        }
    }

    pub(crate) fn reader() -> Person {
        Person {
            is_reader: true,
            role: Some("Counsel".into()),
            ..person("Bob Miller", Standing::Asked)
        }
    }

    pub(crate) fn alone() -> People {
        People {
            rule: Rule::All,
            list: vec![reader()],
        }
    }

    pub(crate) fn last_of_two() -> People {
        let standing = Standing::Answered {
            answer: signed(),
            at: moment("2026-11-21T08:58:00Z"),
        };
        People {
            rule: Rule::All,
            list: vec![person("Alice", standing), reader()],
        }
    }

    pub(crate) fn five() -> People {
        let answered = |answer| Standing::Answered {
            answer,
            at: moment("2026-11-20T15:12:00Z"),
        };
        let list = vec![
            person("Alice Adams", answered(signed())),
            Person {
                role: Some("Chief Financial Officer, Europe, Middle East and Africa".into()),
                ..person("محمد بن سلمان", answered(other()))
            },
            reader(),
            person("Contract\u{202E}gnp.exe", Standing::Asked),
            person("李小龍", Standing::Later),
        ];
        People {
            rule: Rule::Quorum(3),
            list,
        }
    }

    pub(crate) fn a_hundred() -> People {
        let mut list: Vec<Person> = (1..100)
            .map(|n| person(&format!("Signer Number {n}"), Standing::Asked))
            .collect();
        list.insert(41, reader());
        People {
            rule: Rule::All,
            list,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::*;

    #[test]
    fn who_else_is_counted_right() {
        assert!(alone().only_the_reader() && alone().one_other().is_none());
        assert_eq!(
            last_of_two().one_other().map(|p| p.name.to_string()).as_deref(),
            Some("Alice")
        );
        assert!(last_of_two().reader_is_last());
        assert_eq!(five().count(), "2 of 5 people have answered");
        assert!(five().are_few() && !five().reader_is_last() && five().one_other().is_none());
        assert_eq!(a_hundred().count(), "None of 100 people has answered yet");
        assert!(!a_hundred().are_few());
    }
}
