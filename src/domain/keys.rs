//! Keys. One 32-byte master key gives, by HKDF, the keys for links, form tokens and the encryption of task tokens;
//! evidence is signed by a key of its own (`evidence.rs`), so that changing one never invalidates the other.
//!
//! A ring holds the key that writes and older ones that are still read.

use super::digest::Sha256;
use super::ids::ApprovalId;
use super::task_token::CallbackTarget;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Fills a slice with random bytes. Passed in, so that a simulation can replay them.
pub type FillRandom<'a> = &'a dyn Fn(&mut [u8]);

/// A master key and its one-byte id.
#[derive(Clone)]
pub struct MasterKey {
    id: u8,
    bytes: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    /// A key from its bytes. The id goes into each link, so that the right key reads it.
    pub fn new(id: u8, bytes: [u8; 32]) -> Self {
        Self {
            id,
            bytes: Zeroizing::new(bytes),
        }
    }

    /// Whether two keys are the same, whatever their ids.
    pub fn same_bytes(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.bytes.as_ref(), other.bytes.as_ref()).is_ok()
    }

    fn derive(&self, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"countersign-v1")
            .extract(self.bytes.as_ref())
            .expand(info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(key.as_mut()))
            .expect("32 bytes are within HKDF's bound");
        key
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({}, redacted)", self.id)
    }
}

/// What a derived HMAC key is for. The purpose is part of the derivation: a form token can't pass as a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Signers' links.
    Link,
    /// The token in a decision form (against cross-site request forgery).
    Form,
}

struct Derived {
    master: MasterKey,
    link: hmac::Key,
    form: hmac::Key,
}

/// The keys in use: the first one writes, all of them read.
pub struct KeyRing {
    keys: Vec<Derived>,
}

impl KeyRing {
    /// A ring whose first key writes.
    pub fn new(current: MasterKey, older: Vec<MasterKey>) -> Self {
        let keys = std::iter::once(current)
            .chain(older)
            .map(|master| Derived {
                link: hmac::Key::new(hmac::HMAC_SHA256, master.derive(&[b"link"]).as_ref()),
                form: hmac::Key::new(hmac::HMAC_SHA256, master.derive(&[b"form"]).as_ref()),
                master,
            })
            .collect();
        Self { keys }
    }

    /// The id of the key that writes.
    pub fn current_id(&self) -> u8 {
        self.keys[0].master.id
    }

    /// The first sixteen bytes of the HMAC of `message` under key `id`, or `None` when the ring has no such key.
    pub fn mac(&self, id: u8, purpose: Purpose, message: &[u8]) -> Option<[u8; 16]> {
        let derived = self.find(id)?;
        let key = match purpose {
            Purpose::Link => &derived.link,
            Purpose::Form => &derived.form,
        };
        let mut mac = [0; 16];
        mac.copy_from_slice(&hmac::sign(key, message).as_ref()[..16]);
        Some(mac)
    }

    /// Whether `mac` is the one that [`Self::mac`] gives, compared in constant time.
    pub fn verify(&self, id: u8, purpose: Purpose, message: &[u8], mac: &[u8]) -> bool {
        self.mac(id, purpose, message)
            .is_some_and(|right| aws_lc_rs::constant_time::verify_slices_are_equal(&right, mac).is_ok())
    }

    /// Encrypts a target for one approval and one body: it can be opened under no other.
    pub fn seal(
        &self,
        approval: ApprovalId,
        body: &Sha256,
        target: &CallbackTarget,
        random: FillRandom<'_>,
    ) -> SealedTarget {
        let derived = &self.keys[0];
        let mut nonce = [0; 12];
        random(&mut nonce);
        let mut ciphertext = target.expose().as_bytes().to_vec();
        token_key(&derived.master, approval)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(approval, target.kind(), body)),
                &mut ciphertext,
            )
            .expect("a token is far below the bound of AES-GCM");
        SealedTarget {
            kind: target.kind().to_owned(),
            key: derived.master.id,
            nonce: nonce.to_vec(),
            ciphertext,
        }
    }

    /// Opens what [`Self::seal`] closed.
    pub fn open(
        &self,
        approval: ApprovalId,
        body: &Sha256,
        sealed: &SealedTarget,
    ) -> Result<CallbackTarget, SealError> {
        let derived = self.find(sealed.key).ok_or(SealError::UnknownKey(sealed.key))?;
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(|_| SealError::DoesNotBelong)?;
        let mut buffer = Zeroizing::new(sealed.ciphertext.clone());
        let plain = token_key(&derived.master, approval)
            .open_in_place(
                nonce,
                Aad::from(associated_data(approval, &sealed.kind, body)),
                &mut buffer,
            )
            .map_err(|_| SealError::DoesNotBelong)?;
        std::str::from_utf8(plain)
            .ok()
            .and_then(|secret| CallbackTarget::from_parts(&sealed.kind, secret))
            .ok_or(SealError::DoesNotBelong)
    }

    fn find(&self, id: u8) -> Option<&Derived> {
        self.keys.iter().find(|key| key.master.id == id)
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(|key| &key.master))
            .finish()
    }
}

