//! A signer's link: `https://host/s/<47 characters>`, base64url of key id (1 byte), approval id (16), signer
//! number (1), generation (1) and 16 bytes of HMAC-SHA-256. Nothing that opens a page is stored: a dump of the
//! table has no link in it.

use super::ids::ApprovalId;
use super::keys::{KeyRing, Purpose};
use data_encoding::BASE64URL_NOPAD;

/// Whom a genuine link was made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkClaim {
    /// The approval.
    pub approval: ApprovalId,
    /// The signer's number, from 0.
    pub signer: u8,
    /// Raised by reassignment and revocation; a link of another generation opens nothing.
    pub generation: u8,
}

/// The secret part of a signer's address. Prints nothing; [`Self::expose`] gives it to the mail.
#[derive(Clone, PartialEq, Eq)]
pub struct SignerLink(String);

impl SignerLink {
    /// The length in characters.
    pub const LENGTH: usize = 47;

    /// The link for `claim`, under the key that writes.
    pub fn seal(keys: &KeyRing, claim: &LinkClaim) -> Self {
        let key = keys.current_id();
        let mut bytes = [0; 35];
        bytes[0] = key;
        bytes[1..17].copy_from_slice(claim.approval.as_bytes());
        bytes[17] = claim.signer;
        bytes[18] = claim.generation;
        let mac = keys
            .mac(key, Purpose::Link, &bytes[..19])
            .expect("the ring has its current key");
        bytes[19..].copy_from_slice(&mac);
        Self(BASE64URL_NOPAD.encode(&bytes))
    }

    /// Reads a link, or `None` when it isn't one of ours.
    pub fn open(keys: &KeyRing, text: &str) -> Option<LinkClaim> {
        if text.len() != Self::LENGTH {
            return None;
        }
        let bytes: [u8; 35] = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?;
        if !keys.verify(bytes[0], Purpose::Link, &bytes[..19], &bytes[19..]) {
            return None;
        }
        let mut approval = [0; 16];
        approval.copy_from_slice(&bytes[1..17]);
        Some(LinkClaim {
            approval: ApprovalId::from_bytes(approval),
            signer: bytes[17],
            generation: bytes[18],
        })
    }

    /// The text that goes into the address.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SignerLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignerLink(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keys::MasterKey;

    fn claim() -> LinkClaim {
        LinkClaim {
            approval: ApprovalId::from_bytes([7; 16]),
            signer: 3,
            generation: 1,
        }
    }

    #[test]
    fn a_link_is_47_characters_and_says_whom_it_was_made_for() {
        let keys = KeyRing::new(MasterKey::new(1, [1; 32]), vec![]);
        let link = SignerLink::seal(&keys, &claim());
        assert_eq!(link.expose().len(), SignerLink::LENGTH);
        assert_eq!(SignerLink::open(&keys, link.expose()), Some(claim()));
        assert!(!format!("{link:?}").contains(link.expose()));
    }

    #[test]
    fn no_changed_link_opens() {
        let keys = KeyRing::new(MasterKey::new(1, [1; 32]), vec![MasterKey::new(2, [2; 32])]);
        let link = SignerLink::seal(&keys, &claim());
        let bytes = BASE64URL_NOPAD
            .decode(link.expose().as_bytes())
            .expect("base64url");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                SignerLink::open(&keys, &BASE64URL_NOPAD.encode(&changed)),
                None,
                "bit {bit}"
            );
        }
        for cut in 0..link.expose().len() {
            assert_eq!(SignerLink::open(&keys, &link.expose()[..cut]), None);
        }
        let other = KeyRing::new(MasterKey::new(1, [3; 32]), vec![]);
        assert_eq!(SignerLink::open(&other, link.expose()), None);
    }
}
