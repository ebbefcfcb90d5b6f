//! References to secrets: what may stand in the configuration where a secret itself may not.
//!
//! - `secretsmanager:<name or ARN>`, with `#<key>` for one key of a secret that is a JSON object;
//! - `ssm:<name or ARN>`, a parameter of Systems Manager's Parameter Store;
//! - `kms:<base64>`, a ciphertext that `aws kms encrypt` gave.

use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Where a secret is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// Secrets Manager, by the secret's name or ARN.
    SecretsManager(String),
    /// Parameter Store, by the parameter's name or ARN.
    Ssm(String),
    /// Nowhere: this is the secret itself, encrypted by a key of KMS.
    Kms(Vec<u8>),
}

/// A secret, by where it is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reference {
    /// Where.
    pub place: Place,
    /// Which key of it, where it is a JSON object.
    pub key: Option<String>,
}

/// The beginnings of what is a reference.
const PREFIXES: [&str; 3] = ["secretsmanager:", "ssm:", "kms:"];

impl Reference {
    /// Reads a reference; `None` for a text that isn't meant as one, and what is wrong with one that is.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let text = text.trim();
        let prefix = PREFIXES.into_iter().find(|prefix| text.starts_with(prefix))?;
        let rest = &text[prefix.len()..];
        let (name, key) = match rest.split_once('#') {
            Some((name, key)) => (name, Some(key.to_owned())),
            None => (rest, None),
        };
        if name.is_empty() || name.contains(char::is_whitespace) || key.as_deref() == Some("") {
            return Some(Err(format!("isn't complete: write {}", pattern(prefix))));
        }
        let place = match prefix {
            "secretsmanager:" => Place::SecretsManager(name.to_owned()),
            "ssm:" => Place::Ssm(name.to_owned()),
            _ => match data_encoding::BASE64.decode(name.as_bytes()) {
                Ok(ciphertext) => Place::Kms(ciphertext),
                Err(_) => return Some(Err(format!("isn't base64: write {}", pattern(prefix)))),
            },
        };
        Some(Ok(Self { place, key }))
    }
}

fn pattern(prefix: &str) -> &'static str {
    match prefix {
        "secretsmanager:" => "secretsmanager:NAME, or secretsmanager:NAME#KEY for one key of a JSON secret",
        "ssm:" => "ssm:NAME, such as ssm:/countersign/master-key",
        _ => "kms: and the base64 that `aws kms encrypt` gave as CiphertextBlob",
    }
}

/// As it is written, without the length of a ciphertext.
impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::SecretsManager(name) => write!(f, "secretsmanager:{name}")?,
            Place::Ssm(name) => write!(f, "ssm:{name}")?,
            Place::Kms(_) => f.write_str("kms:…")?,
        }
        self.key.as_ref().map_or(Ok(()), |key| write!(f, "#{key}"))
    }
}

/// A secret, as it was fetched. Nothing prints it.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret itself.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// One key of a secret that is a JSON object.
    pub fn key(&self, key: &str) -> Result<Self, String> {
        let Ok(serde_json::Value::Object(map)) = serde_json::from_slice(&self.0) else {
            return Err(format!(
                "isn't a JSON object, so it has no key {key}: leave out #{key}"
            ));
        };
        match map.get(key) {
            Some(serde_json::Value::String(text)) => Ok(Self::new(text.clone().into_bytes())),
            Some(other) => Ok(Self::new(other.to_string().into_bytes())),
            None => {
                let known: Vec<&str> = map.keys().map(String::as_str).collect();
                Err(format!("has no key {key}; it has {}", known.join(", ")))
            }
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// What came of fetching: each reference's secret, or why there is none and what to do, to be read after its name.
pub type Fetched = BTreeMap<Reference, Result<Secret, String>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_other_texts() {
        let read = |text: &str| Reference::parse(text).map(|it| it.map(|it| it.to_string()));
        for text in [
            "secretsmanager:countersign/master",
            "secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys-AbCdEf#master",
            "ssm:/countersign/master",
            "ssm:arn:aws:ssm:eu-central-1:123456789012:parameter/master",
        ] {
            assert_eq!(read(text), Some(Ok(text.to_owned())));
        }
        assert_eq!(read("kms:AQID"), Some(Ok("kms:…".to_owned())));
        assert_eq!(read(" ssm:name\n"), Some(Ok("ssm:name".to_owned())));
        assert_eq!(read("AQID"), None);
        assert_eq!(read(""), None);
        for wrong in [
            "ssm:",
            "ssm:a b",
            "secretsmanager:#key",
            "secretsmanager:name#",
            "kms:nonsense!",
        ] {
            assert!(matches!(read(wrong), Some(Err(_))), "{wrong}");
        }
    }

    #[test]
    fn one_key_of_a_secret_is_taken_and_a_missing_one_is_told_without_the_secret() {
        let secret = Secret::new(br#"{"master": "canary", "number": 5}"#.to_vec());
        assert_eq!(secret.key("master").expect("there").expose(), b"canary");
        assert_eq!(secret.key("number").expect("there").expose(), b"5");
        let missing = secret.key("other").expect_err("not there");
        assert!(
            missing.contains("master, number") && !missing.contains("canary"),
            "{missing}"
        );
        assert!(
            Secret::new(b"canary".to_vec())
                .key("master")
                .is_err_and(|it| !it.contains("canary"))
        );
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
