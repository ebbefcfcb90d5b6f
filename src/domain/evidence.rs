//! Evidence: a chain of events that can't be changed unseen. Each event is RFC 8785 JSON with the SHA-256 of the one
//! before it; the newest is signed with Ed25519 under a key of its own. People and what they typed stand in it as
//! salted hashes, so that personal data can be deleted and the chain still verifies.

use super::decision::AnsweredBy;
use super::digest::{self, Sha256};
use super::ids::ApprovalId;
use super::mail_status::MailNote;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One event of the chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The form of this event: 1.
    pub v: u8,
    /// The approval.
    pub approval: ApprovalId,
    /// From 1, without a gap.
    pub seq: u32,
    /// The hash of the event before this one; `None` for the first.
    pub prev: Option<Sha256>,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
    /// What was observed since the event before (a machine may have done it): opens and mails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Observation>,
    /// What the mail service told about mails since the event before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mails: Vec<MailNote>,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// The request was taken in.
    Requested {
        /// The digest of everything that was asked, people as salted hashes.
        body: Sha256,
    },
    /// A signer answered.
    Answered {
        /// The signer's number.
        signer: u8,
        /// The signer's salted hash.
        person: Sha256,
        /// The outcome chosen.
        outcome: String,
        /// How the person was identified, or that somebody answered on their behalf.
        identified: AnsweredBy,
        /// The salted hash of comment, typed name, address and browser.
        private: Sha256,
        /// `approved` or `rejected`, when this answer decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decides: Option<String>,
    },
    /// The deadline passed.
    Expired,
    /// Somebody withdrew it.
    Cancelled {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
        /// Whether the execution was to be stopped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stop: bool,
    },
    /// The workflow stopped waiting.
    Orphaned {
        /// How we know.
        because: super::decision::WorkflowEnd,
    },
}

/// Something that was seen and may have been done by a machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Timestamp,
    /// Whose link or mail.
    pub signer: u8,
    /// What.
    pub seen: Seen,
}

/// What can be observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The mail service took a mail.
    MailSent,
    /// The page was opened.
    Opened,
    /// The page was opened by what says of itself that it is a machine, or asked for by HEAD.
    OpenedByMachine,
}

/// The newest event, signed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Its number.
    pub seq: u32,
    /// Its hash.
    pub hash: Sha256,
    /// The signature over [`signed_message`], in base64.
    pub signature: String,
    /// The fingerprint of the key that signed: the SHA-256 of the 32-byte public key.
    pub key: Sha256,
    /// When its event was recorded.
    pub at: Timestamp,
}

impl Event {
    /// The event's hash.
    pub fn hash(&self) -> Sha256 {
        digest::of_json(self)
    }

    /// The event after `head` (or the first one).
    pub fn next(
        approval: ApprovalId,
        head: Option<&Head>,
        at: Timestamp,
        what: What,
        (observed, mails): (Vec<Observation>, Vec<MailNote>),
    ) -> Self {
        Self {
            v: 1,
            approval,
            seq: head.map_or(1, |head| head.seq + 1),
            prev: head.map(|head| head.hash),
            at,
            what,
            observed,
            mails,
        }
    }
}

/// The key that signs evidence.
pub struct EvidenceKey {
    pair: Ed25519KeyPair,
    fingerprint: Sha256,
}

impl EvidenceKey {
    /// A key from its 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes are an Ed25519 seed");
        let fingerprint = Sha256::of(pair.public_key().as_ref());
        Self { pair, fingerprint }
    }

    /// The public key, 32 bytes.
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs an event as the newest of its chain.
    pub fn sign(&self, event: &Event) -> Head {
        let hash = event.hash();
        let signature = self.pair.sign(&signed_message(event.approval, event.seq, &hash));
        Head {
            seq: event.seq,
            hash,
            signature: data_encoding::BASE64.encode(signature.as_ref()),
            key: self.fingerprint,
            at: event.at,
        }
    }
}

