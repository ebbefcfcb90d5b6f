//! The id of an approval. It is made from the token alone, without a key, so that the same token finds the same
//! approval through any change of keys: intake is idempotent because of it.

use super::digest::Sha256;
use super::task_token::CallbackTarget;
use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// RFC 4648 base32 in lower case, unpadded: 16 bytes are 26 characters.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.encoding().expect("a valid alphabet")
});

/// Sixteen bytes that name an approval; written `req_` and 26 base32 characters. It opens nothing: a link does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApprovalId([u8; 16]);

impl ApprovalId {
    /// The id of the approval that answers `target`.
    pub fn of(target: &CallbackTarget) -> Self {
        let digest = Sha256::of_parts(&[
            b"countersign-id-v1\0",
            target.kind().as_bytes(),
            b"\0",
            target.expose().as_bytes(),
        ]);
        let mut id = [0; 16];
        id.copy_from_slice(&digest.as_bytes()[..16]);
        Self(id)
    }

    /// An id from its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads `req_…`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE32.decode(text.strip_prefix("req_")?.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// Which of the sixteen index shards the approval's items go to.
    pub fn shard(&self) -> u8 {
        self.0[0] % 16
    }
}

impl std::fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "req_{}", BASE32.encode(&self.0))
    }
}

impl std::fmt::Debug for ApprovalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for ApprovalId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApprovalId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an approval id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task_token::{CallbackId, TaskToken};

    #[test]
    fn the_same_token_has_the_same_id_and_another_kind_another() {
        let token = CallbackTarget::TaskToken(TaskToken::parse("AAAA").expect("a token"));
        let callback = CallbackTarget::DurableCallback(CallbackId::parse("AAAA").expect("a callback id"));
        let id = ApprovalId::of(&token);
        assert_eq!(id, ApprovalId::of(&token));
        assert_ne!(id, ApprovalId::of(&callback));
        let shown = id.to_string();
        assert_eq!(shown.len(), 30);
        assert_eq!(ApprovalId::parse(&shown), Some(id));
        assert_eq!(ApprovalId::parse("req_short"), None);
    }
}
