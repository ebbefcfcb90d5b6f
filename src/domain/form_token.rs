//! The token in a decision form, against cross-site request forgery: HMAC of the link's claim and the time of issue.
//! No cookie, nothing stored. It ages, so that a page left open says so instead of deciding days later.

use super::keys::{KeyRing, Purpose};
use super::link::LinkClaim;
use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};

/// How long a form that was shown may be sent.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// How far ahead of ours the clock of the process that issued a token may be.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// What a form token turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FormToken {
    /// Made by us for this link, and young enough.
    Valid,
    /// Made by us for this link, but too long ago.
    Expired,
    /// Not made by us, or for another link.
    Forged,
}

/// A token for the form behind `claim`, issued at `now`.
pub fn issue(keys: &KeyRing, claim: &LinkClaim, now: Timestamp) -> String {
    let key = keys.current_id();
    let issued = now.as_second().to_be_bytes();
    let mac = keys
        .mac(key, Purpose::Form, &message(claim, issued))
        .expect("the ring has its current key");
    BASE64URL_NOPAD.encode(&[&[key][..], &issued, &mac].concat())
}

/// Reads a token that came back.
pub fn check(keys: &KeyRing, claim: &LinkClaim, token: &str, now: Timestamp) -> FormToken {
    let Some(bytes) = BASE64URL_NOPAD
        .decode(token.as_bytes())
        .ok()
        .and_then(|b| <[u8; 25]>::try_from(b).ok())
    else {
        return FormToken::Forged;
    };
    let mut issued = [0; 8];
    issued.copy_from_slice(&bytes[1..9]);
    if !keys.verify(bytes[0], Purpose::Form, &message(claim, issued), &bytes[9..]) {
        return FormToken::Forged;
    }
    match Timestamp::from_second(i64::from_be_bytes(issued)) {
        Ok(at) if now.duration_since(at) <= LIFETIME && at.duration_since(now) <= SKEW => FormToken::Valid,
        _ => FormToken::Expired,
    }
}

fn message(claim: &LinkClaim, issued: [u8; 8]) -> Vec<u8> {
    [
        claim.approval.as_bytes().as_slice(),
        &[claim.signer, claim.generation],
        &issued,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ApprovalId;
    use crate::domain::keys::MasterKey;

    #[test]
    fn a_form_token_is_for_one_link_and_twelve_hours() {
        let keys = KeyRing::new(MasterKey::new(1, [1; 32]), vec![]);
        let claim = LinkClaim {
            approval: ApprovalId::from_bytes([7; 16]),
            signer: 0,
            generation: 0,
        };
        let other = LinkClaim { signer: 1, ..claim };
        let now: Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
        let token = issue(&keys, &claim, now);
        assert_eq!(check(&keys, &claim, &token, now + LIFETIME), FormToken::Valid);
        assert_eq!(
            check(
                &keys,
                &claim,
                &token,
                now + LIFETIME + SignedDuration::from_secs(1)
            ),
            FormToken::Expired
        );
        assert_eq!(
            check(&keys, &claim, &token, now - SignedDuration::from_mins(5)),
            FormToken::Valid
        );
        assert_eq!(check(&keys, &other, &token, now), FormToken::Forged);
        assert_eq!(check(&keys, &claim, "", now), FormToken::Forged);
        assert_eq!(check(&keys, &claim, &token[1..], now), FormToken::Forged);
    }
}
