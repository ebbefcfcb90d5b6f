//! The keys: each for one purpose, read by nobody else, and those that the table's requests were written with. That they
//! are there and have their length the configuration has seen to.

use super::Patient;
use super::finding::Finding;
use crate::config::{Gathered, Serve};
use crate::domain::evidence::EvidenceKey;
use crate::domain::keys::{KeyRing, MasterKey};
use crate::store::{Listed, Store, StoreError};

/// How many of the newest requests that wait are tried.
const TRIED: usize = 20;

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

/// Whether the keys open what waits in the table. With others, links lead nowhere and workflows can't be answered.
pub(super) async fn open_requests(patient: &Patient) -> Vec<Finding> {
    // What can't be read, the examination of the table tells.
    tried(patient).await.unwrap_or_default()
}

async fn tried(patient: &Patient) -> Result<Vec<Finding>, StoreError> {
    let config = &patient.serve.config;
    let store = Store::new(aws_sdk_dynamodb::Client::new(&patient.aws), config.table.clone());
    let ring = KeyRing::new(config.master_key.clone(), config.older_keys.clone());
    let waiting = store.listed(&Listed::Pending, None, TRIED).await?;
    let (mut opened, mut closed) = (0, 0);
    for place in waiting {
        let Some(approval) = store.load(place.id).await?.approval() else {
            continue;
        };
        match ring.open(approval.id, &approval.digest, &approval.target) {
            Ok(_) => opened += 1,
            Err(_) => closed += 1,
        }
    }
    Ok(match (opened, closed) {
        (0, 0) => Vec::new(),
        (opened, 0) => vec![Finding::ok(
            "keys",
            format!("open the newest of the requests that wait ({opened} tried)"),
        )],
        (opened, closed) => vec![Finding::wrong(
            "keys",
            format!(
                "don't open {closed} of the {} newest requests that wait: their signers' links lead nowhere, and their \
                 workflows can't be answered",
                opened + closed
            ),
            "name the key that they were written with as master_key, or with its id among older_keys; or name a table of \
             this service's own",
        )],
    })
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
