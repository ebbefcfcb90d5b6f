//! The people: who is asked, and how far each has come.

use super::decision::{Answer, Carried};
use super::digest::Sha256;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A person's name and address. Kept apart from the evidence, which refers to it by a salted hash, so that it can be
/// deleted on its own.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// As the workflow's author wrote it; what the person types as a signature must match it.
    pub name: String,
    /// Where the mail goes. A requester may have none.
    pub email: Option<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(redacted)")
    }
}

impl Person {
    /// The hash by which evidence refers to this person. `salt` keeps a guessed name from being confirmed once the
    /// person's data is deleted.
    pub fn salted_hash(&self, salt: &Sha256) -> Sha256 {
        Sha256::of_parts(&[
            b"countersign-person-v1\0",
            salt.as_bytes(),
            &super::digest::canonical_json(self),
        ])
    }
}

/// Somebody who is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signer {
    /// Name and address.
    pub person: Person,
    /// What they sign as, such as "Counsel".
    pub role: Option<String>,
    /// A language tag (BCP 47), for pages and mails.
    pub locale: Option<String>,
}

/// The people directory: names that a workflow may use in place of an address.
#[derive(Clone, Default, Debug)]
pub struct Directory(BTreeMap<String, Person>);

impl Directory {
    /// A directory of the people given, found by their names without regard to case.
    pub fn new(people: impl IntoIterator<Item = Person>) -> Self {
        Self(
            people
                .into_iter()
                .map(|person| (fold_name(&person.name), person))
                .collect(),
        )
    }

    /// The person of that name.
    pub fn find(&self, name: &str) -> Option<&Person> {
        self.0.get(&fold_name(name))
    }
}

/// A name as it is compared: NFKC, lower case, white space as single blanks.
pub fn fold_name(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let folded: String = name.nfkc().flat_map(char::to_lowercase).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One signer's progress, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignerRecord {
    /// From 0, in the order of the request.
    pub number: u8,
    /// Raised by every write; each write is conditional on it.
    pub revision: u64,
    /// The generation of the link that works.
    pub generation: u8,
    /// How far this signer has come.
    pub state: SignerState,
    /// The mail that is still owed.
    pub mail: Option<MailTask>,
    /// Whether word was put on its way that the request has ended without this signer, or too early for the answer.
    #[serde(default)]
    pub told: bool,
    /// The mails that the mail service took last, at most [`MOST_POSTED`], oldest first: what it tells about a mail
    /// counts only if it is one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub posted: Vec<Posted>,
    /// What a newer version keeps here: written back as it was.
    #[serde(flatten)]
    pub carried: Carried,
}

/// How many mails a signer's record remembers by their ids.
pub const MOST_POSTED: usize = 4;

/// A mail that the mail service took.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Posted {
    /// The mail service's id for it.
    pub message: String,
    /// Which mail.
    pub kind: MailKind,
    /// When it was taken.
    pub at: Timestamp,
}

impl SignerRecord {
    /// The mails taken, with one more.
    pub fn posted_with(&self, mail: Posted) -> Vec<Posted> {
        let forgotten = (self.posted.len() + 1).saturating_sub(MOST_POSTED);
        self.posted
            .iter()
            .skip(forgotten)
            .cloned()
            .chain([mail])
            .collect()
    }
}

/// How far a signer has come. *Delivered*, *bounced* and *viewed* are read from observations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum SignerState {
    /// Not mailed yet.
    Waiting,
    /// The mail service has taken the invitation.
    Sent {
        /// When it did.
        at: Timestamp,
    },
    /// The mail service refused the invitation for good.
    Bounced {
        /// When it did.
        at: Timestamp,
        /// Its word for why.
        reason: String,
    },
    /// Has answered.
    Answered(Answer),
    /// Somebody else is asked instead.
    Replaced {
        /// Since when.
        at: Timestamp,
    },
}

impl SignerState {
    /// Whether this signer can still answer.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Waiting | Self::Sent { .. } | Self::Bounced { .. })
    }

    /// The answer, once given.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answered(answer) => Some(answer),
            _ => None,
        }
    }
}

/// A mail that is owed to a signer, and when it is tried next.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MailTask {
    /// Which mail.
    pub kind: MailKind,
    /// When it is to be tried. While an attempt runs, when that attempt is given up for lost.
    pub due: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the mail service didn't take it the last time: its error code, or our word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl MailTask {
    /// A mail that wasn't tried yet.
    pub fn new(kind: MailKind, due: Timestamp) -> Self {
        Self {
            kind,
            due,
            attempts: 0,
            last_error: None,
        }
    }
}

/// The mails that a signer may get.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum MailKind {
    /// The first one, with the link.
    Invitation,
    /// The link again, because nothing was heard.
    Reminder {
        /// Which reminder, from 1.
        nth: u32,
    },
    /// What was answered.
    Receipt,
    /// The request has ended without this signer.
    Closed,
}

impl MailKind {
    /// The word for it: in the API, in metrics, in logs and on the mail itself.
    pub fn word(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Reminder { .. } => "reminder",
            Self::Receipt => "receipt",
            Self::Closed => "closed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_people_write_them() {
        assert_eq!(fold_name("  Bob\u{a0}MILLER "), fold_name("bob miller"));
        assert_eq!(fold_name("Ｂｏｂ"), "bob");
        assert_eq!(fold_name("Zoe\u{308}"), fold_name("ZOË"));
        assert_ne!(fold_name("Bob"), fold_name("Rob"));
    }
}