/// One AES key for each approval, so that a random nonce is used at most a handful of times under it.
fn token_key(master: &MasterKey, approval: ApprovalId) -> LessSafeKey {
    let key = master.derive(&[b"task-token", approval.as_bytes()]);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("32 bytes are an AES-256 key"))
}

fn associated_data(approval: ApprovalId, kind: &str, body: &Sha256) -> Vec<u8> {
    [
        approval.as_bytes().as_slice(),
        &[0],
        kind.as_bytes(),
        &[0],
        body.as_bytes(),
    ]
    .concat()
}

/// A task token or callback id as it may be stored: AES-256-GCM under a key for this approval, with approval id, kind
/// and body digest as associated data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedTarget {
    kind: String,
    key: u8,
    #[serde(with = "base64")]
    nonce: Vec<u8>,
    #[serde(with = "base64")]
    ciphertext: Vec<u8>,
}

impl std::fmt::Debug for SealedTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedTarget({}, key {})", self.kind, self.key)
    }
}

mod base64 {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64
            .decode(String::deserialize(deserializer)?.as_bytes())
            .map_err(serde::de::Error::custom)
    }
}

/// Why a stored token could not be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// The key that closed it is not in the ring.
    #[error("master key {0} is not configured; add it again as an older key")]
    UnknownKey(u8),
    /// It was closed for another approval or another body, or was changed.
    #[error("the stored task token does not belong to this approval")]
    DoesNotBelong,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task_token::TaskToken;

    fn ring(id: u8) -> KeyRing {
        KeyRing::new(MasterKey::new(id, [id; 32]), vec![MasterKey::new(9, [9; 32])])
    }

    #[test]
    fn a_token_opens_only_where_it_was_closed() {
        let target = CallbackTarget::TaskToken(TaskToken::parse("canary-token").expect("a token"));
        let id = ApprovalId::of(&target);
        let body = Sha256::of(b"body");
        let sealed = ring(1).seal(id, &body, &target, &|bytes| bytes.fill(7));
        let stored = serde_json::to_string(&sealed).expect("serializable");
        assert!(!stored.contains("canary") && !format!("{sealed:?}").contains("canary"));
        assert_eq!(ring(1).open(id, &body, &sealed), Ok(target.clone()));

        let elsewhere = ApprovalId::from_bytes([0; 16]);
        assert_eq!(
            ring(1).open(elsewhere, &body, &sealed),
            Err(SealError::DoesNotBelong)
        );
        assert_eq!(
            ring(1).open(id, &Sha256::of(b"other"), &sealed),
            Err(SealError::DoesNotBelong)
        );
        assert_eq!(ring(2).open(id, &body, &sealed), Err(SealError::UnknownKey(1)));

        let mut other_kind = sealed.clone();
        other_kind.kind = "durable-callback".into();
        assert_eq!(
            ring(1).open(id, &body, &other_kind),
            Err(SealError::DoesNotBelong)
        );
    }

    #[test]
    fn an_older_key_still_opens() {
        let target = CallbackTarget::TaskToken(TaskToken::parse("t").expect("a token"));
        let id = ApprovalId::of(&target);
        let sealed =
            KeyRing::new(MasterKey::new(9, [9; 32]), vec![]).seal(id, &Sha256::of(b""), &target, &|_| {});
        assert_eq!(ring(1).open(id, &Sha256::of(b""), &sealed), Ok(target));
    }

    #[test]
    fn a_mac_is_for_one_purpose_and_one_key() {
        let ring = ring(1);
        let mac = ring.mac(1, Purpose::Link, b"m").expect("a key");
        assert!(ring.verify(1, Purpose::Link, b"m", &mac));
        assert!(!ring.verify(1, Purpose::Form, b"m", &mac));
        assert!(!ring.verify(9, Purpose::Link, b"m", &mac));
        assert!(!ring.verify(4, Purpose::Link, b"m", &mac));
        assert!(!ring.verify(1, Purpose::Link, b"m", &mac[..15]));
    }
}
