//! The keys: each for one purpose, and read by nobody else. That they are there and have their length the
//! configuration has seen to.

use super::finding::Finding;
use crate::config::{Gathered, Serve};
use crate::domain::evidence::EvidenceKey;
use crate::domain::keys::MasterKey;

/// Looks at the keys.
pub(super) fn examine(gathered: &Gathered, serve: &Serve) -> Vec<Finding> {
    let config = &serve.config;
    let mut found = Vec::new();
    let evidence = MasterKey::new(0, config.evidence_seed);
    if config.master_key.same_bytes(&evidence) {
        found.push(Finding::wrong(
            "keys",
            "the master key and the evidence key are the same",
            "give evidence a key of its own: who can read links could else sign evidence",
        ));
    }
    if config
        .older_keys
        .iter()
        .any(|older| older.same_bytes(&config.master_key))
    {
        found.push(Finding::warning(
            "keys",
            "an older key has the same bytes as the one in use",
            "take it out, or make a new one: openssl rand -base64 32",
        ));
    }
    for key in ["master_key_file", "evidence_key_file"] {
        found.extend(gathered.text(key).and_then(|path| open_to_others(key, &path)));
    }
    if found.is_empty() {
        let key = EvidenceKey::from_seed(&config.evidence_seed);
        let fingerprint = data_encoding::HEXLOWER.encode(key.public_key());
        found.push(Finding::ok(
            "keys",
            format!("are there; evidence is signed by {fingerprint}"),
        ));
    }
    found
}

#[cfg(unix)]
fn open_to_others(key: &str, path: &str) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        Finding::warning(
            key,
            format!(
                "{path} can be read by others on this machine (mode {:03o})",
                mode & 0o777
            ),
            format!("chmod 600 {path}"),
        )
    })
}

#[cfg(not(unix))]
fn open_to_others(_: &str, _: &str) -> Option<Finding> {
    None
}
