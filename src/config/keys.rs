//! The keys among the configuration: each is 32 bytes, and stands in a file, in a variable, or where a reference says.

use super::gathered::Origin;
use super::read::{Reader, plain};
use super::reference::Reference;
use super::source::variable;
use crate::domain::keys::MasterKey;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

impl Reader<'_> {
    pub(super) fn master_key(&mut self) -> Option<MasterKey> {
        let id = self.number("master_key_id", 0, 255);
        let bytes = self.key(
            "master_key",
            "the key for links and task tokens, 32 bytes; make one with: openssl rand -base64 32 > master.key",
        );
        Some(MasterKey::new(u8::try_from(id?).ok()?, bytes?))
    }

    pub(super) fn older_keys(&mut self) -> Vec<MasterKey> {
        let current = self
            .values
            .get("master_key_id")
            .map_or_else(|| "1".to_owned(), plain);
        let mut seen = BTreeSet::from([current]);
        let mut keys = Vec::new();
        for (path, map) in self.list("older_keys") {
            let id = map.get("id").map(plain).unwrap_or_default();
            let Ok(number) = id.parse::<u8>() else {
                self.problem(format!("{path}.id"), "must be a number from 0 to 255");
                continue;
            };
            if !seen.insert(id) {
                self.problem(format!("{path}.id"), "is the number of another key");
            }
            let bytes = match (map.get("file"), map.get("key")) {
                (Some(Value::String(file)), None) => self.key_in_file(&format!("{path}.file"), file),
                (None, Some(Value::String(key))) => self.older_key(&format!("{path}.key"), key),
                _ => {
                    self.problem(
                        path,
                        "must have a file, with the key in it, or a key that says where it is kept: \
                         secretsmanager:…, ssm:…, kms:… (in the variable: the key itself too)",
                    );
                    None
                }
            };
            keys.extend(bytes.map(|bytes| MasterKey::new(number, bytes)));
        }
        keys
    }

    fn older_key(&mut self, path: &str, text: &str) -> Option<[u8; 32]> {
        let in_file = matches!(self.origins.get("older_keys"), Some(Origin::File(_)));
        if in_file && Reference::parse(text).is_none() {
            let message = "is a secret, and doesn't belong in this file: give a file with the key in it, or say where it \
                           is kept: secretsmanager:…, ssm:…, kms:…";
            self.problem(path, message);
            return None;
        }
        self.text_of_key(path, text)
    }

    /// A key from its text, or from where its text says that it is.
    fn text_of_key(&mut self, path: &str, text: &str) -> Option<[u8; 32]> {
        if Reference::parse(text).is_none() {
            return self.decoded(path, text.as_bytes());
        }
        let secret = self.referred(path, text)?;
        self.decoded(path, secret.expose())
    }

    /// A key of 32 bytes: itself in a variable, where a reference says, or in a file that `<name>_file` names.
    pub(super) fn key(&mut self, name: &str, what: &str) -> Option<[u8; 32]> {
        let file = format!("{name}_file");
        match (self.text(name), self.text(&file)) {
            (Some(_), Some(_)) => {
                self.problem(name, format!("is given beside {file}; give one of them"));
                None
            }
            (Some(text), None) => self.text_of_key(name, &text),
            (None, Some(path)) => self.key_in_file(&file, &path),
            (None, None) => {
                let message = format!(
                    "is missing: {what} (or {}, with the key itself or with where it is kept)",
                    variable(name)
                );
                self.problem(file, message);
                None
            }
        }
    }

    fn key_in_file(&mut self, key: &str, path: &str) -> Option<[u8; 32]> {
        match (self.read_file)(Path::new(path)) {
            Ok(bytes) => self.decoded(key, &bytes),
            Err(error) => {
                self.problem(key, format!("{path} can't be read: {error}"));
                None
            }
        }
    }

    /// 32 bytes as they are, in hexadecimal, or in base64.
    fn decoded(&mut self, key: &str, given: &[u8]) -> Option<[u8; 32]> {
        let text = given.trim_ascii();
        let decoded = [
            Some(given.to_vec()),
            data_encoding::HEXLOWER_PERMISSIVE.decode(text).ok(),
            data_encoding::BASE64.decode(text).ok(),
        ];
        let bytes = decoded
            .into_iter()
            .flatten()
            .find_map(|bytes| bytes.try_into().ok());
        if bytes.is_none() {
            self.problem(key, "must be 32 bytes in base64 or hexadecimal");
        }
        bytes
    }
}