impl std::fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EvidenceKey({})", self.fingerprint)
    }
}

/// What the signature is over: a label, the approval's id, the event's number and its hash.
pub fn signed_message(approval: ApprovalId, seq: u32, hash: &Sha256) -> Vec<u8> {
    [
        b"countersign-evidence-v1\0".as_slice(),
        approval.as_bytes(),
        &seq.to_be_bytes(),
        hash.as_bytes(),
    ]
    .concat()
}

/// Why a chain doesn't verify.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChainError {
    /// There is no event.
    #[error("there are no events")]
    Empty,
    /// An event isn't the one after the event before it.
    #[error("event {0} does not follow the one before it")]
    Broken(u32),
    /// The head names another event than the last.
    #[error("the head is not the last event")]
    Head,
    /// The signature isn't by that key over that head.
    #[error("the signature does not verify")]
    Signature,
}

/// Checks that `events` are one unbroken chain of `approval` which `head` signs under `public_key`.
pub fn verify(
    approval: ApprovalId,
    events: &[Event],
    head: &Head,
    public_key: &[u8],
) -> Result<(), ChainError> {
    let mut prev = None;
    for (seq, event) in (1..).zip(events) {
        if event.seq != seq || event.prev != prev || event.approval != approval || event.v != 1 {
            return Err(ChainError::Broken(seq));
        }
        prev = Some(event.hash());
    }
    let last = events.last().ok_or(ChainError::Empty)?;
    if Some(head.hash) != prev || head.seq != last.seq {
        return Err(ChainError::Head);
    }
    let signature = data_encoding::BASE64
        .decode(head.signature.as_bytes())
        .map_err(|_| ChainError::Signature)?;
    UnparsedPublicKey::new(&ED25519, public_key)
        .verify(&signed_message(approval, head.seq, &head.hash), &signature)
        .map_err(|_| ChainError::Signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(key: &EvidenceKey) -> (ApprovalId, Vec<Event>, Head) {
        let id = ApprovalId::from_bytes([1; 16]);
        let at = Timestamp::UNIX_EPOCH;
        let first = Event::next(
            id,
            None,
            at,
            What::Requested {
                body: Sha256::of(b"body"),
            },
            (vec![], vec![]),
        );
        let head = key.sign(&first);
        let seen = vec![Observation {
            at,
            signer: 0,
            seen: Seen::Opened,
        }];
        let second = Event::next(id, Some(&head), at, What::Expired, (seen, vec![]));
        let head = key.sign(&second);
        (id, vec![first, second], head)
    }

    #[test]
    fn a_chain_verifies_and_no_changed_one_does() {
        let key = EvidenceKey::from_seed(&[5; 32]);
        let (id, events, head) = chain(&key);
        assert_eq!(verify(id, &events, &head, key.public_key()), Ok(()));

        let stored = serde_json::to_string(&events).expect("serializable");
        let read: Vec<Event> = serde_json::from_str(&stored).expect("readable");
        assert_eq!(verify(id, &read, &head, key.public_key()), Ok(()));

        let mut changed = events.clone();
        changed[0].at += jiff::SignedDuration::from_secs(1);
        assert_eq!(
            verify(id, &changed, &head, key.public_key()),
            Err(ChainError::Broken(2))
        );
        let mut changed = events.clone();
        changed[1].observed.clear();
        assert_eq!(
            verify(id, &changed, &head, key.public_key()),
            Err(ChainError::Head)
        );
        assert_eq!(
            verify(id, &events[..1], &head, key.public_key()),
            Err(ChainError::Head)
        );
        assert_eq!(verify(id, &[], &head, key.public_key()), Err(ChainError::Empty));
        assert_eq!(
            verify(ApprovalId::from_bytes([2; 16]), &events, &head, key.public_key()),
            Err(ChainError::Broken(1))
        );
        let other = EvidenceKey::from_seed(&[6; 32]);
        assert_eq!(
            verify(id, &events, &head, other.public_key()),
            Err(ChainError::Signature)
        );
    }
}
