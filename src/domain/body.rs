//! The body: everything that was asked, fixed at the moment it was taken in. Its digest is what evidence and the
//! token's encryption are bound to.

use super::digest::{self, Sha256};
use super::request::{ApprovalRequest, Terms};
use super::signer::Person;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What was asked. Holds no personal data of its own: people stand in it as salted hashes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Body {
    /// When it was taken in.
    pub created: Timestamp,
    /// What is asked.
    pub terms: Terms,
    /// The signers, in order.
    pub signers: Vec<SignerTerms>,
    /// The salted hash of who asks.
    pub requester: Option<Sha256>,
}

/// A signer, without name and address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignerTerms {
    /// The salted hash of name and address.
    pub person: Sha256,
    /// What they sign as.
    pub role: Option<String>,
    /// The language of their pages and mails.
    pub locale: Option<String>,
}

/// The secret from which each person's salt is made, so that an intake that was cut off can be finished by the next
/// delivery with the same salts.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaltSeed(pub(crate) Sha256);

impl SaltSeed {
    /// A seed from 32 random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Sha256::of(&bytes))
    }

    /// The salt of person `number`: signers from 0; see [`REQUESTER`].
    pub fn salt(&self, number: u8) -> Sha256 {
        Sha256::of_parts(&[b"countersign-salt-v1\0", self.0.as_bytes(), &[number]])
    }
}

impl std::fmt::Debug for SaltSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaltSeed(redacted)")
    }
}

/// The person number of who asks. Signers have 0 to 99.
pub const REQUESTER: u8 = 255;

impl Body {
    /// The body of a request taken in at `created`.
    pub fn of(request: &ApprovalRequest, created: Timestamp, seed: &SaltSeed) -> Self {
        let signers = (0..).zip(&request.signers).map(|(number, signer)| SignerTerms {
            person: signer.person.salted_hash(&seed.salt(number)),
            role: signer.role.clone(),
            locale: signer.locale.clone(),
        });
        Self {
            created,
            terms: request.terms.clone(),
            signers: signers.collect(),
            requester: request
                .requester
                .as_ref()
                .map(|person| person.salted_hash(&seed.salt(REQUESTER))),
        }
    }

    /// The digest of all of it.
    pub fn digest(&self) -> Sha256 {
        digest::of_json(self)
    }

    /// When the request expires. Counts from the moment the waiting state was entered, where that is known: that is
    /// when the workflow's own clock started.
    pub fn deadline(&self) -> Option<Timestamp> {
        let seconds = i64::try_from(self.terms.timeout_seconds?).ok()?;
        let entered = self
            .terms
            .execution
            .as_ref()
            .and_then(|execution| execution.entered_time);
        entered
            .unwrap_or(self.created)
            .checked_add(SignedDuration::from_secs(seconds))
            .ok()
    }
}

/// The people of an approval, by number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct People {
    /// The signers, in order; `None` where the personal data was deleted.
    pub signers: Vec<Option<Person>>,
    /// Who asks.
    pub requester: Option<Person>,
}

impl People {
    /// A signer's name, or a stand-in once it was deleted.
    pub fn name(&self, number: u8) -> String {
        match self.signers.get(usize::from(number)) {
            Some(Some(person)) => person.name.clone(),
            _ => format!("Signer {}", u16::from(number) + 1),
        }
    }
}
