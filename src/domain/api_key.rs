//! API keys: what a program shows to use the API, and what it may do with it. A key in the plain exists at the caller
//! alone; the configuration, and so the service, has its SHA-256. Used by `web/auth.rs`.

use super::digest::Sha256;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// What a key may be used for. The right to ask is not the right to answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Scope {
    /// Ask for approvals.
    #[serde(rename = "requests:write")]
    Write,
    /// List requests and look at them.
    #[serde(rename = "requests:read")]
    Read,
    /// Complete, withdraw, mail again, retry.
    #[serde(rename = "requests:operate")]
    Operate,
    /// Start workflows.
    #[serde(rename = "executions:start")]
    Start,
    /// See how workflows have ended, and with what.
    #[serde(rename = "executions:read")]
    Follow,
    /// Stop workflows.
    #[serde(rename = "executions:stop")]
    Stop,
    /// Put and get state data, for tasks.
    #[serde(rename = "state-data")]
    StateData,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Write,
        Self::Read,
        Self::Operate,
        Self::Start,
        Self::Follow,
        Self::Stop,
        Self::StateData,
    ];

    /// As it is written in the configuration: `requests:write`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "requests:write",
            Self::Read => "requests:read",
            Self::Operate => "requests:operate",
            Self::Start => "executions:start",
            Self::Follow => "executions:read",
            Self::Stop => "executions:stop",
            Self::StateData => "state-data",
        }
    }

    /// Reads what [`Self::name`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == text)
    }
}

/// A key as the service knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    /// What it is called, in the log and in the history: `ci`.
    pub id: String,
    /// The digest of the key. 32 random bytes need no slow hash.
    pub sha256: Sha256,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
}

/// The keys that are taken.
#[derive(Clone, Default, Debug)]
pub struct ApiKeys(Vec<ApiKey>);

impl ApiKeys {
    /// These keys.
    pub fn new(keys: Vec<ApiKey>) -> Self {
        Self(keys)
    }

    /// The key whose plain form is `presented`. Looks at all of them, each in constant time.
    pub fn find(&self, presented: &str) -> Option<&ApiKey> {
        let digest = Sha256::of(presented.as_bytes());
        self.0.iter().fold(None, |found, key| {
            let same = verify_slices_are_equal(key.sha256.as_bytes(), digest.as_bytes()).is_ok();
            if same { Some(key) } else { found }
        })
    }
}

/// A fresh key in the plain, to be shown once: `csk_` and 43 characters of base64url.
pub struct PlainKey(Zeroizing<String>);

impl PlainKey {
    /// A key from 32 random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        let text = data_encoding::BASE64URL_NOPAD.encode(&bytes);
        Self(Zeroizing::new(format!("csk_{text}")))
    }

    /// Reads what [`Self::expose`] gives, with white space around it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = data_encoding::BASE64URL_NOPAD.decode(text.strip_prefix("csk_")?.as_bytes());
        (bytes.ok()?.len() == 32).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the configuration holds of it.
    pub fn sha256(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }
}

impl std::fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_plain_form_and_by_nothing_else() {
        let (one, other) = (PlainKey::from_random([1; 32]), PlainKey::from_random([2; 32]));
        let key = |id: &str, plain: &PlainKey| ApiKey {
            id: id.to_owned(),
            sha256: plain.sha256(),
            scopes: BTreeSet::from([Scope::Write]),
        };
        let keys = ApiKeys::new(vec![key("one", &one), key("other", &other)]);
        assert_eq!(keys.find(one.expose()).expect("known").id, "one");
        assert_eq!(keys.find(other.expose()).expect("known").id, "other");
        assert_eq!(one.expose().len(), 47);
        for wrong in [
            "",
            &one.expose()[1..],
            &one.sha256().to_string(),
            &format!("{} ", one.expose()),
        ] {
            assert_eq!(keys.find(wrong), None, "{wrong}");
        }
        assert!(!format!("{one:?}").contains(one.expose()));
        let read = PlainKey::parse(&format!("{}\n", one.expose())).expect("a key");
        assert_eq!(read.expose(), one.expose());
        assert!(PlainKey::parse(&one.expose()[..46]).is_none() && PlainKey::parse("secret").is_none());
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.name()), Some(scope));
        }
        assert_eq!(Scope::parse("requests"), None);
    }
}
